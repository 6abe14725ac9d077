// Says in words why a wish finds no room and what a person can do about it. Decides nothing.
import type { DeviceKind } from './device.ts';
import { allows, type Board, freeBytes, isTaken, labelOf, reasonToStay, type Seat } from './placement-board.ts';
import type { Footprint, Target, Wish } from './placement-types.ts';

interface Words {
  reason: string;
  hint: string;
}

/** Programs and instances that are named before the rest is only counted. */
const longestList = 3;
const kindWords: Record<DeviceKind, string> = {
  cuda: 'CUDA GPU',
  rocm: 'ROCm GPU',
  webgpu: 'WebGPU adapter',
  cpu: 'processor',
};
const gib = 1024 ** 3;
const mib = 1024 ** 2;

/** Needs are rounded up and room is rounded down, so that the two never look alike when they are not. */
function amount(bytes: number, round: (value: number) => number = Math.round): string {
  return Math.abs(bytes) < gib ? `${round(bytes / mib)} MiB` : `${round((bytes / gib) * 10) / 10} GiB`;
}

function list(items: string[]): string {
  const rest = items.length - longestList;
  return rest > 0 ? `${items.slice(0, longestList).join(', ')} and ${rest} more` : items.join(', ');
}

/** @param find the footprint of the wish's version on a target */
export function explainRefusal(
  wish: Wish,
  boards: readonly Board[],
  find: (target: Target) => Footprint | undefined,
): Words {
  const all = wish.targets.map((target) => explainTarget(wish, target, boards, find(target)));
  // Targets often fail for the same reason, e.g. two providers that are both without a device.
  const reasons = [...new Set(all.map(({ reason }) => reason))];
  return {
    reason: reasons.join('; ') || 'this machine has no device for the provider that is wished',
    hint: all[0]?.hint ?? 'Choose another provider, or let the appliance choose.',
  };
}

function explainTarget(wish: Wish, target: Target, boards: readonly Board[], footprint: Footprint | undefined): Words {
  const kind = kindWords[target.kind];
  const allowed = boards.filter(({ device }) => device.kind === target.kind && allows(wish, device));
  if (allowed.length === 0) return explainAbsence(wish, kind);
  const ready = allowed.filter(({ device }) => device.state === 'ready');
  if (ready.length === 0) {
    const lost = allowed.map(({ device }) => labelOf(device) + (device.stateReason ? ` (${device.stateReason})` : ''));
    return { reason: `lost: ${list(lost)}`, hint: 'Bring the device back or allow another one.' };
  }
  if (!footprint) {
    return {
      reason: `how much memory it needs with ${target.provider} at batch ${target.batch} is not known`,
      hint: 'Measure it, or give an estimate.',
    };
  }
  const untaken = ready.filter((board) => !isTaken(wish, board));
  if (untaken.length === 0) {
    return {
      reason: `one instance for each device is wished, and each ${kind} that it may use (${ready.length}) has one`,
      hint: 'Wish fewer instances, or allow several on one device.',
    };
  }
  return explainMemory(wish, kind, untaken, footprint);
}

function explainAbsence({ deviceIds, deviceClass }: Wish, kind: string): Words {
  const ids = deviceIds === undefined ? '' : ` with the id ${deviceIds.join(' or ')}`;
  const ofClass = deviceClass === undefined ? '' : ` of the class ${deviceClass}`;
  return {
    reason: `there is no ${kind}${ids}${ofClass}`,
    hint: ids || ofClass ? 'Choose another device or class.' : 'Allow another kind of device.',
  };
}

function explainMemory(wish: Wish, kind: string, boards: readonly Board[], footprint: Footprint): Words {
  const views = boards.map((board) => {
    const staying = board.seats.flatMap((seat) => {
      const why = reasonToStay(seat, wish, true);
      return why === undefined ? [] : [{ seat, why }];
    });
    const leaving = board.seats.filter((seat) => staying.every((item) => item.seat !== seat));
    return { board, staying, leaving, free: freeBytes(board, leaving, wish.minFreeBytes) };
  });
  const { board, staying, leaving, free } = views.reduce((best, view) => (view.free > best.free ? view : best));
  const { device } = board;

  const stayingBytes = staying.reduce((sum, { seat }) => sum + seat.bytes, 0);
  const kept = Math.max(device.reserveBytes, wish.minFreeBytes, ...staying.map(({ seat }) => seat.minFreeBytes));
  const held = [
    { bytes: device.usedByOthersBytes, by: `by other programs${programs(board)}`, hint: 'End the other programs.' },
    { bytes: stayingBytes, by: `by instances that must stay (${list(staying.map(describe))})`, hint: advice(staying) },
    { bytes: kept, by: 'must stay free', hint: 'Lower the memory that is kept free.' },
  ].filter(({ bytes }) => bytes > 0);

  const needs = `needs ${amount(footprint.bytes, Math.ceil)}${footprint.measured ? '' : ' (estimated)'}`;
  const who = boards.length > 1 ? `the freest ${kind}, ${labelOf(device)},` : labelOf(device);
  const even = leaving.length > 0 ? ' even when all that may be evicted is gone' : '';
  const because = held.map(({ bytes, by }) => `${amount(bytes)} ${by.startsWith('by') ? `are held ${by}` : by}`);
  const causes = because.length > 0 ? `, because ${because.join(' and ')}` : even ? '' : ' in all';
  const biggest = held.toSorted((a, b) => b.bytes - a.bytes)[0];
  return {
    reason: `${needs}; ${who} has ${amount(Math.max(0, free), Math.floor)}${even}${causes}`,
    hint:
      biggest === undefined || footprint.bytes > device.capacityBytes
        ? 'Use a smaller batch or a device with more memory.'
        : biggest.hint,
  };
}

const describe = ({ seat, why }: { seat: Seat; why: string }) => `${seat.version}: ${why}`;

function programs({ device: { others } }: Board): string {
  const largest = others.toSorted((a, b) => b.usedBytes - a.usedBytes || a.pid - b.pid);
  return largest.length > 0 ? ` (${list(largest.map(({ pid, name }) => `${name}, pid ${pid}`))})` : '';
}

function advice(staying: { seat: Seat; why: string }[]): string {
  if (staying.some(({ why }) => why === 'in use')) return 'Try again when they are idle, or unload one of them.';
  return staying.some(({ why }) => why === 'pinned')
    ? 'Unpin or unload one of them, or add a device.'
    : 'Raise its priority, unload one of them, or add a device.';
}
