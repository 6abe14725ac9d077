// NVIDIA GPUs and MIG instances as devices, read through NVML in this process. A GPU that stops answering is reported as
// lost, never thrown. Knows nothing of other vendors, and remembers of earlier readings only who was at which index.
import type { Device, DeviceProcess, DeviceReading } from './device.ts';
import { loadNvml, type NvmlFunction, type NvmlLibrary } from './nvml-library.ts';
import * as c from './nvml-structs.ts';

export interface NvmlProblem {
  kind: 'no_library' | 'no_driver' | 'mismatch' | 'permission' | 'failed';
  /** One sentence for people. */
  message: string;
}

export interface XidEvent {
  deviceId: string;
  xid: number;
  message: string;
}

export interface NvmlReport {
  /** Where MIG is on, the instances stand here instead of the GPU. */
  devices: Device[];
  /** GPUs that the driver counts and that never told who they are. */
  faults: string[];
  /** Set when NVML as a whole no longer answers: close it and open it again. */
  problem?: NvmlProblem;
}

export interface Nvml {
  driverVersion?: string;
  /** Highest CUDA version that the driver supports. */
  cudaVersion?: string;
  read(ownPids: ReadonlySet<number>): NvmlReport;
  /** XID errors since the last call. Does not wait. */
  takeEvents(): XidEvent[];
  close(): void;
}

type Opening = { nvml: Nvml; problem?: undefined } | { nvml?: undefined; problem: NvmlProblem };

/** Blocks for some tens of milliseconds on a real driver. @param libraryPath found as the dynamic loader finds it */
export function openNvml(libraryPath = 'libnvidia-ml.so.1'): Opening {
  const library = loadNvml(libraryPath);
  if (typeof library === 'string') {
    const message = `NVIDIA's management library cannot be loaded: ${library}.`;
    return { problem: { kind: 'no_library', message } };
  }
  const status = library.call('nvmlInit_v2');
  if (status === c.nvmlStatus.success) return { nvml: new Connection(library) };
  library.close();
  return { problem: problemOf(status) };
}

function problemOf(status: number): NvmlProblem {
  const kinds: Record<number, NvmlProblem['kind'] | undefined> = {
    [c.nvmlStatus.driverNotLoaded]: 'no_driver',
    [c.nvmlStatus.versionMismatch]: 'mismatch',
    [c.nvmlStatus.noPermission]: 'permission',
    [c.nvmlStatus.operatingSystem]: 'permission',
    [c.nvmlStatus.libraryNotFound]: 'no_library',
  };
  return { kind: kinds[status] ?? 'failed', message: `NVIDIA's driver does not answer: ${c.describeStatus(status)}.` };
}

type Identity = Pick<
  Device,
  'id' | 'kind' | 'index' | 'name' | 'pciAddress' | 'computeCapability' | 'driverVersion' | 'cudaVersion'
>;

const mostDevices = 1024;
const mostEventsAtOnce = 100;
const nothing: DeviceReading = { totalBytes: 0, usedBytes: 0, freeBytes: 0, throttle: [], processes: [] };

class Connection implements Nvml {
  readonly driverVersion?: string;
  readonly cudaVersion?: string;
  readonly #library: NvmlLibrary;
  readonly #identities = new Map<number, Identity>();
  readonly #deviceIds = new Map<bigint, string>();
  readonly #events: bigint | undefined;

  constructor(library: NvmlLibrary) {
    this.#library = library;
    this.driverVersion = this.#text(c.driverVersionBytes, (bytes) =>
      library.call('nvmlSystemGetDriverVersion', bytes, bytes.length),
    );
    const cuda = this.#number('nvmlSystemGetCudaDriverVersion_v2');
    if (cuda) this.cudaVersion = `${Math.floor(cuda / 1000)}.${Math.floor((cuda % 1000) / 10)}`;
    this.#events = this.#long('nvmlEventSetCreate');
  }

  read(ownPids: ReadonlySet<number>): NvmlReport {
    const report: NvmlReport = { devices: [], faults: [] };
    const count = new Uint32Array(1);
    const status = this.#library.call('nvmlDeviceGetCount_v2', count);
    if (status !== c.nvmlStatus.success) return { ...report, problem: problemOf(status) };
    for (let index = 0; index < Math.min(count[0]!, mostDevices); index += 1) this.#readGpu(index, ownPids, report);
    return report;
  }

  #readGpu(index: number, ownPids: ReadonlySet<number>, report: NvmlReport): void {
    const slot = new BigUint64Array(1);
    const status = this.#library.call('nvmlDeviceGetHandleByIndex_v2', index, slot);
    const handle = status === c.nvmlStatus.success ? slot[0]! : undefined;
    const identity = this.#identities.get(index) ?? (handle === undefined ? undefined : this.#identify(index, handle));
    if (!identity) {
      report.faults.push(`GPU ${index} cannot be read: ${c.describeStatus(status)}.`);
      return;
    }
    if (handle === undefined) {
      report.devices.push({ ...identity, state: 'lost', reason: c.describeStatus(status), reading: nothing });
      return;
    }
    const gpu = this.#readDevice(identity, handle, ownPids);
    report.devices.push(
      ...(gpu.state === 'ready' && this.#hasMig(handle) ? this.#instances(gpu, handle, ownPids) : [gpu]),
    );
  }

  #identify(index: number, handle: bigint): Identity | undefined {
    const id = this.#textOf('nvmlDeviceGetUUID', handle);
    if (id === undefined) return undefined;
    const pci = Buffer.alloc(c.pciInfoBytes);
    const hasPci = this.#library.call('nvmlDeviceGetPciInfo_v3', handle, pci) === c.nvmlStatus.success;
    const [major, minor] = [new Int32Array(1), new Int32Array(1)];
    const capable = this.#library.call('nvmlDeviceGetCudaComputeCapability', handle, major, minor);
    const identity: Identity = {
      id,
      kind: 'cuda',
      index,
      name: this.#textOf('nvmlDeviceGetName', handle) ?? 'NVIDIA GPU',
      pciAddress: hasPci ? c.readPciAddress(pci) : undefined,
      computeCapability: capable === c.nvmlStatus.success ? `${major[0]}.${minor[0]}` : undefined,
      driverVersion: this.driverVersion,
      cudaVersion: this.cudaVersion,
    };
    this.#identities.set(index, identity);
    this.#deviceIds.set(handle, id);
    if (this.#events !== undefined) this.#library.call('nvmlDeviceRegisterEvents', handle, c.eventXid, this.#events);
    return identity;
  }

  #readDevice(identity: Identity, handle: bigint, ownPids: ReadonlySet<number>): Device {
    const memory = this.#memory(handle);
    if (typeof memory === 'number') {
      const lost = c.lostStatuses.has(memory);
      const reason = lost ? c.describeStatus(memory) : `its memory is not told: ${c.describeStatus(memory)}`;
      return { ...identity, state: lost ? 'lost' : 'ready', reason, reading: nothing };
    }
    const power = this.#number('nvmlDeviceGetPowerUsage', handle);
    const powerLimit = this.#number('nvmlDeviceGetEnforcedPowerLimit', handle);
    const rates = new Uint32Array(2);
    const hasRates = this.#library.call('nvmlDeviceGetUtilizationRates', handle, rates) === c.nvmlStatus.success;
    const ecc = this.#long('nvmlDeviceGetTotalEccErrors', handle, c.eccUncorrected, c.eccVolatile);
    const reading: DeviceReading = {
      ...memory,
      utilisation: hasRates ? rates[0]! / 100 : undefined,
      temperatureC: this.#number('nvmlDeviceGetTemperature', handle, c.temperatureGpu),
      powerW: power === undefined ? undefined : power / 1000,
      powerLimitW: powerLimit === undefined ? undefined : powerLimit / 1000,
      smClockMhz: this.#number('nvmlDeviceGetClockInfo', handle, c.clockSm),
      memoryClockMhz: this.#number('nvmlDeviceGetClockInfo', handle, c.clockMemory),
      throttle: this.#throttle(handle),
      eccErrors: ecc === undefined ? undefined : Number(ecc),
      processes: this.#processes(handle, ownPids),
    };
    return { ...identity, state: 'ready', reading };
  }

  #hasMig(handle: bigint): boolean {
    const [current, pending] = [new Uint32Array(1), new Uint32Array(1)];
    return this.#library.call('nvmlDeviceGetMigMode', handle, current, pending) === 0 && current[0] === 1;
  }

  /** Temperature, power, clocks and errors are the whole GPU's; memory and processes the instance's own. */
  #instances(gpu: Device, handle: bigint, ownPids: ReadonlySet<number>): Device[] {
    const instances: Device[] = [];
    const most = Math.min(this.#number('nvmlDeviceGetMaxMigDeviceCount', handle) ?? 0, mostDevices);
    for (let slot = 0; slot < most; slot += 1) {
      const instance = this.#long('nvmlDeviceGetMigDeviceHandleByIndex', handle, slot);
      const id = instance === undefined ? undefined : this.#textOf('nvmlDeviceGetUUID', instance);
      if (instance === undefined || id === undefined) continue;
      const memory = this.#memory(instance);
      const totalBytes = this.#attributesMemory(instance);
      instances.push({
        ...gpu,
        id,
        parentId: gpu.id,
        name: this.#textOf('nvmlDeviceGetName', instance) ?? `${gpu.name} MIG ${slot}`,
        reason: typeof memory === 'number' ? `its memory use is not told: ${c.describeStatus(memory)}` : undefined,
        reading: {
          ...gpu.reading,
          ...(typeof memory === 'number' ? { totalBytes, usedBytes: totalBytes, freeBytes: 0 } : memory),
          utilisation: undefined,
          processes: this.#processes(instance, ownPids),
        },
      });
    }
    if (instances.length > 0) return instances;
    const reason = 'MIG is on, but no instance was made: nothing can run on it';
    return [{ ...gpu, reason, reading: { ...gpu.reading, freeBytes: 0, usedBytes: gpu.reading.totalBytes } }];
  }

  #attributesMemory(instance: bigint): number {
    const attributes = Buffer.alloc(c.attributesBytes);
    return this.#library.call('nvmlDeviceGetAttributes_v2', instance, attributes) === c.nvmlStatus.success
      ? c.readAttributesMemory(attributes)
      : 0;
  }

  /** @returns nvmlReturn_t where the memory cannot be read */
  #memory(handle: bigint): c.NvmlMemory | number {
    const second = c.newMemoryV2();
    const status = this.#library.call('nvmlDeviceGetMemoryInfo_v2', handle, second);
    if (status === c.nvmlStatus.success) return c.readMemoryV2(second);
    if (c.lostStatuses.has(status)) return status;
    const first = Buffer.alloc(c.memoryV1Bytes);
    const older = this.#library.call('nvmlDeviceGetMemoryInfo', handle, first);
    return older === c.nvmlStatus.success ? c.readMemoryV1(first) : older;
  }

  #throttle(handle: bigint): string[] {
    const mask =
      this.#long('nvmlDeviceGetCurrentClocksEventReasons', handle) ??
      this.#long('nvmlDeviceGetCurrentClocksThrottleReasons', handle);
    return c.describeThrottle(mask ?? 0n);
  }

  #processes(handle: bigint, ownPids: ReadonlySet<number>): DeviceProcess[] {
    const [name, stride] = this.#processFunction();
    // The list may grow between two calls.
    for (let capacity = 64; capacity <= 16_384; capacity *= 4) {
      const count = new Uint32Array([capacity]);
      const list = Buffer.alloc(capacity * c.largestProcessInfoBytes);
      const status = this.#library.call(name, handle, count, list);
      if (status === c.nvmlStatus.insufficientSize) continue;
      if (status !== c.nvmlStatus.success) return [];
      return c
        .readProcesses(list, Math.min(count[0]!, capacity), stride)
        .map(({ pid, usedBytes }) => ({ pid, usedBytes, name: this.#processName(pid), own: ownPids.has(pid) }));
    }
    return [];
  }

  #processFunction(): [NvmlFunction, number] {
    const { v1, v2, v3Of535 } = c.processInfoBytes;
    if (this.#library.has('nvmlDeviceGetComputeRunningProcesses_v3')) {
      const [major, minor] = (this.driverVersion ?? '').split('.').map(Number);
      return ['nvmlDeviceGetComputeRunningProcesses_v3', major === 535 && minor! < 98 ? v3Of535 : v2];
    }
    return this.#library.has('nvmlDeviceGetComputeRunningProcesses_v2')
      ? ['nvmlDeviceGetComputeRunningProcesses_v2', v2]
      : ['nvmlDeviceGetComputeRunningProcesses', v1];
  }

  #processName(pid: number): string {
    const name = this.#text(1024, (bytes) => this.#library.call('nvmlSystemGetProcessName', pid, bytes, bytes.length));
    return name || `process ${pid}`;
  }

  takeEvents(): XidEvent[] {
    const events: XidEvent[] = [];
    const data = Buffer.alloc(c.eventDataBytes);
    while (this.#events !== undefined && events.length < mostEventsAtOnce) {
      if (this.#library.call('nvmlEventSetWait_v2', this.#events, data, 0) !== c.nvmlStatus.success) break;
      const { device, type, data: xid } = c.readEvent(data);
      const deviceId = this.#deviceIds.get(device);
      if (type === c.eventXid && deviceId) events.push({ deviceId, xid, message: c.describeXid(xid) });
    }
    return events;
  }

  close(): void {
    if (this.#events !== undefined) this.#library.call('nvmlEventSetFree', this.#events);
    this.#library.call('nvmlShutdown');
    this.#library.close();
  }

  #text(length: number, fill: (bytes: Buffer) => number): string | undefined {
    const bytes = Buffer.alloc(length);
    return fill(bytes) === c.nvmlStatus.success ? c.readText(bytes) : undefined;
  }

  #textOf(name: NvmlFunction, handle: bigint): string | undefined {
    return this.#text(c.nameBytes, (bytes) => this.#library.call(name, handle, bytes, bytes.length));
  }

  /** The unsigned int that `name` writes as its last argument. */
  #number(name: NvmlFunction, ...values: (number | bigint)[]): number | undefined {
    const value = new Uint32Array(1);
    return this.#library.call(name, ...values, value) === c.nvmlStatus.success ? value[0] : undefined;
  }

  /** The unsigned long long, or the handle, that `name` writes as its last argument. */
  #long(name: NvmlFunction, ...values: (number | bigint)[]): bigint | undefined {
    const value = new BigUint64Array(1);
    return this.#library.call(name, ...values, value) === c.nvmlStatus.success ? value[0] : undefined;
  }
}
