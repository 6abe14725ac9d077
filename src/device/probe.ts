// All devices of this machine in one list, and what changed since the last look. A device that was seen stays in the list
// as lost when it no longer answers. Samples only when asked; the caller keeps the clock's pace.
import { type CpuTimes, type CpuTopology, readCpuDevice, readCpuTimes, readTopology } from './cpu.ts';
import type { Device } from './device.ts';
import { type Nvml, type NvmlProblem, openNvml, type XidEvent } from './nvml.ts';
import { findPciNode, readSysfsGpus } from './sysfs-gpu.ts';

export interface DeviceChange {
  device: Device;
  from: Device['state'] | 'unknown';
  to: Device['state'];
  reason?: string;
}

export interface ProbeOptions {
  /** NVIDIA's library; by default as the dynamic loader finds it. */
  nvmlPath?: string;
  /** Where /proc and /sys are. */
  root?: string;
  ownPids(): ReadonlySet<number>;
  /** Milliseconds; for the pace of attempts to open NVML again, and for the time in a reason. */
  now?(): number;
  onChange?(change: DeviceChange): void;
  /** A fault that the driver reported of a GPU. */
  onXid?(event: XidEvent): void;
}

export interface Probe {
  /** Reads every device. Blocks for about a millisecond per GPU. */
  devices(): Device[];
  readonly topology: CpuTopology;
  /** Why NVIDIA's GPUs cannot be seen, if there may be any. */
  readonly nvmlProblem?: NvmlProblem;
  /** GPUs that the driver counts but that could never be identified. */
  readonly faults: string[];
  close(): void;
}

/** Pause between attempts to open NVML, and between attempts to find a lost GPU again by opening it anew. */
const reopenAfterMs = 10_000;
const renewAfterMs = 60_000;

export function createProbe(options: ProbeOptions): Probe {
  return new MachineProbe(options);
}

class MachineProbe implements Probe {
  readonly topology: CpuTopology;
  nvmlProblem?: NvmlProblem;
  faults: string[] = [];
  readonly #options: ProbeOptions;
  readonly #root: string;
  readonly #known = new Map<string, Device>();
  #nvml: Nvml | undefined;
  #triedAt = -Infinity;
  #times: CpuTimes;
  #closed = false;

  constructor(options: ProbeOptions) {
    this.#options = options;
    this.#root = options.root ?? '/';
    this.topology = readTopology(this.#root);
    this.#times = readCpuTimes(this.#root);
  }

  devices(): Device[] {
    if (this.#closed) return [...this.#known.values()];
    const cpu = readCpuDevice(this.topology, this.#root, this.#times);
    this.#times = readCpuTimes(this.#root);
    const current = [cpu, ...this.#readNvidia(), ...readSysfsGpus(this.#root)];
    const seen = new Set(current.map(({ id }) => id));
    const missing = [...this.#known.values()]
      .filter(({ id }) => !seen.has(id))
      .map((device) => this.#asMissing(device));
    for (const device of [...current, ...missing]) this.#note(device);
    return [...this.#known.values()];
  }

  #readNvidia(): Device[] {
    const nvml = this.#openedNvml();
    if (!nvml) return [];
    const report = nvml.read(this.#options.ownPids());
    this.faults = report.faults;
    if (report.problem) {
      nvml.close();
      this.#nvml = undefined;
      this.nvmlProblem = report.problem;
      return [];
    }
    for (const event of nvml.takeEvents()) this.#options.onXid?.(event);
    if (report.devices.some(({ state }) => state === 'lost') && this.#now() - this.#triedAt >= renewAfterMs) {
      nvml.close();
      this.#nvml = undefined;
    }
    return report.devices.map((device) => ({
      ...device,
      numaNode: device.pciAddress ? findPciNode(this.#root, device.pciAddress) : undefined,
    }));
  }

  /** A driver may be loaded, or its libraries replaced, while this process runs. */
  #openedNvml(): Nvml | undefined {
    const now = this.#now();
    if (this.#nvml || now - this.#triedAt < reopenAfterMs) return this.#nvml;
    this.#triedAt = now;
    const { nvml, problem } = openNvml(this.#options.nvmlPath);
    this.#nvml = nvml;
    this.nvmlProblem = problem;
    return nvml;
  }

  #asMissing(device: Device): Device {
    if (device.state === 'lost') return device;
    const reason = this.nvmlProblem && device.kind === 'cuda' ? this.nvmlProblem.message : 'it is no longer there';
    return { ...device, state: 'lost', reason };
  }

  #note(device: Device): void {
    const before = this.#known.get(device.id);
    if (device.state === 'ready') {
      this.#known.set(device.id, device);
    } else if (before?.state === 'lost') {
      return;
    } else {
      const since = new Date(this.#now()).toISOString();
      const reason = `${device.reason ?? 'it no longer answers'} (lost at ${since})`;
      // The last size stays for people to read; there is nothing left to be had on it.
      const totalBytes = device.reading.totalBytes || (before?.reading.totalBytes ?? 0);
      const reading = { totalBytes, usedBytes: totalBytes, freeBytes: 0, throttle: [], processes: [] };
      this.#known.set(device.id, { ...before, ...device, reason, reading });
    }
    const noted = this.#known.get(device.id)!;
    if (before?.state === noted.state) return;
    this.#options.onChange?.({
      device: noted,
      from: before?.state ?? 'unknown',
      to: noted.state,
      reason: noted.reason,
    });
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }

  close(): void {
    this.#closed = true;
    this.#nvml?.close();
    this.#nvml = undefined;
  }
}
