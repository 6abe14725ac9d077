// Carries releases out: starts their instances, asks them once, moves traffic to them step by step while the guard looks,
// and takes them back. Every step is a transaction before it is an action, so that whenever the server ends, the next
// start finds what was decided and goes on from there.
import { AppError, messageOf } from '../error.ts';
import type { Notes } from '../inference/notes.ts';
import type { DataPlane } from '../inference/plane.ts';
import type { EndpointPlan, Released } from '../inference/released.ts';
import { log } from '../log.ts';
import { whyWait } from './calendar.ts';
import type { Environments } from './environments.ts';
import type { SideSamples } from './guard.ts';
import { Guarding } from './guarding.ts';
import { type By, bySystem, type ReleaseRows } from './release-rows.ts';
import { smoke } from './smoke.ts';
import { describeStage, holdMsOf, stageAfter } from './stages.ts';
import { type EndpointReleases, findRoute, keyOf, releasedVersion, toEndpointPlan } from './traffic-plan.ts';
import type { EnvironmentSettings, Release, ReleaseEvent, Stage } from './types.ts';
import { findTarget, rollbackTargets } from './way-back.ts';

export interface RolloutParts {
  rows: ReleaseRows;
  environments: Environments;
  released: Pick<Released, 'start' | 'end' | 'status' | 'find'>;
  plane: DataPlane & { noted(key: string): Notes | undefined };
  settingsOf: Parameters<typeof toEndpointPlan>[1];
  /** Has the routing table made anew. */
  publish(): void;
  /** Called for what people want to hear of, after it happened. */
  tell(release: Release, kind: ReleaseEvent['kind'], by: By, text: string): void;
  now(): number;
}

/** A release that a rollback leads to is kept so long while it is started. */
const returnMs = 15 * 60_000;
/** Of what was live during a rollout, to be the measure of the watch after it; with fewer what it did before is. */
const enoughRequests = 200;

export class Rollouts {
  readonly guarding: Guarding;
  private readonly working = new Map<number, Promise<void>>();
  private isStopping = false;

  constructor(private readonly parts: RolloutParts) {
    this.guarding = new Guarding({
      noted: (release) => parts.plane.noted(keyOf(release)),
      crashesOf: ({ id }) => parts.released.status(id).crashes,
    });
  }

  /** What the routing table is made from. */
  plans(): EndpointPlan[] {
    return this.endpoints().map((each) => toEndpointPlan(each, this.parts.settingsOf));
  }

  /** Endpoints with the releases that matter to their traffic. */
  endpoints(): EndpointReleases[] {
    const { rows } = this.parts;
    const active = rows.inState('live', 'rolling-out');
    const warm = rows.warm().filter(({ state }) => state !== 'live' && state !== 'rolling-out');
    return rows.endpoints().map((endpoint) => {
      const own = active.filter(({ request }) => request.endpoint === endpoint.name);
      return {
        endpoint,
        live: own.find(({ state }) => state === 'live'),
        rollout: own.find(({ state }) => state === 'rolling-out'),
        warm: warm.filter(({ request }) => request.endpoint === endpoint.name),
      };
    });
  }

  /** Starts again what was serving when the server last ended; rollouts go on with their present step begun anew. */
  async restore(): Promise<void> {
    const { rows, released, now } = this.parts;
    const cold = rows.warm().filter(({ warmUntilMs }) => warmUntilMs! <= now());
    for (const { id } of cold) rows.change(id, { warmUntilMs: null });
    for (const release of rows.inState('rolling-out')) {
      const stage = release.stage!;
      const isServing = stage.kind === 'shadow' || stage.kind === 'step';
      const again: Stage = { ...(isServing ? stage : { kind: 'starting', index: 0, percent: 0 }), startedMs: now() };
      rows.change(release.id, { stage: again });
      rows.addEvent(release.id, 'stage', bySystem, 'The server was started again: this step begins anew.', {
        ...again,
      });
    }
    this.parts.publish();
    const all = this.endpoints().flatMap(({ live, rollout, warm }) => [live, rollout, ...warm].filter(isThere));
    await Promise.all(
      all.map((release) => {
        const starting = released.start(this.toReleased(release));
        if (release.watchUntilMs !== undefined) this.guarding.begin(release, undefined);
        if (release.state !== 'rolling-out') return starting.catch((error: unknown) => noteTrouble(release, error));
        return this.track(release, async () => {
          await starting.catch((error) => this.takeOff(release, messageOf(error), bySystem));
          this.guarding.begin(release, this.endpointNamed(release.request.endpoint).live);
        });
      }),
    );
  }

  /** Looks at everything that may have to go on. To be called about once a second. */
  tick(): void {
    if (this.isStopping) return;
    const { rows } = this.parts;
    for (const release of rows.inState('approved')) this.considerStart(release);
    for (const release of rows.inState('rolling-out')) {
      if (!this.working.has(release.id)) void this.track(release, () => this.proceed(rows.get(release.id)));
    }
    for (const release of rows.inState('live')) this.watch(release);
    for (const release of rows.warm()) this.cool(release);
  }

  /** Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.isStopping = true;
    await Promise.all(this.working.values());
  }

  /** Goes to the next stage now. @throws AppError conflict */
  async advance(release: Release, by: By): Promise<void> {
    await this.working.get(release.id);
    const { state, stage } = this.parts.rows.get(release.id);
    if (state !== 'rolling-out' || !stage) throw new AppError('conflict', `Release ${release.id} is not rolling out.`);
    if (stage.kind !== 'shadow' && stage.kind !== 'step') {
      throw new AppError('conflict', 'Its instances are not ready yet.', 'Wait until its first step has begun.');
    }
    this.next(this.parts.rows.get(release.id), by);
  }

  /**
   * Ends a rollout, or puts an earlier release back.
   * @param to absent: out of a rollout to what is live; else to the one that was live before
   * @returns the release that is live now; resolves when it answers
   * @throws AppError conflict when there is none, unavailable when it cannot be started
   */
  async rollBack(endpoint: string, by: By, reason: string, to?: number): Promise<Release> {
    const { rows } = this.parts;
    const { live, rollout } = this.endpointNamed(endpoint);
    if (rollout && (to === undefined || to === live?.id)) {
      if (!live) throw new AppError('conflict', `Nothing was live at '${endpoint}' before this rollout.`);
      this.takeOff(rollout, reason, by);
      return rows.get(live.id);
    }
    const target = findTarget(this.rollbackTargets(endpoint), endpoint, to);
    if (rollout) this.takeOff(rollout, reason, by);
    if (this.parts.released.status(target.id).state !== 'ready') await this.fetchBack(target);
    return this.putBack(target, by, reason);
  }

  /** Where a rollback of an endpoint may lead, the best first. */
  rollbackTargets(endpoint: string): Release[] {
    return rollbackTargets(this.parts.rows, this.parts.plane, endpoint);
  }

  /** Ends everything of an endpoint. Resolves when its memory is back. */
  async empty(endpoint: string, by: By): Promise<void> {
    const { rows, now, released } = this.parts;
    const { live, rollout, warm } = this.endpointNamed(endpoint);
    const text = `${by.name} removed the endpoint.`;
    if (rollout) this.takeOff(rollout, text, by);
    if (live) {
      rows.transaction(() => {
        rows.move(live.id, 'superseded', { reason: text, endedMs: now(), warmUntilMs: now(), watchUntilMs: null });
        rows.addEvent(live.id, 'superseded', by, text);
      });
      this.parts.publish();
    }
    for (const { id } of [rollout, live, ...warm].filter(isThere)) {
      await released.end(id, text);
      rows.change(id, { warmUntilMs: null });
    }
  }

  private considerStart(release: Release): void {
    const { rows, now } = this.parts;
    const { live, rollout } = this.endpointNamed(release.request.endpoint);
    const reason = whyWait(release.request, this.environmentOf(release).freezes, rollout?.id, now());
    if (reason !== undefined) {
      if (reason !== release.reason) rows.change(release.id, { reason });
      return;
    }
    const stage: Stage = { kind: 'starting', index: 0, percent: 0, startedMs: now() };
    // Where it goes live at once there will be no time to compare the two side by side.
    const baseline = live && this.guarding.baseline(live);
    rows.transaction(() => {
      rows.move(release.id, 'rolling-out', { reason: '', stage });
      if (baseline !== undefined) rows.setBaseline(release.id, baseline);
      rows.addEvent(release.id, 'started', bySystem, describeStage(stage, release.request.rollout));
    });
    this.parts.publish();
  }

  private async proceed(release: Release): Promise<void> {
    const { state, stage } = release;
    if (state !== 'rolling-out' || !stage) return;
    if (stage.kind === 'starting') await this.bringUp(release);
    else if (stage.kind === 'smoke') await this.askOnce(release);
    else this.lookAndMove(release, stage);
  }

  private async bringUp(release: Release): Promise<void> {
    try {
      await this.parts.released.start(this.toReleased(release));
    } catch (error) {
      if (this.isStopping) return;
      const { message, hint = '' } = error instanceof AppError ? error : { message: messageOf(error) };
      return this.takeOff(release, `${message} ${hint}`.trim(), bySystem);
    }
    if (!this.isStopping) this.next(release, bySystem);
  }

  private async askOnce(release: Release): Promise<void> {
    const { table } = this.parts.plane;
    const route = findRoute(table, release);
    const { live } = this.endpointNamed(release.request.endpoint);
    const isExcused = this.parts.rows.events(release.id).some(({ kind }) => kind === 'overridden');
    const result = route && (await smoke(this.parts.plane, route, live && findRoute(table, live)));
    if (this.isStopping) return;
    if (result) this.parts.rows.addEvent(release.id, 'stage', bySystem, result.text, { smoke: result.outcome });
    if (!route || (result!.outcome === 'failed' && !isExcused)) {
      this.takeOff(release, `It did not pass its first request. ${result?.text ?? ''}`.trim(), bySystem);
    } else this.next(release, bySystem);
  }

  private lookAndMove(release: Release, stage: Stage): void {
    const { rollout: plan, endpoint } = release.request;
    const { live } = this.endpointNamed(endpoint);
    const { state, reason } = this.parts.released.status(release.id);
    if (state === 'failed') return this.takeOff(release, reason, bySystem);
    const breach = this.guarding.look(release, live, this.environmentOf(release).guard);
    if (breach) {
      this.parts.rows.addEvent(release.id, 'guard', bySystem, breach.reason, { ...breach });
      return this.takeOff(release, breach.reason, bySystem);
    }
    const isHeld = this.parts.now() - stage.startedMs >= holdMsOf(stage, plan);
    if (isHeld && this.guarding.requestsInStage(release) >= plan.minRequests) this.next(release, bySystem);
  }

  private next(release: Release, by: By): void {
    const { rows, now } = this.parts;
    const { live } = this.endpointNamed(release.request.endpoint);
    // It may have been taken off while it was being started.
    if (rows.get(release.id).state !== 'rolling-out') return;
    const plan = release.request.rollout;
    const hasSmoke = this.environmentOf(release).policy.smoke;
    const next = stageAfter(release.stage!, plan, { hasLive: live !== undefined, hasSmoke });
    if (next === 'live') return this.goLive(release, live, by);
    const isFirst = release.stage!.kind === 'starting' || release.stage!.kind === 'smoke';
    rows.transaction(() => {
      rows.change(release.id, { stage: { ...next, startedMs: now() } });
      rows.addEvent(release.id, 'stage', by, describeStage(next, plan), { ...next });
    });
    this.parts.publish();
    if (next.kind === 'smoke') return;
    if (isFirst) this.guarding.begin(release, live);
    this.guarding.mark(release);
  }

  private goLive(release: Release, live: Release | undefined, by: By): void {
    const { rows, now } = this.parts;
    const { keepWarmMs, watchMs } = this.environmentOf(release);
    const isCompared = live !== undefined && this.guarding.requestsOf(live) >= enoughRequests;
    const baseline = isCompared ? this.guarding.baseline(live) : undefined;
    const text = live ? `It is live in the place of release ${live.id}.` : 'It is live.';
    const fresh = rows.transaction(() => {
      if (live) this.supersede(live, release.id, keepWarmMs);
      if (baseline !== undefined) rows.setBaseline(release.id, baseline);
      rows.addEvent(release.id, 'live', by, text);
      this.setDomain(release);
      const times = { liveMs: now(), watchUntilMs: now() + watchMs };
      return rows.move(release.id, 'live', { stage: null, ...times, replaced: live?.id ?? null });
    });
    this.parts.publish();
    this.guarding.begin(fresh, undefined);
    log('info', 'release is live', { release: fresh.id, endpoint: fresh.request.endpoint });
    this.parts.tell(fresh, 'live', by, text);
  }

  private supersede(live: Release, successor: number, keepWarmMs: number): void {
    const { rows, now } = this.parts;
    const reason = `Release ${successor} took its place.`;
    const times = { endedMs: now(), warmUntilMs: now() + keepWarmMs, watchUntilMs: null };
    rows.move(live.id, 'superseded', { reason, ...times });
    rows.addEvent(live.id, 'superseded', bySystem, reason, { successor });
  }

  /** Of one that is rolling out: what is live stays. It finishes what it has. */
  private takeOff(release: Release, reason: string, by: By): void {
    const { rows, now } = this.parts;
    const { stage, state } = rows.get(release.id);
    if (state !== 'rolling-out') return;
    const hasServed = stage?.kind === 'step' || stage?.kind === 'shadow';
    const kind = hasServed ? 'rolled-back' : 'failed';
    const taken = rows.transaction(() => {
      rows.addEvent(release.id, kind, by, reason);
      return rows.move(release.id, kind, { reason, stage: null, endedMs: now(), warmUntilMs: now() });
    });
    this.guarding.end(release);
    this.parts.publish();
    log('warn', 'release is taken off', { release: release.id, endpoint: release.request.endpoint, reason });
    this.parts.tell(taken, kind, by, reason);
  }

  /** Starts a release again that has no instances any more, while what is live goes on. */
  private async fetchBack(target: Release): Promise<void> {
    const { rows, now, released } = this.parts;
    rows.change(target.id, { warmUntilMs: now() + returnMs });
    this.parts.publish();
    await released.start(this.toReleased(target));
  }

  private putBack(target: Release, by: By, reason: string): Release {
    const { rows, now } = this.parts;
    const { live } = this.endpointNamed(target.request.endpoint);
    const keepWarmMs = by === bySystem ? 0 : this.environmentOf(target).keepWarmMs;
    const text = `It is live again in the place of release ${live?.id ?? '–'}: ${reason}`;
    const back = rows.transaction(() => {
      if (live) {
        const times = { endedMs: now(), warmUntilMs: now() + keepWarmMs, watchUntilMs: null };
        rows.move(live.id, 'rolled-back', { reason, ...times });
        rows.addEvent(live.id, 'rolled-back', by, reason, { to: target.id });
      }
      rows.addEvent(target.id, 'live', by, text);
      this.setDomain(target);
      return rows.move(target.id, 'live', { reason: '', endedMs: null, warmUntilMs: null, watchUntilMs: null });
    });
    if (live) this.guarding.end(live);
    this.parts.publish();
    if (live) this.parts.tell(rows.get(live.id), 'rolled-back', by, reason);
    return back;
  }

  /** The guard goes on looking for a while; what was live before is its measure. */
  private watch(release: Release): void {
    if (release.watchUntilMs === undefined || this.working.has(release.id)) return;
    const { rows, now } = this.parts;
    if (release.watchUntilMs <= now()) {
      this.guarding.end(release);
      rows.change(release.id, { watchUntilMs: null });
      return;
    }
    const json = rows.baseline(release.id);
    const baseline = json === undefined ? undefined : (JSON.parse(json) as SideSamples);
    const breach = this.guarding.look(release, baseline, this.environmentOf(release).guard);
    if (!breach) return;
    rows.addEvent(release.id, 'guard', bySystem, breach.reason, { ...breach });
    const [target] = this.rollbackTargets(release.request.endpoint).filter(({ id }) => id === release.replaced);
    if (!target) {
      // There is nothing better to go back to.
      this.guarding.end(release);
      rows.change(release.id, { watchUntilMs: null, reason: breach.reason });
      this.parts.tell(release, 'guard', bySystem, breach.reason);
      return;
    }
    void this.track(release, async () => {
      await this.rollBack(release.request.endpoint, bySystem, breach.reason, target.id);
    });
  }

  /** Ends instances that were kept for going back. */
  private cool({ id, warmUntilMs, state }: Release): void {
    if (state === 'live' || state === 'rolling-out' || warmUntilMs! > this.parts.now() || this.working.has(id)) return;
    void this.track({ id }, async () => {
      await this.parts.released.end(id, `release ${id} serves no more`);
      this.parts.rows.change(id, { warmUntilMs: null });
      this.parts.publish();
    });
  }

  private setDomain({ request: { endpoint, environment, domain } }: Release): void {
    this.parts.rows.putEndpoint({ name: endpoint, environment, domain: domain || null }, bySystem.name);
  }

  private track({ id }: Pick<Release, 'id'>, work: () => Promise<void>): Promise<void> {
    const done = work()
      .catch((error: unknown) => noteTrouble({ id }, error))
      .finally(() => this.working.delete(id));
    this.working.set(id, done);
    return done;
  }

  private environmentOf({ request }: Release): EnvironmentSettings {
    return this.parts.environments.get(request.environment).settings;
  }

  private toReleased(release: Release) {
    return releasedVersion(release, this.parts.settingsOf(release));
  }

  private endpointNamed(name: string): EndpointReleases {
    const found = this.endpoints().find(({ endpoint }) => endpoint.name === name);
    if (found) return found;
    throw new AppError('not_found', `There is no endpoint '${name}'.`, 'List the endpoints to see what there is.');
  }
}

function noteTrouble({ id }: Pick<Release, 'id'>, error: unknown): void {
  log('error', 'release cannot go on', { release: id, reason: messageOf(error) });
}

const isThere = <T>(value: T | undefined): value is T => value !== undefined;
