// NVML read through a library that we built from the header's own types: layouts, old drivers, MIG, loss, refusals.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { type Nvml, openNvml } from '../../src/device/nvml.ts';
import { buildNvmlStub, driver, gib, gpu, hasCompiler, type NvmlStub } from '../support/nvml.ts';

const none: ReadonlySet<number> = new Set();

function opened(stub: NvmlStub): Nvml {
  const { nvml, problem } = openNvml(stub.path);
  if (!nvml) throw new Error(problem.message);
  return nvml;
}

describe.skipIf(!hasCompiler)('NVML', () => {
  let stub: NvmlStub;
  beforeAll(async () => {
    stub = await buildNvmlStub();
  });
  afterAll(() => stub.remove());

  test('one small GPU, every value', () => {
    const fields = {
      total: 6 * gib,
      used: gib,
      util: 42,
      temp: 61,
      power: 88_500,
      limit: 120_000,
      sm: 1500,
      mem: 7001,
    };
    const more = {
      name: 'NVIDIA_GeForce_RTX_2060',
      domain: 1,
      bus: 0x3b,
      throttle: '0x24',
      ecc: 3,
      major: 7,
      minor: 5,
    };
    const process = `process gpu=0 pid=4711 used=${gib} name=/usr/bin/python3`;
    const hidden = 'process gpu=0 pid=4712';
    stub.play(driver, gpu('GPU-1', { ...fields, ...more }), process, hidden);
    const nvml = opened(stub);
    expect([nvml.driverVersion, nvml.cudaVersion]).toEqual(['580.95.05', '13.0']);
    const { devices, faults, problem } = nvml.read(new Set([4711]));
    expect([faults, problem]).toEqual([[], undefined]);
    expect(devices).toEqual([
      {
        id: 'GPU-1',
        kind: 'cuda',
        index: 0,
        name: 'NVIDIA GeForce RTX 2060',
        pciAddress: '0001:3b:00.0',
        computeCapability: '7.5',
        driverVersion: '580.95.05',
        cudaVersion: '13.0',
        state: 'ready',
        reading: {
          totalBytes: 6 * gib,
          usedBytes: 1.5 * gib,
          freeBytes: 4.5 * gib,
          utilisation: 0.42,
          temperatureC: 61,
          powerW: 88.5,
          powerLimitW: 120,
          smClockMhz: 1500,
          memoryClockMhz: 7001,
          throttle: ['power limit reached', 'too hot (slowed by the driver)'],
          eccErrors: 3,
          processes: [
            { pid: 4711, usedBytes: gib, name: '/usr/bin/python3', own: true },
            { pid: 4712, usedBytes: 0, name: 'process 4712', own: false },
          ],
        },
      },
    ]);
    nvml.close();
  });

  test('eight big GPUs, one full of foreign processes', () => {
    const processes = Array.from(
      { length: 100 },
      (_, index) => `process gpu=7 pid=${1000 + index} used=${700 * 1024 ** 2} name=train`,
    );
    const cards = Array.from({ length: 8 }, (_, index) => gpu(`GPU-${index}`, index === 7 ? { used: 79 * gib } : {}));
    stub.play(driver, ...cards, ...processes);
    const nvml = opened(stub);
    const { devices } = nvml.read(none);
    expect(devices.map(({ id, index }) => [id, index])).toEqual(cards.map((_, index) => [`GPU-${index}`, index]));
    expect(new Set(devices.map(({ pciAddress }) => pciAddress)).size).toBe(8);
    expect(devices.map(({ reading }) => reading.freeBytes / gib)).toEqual([
      79.5, 79.5, 79.5, 79.5, 79.5, 79.5, 79.5, 0.5,
    ]);
    // More than the first list has room for.
    expect(devices[7]!.reading.processes.map(({ pid }) => pid)).toEqual(processes.map((_, index) => 1000 + index));
    expect(
      devices[7]!.reading.processes.every(({ own, usedBytes }) => !own && usedBytes === 700 * 1024 ** 2),
    ).toBeTrue();
    expect(devices[0]!.reading.throttle).toEqual([]);
    nvml.close();
  });

  test('MIG instances stand in place of their GPU', () => {
    stub.play(
      driver,
      gpu('GPU-0', { mig: 1, temp: 55 }),
      gpu('GPU-1', { mig: 0 }),
      gpu('GPU-2', { mig: 1 }),
      `mig gpu=0 uuid=MIG-a name=NVIDIA_H100_MIG_3g.40gb total=${40 * gib} used=${4 * gib}`,
      `mig gpu=0 uuid=MIG-b name=NVIDIA_H100_MIG_1g.10gb total=${10 * gib} used=0`,
      `process mig=0 pid=77 used=${4 * gib} name=runner`,
    );
    const nvml = opened(stub);
    const [first, second, whole, empty, ...others] = nvml.read(new Set([77])).devices;
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      id: 'MIG-a',
      parentId: 'GPU-0',
      index: 0,
      name: 'NVIDIA H100 MIG 3g.40gb',
      state: 'ready',
    });
    expect(first!.reading).toMatchObject({ totalBytes: 40 * gib, freeBytes: 36 * gib, temperatureC: 55 });
    expect(first!.reading.utilisation).toBeUndefined();
    expect(first!.reading.processes).toEqual([{ pid: 77, usedBytes: 4 * gib, name: 'runner', own: true }]);
    expect(second).toMatchObject({ id: 'MIG-b', parentId: 'GPU-0', reading: { freeBytes: 10 * gib, processes: [] } });
    expect(whole).toMatchObject({ id: 'GPU-1', state: 'ready' });
    expect(whole!.parentId).toBeUndefined();
    // Nothing must be placed on a GPU that is to be split and is not yet.
    expect(empty).toMatchObject({ id: 'GPU-2', reading: { freeBytes: 0 } });
    expect(empty!.reason).toContain('MIG');
    nvml.close();
  });

  test('a GPU that falls off the bus is lost, keeps its name, and spoils no other', () => {
    stub.play(driver, gpu('GPU-0'), gpu('GPU-1'));
    const nvml = opened(stub);
    expect(nvml.read(none).devices.map(({ state }) => state)).toEqual(['ready', 'ready']);
    const ways: Record<string, number>[] = [
      { lost: 15 },
      { lost: 15, handle: 1 },
      { lost: 16, handle: 1 },
      { lost: 999, handle: 1 },
    ];
    for (const lost of ways) {
      stub.play(driver, gpu('GPU-0'), gpu('GPU-1', lost), 'xid gpu=1 code=79');
      const [well, gone] = nvml.read(none).devices;
      expect(well).toMatchObject({ id: 'GPU-0', state: 'ready' });
      expect(gone).toMatchObject({
        id: 'GPU-1',
        state: 'lost',
        name: 'NVIDIA H100 80GB HBM3',
        reading: { totalBytes: 0 },
      });
      expect(gone!.reason!.length).toBeGreaterThan(10);
    }
    expect(nvml.takeEvents()).toEqual([{ deviceId: 'GPU-1', xid: 79, message: 'the GPU has fallen off the bus' }]);
    expect(nvml.takeEvents()).toEqual([]);
    nvml.close();
  });

  test('a GPU that never told who it is becomes a fault', () => {
    stub.play(driver, gpu('GPU-0'), gpu('GPU-1', { lost: 15 }));
    const nvml = opened(stub);
    const { devices, faults } = nvml.read(none);
    expect(devices.map(({ id }) => id)).toEqual(['GPU-0']);
    expect(faults).toEqual(['GPU 1 cannot be read: the GPU has fallen off the bus.']);
    nvml.close();
  });

  test('a GPU that does not tell its memory offers none', () => {
    stub.play(driver, gpu('GPU-0', { nomem: 3 }));
    const nvml = opened(stub);
    const [device] = nvml.read(none).devices;
    expect(device).toMatchObject({ state: 'ready', reading: { totalBytes: 0, freeBytes: 0 } });
    expect(device!.reason).toContain('memory');
    nvml.close();
  });

  test('a driver that refuses says why', () => {
    const kinds = { 9: 'no_driver', 18: 'mismatch', 4: 'permission', 12: 'no_library', 999: 'failed' } as const;
    for (const [status, kind] of Object.entries(kinds)) {
      stub.play(`init status=${status}`);
      expect(openNvml(stub.path).problem).toMatchObject({ kind });
    }
    const missing = openNvml('/nonexistent/libnvidia-ml.so.1').problem;
    expect(missing?.kind).toBe('no_library');
    expect(missing?.message).toContain('No such file');
    stub.play(driver, gpu('GPU-0'));
    const nvml = opened(stub);
    stub.play('count status=1');
    expect(nvml.read(none)).toMatchObject({ devices: [], problem: { kind: 'failed' } });
    nvml.close();
  });
});

describe.skipIf(!hasCompiler)('older drivers', () => {
  for (const variant of ['old', '535'] as const) {
    test(variant, async () => {
      const stub = await buildNvmlStub(variant);
      const version = variant === 'old' ? '418.226.00' : '535.54.03';
      const processes = [11, 12, 13].map((pid) => `process gpu=0 pid=${pid} used=${pid * 1000} name=p${pid}`);
      stub.play(`driver version=${version} cuda=10010`, gpu('GPU-0', { used: gib, throttle: '0x8' }), ...processes);
      const nvml = opened(stub);
      expect(nvml.cudaVersion).toBe('10.1');
      const [device] = nvml.read(none).devices;
      expect(device!.reading).toMatchObject({
        usedBytes: 1.5 * gib,
        freeBytes: 78.5 * gib,
        throttle: ['hardware slowdown'],
      });
      expect(device!.reading.processes).toEqual(
        [11, 12, 13].map((pid) => ({ pid, usedBytes: pid * 1000, name: `p${pid}`, own: false })),
      );
      nvml.close();
      stub.remove();
    });
  }
});
