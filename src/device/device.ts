// What the appliance knows of one accelerator or of the host's processor, and the arithmetic of its memory.

export type DeviceKind = 'cuda' | 'rocm' | 'webgpu' | 'cpu';

/** A process that holds memory on a device; `own` when it is one of the appliance's. */
export interface DeviceProcess {
  pid: number;
  name: string;
  /** 0 where the driver does not tell. */
  usedBytes: number;
  own: boolean;
}

export interface DeviceReading {
  totalBytes: number;
  usedBytes: number;
  freeBytes: number;
  /** 0…1; absent where the device does not tell. */
  utilisation?: number;
  temperatureC?: number;
  powerW?: number;
  powerLimitW?: number;
  smClockMhz?: number;
  memoryClockMhz?: number;
  /** Reasons why the clocks are held down, in words; empty when they are not. */
  throttle: string[];
  /** Uncorrected ECC errors since the driver was loaded. */
  eccErrors?: number;
  processes: DeviceProcess[];
}

export interface Device {
  /** Stable over restarts: the UUID of a GPU, "cpu" for the host's processor, "webgpu:N" for an adapter. */
  id: string;
  kind: DeviceKind;
  /** Position among the devices of its kind, as its driver counts; that of its GPU for a MIG instance. */
  index: number;
  name: string;
  /** PCI address, where there is one. */
  pciAddress?: string;
  /** UUID of the GPU of which a MIG instance is a part. */
  parentId?: string;
  /** e.g. "9.0". */
  computeCapability?: string;
  driverVersion?: string;
  /** Highest CUDA version that the driver supports, e.g. "13.0". */
  cudaVersion?: string;
  /** NUMA node that it is attached to, where known. */
  numaNode?: number;
  /** lost: it was there and no longer answers. */
  state: 'ready' | 'lost';
  /** Why it is lost or restricted, in words. */
  reason?: string;
  reading: DeviceReading;
}
