// How a version is used, as a data plane tells the control side. A type only.

/** What the control side needs to know of a version's use to decide which instances it may end and how many it needs. */
export interface Activity {
  waiting: number;
  /** Callers that prepare a request. */
  holders: number;
  /** Requests since the start. */
  uses: number;
  /** Milliseconds since the epoch; 0: never. */
  lastUsedMs: number;
  /** Nanoseconds that instances computed, together. */
  busyNs: number;
  /** How long the request that waits longest has waited. */
  oldestWaitMs: number;
  /** Batches being computed, by address of the instance. */
  computing: Map<string, number>;
}
