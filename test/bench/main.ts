// `bun run bench [NAME…] [--json] [--quick]`: measures the built executable on this machine and prints ratios of things
// that ran in turns. It asserts nothing: the goals are printed beside the numbers.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

import { type Numbers, parts } from './parts.ts';

interface Row {
  label: string;
  unit: string;
  goal?: string;
}

const rows: Record<string, Row> = {
  json_c32_vs_plain: { label: 'JSON, 784 floats, 32 connections, against the plain peer', unit: '×', goal: '≥ 4' },
  json_c1_vs_plain: { label: 'JSON, 784 floats, 1 connection, against the plain peer', unit: '×', goal: '≥ 1' },
  json_c32_per_second: { label: '  ours, 32 connections', unit: '/s' },
  json_c1_per_second: { label: '  ours, 1 connection', unit: '/s' },
  plain_c32_per_second: { label: '  plain peer, 32 connections', unit: '/s' },
  plain_c1_per_second: { label: '  plain peer, 1 connection', unit: '/s' },
  overhead_c1_us: { label: 'Response minus bare run, 1 connection, median', unit: 'µs' },
  bare_cnn_us: { label: '  bare run of the small CNN, median', unit: 'µs' },
  compute_vs_bare: { label: 'SqueezeNet, binary, 4 connections, against bare runs', unit: '×', goal: '≥ 0.95' },
  compute_per_second: { label: '  ours', unit: '/s' },
  bare_compute_per_second: { label: '  bare', unit: '/s' },
  batching_gain: { label: 'Batching on against off, 32 connections', unit: '×' },
  batch_average: { label: '  average batch', unit: 'rows' },
  unbatched_c32_per_second: { label: '  batching off', unit: '/s' },
  startup_ms: { label: 'Start to ready, empty registry', unit: 'ms', goal: '< 300' },
  first_startup_ms: { label: '  the very first start', unit: 'ms' },
  idle_rss_mb: { label: 'Memory of the idle appliance', unit: 'MB' },
  loaded_rss_mb: { label: '  under load with one model', unit: 'MB' },
  runner_rss_mb: { label: 'Memory of a runner (small CNN)', unit: 'MB' },
  binary_mb: { label: 'Size of the executable', unit: 'MB', goal: '< 200' },
  switch_lost: { label: '1,000 version switches, 200 changes of shares: lost requests', unit: '', goal: '0' },
  switch_wrong_version: { label: '  answers of a version whose turn it was not', unit: '', goal: '0' },
  switch_requests: { label: '  requests', unit: '' },
  switch_median_ms: { label: '  a switch, median', unit: 'ms' },
  switch_p99_before_ms: { label: '  p99 before', unit: 'ms' },
  switch_p99_during_ms: { label: '  p99 during', unit: 'ms' },
  switch_p99_after_ms: { label: '  p99 after', unit: 'ms' },
  evict_hit_vs_belady: { label: "Eviction, simulated: hit rate against Belady's optimum", unit: '×', goal: '≥ 0.9' },
  evict_hit_vs_belady_worst: { label: '  the worst of the workloads', unit: '×' },
  evict_hit_vs_lru: { label: '  against plain LRU', unit: '×' },
  oversold: { label: '  times that a device was oversold', unit: '', goal: '0' },
  guard_false_alarm_rate: { label: 'Rollout guard, simulated: good versions taken back', unit: '', goal: '≤ 0.01' },
  guard_false_alarm_rate_unsuited_sample: { label: '  with the latest latencies in place of a sample', unit: '' },
  guard_caught_share: { label: '  bad versions caught, least of all faults', unit: '', goal: '1' },
  guard_requests_to_catch_crash: { label: '  requests until a crash at the 50th is caught', unit: '' },
  guard_requests_to_catch_crash_worst: { label: '    the most', unit: '' },
  guard_requests_to_catch_slow: { label: '  requests until one three times as slow is caught', unit: '' },
  guard_requests_to_catch_slow_worst: { label: '    the most', unit: '' },
  guard_requests_to_catch_nan: { label: '  requests until NaN in all answers is caught', unit: '' },
  guard_requests_to_catch_nan_worst: { label: '    the most', unit: '' },
  guard_requests_to_catch_nan_tenth: { label: '  requests until NaN in a tenth of the answers is caught', unit: '' },
  guard_requests_to_catch_nan_tenth_worst: { label: '    the most', unit: '' },
  guard_requests_to_catch_errors: { label: '  requests until 5 % errors are caught', unit: '' },
  guard_requests_to_catch_errors_worst: { label: '    the most', unit: '' },
};

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function printTable(numbers: Numbers): void {
  const labelWidth = Math.max(...Object.values(rows).map(({ label }) => label.length));
  for (const [key, { label, unit, goal }] of Object.entries(rows)) {
    const value = numbers[key];
    if (value === undefined) continue;
    const text = `${label.padEnd(labelWidth)}  ${digits(value).padStart(8)} ${unit.padEnd(5)}`;
    console.log(goal ? `${text} goal ${goal}` : text.trimEnd());
  }
}

const { values: flags, positionals } = parseArgs({
  options: { json: { type: 'boolean' }, quick: { type: 'boolean' } },
  allowPositionals: true,
});
/** Parts that do without the load generator. */
const withoutWrk = ['eviction', 'guard', 'switch'];
const unknown = positionals.find((name) => !(name in parts));
const needsWrk = positionals.some((name) => !withoutWrk.includes(name)) || positionals.length === 0;
if (unknown !== undefined || (needsWrk && Bun.which('wrk') === null)) {
  const reason = unknown === undefined ? 'needs wrk: apt-get install wrk' : `no part is called ${unknown}`;
  console.error(`bench: ${reason}; parts are ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}

const effort = flags.quick ? { warmUpRounds: 1, rounds: 1, seconds: 1 } : { warmUpRounds: 6, rounds: 5, seconds: 4 };
const numbers: Numbers = {};
for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) {
  console.error(`measuring ${name} …`);
  Object.assign(numbers, await parts[name]!(effort));
}
if (flags.json) {
  console.log(JSON.stringify(numbers, undefined, 2));
} else {
  console.log(`${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, medians of ${effort.rounds}`);
  printTable(numbers);
}
