// The control side of inference: which versions are loaded and which one answers. Publishes a routing table whenever that
// changes. Where instances run is fleet.ts's; knows the registry and the data plane only as functions.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { DecisionLog } from '../device/decisions.ts';
import { AppError, messageOf } from '../error.ts';
import { log } from '../log.ts';
import type { VersionRecord } from '../types.ts';
import {
  type Deployment,
  isLive,
  keyOf,
  openDeployment,
  type OwnDeployment,
  startCount,
  stateOf,
  toRoute,
  untilUp,
} from './deployment.ts';
import { Fleet, type FleetOptions } from './fleet.ts';
import { type InstanceStatus, statusOf } from './instance-status.ts';
import type { ModelControl } from './plane.ts';
import { type EndpointPlan, Released } from './released.ts';
import type { RoutingTable, VersionRoute } from './routing.ts';
import { makeTable } from './table.ts';

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

export interface SupervisorOptions extends Omit<FleetOptions, 'released' | 'decisions'> {
  source: VersionSource;
  /** Where a loaded version's files are laid out. */
  folder: string;
  decisions: DecisionLog;
  /** Longest that a request waits for an instance when its version has none. */
  coldWaitMs: number;
  publish(table: RoutingTable): void;
  /** Resolves when no data plane has work for the deployment any more. */
  drained(key: string): Promise<void>;
  /** Resolves when no data plane has the instance at this address compute anything any more. */
  released(key: string, address: string): Promise<void>;
  /** What endpoints serve; none if absent. */
  endpoints?(): EndpointPlan[];
}

const tickMs = 1000;

export class Supervisor implements ModelControl {
  readonly fleet: Fleet;
  readonly released: Released;
  private readonly deployments = new Map<string, Deployment>();
  /** One change at a time for each model. */
  private readonly turns = new Map<string, Promise<unknown>>();
  /** Versions that were loaded when the server last ended and are not laid out yet. */
  private readonly restoring = new Set<string>();
  private readonly waking = new Map<string, Promise<void>>();
  private readonly ticker: Timer;
  private nextFolder = 1;
  private stopping = false;

  constructor(private readonly options: SupervisorOptions) {
    this.fleet = new Fleet({
      ...options,
      released: async ({ deployment, instance }) => {
        if (instance) await options.released(deployment.key, instance.address.id);
      },
    });
    this.released = new Released({
      fleet: this.fleet,
      coldWaitMs: options.coldWaitMs,
      getVersion: (name, version) => options.source.getVersion(name, version),
      layOut: (record, own) => this.layOut(record, own),
      takeDown: (deployment, reason) => this.end(deployment, reason),
      publish: () => this.publish(),
    });
    this.ticker = setInterval(() => this.tick(), tickMs);
    this.ticker.unref();
  }

  /**
   * Starts the versions that were loaded when the server last ended, as far as there is room; the others are started when
   * they are asked for. Resolves when each is ready, waits for its first request, or has failed.
   */
  async restore(): Promise<void> {
    const loaded = this.options.source.listLoaded();
    // Published as starting before the first of them is, so that nobody hears that they are not there.
    for (const each of loaded) this.restoring.add(keyOf({ model: each.name, version: each.version }));
    this.publish();
    const opened = await Promise.all(loaded.map(({ name, version }) => this.reopen(name, version)));
    const counts = new Map(opened.filter((each) => each !== undefined).map((each) => [each, this.startCount(each)]));
    if (counts.size === 0 || this.stopping) return;
    // Those that find no room stay cold, and say so.
    await this.fleet.ensure(counts).catch((error) => log('warn', 'no room for all', { reason: messageOf(error) }));
    await Promise.all(
      [...counts.keys()]
        .filter(({ members }) => members.length > 0)
        .map((each) => this.reportUp(untilUp(each), each.key)),
    );
    if (!this.stopping) this.publish();
  }

  load(name: string, version?: number): Promise<void> {
    return this.inTurn(name, async () => {
      const model = this.options.source.getModel(name);
      const wanted = version ?? model.versions.at(-1);
      if (wanted === undefined) throw new AppError('not_found', `Model '${name}' has no version.`);
      const before = model.current;
      const standing = this.deployments.get(keyOf({ model: name, version: wanted }));
      try {
        await this.bringUp(name, wanted, before);
      } catch (error) {
        // One that waited for its requests goes on waiting.
        if (!standing || stateOf(standing) === 'failed') await this.takeDown(name, wanted);
        throw error;
      }
      this.makeCurrent(name, wanted);
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

  /** Starts an instance of a version that has none, once however many ask. @throws AppError unavailable */
  wake(key: string): Promise<void> {
    const known = this.waking.get(key);
    if (known) return known;
    const deployment = this.deployments.get(key) ?? this.released.findByKey(key);
    if (!deployment || deployment.unloading) {
      return Promise.reject(new AppError('unavailable', `Request for model '${key}' is not at ready state`));
    }
    const started = this.startCold(deployment).finally(() => this.waking.delete(key));
    this.waking.set(key, started);
    return started;
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
    for (const { instance } of this.fleet.members()) {
      if (instance?.address.id === address && instance.state === 'ready') instance.kill(reason);
    }
  }

  instances(): InstanceStatus[] {
    return this.fleet.members().map(statusOf);
  }

  /** The version as it stands, or as it would if it were loaded. @throws AppError not_found */
  standingOf(name: string, version?: number): Deployment {
    const { versions, current } = this.options.source.getModel(name);
    const wanted = version ?? current ?? versions.at(-1);
    if (wanted === undefined) throw new AppError('not_found', `Model '${name}' has no version.`);
    const record = this.options.source.getVersion(name, wanted);
    return this.deployments.get(keyOf(record)) ?? openDeployment(record, '', '');
  }

  /** Of a version that is loaded to be tried. @throws AppError unavailable */
  routeToTry(name: string, version: number): VersionRoute {
    const deployment = this.deployments.get(keyOf({ model: name, version }));
    if (deployment) return toRoute(deployment);
    throw new AppError('unavailable', `Version ${version} of '${name}' is not loaded.`, 'Load it first.');
  }

  /** Those that are loaded or released, with or without an instance. */
  standing(): Deployment[] {
    return [...this.deployments.values(), ...this.released.deployments()];
  }

  startCount(deployment: Deployment): number {
    return startCount(deployment, this.options.settingsOf(deployment));
  }

  /** Fits the instances of a model's loaded versions to settings that were changed. What finds no room stays as it is. */
  async resettle(name: string): Promise<void> {
    const counts = new Map<Deployment, number>();
    for (const deployment of this.deployments.values()) {
      if (deployment.record.model !== name || deployment.unloading) continue;
      deployment.wanted = this.startCount(deployment);
      const { minInstances } = this.options.settingsOf(deployment);
      const needed = deployment.members.length > 0 ? deployment.wanted : minInstances;
      this.fleet.forgive(deployment);
      if (needed > 0) counts.set(deployment, needed);
    }
    await this.fleet.ensure(counts).catch((error) => log('warn', 'no room', { model: name, reason: messageOf(error) }));
    this.publish();
  }

  private tick(): void {
    try {
      this.fleet.tick();
    } catch (error) {
      log('error', 'placement could not be looked at', { reason: messageOf(error) });
    }
  }

  /** Ends all processes. What was loaded stays noted, for the next start. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.ticker);
    await this.fleet.stop();
  }

  /** Publishes the routing table as it is now. */
  publish(): void {
    const { source, endpoints } = this.options;
    const table = makeTable({
      models: source.listModels(),
      deployments: this.deployments,
      restoring: this.restoring,
      endpoints: endpoints?.() ?? [],
      released: this.released,
      getVersion: (name, version) => source.getVersion(name, version),
    });
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

  private async reopen(name: string, version: number): Promise<Deployment | undefined> {
    const key = keyOf({ model: name, version });
    try {
      return await this.inTurn(name, () => this.open(name, version));
    } catch (error) {
      log('error', 'version not loaded', { model: name, version, reason: messageOf(error) });
      return undefined;
    } finally {
      this.restoring.delete(key);
    }
  }

  private async reportUp(up: Promise<void>, version: string): Promise<void> {
    try {
      await up;
    } catch (error) {
      log('error', 'version not loaded', { version, reason: messageOf(error) });
    }
  }

  /** Lays a version out, and has it counted. */
  private async open(name: string, version: number): Promise<Deployment> {
    const record = this.options.source.getVersion(name, version);
    const known = this.deployments.get(keyOf(record));
    if (known) return known;
    const deployment = await this.layOut(record);
    this.deployments.set(deployment.key, deployment);
    return deployment;
  }

  private async layOut(record: VersionRecord, own?: OwnDeployment): Promise<Deployment> {
    const folder = join(this.options.folder, `${record.model}-${record.version}-${this.nextFolder++}`);
    mkdirSync(folder, { recursive: true });
    const modelPath = await this.options.source.layOut(record, folder);
    if (this.stopping) throw new AppError('unavailable', 'The server is stopping.');
    const deployment = openDeployment(record, folder, modelPath, own);
    deployment.wanted = this.startCount(deployment);
    deployment.watchers.add(() => this.stopping || this.publish());
    this.fleet.add(deployment);
    return deployment;
  }

  /**
   * Starts a version's instances unless they run, and waits until one is ready.
   * @param before the model's current version, which makes room if there is none beside it
   */
  private async bringUp(name: string, version: number, before: number | null): Promise<void> {
    if (this.stopping) throw new AppError('unavailable', 'The server is stopping.');
    const running = this.deployments.get(keyOf({ model: name, version }));
    if (running && stateOf(running) === 'failed') await this.takeDown(name, version);
    const deployment = await this.open(name, version);
    if (stateOf(deployment) === 'ready') return;
    const old = before === null ? undefined : this.deployments.get(keyOf({ model: name, version: before }));
    if (old && old !== deployment && (await this.mustSwap(deployment, old))) await this.swap(deployment, old);
    else await this.startCold(deployment);
  }

  private async mustSwap(deployment: Deployment, old: Deployment): Promise<boolean> {
    const count = this.startCount(deployment);
    if (!old.members.some(isLive) || (await this.fleet.hasRoom(deployment, count))) return false;
    return this.fleet.hasRoom(deployment, count, old);
  }

  /**
   * There is room for one of the two only: from now on requests for the model wait for the new version, and the old one ends
   * once it has answered what it has. When the new one cannot be started the old one is back.
   */
  private async swap(deployment: Deployment, old: Deployment): Promise<void> {
    const { model: name, version } = deployment.record;
    const before = old.record.version;
    log('info', 'version makes room for its successor', { model: name, version: before, successor: version });
    this.makeCurrent(name, version);
    await this.takeDown(name, before);
    try {
      await this.wake(keyOf({ model: name, version }));
    } catch (error) {
      await this.open(name, before);
      this.makeCurrent(name, before);
      await this.reportUp(this.wake(keyOf(old.record)), keyOf(old.record));
      throw error;
    }
  }

  private makeCurrent(name: string, version: number): void {
    this.options.source.setLoaded(name, version, true);
    this.options.source.setCurrent(name, version);
    this.publish();
  }

  private async startCold(deployment: Deployment): Promise<void> {
    deployment.wanted = this.startCount(deployment);
    await this.fleet.ensure(new Map([[deployment, deployment.wanted]]), this.options.coldWaitMs);
    await untilUp(deployment);
  }

  /** Lets a version finish what it has, then ends its processes. */
  private async takeDown(name: string, version: number): Promise<void> {
    const key = keyOf({ model: name, version });
    const deployment = this.deployments.get(key);
    this.options.source.setLoaded(name, version, false);
    if (deployment) {
      await this.end(deployment, 'by request');
      this.deployments.delete(key);
    }
    this.publish();
  }

  private async end(deployment: Deployment, reason: string): Promise<void> {
    const { key, record } = deployment;
    const { model, version } = record;
    // Requests may wait for its first instance.
    await this.waking.get(key)?.catch(() => {});
    deployment.unloading = true;
    this.publish();
    await Promise.race([this.options.drained(key), Bun.sleep(this.options.drainTimeoutMs)]);
    await this.fleet.remove(deployment, 'it is unloaded');
    this.options.decisions.add({ kind: 'unloaded', model, version, reason });
    log('info', 'version unloaded', { model, version, reason });
    rmSync(deployment.folder, { recursive: true, force: true });
  }
}
