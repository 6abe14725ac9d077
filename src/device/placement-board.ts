// A device with the instances on it while a plan is made: how much is free, and who may be asked to leave for whom.
import type { EvictionCandidate } from './eviction.ts';
import type { PlacementDevice, Target, Wish } from './placement-types.ts';

/** An instance as the plan sees it: running already, or placed by this plan (then without id). */
export interface Seat extends EvictionCandidate {
  version: string;
  target: Target;
  leases: number;
  pinned: boolean;
  priority: number;
  minFreeBytes: number;
  /** needed: counts towards a wish's minimum; misfit: its version's wish wants it elsewhere or otherwise. */
  role: 'needed' | 'spare' | 'misfit';
}

/** One device with the instances on it. */
export interface Board {
  device: PlacementDevice;
  seats: Seat[];
}

export const sameTarget = (a: Target, b: Target): boolean =>
  a.kind === b.kind && a.provider === b.provider && a.batch === b.batch;

/** Bytes for new instances once `gone` are evicted; negative where others took more than was left. */
export function freeBytes({ device, seats }: Board, gone: readonly Seat[] = [], minFreeBytes = 0): number {
  let free = device.capacityBytes - device.usedByOthersBytes;
  let kept = Math.max(device.reserveBytes, minFreeBytes);
  for (const seat of seats) {
    if (gone.includes(seat)) continue;
    free -= seat.bytes;
    kept = Math.max(kept, seat.minFreeBytes);
  }
  return free - kept;
}

/** True for a device on which the wish allows an instance, whatever its state and memory. */
export const allows = (wish: Wish, device: PlacementDevice): boolean =>
  (wish.deviceIds?.includes(device.id) ?? true) &&
  (wish.deviceClass === undefined || wish.deviceClass === device.deviceClass);

/** True when one-per-device keeps another instance away. */
export const isTaken = (wish: Wish, { seats }: Board): boolean =>
  wish.onePerDevice && seats.some(({ version, role }) => version === wish.version && role !== 'misfit');

/** Why a seat must stay whatever `wish` needs; undefined when it may be evicted for it. */
export function reasonToStay(seat: Seat, wish: Wish, mayDisplace: boolean): string | undefined {
  if (seat.pinned) return 'pinned';
  if (seat.leases > 0) return 'in use';
  if (seat.priority > wish.priority) return 'of higher priority';
  if (seat.role === 'needed' && !(mayDisplace && seat.priority < wish.priority)) return 'needed just as much';
  return undefined;
}

/** How a person tells it from the others, e.g. "NVIDIA H100 #2". */
export const labelOf = ({ kind, name, index }: PlacementDevice): string =>
  kind === 'cpu' ? name : `${name} #${index}`;
