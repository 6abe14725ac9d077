// What the management API may ask of the appliance. app.ts implements it; nothing here knows of HTTP.
import type { CpuTopology } from '../../device/cpu.ts';
import type { Device } from '../../device/device.ts';
import type { Finding } from '../../device/doctor.ts';
import type { DataPlane, ModelControl } from '../../inference/plane.ts';
import type { InstanceStatus } from '../../inference/supervisor.ts';
import type { ImportRequest, Registry } from '../../registry/registry.ts';
import type { TaskName, VersionRecord } from '../../types.ts';

export interface TemplateInfo {
  name: string;
  title: string;
  description: string;
  /** SPDX expression. */
  licence: string;
  task: TaskName;
}

export interface ApplianceInfo {
  version: string;
  startedAt: string;
  /** Address that clients on the network use, "http://HOST:PORT". */
  listen: string;
  dataFolder: string;
}

export interface Machine {
  devices: Device[];
  /** How the processor is laid out, and what of it may be used. */
  host: CpuTopology;
  /** Why NVIDIA's GPUs, if there are any, cannot be seen. */
  problem?: string;
  /** GPUs that the driver counts and that cannot be read. */
  faults: string[];
}

export interface Control extends ModelControl {
  registry: Registry;
  plane: DataPlane;
  /**
   * Imports, then loads the newest of each model and makes it current unless `load` is false.
   * @param onProgress told in a few words what is being done
   */
  importModels(
    request: ImportRequest,
    options: { load: boolean },
    onProgress?: (step: string) => void,
  ): Promise<VersionRecord[]>;
  /** Removes one version. @throws AppError not_found; conflict while it is loaded */
  removeVersion(name: string, version: number): Promise<void>;
  /** Removes a model with all its versions. @throws AppError not_found; conflict while one is loaded */
  removeModel(name: string): Promise<void>;
  instances(): InstanceStatus[];
  machine(): Machine;
  /** Looks at what commonly goes wrong with a machine; errors come first. */
  examine(): Promise<Finding[]>;
  templates(): TemplateInfo[];
  /** Makes version 1 (or the next) of model `name` from a template and loads it. @throws AppError not_found */
  installTemplate(template: string, name: string): Promise<VersionRecord>;
  info(): ApplianceInfo;
}
