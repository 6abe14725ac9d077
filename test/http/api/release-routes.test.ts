// The routes about going live over a control that keeps all in memory: what reaches it, what comes back, who may, and
// what the audit trail says.
import { expect, test } from 'bun:test';

import { AppError } from '../../../src/error.ts';
import type {
  EndpointStatusView,
  EnvironmentView,
  EvidenceView,
  ReleaseEventView,
  ReleaseView,
  ReviewView,
  VersionNoteView,
} from '../../../src/http/api/release-views.ts';
import type { Registry } from '../../../src/registry/registry.ts';
import { createReleaseControl } from '../../support/release-control.ts';
import { type Failure, openAccessApi, type Sender } from './access-api.ts';

const versions: Record<string, number[]> = { faces: [1, 2, 3], digits: [1] };

const registry = {
  getModel(name: string) {
    if (!Object.hasOwn(versions, name)) throw new AppError('not_found', `There is no model '${name}'.`);
    return { name, versions: versions[name]!, current: 1, createdAt: '' };
  },
  getVersion(model: string, version: number) {
    if (registry.getModel(model).versions.includes(version)) return { model, version };
    throw new AppError('not_found', `Model '${model}' has no version ${version}.`);
  },
};

async function open() {
  const fake = createReleaseControl(versions);
  const box = await openAccessApi({ release: fake.release, registry: registry as unknown as Registry });
  const [owner, reviewer, viewer] = await Promise.all([
    box.addUser('Olga', 'owner'),
    box.addUser('Rita', 'reviewer'),
    box.addUser('Vera', 'viewer'),
  ]);
  const people = { owner: box.signedIn(owner), reviewer: box.signedIn(reviewer), viewer: box.signedIn(viewer) };
  return {
    ...box,
    ...fake,
    ...people,
    admin: box.adminBrowser,
    lastCall: (name: string) => fake.calls.findLast(([called]) => called === name)!.slice(1),
    create: (wish: object, who: Sender = people.owner) =>
      box.ask<ReleaseView>(who, 'POST', '/api/v1/releases', { model: 'faces', licence: 'MIT', ...wish }),
    post: <T = ReleaseView>(who: Sender, path: string, body: object = {}) =>
      box.ask<T>(who, 'POST', `/api/v1${path}`, body),
  };
}

const get = <T>(box: Awaited<ReturnType<typeof open>>, path: string) => box.ask<T>(box.viewer, 'GET', `/api/v1${path}`);

test('a release from the draft to the way back, and what is said of it meanwhile', async () => {
  using box = await open();
  const made = await box.create({ version: 1 });
  expect({ status: made.status, etag: made.headers.get('etag') }).toEqual({ status: 201, etag: '"1"' });
  expect(made.body).toMatchObject({
    id: 1,
    state: 'draft',
    requester: { name: 'Olga' },
    request: { endpoint: 'faces' },
  });
  expect(box.complain(made.body, 'Release')).toEqual([]);
  expect((await box.post(box.owner, '/releases/1/submit')).body).toMatchObject({ state: 'submitted' });
  expect((await box.post(box.reviewer, '/releases/1/approve', { comment: 'fine' })).body.state).toBe('live');
  expect(box.lastCall('approve')).toMatchObject([{ name: 'Rita' }, 1, { comment: 'fine' }]);

  await box.create({
    version: 2,
    rollout: { shadow: null, steps: [{ percent: 25, holdMs: 1 }], stickyHeader: null, trialKeys: [], minRequests: 0 },
  });
  await box.post(box.owner, '/releases/2/submit');
  const review = await get<ReviewView>(box, '/releases/2/review');
  expect(box.complain(review.body, 'ReleaseReview')).toEqual([]);
  expect(review.body).toMatchObject({
    live: { id: 1 },
    differences: [{ weight: 'breaking' }, {}],
    may: { approve: true },
  });
  const rolling = await box.post(box.reviewer, '/releases/2/approve');
  expect(rolling.body).toMatchObject({ state: 'rolling-out', stage: { kind: 'step', percent: 25 } });
  expect(box.complain(rolling.body, 'Release')).toEqual([]);

  const status = await get<EndpointStatusView>(box, '/endpoints/faces');
  expect(box.complain(status.body, 'EndpointStatus')).toEqual([]);
  expect(status.body.sides.map(({ role, share }) => [role, share])).toEqual([
    ['candidate', 0.25],
    ['live', 0.75],
  ]);
  const stale = await box.post(box.owner, '/releases/2/advance', { since: '2020-01-01T00:00:00.000Z' });
  expect(stale.status).toBe(409);
  expect((await box.post(box.owner, '/releases/2/advance')).body).toMatchObject({ state: 'live', replaced: 1 });
  const back = await box.post(box.reviewer, '/endpoints/faces/rollback', { to: 1, reason: 'slow at night' });
  expect(back.body).toMatchObject({ id: 1, state: 'live' });
  expect(box.lastCall('rollback')).toMatchObject([{ name: 'Rita' }, 'faces', { to: 1, reason: 'slow at night' }]);

  const { body } = await get<{ release: ReleaseView; events: ReleaseEventView[] }>(box, '/releases/2');
  expect(box.complain(body, 'ReleaseDetail')).toEqual([]);
  const kinds = ['created', 'submitted', 'approved', 'stage', 'live', 'rolled-back'];
  expect(body.events.map(({ kind }) => kind) as string[]).toEqual(kinds);
  expect(body.events.every(({ at }) => at.startsWith('2026-03-01T12:00:'))).toBe(true);
});

test('what is changed is based on a revision: of If-Match or of the body', async () => {
  using box = await open();
  await box.create({});
  const patch = (body: object, headers: Sender = {}) =>
    box.ask<ReleaseView & Failure>({ ...box.owner, ...headers }, 'PATCH', '/api/v1/releases/1', body);
  const first = await patch({ statement: 'a' }, { 'if-match': '"1"' });
  expect({ status: first.status, etag: first.headers.get('etag') }).toEqual({ status: 200, etag: '"2"' });
  expect(box.lastCall('edit').slice(1)).toEqual([1, { statement: 'a' }, 1]);
  expect((await patch({ statement: 'b' }, { 'if-match': 'W/"1"' })).status).toBe(409);
  expect((await patch({ statement: 'b', revision: 1 })).status).toBe(409);
  expect((await patch({ statement: 'b', revision: 2 })).status).toBe(200);
  expect((await patch({ statement: 'c' }, { 'if-match': '*' })).status).toBe(200);
  expect(box.lastCall('edit')[3]).toBeUndefined();
  expect((await patch({}, { 'if-match': '"x"' })).body.error.message).toContain('If-Match');
  expect((await patch({ revision: 'one' })).status).toBe(400);
});

test('times are text outside and numbers inside', async () => {
  using box = await open();
  const at = '2026-03-02T20:00:00.000Z';
  const evidence = [{ kind: 'link', title: 'Report', url: '/reports/7', at }];
  const made = await box.create({ notBefore: at, evidence });
  expect(box.lastCall('create')[1]).toMatchObject({
    notBeforeMs: Date.parse(at),
    evidence: [{ atMs: Date.parse(at) }],
  });
  expect(made.body.request).toMatchObject({ notBefore: at, evidence });
  expect(box.complain(made.body, 'Release')).toEqual([]);
  expect(JSON.stringify(made.body)).not.toMatch(/(notBefore|created|changed|at)Ms/);
  await box.ask(box.owner, 'PATCH', '/api/v1/releases/1', { notBefore: null });
  expect(box.lastCall('edit')[2]).toEqual({ notBeforeMs: null });
  for (const wish of [{ notBefore: 'tonight' }, { notBefore: 5 }, { evidence: [{ ...evidence[0], at: 'now' }] }]) {
    const { status, body } = await box.create(wish);
    expect({ status, body }).toMatchObject({ status: 400, body: { error: { code: 'invalid' } } });
  }
  const { body } = await box.ask<object>(box.owner, 'GET', '/api/v1/release-defaults?model=faces&version=2');
  expect(body).toMatchObject({ model: 'faces', version: 2, notBefore: null, evidence: [] });
  expect(box.complain(body, 'ReleasePatch')).toEqual([]);
});

test('the list: newest first, of one state, endpoint, model or environment, a page at a time', async () => {
  using box = await open();
  for (let i = 0; i < 3; i++) await box.create({ endpoint: `e${i}` });
  await box.create({ model: 'digits', environment: 'staging' });
  await box.post(box.owner, '/releases/2/submit');
  const list = async (query: string) => {
    const { body } = await get<{ releases: ReleaseView[]; waiting: number }>(box, `/releases${query}`);
    expect(box.complain(body, 'ReleaseList')).toEqual([]);
    expect(body.waiting).toBe(1);
    return body.releases.map(({ id }) => id);
  };
  expect(await list('')).toEqual([4, 3, 2, 1]);
  expect(await list('?before=4&limit=2')).toEqual([3, 2]);
  expect(await list('?state=submitted')).toEqual([2]);
  expect(await list('?endpoint=e0')).toEqual([1]);
  expect(await list('?model=digits&environment=staging')).toEqual([4]);
  for (const query of ['state=on', 'environment=test', 'before=0', 'limit=1001', 'limit=ten', 'colour=red']) {
    const { status, body } = await get<Failure>(box, `/releases?${query}`);
    expect({ query, status, code: body.error.code }).toEqual({ query, status: 400, code: 'invalid' });
  }
});

test('comments, evidence, changes that are asked for, rejections', async () => {
  using box = await open();
  await box.create({});
  const comment = await box.post<ReleaseEventView>(box.reviewer, '/releases/1/comments', { text: 'Why now?' });
  expect(comment).toMatchObject({ status: 201, body: { kind: 'commented', text: 'Why now?' } });
  expect(box.complain(comment.body, 'ReleaseEvent')).toEqual([]);
  const measured = { kind: 'load-test', title: 'night', numbers: { p95Ms: 3 }, url: 'https://lab.lan/7' };
  const attached = await box.post(box.owner, '/releases/1/evidence', measured);
  expect(attached).toMatchObject({ status: 201, body: { request: { evidence: [measured] } } });
  for (const wrong of [
    { kind: 'proof' },
    { title: '' },
    { url: 'javascript:alert(1)' },
    { url: '//evil.lan' },
    { url: '/\\evil.lan' },
    { numbers: { p95Ms: 'fast' } },
    { at: 'once' },
    { colour: 'red' },
  ]) {
    expect((await box.post(box.owner, '/releases/1/evidence', { ...measured, ...wrong })).status).toBe(400);
  }
  await box.post(box.owner, '/releases/1/submit');
  const asked = await box.post(box.reviewer, '/releases/1/ask-changes', { reason: 'name a contact' });
  expect(asked.body).toMatchObject({ state: 'changes-asked', reason: 'name a contact' });
  await box.post(box.owner, '/releases/1/submit');
  expect((await box.post(box.reviewer, '/releases/1/reject', {})).status).toBe(400);
  expect((await box.post(box.reviewer, '/releases/1/reject', { reason: 'no' })).body.state).toBe('rejected');
  expect((await box.post(box.owner, '/releases/1/withdraw')).status).toBe(409);
  for (const path of ['/releases/9', '/releases/0', '/releases/x', '/endpoints/absent']) {
    expect([400, 404]).toContain((await get(box, path)).status);
  }
});

test('a red check is overridden by who may, and nobody else', async () => {
  using box = await open();
  await box.create({ licence: '' });
  await box.post(box.owner, '/releases/1/submit');
  const approve = (who: Sender, body: object) => box.post(who, '/releases/1/approve', body);
  expect((await approve(box.reviewer, {})).status).toBe(409);
  expect((await approve(box.reviewer, { override: 'we own it' })).status).toBe(403);
  expect((await approve(box.owner, {})).status).toBe(403);
  expect((await approve(box.viewer, { override: 'please' })).status).toBe(403);
  expect(box.calls.filter(([name]) => name === 'approve')).toHaveLength(1);
  expect((await approve(box.admin, { override: 'we own it' })).body.state).toBe('live');
  const [entry] = box.audit.search({ action: 'approveRelease' });
  expect(entry).toMatchObject({
    actor: { name: 'Ada' },
    target: '1',
    result: 'ok',
    before: { state: 'submitted' },
    after: { state: 'live', override: 'we own it' },
  });
});

test('the audit trail has what was asked for, what was changed and what was done', async () => {
  using box = await open();
  await box.create({ version: 1, statement: 'first' });
  await box.ask(box.owner, 'PATCH', '/api/v1/releases/1', { statement: 'second' });
  await box.post(box.owner, '/releases/1/submit');
  await box.post(box.reviewer, '/releases/1/approve');
  await box.ask(box.admin, 'PATCH', '/api/v1/environments/production', { fourEyes: false });
  await box.ask(box.owner, 'DELETE', '/api/v1/endpoints/faces');
  const said = box.audit.search().map(({ action, target, before, after }) => ({ action, target, before, after }));
  expect(said.toReversed()).toMatchObject([
    { action: 'createRelease', target: '1', after: { model: 'faces', statement: 'first' } },
    { action: 'changeRelease', target: '1', before: { statement: 'first' }, after: { statement: 'second' } },
    { action: 'submitRelease', target: '1', before: { state: 'draft' }, after: { state: 'submitted' } },
    { action: 'approveRelease', target: '1' },
    { action: 'setEnvironment', target: 'production', before: { fourEyes: true }, after: { fourEyes: false } },
    { action: 'removeEndpoint', target: 'faces', before: { live: { release: 1, model: 'faces', version: 1 } } },
  ]);
  expect(said.find(({ action }) => action === 'changeRelease')!.after).toEqual({ statement: 'second' });
});

test('environments: read by all, changed by administrators, one after the other', async () => {
  using box = await open();
  const { body } = await get<{ environments: EnvironmentView[] }>(box, '/environments');
  expect(box.complain(body, 'EnvironmentList')).toEqual([]);
  expect(body.environments.map(({ name }) => name)).toEqual(['staging', 'production']);
  const path = '/api/v1/environments/staging';
  const change = (who: Sender, patch: object) => box.ask<EnvironmentView>(who, 'PATCH', path, patch);
  const read = await get<EnvironmentView>(box, '/environments/staging');
  expect(read.headers.get('etag')).toBe('"1"');
  expect((await change(box.owner, { needsReview: true })).status).toBe(403);
  const changed = await change(box.admin, { needsReview: true, revision: 1 });
  expect(changed.body).toMatchObject({ settings: { needsReview: true }, revision: 2 });
  expect(box.complain(changed.body, 'Environment')).toEqual([]);
  expect(box.lastCall('setEnvironment').slice(1)).toEqual(['staging', { needsReview: true }, 1]);
  expect((await change(box.admin, { needsReview: false, revision: 1 })).status).toBe(409);
  expect((await get(box, '/environments/test')).status).toBe(404);
});

test('notes, retention, comparisons and load tests', async () => {
  using box = await open();
  const path = '/api/v1/models/faces/versions/2/note';
  const none = await box.ask<VersionNoteView>(box.viewer, 'GET', path);
  expect(none.body).toEqual({ tags: [], note: '', archivedAt: null });
  const put = (who: Sender, body: object) => box.ask<VersionNoteView>(who, 'PUT', path, body);
  expect((await put(box.viewer, {})).status).toBe(403);
  const noted = await put(box.owner, { tags: ['q3'], archived: true });
  expect(box.complain(noted.body, 'VersionNote')).toEqual([]);
  expect(noted.body).toMatchObject({ tags: ['q3'], archivedAt: expect.stringContaining('2026-03-01') });
  expect((await put(box.owner, { archived: false })).body).toEqual({ tags: ['q3'], note: '', archivedAt: null });
  expect((await box.ask(box.owner, 'PUT', path.replace('/2/', '/9/'), {})).status).toBe(404);

  const retention = '/api/v1/models/faces/retention';
  const kept = await box.ask<object>(box.owner, 'PUT', retention, { keepLast: 2 });
  expect(kept.body).toEqual({ retention: { keepLast: 2, keepReleased: true }, removed: [1] });
  expect(box.complain(kept.body, 'RetentionResult')).toEqual([]);
  expect((await box.ask(box.viewer, 'GET', retention)).body).toMatchObject({ keepLast: 2 });
  expect(box.audit.search({ action: 'setRetention' })).toMatchObject([{ target: 'faces', after: { removed: [1] } }]);

  const compared = await get<{ differences: object[] }>(box, '/compare?a=faces:1&b=faces:2');
  expect(box.complain(compared.body, 'Comparison')).toEqual([]);
  expect(compared.body.differences).toHaveLength(2);
  for (const query of ['a=faces:1', 'a=faces:1&b=faces', 'a=faces:0&b=faces:1', 'a=faces:1&b=:2']) {
    expect((await get(box, `/compare?${query}`)).status).toBe(400);
  }
  expect((await get(box, '/compare?a=faces:1&b=absent:1')).status).toBe(404);

  const tested = await box.post<EvidenceView>(box.reviewer, '/load-tests', { model: 'faces', version: 2 });
  expect(box.complain(tested.body, 'Evidence')).toEqual([]);
  expect(box.lastCall('loadTest')[1]).toEqual({ model: 'faces', version: 2, seconds: 5, connections: 4 });
  expect((await box.post(box.viewer, '/load-tests', { model: 'faces', version: 2 })).status).toBe(403);
  for (const wrong of [{ seconds: 31 }, { seconds: 0 }, { connections: 65 }, { version: 0 }, { speed: 1 }]) {
    expect((await box.post(box.owner, '/load-tests', { model: 'faces', version: 2, ...wrong })).status).toBe(400);
  }
  await box.create({});
  expect((await box.post(box.owner, '/releases/1/evidence', tested.body)).status).toBe(201);
});

test('bodies have a limit', async () => {
  using box = await open();
  expect((await box.create({ statement: 'x'.repeat(300_000) })).status).toBe(413);
  expect((await box.post(box.owner, '/endpoints/faces/rollback', { reason: 'x'.repeat(70_000) })).status).toBe(413);
  expect(box.calls).toEqual([]);
});

test('a key that is limited to some names sees their endpoints alone, and approves nothing', async () => {
  using box = await open();
  await box.create({ version: 1 });
  await box.post(box.owner, '/releases/1/submit');
  const key = (models: string[] | '*') => ({
    'x-api-key': box.keys.create(
      {
        name: 'ci',
        scope: { models, actions: ['release'] },
        expiresMs: null,
        ratePerSecond: null,
        burst: null,
        dailyQuota: null,
      },
      box.users.list().find(({ name }) => name === 'Olga')!.id,
      '',
    ).text,
  });
  const [all, faces, digits] = [key('*'), key(['faces']), key(['digits'])];
  expect((await box.post(all, '/releases/1/approve')).status).toBe(403);
  await box.post(box.reviewer, '/releases/1/approve');
  const ask = async (who: Sender, path: string) => (await box.ask(who, 'GET', `/api/v1${path}`)).status;
  expect(await ask(faces, '/endpoints/faces')).toBe(200);
  expect(await ask(digits, '/endpoints/faces')).toBe(403);
  expect(await ask(faces, '/releases')).toBe(403);
  expect(await ask(all, '/releases')).toBe(200);
  expect((await box.create({ version: 2 }, all)).status).toBe(201);
});
