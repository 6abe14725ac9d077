// The data plane: takes calls, finds the lane of their version, and keeps the lanes in step with the routing table
// that the control side publishes. Knows neither SQLite nor the control side, so that several processes can run one.
import { type Rate, spend, waitMs } from '../access/bucket.ts';
import { AppError } from '../error.ts';
import type { TensorData } from '../types.ts';
import type { Activity } from './activity.ts';
import { agree } from './agreement.ts';
import { Lane, type LaneOptions } from './lane.ts';
import { notReady } from './not-ready.ts';
import { isFault, type Notes } from './notes.ts';
import type { DataPlane, Encode, InferenceCall, VersionStatistics } from './plane.ts';
import type { ModelRoute, RoutingTable, VersionRoute } from './routing.ts';
import { splitter } from './split.ts';
import { mergeStatistics } from './statistics.ts';

/** Shadow requests that may be under way for one version; beyond that they are left out, not queued. */
const mostShadows = 4;

export class Gateway implements DataPlane {
  table: RoutingTable = new Map();
  private readonly lanes = new Map<string, Lane>();
  /** By endpoint. */
  private readonly splitters = new Map<string, ReturnType<typeof splitter>>();
  private readonly buckets = new Map<string, number>();
  private readonly shadows = new Map<string, number>();

  constructor(private readonly options: LaneOptions) {}

  /** Takes over a newly published table. Lanes of versions that it no longer lists are closed. */
  apply(table: RoutingTable): void {
    this.table = table;
    const listed = new Set<string>();
    for (const route of routesOf(table)) {
      if (listed.has(route.key)) continue;
      listed.add(route.key);
      const lane = this.lanes.get(route.key);
      if (lane) lane.update(route);
      else this.lanes.set(route.key, new Lane(route, this.options));
    }
    for (const [key, lane] of this.lanes) {
      if (listed.has(key)) continue;
      this.lanes.delete(key);
      lane.close();
    }
    for (const name of this.splitters.keys()) {
      if (table.get(name)?.traffic) continue;
      this.splitters.delete(name);
      this.buckets.delete(name);
    }
  }

  getModel(name: string): ModelRoute {
    const model = this.table.get(name);
    if (model) return model;
    throw new AppError('not_found', `Request for unknown model: '${name}' is not found`);
  }

  getRoute(name: string, version?: number): VersionRoute {
    const model = this.getModel(name);
    if (version !== undefined && !model.existing.includes(version)) throw unknownVersion(name, version);
    const wanted = version ?? model.current;
    const route = wanted === null ? undefined : model.versions.get(wanted);
    if (route && mayAnswer(route)) return route;
    throw new AppError(
      'unavailable',
      notReady({ model: name, version: wanted }),
      route?.reason || (model.traffic ? 'Nothing is live at this endpoint.' : loadFirst(name, version)),
    );
  }

  isReleased(name: string, version?: number): boolean {
    const model = this.table.get(name);
    if (!model) return true;
    const { traffic } = model;
    if (!traffic) return false;
    return version === undefined || traffic.shares.some(({ route }) => route.version === version);
  }

  choose(
    name: string,
    version: number | undefined,
    header: (name: string) => string | null,
    key?: string,
  ): VersionRoute {
    const { traffic } = this.getModel(name);
    // Whoever names the version is counted too; whoever tries another is not the endpoint's caller.
    if (traffic?.ratePerSecond !== undefined && this.isReleased(name, version)) this.admit(name, traffic.ratePerSecond);
    if (!traffic || version !== undefined) return this.getRoute(name, version);
    let split = this.splitters.get(name);
    if (!split) this.splitters.set(name, (split = splitter()));
    const chosen = split(traffic, header, key);
    const stable = traffic.shares[0]?.route;
    if (!chosen || !stable || (chosen === stable && mayAnswer(stable))) return chosen ?? this.getRoute(name);
    // Nobody waits for the one that is on trial.
    if (chosen.state === 'ready' || chosen.state === 'cold') return chosen;
    return mayAnswer(stable) ? stable : this.getRoute(name);
  }

  isReady(name: string, version?: number): boolean {
    const model = this.getModel(name);
    if (version !== undefined && !model.existing.includes(version)) throw unknownVersion(name, version);
    const wanted = version ?? model.current;
    const state = wanted === null ? undefined : model.versions.get(wanted)?.state;
    // A client that asks first would never have a cold one started.
    return state === 'ready' || state === 'cold';
  }

  hold(route: VersionRoute): () => void {
    return this.lanes.get(route.key)?.hold() ?? (() => {});
  }

  infer<T>(route: VersionRoute, call: InferenceCall, encode: Encode<T>): Promise<T> {
    const lane = this.lanes.get(route.key);
    if (!lane) return Promise.reject(new AppError('unavailable', notReady(route)));
    if (route.fallback === undefined && route.shadow === undefined) return submit(lane, call, encode);
    return this.inferInRollout(lane, route, call, encode);
  }

  /** By name that callers use and version. */
  statistics(name?: string, version?: number): VersionStatistics[] {
    if (name !== undefined) {
      const model = this.getModel(name);
      if (version !== undefined && !model.existing.includes(version)) throw unknownVersion(name, version);
    }
    const all = [...this.lanes.values()]
      .map((lane) => lane.statistics())
      .filter((stats) => name === undefined || stats.model === name)
      .filter((stats) => version === undefined || stats.version === version);
    return mergeStatistics(all);
  }

  /** What was noted of a deployment since its watch began; undefined: nobody watches it. */
  noted(key: string): Notes | undefined {
    return this.lanes.get(key)?.noted();
  }

  /** What each deployment was used for until now, by its key. */
  activity(): Map<string, Activity> {
    return new Map([...this.lanes].map(([key, lane]) => [key, lane.activity()]));
  }

  /** Resolves when nothing is being computed by an instance that was taken off the table. */
  async released(key: string, address: string): Promise<void> {
    await this.lanes.get(key)?.released(address);
  }

  /** Resolves when nothing of this deployment waits or is being computed in this data plane. */
  async drained(key: string): Promise<void> {
    await this.lanes.get(key)?.drained();
  }

  close(): void {
    this.apply(new Map());
  }

  private admit(name: string, ratePerSecond: number): void {
    const rate: Rate = { ratePerSecond, burst: Math.max(1, Math.ceil(ratePerSecond)) };
    const nowMs = performance.now();
    const emptyMs = this.buckets.get(name) ?? 0;
    const pauseMs = waitMs(emptyMs, rate, nowMs);
    if (pauseMs > 0) {
      throw new AppError(
        'throttled',
        `The endpoint '${name}' takes ${ratePerSecond} requests a second`,
        'Try again in a moment, or ask for a release with a higher rate.',
        Math.ceil(pauseMs / 1000),
      );
    }
    this.buckets.set(name, spend(emptyMs, rate, nowMs));
  }

  /** One that is on trial costs its callers nothing: what it cannot answer the stable version does. */
  private async inferInRollout<T>(lane: Lane, route: VersionRoute, call: InferenceCall, encode: Encode<T>): Promise<T> {
    const shadowed = this.isShadowed(route) ? call.inputs.map(copyOf) : undefined;
    let isComputed = false;
    try {
      return await submit(lane, call, (outputs, times) => {
        isComputed = true;
        const answer = encode(outputs, times);
        if (shadowed) this.compareLater(route.shadow!.key, { ...call, inputs: shadowed }, outputs.map(copyOf));
        return answer;
      });
    } catch (error) {
      const stable = route.fallback === undefined ? undefined : this.lanes.get(route.fallback);
      // A request that is wrong would be so there too; what cannot be written down may be well computed by the other.
      if (!stable || call.signal?.aborted || !(isComputed || isFault(error))) throw error;
      return submit(stable, call, (outputs, times) => encode(outputs, times, stable.route));
    }
  }

  private endShadow(key: string): void {
    const left = this.shadows.get(key)! - 1;
    if (left > 0) this.shadows.set(key, left);
    else this.shadows.delete(key);
  }

  private isShadowed({ shadow }: VersionRoute): boolean {
    return shadow !== undefined && (this.shadows.get(shadow.key) ?? 0) < mostShadows && Math.random() < shadow.share;
  }

  /** Not before the answer is on its way. */
  private compareLater(key: string, { inputs, outputs }: InferenceCall, expected: TensorData[]): void {
    const lane = this.lanes.get(key);
    if (!lane) return;
    this.shadows.set(key, (this.shadows.get(key) ?? 0) + 1);
    setImmediate(() => {
      submit(lane, { inputs, outputs }, (given) => agree(expected, given, lane.route.labels !== undefined))
        .then((isSame) => lane.noted()?.countComparison(isSame))
        // Its own notes count the failure.
        .catch(() => {})
        .finally(() => this.endShadow(key));
    });
  }
}

/** Not async: each promise on the way costs every request. */
function submit<T>(lane: Lane, call: InferenceCall, encode: Encode<T>): Promise<T> {
  try {
    return lane.submit(call, encode);
  } catch (error) {
    return Promise.reject(error);
  }
}

function* routesOf(table: RoutingTable): Generator<VersionRoute> {
  for (const { versions, traffic } of table.values()) {
    for (const { route } of traffic?.shares ?? []) yield route;
    yield* traffic?.standby ?? [];
    yield* versions.values();
  }
}

function copyOf(tensor: TensorData): TensorData {
  return { ...tensor, bytes: tensor.bytes.slice() };
}

function mayAnswer({ state }: VersionRoute): boolean {
  return state === 'ready' || state === 'starting' || state === 'cold';
}

function loadFirst(name: string, version: number | undefined): string {
  return `Load it first: aimass load ${name}${version === undefined ? '' : `:${version}`}`;
}

function unknownVersion(name: string, version: number): AppError {
  return new AppError('not_found', `Request for unknown model: '${name}' version ${version} is not found`);
}
