import { expect, test } from 'bun:test';
// The Prometheus text against promtool, and the numbers against the statistics they come from.
import { existsSync } from 'node:fs';

import { renderInferenceMetrics } from '../../../src/http/v2/nv-metrics.ts';
import { latencyBucketsSeconds, type VersionStatistics } from '../../../src/inference/plane.ts';

const histogram = (at: number, count: number, sum: number) => ({
  counts: Array.from({ length: latencyBucketsSeconds.length + 1 }, (_, i) => (i === at ? count : 0)),
  sum,
});

function statistics(model: string): VersionStatistics {
  return {
    model,
    version: 3,
    lastInferenceMs: 1,
    inferenceCount: 40,
    executionCount: 10,
    pending: 2,
    success: { count: 20, ns: 5_000_999 },
    fail: { count: 1, ns: 7 },
    queue: { count: 20, ns: 1000 },
    computeInput: { count: 20, ns: 2000 },
    computeInfer: { count: 20, ns: 3000 },
    computeOutput: { count: 20, ns: 4000 },
    batches: [],
    histograms: {
      request: histogram(0, 20, 0.005),
      queue: histogram(2, 20, 0.001),
      compute: histogram(latencyBucketsSeconds.length, 20, 900),
    },
  };
}

test('has the names people graph, with model and version', () => {
  const lines = renderInferenceMetrics([statistics('m'), statistics('n')]).split('\n');
  const of = (model: string, name: string) =>
    lines.find((line) => line.startsWith(`${name}{model="${model}",version="3"} `));
  for (const model of ['m', 'n']) {
    for (const [name, value] of [
      ['nv_inference_request_success', 20],
      ['nv_inference_request_failure', 1],
      ['nv_inference_count', 40],
      ['nv_inference_exec_count', 10],
      ['nv_inference_pending_request_count', 2],
      ['nv_inference_request_duration_us', 5000],
      ['nv_inference_queue_duration_us', 1],
      ['nv_inference_compute_input_duration_us', 2],
      ['nv_inference_compute_infer_duration_us', 3],
      ['nv_inference_compute_output_duration_us', 4],
    ] as const) {
      expect(of(model, name)).toEndWith(` ${value}`);
    }
  }
});

test('histograms are cumulative and end in +Inf', () => {
  const text = renderInferenceMetrics([statistics('m')]);
  const bucket = (stage: string, bound: string) =>
    text.match(`_bucket\\{model="m",version="3",stage="${stage}",le="${bound.replace('+', '\\+')}"\\} (\\d+)`)?.[1];
  expect(bucket('request', '0.0005')).toBe('20');
  expect(bucket('request', '+Inf')).toBe('20');
  expect(bucket('queue', '0.001')).toBe('0');
  expect(bucket('queue', '0.002')).toBe('20');
  expect(bucket('compute', '30')).toBe('0');
  expect(bucket('compute', '+Inf')).toBe('20');
  expect(text).toContain('aimass_request_duration_seconds_sum{model="m",version="3",stage="compute"} 900\n');
});

test('nothing for no versions', () => {
  expect(renderInferenceMetrics([])).toBe('');
});

test.skipIf(!existsSync('/usr/bin/promtool'))(
  'promtool reads it, whatever a model is called (needs prometheus)',
  () => {
    const text = renderInferenceMetrics([statistics('quote " backslash \\ line\nend'), statistics('漢')]);
    const { exitCode, stdout, stderr } = Bun.spawnSync(['promtool', 'check', 'metrics'], { stdin: Buffer.from(text) });
    // 3: it parses, but promtool's taste in names differs from the ones that people graph.
    expect([0, 3]).toContain(exitCode);
    for (const line of (stdout.toString() + stderr.toString()).trim().split('\n').filter(Boolean)) {
      expect(line).toMatch(
        /^nv_\w+ (counter metrics should have "_total" suffix|use base unit|non-histogram and non-summary metrics should not have "_count" suffix|metric names should not contain abbreviated units)/,
      );
    }
    const broken = Bun.spawnSync(['promtool', 'check', 'metrics'], {
      stdin: Buffer.from(text.replace('="3"}', '="3')),
    });
    expect(broken.exitCode).toBe(1);
  },
);
