// What the management API may ask of the appliance. app.ts implements it; nothing here knows of HTTP.
import type { Access } from '../../access/access.ts';
import type { SettingSource } from '../../config.ts';
import type { CpuTopology } from '../../device/cpu.ts';
import type { Decision, DecisionFilter } from '../../device/decisions.ts';
import type { Device } from '../../device/device.ts';
import type { Finding } from '../../device/doctor.ts';
import type { PlacementSettings } from '../../device/placement-settings.ts';
import type { PlacementOverview, PlacementPreview } from '../../device/placement-views.ts';
import type { InstanceStatus } from '../../inference/instance-status.ts';
import type { DataPlane, ModelControl } from '../../inference/plane.ts';
import type { Traffic } from '../../monitor/traffic.ts';
import type { Notifier } from '../../notify/notifier.ts';
import type { ImportRequest, Registry } from '../../registry/registry.ts';
import type { ReleaseControl } from '../../release/control.ts';
import type { Source } from '../../source/source.ts';
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

/** One setting of the server. */
export interface SettingView {
  name: string;
  /** As a person would write it; a secret is only said to be set. */
  value: string;
  source: SettingSource;
  /** In words. */
  default: string;
  help: string;
}

export interface PlacementControl {
  /** As they were set, or the defaults. @throws AppError not_found */
  settings(model: string): PlacementSettings;
  /**
   * Changes the settings and then the instances that no longer fit them.
   * @param patch as `parsePlacement` reads it
   * @throws AppError not_found, invalid
   */
  setSettings(model: string, patch: unknown): Promise<PlacementSettings>;
  /**
   * What would happen if the version were started now with these settings. Changes nothing.
   * @param version its current one, or the newest, if absent
   * @throws AppError not_found, invalid
   */
  preview(model: string, version?: number, patch?: unknown): Promise<PlacementPreview>;
  overview(): PlacementOverview;
  /** Newest first. */
  decisions(filter: DecisionFilter): Decision[];
}

export interface InstanceControl {
  instances(): InstanceStatus[];
  /** The last lines that its process and the one before it printed, oldest first. @throws AppError not_found */
  instanceLog(id: string): readonly string[];
  /**
   * Lets it finish what it computes, ends its process, and starts another in its stead, where there is room. Resolves when
   * that is started.
   * @param by name of who wants it
   * @throws AppError not_found; conflict while its version is unloaded; unavailable when there is no room any more
   */
  restartInstance(id: string, by: string): Promise<void>;
}

export interface Control extends ModelControl, InstanceControl {
  registry: Registry;
  /** Where models may be fetched from. */
  source: Source;
  access: Access;
  notifier: Notifier;
  plane: DataPlane;
  placement: PlacementControl;
  release: ReleaseControl;
  traffic: Traffic;
  /** Aborted when the server begins to stop: answers without an end must end then. */
  stopping: AbortSignal;
  /**
   * Imports, then loads the newest of each model and makes it current unless `load` is false.
   * @param onProgress told in a few words what is being done
   */
  importModels(
    request: ImportRequest,
    options: { load: boolean },
    onProgress?: (step: string) => void,
  ): Promise<VersionRecord[]>;
  /**
   * Makes the next version of a model of the files of one that it has; loads it and makes it current unless `load` is false.
   * @param change see Registry.deriveVersion
   * @throws AppError not_found, invalid
   */
  deriveVersion(name: string, version: number, change: unknown, options: { load: boolean }): Promise<VersionRecord>;
  /** Removes one version. @throws AppError not_found; conflict while it is loaded */
  removeVersion(name: string, version: number): Promise<void>;
  /** Removes a model with all its versions. @throws AppError not_found; conflict while one is loaded */
  removeModel(name: string): Promise<void>;
  machine(): Machine;
  /** Looks at what commonly goes wrong with a machine; errors come first. */
  examine(): Promise<Finding[]>;
  templates(): TemplateInfo[];
  /** Makes version 1 (or the next) of model `name` from a template and loads it. @throws AppError not_found */
  installTemplate(template: string, name: string): Promise<VersionRecord>;
  info(): ApplianceInfo;
  settings(): SettingView[];
}
