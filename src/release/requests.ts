// The way of a request from draft to decision: who may do what next, what is written down, and who hears of it. What
// happens after an approval is rollout.ts's.
import { type Actor, mayDo } from '../access/actor.ts';
import type { UserRole } from '../access/roles.ts';
import { AppError } from '../error.ts';
import type { ReleaseControl } from './control.ts';
import type { Environments } from './environments.ts';
import { isRed } from './policy.ts';
import { type By, bySystem, type ReleaseRows } from './release-rows.ts';
import { parseEvidence, parseRequest, usualRequest } from './request.ts';
import { gather, type ReviewingParts } from './reviewing.ts';
import type { Rollouts } from './rollout.ts';
import { isEditable, requireFollow } from './states.ts';
import { allAtOnce, type EnvironmentName, type Release, type ReleaseEvent, type ReleaseRequest } from './types.ts';
import { authorsOf, byOf, requireFourEyes, requireOwn, requireRequester } from './who.ts';

export interface RequestParts {
  rows: ReleaseRows;
  environments: Environments;
  reviewing: ReviewingParts;
  rollouts: Pick<Rollouts, 'tick'>;
  publish(): void;
  tell(release: Release, kind: ReleaseEvent['kind'], by: By, text: string): void;
  now(): number;
  getVersion: ReviewingParts['getVersion'];
  /** Ascending. @throws AppError not_found */
  versionsOf(model: string): number[];
  people(): { id: string; role: UserRole }[];
}

export type Requests = Pick<
  ReleaseControl,
  'prefill' | 'create' | 'edit' | 'submit' | 'withdraw' | 'comment' | 'attach' | 'askChanges' | 'reject' | 'approve'
>;

const longestText = 10_000;

export function createRequests(parts: RequestParts): Requests {
  const { rows, environments, reviewing, rollouts, publish, tell, now } = parts;

  function roleOf(actor: Actor): UserRole {
    if (actor.kind === 'system') return 'administrator';
    if (actor.kind === 'user') return actor.role;
    const { id } = byOf(actor);
    return parts.people().find((each) => each.id === id)?.role ?? 'viewer';
  }

  /**
   * The environment that an endpoint is bound to. A name that was live in production is, also once it was removed: its
   * callers must not get what nobody looked at.
   */
  function placeOf(endpoint: string): EnvironmentName | undefined {
    const before = rows.environmentOf(endpoint);
    return rows.findEndpoint(endpoint)?.environment ?? (before === 'production' ? before : undefined);
  }

  /** An endpoint that is there keeps its environment; devices are those that the environment has. */
  function checkPlace(request: ReleaseRequest): void {
    const { endpoint, environment, model, version } = request;
    parts.getVersion(model, version);
    const known = placeOf(endpoint);
    if (known && known !== environment) {
      throw new AppError(
        'invalid',
        `environment of '${endpoint}' is ${known}, not ${environment}.`,
        'An endpoint stays in its environment: name another endpoint (--endpoint), such as the name with -staging.',
      );
    }
    const { deviceIds } = environments.get(environment).settings;
    const foreign = deviceIds && request.deviceIds?.find((id) => !deviceIds.includes(id));
    if (foreign) throw new AppError('invalid', `deviceIds: ${environment} has no device '${foreign}'.`);
  }

  function prefill(wish: Parameters<ReleaseControl['prefill']>[0]): ReleaseRequest {
    const live = wish.endpoint ? rows.list({ endpoint: wish.endpoint, state: 'live', limit: 1 })[0] : undefined;
    const model = wish.model ?? live?.request.model ?? '';
    const version = wish.version ?? (model === '' ? 1 : (parts.versionsOf(model).at(-1) ?? 1));
    const usual = usualRequest(model, version);
    const licence = model === '' ? '' : (parts.getVersion(model, version).manifest.licence ?? '');
    const known = wish.endpoint === undefined ? undefined : placeOf(wish.endpoint);
    const before = live?.request;
    return {
      ...usual,
      ...before,
      ...(wish.endpoint !== undefined && { endpoint: wish.endpoint }),
      environment: known ?? wish.environment ?? usual.environment,
      model,
      version,
      licence: licence || (before?.licence ?? ''),
      statement: '',
      evidence: [],
      notBeforeMs: null,
    };
  }

  /** One transaction: the new state, its event, and the news. */
  function decide(
    id: number,
    by: By,
    state: Release['state'],
    {
      kind,
      text,
      change = {},
      data = {},
    }: {
      kind: ReleaseEvent['kind'];
      text: string;
      change?: Parameters<ReleaseRows['move']>[2];
      data?: object;
    },
  ): Release {
    return rows.transaction(() => {
      const release = rows.move(id, state, change);
      rows.addEvent(id, kind, by, text, data);
      tell(release, kind, by, text);
      return release;
    });
  }

  function accept(release: Release, by: By, text: string, data: object = {}): Release {
    const approved = rows.transaction(() => {
      if (!rows.findEndpoint(release.request.endpoint)) {
        const { endpoint: name, environment } = release.request;
        rows.putEndpoint({ name, environment, domain: null }, by.name);
      }
      const change = { decidedMs: now(), decidedBy: by.name, reason: '' };
      return decide(release.id, by, 'approved', { kind: 'approved', text, change, data });
    });
    publish();
    setImmediate(() => rollouts.tick());
    return approved;
  }

  const refuseWith = (kind: 'changes-asked' | 'rejected') => (actor: Actor, id: number, reason: string) => {
    const text = requireText(reason, 'reason');
    const by = byOf(actor);
    const change = { reason: text, decidedMs: now(), decidedBy: by.name };
    return decide(id, by, kind, { kind, text, change });
  };

  return {
    prefill,
    create(actor, value) {
      const wish = (value ?? {}) as Record<string, unknown>;
      const text = (key: string) => (typeof wish[key] === 'string' && wish[key] !== '' ? wish[key] : undefined);
      const version = typeof wish.version === 'number' ? wish.version : undefined;
      // How the one before was rolled out says nothing of how this one is to be, unless somebody looked at the form.
      const base = { ...prefill({ model: text('model'), endpoint: text('endpoint'), version }), rollout: allAtOnce };
      const request = parseRequest(value, base);
      checkPlace(request);
      requireRequester(roleOf(actor), environments.get(request.environment).settings, request.environment);
      const by = byOf(actor);
      return rows.transaction(() => {
        const release = rows.insert(request, by);
        rows.addEvent(release.id, 'created', by, request.statement);
        return release;
      });
    },
    edit(actor, id, patch, revision) {
      const release = rows.get(id);
      requireOwn(actor, release);
      if (!isEditable(release.state)) {
        throw new AppError(
          'conflict',
          `A release that is ${release.state} is not edited.`,
          'A reviewer can ask for changes; or make a new request.',
        );
      }
      requireRevision(release, revision);
      const read = parseRequest(patch, release.request);
      const request = aboutSameVersion(release.request, read)
        ? read
        : { ...read, evidence: withoutMeasured(read, release.request) };
      checkPlace(request);
      requireRequester(roleOf(actor), environments.get(request.environment).settings, request.environment);
      return rows.transaction(() => {
        rows.addEvent(id, 'edited', byOf(actor), '', { before: release.request, after: request });
        return rows.setRequest(id, request);
      });
    },
    async submit(actor, id) {
      const release = rows.get(id);
      requireOwn(actor, release);
      checkPlace(release.request);
      const { checks } = await gather(release, reviewing);
      requireRevision(rows.get(id), release.revision);
      const { settings } = environments.get(release.request.environment);
      requireRequester(roleOf(actor), settings, release.request.environment);
      const hopeless = checks.find((check) => isRed(check) && !check.mayOverride);
      if (hopeless) throw new AppError('conflict', hopeless.text, 'Change the request, then submit it again.');
      const by = byOf(actor);
      const text = release.request.statement || 'Please review.';
      const submitted = decide(id, by, 'submitted', { kind: 'submitted', text, change: { submittedMs: now() } });
      if (settings.needsReview || checks.some(isRed)) return submitted;
      return accept(submitted, bySystem, 'All checks are green, and no review is needed here.');
    },
    withdraw(actor, id, reason) {
      requireOwn(actor, rows.get(id));
      const change = { reason: reason.trim().slice(0, longestText), endedMs: now() };
      return decide(id, byOf(actor), 'withdrawn', { kind: 'withdrawn', text: change.reason, change });
    },
    comment(actor, id, text) {
      const release = rows.get(id);
      const by = byOf(actor);
      const said = requireText(text, 'text');
      const event = rows.addEvent(id, 'commented', by, said);
      tell(release, 'commented', by, said);
      return event;
    },
    attach(actor, id, evidence) {
      const release = rows.get(id);
      if (!mayDo(actor, 'release.review')) requireOwn(actor, release);
      const read = parseEvidence(evidence);
      if (!['draft', 'submitted', 'changes-asked'].includes(release.state)) {
        throw new AppError('conflict', `Nothing is attached to a release that is ${release.state}.`);
      }
      const request = parseRequest({ evidence: [...release.request.evidence, read] }, release.request);
      return rows.transaction(() => {
        rows.addEvent(id, 'edited', byOf(actor), `Attached: ${read.title}`);
        return rows.setRequest(id, request);
      });
    },
    askChanges: refuseWith('changes-asked'),
    reject: refuseWith('rejected'),
    async approve(actor, id, { comment = '', override, revision } = {}) {
      const release = rows.get(id);
      requireRevision(release, revision);
      requireFollow(release.state, 'approved');
      checkPlace(release.request);
      const { checks } = await gather(release, reviewing);
      requireRevision(rows.get(id), release.revision);
      const { settings } = environments.get(release.request.environment);
      requireFourEyes(actor, authorsOf(release, rows.events(id)), settings);
      const red = checks.filter(isRed);
      const hopeless = red.find((check) => !check.mayOverride);
      if (hopeless) throw new AppError('conflict', hopeless.text, 'Ask for changes.');
      const by = byOf(actor);
      if (red.length > 0) {
        if (override === undefined || override.trim() === '') {
          throw new AppError(
            'conflict',
            `Not all checks are green: ${red.map(({ text }) => text).join(' ')}`,
            'Ask for changes, or override them with a reason.',
          );
        }
      }
      const excuse = override?.trim();
      // It also excuses what turns out only later.
      if (excuse && !mayDo(actor, 'release.override')) {
        throw new AppError('forbidden', 'Red checks are overridden by an administrator alone.');
      }
      return rows.transaction(() => {
        if (excuse) rows.addEvent(id, 'overridden', by, excuse, { checks: red.map(({ name }) => name) });
        return accept(rows.get(id), by, comment.trim() || 'Approved.', excuse ? { override: excuse } : {});
      });
    },
  };
}

function requireRevision({ revision }: Release, expected: number | undefined): void {
  if (expected === undefined || expected === revision) return;
  throw new AppError('conflict', 'Somebody has changed this request meanwhile.', 'Look at it again first.');
}

const aboutSameVersion = (a: ReleaseRequest, b: ReleaseRequest) => a.model === b.model && a.version === b.version;

/** What was measured of another version says nothing of this one. */
function withoutMeasured({ evidence }: ReleaseRequest, before: ReleaseRequest): ReleaseRequest['evidence'] {
  const old = new Set(before.evidence.map((each) => JSON.stringify(each)));
  const isMeasured = (kind: string) => kind === 'report' || kind === 'load-test';
  return evidence.filter((each) => !isMeasured(each.kind) || !old.has(JSON.stringify(each)));
}

function requireText(text: string, what: string): string {
  const trimmed = text.trim();
  if (trimmed !== '' && trimmed.length <= longestText) return trimmed;
  throw new AppError('invalid', `${what} must have 1 to ${longestText} characters.`, 'Say why in a sentence.');
}
