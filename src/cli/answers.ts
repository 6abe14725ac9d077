// What the server's API answers, as far as the commands read it.
import type { CpuTopology } from '../device/cpu.ts';
import type { Device } from '../device/device.ts';
import type { Account } from '../device/ledger.ts';
import type { InstanceStatus } from '../inference/instance-status.ts';
import type { VersionState } from '../inference/routing.ts';
import type { TaskAnswer } from '../task/predict.ts';
import type { ModelRecord, VersionRecord } from '../types.ts';

type State = VersionState | 'unloaded';

export interface VersionAnswer extends VersionRecord {
  state: State;
  /** Why it is not ready. */
  reason?: string;
  tags?: string[];
  note?: string;
  archivedAt?: string | null;
}

export interface ModelSummary extends ModelRecord {
  state: State;
  task: string;
  licence?: string;
  /** Of all versions. */
  bytes: number;
}

export interface ModelAnswer extends Omit<ModelSummary, 'versions'> {
  /** Ascending. */
  versions: VersionAnswer[];
}

export interface VersionsAnswer {
  versions: VersionAnswer[];
}

export interface TemplateAnswer {
  name: string;
  title: string;
  description: string;
  licence: string;
  task: string;
}

export type InstanceAnswer = InstanceStatus;

export interface DeviceAnswer extends Device {
  instances: { id: string; model: string; version: number; usedBytes: number }[];
  memory?: Omit<Account, 'deviceId' | 'others'>;
}

export interface DevicesAnswer {
  devices: DeviceAnswer[];
  host: CpuTopology;
  problem?: string;
  faults: string[];
}

export type PredictAnswer = TaskAnswer & {
  model: string;
  version: number;
  timings: { queueMs: number; computeMs: number; totalMs: number };
};

/** JSON form of the Open Inference Protocol. */
export interface InferAnswer {
  model_name: string;
  model_version: string;
  outputs: { name: string; datatype: string; shape: number[]; data: unknown[] }[];
}
