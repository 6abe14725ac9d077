// The data plane: takes calls, finds the lane of their version, and keeps the lanes in step with the routing table
// that the control side publishes. Knows neither SQLite nor the control side, so that several processes can run one.
import { AppError } from '../error.ts';
import type { TensorData } from '../types.ts';
import { type Activity, Lane, type LaneOptions, notReady } from './lane.ts';
import type { DataPlane, InferenceCall, StageTimes, VersionStatistics } from './plane.ts';
import type { ModelRoute, RoutingTable, VersionRoute } from './routing.ts';

export class Gateway implements DataPlane {
  table: RoutingTable = new Map();
  private readonly lanes = new Map<string, Lane>();

  constructor(private readonly options: LaneOptions) {}

  /** Takes over a newly published table. Lanes of versions that it no longer lists are closed. */
  apply(table: RoutingTable): void {
    this.table = table;
    const listed = new Set<string>();
    for (const model of table.values()) {
      for (const route of model.versions.values()) {
        const key = laneKey(route);
        listed.add(key);
        const lane = this.lanes.get(key);
        if (lane) lane.update(route);
        else this.lanes.set(key, new Lane(route, this.options));
      }
    }
    for (const [key, lane] of this.lanes) {
      if (listed.has(key)) continue;
      this.lanes.delete(key);
      lane.close();
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
    if (route && (route.state === 'ready' || route.state === 'starting' || route.state === 'cold')) return route;
    throw new AppError(
      'unavailable',
      notReady({ model: name, version: wanted }),
      route?.reason || `Load it first: aimass load ${name}${version === undefined ? '' : `:${version}`}`,
    );
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
    return this.lanes.get(laneKey(route))?.hold() ?? (() => {});
  }

  async infer<T>(
    route: VersionRoute,
    call: InferenceCall,
    encode: (outputs: TensorData[], times: StageTimes) => T,
  ): Promise<T> {
    const lane = this.lanes.get(laneKey(route));
    if (!lane) throw new AppError('unavailable', notReady(route));
    return lane.submit(call, encode);
  }

  statistics(name?: string, version?: number): VersionStatistics[] {
    if (name !== undefined) {
      const model = this.getModel(name);
      if (version !== undefined && !model.existing.includes(version)) throw unknownVersion(name, version);
    }
    return [...this.lanes.values()]
      .map((lane) => lane.statistics())
      .filter((stats) => name === undefined || stats.model === name)
      .filter((stats) => version === undefined || stats.version === version);
  }

  /** What each loaded version was used for until now; by "model:version". */
  activity(): Map<string, Activity> {
    return new Map([...this.lanes].map(([key, lane]) => [key, lane.activity()]));
  }

  /** Resolves when nothing is being computed by an instance that was taken off the table. */
  async released(name: string, version: number, address: string): Promise<void> {
    await this.lanes.get(laneKey({ model: name, version }))?.released(address);
  }

  /** Resolves when nothing of this version waits or is being computed in this data plane. */
  async drained(name: string, version: number): Promise<void> {
    await this.lanes.get(laneKey({ model: name, version }))?.drained();
  }

  close(): void {
    this.apply(new Map());
  }
}

function laneKey(route: { model: string; version: number }): string {
  return `${route.model}:${route.version}`;
}

function unknownVersion(name: string, version: number): AppError {
  return new AppError('not_found', `Request for unknown model: '${name}' version ${version} is not found`);
}
