// Versions that releases serve: each release has a deployment of its own, with its own instances and settings, so that
// trying a version, staging and production do not disturb each other. Knows nothing of reviews or of who gets what share.
import type { PlacementSettings } from '../device/placement-settings.ts';
import { AppError, messageOf } from '../error.ts';
import type { VersionRecord } from '../types.ts';
import {
  type Deployment,
  isLive,
  isReady,
  keyOf,
  type OwnDeployment,
  reasonOf,
  startCount,
  stateOf,
  untilUp,
} from './deployment.ts';
import type { Fleet } from './fleet.ts';
import type { VersionState } from './routing.ts';

/** What a release has served, and how. */
export interface ReleasedVersion {
  /** Of the release. */
  id: number;
  endpoint: string;
  model: string;
  version: number;
  settings: PlacementSettings;
  inferenceTimeoutMs: number;
  /** 0: the version's own. */
  maxQueueSize: number;
}

/** An endpoint as the routing table needs it. */
export interface EndpointPlan {
  name: string;
  environment: string;
  /** Stable one first. */
  shares: { release: ReleasedVersion; share: number }[];
  shadow?: { release: ReleasedVersion; share: number };
  /** Kept for going back, or being started. */
  standby: ReleasedVersion[];
  stickyHeader?: string;
  trialKeys?: string[];
  ratePerSecond?: number;
  /** Id of the release that is being rolled out beside the stable one. */
  beside?: number;
  /** Names the split of traffic: latencies of another one are not comparable. */
  stretch: string;
}

export interface ReleasedStatus {
  state: VersionState;
  reason: string;
  /** That answer. */
  instances: number;
  /** Processes that ended unexpectedly. */
  crashes: number;
}

export interface ReleasedParts {
  fleet: Fleet;
  coldWaitMs: number;
  getVersion(model: string, version: number): VersionRecord;
  layOut(record: VersionRecord, own: OwnDeployment): Promise<Deployment>;
  /** Lets it finish what it has, ends its processes, removes its files. */
  takeDown(deployment: Deployment, reason: string): Promise<void>;
  publish(): void;
}

export class Released {
  private readonly open = new Map<number, Deployment>();
  private readonly opening = new Map<number, Promise<void>>();
  private readonly closing = new Map<number, Promise<void>>();
  /** Why those that should be there cannot even be laid out. */
  private readonly failures = new Map<number, string>();

  constructor(private readonly parts: ReleasedParts) {}

  deployments(): Deployment[] {
    return [...this.open.values()];
  }

  find(id: number): Deployment | undefined {
    return this.open.get(id);
  }

  /** Why a release has no deployment; undefined: it is on its way. */
  failureOf(id: number): string | undefined {
    return this.failures.get(id);
  }

  findByKey(key: string): Deployment | undefined {
    return this.deployments().find((each) => each.key === key);
  }

  /**
   * Starts the instances of a release, once however often it is called. Resolves when all that it asks for answer, or as
   * many as can be had.
   * @throws AppError unavailable when none does, not_found when the version is gone
   */
  start(release: ReleasedVersion): Promise<void> {
    const known = this.opening.get(release.id);
    if (known) return known;
    const started = this.bringUp(release).finally(() => this.opening.delete(release.id));
    this.opening.set(release.id, started);
    return started;
  }

  /** Takes over settings that were changed; instances that no longer fit them are left to the planner. */
  refresh({ id, settings }: ReleasedVersion): void {
    const deployment = this.open.get(id);
    if (deployment) Object.assign(deployment, { settings, wanted: startCount(deployment, settings) });
  }

  /** Resolves when its memory is back; at once when it has none. */
  end(id: number, reason: string): Promise<void> {
    const known = this.closing.get(id);
    if (known) return known;
    const ended = this.takeDown(id, reason).finally(() => this.closing.delete(id));
    this.closing.set(id, ended);
    return ended;
  }

  status(id: number): ReleasedStatus {
    const deployment = this.open.get(id);
    if (!deployment) return { state: 'cold', reason: 'It is not started.', instances: 0, crashes: 0 };
    return {
      state: stateOf(deployment),
      reason: reasonOf(deployment),
      instances: deployment.members.filter(isReady).length,
      crashes: deployment.crashes,
    };
  }

  private async bringUp(release: ReleasedVersion): Promise<void> {
    const { fleet, coldWaitMs } = this.parts;
    await this.closing.get(release.id);
    const deployment = this.open.get(release.id) ?? (await this.layOut(release));
    deployment.settings = release.settings;
    if (stateOf(deployment) === 'failed') fleet.forgive(deployment);
    deployment.wanted = startCount(deployment, release.settings);
    try {
      await fleet.ensure(new Map([[deployment, deployment.wanted]]), coldWaitMs);
      await untilUp(deployment);
      await untilSettled(deployment);
    } finally {
      this.parts.publish();
    }
  }

  private async layOut(release: ReleasedVersion): Promise<Deployment> {
    try {
      const record = withQueue(this.parts.getVersion(release.model, release.version), release.maxQueueSize);
      const servedFor = { endpoint: release.endpoint, release: release.id };
      const own = { key: keyOfRelease(release), settings: release.settings, servedFor };
      const deployment = await this.parts.layOut(record, own);
      this.failures.delete(release.id);
      this.open.set(release.id, deployment);
      return deployment;
    } catch (error) {
      this.failures.set(release.id, messageOf(error));
      this.parts.publish();
      throw error;
    }
  }

  private async takeDown(id: number, reason: string): Promise<void> {
    await this.opening.get(id)?.catch(() => {});
    this.failures.delete(id);
    const deployment = this.open.get(id);
    if (!deployment) return;
    await this.parts.takeDown(deployment, reason);
    this.open.delete(id);
    this.parts.publish();
  }
}

export function keyOfRelease({ model, version, id }: Pick<ReleasedVersion, 'id' | 'model' | 'version'>): string {
  return `${keyOf({ model, version })}@${id}`;
}

/** With the release's own limit of its queue. */
export function withQueue(record: VersionRecord, maxQueueSize: number): VersionRecord {
  if (maxQueueSize === 0) return record;
  const { serving } = record.manifest;
  const queuePolicy = { ...serving.queuePolicy, maxQueueSize };
  return { ...record, manifest: { ...record.manifest, serving: { ...serving, queuePolicy } } };
}

/** Resolves when no instance is still on its way. */
function untilSettled(deployment: Deployment): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (deployment.members.some((member) => isLive(member) && !isReady(member)) && !deployment.unloading) return;
      deployment.watchers.delete(look);
      if (deployment.members.some(isReady)) resolve();
      else reject(new AppError('unavailable', reasonOf(deployment) || 'Its instances ended.'));
    };
    deployment.watchers.add(look);
    look();
  });
}
