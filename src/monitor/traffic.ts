// How much is asked of the models and how fast they answer, over the last quarter of an hour: reads the data plane's
// counters at a steady pace, is told how long whole requests took, and keeps the differences, in memory alone. Knows nothing
// of who looks at them.
import { latencyBucketsSeconds, type VersionStatistics } from '../inference/plane.ts';

export interface TrafficPoint {
  /** End of the interval. */
  atMs: number;
  /** Answered and failed requests per second. */
  perSecond: number;
  failuresPerSecond: number;
  /** Of answered requests, in the model's queue and process alone; absent without any. */
  p50Ms?: number;
  p95Ms?: number;
  /** Of whole requests, as callers see them: reading, decoding and answering are in it. Not of one version alone. */
  wholeP50Ms?: number;
  wholeP95Ms?: number;
  /** Requests that wait or are being computed at its end. */
  pending: number;
}

export interface Traffic {
  /** One point for every 5 s, oldest first: of one version, of a model's versions, or of all. */
  history(model?: string, version?: number): TrafficPoint[];
  /** The last point of the history. */
  latest(model?: string, version?: number): TrafficPoint | undefined;
  /** Of the last 5 to 10 s. */
  now(model?: string, version?: number): TrafficPoint;
  /** To be told of each request that a model answered, from when its head had come until it was answered. */
  observe(model: string, ms: number): void;
  /** Of whole requests since the model was loaded: counts in the latency histogram's buckets. */
  wholeCounts(model: string): readonly number[];
  close(): void;
}

interface Options {
  now?: () => number;
  paceMs?: number;
  /** How many points are kept. */
  keep?: number;
}

/** What one version did in an interval. */
interface Use {
  model: string;
  version: number;
  answered: number;
  failed: number;
  pending: number;
  /** Of the latency histogram's buckets. */
  counts: number[];
}

interface Interval {
  fromMs: number;
  atMs: number;
  /** Versions that did nothing are left out. */
  uses: Use[];
  whole: Whole;
}

type Counters = ReadonlyMap<string, Use>;
/** Whole requests by model, in the latency histogram's buckets. */
type Whole = ReadonlyMap<string, readonly number[]>;

const boundsMs = latencyBucketsSeconds.map((seconds) => seconds * 1000);
const noCounts: readonly number[] = Array.from({ length: boundsMs.length + 1 }, () => 0);

export function createTraffic(
  read: () => VersionStatistics[],
  { now = Date.now, paceMs = 5000, keep = 180 }: Options = {},
): Traffic {
  let intervals: Interval[] = [];
  // The counters at the ends of the last two intervals.
  let marks = [{ atMs: now(), counters: countersOf(read()), whole: new Map() as Whole }];
  const whole = new Map<string, number[]>();

  function sample(): void {
    const atMs = now();
    const counters = countersOf(read());
    const loaded = new Set([...counters.values()].map(({ model }) => model));
    for (const model of whole.keys()) if (!loaded.has(model)) whole.delete(model);
    const interval = since(marks.at(-1)!, atMs, counters);
    intervals = [...intervals, interval].slice(-keep);
    marks = [marks.at(-1)!, { atMs, counters, whole: copyOf(whole) }];
  }

  function since(mark: (typeof marks)[number], atMs: number, counters: Counters): Interval {
    const uses = difference(mark.counters, counters);
    return { fromMs: mark.atMs, atMs, uses, whole: wholeDifference(mark.whole, whole) };
  }

  const timer = setInterval(sample, paceMs);
  timer.unref();
  return {
    history: (model, version) => intervals.map((interval) => pointOf(interval, model, version)),
    latest(model, version) {
      const last = intervals.at(-1);
      return last && pointOf(last, model, version);
    },
    now(model, version) {
      return pointOf(since(marks[0]!, now(), countersOf(read())), model, version);
    },
    observe(model, ms) {
      let counts = whole.get(model);
      if (!counts) whole.set(model, (counts = [...noCounts]));
      let bucket = 0;
      while (bucket < boundsMs.length && ms > boundsMs[bucket]!) bucket++;
      counts[bucket]!++;
    },
    wholeCounts: (model) => whole.get(model) ?? noCounts,
    close: () => clearInterval(timer),
  };
}

function countersOf(statistics: readonly VersionStatistics[]): Counters {
  return new Map(
    statistics.map(({ model, version, success, fail, pending, histograms }) => [
      `${model}:${version}`,
      { model, version, answered: success.count, failed: fail.count, pending, counts: [...histograms.request.counts] },
    ]),
  );
}

function difference(before: Counters, after: Counters): Use[] {
  const uses = [...after].map(([key, use]) => {
    const then = before.get(key);
    // A version that was loaded anew counts from 0.
    if (!then || then.answered > use.answered || then.failed > use.failed) return use;
    return {
      ...use,
      answered: use.answered - then.answered,
      failed: use.failed - then.failed,
      counts: use.counts.map((count, i) => count - then.counts[i]!),
    };
  });
  return uses.filter(({ answered, failed, pending }) => answered + failed + pending > 0);
}

const copyOf = (whole: Whole): Whole => new Map([...whole].map(([model, counts]) => [model, [...counts]]));

function wholeDifference(before: Whole, after: Whole): Whole {
  const entries = [...after].map(([model, counts]): [string, readonly number[]] => {
    const then = before.get(model) ?? noCounts;
    // A model that was loaded anew counts from 0.
    const isAnew = counts.some((count, i) => count < then[i]!);
    return [model, counts.map((count, i) => (isAnew ? count : count - then[i]!))];
  });
  return new Map(entries.filter(([, counts]) => counts.some((count) => count > 0)));
}

function pointOf({ fromMs, atMs, uses, whole }: Interval, model?: string, version?: number): TrafficPoint {
  const wanted = uses.filter(
    (use) => (model === undefined || use.model === model) && (version === undefined || use.version === version),
  );
  const sum = (pick: (use: Use) => number) => wanted.reduce((total, use) => total + pick(use), 0);
  // Two looks in the same moment must not divide by nothing.
  const seconds = Math.max(1, atMs - fromMs) / 1000;
  const failed = sum((use) => use.failed);
  const counts = noCounts.map((_, i) => sum((use) => use.counts[i]!));
  const wholes = version === undefined ? [...whole].filter(([name]) => model === undefined || name === model) : [];
  const wholeCounts = noCounts.map((_, i) => wholes.reduce((total, [, each]) => total + each[i]!, 0));
  return {
    atMs,
    perSecond: (sum((use) => use.answered) + failed) / seconds,
    failuresPerSecond: failed / seconds,
    p50Ms: quantileMs(counts, 0.5),
    p95Ms: quantileMs(counts, 0.95),
    wholeP50Ms: quantileMs(wholeCounts, 0.5),
    wholeP95Ms: quantileMs(wholeCounts, 0.95),
    pending: sum((use) => use.pending),
  };
}

/**
 * As Prometheus' histogram_quantile: evenly spread within a bucket; the last bound for what is beyond it.
 * @param counts of each bucket, not cumulative, the last one without a bound
 */
export function quantileMs(counts: readonly number[], share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let left = share * total;
  for (const [i, upper] of latencyBucketsSeconds.entries()) {
    const count = counts[i]!;
    const lower = latencyBucketsSeconds[i - 1] ?? 0;
    if (count > 0 && left <= count) return (lower + (upper - lower) * (left / count)) * 1000;
    left -= count;
  }
  return latencyBucketsSeconds.at(-1)! * 1000;
}
