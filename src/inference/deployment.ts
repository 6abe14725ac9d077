// A version that is to answer, with the instances that it has on devices, and what a data plane is told of it. Data and
// its reading; starts and ends nothing.
import type { PlacementSettings } from '../device/placement-settings.ts';
import type { Placement } from '../device/placement-types.ts';
import { AppError } from '../error.ts';
import type { VersionRecord } from '../types.ts';
import type { ScaleMemory } from './autoscale.ts';
import type { Instance } from './instance.ts';
import type { VersionRoute, VersionState } from './routing.ts';

/** An instance with its place: from the decision to start it until its process has ended. */
export interface Member {
  id: string;
  deployment: Deployment;
  placement: Placement;
  /** Bytes of its device: promised, later measured. */
  bytes: number;
  measured: boolean;
  state: 'starting' | 'running' | 'ending';
  /** Absent until there is room, and its way of running is known to work. */
  instance?: Instance;
  /** Of performance.now(). */
  orderedAtMs: number;
  /** Milliseconds since the epoch; 0: never. */
  readyAtMs: number;
  /** Resolves when its process was started; with false when it cannot run there and should be placed anew. */
  started: Promise<boolean>;
  /** Resolves when its process has ended and its memory is back. */
  ended: Promise<void>;
  finished(): void;
}

/** What a deployment is there for; absent: it was not released. */
export interface ServedFor {
  endpoint: string;
  /** Id of the release. */
  release: number;
}

/** In what a deployment differs from that of its version itself. */
export type OwnDeployment = Pick<Deployment, 'key' | 'settings' | 'servedFor'>;

export interface Deployment {
  /** "model:version"; of one that a release serves "model:version@release". */
  key: string;
  servedFor?: ServedFor;
  record: VersionRecord;
  folder: string;
  modelPath: string;
  /** Its own, where they are not those of its model. */
  settings?: PlacementSettings;
  members: Member[];
  /** Instances that it should have while it is in use; idle ones may be fewer. */
  wanted: number;
  unloading: boolean;
  /** Instances that end for no fault of the version's, and for which others are about to be started. */
  replacing: number;
  /** Why it has no instance, when the last attempt to start one failed for good. */
  failure?: string;
  /** Why it found no room when it last looked for some. */
  refusal?: string;
  /** Its refusal without amounts, as it stands in the log. */
  notedRefusal?: string;
  /** Largest batch that fits, once a larger one did not. */
  batchLimit?: number;
  /** Devices where it did not fit although it was expected to, until when (milliseconds since the epoch). */
  avoided: Map<string, number>;
  /** Of the last start, from the order to the first answer it could give. */
  loadMs?: number;
  scale?: ScaleMemory;
  /** Processes that ended unexpectedly, by the version's doing as far as can be told. */
  crashes: number;
  /** Requests that were counted already. */
  countedUses: number;
  /** Called whenever something of it changes. */
  watchers: Set<() => void>;
}

export function openDeployment(
  record: VersionRecord,
  folder: string,
  modelPath: string,
  { key = keyOf(record), settings, servedFor }: Partial<OwnDeployment> = {},
): Deployment {
  return {
    key,
    record,
    ...(settings && { settings }),
    ...(servedFor && { servedFor }),
    folder,
    modelPath,
    members: [],
    wanted: 0,
    unloading: false,
    replacing: 0,
    avoided: new Map(),
    crashes: 0,
    countedUses: 0,
    watchers: new Set(),
  };
}

export function keyOf({ model, version }: { model: string; version: number }): string {
  return `${model}:${version}`;
}

/** The version's own number of instances is what it is started with; a person's settings bound it. */
export function startCount({ record }: Deployment, { minInstances, maxInstances }: PlacementSettings): number {
  return Math.max(1, minInstances, Math.min(record.manifest.serving.instances, maxInstances));
}

export function batchOf({ record, batchLimit = Infinity }: Deployment): number {
  return Math.min(record.manifest.serving.maxBatchSize, batchLimit);
}

export const isReady = ({ state, instance }: Member): boolean => state === 'running' && instance?.state === 'ready';
export const isFailed = ({ instance }: Member): boolean => instance?.state === 'failed';
/** Holds memory, or is about to. */
export const isLive = (member: Member): boolean => member.state !== 'ending' && !isFailed(member);

export function stateOf({ members, unloading, replacing, failure }: Deployment): VersionState {
  if (unloading) return 'unloading';
  if (members.some(isReady)) return 'ready';
  if (members.some(isLive) || replacing > 0) return 'starting';
  return failure !== undefined || members.some(isFailed) ? 'failed' : 'cold';
}

export function reasonOf(deployment: Deployment): string {
  const state = stateOf(deployment);
  if (state === 'ready') return '';
  if (state === 'cold') return deployment.refusal ?? 'It is started when it is asked for.';
  const ofInstance = deployment.members.find(({ instance }) => instance?.reason)?.instance?.reason;
  return ofInstance ?? deployment.failure ?? '';
}

export function routeOf({ model, version, signature, manifest }: VersionRecord, key: string) {
  const { serving, labels } = manifest;
  return { key, model, version, registered: model, signature, serving, labels, instances: [] };
}

export function toRoute(deployment: Deployment): VersionRoute {
  const { record, members, loadMs } = deployment;
  const route = routeOf(record, deployment.key);
  return {
    ...route,
    // Requests and batches must fit the instance that takes the least.
    serving: { ...route.serving, maxBatchSize: batchOf(deployment) },
    state: stateOf(deployment),
    reason: reasonOf(deployment),
    loadMs,
    instances: members.filter(isReady).map(({ instance }) => instance!.address),
  };
}

/** Resolves when the version answers. @throws AppError unavailable when it will not */
export function untilUp(deployment: Deployment): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const state = stateOf(deployment);
      if (state === 'starting') return;
      deployment.watchers.delete(look);
      if (state === 'ready') {
        resolve();
        return;
      }
      const { model, version } = deployment.record;
      const reason = (state === 'unloading' ? 'it was unloaded' : reasonOf(deployment)) || 'its process ended';
      reject(new AppError('unavailable', `Version ${version} of '${model}' cannot be loaded: ${reason}`));
    };
    deployment.watchers.add(look);
    look();
  });
}

export function notify({ watchers }: Deployment): void {
  for (const watcher of watchers) watcher();
}
