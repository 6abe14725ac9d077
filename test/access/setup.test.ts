import { expect, test } from 'bun:test';

import { openDatabase } from '../../src/db/open.ts';
import { codeOf, openOn, password } from './opened.ts';

const request = { name: 'Ada', password };

function open() {
  const db = openDatabase(':memory:');
  const clock = { nowMs: Date.UTC(2026, 0, 1) };
  return { db, clock, ...openOn(db, clock) };
}

test('the newest token makes the first administrator, once', async () => {
  const it = open();
  expect(it.setup.isSetUp()).toBe(false);
  const first = it.setup.issueToken();
  const token = it.setup.issueToken();
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(it.setup.isToken(token)).toBe(true);
  expect(await codeOf(() => it.setup.complete(first, request))).toBe('unauthenticated');
  expect(await codeOf(() => it.setup.complete('', request))).toBe('unauthenticated');
  expect(await codeOf(() => it.setup.complete(token, { name: 'Ada', password: 'ada' }))).toBe('invalid');
  expect(it.setup.isSetUp()).toBe(false);

  expect(await it.setup.complete(token, request)).toMatchObject({ name: 'Ada', role: 'administrator' });
  expect(it.setup.isSetUp()).toBe(true);
  expect(it.setup.isToken(token)).toBe(false);
  expect(await codeOf(() => it.setup.complete(token, { ...request, name: 'Eve' }))).toBe('conflict');
  expect(await codeOf(() => it.setup.issueToken())).toBe('conflict');
  expect(openOn(it.db, it.clock).setup.isSetUp()).toBe(true);
});

test('of two at once one wins', async () => {
  const it = open();
  const token = it.setup.issueToken();
  const results = await Promise.allSettled(['Ada', 'Bob'].map((name) => it.setup.complete(token, { name, password })));
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(it.users.list()).toHaveLength(1);
});

test('the token is not in the database', () => {
  const it = open();
  const token = it.setup.issueToken();
  expect(Buffer.from(it.db.serialize()).includes(token)).toBe(false);
});
