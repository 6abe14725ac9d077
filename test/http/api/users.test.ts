import { expect, test } from 'bun:test';

import type { UserView } from '../../../src/http/api/users.ts';
import { password } from '../../access/opened.ts';
import { openAccessApi, type Opening } from './access-api.ts';

interface NewUser {
  user: UserView;
  link?: { path: string; expiresAt: string };
}

test('a user is added with a link or a password, listed, changed and removed', async () => {
  using box = await openAccessApi();
  const add = (body: object) => box.ask<NewUser>(box.adminBrowser, 'POST', '/api/v1/users', body);
  const invited = await add({ name: 'Bob', role: 'owner' });
  expect(invited.status).toBe(201);
  expect(box.complain(invited.body, 'NewUser')).toEqual([]);
  expect(invited.body.link!.path).toMatch(/^\/reset\?token=[\w-]{43}$/);
  expect(invited.headers.get('cache-control')).toBe('no-store');
  const given = await add({ name: 'Cyd', role: 'viewer', password });
  expect(given.body).toMatchObject({ user: { mustChangePassword: true, changedBy: 'Ada' } });
  expect(given.body.link).toBeUndefined();

  const { body } = await box.ask<{ users: UserView[] }>(box.adminBrowser, 'GET', '/api/v1/users');
  expect(body.users.map(({ name }) => name)).toEqual(['Ada', 'Bob', 'Cyd']);
  expect(box.complain(body, 'UserList')).toEqual([]);
  expect(JSON.stringify(body)).not.toMatch(/argon2|hash/i);

  const path = `/api/v1/users/${invited.body.user.id}`;
  const change = (patch: object) => box.ask<UserView>(box.adminBrowser, 'PATCH', path, patch);
  expect((await change({ revision: 1, role: 'reviewer' })).body).toMatchObject({ role: 'reviewer', revision: 2 });
  expect((await change({ revision: 2, isDisabled: true })).body).toMatchObject({ isDisabled: true, revision: 3 });
  expect((await change({ revision: 3, name: 'Robert' })).body).toMatchObject({ name: 'Robert', revision: 4 });
  expect((await box.ask<UserView>(box.adminBrowser, 'GET', path)).body).toMatchObject({ name: 'Robert' });
  expect((await box.ask(box.adminBrowser, 'DELETE', path)).status).toBe(204);
  expect((await box.ask(box.adminBrowser, 'GET', path)).status).toBe(404);
});

test('a mail address is set by administrators and by its owner, who says whether mail is sent', async () => {
  using box = await openAccessApi();
  const made = await box.ask<NewUser>(box.adminBrowser, 'POST', '/api/v1/users', {
    name: 'Bob',
    role: 'viewer',
    email: ' bob@corp.example ',
  });
  expect(made.body.user).toMatchObject({ email: 'bob@corp.example', mailMe: true });
  const path = `/api/v1/users/${made.body.user.id}`;
  const changed = await box.ask<UserView>(box.adminBrowser, 'PATCH', path, { revision: 1, email: '' });
  expect(changed.body).toMatchObject({ email: null, revision: 2, changedWhat: 'the mail address' });
  const bob = box.signedIn(box.users.get(made.body.user.id));
  const own = await box.ask<UserView>(bob, 'PATCH', '/api/v1/account', { email: 'b@corp.example', mailMe: false });
  expect(own.body).toMatchObject({ email: 'b@corp.example', mailMe: false, revision: 2, language: null });
  expect(box.complain(own.body, 'User')).toEqual([]);
  for (const email of [
    'bob',
    'bob@',
    'a@b, c@d',
    'Bob <b@corp>',
    'a@b\r\nBcc: c@d',
    '"a b"@c',
    '-@-',
    'a@b.',
    `${'x'.repeat(250)}@corp`,
  ]) {
    expect((await box.ask(bob, 'PATCH', '/api/v1/account', { email })).status).toBe(400);
    expect((await box.ask(box.adminBrowser, 'PATCH', path, { revision: 2, email })).status).toBe(400);
  }
  expect(box.users.get(made.body.user.id)).toMatchObject({ email: 'b@corp.example', revision: 2 });
});

test('of two administrators at once the second is told who was faster, and nothing is half done', async () => {
  using box = await openAccessApi();
  const bob = await box.addUser('Bob', 'administrator');
  const cyd = await box.addUser('Cyd', 'viewer');
  const path = `/api/v1/users/${cyd.id}`;
  const first = await box.ask(box.signedIn(bob), 'PATCH', path, { revision: cyd.revision, role: 'owner' });
  expect(first.status).toBe(200);
  const second = await box.ask(box.adminBrowser, 'PATCH', path, { revision: cyd.revision, isDisabled: true });
  expect(second.status).toBe(409);
  expect(second.body.error.message).toContain('Bob has changed');
  expect(second.body.error.message).toContain('the role to owner');
  expect(box.users.get(cyd.id)).toMatchObject({ role: 'owner', isDisabled: false });

  for (const body of [{ revision: 2 }, { revision: 2, name: 'Sid', role: 'viewer' }, { role: 'viewer' }]) {
    expect((await box.ask(box.adminBrowser, 'PATCH', path, body)).status).toBe(400);
  }
  expect(box.users.get(cyd.id)).toMatchObject({ name: 'Cyd', role: 'owner', revision: 2 });
});

test('the last administrator stays, whoever asks', async () => {
  using box = await openAccessApi();
  const path = `/api/v1/users/${box.admin.id}`;
  for (const [method, body] of [
    ['DELETE'],
    ['PATCH', { revision: 1, role: 'viewer' }],
    ['PATCH', { revision: 1, isDisabled: true }],
  ] as const) {
    const { status, body: failure } = await box.asSystem(method, path, body);
    expect(status).toBe(409);
    expect(failure.error.message).toContain('last administrator');
  }
});

test('a mistake is named', async () => {
  using box = await openAccessApi();
  for (const [body, message] of [
    [{ name: 'Bob', role: 'ownr' }, "did you mean 'owner'?"],
    [{ name: 'ada', role: 'viewer' }, "There is a user 'Ada' already."],
    [{ name: '<b>', role: 'viewer' }, 'cannot be called'],
    [{ name: 'Bob', role: 'viewer', password: 'short' }, '12 or more'],
    [{ name: 'Bob', role: 'viewer', isAdmin: true }, 'body'],
  ] as const) {
    const answer = await box.ask(box.adminBrowser, 'POST', '/api/v1/users', body);
    expect(answer.status).toBeOneOf([400, 409]);
    expect(answer.body.error.message).toContain(message);
  }
  expect(box.users.list()).toHaveLength(1);
});

test('the trail says who changed whom, from what to what, and holds no secret', async () => {
  using box = await openAccessApi();
  const { body } = await box.ask<NewUser>(box.adminBrowser, 'POST', '/api/v1/users', {
    name: 'Bob',
    role: 'viewer',
    password,
  });
  const path = `/api/v1/users/${body.user.id}`;
  await box.ask(box.adminBrowser, 'PATCH', path, { revision: 1, role: 'owner' });
  const { path: link } = (await box.asSystem<{ path: string }>('POST', `${path}/reset`)).body;
  const actor = { kind: 'user', id: box.admin.id, name: 'Ada' };
  expect(box.audit.search({ target: 'Bob' })).toMatchObject([
    { actor: { kind: 'system' }, action: 'resetPassword' },
    { actor, action: 'changeUser', before: { role: 'viewer' }, after: { role: 'owner' } },
    { actor, action: 'createUser', result: 'ok', from: '10.0.0.7', requestId: 'r-1' },
  ]);
  const text = [...box.audit.export()].join('\n');
  expect(text).not.toContain(password);
  expect(text).not.toContain(link.split('=')[1]);
});

test('a demoted user is no longer allowed at the very next request; a disabled one is out', async () => {
  using box = await openAccessApi();
  const bob = await box.addUser('Bob', 'administrator');
  const browser = box.signedIn(bob);
  const path = `/api/v1/users/${bob.id}`;
  expect((await box.ask(browser, 'GET', '/api/v1/users')).status).toBe(200);
  await box.ask(box.adminBrowser, 'PATCH', path, { revision: 1, role: 'viewer' });
  expect((await box.ask(browser, 'GET', '/api/v1/users')).status).toBe(403);
  await box.ask(box.adminBrowser, 'PATCH', path, { revision: 2, isDisabled: true });
  expect((await box.ask(browser, 'GET', '/api/v1/users')).status).toBe(401);
  const signIn = await box.ask<Opening>({}, 'POST', '/api/v1/session', { name: 'Bob', password });
  expect(signIn.status).toBe(403);
  expect((await box.asSystem('POST', `${path}/reset`)).status).toBe(409);
});
