// The host's processor and memory as a device, and how its cores are laid out. Reads /proc and /sys only; what a control
// group or an affinity mask withholds is not counted as there.
import { readCgroup } from './cgroup.ts';
import type { Device } from './device.ts';
import { findNumber, findText, listNames, parseCpuList } from './system-files.ts';

export interface NumaNode {
  id: number;
  /** Numbers of its logical CPUs that are online. */
  cpus: number[];
  memoryBytes: number;
}

export interface CpuTopology {
  name: string;
  sockets: number;
  cores: number;
  /** Logical CPUs that are online. */
  threads: number;
  /** Vector and matrix extensions, as the kernel names them: "avx2", "avx512f", "amx_int8", … */
  features: string[];
  /** At least one: a machine that tells of none is one node. */
  nodes: NumaNode[];
  /** CPUs on which this process may run. */
  allowedCpus: number[];
  /** CPUs' worth of time that the control group grants, where it limits it. */
  cpuLimit?: number;
  /** CPUs that the appliance may keep busy: at least 1. */
  usableCpus: number;
  memoryLimitBytes?: number;
}

export interface CpuTimes {
  busy: number;
  total: number;
}

const featureNames = /^(?:avx|avx2|avx_vnni|avx512\w*|avx10\w*|amx_\w+|fma|f16c|sse4_2|asimd\w*|sve2?|i8mm|bf16)$/;

export function readTopology(root = '/'): CpuTopology {
  const cpuinfo = findText(root, 'proc/cpuinfo') ?? '';
  const memory = readMemoryInfo(root);
  const listed = [...cpuinfo.matchAll(/^processor\s*:\s*(\d+)$/gm)].map((match) => Number(match[1]));
  const onlineList = findText(root, 'sys/devices/system/cpu/online');
  const online = onlineList ? parseCpuList(onlineList) : listed;
  const allowedList = /^Cpus_allowed_list:\s*(\S+)$/m.exec(findText(root, 'proc/self/status') ?? '')?.[1];
  const allowed = allowedList ? parseCpuList(allowedList).filter((cpu) => online.includes(cpu)) : online;
  const { cpuLimit, memoryLimitBytes } = readCgroup(root);
  return {
    name: /^(?:model name|Model)\s*:\s*(.+)$/m.exec(cpuinfo)?.[1] ?? 'CPU',
    ...countCores(root, online),
    threads: online.length,
    features: (/^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? '')
      .split(' ')
      .filter((flag) => featureNames.test(flag)),
    nodes: readNodes(root, online, memory.totalBytes),
    allowedCpus: allowed,
    cpuLimit,
    usableCpus: Math.max(1, Math.floor(Math.min(allowed.length, cpuLimit ?? Infinity))),
    memoryLimitBytes,
  };
}

function countCores(root: string, online: number[]): { sockets: number; cores: number } {
  const packages = new Set<number>();
  const cores = new Set<string>();
  for (const cpu of online) {
    const folder = `sys/devices/system/cpu/cpu${cpu}/topology`;
    const socket = findNumber(root, `${folder}/physical_package_id`) ?? 0;
    packages.add(socket);
    cores.add(
      `${socket}:${findText(root, `${folder}/core_cpus_list`) ?? findText(root, `${folder}/thread_siblings_list`) ?? cpu}`,
    );
  }
  return { sockets: packages.size, cores: cores.size };
}

function readNodes(root: string, online: number[], totalBytes: number): NumaNode[] {
  const nodes = listNames(root, 'sys/devices/system/node')
    .filter((name) => /^node\d+$/.test(name))
    .map((name) => {
      const meminfo = findText(root, `sys/devices/system/node/${name}/meminfo`) ?? '';
      return {
        id: Number(name.slice('node'.length)),
        cpus: parseCpuList(findText(root, `sys/devices/system/node/${name}/cpulist`) ?? ''),
        memoryBytes: Number(/MemTotal:\s*(\d+) kB/.exec(meminfo)?.[1] ?? 0) * 1024,
      };
    });
  return nodes.length > 0 ? nodes : [{ id: 0, cpus: online, memoryBytes: totalBytes }];
}

function readMemoryInfo(root: string): { totalBytes: number; availableBytes: number } {
  const meminfo = findText(root, 'proc/meminfo') ?? '';
  const bytesOf = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  return { totalBytes: bytesOf('MemTotal'), availableBytes: bytesOf('MemAvailable') };
}

/** Ticks since the machine started, over all CPUs. */
export function readCpuTimes(root = '/'): CpuTimes {
  const line = /^cpu +(.+)$/m.exec(findText(root, 'proc/stat') ?? '')?.[1] ?? '';
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, steal = 0] = line
    .split(' ')
    .map(Number);
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + wait };
}

/** @param since an earlier reading: without one the device has no utilisation */
export function readCpuDevice(topology: CpuTopology, root = '/', since?: CpuTimes): Device {
  const memory = readMemoryInfo(root);
  const { memoryLimitBytes = Infinity, memoryUsedBytes = 0 } = readCgroup(root);
  const totalBytes = Math.min(memory.totalBytes, memoryLimitBytes);
  const freeBytes = Math.max(0, Math.min(memory.availableBytes, memoryLimitBytes - memoryUsedBytes));
  const now = readCpuTimes(root);
  const passed = since ? now.total - since.total : 0;
  return {
    id: 'cpu',
    kind: 'cpu',
    index: 0,
    name: topology.name,
    state: 'ready',
    reason: totalBytes < memory.totalBytes ? 'its memory is limited by a control group' : undefined,
    reading: {
      totalBytes,
      usedBytes: totalBytes - freeBytes,
      freeBytes,
      utilisation: since && passed > 0 ? Math.min(1, Math.max(0, now.busy - since.busy) / passed) : undefined,
      throttle: [],
      processes: [],
    },
  };
}
