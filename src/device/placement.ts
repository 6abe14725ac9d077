// Decides which version gets an instance on which device and what is evicted for it, with a reason for each decision. Data
// in, data out: the same world and wishes give the same plan, in whatever order they are listed. Starts and ends nothing.
import { AppError } from '../error.ts';
import { chooseEvictions, lossPerByteOf } from './eviction.ts';
import {
  allows,
  type Board,
  freeBytes,
  isTaken,
  labelOf,
  reasonToStay,
  sameTarget,
  type Seat,
} from './placement-board.ts';
import { explainRefusal } from './placement-refusal.ts';
import type { Footprint, PlacementDevice, Plan, Target, Wish, World } from './placement-types.ts';

interface Choice {
  board: Board;
  footprint: Footprint;
  evicted: Seat[];
  /** The highest priority among the evicted. */
  ceiling: number;
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const footprintKey = (version: string, { kind, provider, batch }: Target) =>
  JSON.stringify([version, kind, provider, batch]);

/** @throws AppError invalid when two wishes name the same version, or a wish's minimum exceeds its maximum */
export function plan(world: World, wishes: Wish[]): Plan {
  const sorted = wishes.toSorted((a, b) => b.priority - a.priority || compare(a.version, b.version));
  checkWishes(sorted);
  return new Planner(world, sorted).plan();
}

function checkWishes(sorted: Wish[]): void {
  const seen = new Set<string>();
  for (const { version, minInstances, maxInstances } of sorted) {
    if (seen.has(version)) throw new AppError('invalid', `Two wishes for ${version}`, 'Merge them into one.');
    seen.add(version);
    if (minInstances > maxInstances) {
      throw new AppError(
        'invalid',
        `${version}: at least ${minInstances} and at most ${maxInstances} instances`,
        'Raise the maximum or lower the minimum.',
      );
    }
  }
}

class Planner {
  private readonly boards: Board[];
  private readonly footprints = new Map<string, Footprint>();
  private readonly result: Plan = { placements: [], evictions: [], lost: [], refusals: [] };

  constructor(
    private readonly world: World,
    private readonly wishes: Wish[],
  ) {
    this.boards = world.devices
      .toSorted((a, b) => compare(a.kind, b.kind) || a.index - b.index || compare(a.id, b.id))
      .map((device) => ({ device, seats: [] }));
    for (const footprint of world.footprints) {
      const key = footprintKey(footprint.version, footprint);
      const known = this.footprints.get(key);
      if (!known || isMoreCertain(footprint, known)) this.footprints.set(key, footprint);
    }
  }

  plan(): Plan {
    this.seatRunning();
    for (const wish of this.wishes) this.settle(wish);
    // Nothing of a lower priority that is decided later can make room for a wish refused here: see `reasonToStay`.
    for (const group of Map.groupBy(this.wishes, ({ priority }) => priority).values()) this.serve(group);
    return this.result;
  }

  private seatRunning(): void {
    const byDevice = new Map(this.boards.map((board) => [board.device.id, board]));
    const byVersion = new Map(this.wishes.map((wish) => [wish.version, wish]));
    for (const instance of this.world.running.toSorted((a, b) => compare(a.id, b.id))) {
      const { id, version, deviceId, bytes, leases, lastUsedMs, loss, minFreeBytes } = instance;
      const board = byDevice.get(deviceId);
      if (board?.device.state !== 'ready') {
        const reason = board ? lostReason(board.device) : `device ${deviceId} is no longer there`;
        this.result.lost.push({ instanceId: id, version, deviceId, reason });
        continue;
      }
      const { kind, provider, batch } = instance;
      const { pinned, priority } = byVersion.get(version) ?? instance;
      const target = { kind, provider, batch };
      const candidate = { id, bytes, loss, lastUsedMs };
      board.seats.push({ ...candidate, version, target, leases, pinned, priority, minFreeBytes, role: 'spare' });
    }
  }

  /** Gives the version's running instances their roles and ends those that are too many or idle for too long. */
  private settle(wish: Wish): void {
    const fitting = this.assignRoles(wish);
    fitting.forEach(({ board, seat }, position) => {
      if (position < wish.minInstances || seat.leases > 0) return;
      const idleMs = this.world.nowMs - seat.lastUsedMs;
      if (position >= wish.maxInstances) {
        this.evict(board, seat, `more instances than the ${wish.maxInstances} wished`);
      } else if (!wish.pinned && wish.keepAliveMs !== undefined && idleMs >= wish.keepAliveMs) {
        this.evict(board, seat, `idle for ${seconds(idleMs)}, kept for ${seconds(wish.keepAliveMs)}`);
      }
    });
    if (fitting.length >= wish.minInstances) this.endMisfits(wish);
  }

  /** @returns the instances that fit the wish, those to keep first */
  private assignRoles(wish: Wish): { board: Board; seat: Seat }[] {
    const rank = (seat: Seat) => wish.targets.findIndex((target) => sameTarget(target, seat.target));
    const own = this.boards.flatMap((board) =>
      board.seats.filter(({ version }) => version === wish.version).map((seat) => ({ board, seat })),
    );
    const fitting = own
      .filter(({ board, seat }) => allows(wish, board.device) && rank(seat) >= 0)
      .toSorted(
        ({ seat: a }, { seat: b }) =>
          rank(a) - rank(b) ||
          Number(b.leases > 0) - Number(a.leases > 0) ||
          b.lastUsedMs - a.lastUsedMs ||
          compare(a.id, b.id),
      )
      .filter(({ board }, position, all) => !wish.onePerDevice || all.findIndex((o) => o.board === board) === position);
    for (const { seat } of own) {
      seat.role = 'misfit';
      seat.pinned = false;
    }
    fitting.forEach(({ seat }, position) => {
      if (position >= wish.maxInstances) return;
      seat.role = position < wish.minInstances ? 'needed' : 'spare';
      seat.pinned = wish.pinned;
    });
    return fitting;
  }

  private endMisfits(wish: Wish): void {
    for (const board of this.boards) {
      for (const seat of board.seats.filter(({ version, role }) => version === wish.version && role === 'misfit')) {
        if (seat.leases === 0) this.evict(board, seat, 'it runs where or how its version is no longer wished');
      }
    }
  }

  /** Wishes of one priority: each gets its first missing instance before any gets its second, big ones first. */
  private serve(group: Wish[]): void {
    const bytesOf = (wish: Wish) => Math.max(0, ...wish.targets.map((target) => this.find(wish, target)?.bytes ?? 0));
    let open = group
      .map((wish) => ({ wish, bytes: bytesOf(wish), held: this.countNeeded(wish) }))
      .filter(({ wish, held }) => held < wish.minInstances)
      .toSorted((a, b) => b.bytes - a.bytes || compare(a.wish.version, b.wish.version));
    while (open.length > 0) {
      const fewest = Math.min(...open.map(({ held }) => held));
      for (const item of open.filter(({ held }) => held === fewest)) {
        const choice = this.choose(item.wish);
        if (choice) this.place(item.wish, choice);
        else this.refuse(item.wish, item.wish.minInstances - item.held);
        item.held = choice ? item.held + 1 : Infinity;
        if (item.held === item.wish.minInstances) this.endMisfits(item.wish);
      }
      open = open.filter(({ wish, held }) => held < wish.minInstances);
    }
  }

  /** After wishes of higher priority took what they need: spares step in for instances that were displaced. */
  private countNeeded(wish: Wish): number {
    return Math.min(this.assignRoles(wish).length, wish.minInstances);
  }

  private find(wish: Wish, target: Target): Footprint | undefined {
    return this.footprints.get(footprintKey(wish.version, target));
  }

  /** Idle instances that nobody needs go before a worse target is taken; needed ones of lower priority only after all. */
  private choose(wish: Wish): Choice | undefined {
    for (const mayDisplace of [false, true]) {
      for (const target of wish.targets) {
        const footprint = this.find(wish, target);
        if (!footprint) continue;
        const choices = this.boards
          .filter(({ device }) => device.state === 'ready' && device.kind === target.kind && allows(wish, device))
          .filter((board) => !isTaken(wish, board))
          .map((board) => makeRoom(board, wish, footprint, mayDisplace))
          .filter((choice) => choice !== undefined)
          .toSorted((a, b) => compareChoices(a, b, wish));
        if (choices[0]) return choices[0];
      }
    }
    return undefined;
  }

  private place(wish: Wish, { board, footprint, evicted }: Choice): void {
    const { version, priority, pinned, minFreeBytes } = wish;
    const { kind, provider, batch, bytes, measured } = footprint;
    const label = labelOf(board.device);
    for (const seat of evicted) {
      const reason = seat.role === 'needed' ? 'which has a higher priority' : `the least used for its size on ${label}`;
      this.evict(board, seat, `makes room for ${version}, ${reason}`);
    }
    const use = { id: '', bytes, loss: 0, lastUsedMs: this.world.nowMs, leases: 0 };
    board.seats.push({ ...use, version, target: footprint, pinned, priority, minFreeBytes, role: 'needed' });
    const strategy = wish.strategy === 'pack' ? 'which it fills best' : 'which has the most room';
    const after = evicted.map(({ id }) => id).toSorted(compare);
    const reason = after.length > 0 ? `on ${label}, where evictions cost least` : `on ${label}, ${strategy}`;
    this.result.placements.push({
      version,
      deviceId: board.device.id,
      kind,
      provider,
      batch,
      bytes,
      measured,
      after,
      reason,
    });
  }

  private evict(board: Board, seat: Seat, reason: string): void {
    board.seats = board.seats.filter((other) => other !== seat);
    this.result.evictions.push({ instanceId: seat.id, version: seat.version, deviceId: board.device.id, reason });
  }

  private refuse(wish: Wish, missing: number): void {
    const words = explainRefusal(wish, this.boards, (target) => this.find(wish, target));
    this.result.refusals.push({ version: wish.version, missing, ...words });
  }
}

/** Of two footprints of the same thing a measured one counts, then the larger. */
const isMoreCertain = (a: Footprint, b: Footprint) => (a.measured === b.measured ? a.bytes > b.bytes : a.measured);
const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
const lostReason = (device: PlacementDevice) =>
  `${labelOf(device)} is lost${device.stateReason ? `: ${device.stateReason}` : ''}`;

/** The evictions of lowest priority that are enough, and among those the least used for their size. */
function makeRoom(board: Board, wish: Wish, footprint: Footprint, mayDisplace: boolean): Choice | undefined {
  const isEnough = (gone: readonly Seat[]) => freeBytes(board, gone, wish.minFreeBytes) >= footprint.bytes;
  if (isEnough([])) return { board, footprint, evicted: [], ceiling: -Infinity };
  const evictable = board.seats.filter((seat) => reasonToStay(seat, wish, mayDisplace) === undefined);
  for (const ceiling of [...new Set(evictable.map(({ priority }) => priority))].toSorted((a, b) => a - b)) {
    const evicted = chooseEvictions(
      evictable.filter(({ priority }) => priority <= ceiling),
      isEnough,
    );
    if (evicted) return { board, footprint, evicted, ceiling };
  }
  return undefined;
}

function compareChoices(a: Choice, b: Choice, wish: Wish): number {
  const own = ({ board }: Choice) => board.seats.filter(({ version }) => version === wish.version).length;
  const free = ({ board, evicted }: Choice) => freeBytes(board, evicted);
  const byStrategy = wish.strategy === 'pack' ? free(a) - free(b) : own(a) - own(b) || free(b) - free(a);
  const byCeiling = a.ceiling === b.ceiling ? 0 : a.ceiling - b.ceiling;
  return byCeiling || lossPerByteOf(a.evicted) - lossPerByteOf(b.evicted) || byStrategy;
}
