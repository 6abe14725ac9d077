// A small data plane in this process: the real check of a call, a real ONNX Runtime session, no queue and no batches.
import { dirname, join } from 'node:path';

import { AppError } from '../../../src/error.ts';
import { checkCall } from '../../../src/inference/check.ts';
import type { DataPlane, InferenceCall, StageTimes, VersionStatistics } from '../../../src/inference/plane.ts';
import type { ModelRoute, RoutingTable, VersionRoute, VersionState } from '../../../src/inference/routing.ts';
import { fromOrt, openSession, type OrtTensors, type Session, toOrt } from '../../../src/inference/session.ts';
import { countExecution, countFailure, countSuccess, emptyStatistics } from '../../../src/inference/statistics.ts';
import { defaultServing, type TensorData } from '../../../src/types.ts';

const nativeFolder = join(
  dirname(Bun.resolveSync('onnxruntime-node/package.json', import.meta.dir)),
  'bin/napi-v6/linux/x64',
);

interface Served {
  session: Session;
  route: VersionRoute;
  statistics: VersionStatistics;
  batchSizes: Map<number, VersionStatistics['batches'][number]>;
}

export interface ServeOptions {
  version?: number;
  maxBatchSize?: number;
  labels?: string[];
}

export class DirectPlane implements DataPlane {
  readonly table: RoutingTable = new Map();
  /** The call that was computed last. */
  lastCall: InferenceCall | undefined;
  private readonly served = new Map<VersionRoute, Served>();

  serve(model: string, path: string, options: ServeOptions = {}): VersionRoute {
    const session = openSession(path, { threads: 1, nativeFolder });
    const version = options.version ?? 1;
    const route: VersionRoute = {
      key: `${model}:${version}`,
      model,
      version,
      registered: model,
      signature: session.signature,
      serving: { ...defaultServing, maxBatchSize: options.maxBatchSize ?? 0 },
      labels: options.labels,
      state: 'ready',
      reason: '',
      instances: [{ id: `${model}-1`, socketPath: '', device: 'cpu', provider: 'cpu' }],
    };
    const entry: ModelRoute = this.table.get(model) ?? {
      name: model,
      current: null,
      existing: [],
      versions: new Map(),
    };
    entry.current = version;
    entry.existing.push(version);
    entry.versions.set(version, route);
    this.table.set(model, entry);
    this.served.set(route, { session, route, statistics: emptyStatistics(model, version), batchSizes: new Map() });
    return route;
  }

  setState(model: string, state: VersionState, reason: string): void {
    const entry = this.getModel(model);
    Object.assign(entry.versions.get(entry.current!)!, { state, reason });
  }

  dispose(): void {
    for (const { session } of this.served.values()) session.dispose();
  }

  getModel(name: string): ModelRoute {
    const model = this.table.get(name);
    if (model) return model;
    throw new AppError('not_found', `Request for unknown model: '${name}' is not found`);
  }

  getRoute(name: string, version?: number): VersionRoute {
    const model = this.getModel(name);
    if (version !== undefined && !model.existing.includes(version)) {
      throw new AppError('not_found', `Request for unknown model: '${name}' version ${version} is not found`);
    }
    const route = model.versions.get(version ?? model.current ?? 0);
    if (route?.state === 'ready' || route?.state === 'starting') return route;
    throw new AppError('unavailable', `Request for model '${name}' version ${version ?? 'any'} is not at ready state`);
  }

  isReleased(): boolean {
    return true;
  }

  choose(name: string, version?: number): VersionRoute {
    return this.getRoute(name, version);
  }

  hold(): () => void {
    return () => {};
  }

  isReady(name: string, version?: number): boolean {
    const model = this.getModel(name);
    return model.versions.get(version ?? model.current ?? 0)?.state === 'ready';
  }

  async infer<T>(
    route: VersionRoute,
    call: InferenceCall,
    encode: (outputs: TensorData[], times: StageTimes) => T,
  ): Promise<T> {
    const checked = checkCall(route, call);
    this.lastCall = call;
    const { session, statistics, batchSizes } = this.served.get(route)!;
    const startedNs = Bun.nanoseconds();
    const feeds: OrtTensors = {};
    // Copied: views of a request's body need not be aligned.
    for (const { name, datatype, shape, bytes } of checked.inputs) {
      feeds[name] = toOrt(datatype, shape, new Uint8Array(bytes));
    }
    const fetches = Object.fromEntries(checked.outputs.map(({ name }) => [name, null]));
    try {
      const results = session.run(feeds, fetches);
      const inferNs = Bun.nanoseconds() - startedNs;
      const times = { queueNs: 0, computeInputNs: 0, computeInferNs: inferNs, computeOutputNs: 0 };
      const outputs = checked.outputs.map(({ name }) => {
        const { datatype, shape, bytes } = fromOrt(results[name]!);
        return { name, datatype, shape: [...shape], bytes };
      });
      countExecution(statistics, checked.rows, batchSizes, times);
      const answer = encode(outputs, times);
      countSuccess(statistics, checked.rows, times, Bun.nanoseconds() - startedNs);
      return await Promise.resolve(answer);
    } catch (error) {
      countFailure(statistics, Bun.nanoseconds() - startedNs);
      throw error instanceof AppError ? error : new AppError('model_failed', (error as Error).message);
    }
  }

  statistics(name?: string, version?: number): VersionStatistics[] {
    if (name !== undefined) this.getModel(name);
    return [...this.served.values()]
      .map(({ statistics }) => statistics)
      .filter((stats) => name === undefined || stats.model === name)
      .filter((stats) => version === undefined || stats.version === version);
  }
}
