// How things stand, in the planner's words: devices with their books, instances with their use, and what is wished of each
// version; and the plan that follows from it. Carries nothing out.
import type { Device } from '../device/device.ts';
import { createUseTracker, evictionLoss } from '../device/eviction.ts';
import { Ledger } from '../device/ledger.ts';
import type { PlacementSettings } from '../device/placement-settings.ts';
import type { PlacementDevice, Plan, RunningInstance, Target, Wish, World } from '../device/placement-types.ts';
import { plan } from '../device/placement.ts';
import type { Activity } from './activity.ts';
import { batchOf, type Deployment, isFailed, isLive, type Member } from './deployment.ts';
import type { Runtime, Way, WayBook, Ways } from './ways.ts';

/** Guess for a version that was never loaded. */
const usualLoadMs = 3000;
/** Uses of yesterday say little about today. */
const useHalfLifeMs = 30 * 60_000;

export interface StandingOptions {
  devices(): Device[];
  ways: WayBook;
  settingsOf(deployment: Deployment): PlacementSettings;
  /** Bytes to keep free on a device. */
  reserveOf(device: Device): number;
  activity(): Map<string, Activity>;
}

/** Other settings than those that are stored, to see what would come of them. */
export interface Instead {
  deployment: Deployment;
  settings: PlacementSettings;
}

export class Standing {
  readonly ledger = new Ledger();
  private readonly uses = createUseTracker(useHalfLifeMs);

  constructor(private readonly options: StandingOptions) {}

  /** Brings the books up to date. @returns what they are about */
  read(): Device[] {
    const devices = this.options.devices();
    for (const device of devices) this.ledger.read(device, this.options.reserveOf(device));
    return devices;
  }

  waysOf(deployment: Deployment, runtime: Runtime, instead?: Instead): Ways {
    const { provider } = this.settingsOf(deployment, instead);
    return this.options.ways.list(deployment.record, batchOf(deployment), this.options.devices(), runtime, provider);
  }

  /** Instances that hold memory, with their use. */
  running(deployments: Iterable<Deployment>): RunningInstance[] {
    const activity = this.options.activity();
    const nowMs = Date.now();
    const all = [...deployments];
    this.countUses(all, activity, nowMs);
    return all.flatMap((deployment) => {
      const { key, members } = deployment;
      const settings = this.options.settingsOf(deployment);
      const usesPerSecond = this.uses.usesPerSecond(key, nowMs);
      return members.filter(isLive).map((member) => viewMember(member, settings, activity, usesPerSecond));
    });
  }

  /**
   * @param counts instances that are needed now; for others those that must always be there
   * @param isIdle as if nothing were in use
   */
  plan(
    deployments: Iterable<Deployment>,
    counts: ReadonlyMap<Deployment, number>,
    runtime: Runtime,
    { instead, isIdle = false }: { instead?: Instead; isIdle?: boolean } = {},
  ): Plan {
    const devices = this.read();
    const wanted = [...deployments].filter(({ unloading }) => !unloading);
    const ways = new Map(wanted.map((each) => [each, this.waysOf(each, runtime, instead).ways]));
    const running = this.running(deployments);
    const nowMs = Date.now();
    const world: World = {
      nowMs,
      devices: devices.map((device) => viewDevice(device, this.ledger)),
      running: isIdle ? running.map((instance) => ({ ...instance, leases: 0 })) : running,
      footprints: [...ways].flatMap(([{ key }, each]) => each.map(({ footprint }) => ({ ...footprint, version: key }))),
    };
    const wishes = wanted.map((each) =>
      wishOf(each, this.settingsOf(each, instead), ways.get(each)!, devices, nowMs, counts.get(each)),
    );
    return plan(world, wishes);
  }

  private settingsOf(deployment: Deployment, instead?: Instead): PlacementSettings {
    return instead?.deployment === deployment ? instead.settings : this.options.settingsOf(deployment);
  }

  private countUses(deployments: readonly Deployment[], activity: Map<string, Activity>, nowMs: number): void {
    for (const deployment of deployments) {
      const uses = activity.get(deployment.key)?.uses ?? 0;
      // A new lane counts from 0.
      const added = uses >= deployment.countedUses ? uses - deployment.countedUses : uses;
      if (added > 0) this.uses.record(deployment.key, nowMs, added);
      deployment.countedUses = uses;
    }
  }
}

function viewDevice(device: Device, ledger: Ledger): PlacementDevice {
  const { id, kind, index, name, state, reason } = device;
  const { capacityBytes, usedByOthersBytes, others, reserveBytes } = ledger.account(id);
  return {
    id,
    kind,
    index,
    name,
    deviceClass: name,
    state,
    stateReason: reason,
    capacityBytes,
    usedByOthersBytes,
    others: others.map(({ pid, name: program, usedBytes }) => ({ pid, name: program, usedBytes })),
    reserveBytes,
  };
}

function viewMember(
  member: Member,
  { minFreeBytes }: PlacementSettings,
  activity: ReadonlyMap<string, Activity>,
  usesPerSecond: number,
): RunningInstance {
  const { id, deployment, placement, bytes, state, instance, readyAtMs } = member;
  const { kind, provider, batch, deviceId } = placement;
  const use = activity.get(deployment.key);
  const isStarting = state === 'starting' || instance?.state !== 'ready';
  const inUse = use && use.waiting + use.holders > 0 ? 1 : 0;
  return {
    id,
    version: deployment.key,
    deviceId,
    kind,
    provider,
    batch,
    bytes,
    leases: isStarting ? 1 : inUse + (use?.computing.get(instance.address.id) ?? 0),
    lastUsedMs: Math.max(use?.lastUsedMs ?? 0, readyAtMs),
    loss: evictionLoss(usesPerSecond, deployment.loadMs ?? usualLoadMs, deployment.members.length),
    minFreeBytes,
    pinned: false,
    priority: 0,
  };
}

/** @param count instances that are needed now; without it those that must always be there */
function wishOf(
  deployment: Deployment,
  settings: PlacementSettings,
  ways: readonly Way[],
  devices: readonly Device[],
  nowMs: number,
  count?: number,
): Wish {
  const { minInstances, maxInstances, deviceIds, deviceClass } = settings;
  // One that is given up does not call for another of the same: it would end the same way.
  const failed = deployment.members.filter(isFailed).length;
  const needed = Math.max(0, count ?? minInstances - failed - (deployment.failure === undefined ? 0 : minInstances));
  const avoided = [...deployment.avoided].filter(([, untilMs]) => untilMs > nowMs).map(([id]) => id);
  const allowed = deviceIds ?? devices.map(({ id }) => id);
  return {
    version: deployment.key,
    minInstances: needed,
    maxInstances: Math.max(1, needed, Math.min(deployment.wanted, maxInstances)),
    targets: ways.map(({ kind, provider, batch }): Target => ({ kind, provider, batch })),
    ...((deviceIds || avoided.length > 0) && { deviceIds: allowed.filter((id) => !avoided.includes(id)) }),
    ...(deviceClass !== undefined && { deviceClass }),
    onePerDevice: settings.onePerDevice,
    strategy: settings.strategy,
    priority: settings.priority,
    pinned: settings.pinned,
    minFreeBytes: settings.minFreeBytes,
    ...(settings.keepAliveMs !== undefined && { keepAliveMs: settings.keepAliveMs }),
  };
}
