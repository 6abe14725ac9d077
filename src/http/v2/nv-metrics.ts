// Statistics of the loaded versions in Prometheus' text format: the names people already graph, and our histograms.
import { latencyBucketsSeconds, type VersionStatistics } from '../../inference/plane.ts';

interface Family {
  name: string;
  type: 'counter' | 'gauge';
  help: string;
  value: (stats: VersionStatistics) => number;
}

const microseconds = (ns: number): number => Math.floor(ns / 1000);

const families: Family[] = [
  {
    name: 'nv_inference_request_success',
    type: 'counter',
    help: 'Number of successful inference requests, all batch sizes.',
    value: (stats) => stats.success.count,
  },
  {
    name: 'nv_inference_request_failure',
    type: 'counter',
    help: 'Number of failed inference requests, all batch sizes.',
    value: (stats) => stats.fail.count,
  },
  {
    name: 'nv_inference_count',
    type: 'counter',
    help: 'Number of inferences performed: rows of the batch dimension.',
    value: (stats) => stats.inferenceCount,
  },
  {
    name: 'nv_inference_exec_count',
    type: 'counter',
    help: 'Number of model executions performed: batches.',
    value: (stats) => stats.executionCount,
  },
  {
    name: 'nv_inference_pending_request_count',
    type: 'gauge',
    help: 'Number of requests that wait to be computed.',
    value: (stats) => stats.pending,
  },
  {
    name: 'nv_inference_request_duration_us',
    type: 'counter',
    help: 'Cumulative duration of successful requests in microseconds.',
    value: (stats) => microseconds(stats.success.ns),
  },
  {
    name: 'nv_inference_queue_duration_us',
    type: 'counter',
    help: 'Cumulative duration of waiting in the queue in microseconds.',
    value: (stats) => microseconds(stats.queue.ns),
  },
  {
    name: 'nv_inference_compute_input_duration_us',
    type: 'counter',
    help: 'Cumulative duration of preparing inputs in microseconds.',
    value: (stats) => microseconds(stats.computeInput.ns),
  },
  {
    name: 'nv_inference_compute_infer_duration_us',
    type: 'counter',
    help: 'Cumulative duration of running the model in microseconds.',
    value: (stats) => microseconds(stats.computeInfer.ns),
  },
  {
    name: 'nv_inference_compute_output_duration_us',
    type: 'counter',
    help: 'Cumulative duration of taking outputs in microseconds.',
    value: (stats) => microseconds(stats.computeOutput.ns),
  },
];

const histogram = 'aimass_request_duration_seconds';
const stages = ['request', 'queue', 'compute'] as const;

/** @returns families of metrics, each line ended; empty for no versions */
export function renderInferenceMetrics(statistics: readonly VersionStatistics[]): string {
  if (statistics.length === 0) return '';
  const lines: string[] = [];
  for (const { name, type, help, value } of families) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const stats of statistics) lines.push(`${name}{${labelsOf(stats)}} ${value(stats)}`);
  }
  lines.push(
    `# HELP ${histogram} Duration of successful requests by stage: the whole request, the queue, the model's computation.`,
    `# TYPE ${histogram} histogram`,
  );
  for (const stats of statistics) {
    for (const stage of stages) pushHistogram(lines, `${labelsOf(stats)},stage="${stage}"`, stats.histograms[stage]);
  }
  return `${lines.join('\n')}\n`;
}

function pushHistogram(lines: string[], labels: string, { counts, sum }: { counts: number[]; sum: number }): void {
  let total = 0;
  for (const [i, count] of counts.entries()) {
    total += count;
    const bound = latencyBucketsSeconds[i] ?? '+Inf';
    lines.push(`${histogram}_bucket{${labels},le="${bound}"} ${total}`);
  }
  lines.push(`${histogram}_sum{${labels}} ${sum}`, `${histogram}_count{${labels}} ${total}`);
}

function labelsOf({ model, version }: VersionStatistics): string {
  const escaped = model.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `model="${escaped}",version="${version}"`;
}
