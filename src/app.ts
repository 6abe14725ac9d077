// Builds each room once and ties them together; the only file that knows all of them.
import { accessSync, constants, mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { templates } from '../models/catalogue.ts';
import { type Access, openAccess } from './access/access.ts';
import { networksOf } from './access/networks.ts';
import type { Config } from './config.ts';
import { takeLock } from './db/lock.ts';
import { openDatabase } from './db/open.ts';
import { examineMachine, type Finding } from './device/doctor.ts';
import { packOptions, type PackStatus } from './device/gpu-pack.ts';
import { type DeviceWatch, watchDevices } from './device/watch.ts';
import { AppError, messageOf } from './error.ts';
import { openSingleSignOn } from './http/admin/sso.ts';
import type { Control } from './http/api/control.ts';
import { type SettingSources, viewSettings } from './http/api/settings.ts';
import { renderDeviceMetrics } from './http/device-metrics.ts';
import { Gate } from './http/gate.ts';
import { renderNotifyMetrics } from './http/notify-metrics.ts';
import { renderReleaseMetrics } from './http/release-metrics.ts';
import { createServer } from './http/server.ts';
import { renderInferenceMetrics } from './http/v2/nv-metrics.ts';
import { createV2 } from './http/v2/routes.ts';
import { Gateway } from './inference/gateway.ts';
import { openRunFolder } from './inference/shared-memory.ts';
import { Supervisor } from './inference/supervisor.ts';
import { runChild, setLibraryPath } from './job/child.ts';
import { limitTurns } from './job/turns.ts';
import { listen } from './listen.ts';
import { log, setLogLevel } from './log.ts';
import { createTraffic, type Traffic } from './monitor/traffic.ts';
import { prepareNative } from './native.ts';
import { type Notifier, openNotifier } from './notify/notifier.ts';
import { createInstanceControl, createPlacementControl, createPlacing, type Placing } from './placing.ts';
import type { ImportRequest, Inspect, Registry } from './registry/registry.ts';
import { openRegistry } from './registry/store.ts';
import type { Releases } from './release/releases.ts';
import { createReleases } from './releasing.ts';
import { createSource } from './source/source.ts';
import { openTls } from './tls.ts';
import type { VersionRecord } from './types.ts';
import { runtimeVersion, version } from './version.ts';

export interface Appliance {
  /** Address that it listens on, "http://HOST:PORT". */
  url: string;
  /** One-time link with which the first administrator is made; absent once there is one. */
  setupUrl?: string;
  /** Resolves when every version that should be loaded is ready or has failed. */
  restored: Promise<void>;
  /** Refuses new requests, lets those in flight finish, ends all children. */
  close(): Promise<void>;
}

export interface ApplianceParts {
  /** NVIDIA's management library; by default as the dynamic loader finds it. */
  nvmlPath?: string;
  /** Where each setting comes from; without one it is the default. */
  sources?: SettingSources;
  /** How often the certificate is looked at; see openTls. */
  certificateEveryMs?: number;
}

const hour = 3_600_000;

/** @throws AppError conflict when another server uses the data folder, unavailable when it cannot listen */
export async function openAppliance(
  config: Config,
  { nvmlPath, sources = {}, certificateEveryMs }: ApplianceParts = {},
): Promise<Appliance> {
  setLogLevel(config.logLevel);
  setLibraryPath(config.cudaPath);
  makeDataFolder(config.data);
  const unlock = takeLock(join(config.data, 'lock'));
  const tls = await openTls(config, certificateEveryMs);
  const singleSignOn = await openSingleSignOn(config);
  const db = openDatabase(join(config.data, 'aimass.db'));
  const runFolder = openRunFolder();
  const layoutFolder = join(config.data, 'run');
  rmSync(layoutFolder, { recursive: true, force: true });

  // Not awaited before listening: the first start copies 45 MB.
  const native = prepareNative(join(config.data, 'native'));
  native.catch((error) => log('error', 'native libraries not available', { reason: messageOf(error) }));

  const registry = await openRegistry({
    db,
    folder: config.data,
    inspect: inspectInChild(config, native),
    maxUploadBytes: config.maxUploadBytes,
    uploadExpiryMs: config.uploadExpiryHours * hour,
  });
  const access = openAccess(db);
  const notifier = openNotifier({
    ...config,
    db,
    users: access.users,
    keyPath: join(config.data, 'secrets.key'),
    networks: networksOf(config.notifyTo),
    baseUrl: () => config.publicUrl || url,
    version,
  });
  const gateway = new Gateway({
    folder: runFolder,
    requestTimeoutMs: config.requestTimeoutMs,
    maxQueueSize: config.maxQueueSize,
    runTimeoutMs: config.runTimeoutMs,
    onHung: (instance) => supervisor.killInstance(instance, `no answer after ${config.runTimeoutMs} ms`),
    coldWaitMs: config.coldWaitMs,
    onWanted: (key) => supervisor.wake(key),
  });
  const placing = createPlacing({ config, db, native, watch: () => watch, nvmlPath });
  const supervisor = new Supervisor({
    ...placing,
    source: registry,
    folder: layoutFolder,
    runFolder,
    loadTimeoutMs: config.loadTimeoutMs,
    drainTimeoutMs: config.drainTimeoutMs,
    coldWaitMs: config.coldWaitMs,
    cores: config.threads || availableParallelism(),
    activity: () => gateway.activity(),
    publish: (table) => gateway.apply(table),
    drained: (key) => gateway.drained(key),
    released: (key, address) => gateway.released(key, address),
    endpoints: () => releases.rollouts.plans(),
  });
  const releases = createReleases({ config, db, registry, access, gateway, supervisor, placing, notifier });

  // Known once it listens; with port 0 the system chooses.
  let url = `http://${config.listen}`;
  const traffic = createTraffic(() => gateway.statistics());
  const stopping = new AbortController();
  const control = createControl({
    config,
    sources,
    registry,
    access,
    notifier,
    gateway,
    supervisor,
    placing,
    releases,
    traffic,
    stopping: stopping.signal,
    watch: () => watch,
    url: () => url,
  });
  const server = createServer({
    control,
    config,
    v2Handler: createV2(gateway, supervisor, config),
    access,
    gate: new Gate({ access, openTo: networksOf(config.openTo), trustedProxies: networksOf(config.trustedProxies) }),
    metricsTo: networksOf(config.metricsTo),
    singleSignOn,
    hosts: { any: () => releases.hasHosts(), find: (host) => releases.endpointOfHost(host) },
    metrics: () =>
      renderInferenceMetrics(gateway.statistics()) +
      renderMachine(watch, supervisor, placing) +
      renderNotifyMetrics(notifier.statistics()) +
      renderReleaseMetrics(releases),
  });
  const listeners = listen(config, server.fetch, tls);
  url = listeners.url;
  const restored = Promise.all([supervisor.restore(), releases.restore()]).then(() => {});
  // Last: a driver may take its time to answer.
  const watch = watchDevices({
    nvmlPath,
    ownPids: () => new Set(supervisor.instances().flatMap(({ pid }) => pid ?? [])),
  });

  const setupUrl = access.setup.isSetUp()
    ? undefined
    : `${config.publicUrl || url}/setup?token=${access.setup.issueToken()}`;
  return {
    url,
    setupUrl,
    restored,
    async close() {
      server.drain();
      stopping.abort();
      // First the answers, then their way through the network: a slow reader may still be taking a large one.
      tls?.close();
      // A connection that a browser only keeps open is none of them, and would be waited for until the deadline.
      const finished = server.idle().then(async () => {
        const stopped = listeners.stop();
        while (listeners.pending() > 0) await Promise.race([stopped, Bun.sleep(50)]);
      });
      await Promise.race([finished, Bun.sleep(config.drainTimeoutMs)]);
      await listeners.stop(true);
      watch.close();
      traffic.close();
      await Promise.all([releases.close(), supervisor.stop(), placing.close(), notifier.close()]);
      gateway.close();
      await registry.close();
      access.close();
      db.close();
      rmSync(layoutFolder, { recursive: true, force: true });
      rmSync(runFolder, { recursive: true, force: true });
      unlock();
    },
  };
}

function makeDataFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new AppError(
      'unavailable',
      `The data folder ${path} cannot be used: ${messageOf(error)}`,
      'Name a folder that this user may write to with --data, or have it made: sudo install -d -o "$USER" FOLDER',
    );
  }
}

function renderMachine(watch: DeviceWatch, supervisor: Supervisor, { decisions }: Placing): string {
  return renderDeviceMetrics({
    devices: watch.devices(),
    accounts: supervisor.fleet.accounts(),
    instances: supervisor.instances(),
    decisions: decisions.totals(),
    residentBytes: process.memoryUsage.rss(),
    startedSeconds: performance.timeOrigin / 1000,
    version,
    runtimeVersion,
  });
}

/** However many ask at once, the machine is looked at once. */
function createDoctor(config: Config, watch: () => DeviceWatch): () => Promise<Finding[]> {
  let running: Promise<Finding[]> | undefined;
  async function look(): Promise<Finding[]> {
    const limits = { timeoutMs: config.inspectTimeoutMs, memoryBytes: config.inspectMemoryMb * 1024 ** 2 };
    const options = packOptions(config, runtimeVersion);
    const { pack } = await runChild<{ pack?: PackStatus }>('gpu-pack', options, limits);
    return examineMachine(watch(), config.data, { pack, runtimeVersion });
  }
  return () => (running ??= look().finally(() => (running = undefined)));
}

function inspectInChild(config: Config, native: Promise<string>): Inspect {
  const inTurn = limitTurns(Math.max(1, Math.floor(availableParallelism() / 2)));
  return ({ path, weightBytes }) =>
    inTurn(async () =>
      runChild(
        'inspect',
        { path, nativeFolder: await native },
        {
          timeoutMs: config.inspectTimeoutMs,
          // ONNX Runtime holds weights up to twice while it optimises the graph.
          memoryBytes: config.inspectMemoryMb * 1024 ** 2 + 3 * weightBytes,
        },
      ),
    );
}

interface ControlParts {
  config: Config;
  sources: SettingSources;
  registry: Registry;
  access: Access;
  notifier: Notifier;
  gateway: Gateway;
  supervisor: Supervisor;
  placing: Placing;
  releases: Releases;
  traffic: Traffic;
  stopping: AbortSignal;
  watch(): DeviceWatch;
  url(): string;
}

function createControl(parts: ControlParts): Control {
  const { config, sources, registry, access, notifier, gateway, supervisor, placing, traffic, stopping, watch, url } =
    parts;
  const { releases } = parts;
  const startedAt = new Date().toISOString();

  async function importModels(
    request: ImportRequest,
    { load }: { load: boolean },
    onProgress?: (step: string) => void,
  ): Promise<VersionRecord[]> {
    return await serveStored(await registry.importVersions(request, onProgress), load, onProgress);
  }

  async function serveStored(versions: VersionRecord[], load: boolean, onProgress?: (step: string) => void) {
    supervisor.publish();
    for (const name of new Set(versions.map(({ model }) => model))) await releases.retain(name);
    if (!load) return versions;
    // Of several versions of a model only the last one is wanted.
    const newest = new Map(versions.map((record) => [record.model, record.version]));
    for (const [name, number] of newest) {
      onProgress?.(`loading ${name}:${number}`);
      try {
        await supervisor.load(name, number);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        throw new AppError(error.code, `Stored, but not loaded: ${error.message}`, error.hint);
      }
    }
    return versions;
  }

  return {
    registry,
    source: createSource({ ...config, registry, networks: networksOf(config.importNetworks), version }),
    access,
    notifier,
    plane: gateway,
    placement: createPlacementControl({
      placing,
      supervisor,
      newest(name) {
        const { versions } = registry.getModel(name);
        return registry.getVersion(name, versions.at(-1)!);
      },
    }),
    release: releases,
    importModels,
    async deriveVersion(name, number, change, { load }) {
      const [made] = await serveStored([await registry.deriveVersion(name, number, change)], load);
      return made!;
    },
    load: (name, number) => supervisor.load(name, number),
    unload: (name, number) => supervisor.unload(name, number),
    removeModel: (name) =>
      supervisor.change(name, () => {
        for (const number of registry.getModel(name).versions) releases.requireRemovable(name, number);
        return registry.removeModel(name);
      }),
    removeVersion: (name, number) =>
      supervisor.change(name, () => {
        releases.requireRemovable(name, number);
        return registry.removeVersion(name, number);
      }),
    ...createInstanceControl(placing, supervisor),
    traffic,
    stopping,
    machine() {
      // Those that models may use, and those that they may not.
      const seen = watch().devices();
      const usable = placing.devices();
      const devices = [...usable, ...seen.filter(({ id }) => !usable.some((device) => device.id === id))];
      const { topology: host, nvmlProblem, faults } = watch();
      return { devices, host, ...(nvmlProblem && { problem: nvmlProblem.message }), faults };
    },
    examine: createDoctor(config, watch),
    templates: () =>
      templates.map(({ name, title, description, licence, manifest }) => ({
        name,
        title,
        description,
        licence,
        task: manifest.task,
      })),
    async installTemplate(name, model) {
      const template = templates.find((each) => each.name === name);
      if (!template) {
        const known = templates.map((each) => each.name).join(', ');
        throw new AppError('not_found', `There is no template '${name}'.`, `The templates are: ${known}.`);
      }
      const { licence, description } = template;
      const manifest = {
        ...template.manifest,
        licence,
        description,
        origin: { kind: 'template' as const, from: name },
      };
      const files: ImportRequest['files'] = [];
      try {
        for (const { as, path } of template.files) {
          const file = Bun.file(path);
          const { id: uploadId } = await registry.storeUpload(file.stream(), { bytes: file.size });
          files.push({ uploadId, path: as });
        }
        const [record] = await importModels({ name: model, files, manifest }, { load: true });
        return record!;
      } catch (error) {
        // Used up already when the import came as far as storing the version.
        for (const { uploadId } of files) await registry.removeUpload(uploadId).catch(() => {});
        throw error;
      }
    },
    settings: () => viewSettings({ config, sources }),
    info: () => ({ version, startedAt, listen: config.publicUrl || url(), dataFolder: config.data }),
  };
}
