// Going live without models and processes: keeps what it is asked for in memory and writes down every call. It checks no
// field and starts nothing; what the real one does has tests of its own.
import type { Actor } from '../../src/access/actor.ts';
import { AppError } from '../../src/error.ts';
import type { EndpointStatus, ReleaseControl, Retention, VersionNote } from '../../src/release/control.ts';
import {
  allAtOnce,
  defaultEnvironments,
  type Difference,
  type Endpoint,
  type Environment,
  environmentNames,
  type PolicyCheck,
  type Release,
  type ReleaseEvent,
  type ReleaseRequest,
  type ReleaseState,
} from '../../src/release/types.ts';

export const startMs = Date.parse('2026-03-01T12:00:00.000Z');

const defaults: ReleaseRequest = {
  endpoint: '',
  environment: 'production',
  model: '',
  version: 1,
  licence: '',
  minInstances: 1,
  maxInstances: 1,
  deviceIds: null,
  domain: '',
  inferenceTimeoutMs: 5000,
  maxQueueSize: 0,
  ratePerSecond: null,
  statement: '',
  contact: '',
  evidence: [],
  rollout: allAtOnce,
  notBeforeMs: null,
};

const differences: Difference[] = [
  { group: 'signature', what: 'input image', before: '[-1, 3, 64, 64]', after: '[-1, 3, 96, 96]', weight: 'breaking' },
  { group: 'size', what: 'weights', before: '1 MB', after: '2 MB', weight: 'plain' },
];

/** Licences are the one policy that it has. */
const checksOf = ({ request }: Release): PolicyCheck[] => [
  { name: 'room', state: 'green', text: 'It fits on cpu.', mayOverride: false },
  request.licence === ''
    ? { name: 'licence', state: 'red', text: 'No licence is named.', mayOverride: true }
    : { name: 'licence', state: 'green', text: request.licence, mayOverride: true },
  { name: 'smoke', state: 'pending', text: 'It is tried when it starts.', mayOverride: true },
];

const isRed = ({ state }: PolicyCheck) => state === 'red';

/** @param versions that exist, by model */
export function createReleaseControl(versions: Record<string, number[]>) {
  const calls: unknown[][] = [];
  const releases: Release[] = [];
  const events: ReleaseEvent[] = [];
  const notes = new Map<string, VersionNote>();
  const retentions = new Map<string, Retention>();
  let nowMs = startMs;
  const environments = environmentNames.map((name): Environment => {
    return { name, settings: structuredClone(defaultEnvironments[name]), revision: 1, changedMs: nowMs, changedBy: '' };
  });

  const who = (actor: Actor) => {
    const { id = 'system', name = 'nobody' } = actor as { id?: string; name?: string };
    return { id, name };
  };
  const find = (id: number) => {
    const release = releases.find((each) => each.id === id);
    if (!release) throw new AppError('not_found', `There is no release ${id}.`);
    return release;
  };
  const missing = (what: string) => new AppError('not_found', `There is no ${what}.`);
  const requireVersion = ({ model, version }: { model: string; version: number }) => {
    if (!versions[model]?.includes(version)) throw missing(`version ${version} of '${model}'`);
  };
  const requireRevision = (given: number | undefined, { revision }: { revision: number }) => {
    if (given !== undefined && given !== revision) throw new AppError('conflict', 'Somebody else was faster.');
  };
  function log(actor: Actor, release: Release, kind: ReleaseEvent['kind'], text = ''): ReleaseEvent {
    const event = { id: events.length + 1, release: release.id, atMs: (nowMs += 1000), kind, actor: who(actor), text };
    events.push({ ...event, data: {} });
    return events.at(-1)!;
  }
  function move(
    actor: Actor,
    id: number,
    from: ReleaseState[],
    to: ReleaseState,
    kind: ReleaseEvent['kind'],
    why = '',
  ) {
    const release = find(id);
    if (!from.includes(release.state)) throw new AppError('conflict', `Release ${id} is ${release.state}.`);
    log(actor, release, kind, why);
    Object.assign(release, { state: to, reason: why, changedMs: nowMs, revision: release.revision + 1 });
    return structuredClone(release);
  }
  function goLive(actor: Actor, id: number): Release {
    const release = find(id);
    const before = releases.find((each) => each.state === 'live' && each.request.endpoint === release.request.endpoint);
    if (before) move(actor, before.id, ['live'], 'superseded', 'superseded');
    move(actor, id, ['approved', 'rolling-out', 'superseded', 'rolled-back'], 'live', 'live');
    Object.assign(release, { liveMs: nowMs, ...(before && { replaced: before.id }) });
    return structuredClone(release);
  }
  function endpoints(): Endpoint[] {
    const names = [...new Set(releases.map(({ request }) => request.endpoint))];
    return names.flatMap((name) => {
      const own = releases.filter(({ request }) => request.endpoint === name);
      const live = own.find(({ state }) => state === 'live');
      const rollout = own.find(({ state }) => state === 'rolling-out');
      const shown = live ?? rollout;
      if (!shown) return [];
      const { environment, domain } = shown.request;
      const hosts = [...(domain === '' ? [] : [domain]), `${name}.models.lan`];
      return [{ name, environment, hosts, createdMs: startMs, createdBy: 'Ada', live, rollout }];
    });
  }
  function status(name: string): EndpointStatus {
    const endpoint = endpoints().find((each) => each.name === name);
    if (!endpoint) throw missing(`endpoint '${name}'`);
    const history = releases.filter(({ request }) => request.endpoint === name).toReversed();
    const sides = history.flatMap(({ id, state, request: { model, version } }): EndpointStatus['sides'] => {
      const traffic = { requests: 100, errors: 1, nonFinite: 0, crashes: 0, p50Ms: 2, p95Ms: 4.25, instances: 1 };
      const side = { release: id, model, version, state: 'ready', ...traffic };
      if (state === 'live') return [{ role: 'live', share: endpoint.rollout ? 0.75 : 1, ...side }];
      return state === 'rolling-out' ? [{ role: 'candidate', share: 0.25, ...side }] : [];
    });
    const isOf = ({ release }: ReleaseEvent) => find(release).request.endpoint === name;
    const rollbackTargets = history.filter(({ state }) => state === 'superseded').map(({ id }) => id);
    return { endpoint, sides, history, events: events.filter(isOf), rollbackTargets };
  }

  const control: ReleaseControl = {
    environments: () => structuredClone(environments),
    setEnvironment(_actor, name, patch, revision) {
      const found = environments.find((each) => each.name === name)!;
      requireRevision(revision, found);
      Object.assign(found, { settings: { ...found.settings, ...(patch as object) }, revision: found.revision + 1 });
      return structuredClone(found);
    },
    events: (id) => structuredClone(events.filter(({ release }) => release === find(id).id)),
    traffic: () => [],
    counts: () => ({ states: [], takenBack: [] }),
    endpoints,
    endpoint: status,
    async removeEndpoint(_actor, name) {
      for (const { id } of status(name).history) releases.splice(releases.indexOf(find(id)), 1);
    },
    releases({ state, endpoint, model, environment, before = Infinity, limit = 50 } = {}) {
      return releases
        .filter(({ id, request, ...release }) => {
          const wanted = [state ?? release.state, endpoint ?? request.endpoint, model ?? request.model];
          const isWanted = Bun.deepEquals(wanted, [release.state, request.endpoint, request.model]);
          return isWanted && id < before && (environment ?? request.environment) === request.environment;
        })
        .toReversed()
        .slice(0, limit);
    },
    waiting: () => releases.filter(({ state }) => state === 'submitted').length,
    get: (id) => structuredClone(find(id)),
    async review(actor, id) {
      const release = find(id);
      const live = endpoints().find(({ name }) => name === release.request.endpoint)?.live;
      const own = events.filter((event) => event.release === id);
      const isMine = who(actor).id === release.requester.id;
      const may = { edit: isMine, submit: isMine, withdraw: isMine, approve: !isMine, override: !isMine };
      return {
        release,
        events: own,
        live,
        differences: live ? differences : [],
        checks: checksOf(release),
        may: { ...may, reject: !isMine, ask: !isMine, comment: true },
      };
    },
    prefill: (wish) => ({ ...structuredClone(defaults), ...wish }),
    create(actor, value) {
      const wish = value as Partial<ReleaseRequest>;
      const request = { ...structuredClone(defaults), ...wish, endpoint: wish.endpoint ?? wish.model ?? '' };
      if (wish.model !== undefined && wish.version === undefined) request.version = versions[wish.model]?.at(-1) ?? 1;
      requireVersion(request);
      const times = { createdMs: nowMs, changedMs: nowMs };
      releases.push({
        id: releases.length + 1,
        state: 'draft',
        reason: '',
        request,
        requester: who(actor),
        revision: 1,
        ...times,
      });
      log(actor, releases.at(-1)!, 'created');
      return structuredClone(releases.at(-1)!);
    },
    edit(actor, id, patch, revision) {
      requireRevision(revision, find(id));
      const { state } = find(id);
      move(actor, id, ['draft', 'changes-asked'], state, 'edited');
      Object.assign(find(id).request, patch);
      return structuredClone(find(id));
    },
    async submit(actor, id) {
      const submitted = move(actor, id, ['draft', 'changes-asked'], 'submitted', 'submitted');
      const { settings } = environments.find(({ name }) => name === submitted.request.environment)!;
      if (settings.needsReview || checksOf(submitted).some(isRed)) return submitted;
      move(actor, id, ['submitted'], 'approved', 'approved');
      return goLive(actor, id);
    },
    withdraw: (actor, id, reason) => move(actor, id, ['draft', 'submitted'], 'withdrawn', 'withdrawn', reason),
    comment: (actor, id, text) => log(actor, find(id), 'commented', text),
    attach(_actor, id, evidence) {
      find(id).request.evidence.push(evidence);
      return find(id);
    },
    askChanges: (actor, id, reason) => move(actor, id, ['submitted'], 'changes-asked', 'changes-asked', reason),
    reject: (actor, id, reason) => move(actor, id, ['submitted'], 'rejected', 'rejected', reason),
    async approve(actor, id, { comment, override } = {}) {
      const red = checksOf(find(id)).find(isRed);
      if (red && override === undefined) throw new AppError('conflict', red.text, 'Name one, or override it.');
      const approved = move(actor, id, ['submitted'], 'approved', 'approved', comment ?? override);
      if (approved.request.rollout.steps.length === 0) return goLive(actor, id);
      const { percent } = approved.request.rollout.steps[0]!;
      move(actor, id, ['approved'], 'rolling-out', 'stage', `${percent} % of the requests go to it.`);
      find(id).stage = { kind: 'step', index: 0, startedMs: nowMs, percent };
      return structuredClone(find(id));
    },
    async rollback(actor, endpoint, { to, reason } = {}) {
      const { endpoint: found, rollbackTargets } = status(endpoint);
      const target = to ?? rollbackTargets[0];
      if (target === undefined || !rollbackTargets.includes(target)) {
        throw new AppError('conflict', `Endpoint '${endpoint}' has no release to go back to.`);
      }
      if (found.live) move(actor, found.live.id, ['live'], 'rolled-back', 'rolled-back', reason);
      return goLive(actor, target);
    },
    async advance(actor, id, { sinceMs = find(id).stage?.startedMs } = {}) {
      if (sinceMs !== find(id).stage?.startedMs)
        throw new AppError('conflict', 'The rollout took its next step meanwhile.');
      delete find(id).stage;
      return goLive(actor, id);
    },
    async loadTest(_actor, { model, version, seconds, connections }) {
      requireVersion({ model, version });
      const numbers = { p50Ms: 1.5, p95Ms: 3.25, perSecond: 800, requests: 800 * seconds };
      const title = `${model}:${version}, ${connections} connections for ${seconds} s`;
      return { kind: 'load-test', title, numbers, atMs: nowMs };
    },
    compare(a, b) {
      requireVersion(a);
      requireVersion(b);
      return a.model === b.model && a.version === b.version ? [] : differences;
    },
    versionNote: (model, version) => notes.get(`${model}:${version}`) ?? { tags: [], note: '' },
    setVersionNote(_actor, model, version, patch) {
      const { archived, ...rest } = patch as Partial<VersionNote> & { archived?: boolean };
      const { archivedMs, ...before } = control.versionNote(model, version);
      const archive = (archived ?? archivedMs !== undefined) ? { archivedMs: archivedMs ?? nowMs } : {};
      notes.set(`${model}:${version}`, { ...before, ...rest, ...archive });
      return notes.get(`${model}:${version}`)!;
    },
    retention: (model) => retentions.get(model) ?? { keepLast: null, keepReleased: true },
    async setRetention(_actor, model, patch) {
      const retention = { ...control.retention(model), ...(patch as object) };
      retentions.set(model, retention);
      return { retention, removed: versions[model]!.slice(0, -(retention.keepLast ?? Infinity)) };
    },
  };
  const release = new Proxy(control, {
    get(target, name: keyof ReleaseControl) {
      const method = target[name] as (...given: unknown[]) => unknown;
      return (...given: unknown[]) => {
        calls.push([name, ...given]);
        return method(...given);
      };
    },
  });
  return {
    release,
    /** Name and what was given, in order. */
    calls,
    /** As time and the server would do it. */
    goLive: (id: number) => goLive({ kind: 'system', name: 'system' }, id),
  };
}

export type FakeReleases = ReturnType<typeof createReleaseControl>;
