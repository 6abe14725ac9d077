// The list of all devices over time: loss, return, a driver that comes late, restarts or is replaced. Time is a variable.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';

import type { XidEvent } from '../../src/device/nvml.ts';
import { createProbe, type DeviceChange, type Probe } from '../../src/device/probe.ts';
import { buildNvmlStub, driver, gib, gpu, hasCompiler, type NvmlStub } from '../support/nvml.ts';
import { type Machine, newMachine, twoSockets } from './machines.ts';

function memoryAfter(probe: Probe, readings: number): number {
  for (let round = 0; round < readings; round += 1) probe.devices();
  Bun.gc(true);
  return process.memoryUsage.rss();
}

describe.skipIf(!hasCompiler)('probe', () => {
  let stub: NvmlStub;
  let machine: Machine;
  let now: number;
  let probe: Probe;
  let changes: string[];
  let xids: XidEvent[];

  beforeAll(async () => {
    stub = await buildNvmlStub();
    machine = newMachine({ ...twoSockets(), 'sys/bus/pci/devices/0000:01:00.0/numa_node': '1' });
  });
  afterAll(() => {
    stub.remove();
    machine.remove();
  });
  beforeEach(() => {
    now = Date.UTC(2026, 5, 1);
    changes = [];
    xids = [];
    probe = createProbe({
      nvmlPath: stub.path,
      root: machine.root,
      ownPids: () => new Set([42]),
      now: () => now,
      onChange: ({ device, from, to }: DeviceChange) => changes.push(`${device.id} ${from} ${to}`),
      onXid: (event) => xids.push(event),
    });
  });
  afterEach(() => probe.close());

  const stateOf = (id: string) => probe.devices().find((device) => device.id === id);

  test('processor and GPU in one list, with the node that the GPU hangs on', () => {
    stub.play(driver, gpu('GPU-0'), `process gpu=0 pid=42 used=${gib} name=aimass`);
    const devices = probe.devices();
    expect(devices.map(({ id, numaNode }) => [id, numaNode])).toEqual([
      ['cpu', undefined],
      ['GPU-0', 1],
    ]);
    expect(devices[1]!.reading.processes).toEqual([{ pid: 42, usedBytes: gib, name: 'aimass', own: true }]);
    probe.devices();
    expect(changes).toEqual(['cpu unknown ready', 'GPU-0 unknown ready']);
    expect(probe.topology.sockets).toBe(2);
    expect(probe.nvmlProblem).toBeUndefined();
  });

  test('a GPU that falls off the bus stays as lost, with the time and the reason, until it answers again', () => {
    stub.play(driver, gpu('GPU-0'), gpu('GPU-1'));
    probe.devices();
    stub.play(driver, gpu('GPU-0'), gpu('GPU-1', { lost: 15 }), 'xid gpu=1 code=79');
    now += 1000;
    const lost = stateOf('GPU-1')!;
    expect(lost).toMatchObject({ state: 'lost', name: 'NVIDIA H100 80GB HBM3' });
    expect(lost.reason).toBe('the GPU has fallen off the bus (lost at 2026-06-01T00:00:01.000Z)');
    expect(lost.reading).toMatchObject({ totalBytes: 80 * gib, freeBytes: 0, processes: [] });
    expect(xids.map(({ deviceId, xid }) => [deviceId, xid])).toEqual([['GPU-1', 79]]);
    now += 5000;
    expect(stateOf('GPU-1')).toEqual(lost);
    expect(stateOf('GPU-0')!.state).toBe('ready');
    // After a while NVML is opened anew, and still answers for the GPU that is well.
    now += 60_000;
    probe.devices();
    expect(probe.devices().map(({ id, state }) => [id, state])).toEqual([
      ['cpu', 'ready'],
      ['GPU-0', 'ready'],
      ['GPU-1', 'lost'],
    ]);
    stub.play(driver, gpu('GPU-0'), gpu('GPU-1'));
    expect(stateOf('GPU-1')!.state).toBe('ready');
    expect(stateOf('GPU-1')!.reason).toBeUndefined();
    expect(changes.slice(3)).toEqual(['GPU-1 ready lost', 'GPU-1 lost ready']);
  });

  test('a GPU that the driver no longer counts is lost too', () => {
    stub.play(driver, gpu('GPU-0'), gpu('GPU-1'));
    probe.devices();
    stub.play(driver, gpu('GPU-0'));
    expect(stateOf('GPU-1')!.reason).toContain('no longer there');
  });

  test('a driver restart: lost while it is away, found again without a restart of ours', () => {
    stub.play(driver, gpu('GPU-0'));
    probe.devices();
    stub.play('count status=1', 'init status=9');
    now += 20_000;
    expect(stateOf('GPU-0')!.state).toBe('lost');
    expect(probe.nvmlProblem?.kind).toBe('failed');
    now += 20_000;
    probe.devices();
    expect(probe.nvmlProblem?.kind).toBe('no_driver');
    stub.play('driver version=590.10.01 cuda=13010', gpu('GPU-0'));
    now += 1000;
    expect(stateOf('GPU-0')!.state).toBe('lost');
    now += 10_000;
    expect(stateOf('GPU-0')).toMatchObject({ state: 'ready', driverVersion: '590.10.01', cudaVersion: '13.1' });
    expect(changes).toEqual(['cpu unknown ready', 'GPU-0 unknown ready', 'GPU-0 ready lost', 'GPU-0 lost ready']);
  });

  test('a mismatch of driver and library at the start is told, and the processor is there all the same', () => {
    stub.play('init status=18');
    expect(probe.devices().map(({ id }) => id)).toEqual(['cpu']);
    expect(probe.nvmlProblem).toMatchObject({ kind: 'mismatch' });
  });

  test('no library at all', () => {
    const bare = createProbe({ nvmlPath: '/nonexistent.so', root: machine.root, ownPids: () => new Set() });
    expect(bare.devices().map(({ id }) => id)).toEqual(['cpu']);
    expect(bare.nvmlProblem?.kind).toBe('no_library');
    bare.close();
  });

  test('opened and read five hundred times, memory stays', () => {
    stub.play(driver, ...Array.from({ length: 8 }, (_, index) => gpu(`GPU-${index}`)));
    const first = memoryAfter(probe, 250);
    expect(memoryAfter(probe, 250) - first).toBeLessThan(32 * 1024 ** 2);
  });
});
