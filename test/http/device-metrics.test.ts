// The metrics of machines that are not at hand, as data, against promtool.
import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';

import type { Device } from '../../src/device/device.ts';
import { type MachineSample, renderDeviceMetrics } from '../../src/http/device-metrics.ts';

const gib = 1024 ** 3;

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
    instances: [],
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

test.skipIf(!existsSync('/usr/bin/promtool'))('promtool reads it, whatever a model is called', () => {
  const status = { version: 1, pid: 1, state: 'ready' as const, reason: '', device: 'cpu', startedAt: '' };
  const instances = ['quote " backslash \\ line\nend', '漢'].map((model, id) => ({
    ...status,
    id: String(id),
    model,
    restarts: id,
    rssBytes: 5,
  }));
  const text = render([device('GPU-0'), device('cpu', { kind: 'cpu' })], { instances }).join('\n');
  const { exitCode, stdout, stderr } = Bun.spawnSync(['promtool', 'check', 'metrics'], { stdin: Buffer.from(text) });
  expect({ exitCode, said: stdout.toString() + stderr.toString() }).toEqual({ exitCode: 0, said: '' });
});
