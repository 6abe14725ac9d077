// Findings of the doctor for machines in every state, as data; and the facts of this machine.
import { afterEach, expect, test } from 'bun:test';
import { chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readCpuDevice, readTopology } from '../../src/device/cpu.ts';
import type { Device } from '../../src/device/device.ts';
import { type DoctorParts, examine, type Finding, gatherFacts } from '../../src/device/doctor.ts';
import type { PackStatus } from '../../src/device/gpu-pack.ts';
import { type Machine, newMachine, twoSockets } from './machines.ts';

const gib = 1024 ** 3;
let machine: Machine | undefined;
afterEach(() => {
  machine?.remove();
  machine = undefined;
});

const card: Device = {
  id: 'GPU-0',
  kind: 'cuda',
  index: 0,
  name: 'NVIDIA H100',
  pciAddress: '0000:3b:00.0',
  driverVersion: '580.95.05',
  cudaVersion: '13.0',
  state: 'ready',
  reading: { totalBytes: 80 * gib, usedBytes: 0, freeBytes: 80 * gib, throttle: [], processes: [] },
};

const pack: PackStatus = {
  version: '1.29.0',
  folder: '/data/gpu-pack/1.29.0',
  files: [],
  intact: true,
  cudaMajor: '13',
  providers: [{ name: 'cuda', missing: [], loadable: true }],
};

/** A healthy machine with one GPU and the pack, changed by `parts`. */
function findings(parts: Partial<DoctorParts> = {}): Finding[] {
  machine ??= newMachine(twoSockets());
  const topology = readTopology(machine.root);
  return examine({
    nvidiaCards: [{ pciAddress: '0000:3b:00.0', driver: 'nvidia' }],
    kernelDriver: '580.95.05',
    closedDeviceFiles: [],
    sharedMemoryBytes: 64 * gib,
    sharedMemoryFreeBytes: 63 * gib,
    openFilesLimit: 65_536,
    now: new Date('2026-06-01'),
    dataFreeBytes: 900 * gib,
    devices: [readCpuDevice(topology, machine.root), card],
    topology,
    faults: [],
    pack,
    runtimeVersion: '1.29.0',
    ...parts,
  });
}

test('a healthy machine has nothing but good findings', () => {
  const all = findings();
  expect(all.filter(({ level }) => level !== 'ok')).toEqual([]);
  expect(all.filter(({ fix }) => fix !== undefined)).toEqual([]);
  expect(new Set(all.map(({ topic }) => topic))).toEqual(
    new Set(['driver', 'pack', 'shared memory', 'limits', 'clock', 'disk', 'cpu', 'memory']),
  );
});

const cpuOnly = { nvidiaCards: [], kernelDriver: undefined, devices: [], pack: undefined };
const refused = (kind: 'mismatch' | 'permission' | 'no_library' | 'no_driver' | 'failed') => ({
  devices: [],
  pack: undefined,
  nvmlProblem: { kind, message: `the reason (${kind})` },
});

const missing = (name: string, onDemand: boolean) => ({ name, neededBy: 'x.so', onDemand, package: `pkg-${name}` });

const cases: [string, Partial<DoctorParts>, Finding['level'], string, RegExp][] = [
  ['mismatch', refused('mismatch'), 'error', 'driver', /different versions.*Restart/],
  ['no permission', refused('permission'), 'error', 'driver', /DeviceAllow/],
  ['no library', refused('no_library'), 'error', 'driver', /libnvidia-ml1 of version 580/],
  ['driver gone bad', refused('failed'), 'error', 'driver', /NVRM/],
  [
    'no kernel driver',
    { ...refused('no_driver'), kernelDriver: undefined },
    'error',
    'driver',
    /1 NVIDIA card present.*Install/,
  ],
  [
    'nouveau',
    {
      ...refused('no_driver'),
      kernelDriver: undefined,
      nvidiaCards: [{ pciAddress: '0000:af:00.0', driver: 'nouveau' }],
    },
    'error',
    'driver',
    /nouveau holds 0000:af:00\.0/,
  ],
  ['lost GPU', { devices: [{ ...card, state: 'lost', reason: 'fell off' }] }, 'error', 'gpu', /H100 .*fell off.*power/],
  ['unreadable GPU', { faults: ['GPU 3 cannot be read'] }, 'error', 'gpu', /GPU 3/],
  [
    'hot GPU',
    { devices: [{ ...card, reading: { ...card.reading, throttle: ['too hot'] } }] },
    'warning',
    'gpu',
    /too hot.*cooling/,
  ],
  [
    'ECC',
    { devices: [{ ...card, reading: { ...card.reading, eccErrors: 2 } }] },
    'warning',
    'gpu',
    /2 uncorrected.*replaced/,
  ],
  ['closed files', { closedDeviceFiles: ['/dev/nvidia0'] }, 'error', 'permissions', /\/dev\/nvidia0.*group/],
  ['no pack', { pack: undefined }, 'warning', 'pack', /not installed.*gpu-pack install.*1\.29\.0/],
  ['damaged pack', { pack: { ...pack, intact: false, providers: [] } }, 'error', 'pack', /damaged.*again/],
  [
    'CUDA missing',
    { pack: { ...pack, providers: [{ name: 'cuda', loadable: false, missing: [missing('libcudart.so.13', false)] }] } },
    'error',
    'pack',
    /libcudart\.so\.13.*cannot be used.*pkg-libcudart/,
  ],
  [
    'cuDNN missing',
    { pack: { ...pack, providers: [{ name: 'cuda', loadable: true, missing: [missing('libcudnn.so.9', true)] }] } },
    'warning',
    'pack',
    /models that need them.*pkg-libcudnn/,
  ],
  [
    'TensorRT missing',
    {
      pack: {
        ...pack,
        providers: [{ name: 'tensorrt', loadable: false, missing: [missing('libnvinfer.so.10', false)] }],
      },
    },
    'warning',
    'pack',
    /tensorrt cannot be used/,
  ],
  [
    'container',
    { sharedMemoryBytes: 64 * 1024 ** 2, sharedMemoryFreeBytes: 1 },
    'error',
    'shared memory',
    /64 MiB.*--shm-size/,
  ],
  ['full shm', { sharedMemoryFreeBytes: 1024 ** 2 }, 'warning', 'shared memory', /1 MiB free/],
  ['no shm', { sharedMemoryBytes: undefined }, 'error', 'shared memory', /tmpfs/],
  ['few files', { openFilesLimit: 1024 }, 'warning', 'limits', /1024.*LimitNOFILE/],
  ['clock', { now: new Date('1970-01-05') }, 'error', 'clock', /1970-01-05.*timedatectl/],
  ['disk', { dataFreeBytes: gib }, 'warning', 'disk', /1\.0 GiB free.*Remove/],
  ['full disk', { dataFreeBytes: 1024 }, 'error', 'disk', /0 MiB free/],
  ['no disk', { dataFreeBytes: undefined }, 'warning', 'disk', /cannot be looked at/],
];

for (const [name, parts, level, topic, words] of cases) {
  test(name, () => {
    const found = findings(parts);
    const bad = found.filter((finding) => finding.level !== 'ok');
    expect(bad.map((finding) => [finding.level, finding.topic])).toEqual([[level, topic]]);
    expect(`${bad[0]!.what} ${bad[0]!.fix}`).toMatch(words);
    expect(found[0]).toBe(bad[0]);
  });
}

test('a machine without a GPU is well', () => {
  const found = findings(cpuOnly);
  expect(found.filter(({ level }) => level !== 'ok')).toEqual([]);
  expect(found[0]!.what).toContain('no NVIDIA GPU');
});

test('little memory: whose limit it is decides the advice', () => {
  machine = newMachine(twoSockets());
  machine.write('proc/meminfo', 'MemTotal: 131072000 kB\nMemAvailable: 900000 kB');
  expect(findings()[0]).toMatchObject({
    level: 'warning',
    topic: 'memory',
    fix: 'Stop other programs, or add memory.',
  });
  machine.write('sys/fs/cgroup/system.slice/memory.max', String(gib));
  const [finding] = findings();
  expect(finding).toMatchObject({ level: 'warning', topic: 'memory' });
  expect(`${finding!.what} ${finding!.fix}`).toMatch(/1\.0 GiB memory free \(limited by a control group\).*MemoryMax/);
});

test.skipIf(process.arch !== 'x64')('an old processor', () => {
  machine = newMachine(twoSockets());
  machine.write('proc/cpuinfo', 'processor\t: 0\nmodel name\t: Xeon E5420\nflags\t\t: fpu sse4_1');
  expect(findings()[0]).toMatchObject({ level: 'warning', topic: 'cpu' });
});

test('facts of a made-up machine', async () => {
  machine = newMachine({
    'proc/self/limits':
      'Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 524288               files',
    'sys/module/nvidia/version': '580.95.05',
    'dev/nvidia0': '',
    'dev/nvidiactl': '',
    'dev/nvidia-uvm': '',
    'dev/nvidia-modeset': '',
    'dev/shm/x': '',
  });
  const facts = await gatherFacts(join(machine.root, 'absent'), machine.root);
  expect(facts).toMatchObject({
    openFilesLimit: 1024,
    kernelDriver: '580.95.05',
    nvidiaCards: [],
    closedDeviceFiles: [],
  });
  expect(facts.dataFreeBytes).toBeUndefined();
  expect(facts.sharedMemoryBytes).toBeGreaterThan(0);
});

test.skipIf(process.getuid?.() === 0)('device files that may not be opened are found (not as root)', async () => {
  machine = newMachine({ 'dev/nvidia0': '', 'dev/nvidia-modeset': '' });
  for (const name of ['nvidia0', 'nvidia-modeset']) chmodSync(join(machine.root, 'dev', name), 0o000);
  expect((await gatherFacts(tmpdir(), machine.root)).closedDeviceFiles).toEqual(['/dev/nvidia0']);
});

test('facts of this machine', async () => {
  const facts = await gatherFacts(tmpdir());
  expect(facts.openFilesLimit).toBeGreaterThan(0);
  expect(facts.dataFreeBytes).toBeGreaterThan(0);
});
