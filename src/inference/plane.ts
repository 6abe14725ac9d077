// What a data plane offers to the protocols above it. The implementation is gateway.ts.
import type { TensorData } from '../types.ts';
import type { ModelRoute, RoutingTable, VersionRoute } from './routing.ts';

export interface InferenceCall {
  inputs: TensorData[];
  /** Names of the wanted outputs, in order; all of the signature if absent. */
  outputs?: string[];
  /** 0: the version's default. 1 is the highest. */
  priority?: number;
  /** Queue timeout; 0 or absent: the version's default. */
  timeoutUs?: number;
  /** Aborted: the client went away; the request is not computed if it still waits. */
  signal?: AbortSignal;
}

/** Nanoseconds that one request spent in each stage. */
export interface StageTimes {
  queueNs: number;
  computeInputNs: number;
  computeInferNs: number;
  computeOutputNs: number;
}

/** @param served the route whose version computed the outputs; absent: the one that was asked for */
export type Encode<T> = (outputs: TensorData[], times: StageTimes, served?: VersionRoute) => T;

export interface DurationStat {
  count: number;
  ns: number;
}

export interface VersionStatistics {
  model: string;
  version: number;
  /** Milliseconds since the epoch; 0: never. */
  lastInferenceMs: number;
  /** Rows of the batch dimension. */
  inferenceCount: number;
  executionCount: number;
  pending: number;
  /** Whole requests, answered and failed. */
  success: DurationStat;
  fail: DurationStat;
  queue: DurationStat;
  computeInput: DurationStat;
  computeInfer: DurationStat;
  computeOutput: DurationStat;
  batches: { batchSize: number; computeInput: DurationStat; computeInfer: DurationStat; computeOutput: DurationStat }[];
  /** Latency histograms in seconds, by stage: upper bounds shared by all, counts not cumulative, one more for +Inf. */
  histograms: Record<'request' | 'queue' | 'compute', { counts: number[]; sum: number }>;
}

export const latencyBucketsSeconds = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30,
] as const;

export interface DataPlane {
  readonly table: RoutingTable;
  /** @throws AppError not_found "Request for unknown model: 'm' is not found" */
  getModel(name: string): ModelRoute;
  /**
   * The version that a request for it reaches: the named one, or the current one.
   * @throws AppError not_found for an unknown model or version; unavailable "… is not at ready state" when not loaded
   */
  getRoute(name: string, version?: number): VersionRoute;
  /**
   * Whether what a request for it reaches was released, so that everybody who may call it may; what was not is for those
   * who may try. True for a name that nobody knows: there is nothing to try.
   */
  isReleased(name: string, version?: number): boolean;
  /**
   * As getRoute, for a request that is about to be computed: of an endpoint the version whose turn it is.
   * @param header of the request, by its name in lower case
   * @param key name of the API key that the request came with
   * @throws AppError throttled when the endpoint has had its share of requests
   */
  choose(
    name: string,
    version: number | undefined,
    header: (name: string) => string | null,
    key?: string,
  ): VersionRoute;
  /**
   * Keeps the version from being unloaded until the returned function is called: for callers that work a while
   * between getRoute and infer. Whoever calls the two without waiting in between does not need it.
   */
  hold(route: VersionRoute): () => void;
  /** True when a request for it would be computed, if need be after an instance was started. @throws AppError not_found */
  isReady(name: string, version?: number): boolean;
  /**
   * Checks the call against the signature, queues, batches and runs it.
   * @param encode called once, synchronously, with the outputs as views of shared memory that are reused as soon as it
   *   returns: it must copy what it keeps. `served` is given when another version than `route` computed them.
   * @throws AppError invalid, overloaded, timeout, unavailable, model_failed with PROTOCOL.md's texts
   */
  infer<T>(route: VersionRoute, call: InferenceCall, encode: Encode<T>): Promise<T>;
  /** All loaded versions, or those of one model or version. @throws AppError not_found */
  statistics(name?: string, version?: number): VersionStatistics[];
}

/** What the data plane's protocols may ask of the control side. */
export interface ModelControl {
  /** Loads the newest version (or the one named) and makes it current; resolves when it is ready. */
  load(name: string, version?: number): Promise<void>;
  /** Unloads one version, or all of the model; resolves when its processes have ended. */
  unload(name: string, version?: number): Promise<void>;
}
