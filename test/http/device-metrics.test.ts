// The metrics of machines that are not at hand, as data, against promtool.
import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';

import { openDatabase } from '../../src/db/open.ts';
import { createDecisionLog, decisionKinds } from '../../src/device/decisions.ts';
import type { Device } from '../../src/device/device.ts';
import { Ledger } from '../../src/device/ledger.ts';
import { type MachineSample, renderDeviceMetrics } from '../../src/http/device-metrics.ts';
import { setLogLevel } from '../../src/log.ts';

const gib = 1024 ** 3;

const noDecisions = createDecisionLog(openDatabase(':memory:')).totals();
const status = {
  version: 1,
  pid: 1,
  state: 'ready' as const,
  reason: '',
  device: 'cpu',
  provider: 'cpu',
  heldBytes: 7,
  measured: true,
  threads: 1,
  restarts: 0,
  startedAt: '',
  rssBytes: 5,
};

function device(id: string, fields: Partial<Device> = {}): Device {
  const reading = { totalBytes: 10 * gib, usedBytes: gib, freeBytes: 9 * gib, throttle: [], processes: [] };
  return {
    id,
    kind: 'cuda',
    index: 0,
    name: 'GPU',
    state: 'ready',
    ...fields,
    reading: { ...reading, powerW: 100, ...fields.reading },
  };
}

function render(devices: Device[], fields: Partial<MachineSample> = {}): string[] {
  const text = renderDeviceMetrics({
    devices,
    accounts: [],
    instances: [],
    decisions: noDecisions,
    residentBytes: 1,
    startedSeconds: 2.5,
    version: '9.8.7',
    runtimeVersion: '1.2.3',
    ...fields,
  });
  return text.split('\n');
}

const named = (lines: string[], name: string) => lines.filter((line) => line.startsWith(`${name}{`));

test('the power of a GPU counts once, however many MIG instances it has', () => {
  const lines = render([device('MIG-1', { parentId: 'GPU-0' }), device('MIG-2', { parentId: 'GPU-0' })]);
  expect(named(lines, 'nv_gpu_power_usage')).toEqual(['nv_gpu_power_usage{gpu_uuid="GPU-0"} 100']);
  expect(named(lines, 'nv_gpu_memory_used_bytes')).toEqual([
    `nv_gpu_memory_used_bytes{gpu_uuid="MIG-1"} ${gib}`,
    `nv_gpu_memory_used_bytes{gpu_uuid="MIG-2"} ${gib}`,
  ]);
});

test('what a device does not tell is left out, with its heading', () => {
  const lines = render([device('GPU-0')]);
  expect(lines.join('\n')).not.toMatch(/nv_gpu_utilization|nv_gpu_power_limit|undefined|NaN/);
  const silent = { totalBytes: 0, usedBytes: 0, freeBytes: 0, throttle: [], processes: [] };
  const other = render([device('pci:1', { kind: 'webgpu', reading: silent })]);
  expect(other.join('\n')).not.toMatch(/nv_gpu|aimass_device/);
  expect(other).toContain('aimass_build_info{version="9.8.7",onnxruntime="1.2.3"} 1');
  expect(other).toContain('process_start_time_seconds 2.5');
});

test('the books of a device: what instances hold, what others use, what is kept free and what is left', () => {
  const ledger = new Ledger();
  const card = device('GPU-0');
  ledger.read(card, 2 * gib);
  ledger.reserve('7', 'GPU-0', 3 * gib);
  const held = { ...status, id: '7', model: 'm', device: 'GPU-0', provider: 'cuda', heldBytes: 3 * gib };
  const lines = render([card], { accounts: [ledger.account('GPU-0')], instances: [held] });
  for (const line of [
    `aimass_device_held_bytes{device="GPU-0"} ${3 * gib}`,
    `aimass_device_others_bytes{device="GPU-0"} ${gib}`,
    `aimass_device_reserved_bytes{device="GPU-0"} ${2 * gib}`,
    `aimass_device_available_bytes{device="GPU-0"} ${4 * gib}`,
    `aimass_instance_footprint_bytes{model="m",version="1",instance="7",device="GPU-0",provider="cuda"} ${3 * gib}`,
  ]) {
    expect(lines).toContain(line);
  }
});

test('decisions are counted by kind, from 0 on', () => {
  setLogLevel('error');
  const decisions = createDecisionLog(openDatabase(':memory:'));
  for (const kind of ['evicted', 'evicted', 'placed'] as const) decisions.add({ kind, reason: 'why' });
  const lines = named(render([], { decisions: decisions.totals() }), 'aimass_decisions_total');
  expect(lines).toHaveLength(decisionKinds.length);
  expect(lines).toContain('aimass_decisions_total{kind="evicted"} 2');
  expect(lines).toContain('aimass_decisions_total{kind="placed"} 1');
  expect(lines).toContain('aimass_decisions_total{kind="lost"} 0');
});

test.skipIf(!existsSync('/usr/bin/promtool'))('promtool reads it, whatever a model is called', () => {
  const instances = ['quote " backslash \\ line\nend', '漢'].map((model, id) => ({
    ...status,
    id: String(id),
    model,
    restarts: id,
  }));
  const text = render([device('GPU-0'), device('cpu', { kind: 'cpu' })], { instances }).join('\n');
  const { exitCode, stdout, stderr } = Bun.spawnSync(['promtool', 'check', 'metrics'], { stdin: Buffer.from(text) });
  expect({ exitCode, said: stdout.toString() + stderr.toString() }).toEqual({ exitCode: 0, said: '' });
});
