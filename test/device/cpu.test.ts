// The processor as a device: a two-socket machine, control groups of both versions, and this very machine against lscpu.
import { afterEach, expect, test } from 'bun:test';
import { availableParallelism, totalmem } from 'node:os';

import { readCgroup } from '../../src/device/cgroup.ts';
import { readCpuDevice, readCpuTimes, readTopology } from '../../src/device/cpu.ts';
import { parseCpuList } from '../../src/device/system-files.ts';
import { type Machine, newMachine, twoSockets } from './machines.ts';

const kib = 1024;
let machine: Machine | undefined;
afterEach(() => {
  machine?.remove();
  machine = undefined;
});

test('two sockets with two threads a core', () => {
  machine = newMachine(twoSockets());
  expect(readTopology(machine.root)).toEqual({
    name: 'Intel(R) Xeon(R) Platinum 8462Y+',
    sockets: 2,
    cores: 8,
    threads: 16,
    features: [
      'sse4_2',
      'fma',
      'avx',
      'f16c',
      'avx2',
      'avx512f',
      'avx512_vnni',
      'avx_vnni',
      'amx_bf16',
      'amx_tile',
      'amx_int8',
    ],
    nodes: [
      { id: 0, cpus: [0, 1, 2, 3, 8, 9, 10, 11], memoryBytes: 65_536_000 * kib },
      { id: 1, cpus: [4, 5, 6, 7, 12, 13, 14, 15], memoryBytes: 65_536_000 * kib },
    ],
    allowedCpus: Array.from({ length: 16 }, (_, index) => index),
    usableCpus: 16,
  });
});

test('affinity and CPUs that are offline', () => {
  machine = newMachine(twoSockets());
  machine.write('proc/self/status', 'Cpus_allowed_list:\t2-5,8-31');
  machine.write('sys/devices/system/cpu/online', '0-9');
  const topology = readTopology(machine.root);
  expect(topology).toMatchObject({ threads: 10, allowedCpus: [2, 3, 4, 5, 8, 9], usableCpus: 6 });
});

test('memory, and use of the processor since the last reading', () => {
  machine = newMachine(twoSockets());
  const topology = readTopology(machine.root);
  const before = readCpuTimes(machine.root);
  machine.write('proc/stat', 'cpu  300 0 200 1000 100 0 0 0 0 0');
  const device = readCpuDevice(topology, machine.root, before);
  expect(device).toMatchObject({ id: 'cpu', kind: 'cpu', state: 'ready', name: topology.name });
  expect(device.reading).toMatchObject({
    totalBytes: 131_072_000 * kib,
    freeBytes: 120_000_000 * kib,
    usedBytes: 11_072_000 * kib,
    utilisation: 0.5,
  });
  expect(readCpuDevice(topology, machine.root).reading.utilisation).toBeUndefined();
});

test('control groups, version 2: the tightest of the group and those above it', () => {
  machine = newMachine(twoSockets());
  const group = 'sys/fs/cgroup/system.slice/aimass.service';
  machine.write(`${group}/memory.max`, 'max');
  machine.write(`${group}/cpu.max`, '250000 100000');
  machine.write('sys/fs/cgroup/system.slice/memory.max', '8589934592');
  machine.write('sys/fs/cgroup/system.slice/memory.current', '5000000000');
  machine.write('sys/fs/cgroup/system.slice/memory.stat', 'anon 1\ninactive_file 1000000000\nactive_file 5');
  machine.write('sys/fs/cgroup/system.slice/cpu.max', 'max 100000');
  expect(readCgroup(machine.root)).toEqual({
    memoryLimitBytes: 8_589_934_592,
    memoryUsedBytes: 4_000_000_000,
    cpuLimit: 2.5,
  });
  const topology = readTopology(machine.root);
  expect(topology).toMatchObject({ cpuLimit: 2.5, usableCpus: 2, memoryLimitBytes: 8_589_934_592 });
  const { reading, reason } = readCpuDevice(topology, machine.root);
  expect(reading).toMatchObject({ totalBytes: 8_589_934_592, freeBytes: 4_589_934_592 });
  expect(reason).toContain('control group');
});

test('control groups, version 1, in a container that sees only its own part of the tree', () => {
  machine = newMachine({
    ...twoSockets(),
    'proc/self/cgroup': '5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc',
    'proc/self/mountinfo': [
      '40 30 0:31 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory',
      '41 30 0:32 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct',
    ].join('\n'),
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '4294967296',
    'sys/fs/cgroup/memory/memory.usage_in_bytes': '1000000',
    'sys/fs/cgroup/memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 400000',
    'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000',
    'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
  });
  const limits = readCgroup(machine.root);
  expect(limits).toMatchObject({ memoryLimitBytes: 4_294_967_296, cpuLimit: 0.5 });
  expect(readTopology(machine.root).usableCpus).toBe(1);
  machine.write('sys/fs/cgroup/memory/memory.limit_in_bytes', '9223372036854771712');
  machine.write('sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us', '-1');
  expect(readCgroup(machine.root)).toEqual({});
});

test('a machine that tells nothing is still one node', () => {
  machine = newMachine({ 'proc/cpuinfo': 'processor\t: 0\n\nprocessor\t: 1\n', 'proc/meminfo': 'MemTotal: 1024 kB' });
  expect(readTopology(machine.root)).toMatchObject({
    sockets: 1,
    threads: 2,
    nodes: [{ id: 0, cpus: [0, 1], memoryBytes: 1024 * kib }],
    usableCpus: 2,
  });
});

test('this machine agrees with the runtime', () => {
  const topology = readTopology();
  expect(topology.allowedCpus.length).toBeGreaterThanOrEqual(availableParallelism());
  expect(topology.nodes.flatMap(({ cpus }) => cpus).length).toBeGreaterThanOrEqual(topology.threads);
  const { reading } = readCpuDevice(topology);
  expect(reading.totalBytes).toBeLessThanOrEqual(totalmem());
  expect(reading.freeBytes).toBeGreaterThan(0);
  expect(reading.usedBytes + reading.freeBytes).toBe(reading.totalBytes);
});

test.skipIf(Bun.which('lscpu') === null)('this machine agrees with lscpu', async () => {
  const rows = JSON.parse(
    await Bun.$`lscpu --json --online --extended=CPU,CORE,SOCKET`.env({ ...process.env, LC_ALL: 'C' }).text(),
  ) as {
    cpus: { cpu: number; core: number; socket: number }[];
  };
  const { threads, cores, sockets } = readTopology();
  expect({ threads, cores, sockets }).toEqual({
    threads: rows.cpus.length,
    cores: new Set(rows.cpus.map(({ core }) => core)).size,
    sockets: new Set(rows.cpus.map(({ socket }) => socket)).size,
  });
});

test('lists of CPUs', () => {
  expect(parseCpuList('0-3,8,10-11')).toEqual([0, 1, 2, 3, 8, 10, 11]);
  expect(parseCpuList('')).toEqual([]);
});
