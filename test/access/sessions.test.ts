import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { codeOf, hour, minute, type Opened, openOn, openTemporary, password, second, visitor } from './opened.ts';

let it: Opened;
beforeEach(async () => (it = await openTemporary()));
afterEach(() => {
  it.close();
  it.db.close();
});

const begin = () => it.sessions.create(it.admin.id, visitor);
const isGood = (token: string) => it.sessions.find(token) !== undefined;

describe('a session', () => {
  test('is found by its token alone, which the database does not hold', () => {
    const { token, session } = begin();
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(it.sessions.find(token)).toEqual({
      session,
      actor: { kind: 'user', id: it.admin.id, name: 'Ada', role: 'administrator' },
      mustChangePassword: false,
      isSecure: false,
      renewed: undefined,
    });
    expect(Buffer.from(it.db.serialize()).includes(token)).toBe(false);
    for (const wrong of ['', session.id, token.slice(0, -1), `${token}x`]) expect(isGood(wrong)).toBe(false);
  });

  test('ends when it is idle for 12 hours or a week old', () => {
    const { token } = begin();
    const idle = begin();
    it.clock.nowMs += 12 * hour - 1;
    let current = it.sessions.find(token)!.renewed!;
    it.clock.nowMs += 1;
    expect(isGood(idle.token)).toBe(false);
    for (let i = 0; i < 12; i++) {
      expect(isGood(current)).toBe(true);
      it.clock.nowMs += 11 * hour;
      current = it.sessions.find(current)!.renewed!;
    }
    it.clock.nowMs += 11 * hour;
    expect(it.sessions.list()).toHaveLength(1);
    it.clock.nowMs += 2 * hour;
    expect(isGood(current)).toBe(false);
    expect(it.sessions.list()).toEqual([]);
    begin();
    expect(it.db.query('SELECT count(*) AS n FROM sessions').get()).toEqual({ n: 1 });
  });

  test('notes its use once a minute', () => {
    const { token } = begin();
    const startMs = it.clock.nowMs;
    it.clock.nowMs += minute - 1;
    it.sessions.find(token);
    expect(it.sessions.list()[0]!.seenMs).toBe(startMs);
    it.clock.nowMs += 1;
    it.sessions.find(token);
    expect(it.sessions.list()[0]!.seenMs).toBe(startMs + minute);
  });

  test('is listed and revoked, one or all, by its owner or anybody who may', async () => {
    const [first, second, third] = [begin(), begin(), begin()];
    expect(it.sessions.list(it.admin.id)).toHaveLength(3);
    expect(it.sessions.list('another')).toEqual([]);
    expect(await codeOf(() => it.sessions.revoke(first.session.id, 'another'))).toBe('not_found');
    it.sessions.revoke(first.session.id, it.admin.id);
    expect(await codeOf(() => it.sessions.revoke(first.session.id))).toBe('not_found');
    expect(it.sessions.revokeAll(it.admin.id, third.session.id)).toBe(1);
    expect([first, second, third].map(({ token }) => isGood(token))).toEqual([false, false, true]);
  });

  test('survives a restart, and not its user being disabled', async () => {
    const user = await it.users.create({ name: 'grace', role: 'viewer', password }, 'Ada');
    const { token } = it.sessions.create(user.id, visitor);
    const again = openOn(it.db, it.clock);
    expect(again.sessions.find(token)?.actor.name).toBe('grace');
    again.users.disable(user.id, { by: 'Ada' });
    expect(again.sessions.find(token)).toBeUndefined();
    again.users.enable(user.id, { by: 'Ada' });
    expect(again.sessions.find(token)).toBeUndefined();
  });

  test('a user has 32 at most, and the one that was used last stays', () => {
    const first = begin();
    for (let i = 0; i < 40; i++) {
      it.clock.nowMs += minute;
      it.sessions.find(first.token);
      begin();
    }
    expect(it.sessions.list()).toHaveLength(32);
    expect(isGood(first.token)).toBe(true);
  });

  test("the browser's name cannot disturb a terminal", () => {
    const { session } = it.sessions.create(it.admin.id, { ...visitor, agent: `\u001b[31m${'x'.repeat(1000)}` });
    expect(session.agent).toBe(` [31m${'x'.repeat(195)}`);
  });
});

describe('rotation', () => {
  test('happens once an hour, and parallel requests with the old token survive', () => {
    const { token } = begin();
    it.clock.nowMs += hour - 1;
    expect(it.sessions.find(token)!.renewed).toBeUndefined();
    it.clock.nowMs += 1;
    const { renewed } = it.sessions.find(token)!;
    expect(renewed).toMatch(/^[\w-]{43}$/);
    expect(it.sessions.find(token)!.renewed).toBeUndefined();
    expect(it.sessions.find(renewed!)!.renewed).toBeUndefined();
    it.clock.nowMs += 30 * second - 1;
    expect(isGood(token)).toBe(true);
    it.clock.nowMs += 1;
    expect(isGood(token)).toBe(false);
    expect(isGood(renewed!)).toBe(true);
  });

  test('a new token that never arrived does not sign anybody out', () => {
    const { token } = begin();
    it.clock.nowMs += hour;
    const lost = it.sessions.find(token)!.renewed!;
    it.clock.nowMs += 5 * minute;
    const { renewed } = it.sessions.find(token)!;
    expect(renewed).toBeDefined();
    expect(isGood(lost)).toBe(false);
    expect(isGood(renewed!)).toBe(true);
    it.clock.nowMs += minute;
    expect(isGood(token)).toBe(false);
  });

  test('after a change of rights the old token ends within 30 seconds', async () => {
    const { token, session } = begin();
    const renewed = it.sessions.rotate(session.id);
    expect(isGood(token)).toBe(true);
    it.clock.nowMs += 30 * second;
    expect(isGood(token)).toBe(false);
    expect(isGood(renewed)).toBe(true);
    expect(await codeOf(() => it.sessions.rotate('another'))).toBe('not_found');
  });

  test('a new role is in force at once and brings a new token', async () => {
    const user = await it.users.create({ name: 'grace', role: 'viewer', password }, 'Ada');
    const { token } = it.sessions.create(user.id, visitor);
    it.users.setRole(user.id, 'owner', { by: 'Ada' });
    const found = it.sessions.find(token)!;
    expect(found.actor.role).toBe('owner');
    expect(found.renewed).toBeDefined();
    expect(it.sessions.find(found.renewed!)!.actor.role).toBe('owner');
  });
});

describe('form tokens', () => {
  test('are good for their own session alone, also after a restart', () => {
    const [mine, other] = [begin().session.id, begin().session.id];
    const token = it.formTokens.issue(mine);
    expect(it.formTokens.verify(mine, token)).toBe(true);
    expect(openOn(it.db, it.clock).formTokens.verify(mine, token)).toBe(true);
    expect(it.formTokens.verify(other, token)).toBe(false);
    expect(it.formTokens.verify('', token)).toBe(false);
    for (const wrong of [
      '',
      'x',
      token.slice(0, -1),
      `${token}A`,
      'A'.repeat(100_000),
      Bun.CSRF.generate('guess', { sessionId: mine }),
    ]) {
      expect(it.formTokens.verify(mine, wrong)).toBe(false);
    }
  });
});
