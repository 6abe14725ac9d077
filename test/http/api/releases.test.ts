// Going live on a whole appliance with a real model: asked for by an owner, looked at and approved by a reviewer, called by
// a program with a key, replaced, and taken back.
import type { Database } from 'bun:sqlite';
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';

import { type Access, openAccess } from '../../../src/access/access.ts';
import { openDatabase } from '../../../src/db/open.ts';
import type {
  EndpointStatusView,
  ReleaseEventView,
  ReleaseView,
  ReviewView,
} from '../../../src/http/api/release-views.ts';
import type { ApiDocument } from '../../../src/http/openapi.ts';
import { password } from '../../access/opened.ts';
import { addScalar } from '../../support/graphs.ts';
import { complaints } from '../../support/json-schema.ts';
import { startAppliance } from './appliance.ts';

type Headers = Record<string, string>;

interface Detail {
  release: ReleaseView;
  events: ReleaseEventView[];
}

let appliance: Awaited<ReturnType<typeof startAppliance>>;
let db: Database;
let access: Access;
let document: ApiDocument;
let people: Record<'admin' | 'owner' | 'reviewer' | 'viewer', Headers>;
let caller: Headers;

beforeAll(async () => {
  appliance = await startAppliance();
  db = openDatabase(join(appliance.data, 'aimass.db'));
  access = openAccess(db);
  document = (await appliance.ask<ApiDocument>('GET', '/openapi.json')).body;
  const { users, setup } = access;
  const admin = await setup.complete(setup.issueToken(), { name: 'Ada', password });
  const add = (name: string, role: 'owner' | 'reviewer' | 'viewer') => users.create({ name, role, password }, '');
  const [owner, reviewer, viewer] = [
    await add('Olga', 'owner'),
    await add('Rita', 'reviewer'),
    await add('Vera', 'viewer'),
  ];
  people = { admin: sign(admin.id), owner: sign(owner.id), reviewer: sign(reviewer.id), viewer: sign(viewer.id) };
  const limits = { expiresMs: null, ratePerSecond: null, burst: null, dailyQuota: null };
  const scope = { models: ['adder'], actions: ['predict' as const] };
  caller = { 'x-api-key': access.keys.create({ name: 'line 3', scope, ...limits }, owner.id, '').text };
  for (const term of [1, 2, 3]) await appliance.ask('POST', '/api/v1/models/plus/versions?load=false', addScalar(term));
});

afterAll(async () => {
  access.close();
  db.close();
  await appliance[Symbol.asyncDispose]();
});

function sign(user: string): Headers {
  const { token, session } = access.sessions.create(user, { address: '127.0.0.1', agent: '', way: 'password' });
  return { cookie: `aimass_session=${token}`, 'x-csrf-token': access.formTokens.issue(session.id) };
}

async function ask<T>(who: Headers, method: string, path: string, body?: object) {
  const headers = { ...who, ...(body && { 'content-type': 'application/json' }) };
  const response = await fetch(appliance.url + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
}

const post = <T = ReleaseView>(who: Headers, path: string, body: object = {}) =>
  ask<T>(who, 'POST', `/api/v1${path}`, body);
const get = <T>(who: Headers, path: string) => ask<T>(who, 'GET', `/api/v1${path}`);

function fits(value: unknown, schema: string): void {
  expect(complaints(document, value, { $ref: `#/components/schemas/${schema}` })).toEqual([]);
}

/** What the endpoint makes of 10, and which version did. */
async function call(who = caller) {
  const inputs = [{ name: 'input', shape: [1, 4], datatype: 'FP32', data: [10, 10, 10, 10] }];
  type Answer = { model_version: string; outputs: { data: number[] }[] };
  const { status, body } = await ask<Answer>(who, 'POST', '/v2/models/adder/infer', { inputs });
  return status === 200 ? body.outputs[0]!.data[0]! : status;
}

async function askFor(version: number, wish: object = {}): Promise<ReleaseView> {
  const statement = `adds ${version}`;
  const asked = { model: 'plus', version, endpoint: 'adder', environment: 'production', statement, ...wish };
  const { status, body } = await post(people.owner, '/releases', asked);
  expect({ status, body }).toMatchObject({ status: 201, body: { state: 'draft' } });
  fits(body, 'Release');
  return body;
}

/** @returns once it is in one of the states */
async function wait(id: number, ...states: string[]): Promise<Detail> {
  for (let tries = 0; tries < 300; tries++) {
    const { body } = await get<Detail>(people.viewer, `/releases/${id}`);
    if (states.includes(body.release.state)) return body;
    if (body.release.state === 'failed') throw new Error(`release ${id} failed: ${body.release.reason}`);
    await Bun.sleep(50);
  }
  throw new Error(`release ${id} is none of ${states.join()}`);
}

test('request, review, approval, calls, the next one, and the way back', async () => {
  expect(await call()).toBeGreaterThanOrEqual(400);
  const { id } = await askFor(1);
  expect((await post(people.owner, `/releases/${id}/submit`)).body.state).toBe('submitted');
  const review = await get<ReviewView>(people.reviewer, `/releases/${id}/review`);
  fits(review.body, 'ReleaseReview');
  expect(review.body.checks.filter(({ state }) => state === 'red').map(({ name }) => name)).toEqual(['licence']);
  expect((await post(people.reviewer, `/releases/${id}/approve`)).status).toBe(409);
  expect((await post(people.owner, `/releases/${id}/approve`)).status).toBe(403);

  expect((await post(people.reviewer, `/releases/${id}/ask-changes`, { reason: 'name a licence' })).status).toBe(200);
  const { headers } = await get<Detail>(people.owner, `/releases/${id}`);
  const patch = (etag: string) =>
    ask<ReleaseView>({ ...people.owner, 'if-match': etag }, 'PATCH', `/api/v1/releases/${id}`, { licence: 'MIT' });
  expect((await patch(headers.get('etag')!)).body.request.licence).toBe('MIT');
  expect((await patch(headers.get('etag')!)).status).toBe(409);
  await post(people.owner, `/releases/${id}/submit`);
  const approved = await post(people.reviewer, `/releases/${id}/approve`, { comment: 'fine' });
  expect({ status: approved.status, by: approved.body.decidedBy }).toEqual({ status: 200, by: 'Rita' });
  const live = await wait(id, 'live');
  fits(live, 'ReleaseDetail');
  expect(await call()).toBe(11);

  const second = await askFor(2);
  expect(second.request).toMatchObject({ licence: 'MIT', endpoint: 'adder' });
  await post(people.owner, `/releases/${second.id}/submit`);
  await post(people.reviewer, `/releases/${second.id}/approve`);
  await wait(second.id, 'live');
  expect(await call()).toBe(12);
  expect((await wait(id, 'superseded')).release.state).toBe('superseded');

  const back = await post(people.owner, '/endpoints/adder/rollback', { reason: 'adds too much' });
  expect({ status: back.status, id: back.body.id, state: back.body.state }).toEqual({ status: 200, id, state: 'live' });
  expect(await call()).toBe(11);
  const { release, events } = await wait(second.id, 'rolled-back');
  expect(release.reason).toContain('adds too much');
  expect(events.map(({ kind }) => kind)).toContain('rolled-back');

  const status = await get<EndpointStatusView>(people.viewer, '/endpoints/adder');
  fits(status.body, 'EndpointStatus');
  expect(status.body.endpoint.live?.id).toBe(id);
  expect(status.body.history.map((each) => each.id)).toEqual([second.id, id]);
}, 60_000);

test('the endpoint has a page and a document; its example is answered as it stands', async () => {
  expect((await ask<string>(caller, 'GET', '/docs/endpoints/adder')).body).toContain('/v2/models/adder/infer');
  type Document = {
    paths: Record<string, { post: { requestBody: { content: Record<string, { example: object }> } } }>;
  };
  const { body } = await ask<Document>(caller, 'GET', '/openapi/endpoints/adder.json');
  const { example } = body.paths['/v2/models/adder/infer']!.post.requestBody.content['application/json']!;
  expect((await ask(caller, 'POST', '/v2/models/adder/infer', example)).status).toBe(200);
  expect((await ask(people.viewer, 'GET', '/openapi/endpoints/plus.json')).status).toBe(404);
  const foreign = {
    'x-api-key': access.keys.create(
      {
        name: 'other',
        scope: { models: ['other'], actions: ['predict'] },
        expiresMs: null,
        ratePerSecond: null,
        burst: null,
        dailyQuota: null,
      },
      access.users.list()[0]!.id,
      '',
    ).text,
  };
  expect((await ask(foreign, 'GET', '/openapi/endpoints/adder.json')).status).toBe(403);
});

test('a rollout in steps: who gets what, the next step at once, and its end', async () => {
  const hour = 3_600_000;
  const steps = [{ percent: 50, holdMs: hour }];
  const { id } = await askFor(2, { rollout: { steps } });
  await post(people.owner, `/releases/${id}/submit`);
  await post(people.reviewer, `/releases/${id}/approve`);
  const stepping = async () => (await get<Detail>(people.viewer, `/releases/${id}`)).body.release.stage?.kind;
  for (let tries = 0; tries < 200 && (await stepping()) !== 'step'; tries++) await Bun.sleep(50);
  const { body } = await get<EndpointStatusView>(people.viewer, '/endpoints/adder');
  fits(body, 'EndpointStatus');
  expect(body.endpoint.rollout).toMatchObject({ id, state: 'rolling-out', stage: { kind: 'step', percent: 50 } });
  const sides = body.sides.filter(({ role }) => role !== 'warm').map(({ role, share }) => [role, share]);
  expect(sides).toEqual([
    ['live', 0.5],
    ['candidate', 0.5],
  ]);
  const answers = await Promise.all(Array.from({ length: 64 }, () => call()));
  expect(new Set(answers)).toEqual(new Set([11, 12]));
  expect((await post(people.viewer, `/releases/${id}/advance`)).status).toBe(403);
  expect((await post(people.owner, `/releases/${id}/advance`)).status).toBe(200);
  await wait(id, 'live');
  expect(await call()).toBe(12);
  await post(people.owner, '/endpoints/adder/rollback');
  expect(await call()).toBe(11);
});

test('under a host name of its own there are the endpoint and its page', async () => {
  const other = await askFor(3, { domain: 'three.corp.lan', rollout: { steps: [] } });
  await post(people.owner, `/releases/${other.id}/submit`);
  await post(people.reviewer, `/releases/${other.id}/approve`);
  await wait(other.id, 'live');
  const { port } = new URL(appliance.url);
  const on = (path: string, headers: Headers = {}) =>
    fetch(appliance.url + path, { headers: { ...headers, host: `three.corp.lan:${port}` }, redirect: 'manual' });
  const page = await (await on('/', caller)).text();
  expect(page).toContain('Call adder');
  const urls = [...page.matchAll(/POST (http:[^<]+)</g)].map(([, url]) => url!);
  expect(urls).toEqual([`http://three.corp.lan:${port}/v2/models/adder/infer`]);
  expect((await on('/openapi.json', caller)).status).toBe(200);
  // Nobody can sign in there.
  expect((await on('/')).status).toBe(401);
  expect((await on('/api/v1/endpoints', caller)).status).toBe(404);
  await post(people.reviewer, '/endpoints/adder/rollback');
});

test('what was asked and done is in the audit trail; the end of the endpoint is the end of its page', async () => {
  const actions = access.audit.search({}, { limit: 1000 }).map(({ action }) => action);
  for (const each of ['createRelease', 'changeRelease', 'submitRelease', 'askChanges', 'approveRelease', 'rollBack']) {
    expect(actions).toContain(each);
  }
  expect((await ask(people.owner, 'DELETE', '/api/v1/endpoints/adder')).status).toBe(204);
  expect(await call()).toBeGreaterThanOrEqual(400);
  expect((await ask(people.viewer, 'GET', '/docs/endpoints/adder')).status).toBe(404);
  const { body } = await get<{ releases: ReleaseView[] }>(people.viewer, '/releases?endpoint=adder');
  fits({ ...body, waiting: 0 }, 'ReleaseList');
  expect(body.releases.length).toBeGreaterThanOrEqual(2);
});

test('versions are compared, noted, and kept as it was said', async () => {
  const compared = await get<{ differences: object[] }>(people.viewer, '/compare?a=plus:1&b=plus:2');
  fits(compared.body, 'Comparison');
  const noted = await ask(people.owner, 'PUT', '/api/v1/models/plus/versions/1/note', {
    tags: ['old'],
    note: 'adds 1',
  });
  expect(noted).toMatchObject({ status: 200, body: { tags: ['old'], note: 'adds 1', archivedAt: null } });
  const archived = await ask<object>(people.owner, 'PUT', '/api/v1/models/plus/versions/1/note', { archived: true });
  expect(archived.status).toBe(200);
  fits(archived.body, 'VersionNote');
  const kept = await ask<object>(people.owner, 'PUT', '/api/v1/models/plus/retention', {
    keepLast: 2,
    keepReleased: true,
  });
  expect(kept).toMatchObject({ status: 200, body: { retention: { keepLast: 2, keepReleased: true } } });
  fits(kept.body, 'RetentionResult');
  for (const [path, body] of [
    ['/api/v1/models/plus/versions/1/note', { tags: 'old' }],
    ['/api/v1/models/plus/retention', { keepLast: 0 }],
    ['/api/v1/models/plus/retention', { colour: 'red' }],
  ] as const) {
    expect(await ask(people.owner, 'PUT', path, body)).toMatchObject({ status: 400 });
  }
});

test('environments are as they are described, and what is wrong in a change is named', async () => {
  const { body } = await get<{ environments: object[] }>(people.viewer, '/environments');
  fits(body, 'EnvironmentList');
  const change = (patch: object) =>
    ask<{ error: { message: string } }>(people.admin, 'PATCH', '/api/v1/environments/staging', patch);
  expect((await change({ keepWarmMs: 1000, policy: { licence: true } })).body).toMatchObject({
    settings: { keepWarmMs: 1000, policy: { licence: true, smoke: true } },
  });
  for (const patch of [{ keepWarmMs: -1 }, { colour: 'red' }, { requesters: ['king'] }, { freezes: [{ cron: 'x' }] }]) {
    expect((await change(patch)).status).toBe(400);
  }
});
