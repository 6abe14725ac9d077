// The machine as clients see it: a GPU that a stand-in for NVIDIA's library plays, with a real instance's process on it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';

import type { DeviceView } from '../../../src/http/api/devices.ts';
import type { InstanceStatus } from '../../../src/inference/instance-status.ts';
import { addScalar } from '../../support/graphs.ts';
import { buildNvmlStub, driver, gib, gpu, hasCompiler, type NvmlStub } from '../../support/nvml.ts';
import { startAppliance } from './appliance.ts';

interface Answer {
  devices: DeviceView[];
  host: { threads: number; usableCpus: number };
  problem?: string;
}

describe.skipIf(!hasCompiler)('devices (need cc)', () => {
  let stub: NvmlStub;
  let appliance: Awaited<ReturnType<typeof startAppliance>>;
  let pid: number;
  let id: string;

  beforeAll(async () => {
    stub = await buildNvmlStub();
    stub.play(driver, gpu('GPU-0'));
    appliance = await startAppliance({}, { nvmlPath: stub.path });
    const headers = { 'content-type': 'application/octet-stream' };
    const pushed = await appliance.ask('POST', '/api/v1/models/m/versions?filename=m.onnx', addScalar(1), headers);
    expect(pushed.status).toBe(201);
    const { body } = await appliance.ask<{ instances: InstanceStatus[] }>('GET', '/api/v1/instances');
    pid = body.instances[0]!.pid!;
    id = body.instances[0]!.id;
  });
  afterAll(async () => {
    await appliance[Symbol.asyncDispose]();
    stub.remove();
  });

  /** Asks until a reading is as wanted: readings are shared for a second. */
  async function untilDevice(id: string, isWanted: (device: DeviceView) => boolean): Promise<DeviceView> {
    for (;;) {
      const { body } = await appliance.ask<Answer>('GET', '/api/v1/devices');
      const found = body.devices.find((device) => device.id === id);
      if (found && isWanted(found)) return found;
      await Bun.sleep(50);
    }
  }

  const used = 3 * gib;
  const playing = () => [
    driver,
    gpu('GPU-0', { reserved: 0, used: 13 * gib, util: 37, power: 250_000 }),
    `process gpu=0 pid=${pid} used=${used} name=aimass`,
    `process gpu=0 pid=1 used=${10 * gib} name=python3`,
  ];

  test('readings, our instances and the processes of others, and the processor', async () => {
    stub.play(...playing());
    const card = await untilDevice('GPU-0', ({ reading }) => reading.processes.length === 2);
    expect(card).toMatchObject({ kind: 'cuda', state: 'ready', driverVersion: '580.95.05', cudaVersion: '13.0' });
    expect(card.reading).toMatchObject({ totalBytes: 80 * gib, utilisation: 0.37, powerW: 250, powerLimitW: 700 });
    expect(card.instances).toEqual([{ id, model: 'm', version: 1, usedBytes: used }]);
    expect(card.reading.processes.map(({ name, own }) => [name, own])).toEqual([
      ['aimass', true],
      ['python3', false],
    ]);
    const { body } = await appliance.ask<Answer>('GET', '/api/v1/devices');
    const cpu = body.devices.find((device) => device.id === 'cpu')!;
    expect(cpu.instances).toMatchObject([{ model: 'm', version: 1 }]);
    expect(cpu.instances[0]!.usedBytes).toBeGreaterThan(1024 ** 2);
    for (const { memory } of body.devices) {
      const { capacityBytes, usedByOthersBytes, heldBytes, reserveBytes, availableBytes } = memory!;
      expect(usedByOthersBytes + heldBytes + reserveBytes + availableBytes).toBe(capacityBytes);
    }
    expect(cpu.memory!.heldBytes).toBeGreaterThan(1024 ** 2);
    expect(body.host.usableCpus).toBeLessThanOrEqual(body.host.threads);
    expect(body.problem).toBeUndefined();
  });

  test('metrics tell the same', async () => {
    stub.play(...playing());
    await untilDevice('GPU-0', ({ reading }) => reading.utilisation === 0.37);
    const text = (await appliance.ask<string>('GET', '/metrics')).body;
    for (const line of [
      'nv_gpu_utilization{gpu_uuid="GPU-0"} 0.37',
      `nv_gpu_memory_total_bytes{gpu_uuid="GPU-0"} ${80 * gib}`,
      `nv_gpu_memory_used_bytes{gpu_uuid="GPU-0"} ${13 * gib}`,
      'nv_gpu_power_usage{gpu_uuid="GPU-0"} 250',
      'nv_gpu_power_limit{gpu_uuid="GPU-0"} 700',
      `aimass_instance_restarts_total{model="m",version="1",instance="${id}"} 0`,
      'aimass_decisions_total{kind="unloaded"} 0',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).toMatch(/^aimass_device_memory_free_bytes\{device="cpu",kind="cpu"\} [1-9]\d+$/m);
    const labels = `model="m",version="1",instance="${id}"`;
    expect(text).toMatch(new RegExp(`^aimass_instance_resident_bytes\\{${labels}\\} [1-9]\\d+$`, 'm'));
    expect(text).toMatch(
      new RegExp(`^aimass_instance_footprint_bytes\\{${labels},device="cpu",provider="cpu"\\} [1-9]\\d+$`, 'm'),
    );
    expect(text).toMatch(/^aimass_device_held_bytes\{device="cpu"\} [1-9]\d+$/m);
    expect(text).toMatch(/^nv_inference_count\{model="m",version="1"\} 0$/m);
    if (existsSync('/usr/bin/promtool')) {
      const { exitCode } = Bun.spawnSync(['promtool', 'check', 'metrics'], { stdin: Buffer.from(text) });
      // 3: it parses; promtool dislikes the names that people graph.
      expect([0, 3]).toContain(exitCode);
    }
  });

  test('a GPU that falls off the bus is shown as lost, and the doctor names it with a fix', async () => {
    stub.play(driver, gpu('GPU-0', { lost: 15 }));
    const card = await untilDevice('GPU-0', ({ state }) => state === 'lost');
    expect(card.reason).toContain('fallen off the bus');
    expect(card.instances).toEqual([]);
    const { body } = await appliance.ask<{ findings: { level: string; what: string; fix?: string }[] }>(
      'GET',
      '/api/v1/doctor',
    );
    expect(body.findings[0]).toMatchObject({ level: 'error', what: expect.stringContaining('fallen off the bus') });
    expect(body.findings[0]!.fix).toContain('power');
    expect((await appliance.ask<string>('GET', '/metrics')).body).not.toContain('nv_gpu_');
  });
});
