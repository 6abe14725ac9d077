import { expect, test } from 'bun:test';

import type { KeyView } from '../../../src/http/api/keys.ts';
import { hour } from '../../access/opened.ts';
import { type AccessApi, openAccessApi, type Sender } from './access-api.ts';

interface NewKey {
  text: string;
  key: KeyView;
}

const scope = { models: ['digits'], actions: ['predict'] };

const make = (box: AccessApi, as: Sender, body: object = {}) =>
  box.ask<NewKey>(as, 'POST', '/api/v1/keys', { name: 'line 3', scope, ...body });

/** What the server says to whoever sends the key. */
async function knows(box: AccessApi, text: string): Promise<boolean> {
  const answer = await box
    .ask<{ kind: string }>({ 'x-api-key': text }, 'GET', '/api/v1/session')
    .catch(() => undefined);
  return answer?.body.kind === 'key';
}

test('the text of a key is in one answer; it works, as header or bearer, and is nowhere else', async () => {
  using box = await openAccessApi();
  const browser = box.signedIn(await box.addUser('Bob', 'owner'));
  const limits = { expiresAt: '2026-12-31', ratePerSecond: 50, burst: 100, dailyQuota: 10_000 };
  const { status, body, headers } = await make(box, browser, limits);
  expect(status).toBe(201);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(box.complain(body, 'NewApiKey')).toEqual([]);
  expect(body.key).toMatchObject({ ...limits, expiresAt: '2026-12-31T00:00:00.000Z', scope, ownerName: 'Bob' });
  for (const sender of [{ 'x-api-key': body.text }, { authorization: `Bearer ${body.text}` }] as Sender[]) {
    const me = await box.ask<object>(sender, 'GET', '/api/v1/session');
    expect(me.body).toEqual({ kind: 'key', id: body.key.id, name: 'line 3', scope } as object);
    expect(box.complain(me.body, 'Asker')).toEqual([]);
  }
  const secret = body.text.split('_')[2]!;
  for (const path of ['/api/v1/keys', `/api/v1/keys/${body.key.id}`]) {
    expect(JSON.stringify((await box.ask<object>(browser, 'GET', path)).body)).not.toContain(secret);
  }
  expect([...box.audit.export()].join()).not.toContain(secret);
  expect(box.audit.search({ action: 'createKey' })).toMatchObject([{ target: body.key.id, after: { name: 'line 3' } }]);
});

test('a key is its owner’s matter and that of who manages keys; to others it does not exist', async () => {
  using box = await openAccessApi();
  const [bob, cyd] = [await box.addUser('Bob', 'owner'), await box.addUser('Cyd', 'owner')];
  const [bobs, cyds] = [box.signedIn(bob), box.signedIn(cyd)];
  const { text, key } = (await make(box, bobs)).body;
  const path = `/api/v1/keys/${key.id}`;
  for (const [method, at, body] of [
    ['GET', path],
    ['PATCH', path, { name: 'mine' }],
    ['DELETE', path],
    ['POST', `${path}/rotate`, {}],
  ] as const) {
    expect((await box.ask(cyds, method, at, body)).status).toBe(404);
  }
  expect(await knows(box, text)).toBe(true);
  const list = async (as: Sender) => (await box.ask<{ keys: KeyView[] }>(as, 'GET', '/api/v1/keys')).body;
  expect((await list(cyds)).keys).toEqual([]);
  expect((await list(bobs)).keys).toHaveLength(1);
  expect(box.complain(await list(box.adminBrowser), 'ApiKeyList')).toEqual([]);
  expect((await list(box.adminBrowser)).keys).toHaveLength(1);

  expect((await make(box, cyds, { owner: bob.id })).status).toBe(403);
  expect((await make(box, box.adminBrowser, { owner: bob.id })).body.key.ownerName).toBe('Bob');
  expect((await box.ask(bobs, 'PATCH', path, { owner: cyd.id })).status).toBe(403);
  expect((await box.ask(box.adminBrowser, 'PATCH', path, { owner: cyd.id, name: 'x' })).status).toBe(400);
  const given = await box.ask<KeyView>(box.adminBrowser, 'PATCH', path, { owner: cyd.id });
  expect(given.body).toMatchObject({ ownerName: 'Cyd', name: 'line 3' });
  expect((await box.ask(cyds, 'DELETE', path)).status).toBe(204);
  expect(await knows(box, text)).toBe(false);
});

test('no key makes keys or users, whatever its rights and its owner', async () => {
  using box = await openAccessApi();
  const all = { models: '*', actions: ['predict', 'read', 'load', 'manage', 'release'] };
  const { text, key } = (await make(box, box.adminBrowser, { scope: all })).body;
  const sender = { 'x-api-key': text };
  for (const [method, path, body] of [
    ['GET', '/api/v1/keys'],
    ['POST', '/api/v1/keys', { name: 'more', scope }],
    ['POST', `/api/v1/keys/${key.id}/rotate`, {}],
    ['PATCH', `/api/v1/keys/${key.id}`, { dailyQuota: null }],
    ['GET', '/api/v1/users'],
    ['POST', '/api/v1/users', { name: 'Eve', role: 'administrator' }],
    ['GET', '/api/v1/audit'],
    ['GET', '/api/v1/settings'],
    ['DELETE', '/api/v1/sessions'],
  ] as const) {
    expect((await box.ask(sender, method, path, body)).status).toBe(403);
  }
  expect(box.users.list()).toHaveLength(1);
});

test('a key may do no more than its owner', async () => {
  using box = await openAccessApi();
  const browser = box.signedIn(await box.addUser('Vic', 'viewer'));
  for (const action of ['load', 'manage']) {
    const { status, body } = await box.ask(browser, 'POST', '/api/v1/keys', {
      name: 'x',
      scope: { models: '*', actions: [action] },
    });
    expect(status).toBe(403);
    expect(body.error.message).toContain('viewer');
  }
  const { key } = (await make(box, browser)).body;
  const more = { scope: { models: '*', actions: ['manage'] } };
  expect((await box.ask(browser, 'PATCH', `/api/v1/keys/${key.id}`, more)).status).toBe(403);
});

test('rotation overlaps, revocation does not, and a limit can be taken away', async () => {
  using box = await openAccessApi();
  const { text, key } = (await make(box, box.adminBrowser, { dailyQuota: 100 })).body;
  const path = `/api/v1/keys/${key.id}`;
  const changed = await box.ask<KeyView>(box.adminBrowser, 'PATCH', path, { dailyQuota: null, name: 'line 4' });
  expect(changed.body).toMatchObject({ dailyQuota: null, name: 'line 4', scope });
  expect(box.audit.search({ action: 'changeKey' })).toMatchObject([
    { before: { name: 'line 3', dailyQuota: 100 }, after: { name: 'line 4', dailyQuota: null } },
  ]);
  const rotated = await box.ask<NewKey>(box.adminBrowser, 'POST', `${path}/rotate`, { overlapHours: 2 });
  expect(box.complain(rotated.body, 'NewApiKey')).toEqual([]);
  expect([await knows(box, text), await knows(box, rotated.body.text)]).toEqual([true, true]);
  box.clock.nowMs += 2 * hour;
  expect([await knows(box, text), await knows(box, rotated.body.text)]).toEqual([false, true]);
  expect((await box.ask(box.adminBrowser, 'DELETE', path)).status).toBe(204);
  expect(await knows(box, rotated.body.text)).toBe(false);
  expect((await box.ask<KeyView>(box.adminBrowser, 'GET', path)).body).toMatchObject({ revokedBy: 'Ada' });
  expect((await box.ask(box.adminBrowser, 'POST', `${path}/rotate`, {})).status).toBe(409);
});

test('a mistake is named, and makes no key', async () => {
  using box = await openAccessApi();
  for (const [body, message] of [
    [{ scope: { models: [], actions: ['predict'] } }, 'body'],
    [{ scope: { models: ['../x'], actions: ['predict'] } }, 'no model'],
    [{ scope: { models: '*', actions: ['predcit'] } }, "did you mean 'predict'?"],
    [{ expiresAt: 'tomorrow' }, "'tomorrow' is not a time."],
    [{ expiresAt: '2026-02-31T25:00:00Z' }, 'is not a time.'],
    [{ expiresAt: '2020-01-01' }, 'past'],
    [{ burst: 5 }, 'burst without a rate'],
    [{ ratePerSecond: -1 }, 'rate'],
  ] as const) {
    const { status, body: failure } = await box.ask(box.adminBrowser, 'POST', '/api/v1/keys', {
      name: 'x',
      scope,
      ...body,
    });
    expect(status).toBe(400);
    expect(failure.error.message).toContain(message);
  }
  expect((await box.asSystem('POST', '/api/v1/keys', { name: 'x', scope })).body.error.message).toContain('owner');
  expect(box.keys.list()).toEqual([]);
});
