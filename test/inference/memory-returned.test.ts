// After an unload the memory is back, however often: the device's as its driver tells, the machine's, and our own.
import { beforeEach, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';

import type { Device } from '../../src/device/device.ts';
import { createProbe } from '../../src/device/probe.ts';
import { add, adder, decided, mib, openMachine } from '../support/machine.ts';
import { buildNvmlStub, driver, gib, gpu, hasCompiler } from '../support/nvml.ts';
import { openServing } from '../support/serving.ts';
import { hasSoftwareGpu, withVulkan } from '../support/software-gpu.ts';

/** What earlier tests of this process left running, such as a browser. */
let strangers: ReadonlySet<number> = new Set();
beforeEach(() => void (strangers = new Set(childPids())));

/** Resident memory by process. */
function children(): Map<number, number> {
  const own = childPids().filter((pid) => !strangers.has(pid));
  return new Map(own.map((pid) => [pid, residentBytes(pid)]));
}

function childPids(): number[] {
  return readdirSync('/proc/self/task').flatMap((id) =>
    readFileSync(`/proc/self/task/${id}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

function residentBytes(pid: number | 'self'): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

interface Rounds {
  count: number;
  devices(): Device[];
}

/** Loads, asks and unloads so many times, and expects everything to be back after each. @returns our own memory after each */
async function turnOver({ count, devices }: Rounds): Promise<{ own: number[]; reasons: string[] }> {
  await using serving = await openServing({ m: [adder(1)] }, { devices });
  const { supervisor } = serving;
  const own: number[] = [];
  for (let round = 0; round < count; round++) {
    await supervisor.load('m');
    expect(await add(serving, 'm', round)).toBe(round + 1);
    const [instance] = supervisor.instances();
    expect(supervisor.fleet.accounts().some(({ heldBytes }) => heldBytes > 0)).toBe(true);
    expect(residentBytes(instance!.pid!)).toBeGreaterThan(mib);
    await supervisor.unload('m');
    expect(() => process.kill(instance!.pid!, 0)).toThrow('ESRCH');
    expect(supervisor.instances()).toEqual([]);
    expect([...children()]).toEqual([]);
    for (const { heldBytes, availableBytes, capacityBytes } of supervisor.fleet.accounts()) {
      expect([heldBytes, availableBytes]).toEqual([0, capacityBytes]);
    }
    Bun.gc(true);
    own.push(residentBytes('self'));
  }
  return { own, reasons: decided(serving, 'provider') };
}

test('a hundred times on the processor', async () => {
  const { own } = await turnOver({ count: 100, devices: openMachine({ cpu: 1 }).devices });
  expect(median(own.slice(75)) - median(own.slice(0, 25))).toBeLessThan(32 * mib);
}, 90_000);

test.skipIf(!hasCompiler)(
  'as a driver tells it, process by process (needs cc)',
  async () => {
    const stub = await buildNvmlStub();
    const probe = createProbe({ nvmlPath: stub.path, ownPids: () => new Set(children().keys()) });
    try {
      const used: number[] = [];
      // What runs on the processor here is taken to be on the GPU: the driver tells of it as it would there.
      const devices = () => {
        const living = children();
        used.push(sum(living.values()));
        const lines = [...living].map(([pid, bytes]) => `process gpu=0 pid=${pid} used=${bytes} name=aimass`);
        stub.play(driver, gpu('GPU-0', { total: gib, reserved: 0, used: used.at(-1)! }), ...lines);
        return probe
          .devices()
          .filter(({ id }) => id === 'GPU-0')
          .map((device): Device => ({ ...device, kind: 'cpu' }));
      };
      await turnOver({ count: 10, devices });
      expect(Math.max(...used)).toBeGreaterThan(10 * mib);
      expect(devices()[0]!.reading).toMatchObject({ usedBytes: used[0], processes: [] });
    } finally {
      probe.close();
      stub.remove();
    }
  },
  60_000,
);

test.skipIf(!hasSoftwareGpu)(
  'on a software GPU (chromium, libvulkan1)',
  async () => {
    const reading = { totalBytes: 4 * gib, usedBytes: 0, freeBytes: 4 * gib, throttle: [], processes: [] };
    const adapter: Device = { id: 'webgpu:0', kind: 'webgpu', index: 0, name: 'adapter', state: 'ready', reading };
    const { reasons } = await withVulkan('software', () => turnOver({ count: 10, devices: () => [adapter] }));
    expect(reasons).toEqual(['m:1: webgpu on adapter computes it rightly']);
  },
  60_000,
);
