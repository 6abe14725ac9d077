// Ties the rooms together that decide where versions run: devices, books, trials, measurements, settings and the log of
// decisions. Hands the supervisor what it needs, and the API what people see and set.
import type { Database } from 'bun:sqlite';

import type { Config } from './config.ts';
import { usableDevices } from './device/adapters.ts';
import { createDecisionLog, type DecisionLog } from './device/decisions.ts';
import type { Device } from './device/device.ts';
import { createFootprintStore } from './device/footprint-rows.ts';
import type { KnownFootprint } from './device/footprint.ts';
import { joinWithRuntime, packOptions, type PackStatus } from './device/gpu-pack.ts';
import {
  createPlacementStore,
  defaultPlacement,
  parsePlacement,
  type PlacementSettings,
} from './device/placement-settings.ts';
import type { PlacementOverview, PlacementPreview } from './device/placement-views.ts';
import type { DeviceWatch } from './device/watch.ts';
import { AppError } from './error.ts';
import type { InstanceControl, PlacementControl } from './http/api/control.ts';
import { type Deployment, isLive, reasonOf, startCount, stateOf } from './inference/deployment.ts';
import type { Fleet } from './inference/fleet.ts';
import type { FootprintRequest, MeasuredFootprint } from './inference/footprint.ts';
import type { ProviderTrial } from './inference/provider-trial.ts';
import type { Supervisor, SupervisorOptions } from './inference/supervisor.ts';
import { createTrialStore } from './inference/trial-rows.ts';
import { type Runtime, WayBook } from './inference/ways.ts';
import { type ChildLimits, gpuEnvironment, runChild } from './job/child.ts';
import { limitTurns } from './job/turns.ts';
import type { VersionRecord } from './types.ts';
import { runtimeVersion } from './version.ts';

export interface PlacingParts {
  config: Config;
  db: Database;
  /** Folder of the native libraries. */
  native: Promise<string>;
  watch(): DeviceWatch;
  nvmlPath?: string;
}

/** What the supervisor is given of placement. */
export type Placing = Pick<
  SupervisorOptions,
  | 'devices'
  | 'topology'
  | 'ways'
  | 'runtime'
  | 'settingsOf'
  | 'reserveOf'
  | 'decisions'
  | 'searchPath'
  | 'measureAfterQuietMs'
> & {
  store: ReturnType<typeof createPlacementStore>;
  decisions: DecisionLog;
  /** What was measured of a version on the best kind of device that it ran on. */
  measured(record: VersionRecord): { footprintBytes?: number; runMs?: number };
  /** Ends trials and measurements; resolves when their processes are gone. */
  close(): Promise<void>;
};

/** A pack that was installed is noticed after this time at the latest. */
const packFreshMs = 30_000;
/** A GPU's driver maps far more than it uses. */
const gpuChildBytes = 2 ** 42;

export function createPlacing({ config, db, native, watch, nvmlPath }: PlacingParts): Placing {
  const store = createPlacementStore(db);
  const footprints = createFootprintStore(db);
  const devices = () => usableDevices(watch().devices(), config.webgpu);
  // One at a time: they would disturb each other's measurements, and what is served.
  const inTurn = limitTurns(1);
  const stopping = new AbortController();
  const children = new Set<Promise<unknown>>();
  function track<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => void children.delete(ended),
      () => void children.delete(ended),
    );
    children.add(ended);
    return work;
  }
  const childLimits = (visibleDevice: string | undefined, isOnGpu: boolean): ChildLimits => ({
    signal: stopping.signal,
    timeoutMs: config.loadTimeoutMs,
    memoryBytes: isOnGpu ? gpuChildBytes : config.inspectMemoryMb * 1024 ** 2,
    ...(visibleDevice && { env: gpuEnvironment(visibleDevice) }),
  });
  return {
    store,
    devices,
    topology: () => watch().topology,
    ways: new WayBook({
      trials: createTrialStore(db),
      footprints,
      tryProvider: (request, visible) =>
        track(inTurn(() => runChild<ProviderTrial>('try-provider', request, childLimits(visible, true)))),
      measure: (request, visible) =>
        measure({ ...request, nvmlPath }, childLimits(visible, request.provider !== 'cpu')),
    }),
    runtime: createRuntime(config, native, devices),
    settingsOf: ({ record, settings }) => settings ?? store.find(record.model) ?? usualSettings(record),
    reserveOf: () => config.reserveBytes,
    decisions: createDecisionLog(db),
    searchPath: packOptions(config, runtimeVersion).searchPath ?? [],
    measureAfterQuietMs: 5000,
    measured({ files, entry }) {
      const rows = footprints.list(files.find(({ path }) => path === entry)?.sha256 ?? '');
      const best = rows.find(({ provider }) => provider !== 'cpu') ?? rows[0];
      return best ? { footprintBytes: best.bytes, runMs: best.runMs } : {};
    },
    async close() {
      stopping.abort();
      await Promise.all(children);
    },
  };

  function measure(request: FootprintRequest, limits: ChildLimits): Promise<MeasuredFootprint> {
    const run = () => runChild<MeasuredFootprint>('footprint', request, limits);
    // Those that wait for a quiet time are made one by one already, and nobody should wait for them.
    return track(request.isPatient ? run() : inTurn(run));
  }
}

function usualSettings({ manifest }: VersionRecord): PlacementSettings {
  return { ...defaultPlacement, maxInstances: Math.max(defaultPlacement.maxInstances, manifest.serving.instances) };
}

/** The runners' libraries: with the GPU pack where there is a GPU that it is for. */
function createRuntime(config: Config, native: Promise<string>, devices: () => Device[]): () => Promise<Runtime> {
  let known: { runtime: Promise<Runtime>; atMs: number } | undefined;
  async function look(): Promise<Runtime> {
    const folder = await native;
    const bare = { folder, version: runtimeVersion };
    if (!devices().some(({ kind }) => kind === 'cuda')) return bare;
    const limits = { timeoutMs: config.inspectTimeoutMs, memoryBytes: config.inspectMemoryMb * 1024 ** 2 };
    const options = packOptions(config, runtimeVersion);
    const { pack } = await runChild<{ pack?: PackStatus }>('gpu-pack', options, limits);
    if (!pack?.intact) return bare;
    return { folder: await joinWithRuntime(pack, folder), version: `${runtimeVersion} with ${describePack(pack)}` };
  }
  return () => {
    if (!known || performance.now() - known.atMs > packFreshMs) known = { runtime: look(), atMs: performance.now() };
    known.runtime.catch(() => (known = undefined));
    return known.runtime;
  };
}

/** A trial that failed for want of a library is made again once the library is there. */
function describePack({ version, providers }: PackStatus): string {
  const missing = new Set(providers.flatMap((provider) => provider.missing.map(({ name }) => name)));
  return `pack of ${version}${missing.size > 0 ? ` without ${[...missing].sort().join()}` : ''}`;
}

interface ControlParts {
  placing: Placing;
  supervisor: Supervisor;
  /** @throws AppError not_found */
  newest(model: string): VersionRecord;
}

export function createPlacementControl({ placing, supervisor, newest }: ControlParts): PlacementControl {
  const { store, decisions } = placing;
  const settings = (model: string) => store.find(model) ?? usualSettings(newest(model));

  function read(model: string, patch: unknown): PlacementSettings {
    const wanted = parsePlacement(patch, settings(model));
    const known = placing.devices().map(({ id }) => id);
    // One that was chosen before may be out of the machine for a while.
    const before = settings(model).deviceIds ?? [];
    const unknown = wanted.deviceIds?.find((id) => !known.includes(id) && !before.includes(id));
    if (unknown !== undefined) {
      throw new AppError('invalid', `deviceIds: there is no device '${unknown}'`, `There are: ${known.join(', ')}.`);
    }
    return wanted;
  }

  return {
    settings,
    async setSettings(model, patch) {
      const wanted = read(model, patch);
      store.put(model, wanted);
      await supervisor.resettle(model);
      return wanted;
    },
    async preview(model, version, patch) {
      const deployment = supervisor.standingOf(model, version);
      const wanted = read(model, patch ?? {});
      return previewOf(supervisor, deployment, wanted);
    },
    overview: () => overview(supervisor.standing(), supervisor.fleet, placing),
    decisions: (filter) => decisions.list(filter),
  };
}

/** What would happen if the version were started now with these settings. */
export async function previewOf(
  { fleet }: Pick<Supervisor, 'fleet'>,
  deployment: Deployment,
  settings: PlacementSettings,
): Promise<PlacementPreview> {
  const { plan, ways } = await fleet.preview(deployment, startCount(deployment, settings), settings);
  return {
    model: deployment.record.model,
    version: deployment.record.version,
    ways: ways.ways.map(({ footprint }) => viewFootprint(footprint)),
    passedOver: ways.passedOver,
    placements: plan.placements,
    evictions: plan.evictions,
    refusals: plan.refusals.filter(({ version }) => version === deployment.key),
  };
}

export function createInstanceControl(
  { decisions }: Placing,
  supervisor: Pick<Supervisor, 'fleet' | 'instances'>,
): InstanceControl {
  const { fleet } = supervisor;

  function get(id: string) {
    const member = fleet.members().find((each) => each.id === id);
    if (member) return member;
    throw new AppError('not_found', `There is no instance '${id.slice(0, 40)}'.`, 'It has ended; list the instances.');
  }

  return {
    instances: () => supervisor.instances(),
    instanceLog: (id) => get(id).instance?.logLines ?? [],
    async restartInstance(id, by) {
      const member = get(id);
      const { deployment, placement } = member;
      const { model, version } = deployment.record;
      if (deployment.unloading) {
        throw new AppError('conflict', `Version ${version} of '${model}' is being unloaded.`, 'Load it again instead.');
      }
      const reason = `by request of ${by}`;
      decisions.add({ kind: 'restarted', model, version, deviceId: placement.deviceId, instance: id, reason });
      await fleet.end(member, reason);
      await fleet.ensure(new Map([[deployment, Math.max(1, deployment.wanted)]]));
    },
  };
}

function viewFootprint(footprint: KnownFootprint): PlacementPreview['ways'][number] {
  const { kind, provider, batch, bytes, measured, estimatedBytes, estimateError } = footprint;
  return { kind, provider, batch, bytes, measured, estimatedBytes, estimateError };
}

function overview(standing: readonly Deployment[], fleet: Fleet, { settingsOf }: Placing): PlacementOverview {
  const use = new Map(fleet.running().map((instance) => [instance.id, instance]));
  return {
    accounts: fleet.accounts(),
    holdings: fleet.members().map(({ id, deployment, placement, bytes, measured }) => {
      const { model, version } = deployment.record;
      const { leases = 0, lastUsedMs = 0 } = use.get(id) ?? {};
      const { deviceId, provider } = placement;
      const { pinned } = settingsOf(deployment);
      const lastUsedAt = lastUsedMs > 0 ? new Date(lastUsedMs).toISOString() : undefined;
      return { instance: id, model, version, deviceId, provider, bytes, measured, leases, lastUsedAt, pinned };
    }),
    versions: standing.map((deployment) => {
      const { model, version } = deployment.record;
      const { servedFor } = deployment;
      const { minInstances, maxInstances } = settingsOf(deployment);
      const state = stateOf(deployment);
      return {
        model,
        version,
        ...(servedFor && { servedFor }),
        state: state === 'unloading' ? 'ready' : state,
        instances: deployment.members.filter(isLive).length,
        wanted: deployment.wanted,
        minInstances,
        maxInstances,
        reason: reasonOf(deployment) || deployment.refusal,
      };
    }),
  };
}
