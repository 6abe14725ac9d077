// What the screens of the machine are given: plain data, made by http. Knows the rooms of the server by their types alone.
import type { CpuTopology } from '../src/device/cpu.ts';
import type { Decision, DecisionKind } from '../src/device/decisions.ts';
import type { Device } from '../src/device/device.ts';
import type { Finding } from '../src/device/doctor.ts';
import type { PlacementSettings } from '../src/device/placement-settings.ts';
import type { PlacementPreview } from '../src/device/placement-views.ts';
import type { InstanceStatus } from '../src/inference/instance-status.ts';
import type { TrafficPoint } from '../src/monitor/traffic.ts';
import type { EnvironmentName } from '../src/release/types.ts';
import type { FormState } from './view-types.ts';

export type { Decision, DecisionKind, Finding, PlacementSettings, TrafficPoint };

/** A device as people tell it from the others, e.g. "NVIDIA H100 #1". */
export interface NamedDevice {
  id: string;
  label: string;
}

/** Something that a person should look at. */
export type Attention =
  | { kind: 'failed' | 'refused' | 'fewer'; model: string; version: number; reason: string }
  | { kind: 'lost'; label: string; reason: string }
  | { kind: 'full'; label: string; share: number }
  | { kind: 'trouble'; level: 'warning' | 'error'; what: string; fix: string }
  | { kind: 'key'; name: string; expiresMs: number }
  | {
      /** off: taken off by the guard, or never answered. changes: who looks has to change something. */
      kind: 'release-off' | 'release-waiting' | 'release-changes' | 'release-rolling';
      id: number;
      endpoint: string;
      environment: EnvironmentName;
      /** E.g. "faces:4". */
      version: string;
      /** Who asked. */
      who: string;
      reason: string;
      /** Of the callers that get it, 0…1. */
      share: number;
    };

export interface MemoryUse {
  usedBytes: number;
  totalBytes: number;
}

export interface OverviewView {
  attention: Attention[];
  models: { answering: number; loaded: number; known: number };
  traffic: { now: TrafficPoint; history: TrafficPoint[] };
  /** Of all GPUs together; absent without one. */
  gpuMemory?: MemoryUse;
  hostMemory: MemoryUse;
  decisions: DecisionRow[];
}

export interface DecisionRow extends Omit<Decision, 'at' | 'deviceId'> {
  atMs: number;
  device?: string;
}

export interface DecisionsView {
  rows: DecisionRow[];
  /** Of a model and of a kind; empty: any. */
  filter: { model: string; kind: string };
  /** Where the next page begins; absent on the last page. */
  before?: number;
  isFirstPage: boolean;
}

/** What a version's instances hold on a device. */
export interface Share {
  model: string;
  version: number;
  instances: number;
  bytes: number;
  /** false: at least a part of it is estimated. */
  measured: boolean;
}

export interface DeviceMemory {
  capacityBytes: number;
  /** The largest first. */
  held: Share[];
  /** Programs that are not ours, the largest first. */
  programs: { pid: number; name: string; bytes: number }[];
  /** What nobody can be named for. */
  othersBytes: number;
  reserveBytes: number;
  /** For new instances. */
  freeBytes: number;
}

export interface DeviceView extends NamedDevice {
  device: Device;
  /** Absent until it was read for the first time. */
  memory?: DeviceMemory;
  /** Of the host's processor alone. */
  host?: CpuTopology & { dealtThreads: number };
}

export interface DevicesView {
  devices: DeviceView[];
  /** Why NVIDIA's GPUs, if there are any, cannot be seen. */
  problem?: string;
  /** GPUs that the driver counts and that cannot be read. */
  faults: string[];
  models: string[];
  preview: { model: string; device: string; outcome?: Outcome };
}

/** What a preview came to: its result, or why there is none. */
export type Outcome = PreviewView | { problem: string };

export interface PreviewView extends Omit<PlacementPreview, 'placements' | 'evictions'> {
  /** Instances that it has already. */
  instances: number;
  placements: (PlacementPreview['placements'][number] & { device: string })[];
  evictions: (PlacementPreview['evictions'][number] & { device: string })[];
}

export interface InstanceRow extends Omit<InstanceStatus, 'startedAt' | 'device'> {
  device: NamedDevice;
  startedMs: number;
}

export interface InstancesView {
  rows: InstanceRow[];
  /** Of the list: when it is another one, the live stream sends the whole list. */
  seen: string;
}

export interface InstanceView {
  row: InstanceRow;
  /** Oldest first. */
  log: readonly string[];
}

export interface PlacementView {
  model: string;
  settings: PlacementSettings;
  form: FormState;
  /** What the form was filled from, to notice that somebody else saved in between. */
  basis: string;
  /** Somebody did. */
  isStale?: boolean;
  devices: NamedDevice[];
  classes: string[];
  outcome?: Outcome;
  decisions: DecisionRow[];
}
