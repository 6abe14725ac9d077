// A sample of the latencies of one side of a rollout, drawn alike from all that were recorded, so that the samples of two
// sides with unlike traffic come from the same stretch of time. Is handed its random numbers.

export interface LatencySample {
  record(ms: number): void;
  /** At most the limit, in no order; a view that the next call may change. */
  readonly values: ArrayLike<number>;
  /** For both sides whenever the split of traffic changes: older latencies are of another mix of moments. */
  restart(): void;
}

/**
 * Reservoir sampling (J. Vitter, 1985, algorithm R): each of n recorded values is kept with the probability limit / n.
 * @param random uniform in 0…1
 */
export function createLatencySample(limit: number, random: () => number): LatencySample {
  const kept: number[] = [];
  let recorded = 0;
  return {
    record(ms) {
      const place = recorded < limit ? recorded : Math.floor(random() * (recorded + 1));
      recorded++;
      if (place < limit) kept[place] = ms;
    },
    get values() {
      return kept;
    },
    restart() {
      kept.length = 0;
      recorded = 0;
    },
  };
}
