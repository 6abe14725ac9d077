// What a placement plan is made from and what it consists of: the world as it is, what is wished, and the plan.
import type { DeviceKind } from './device.ts';

/** One way to run a version. */
export interface Target {
  kind: DeviceKind;
  provider: string;
  /** Largest batch. */
  batch: number;
}

export interface Footprint extends Target {
  version: string;
  bytes: number;
  /** false: estimated. */
  measured: boolean;
}

export interface PlacementDevice {
  id: string;
  kind: DeviceKind;
  index: number;
  name: string;
  /** What a wish may ask for instead of a device, e.g. the model of the GPU or a label that a person gave. */
  deviceClass: string;
  state: 'ready' | 'lost';
  stateReason?: string;
  capacityBytes: number;
  /** Held by whatever is not among the running instances. */
  usedByOthersBytes: number;
  /** Programs that hold it, as far as they are known. */
  others: { pid: number; name: string; usedBytes: number }[];
  /** Kept free by the administrator's setting. */
  reserveBytes: number;
}

/** An instance that holds memory: loading or ready. */
export interface RunningInstance extends Target {
  id: string;
  version: string;
  deviceId: string;
  bytes: number;
  /** Requests and loads in flight. */
  leases: number;
  lastUsedMs: number;
  /** Of `evictionLoss`. */
  loss: number;
  /** Bytes that must stay free beside it as long as it runs. */
  minFreeBytes: number;
  /** Counts only while its version has no wish; otherwise the wish decides. */
  pinned: boolean;
  /** As `pinned`. */
  priority: number;
}

export interface World {
  nowMs: number;
  devices: PlacementDevice[];
  running: RunningInstance[];
  footprints: Footprint[];
}

/** What is wanted of one version. Instances of versions without a wish stay until their room is needed. */
export interface Wish {
  version: string;
  minInstances: number;
  maxInstances: number;
  /** Best first. An earlier one is worth the eviction of idle instances that no wish needs. */
  targets: Target[];
  /** Only these devices. */
  deviceIds?: string[];
  deviceClass?: string;
  onePerDevice: boolean;
  /** spread: the device with the most free memory; pack: the one that it fills best. */
  strategy: 'spread' | 'pack';
  /** Higher goes first, and may take room from instances that lower ones need. */
  priority: number;
  /** Its instances are never evicted while they fit the wish. */
  pinned: boolean;
  /** Bytes that must stay free on its device. */
  minFreeBytes: number;
  /** An instance above `minInstances` that is idle for so long is evicted; absent: only when its room is needed. */
  keepAliveMs?: number;
}

export interface Placement extends Target {
  version: string;
  deviceId: string;
  bytes: number;
  measured: boolean;
  /** Instances that must have ended before this one is loaded. */
  after: string[];
  reason: string;
}

export interface Ending {
  instanceId: string;
  version: string;
  deviceId: string;
  reason: string;
}

export interface Refusal {
  version: string;
  /** Instances that find no room. */
  missing: number;
  reason: string;
  /** What a person can do about it. */
  hint: string;
}

export interface Plan {
  placements: Placement[];
  evictions: Ending[];
  /** Instances whose device is lost: their processes must be ended, in use or not. */
  lost: Ending[];
  refusals: Refusal[];
}
