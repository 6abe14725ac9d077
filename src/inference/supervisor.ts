// The control side of inference: which versions are loaded, in how many processes, and which one answers. Publishes a
// routing table whenever that changes. Knows the registry and the data plane only as functions.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { AppError, messageOf } from '../error.ts';
import { log } from '../log.ts';
import type { VersionRecord } from '../types.ts';
import { Instance, type InstanceState } from './instance.ts';
import type { ModelControl } from './plane.ts';
import type { ModelRoute, RoutingTable, VersionRoute, VersionState } from './routing.ts';

/** The part of the registry that the supervisor needs. */
export interface VersionSource {
  listModels(): { name: string; versions: number[]; current: number | null }[];
  getModel(name: string): { name: string; versions: number[]; current: number | null };
  getVersion(name: string, version: number): VersionRecord;
  listLoaded(): { name: string; version: number }[];
  setLoaded(name: string, version: number, loaded: boolean): void;
  setCurrent(name: string, version: number | null): void;
  layOut(record: VersionRecord, folder: string): Promise<string>;
}

export interface SupervisorOptions {
  source: VersionSource;
  /** Where a loaded version's files are laid out. */
  folder: string;
  runFolder: string;
  nativeFolder(): Promise<string>;
  loadTimeoutMs: number;
  drainTimeoutMs: number;
  /** Cores that all instances may use together. */
  threads: number;
  publish(table: RoutingTable): void;
  /** Resolves when no data plane has work for the version any more. */
  drained(name: string, version: number): Promise<void>;
}

export interface InstanceStatus {
  id: string;
  model: string;
  version: number;
  /** Absent while the process is being replaced. */
  pid?: number;
  state: InstanceState;
  /** Why it is not ready; empty when it is. */
  reason: string;
  device: string;
  /** How often the process was replaced after it ended unexpectedly. */
  restarts: number;
  startedAt: string;
  rssBytes: number;
}

interface Loaded {
  record: VersionRecord;
  folder: string;
  instances: Instance[];
  unloading: boolean;
  /** Called whenever an instance's state changes. */
  watchers: Set<() => void>;
}

export class Supervisor implements ModelControl {
  private readonly loaded = new Map<string, Loaded>();
  /** One change at a time for each model. */
  private readonly turns = new Map<string, Promise<unknown>>();
  /** Versions that were loaded when the server last ended and have not been started yet. */
  private readonly restoring = new Set<string>();
  private nextInstance = 1;
  private stopping = false;

  constructor(private readonly options: SupervisorOptions) {}

  /** Starts every version that was loaded when the server last ended. Resolves when each is ready or has failed. */
  async restore(): Promise<void> {
    const loaded = this.options.source.listLoaded();
    // Published as starting before the first of them is, so that nobody hears that they are not there.
    for (const { name, version } of loaded) this.restoring.add(`${name}:${version}`);
    this.publish();
    const starts = loaded.map(({ name, version }) =>
      this.inTurn(name, async () => {
        try {
          await this.bringUp(name, version);
        } catch (error) {
          log('error', 'version not loaded', { model: name, version, reason: messageOf(error) });
        } finally {
          this.restoring.delete(`${name}:${version}`);
          if (!this.stopping) this.publish();
        }
      }),
    );
    await Promise.all(starts);
  }

  load(name: string, version?: number): Promise<void> {
    return this.inTurn(name, async () => {
      const model = this.options.source.getModel(name);
      const wanted = version ?? model.versions.at(-1);
      if (wanted === undefined) throw new AppError('not_found', `Model '${name}' has no version.`);
      const before = model.current;
      try {
        await this.bringUp(name, wanted);
      } catch (error) {
        await this.takeDown(name, wanted);
        throw error;
      }
      this.options.source.setLoaded(name, wanted, true);
      this.options.source.setCurrent(name, wanted);
      this.publish();
      log('info', 'version answers', { model: name, version: wanted, before });
      if (before !== null && before !== wanted) await this.takeDown(name, before);
    });
  }

  unload(name: string, version?: number): Promise<void> {
    return this.inTurn(name, async () => {
      const model = this.options.source.getModel(name);
      if (version !== undefined) this.options.source.getVersion(name, version);
      if (version === undefined || model.current === version) this.options.source.setCurrent(name, null);
      for (const each of version === undefined ? model.versions : [version]) await this.takeDown(name, each);
    });
  }

  /** Runs `change`, which alters the registry's view of a model, between loads, and publishes what came of it. */
  change<T>(name: string, change: () => Promise<T>): Promise<T> {
    return this.inTurn(name, async () => {
      try {
        return await change();
      } finally {
        this.publish();
      }
    });
  }

  killInstance(address: string, reason: string): void {
    for (const { instances } of this.loaded.values()) {
      instances.find((instance) => instance.address.id === address && instance.state === 'ready')?.kill(reason);
    }
  }

  instances(): InstanceStatus[] {
    return [...this.loaded.values()].flatMap(({ instances }) =>
      instances.map((instance) => ({
        id: instance.options.id,
        model: instance.options.model,
        version: instance.options.version,
        pid: instance.pid,
        state: instance.state,
        reason: instance.reason,
        device: instance.options.device,
        restarts: instance.restarts,
        startedAt: instance.startedAt.toISOString(),
        rssBytes: residentBytes(instance.pid),
      })),
    );
  }

  /** Ends all processes. What was loaded stays noted, for the next start. */
  async stop(): Promise<void> {
    this.stopping = true;
    const all = [...this.loaded.values()];
    await Promise.all(all.flatMap(({ instances }) => instances.map((each) => each.stop())));
    // Whoever waits for one of them hears that it will not come.
    for (const { watchers } of all) for (const watcher of watchers) watcher();
  }

  /** Publishes the routing table as it is now. */
  publish(): void {
    const table: RoutingTable = new Map();
    for (const { name, versions, current } of this.options.source.listModels()) {
      const model: ModelRoute = { name, current, existing: versions, versions: new Map() };
      for (const version of versions) {
        const loaded = this.loaded.get(`${name}:${version}`);
        if (loaded) model.versions.set(version, toRoute(loaded));
        else if (this.restoring.has(`${name}:${version}`)) {
          const record = this.options.source.getVersion(name, version);
          model.versions.set(version, {
            ...routeOf(record),
            state: 'starting',
            reason: 'The server has just started.',
          });
        }
      }
      table.set(name, model);
    }
    this.options.publish(table);
  }

  private inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.turns.get(name) ?? Promise.resolve();
    const turn = before.then(work, work);
    const settled = turn.then(
      () => {},
      () => {},
    );
    this.turns.set(name, settled);
    void settled.then(() => {
      if (this.turns.get(name) === settled) this.turns.delete(name);
    });
    return turn;
  }

  /** Starts a version's instances unless they run, and waits until one is ready. */
  private async bringUp(name: string, version: number): Promise<void> {
    const key = `${name}:${version}`;
    if (this.stopping) throw new AppError('unavailable', 'The server is stopping.');
    const running = this.loaded.get(key);
    if (running && stateOf(running) !== 'failed') return untilUp(running);
    if (running) await this.takeDown(name, version);

    const record = this.options.source.getVersion(name, version);
    const nativeFolder = await this.options.nativeFolder();
    const folder = join(this.options.folder, `${name}-${version}-${this.nextInstance}`);
    mkdirSync(folder, { recursive: true });
    const modelPath = await this.options.source.layOut(record, folder);
    if (this.stopping) throw new AppError('unavailable', 'The server is stopping.');
    const loaded: Loaded = { record, folder, instances: [], unloading: false, watchers: new Set() };
    this.loaded.set(key, loaded);
    const { serving } = record.manifest;
    for (let i = 0; i < serving.instances; i++) {
      loaded.instances.push(
        new Instance({
          id: String(this.nextInstance++),
          model: name,
          version,
          modelPath,
          threads: serving.threads || defaultThreads(this.options.threads),
          device: 'cpu',
          nativeFolder,
          runFolder: this.options.runFolder,
          loadTimeoutMs: this.options.loadTimeoutMs,
          onChange: () => {
            if (!this.stopping && !loaded.unloading) this.publish();
            for (const watcher of loaded.watchers) watcher();
          },
        }),
      );
    }
    this.publish();
    await untilUp(loaded);
  }

  /** Lets a version finish what it has, then ends its processes. */
  private async takeDown(name: string, version: number): Promise<void> {
    const { source } = this.options;
    const key = `${name}:${version}`;
    const loaded = this.loaded.get(key);
    source.setLoaded(name, version, false);
    if (loaded) {
      loaded.unloading = true;
      this.publish();
      await Promise.race([this.options.drained(name, version), Bun.sleep(this.options.drainTimeoutMs)]);
      await Promise.all(loaded.instances.map((instance) => instance.stop()));
      this.loaded.delete(key);
      log('info', 'version unloaded', { model: name, version });
      rmSync(loaded.folder, { recursive: true, force: true });
    }
    this.publish();
  }
}

function residentBytes(pid: number | undefined): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Half the cores, because requests are decoded on the others; many small threads help a single request little. */
function defaultThreads(cores: number): number {
  return Math.max(1, Math.min(8, Math.floor(cores / 2)));
}

function stateOf({ instances, unloading }: Loaded): VersionState {
  if (unloading) return 'unloading';
  if (instances.some(({ state }) => state === 'ready')) return 'ready';
  return instances.every(({ state }) => state === 'failed' || state === 'stopped') ? 'failed' : 'starting';
}

function toRoute(loaded: Loaded): VersionRoute {
  const { record, instances } = loaded;
  const state = stateOf(loaded);
  return {
    ...routeOf(record),
    state,
    reason: state === 'ready' ? '' : (instances.find(({ reason }) => reason)?.reason ?? ''),
    instances: instances.filter(({ state }) => state === 'ready').map(({ address }) => address),
  };
}

function routeOf({ model, version, signature, manifest }: VersionRecord) {
  return { model, version, signature, serving: manifest.serving, labels: manifest.labels, instances: [] };
}

/** @throws AppError unavailable when no instance can be started */
function untilUp(loaded: Loaded): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const state = stateOf(loaded);
      if (state === 'starting') return;
      loaded.watchers.delete(look);
      if (state === 'ready') {
        resolve();
        return;
      }
      const reason = loaded.instances.find((instance) => instance.reason)?.reason ?? 'its process ended';
      const { model, version } = loaded.record;
      reject(new AppError('unavailable', `Version ${version} of '${model}' cannot be loaded: ${reason}`));
    };
    loaded.watchers.add(look);
    look();
  });
}
