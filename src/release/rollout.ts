// Carries releases out: starts their instances, asks them once, moves traffic to them step by step while the guard looks,
// and takes them back. Every step is a transaction before it is an action, so that whenever the server ends, the next
// start finds what was decided and goes on from there.
import { AppError, messageOf } from '../error.ts';
import { NoRoom } from '../inference/not-ready.ts';
import type { EndpointPlan, Released } from '../inference/released.ts';
import { log } from '../log.ts';
import { findFreeze, whyWait } from './calendar.ts';
import { EndpointStanding } from './endpoint-standing.ts';
import type { SideSamples } from './guard.ts';
import { Guarding } from './guarding.ts';
import { type By, bySystem } from './release-rows.ts';
import { smoke } from './smoke.ts';
import { describeStage, holdMsOf, stageAfter } from './stages.ts';
import { Switching, type SwitchingParts } from './switching.ts';
import { findRoute, keyOf, toEndpointPlan } from './traffic-plan.ts';
import type { Release, Stage } from './types.ts';
import { findTarget, rollbackTargets } from './way-back.ts';

export interface RolloutParts extends SwitchingParts {
  released: Pick<Released, 'start' | 'end' | 'refresh' | 'status' | 'find' | 'failureOf'>;
  /** Whether it is still kept. */
  hasVersion(model: string, version: number): boolean;
}

/** What could not be done is tried again after that. */
const pauseMs = 30_000;

export class Rollouts {
  readonly guarding: Guarding;
  readonly standing: EndpointStanding;
  private readonly switching: Switching;
  private readonly working = new Map<number, Promise<void>>();
  private readonly pausedUntil = new Map<number, number>();
  private isStopping = false;

  constructor(private readonly parts: RolloutParts) {
    this.guarding = new Guarding({
      noted: (release) => parts.plane.noted(keyOf(release)),
      crashesOf: ({ id }) => parts.released.status(id).crashes,
    });
    this.standing = new EndpointStanding(parts);
    this.switching = new Switching(parts, this.standing, this.guarding, () => this.isStopping);
  }

  /** What the routing table is made from. */
  plans(): EndpointPlan[] {
    return this.standing.list().map((each) => toEndpointPlan(each, this.parts.settingsOf));
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
    const all = this.standing.list().flatMap(({ live, rollout, warm }) => [live, rollout, ...warm].filter(isThere));
    await Promise.all(
      all.map((release) => {
        const starting = released.start(this.standing.toReleased(release));
        if (release.watchUntilMs !== undefined) this.guarding.begin(release, undefined);
        if (release.state !== 'rolling-out') return starting.catch((error: unknown) => noteTrouble(release, error));
        return this.track(release, async () => {
          // One that has not begun to serve is started like any other.
          const isServing = release.stage?.kind !== 'starting';
          await starting.catch((error) => {
            if (isServing && !this.isStopping) this.switching.takeOff(release, messageOf(error), bySystem);
          });
          this.guarding.begin(release, this.standing.get(release.request.endpoint).live);
        });
      }),
    );
  }

  /** Ends everything of an endpoint. Resolves when its memory is back. */
  empty(endpoint: string, by: By): Promise<void> {
    return this.switching.empty(endpoint, by);
  }

  /** Looks at everything that may have to go on. To be called about once a second. */
  tick(): void {
    if (this.isStopping) return;
    const { rows } = this.parts;
    for (const release of rows.inState('approved')) attempt(release, () => this.considerStart(release));
    for (const release of rows.inState('rolling-out')) {
      if (!this.mustWait(release)) void this.track(release, () => this.proceed(rows.get(release.id)));
    }
    for (const release of rows.inState('live')) {
      attempt(release, () => this.bringBack(release));
      attempt(release, () => this.watch(release));
    }
    for (const release of rows.warm()) attempt(release, () => this.cool(release));
  }

  /** Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.isStopping = true;
    await Promise.all(this.working.values());
  }

  /** Goes to the next stage now. @param sinceMs when the one began that is to end @throws AppError conflict */
  async advance(release: Release, by: By, sinceMs?: number): Promise<void> {
    requireStep(release, sinceMs);
    await this.working.get(release.id);
    requireStep(this.parts.rows.get(release.id), sinceMs);
    this.next(this.parts.rows.get(release.id), by);
  }

  /**
   * Ends a rollout, or puts an earlier release back.
   * @param to absent: out of a rollout to what is live; else to the one that was live before
   * @returns the release that is live now, or the one that was taken off where nothing is; resolves when it answers
   * @throws AppError conflict when there is none, unavailable when it cannot be started
   */
  async rollBack(endpoint: string, by: By, reason: string, to?: number): Promise<Release> {
    const { rows } = this.parts;
    const { live, rollout } = this.standing.get(endpoint);
    if (this.switching.leaving.has(endpoint)) throw new AppError('conflict', `'${endpoint}' is being removed.`);
    this.switching.holdBack(endpoint, by, `${endpoint} was rolled back: ${reason}`);
    if (rollout && (to === undefined || to === live?.id)) {
      this.switching.takeOff(rollout, reason, by);
      return rows.get((live ?? rollout).id);
    }
    const target = findTarget(this.rollbackTargets(endpoint), endpoint, to);
    if (rollout) this.switching.takeOff(rollout, reason, by);
    return this.switching.goBack(target, by, reason);
  }

  /** Where a rollback of an endpoint may lead, the best first. */
  rollbackTargets(endpoint: string): Release[] {
    return rollbackTargets(this.parts.rows, this.parts.hasVersion, endpoint);
  }

  private considerStart(release: Release): void {
    const { rows, now } = this.parts;
    if (this.switching.leaving.has(release.request.endpoint)) return;
    const { live, rollout } = this.standing.get(release.request.endpoint);
    const reason = whyWait(release.request, this.standing.environmentOf(release).freezes, rollout?.id, now());
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
      await this.parts.released.start(this.standing.toReleased(release));
    } catch (error) {
      if (this.isStopping) return;
      const { live } = this.standing.get(release.request.endpoint);
      if (live && error instanceof NoRoom && this.isExcused(release)) return this.switching.swap(release, live);
      const { message, hint = '' } = error instanceof AppError ? error : { message: messageOf(error) };
      return this.switching.takeOff(release, `${message} ${hint}`.trim(), bySystem);
    }
    if (!this.isStopping) this.next(release, bySystem);
  }

  private async askOnce(release: Release): Promise<void> {
    const { table } = this.parts.plane;
    const route = findRoute(table, release);
    const { live } = this.standing.get(release.request.endpoint);
    const result = route && (await smoke(this.parts.plane, route, live && findRoute(table, live)));
    if (this.isStopping) return;
    if (result) this.parts.rows.addEvent(release.id, 'stage', bySystem, result.text, { smoke: result.outcome });
    if (!route || (result!.outcome === 'failed' && !this.isExcused(release))) {
      this.switching.takeOff(release, `It did not pass its first request. ${result?.text ?? ''}`.trim(), bySystem);
    } else this.next(release, bySystem);
  }

  /** Somebody said that red checks do not matter. */
  private isExcused({ id }: Release): boolean {
    return this.parts.rows.events(id).some(({ kind }) => kind === 'overridden');
  }

  private lookAndMove(release: Release, stage: Stage): void {
    const { rollout: plan, endpoint } = release.request;
    const { live } = this.standing.get(endpoint);
    const { state, reason } = this.parts.released.status(release.id);
    if (state === 'failed') return this.switching.takeOff(release, reason, bySystem);
    const breach = this.guarding.look(release, live, this.standing.environmentOf(release).guard);
    if (breach) {
      this.parts.rows.addEvent(release.id, 'guard', bySystem, breach.reason, { ...breach });
      return this.switching.takeOff(release, breach.reason, bySystem);
    }
    const now = this.parts.now();
    const isHeld = now - stage.startedMs >= holdMsOf(stage, plan);
    const isFrozen = findFreeze(this.standing.environmentOf(release).freezes, now) !== undefined;
    if (isHeld && !isFrozen && this.guarding.requestsInStage(release) >= plan.minRequests) this.next(release, bySystem);
  }

  private next(release: Release, by: By): void {
    const { rows, now } = this.parts;
    const { live } = this.standing.get(release.request.endpoint);
    // It may have been taken off while it was being started.
    if (rows.get(release.id).state !== 'rolling-out') return;
    const plan = release.request.rollout;
    const hasSmoke = this.standing.environmentOf(release).policy.smoke;
    const next = stageAfter(release.stage!, plan, { hasLive: live !== undefined, hasSmoke });
    if (next === 'live') return this.switching.goLive(release, live, by);
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

  /** One that is live and could not even be laid out, for want of disk for example, is tried again now and then. */
  private bringBack(release: Release): void {
    const { released } = this.parts;
    if (released.find(release.id) || released.failureOf(release.id) === undefined || this.mustWait(release)) return;
    void this.track(release, () => released.start(this.standing.toReleased(release)));
  }

  /** Something is under way, or failed a short while ago. */
  private mustWait({ id }: Pick<Release, 'id'>): boolean {
    return this.working.has(id) || (this.pausedUntil.get(id) ?? 0) > this.parts.now();
  }

  /** The guard goes on looking for a while; what was live before is its measure. */
  private watch(release: Release): void {
    const { rows, now } = this.parts;
    if (release.watchUntilMs === undefined || this.mustWait(release)) return;
    if (release.watchUntilMs <= now()) {
      this.guarding.end(release);
      rows.change(release.id, { watchUntilMs: null });
      return;
    }
    const json = rows.baseline(release.id);
    const baseline = json === undefined ? undefined : (JSON.parse(json) as SideSamples);
    const breach = this.guarding.look(release, baseline, this.standing.environmentOf(release).guard);
    if (!breach) return;
    // A rollback that failed is tried again, and said once.
    if (release.reason !== breach.reason) {
      rows.addEvent(release.id, 'guard', bySystem, breach.reason, { ...breach });
      rows.change(release.id, { reason: breach.reason });
    }
    const [target] = this.rollbackTargets(release.request.endpoint).filter(({ id }) => id === release.replaced);
    if (!target) {
      // There is nothing better to go back to.
      this.guarding.end(release);
      rows.change(release.id, { watchUntilMs: null });
      this.parts.tell(release, 'guard', bySystem, breach.reason);
      return;
    }
    void this.track(release, async () => {
      await this.rollBack(release.request.endpoint, bySystem, breach.reason, target.id);
    });
  }

  /** Ends instances that were kept for going back. */
  private cool({ id, warmUntilMs, state }: Release): void {
    if (state === 'live' || state === 'rolling-out' || warmUntilMs! > this.parts.now() || this.mustWait({ id })) return;
    void this.track({ id }, async () => {
      await this.parts.released.end(id, `release ${id} serves no more`);
      // It may have been fetched back meanwhile.
      const { warmUntilMs: untilMs = 0 } = this.parts.rows.get(id);
      if (untilMs <= this.parts.now()) this.parts.rows.change(id, { warmUntilMs: null });
      this.parts.publish();
    });
  }

  private track({ id }: Pick<Release, 'id'>, work: () => Promise<void>): Promise<void> {
    const done = work()
      .catch((error: unknown) => {
        this.pausedUntil.set(id, this.parts.now() + pauseMs);
        noteTrouble({ id }, error);
      })
      .finally(() => this.working.delete(id));
    this.working.set(id, done);
    return done;
  }
}

/** One that is in trouble must not keep the others from going on. */
function attempt(release: Release, work: () => void): void {
  try {
    work();
  } catch (error) {
    noteTrouble(release, error);
  }
}

/** @throws AppError conflict */
function requireStep({ id, state, stage }: Release, sinceMs?: number): void {
  if (state !== 'rolling-out' || !stage) throw new AppError('conflict', `Release ${id} is not rolling out.`);
  if (stage.kind !== 'shadow' && stage.kind !== 'step') {
    throw new AppError('conflict', 'Its instances are not ready yet.', 'Wait until its first step has begun.');
  }
  if (sinceMs === undefined || sinceMs === stage.startedMs) return;
  throw new AppError('conflict', 'The rollout took its next step meanwhile.', 'Look at it again before you go on.');
}

function noteTrouble({ id }: Pick<Release, 'id'>, error: unknown): void {
  log('error', 'release cannot go on', { release: id, reason: messageOf(error) });
}

const isThere = <T>(value: T | undefined): value is T => value !== undefined;
