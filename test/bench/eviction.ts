// Simulates an appliance on which far more models are called than fit its GPUs, with the real placement, eviction and
// ledger code, and compares its hits with an offline optimum and with plain LRU. No process is started and no clock read.
import type { Device } from '../../src/device/device.ts';
import { createUseTracker, evictionLoss } from '../../src/device/eviction.ts';
import { Ledger } from '../../src/device/ledger.ts';
import type { PlacementDevice, RunningInstance, Target, World } from '../../src/device/placement-types.ts';
import { plan } from '../../src/device/placement.ts';
import { randomFrom } from '../support/random.ts';

export interface EvictionOptions {
  /** One workload each; shares are averaged over them. */
  seeds: number[];
  devices: number;
  deviceBytes: number;
  models: number;
  smallestBytes: number;
  largestBytes: number;
  zipfExponent: number;
  requests: number;
  /** Of the busy run, in which loads overlap with other calls. */
  requestsPerSecond: number;
  serviceMs: number;
  /** Process, context and warm-up, whatever the size. */
  loadFixedMs: number;
  loadBytesPerSecond: number;
  /** Of the fading of uses, in the time of as many calls. */
  halfLifeCalls: number;
}

export interface EvictionResult {
  /** Hit rate as a share of the offline optimum's, calls coming one after the other as they do for the optimum. */
  evict_hit_vs_belady: number;
  /** The lowest of the workloads. */
  evict_hit_vs_belady_worst: number;
  /** Hit rate as a multiple of plain LRU's. */
  evict_hit_vs_lru: number;
  evict_hit_rate: number;
  evict_belady_hit_rate: number;
  evict_lru_hit_rate: number;
  /** Moments at which a device held more than it has, in all runs. */
  oversold: number;
  /** In the busy run, whose reference still loads in no time: instances that load cannot be evicted and fill memory. */
  evict_busy_hit_vs_belady: number;
  /** Busy run: from the arrival of a call whose model was not ready until it was. */
  p50_cold_wait_ms: number;
  p99_cold_wait_ms: number;
  /** Busy run: loads that had to wait until something could be evicted. */
  evict_delayed_loads: number;
}

const standard: EvictionOptions = {
  seeds: [1, 2, 3, 4, 5],
  devices: 8,
  deviceBytes: 80e9,
  models: 200,
  smallestBytes: 2e9,
  largestBytes: 40e9,
  zipfExponent: 1,
  requests: 100_000,
  // About three instances are loading at any time.
  requestsPerSecond: 1,
  serviceMs: 200,
  loadFixedMs: 5000,
  loadBytesPerSecond: 4e9,
  halfLifeCalls: 10_000,
};

/** Slow enough for every load to be over before the next call. */
const unhurriedPerSecond = 0.001;

interface Workload {
  /** Bytes of each model; models are named by their number, the most popular first. */
  sizes: number[];
  /** Models in the order in which they are called. */
  calls: Int32Array;
  /** Time of each call at one call a second on average. */
  atMs: Float64Array;
}

/** Independent calls with Zipf popularity and exponential gaps; sizes are uniform and independent of popularity. */
function makeWorkload(options: EvictionOptions, seed: number): Workload {
  const random = randomFrom(seed);
  const range = options.largestBytes - options.smallestBytes;
  const sizes = Array.from({ length: options.models }, () => Math.round(options.smallestBytes + range * random()));
  const upTo: number[] = [];
  let total = 0;
  for (let rank = 1; rank <= options.models; rank++) upTo.push((total += rank ** -options.zipfExponent));
  const calls = new Int32Array(options.requests);
  const atMs = new Float64Array(options.requests);
  let nowMs = 0;
  for (let index = 0; index < options.requests; index++) {
    const point = random() * total;
    calls[index] = upTo.findIndex((bound) => bound >= point);
    nowMs += -Math.log(1 - random()) * 1000;
    atMs[index] = nowMs;
  }
  return { sizes, calls, atMs };
}

/**
 * Hits of a cache that holds all memory as one pool, loads in no time and must load every miss: both favour it over the
 * appliance. Evicts the highest `badness` until the new one fits.
 */
function countPooledHits(
  { sizes, calls }: Workload,
  capacityBytes: number,
  badness: (model: number, index: number, lastCall: number) => number,
): number {
  const resident = new Map<number, number>();
  let used = 0;
  let hits = 0;
  for (const [index, model] of calls.entries()) {
    if (resident.has(model)) {
      hits++;
    } else {
      used += sizes[model]!;
      while (used > capacityBytes) {
        let worst = -1;
        let most = -Infinity;
        for (const [other, lastCall] of resident) {
          const value = badness(other, index, lastCall);
          if (value > most) [worst, most] = [other, value];
        }
        resident.delete(worst);
        used -= sizes[worst]!;
      }
    }
    resident.set(model, index);
  }
  return hits;
}

/**
 * Belady's rule evicts what is called again last, and is optimal for models of one size. With sizes the optimum is
 * NP-hard; the usual generalisation weighs the distance by the size. The better of the two is the reference.
 */
function countBeladyHits(workload: Workload, capacityBytes: number): number {
  const { calls, sizes } = workload;
  const nextCall = new Float64Array(calls.length);
  const soonest = new Map<number, number>();
  for (let index = calls.length - 1; index >= 0; index--) {
    nextCall[index] = soonest.get(calls[index]!) ?? Infinity;
    soonest.set(calls[index]!, index);
  }
  const farthest = countPooledHits(workload, capacityBytes, (_, __, last) => nextCall[last]!);
  const weighed = countPooledHits(
    workload,
    capacityBytes,
    (model, index, last) => (nextCall[last]! - index) * sizes[model]!,
  );
  return Math.max(farthest, weighed);
}

const countLruHits = (workload: Workload, capacityBytes: number) =>
  countPooledHits(workload, capacityBytes, (_, __, lastCall) => -lastCall);

const target: Target = { kind: 'cuda', provider: 'cuda', batch: 1 };

interface Resident extends Omit<RunningInstance, 'loss'> {
  model: number;
  isReady: boolean;
  /** When the calls that wait for it arrived. */
  waitingSinceMs: number[];
}

/** The appliance in simulated time: calls arrive, instances load, calls end. */
class Simulation {
  private readonly ledger = new Ledger();
  private readonly uses: ReturnType<typeof createUseTracker>;
  private readonly residents = new Map<number, Resident>();
  private readonly deviceIds: string[];
  /** Bytes on each device, counted apart from the ledger. */
  private readonly heldBytes: number[];
  /** Calls of models for which no room could be made yet, by model. */
  private readonly delayed = new Map<number, number[]>();
  private readonly events: { atMs: number; run: (nowMs: number) => void }[] = [];
  private readonly coldWaitsMs: number[] = [];
  private hits = 0;
  private oversold = 0;
  private delayedLoads = 0;

  constructor(
    private readonly options: EvictionOptions,
    private readonly workload: Workload,
    private readonly callsPerSecond: number,
  ) {
    this.uses = createUseTracker((options.halfLifeCalls / callsPerSecond) * 1000);
    this.deviceIds = Array.from({ length: options.devices }, (_, index) => `GPU-${index}`);
    this.heldBytes = this.deviceIds.map(() => 0);
    for (const [index, id] of this.deviceIds.entries()) this.ledger.read(emptyGpu(id, index, options.deviceBytes), 0);
  }

  run(): { hits: number; oversold: number; delayedLoads: number; coldWaitsMs: number[] } {
    const { calls, atMs } = this.workload;
    for (const [index, model] of calls.entries()) {
      const nowMs = atMs[index]! / this.callsPerSecond;
      this.runEventsUntil(nowMs);
      this.call(model, nowMs);
    }
    this.runEventsUntil(Infinity);
    if (this.delayed.size > 0) throw new Error('some calls were never answered');
    const { hits, oversold, delayedLoads } = this;
    return { hits, oversold, delayedLoads, coldWaitsMs: this.coldWaitsMs.toSorted((a, b) => a - b) };
  }

  private call(model: number, nowMs: number): void {
    this.uses.record(String(model), nowMs);
    const resident = this.residents.get(model);
    if (resident) {
      // One that is still loading counts as a hit, as it does for the references: no further load is started.
      this.hits++;
      if (resident.isReady) this.serve(resident, nowMs);
      else resident.waitingSinceMs.push(nowMs);
      return;
    }
    const waiting = this.delayed.get(model);
    if (waiting) waiting.push(nowMs);
    else if (!this.load(model, [nowMs], nowMs)) {
      this.delayed.set(model, [nowMs]);
      this.delayedLoads++;
    }
  }

  private serve(resident: Resident, nowMs: number): void {
    resident.leases++;
    resident.lastUsedMs = nowMs;
    this.schedule(nowMs + this.options.serviceMs, (endMs) => this.endLease(resident, endMs));
  }

  private endLease(resident: Resident, nowMs: number): void {
    resident.leases--;
    for (const [model, waiting] of this.delayed) if (this.load(model, waiting, nowMs)) this.delayed.delete(model);
  }

  /** @returns false when nothing more may be evicted for it now */
  private load(model: number, waitingSinceMs: number[], nowMs: number): boolean {
    const version = String(model);
    const { placements, evictions } = plan(this.worldFor(model, nowMs), [{ ...plainWish, version }]);
    const placement = placements[0];
    if (!placement) return false;
    for (const { instanceId } of evictions) this.end(Number(instanceId));
    const { deviceId, bytes } = placement;
    this.ledger.reserve(version, deviceId, bytes);
    this.hold(deviceId, bytes);
    const use = { leases: 1, lastUsedMs: nowMs, minFreeBytes: 0, pinned: false, priority: 0 };
    const resident = {
      ...target,
      ...use,
      id: version,
      version,
      model,
      deviceId,
      bytes,
      isReady: false,
      waitingSinceMs,
    };
    this.residents.set(model, resident);
    this.schedule(nowMs + this.loadMs(model), (readyMs) => this.finishLoad(resident, readyMs));
    return true;
  }

  private finishLoad(resident: Resident, nowMs: number): void {
    this.ledger.commit(resident.id, resident.bytes);
    resident.isReady = true;
    for (const sinceMs of resident.waitingSinceMs) {
      this.coldWaitsMs.push(nowMs - sinceMs);
      this.serve(resident, nowMs);
    }
    this.endLease(resident, nowMs);
  }

  private end(model: number): void {
    const { id, deviceId, bytes } = this.residents.get(model)!;
    this.residents.delete(model);
    this.ledger.release(id);
    this.hold(deviceId, -bytes);
  }

  private hold(deviceId: string, bytes: number): void {
    const index = this.deviceIds.indexOf(deviceId);
    this.heldBytes[index]! += bytes;
    if (this.heldBytes[index]! > this.options.deviceBytes) this.oversold++;
  }

  private loadMs(model: number): number {
    const { loadFixedMs, loadBytesPerSecond } = this.options;
    return loadFixedMs + (this.workload.sizes[model]! / loadBytesPerSecond) * 1000;
  }

  private worldFor(model: number, nowMs: number): World {
    const running = Array.from(this.residents.values(), (resident) => {
      const usesPerSecond = this.uses.usesPerSecond(resident.version, nowMs);
      return { ...resident, loss: evictionLoss(usesPerSecond, this.loadMs(resident.model)) };
    });
    const bytes = this.workload.sizes[model]!;
    const footprints = [{ ...target, version: String(model), bytes, measured: true }];
    return { nowMs, devices: this.deviceIds.map((id, index) => this.viewOf(id, index)), running, footprints };
  }

  private viewOf(id: string, index: number): PlacementDevice {
    const { capacityBytes, usedByOthersBytes, others, reserveBytes } = this.ledger.account(id);
    const memory = { capacityBytes, usedByOthersBytes, others, reserveBytes };
    return { id, index, kind: 'cuda', name: 'GPU', deviceClass: 'GPU', state: 'ready', ...memory };
  }

  private schedule(atMs: number, run: (nowMs: number) => void): void {
    // A handful are open at a time, so that a sorted list does.
    const place = this.events.findLastIndex((event) => event.atMs <= atMs);
    this.events.splice(place + 1, 0, { atMs, run });
  }

  private runEventsUntil(nowMs: number): void {
    while (this.events[0] && this.events[0].atMs <= nowMs) {
      const event = this.events.shift()!;
      event.run(event.atMs);
    }
  }
}

const plainWish = {
  minInstances: 1,
  maxInstances: 1,
  targets: [target],
  onePerDevice: false,
  strategy: 'pack' as const,
  priority: 0,
  pinned: false,
  minFreeBytes: 0,
};

function emptyGpu(id: string, index: number, totalBytes: number): Device {
  const reading = { totalBytes, usedBytes: 0, freeBytes: totalBytes, throttle: [], processes: [] };
  return { id, kind: 'cuda', index, name: 'GPU', state: 'ready', reading };
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param options what differs from the standard workload */
export function run(options: Partial<EvictionOptions> = {}): EvictionResult {
  const all = { ...standard, ...options };
  const capacityBytes = all.devices * all.deviceBytes;
  const rounds = all.seeds.map((seed) => {
    const workload = makeWorkload(all, seed);
    const unhurried = new Simulation(all, workload, unhurriedPerSecond).run();
    const belady = countBeladyHits(workload, capacityBytes);
    return { workload, unhurried, belady, lru: countLruHits(workload, capacityBytes) };
  });
  const first = rounds[0]!;
  const busy = new Simulation(all, first.workload, all.requestsPerSecond).run();
  const waits = busy.coldWaitsMs;
  const quantile = (share: number) => waits[Math.floor((waits.length - 1) * share)] ?? 0;
  const shares = rounds.map(({ unhurried, belady }) => unhurried.hits / belady);
  return {
    evict_hit_vs_belady: mean(shares),
    evict_hit_vs_belady_worst: Math.min(...shares),
    evict_hit_vs_lru: mean(rounds.map(({ unhurried, lru }) => unhurried.hits / lru)),
    evict_hit_rate: mean(rounds.map(({ unhurried }) => unhurried.hits / all.requests)),
    evict_belady_hit_rate: mean(rounds.map(({ belady }) => belady / all.requests)),
    evict_lru_hit_rate: mean(rounds.map(({ lru }) => lru / all.requests)),
    oversold: rounds.reduce((sum, { unhurried }) => sum + unhurried.oversold, busy.oversold),
    evict_busy_hit_vs_belady: busy.hits / first.belady,
    p50_cold_wait_ms: quantile(0.5),
    p99_cold_wait_ms: quantile(0.99),
    evict_delayed_loads: busy.delayedLoads,
  };
}

if (import.meta.main) {
  const result = run();
  if (process.argv.includes('--json')) console.log(JSON.stringify(result, undefined, 2));
  else console.table(Object.fromEntries(Object.entries(result).map(([key, value]) => [key, Number(value.toFixed(3))])));
}
