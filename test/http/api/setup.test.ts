import { expect, test } from 'bun:test';

import { openDatabase } from '../../../src/db/open.ts';
import { openOn, password } from '../../access/opened.ts';
import { browserOf, type Opening, serveAccess } from './access-api.ts';

function openNew() {
  const db = openDatabase(':memory:');
  const clock = { nowMs: Date.UTC(2026, 4, 17, 9, 30) };
  return serveAccess({ ...openOn(db, clock), db, clock });
}

const nobody = {};

test('the link makes the first administrator, who is signed in; then it is spent', async () => {
  using box = openNew();
  expect((await box.ask(nobody, 'GET', '/api/v1/setup')).body).toEqual({ isSetUp: false } as never);
  const link = await box.asSystem<{ path: string }>('POST', '/api/v1/setup/link');
  expect(box.complain(link.body, 'SetupLink')).toEqual([]);
  const token = new URL(link.body.path, 'http://box.lan').searchParams.get('token')!;
  const request = { token, name: 'Ada', password };

  const answer = await box.ask<Opening>(nobody, 'POST', '/api/v1/setup', request);
  expect(answer.status).toBe(201);
  expect(box.complain(answer.body, 'OpenedSession')).toEqual([]);
  expect(answer.body.user).toMatchObject({ name: 'Ada', role: 'administrator' });
  expect(answer.headers.get('set-cookie')).toContain('HttpOnly; SameSite=Lax');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect((await box.ask(browserOf(answer), 'GET', '/api/v1/users')).status).toBe(200);
  expect((await box.ask(nobody, 'GET', '/api/v1/setup')).body).toEqual({ isSetUp: true } as never);

  expect((await box.ask(nobody, 'POST', '/api/v1/setup', { ...request, name: 'Eve' })).status).toBe(409);
  expect((await box.asSystem('POST', '/api/v1/setup/link')).status).toBe(409);
  expect(box.users.list().map(({ name }) => name)).toEqual(['Ada']);
  expect(box.signOns.list()).toMatchObject([{ name: 'Ada', way: 'setup', result: 'ok' }]);
  expect(box.audit.search({ action: 'completeSetup' })).toMatchObject([
    { actor: { kind: 'user', name: 'Ada' }, target: 'Ada', result: 'ok' },
  ]);
  expect([...box.audit.export()].join()).not.toContain(token);
});

test('another token, a weak password and two at once make nobody, or one', async () => {
  using box = openNew();
  const token = box.setup.issueToken();
  const send = (body: object) => box.ask(nobody, 'POST', '/api/v1/setup', body);
  expect((await send({ token: `${token}x`, name: 'Ada', password })).status).toBe(401);
  expect((await send({ token, name: 'Ada', password: 'short' })).body.error.message).toContain('12 or more');
  expect((await send({ token, name: 'Ada', password, role: 'administrator' })).status).toBe(400);
  expect(box.setup.isSetUp()).toBe(false);
  const both = await Promise.all(['Ada', 'Eve'].map((name) => send({ token, name, password })));
  expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
  expect(box.users.list()).toHaveLength(1);
});

test('only the server itself may ask for a new link while there is no user', async () => {
  using box = openNew();
  const token = box.setup.issueToken();
  expect((await box.ask(nobody, 'POST', '/api/v1/setup/link')).status).toBe(401);
  expect(box.setup.isToken(token)).toBe(true);
  await box.asSystem('POST', '/api/v1/setup/link');
  expect(box.setup.isToken(token)).toBe(false);
});

test('whoever is refused as nobody does not fill the audit trail', async () => {
  using box = openNew();
  for (let i = 0; i < 3; i++) await box.ask(nobody, 'POST', '/api/v1/setup', { token: 'x', name: 'Eve', password });
  await box.ask(nobody, 'DELETE', '/api/v1/users/somebody');
  expect(box.audit.search()).toEqual([]);
});
