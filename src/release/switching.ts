// How one release takes the place of another: each a transaction, then the routing table made anew, so that callers see
// either the one or the other. When that is to happen is rollout.ts's matter.
import { messageOf } from '../error.ts';
import { NoRoom } from '../inference/not-ready.ts';
import type { Notes } from '../inference/notes.ts';
import type { DataPlane } from '../inference/plane.ts';
import type { Released } from '../inference/released.ts';
import { log } from '../log.ts';
import type { EndpointStanding, StandingParts } from './endpoint-standing.ts';
import type { Guarding } from './guarding.ts';
import { type By, bySystem } from './release-rows.ts';
import type { Release, ReleaseEvent } from './types.ts';

export interface SwitchingParts extends StandingParts {
  released: Pick<Released, 'start' | 'end' | 'refresh'>;
  plane: DataPlane & { noted(key: string): Notes | undefined };
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

export class Switching {
  /** Endpoints that are being removed: nothing begins there. */
  readonly leaving = new Set<string>();

  constructor(
    private readonly parts: SwitchingParts,
    private readonly standing: EndpointStanding,
    private readonly guarding: Guarding,
    private readonly isStopping: () => boolean,
  ) {}

  /** @param keepWarmMs of the one that it replaces; absent: as the environment says */
  goLive(release: Release, live: Release | undefined, by: By, keepWarmMs?: number): void {
    const { rows, now } = this.parts;
    const settings = this.standing.environmentOf(release);
    const { watchMs } = settings;
    const isCompared = live !== undefined && this.guarding.requestsOf(live) >= enoughRequests;
    const baseline = isCompared ? this.guarding.baseline(live) : undefined;
    const text = live ? `It is live in the place of release ${live.id}.` : 'It is live.';
    const fresh = rows.transaction(() => {
      if (live) this.supersede(live, release.id, keepWarmMs ?? settings.keepWarmMs);
      if (baseline !== undefined) rows.setBaseline(release.id, baseline);
      rows.addEvent(release.id, 'live', by, text);
      this.setDomain(release);
      const times = { liveMs: now(), watchUntilMs: now() + watchMs };
      return rows.move(release.id, 'live', { stage: null, ...times, replaced: live?.id ?? null });
    });
    this.settle(live, fresh);
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
    this.guarding.end(live);
  }

  /** Of one that is rolling out: what is live stays. It finishes what it has. */
  takeOff(release: Release, reason: string, by: By): void {
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

  /**
   * Has an earlier release answer again: first its instances, as many as it asked for, while what is live goes on; where
   * there is not room for both, what is live makes room, and callers wait.
   */
  async goBack(target: Release, by: By, reason: string): Promise<Release> {
    const { rows, now, released } = this.parts;
    rows.change(target.id, { warmUntilMs: now() + returnMs });
    this.parts.publish();
    const wanted = this.standing.toReleased({ ...target, state: 'live' });
    try {
      await released.start(wanted);
    } catch (error) {
      const { live } = this.standing.get(target.request.endpoint);
      if (!live || !(error instanceof NoRoom)) throw error;
      const back = this.putBack(target, by, reason);
      await released.end(live.id, `release ${target.id} needs its room`);
      await released.start(wanted);
      return back;
    }
    return this.putBack(target, by, reason);
  }

  private putBack(target: Release, by: By, reason: string): Release {
    const { rows, now } = this.parts;
    const { live } = this.standing.get(target.request.endpoint);
    // Two may have asked for it at once.
    if (live?.id === target.id) return live;
    const keepWarmMs = by === bySystem ? 0 : this.standing.environmentOf(target).keepWarmMs;
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
    this.settle(live, back);
    if (live) this.parts.tell(rows.get(live.id), 'rolled-back', by, reason);
    return back;
  }

  /**
   * There is room for one of the two only: callers wait while what is live ends and the new one starts. When that cannot be
   * started the old one is back.
   */
  async swap(release: Release, live: Release): Promise<void> {
    const { rows, released } = this.parts;
    rows.addEvent(release.id, 'stage', bySystem, 'There is room for one of the two: what is live makes room.');
    this.goLive(release, live, bySystem, 0);
    await released.end(live.id, `release ${release.id} needs its room`);
    try {
      await released.start(this.standing.toReleased(release));
    } catch (error) {
      if (this.isStopping()) return;
      const reason = messageOf(error);
      await released.end(release.id, reason);
      this.putBack(rows.get(live.id), bySystem, reason);
      await released.start(this.standing.toReleased(live));
    }
  }

  /** What was approved and waits for its turn must not go live behind somebody's back. */
  holdBack(endpoint: string, by: By, text: string): void {
    const { rows, now } = this.parts;
    for (const { id } of rows.list({ endpoint, state: 'approved' })) {
      rows.transaction(() => {
        rows.move(id, 'withdrawn', { reason: text, endedMs: now() });
        rows.addEvent(id, 'withdrawn', by, text);
      });
    }
  }

  /** Ends everything of an endpoint. Resolves when its memory is back. */
  async empty(endpoint: string, by: By): Promise<void> {
    this.leaving.add(endpoint);
    try {
      await this.takeAway(endpoint, by);
    } finally {
      this.leaving.delete(endpoint);
    }
  }

  private async takeAway(endpoint: string, by: By): Promise<void> {
    const { rows, now, released } = this.parts;
    const { live, rollout, warm } = this.standing.get(endpoint);
    const text = `${by.name} removed the endpoint.`;
    if (rollout) this.takeOff(rollout, text, by);
    this.holdBack(endpoint, by, text);
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
    rows.removeEndpoint(endpoint);
    this.parts.publish();
  }

  /** Each has the settings of its new state, and its place in the routing table. */
  private settle(...releases: (Release | undefined)[]): void {
    const { rows, released, publish } = this.parts;
    for (const { id } of releases.filter(isThere)) released.refresh(this.standing.toReleased(rows.get(id)));
    publish();
  }

  /** A name that another endpoint has got meanwhile stays with that one. */
  private setDomain({ id, request: { endpoint: name, environment, domain } }: Release): void {
    const { rows } = this.parts;
    const owner = rows.endpoints().find((each) => domain !== '' && each.domain === domain && each.name !== name);
    if (owner) {
      rows.addEvent(
        id,
        'stage',
        bySystem,
        `It goes without the host name ${domain}: the endpoint '${owner.name}' has it.`,
      );
    }
    rows.putEndpoint({ name, environment, domain: owner ? null : domain || null }, bySystem.name);
  }
}

const isThere = <T>(value: T | undefined): value is T => value !== undefined;
