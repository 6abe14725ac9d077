// Puts instances on devices and takes them off again: asks the planner, keeps the books of memory, starts and ends
// processes in the right order, and says why. Knows nothing of HTTP or of which version a model's callers get.
import type { DecisionKind, DecisionLog } from '../device/decisions.ts';
import type { Account } from '../device/ledger.ts';
import type { PlacementSettings } from '../device/placement-settings.ts';
import type { Ending, Placement, Plan, Refusal, RunningInstance } from '../device/placement-types.ts';
import { AppError, messageOf } from '../error.ts';
import { log } from '../log.ts';
import type { Activity } from './activity.ts';
import { batchOf, type Deployment, isFailed, isLive, isReady, type Member, notify } from './deployment.ts';
import type { InstanceEnd } from './instance.ts';
import { type MemberParts, startMember } from './member.ts';
import { NoRoom } from './not-ready.ts';
import { QuietWork } from './quiet-work.ts';
import { Scaler, type ScalerOptions } from './scaler.ts';
import { Standing, type StandingOptions } from './standing.ts';
import type { Runtime, Ways } from './ways.ts';

export interface FleetOptions extends MemberParts, StandingOptions, ScalerOptions {
  /** Libraries for runners. Awaited before an instance is placed. */
  runtime(): Promise<Runtime>;
  /** Resolves when no data plane has the instance compute anything any more. */
  released(member: Member): Promise<void>;
  decisions: Pick<DecisionLog, 'add'>;
  drainTimeoutMs: number;
  /** Measurements that nobody waits for are made when nothing was asked of any model for so long; absent: never. */
  measureAfterQuietMs?: number;
}

/** Rounds in which a way of running turns out not to work, before it is given up. */
const mostRounds = 8;
const lookAgainMs = 250;
/** A device where a version ran out of memory is tried again after that. */
const avoidMs = 10 * 60_000;

export class Fleet {
  private readonly standing: Standing;
  private readonly deployments = new Set<Deployment>();
  private readonly quietWork: QuietWork;
  private readonly scaler: Scaler;
  private runtime: Runtime | undefined;
  private nextId = 1;
  private stopping = false;
  private waiters: (() => void)[] = [];

  constructor(private readonly options: FleetOptions) {
    this.standing = new Standing(options);
    this.quietWork = new QuietWork(options.measureAfterQuietMs ?? Infinity);
    this.scaler = new Scaler(options, (deployment) => this.keep(deployment));
  }

  /** From now on its instances and wishes count. */
  add(deployment: Deployment): void {
    this.deployments.add(deployment);
  }

  /** Ends what it has. Resolves when its memory is back. */
  async remove(deployment: Deployment, reason: string): Promise<void> {
    await Promise.all(deployment.members.map((member) => this.end(member, reason)));
    this.deployments.delete(deployment);
  }

  members(): Member[] {
    return [...this.deployments].flatMap(({ members }) => members);
  }

  /**
   * Gives versions so many instances, as far as there is room: idle instances of others make room for them. Resolves when
   * those are started, not when they are ready.
   * @param waitMs how long to wait for others to become idle
   * @throws AppError unavailable when a version would be left without any
   */
  async ensure(counts: ReadonlyMap<Deployment, number>, waitMs = 0): Promise<void> {
    this.runtime = await this.options.runtime();
    const lastMs = performance.now() + waitMs;
    for (let round = 0; round < mostRounds;) {
      if (this.stopping) throw new AppError('unavailable', 'The server is stopping.');
      const planned = this.plan(counts);
      const without = [...counts.keys()].filter((each) => !each.members.some(isLive) && !isPlaced(planned, each));
      const isWorthWaiting = without.length > 0 && performance.now() < lastMs && this.mayComeFree(counts, without);
      if (isWorthWaiting) {
        for (const refusal of planned.refusals) this.showRefusal(refusal);
        await this.nextChange();
        continue;
      }
      round++;
      const placed = this.apply(planned);
      for (const member of placed) {
        if (!counts.has(member.deployment)) this.follow(member);
      }
      const own = placed.filter(({ deployment }) => counts.has(deployment));
      const started = await Promise.all(own.map((member) => member.started));
      if (started.includes(false)) continue;
      const refused = planned.refusals.find(({ version }) => without.some(({ key }) => key === version));
      if (refused) throw new NoRoom(refused.reason, refused.hint);
      return;
    }
    if ([...counts.keys()].every(({ members }) => members.some(isLive))) return;
    throw new AppError('unavailable', 'No way to run it was found.', "'aimass decisions' tells what was tried.");
  }

  /** Takes an instance away: it finishes what it computes. Resolves when its memory is back. */
  end(member: Member, reason: string): Promise<void> {
    if (member.state === 'ending') return member.ended;
    member.state = 'ending';
    log('info', 'instance is taken away', { ...labelOf(member), reason });
    void this.finish(member);
    this.changed(member.deployment);
    return member.ended;
  }

  /** Forgets why it cannot be started, so that it is tried again. */
  forgive(deployment: Deployment): void {
    deployment.avoided.clear();
    deployment.failure = undefined;
    for (const member of deployment.members.filter(isFailed)) void this.end(member, 'it is tried again');
  }

  /** Looks at devices, uses and wishes, and does what they call for. To be called about once a second. */
  tick(): void {
    if (!this.runtime || this.stopping || this.deployments.size === 0) return;
    const activity = this.options.activity();
    for (const deployment of this.deployments) this.scaler.look(deployment, activity.get(deployment.key));
    for (const member of this.apply(this.plan(new Map()))) this.follow(member);
    this.quietWork.look(this.isBusy(activity), performance.now());
  }

  /** True when so many would find room at once, idle instances of others leaving. @param without as if it were unloaded */
  async hasRoom(deployment: Deployment, count: number, without?: Deployment): Promise<boolean> {
    this.runtime = await this.options.runtime();
    const others = [...this.deployments].filter((each) => each !== without);
    return isPlaced(this.standing.plan(others, new Map([[deployment, count]]), this.runtime), deployment);
  }

  /** What `ensure` would do with these settings, and the ways of running there are. */
  async preview(
    deployment: Deployment,
    count: number,
    settings: PlacementSettings,
  ): Promise<{ plan: Plan; ways: Ways }> {
    this.runtime ??= await this.options.runtime();
    const instead = { deployment, settings };
    const all = new Set([...this.deployments, deployment]);
    return {
      plan: this.standing.plan(all, new Map([[deployment, count]]), this.runtime, { instead }),
      ways: this.standing.waysOf(deployment, this.runtime, instead),
    };
  }

  /** The books of each device. */
  accounts(): Account[] {
    return this.standing.read().map(({ id }) => this.standing.ledger.account(id));
  }

  /** Instances that hold memory, with their use. */
  running(): RunningInstance[] {
    return this.standing.running(this.deployments);
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    this.stopping = true;
    const all = this.members();
    for (const member of all) member.state = 'ending';
    await Promise.all(all.flatMap(({ instance }) => instance?.stop() ?? []));
    for (const { deployment } of all) notify(deployment);
  }

  private plan(counts: ReadonlyMap<Deployment, number>, isIdle = false): Plan {
    return this.standing.plan(this.deployments, counts, this.runtime!, { isIdle });
  }

  /** True when there would be room if everything that is in use now were idle. */
  private mayComeFree(counts: ReadonlyMap<Deployment, number>, without: Deployment[]): boolean {
    const ideal = this.plan(counts, true);
    return without.every((each) => isPlaced(ideal, each));
  }

  /** @returns the new ones */
  private apply({ lost, evictions, placements, refusals }: Plan): Member[] {
    const byId = new Map(this.members().map((member) => [member.id, member]));
    for (const ending of lost) this.carryOut('lost', ending, byId);
    for (const ending of evictions) this.carryOut('evicted', ending, byId);
    for (const refusal of refusals) this.noteRefusal(refusal);
    return placements.map((placement) => this.place(placement));
  }

  private carryOut(kind: DecisionKind, { instanceId, reason }: Ending, byId: Map<string, Member>): void {
    const member = byId.get(instanceId);
    if (!member) return;
    this.decide(kind, member, reason);
    if (kind === 'lost') {
      // What it computes will never be done.
      member.instance?.kill(reason);
      void this.replace(member, reason);
    } else {
      void this.end(member, reason);
    }
  }

  private noteRefusal(refusal: Refusal): void {
    const deployment = this.showRefusal(refusal);
    const { reason, hint } = refusal;
    // Only the amounts in it change from second to second.
    const gist = reason.replaceAll(/\d+/g, '');
    if (!deployment || deployment.notedRefusal === gist) return;
    deployment.notedRefusal = gist;
    this.options.decisions.add({ kind: 'refused', ...nameOf(deployment), reason: `${reason}. ${hint}` });
  }

  private showRefusal({ version, reason }: Refusal): Deployment | undefined {
    const deployment = this.find(version);
    if (deployment && deployment.refusal !== reason) {
      deployment.refusal = reason;
      notify(deployment);
    }
    return deployment;
  }

  private place(placement: Placement): Member {
    const deployment = this.find(placement.version)!;
    const { promise: ended, resolve: finished } = Promise.withResolvers<void>();
    const member: Member = {
      id: String(this.nextId++),
      deployment,
      placement,
      bytes: placement.bytes,
      measured: placement.measured,
      state: 'starting',
      orderedAtMs: performance.now(),
      readyAtMs: 0,
      started: Promise.resolve(true),
      ended,
      finished,
    };
    deployment.members.push(member);
    deployment.refusal = undefined;
    deployment.notedRefusal = undefined;
    deployment.failure = undefined;
    this.decide('placed', member, placement.reason);
    member.started = this.start(member);
    this.changed(deployment);
    return member;
  }

  /** @returns false when it could not be started there, and another place should be looked for */
  private async start(member: Member): Promise<boolean> {
    const { deployment, placement } = member;
    while (this.mustWaitForOthers(member)) await this.nextChange();
    const device = this.options.devices().find(({ id }) => id === placement.deviceId);
    const way = this.standing
      .waysOf(deployment, this.runtime!)
      .ways.find(({ kind, provider }) => kind === placement.kind && provider === placement.provider);
    try {
      if (member.state !== 'ending' && device && way) {
        this.standing.read();
        this.standing.ledger.reserve(member.id, device.id, member.bytes);
        const isStarted = await startMember(member, { device, way, runtime: this.runtime! }, this.options, {
          ledger: this.standing.ledger,
          others: this.members(),
          onChange: () => this.changed(deployment),
          onEnd: (end) => this.noteEnd(member, end),
          decide: (kind, reason) => this.decide(kind, member, reason),
          later: (work) => this.quietWork.add(deployment.key, work),
        });
        if (isStarted) return true;
      }
    } catch (error) {
      log('warn', 'instance not started', { ...labelOf(member), reason: messageOf(error) });
      if (!(error instanceof AppError && error.code === 'unavailable')) deployment.failure = messageOf(error);
    }
    const wasEnding = member.state === 'ending';
    this.drop(member);
    return wasEnding || deployment.failure !== undefined;
  }

  /** Until those whose room it takes have ended. */
  private mustWaitForOthers({ state, bytes, placement: { deviceId } }: Member): boolean {
    if (state === 'ending' || this.standing.ledger.available(deviceId) >= bytes) return false;
    return this.members().some((other) => other.state === 'ending' && other.placement.deviceId === deviceId);
  }

  private async finish(member: Member): Promise<void> {
    // Until it is started nobody can tell what there is to end.
    await member.started;
    if (!member.instance) return;
    await Promise.race([this.options.released(member), Bun.sleep(this.options.drainTimeoutMs)]);
    await member.instance.stop();
    this.drop(member);
  }

  /** Its process has ended, or never was. */
  private drop(member: Member): void {
    const { deployment } = member;
    this.standing.ledger.release(member.id);
    member.state = 'ending';
    deployment.members = deployment.members.filter((other) => other !== member);
    member.finished();
    this.changed(deployment);
  }

  /** @returns whether its process should be started again in the same place */
  private noteEnd(member: Member, { cause, diagnosis, lastLines, givenUp }: InstanceEnd): boolean {
    if (member.state === 'ending' || this.stopping) return false;
    const { deployment, placement } = member;
    if (cause !== 'device_lost') deployment.crashes++;
    if (cause !== 'out_of_memory' && cause !== 'device_lost') {
      const last = lastLines.at(-1);
      this.decide(
        givenUp ? 'failed' : 'restarted',
        member,
        last ? `${diagnosis} It said last: ${last.slice(0, 300)}` : diagnosis,
      );
      return true;
    }
    const batch = batchOf(deployment);
    if (cause === 'out_of_memory' && batch > 1) {
      deployment.batchLimit = Math.floor(batch / 2);
      this.decide(
        'shrunk',
        member,
        `${diagnosis} Its largest batch is now ${deployment.batchLimit} instead of ${batch}.`,
      );
    } else {
      deployment.avoided.set(placement.deviceId, Date.now() + avoidMs);
      this.decide('moved', member, `${diagnosis} Another device is looked for.`);
    }
    void this.replace(member, diagnosis, diagnosis);
    return false;
  }

  /** @param failure why its version is given up when no other can be started in its place; absent: it stays cold */
  private async replace(member: Member, reason: string, failure?: string): Promise<void> {
    const { deployment } = member;
    deployment.replacing++;
    await this.end(member, reason);
    await this.keep(deployment);
    if (failure !== undefined && !this.stopping && !deployment.unloading && !deployment.members.some(isLive)) {
      deployment.failure = `${failure} ${deployment.refusal ?? ''}`.trim();
      this.decide('failed', member, deployment.failure);
    }
    deployment.replacing--;
    this.changed(deployment);
  }

  /** Has again as many instances as it should. */
  private async keep(deployment: Deployment): Promise<void> {
    if (deployment.unloading || this.stopping || !this.deployments.has(deployment)) return;
    try {
      await this.ensure(new Map([[deployment, Math.max(1, deployment.wanted)]]));
    } catch (error) {
      log('warn', 'no instance could be started', { version: deployment.key, reason: messageOf(error) });
    }
  }

  /** Has another look at where it should run when it cannot be started where it was placed. */
  private follow({ deployment, started }: Member): void {
    void started.then((isStarted) => (isStarted ? undefined : this.keep(deployment)));
  }

  private isBusy(activity: ReadonlyMap<string, Activity>): boolean {
    const isAsked = ({ waiting, holders, computing, lastUsedMs }: Activity) =>
      waiting + holders > 0 || [...computing.values()].some((count) => count > 0) || Date.now() - lastUsedMs < 1000;
    return [...activity.values()].some(isAsked) || this.members().some((member) => isLive(member) && !isReady(member));
  }

  private find(key: string): Deployment | undefined {
    return [...this.deployments].find((each) => each.key === key);
  }

  private decide(kind: DecisionKind, member: Member, reason: string): void {
    const { id: instance, placement, deployment } = member;
    this.options.decisions.add({ kind, ...nameOf(deployment), deviceId: placement.deviceId, instance, reason });
  }

  private changed(deployment: Deployment): void {
    for (const member of deployment.members) {
      if (isFailed(member)) this.standing.ledger.release(member.id);
    }
    if (!this.stopping) notify(deployment);
    for (const resolve of this.waiters.splice(0)) resolve();
  }

  /** Also passes after a while: that an instance became idle is told by nobody. */
  private nextChange(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.waiters.push(resolve);
    const timer = setTimeout(resolve, lookAgainMs);
    return promise.finally(() => clearTimeout(timer));
  }
}

const nameOf = ({ record: { model, version } }: Deployment) => ({ model, version });
const labelOf = ({ id, deployment }: Member) => ({ ...nameOf(deployment), instance: id });
const isPlaced = ({ placements }: Plan, { key }: Deployment) => placements.some(({ version }) => version === key);
