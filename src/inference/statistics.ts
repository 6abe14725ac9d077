// Counters of one version in one data plane. Plain numbers, so that several data planes' can be added up.
import { type DurationStat, latencyBucketsSeconds, type StageTimes, type VersionStatistics } from './plane.ts';

type BatchStat = VersionStatistics['batches'][number];

export function emptyStatistics(model: string, version: number): VersionStatistics {
  const histogram = () => ({ counts: new Array<number>(latencyBucketsSeconds.length + 1).fill(0), sum: 0 });
  return {
    model,
    version,
    lastInferenceMs: 0,
    inferenceCount: 0,
    executionCount: 0,
    pending: 0,
    success: zero(),
    fail: zero(),
    queue: zero(),
    computeInput: zero(),
    computeInfer: zero(),
    computeOutput: zero(),
    batches: [],
    histograms: { request: histogram(), queue: histogram(), compute: histogram() },
  };
}

/** Adds up what belongs to the same name and version: one version may have several deployments. */
export function mergeStatistics(all: readonly VersionStatistics[]): VersionStatistics[] {
  const merged = new Map<string, VersionStatistics>();
  for (const each of all) {
    const key = `${each.model}:${each.version}`;
    const known = merged.get(key);
    merged.set(key, known ? sum(known, each) : each);
  }
  return [...merged.values()];
}

function sum(a: VersionStatistics, b: VersionStatistics): VersionStatistics {
  const batches = new Map(a.batches.map((batch) => [batch.batchSize, batch]));
  for (const batch of b.batches) {
    const known = batches.get(batch.batchSize);
    batches.set(
      batch.batchSize,
      known ? { batchSize: batch.batchSize, ...plusEach(computeStages, known, batch) } : batch,
    );
  }
  const histogram = (stage: keyof VersionStatistics['histograms']) => ({
    counts: a.histograms[stage].counts.map((count, i) => count + b.histograms[stage].counts[i]!),
    sum: a.histograms[stage].sum + b.histograms[stage].sum,
  });
  return {
    model: a.model,
    version: a.version,
    lastInferenceMs: Math.max(a.lastInferenceMs, b.lastInferenceMs),
    inferenceCount: a.inferenceCount + b.inferenceCount,
    executionCount: a.executionCount + b.executionCount,
    pending: a.pending + b.pending,
    ...plusEach(['success', 'fail', 'queue', ...computeStages], a, b),
    batches: [...batches.values()].sort((left, right) => left.batchSize - right.batchSize),
    histograms: { request: histogram('request'), queue: histogram('queue'), compute: histogram('compute') },
  };
}

const computeStages = ['computeInput', 'computeInfer', 'computeOutput'] as const;

function plusEach<K extends string>(stages: readonly K[], a: Record<K, DurationStat>, b: Record<K, DurationStat>) {
  const plus = (stage: K): DurationStat => ({ count: a[stage].count + b[stage].count, ns: a[stage].ns + b[stage].ns });
  return Object.fromEntries(stages.map((stage) => [stage, plus(stage)])) as Record<K, DurationStat>;
}

/** One run of the model. @param rows size of its batch dimension */
export function countExecution(
  stats: VersionStatistics,
  rows: number,
  batchSizes: Map<number, BatchStat>,
  times: Omit<StageTimes, 'queueNs'>,
): void {
  stats.lastInferenceMs = Date.now();
  stats.executionCount++;
  let batch = batchSizes.get(rows);
  if (!batch) {
    batch = { batchSize: rows, computeInput: zero(), computeInfer: zero(), computeOutput: zero() };
    batchSizes.set(rows, batch);
    stats.batches.push(batch);
    stats.batches.sort((a, b) => a.batchSize - b.batchSize);
  }
  add(batch.computeInput, times.computeInputNs);
  add(batch.computeInfer, times.computeInferNs);
  add(batch.computeOutput, times.computeOutputNs);
}

/** One answered request. */
export function countSuccess(stats: VersionStatistics, rows: number, times: StageTimes, totalNs: number): void {
  stats.inferenceCount += rows;
  add(stats.success, totalNs);
  add(stats.queue, times.queueNs);
  add(stats.computeInput, times.computeInputNs);
  add(stats.computeInfer, times.computeInferNs);
  add(stats.computeOutput, times.computeOutputNs);
  observe(stats.histograms.request, totalNs);
  observe(stats.histograms.queue, times.queueNs);
  observe(stats.histograms.compute, times.computeInferNs);
}

export function countFailure(stats: VersionStatistics, totalNs: number): void {
  add(stats.fail, totalNs);
}

function zero(): DurationStat {
  return { count: 0, ns: 0 };
}

function add(stat: DurationStat, ns: number): void {
  stat.count++;
  stat.ns += ns;
}

function observe(histogram: { counts: number[]; sum: number }, ns: number): void {
  const seconds = ns / 1e9;
  let bucket = 0;
  while (bucket < latencyBucketsSeconds.length && seconds > latencyBucketsSeconds[bucket]!) bucket++;
  histogram.counts[bucket]!++;
  histogram.sum += seconds;
}
