import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';

import { forgetOriginMs, type Origin } from '../../src/access/known-origins.ts';
import { forgetOneMs, lockDelayMs, LockedOut, type Subject } from '../../src/access/lock-out.ts';
import type { Identity } from '../../src/access/sign-in.ts';
import { openDatabase } from '../../src/db/open.ts';
import {
  address,
  codeOf,
  errorOf,
  minute,
  type Opened,
  openOn,
  openTemporary,
  password,
  second,
  visitor,
} from './opened.ts';

let it: Opened;
beforeEach(async () => (it = await openTemporary()));
afterEach(() => {
  it.close();
  it.db.close();
});

const enter = (text: string, { name = 'ada', from = address } = {}) =>
  it.signIn.withPassword({ name, password: text, address: from });
const stranger = (from = address): Origin => ({ address: from, isKnownAddress: false });
const begin = (name: string, from?: string) => it.lockOut.begin(name, stranger(from));
/** Failures without the cost of a hash. */
const fail = (count: number, name = 'ada') => {
  for (let i = 0; i < count; i++) begin(name);
};

describe('with a password', () => {
  test('the right one lets in, whatever the case of the name and the way its letters are written', async () => {
    await it.users.create({ name: 'zoë', role: 'viewer', password: 'crème brûlée au four' }, 'Ada');
    const user = await enter('crème brûlée au four'.normalize('NFD'), { name: 'ZOË' });
    expect(user).toMatchObject({ name: 'zoë', signedInMs: it.clock.nowMs });
    expect(it.signOns.list()[0]).toMatchObject({ name: 'ZOË', address, way: 'password', result: 'ok', attempts: 1 });
  });

  test('an unknown name and a wrong password get the same answer after the same kind of work', async () => {
    const known = await errorOf(() => enter('wrong'));
    const unknown = await errorOf(() => enter('wrong', { name: 'nobody' }));
    expect([unknown.code, unknown.message, unknown.hint]).toEqual([known.code, known.message, known.hint]);
    expect(known.code).toBe('unauthenticated');
    expect(it.signOns.list().map(({ result }) => result)).toEqual(['refused', 'refused']);

    // Hashing is what takes the time: a name that does not exist must not be told in a fraction of it.
    const elapsed = async (name: string) => {
      const startMs = performance.now();
      await codeOf(() => enter('wrong', { name }));
      return performance.now() - startMs;
    };
    const knownMs = Math.min(await elapsed('ada'), await elapsed('ada'));
    const unknownMs = Math.min(await elapsed('eve'), await elapsed('eve'));
    expect(unknownMs).toBeGreaterThan(knownMs / 5);
  });

  test('a disabled user is told so only with the right password', async () => {
    const { id } = await it.users.create({ name: 'grace', role: 'viewer', password }, 'Ada');
    it.users.disable(id, { by: 'Ada' });
    expect(await codeOf(() => enter('wrong', { name: 'grace' }))).toBe('unauthenticated');
    expect(await codeOf(() => enter(password, { name: 'grace' }))).toBe('forbidden');
    expect(it.signOns.list()[0]).toMatchObject({ result: 'disabled' });
  });

  test('absurd input is refused like any other', async () => {
    for (const text of ['', '\u0000', 'x'.repeat(1_000_000)])
      expect(await codeOf(() => enter(text))).toBe('unauthenticated');
    expect(await codeOf(() => enter(password, { name: 'x'.repeat(1_000_000) }))).toBe('unauthenticated');
    expect(it.signOns.list()[0]!.name.length).toBeLessThan(100);
  });
});

describe('lock-out', () => {
  test('the delay grows from nothing to 15 minutes and never shrinks', () => {
    expect([1, 4, 5, 6, 8].map((failures) => lockDelayMs(failures, 'pair'))).toEqual([0, 0, 1000, 2000, 8000]);
    expect(lockDelayMs(19, 'address')).toBe(0);
    const subjects = fc.constantFrom<Subject>('pair', 'device', 'address', 'name');
    fc.assert(
      fc.property(fc.nat(100_000), subjects, (failures, subject) => {
        const delay = lockDelayMs(failures, subject);
        expect(delay).toBeLessThanOrEqual(subject === 'name' ? 30_000 : 15 * minute);
        expect(lockDelayMs(failures + 1, subject)).toBeGreaterThanOrEqual(delay);
      }),
    );
  });

  test('holds for the right password too and ends by itself', async () => {
    fail(5);
    const error = await errorOf(() => enter(password));
    expect(error).toBeInstanceOf(LockedOut);
    expect(error.retryAfterS).toBe(1);
    expect(it.signOns.list()[0]).toMatchObject({ result: 'locked' });
    it.clock.nowMs += second;
    expect((await enter(password)).name).toBe('Ada');
    // Success clears the count.
    fail(4);
    expect((await enter(password)).name).toBe('Ada');
  });

  test('ends with a new password', async () => {
    fail(5);
    expect(await errorOf(() => enter(password))).toBeInstanceOf(LockedOut);
    await it.users.setPassword(it.admin.id, 'another good password', { by: 'Ada' });
    expect((await enter('another good password')).name).toBe('Ada');
  });

  test('an unknown name is locked in the same way', async () => {
    fail(5, 'eve');
    expect(await errorOf(() => enter('wrong', { name: 'eve' }))).toBeInstanceOf(LockedOut);
    expect((await enter(password)).name).toBe('Ada');
  });

  test('many tries at once get no further than one after the other', async () => {
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => enter('wrong')));
    const reasons = results.map((result) => (result as PromiseRejectedResult).reason as unknown);
    expect(reasons.filter((reason) => reason instanceof LockedOut)).toHaveLength(15);
  });

  test('an address that guesses at many names has to wait, its neighbours in the same /64 too', () => {
    for (let i = 0; i < 20; i++) begin(`name-${i}`, `2001:db8:1:2::${i.toString(16)}`);
    expect(() => begin('another', '2001:db8:1:2:ffff::1')).toThrow(LockedOut);
    expect(() => begin('another', '2001:db8:1:3::1')).not.toThrow();
  });

  test('an own account does not clear the count of guesses at others', async () => {
    for (let i = 0; i < 18; i++) begin(`name-${i}`);
    await enter(password);
    begin('x');
    begin('y');
    expect(() => begin('z')).toThrow(LockedOut);
    it.lockOut.clear({ address });
    expect(() => begin('z')).not.toThrow();
  });

  test('grows while the guessing goes on, is forgotten bit by bit and left no rows behind', () => {
    const delays: number[] = [];
    for (let i = 0; i < 14; i++) {
      try {
        begin('ada');
      } catch (error) {
        const retryAfterS = (error as LockedOut).retryAfterS!;
        delays.push(retryAfterS);
        it.clock.nowMs += retryAfterS * second;
        begin('ada');
      }
    }
    expect(delays).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256]);
    it.clock.nowMs += forgetOneMs * 30;
    begin('grace');
    expect(it.db.query('SELECT count(*) AS n FROM lock_outs').get()).toEqual({ n: 3 });
  });

  test('a restart does not forget it, nor does a clock that is set back lengthen it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'aimass-lock-'));
    const path = join(folder, 'a.db');
    const clock = { nowMs: Date.UTC(2026, 0, 1) };
    try {
      const before = openDatabase(path);
      const first = openOn(before, clock);
      for (let i = 0; i < 6; i++) {
        first.lockOut.begin('ada', stranger());
        if (i >= 4) clock.nowMs += second;
      }
      first.close();
      before.close();
      const db = openDatabase(path);
      const { lockOut, close } = openOn(db, clock);
      expect(() => lockOut.begin('ada', stranger())).toThrow(LockedOut);
      clock.nowMs -= 30 * minute;
      const error = await errorOf(() => lockOut.begin('ada', stranger()));
      expect(error.retryAfterS).toBe(2);
      close();
      db.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('who fails on purpose', () => {
  const home = '10.0.0.7';
  const elsewhere = '10.0.0.8';
  const try_ = (from: string, device?: string) =>
    it.lockOut.begin('ada', it.origins.look(it.admin.id, { address: from, device }));

  test('shuts out nobody who comes from another address', async () => {
    for (let i = 0; i < 5; i++) begin('ada', '10.0.9.9');
    expect(() => begin('ada', '10.0.9.9')).toThrow(LockedOut);
    expect((await enter(password, { from: elsewhere })).name).toBe('Ada');
    expect(it.lockOut.waitMs('ada')).toBeGreaterThan(0);
  });

  test('from many addresses slows down strangers for seconds, and nobody from where she was before', async () => {
    it.origins.remember(it.admin.id, { address: home });
    for (let i = 0; i < 60; i++) {
      it.clock.nowMs += minute;
      begin('ada', `192.0.2.${i}`);
    }
    const error = await errorOf(() => enter(password, { from: elsewhere }));
    expect(error).toBeInstanceOf(LockedOut);
    expect(error.retryAfterS).toBeLessThanOrEqual(30);
    expect((await enter(password, { from: home })).name).toBe('Ada');
  });

  test('from the same address does not shut out a browser in which she signed in before', async () => {
    const device = it.origins.remember(it.admin.id, { address: home });
    for (let i = 0; i < 20; i++) begin(i < 5 ? 'ada' : `name-${i}`, home);
    expect(await errorOf(() => enter(password, { from: home }))).toBeInstanceOf(LockedOut);
    expect((await it.signIn.withPassword({ name: 'ada', password, address: home, device })).name).toBe('Ada');
  });

  test('in such a browser has to wait as well, and no other browser with it', () => {
    const [stolen, own] = [
      it.origins.remember(it.admin.id, { address: home }),
      it.origins.remember(it.admin.id, { address: home }),
    ];
    for (let i = 0; i < 5; i++) try_(elsewhere, stolen);
    expect(() => try_(elsewhere, stolen)).toThrow(LockedOut);
    expect(() => try_(elsewhere, own)).not.toThrow();
    it.lockOut.clear({ name: 'Ada' });
    expect(() => try_(elsewhere, stolen)).not.toThrow();
  });

  test('gains nothing by a device of another name, an invented or an old one', async () => {
    const grace = await it.users.create({ name: 'grace', role: 'viewer', password }, 'Ada');
    const others = it.origins.remember(grace.id, { address: elsewhere });
    expect(it.origins.look(it.admin.id, { address: elsewhere, device: others })).toEqual({
      address: elsewhere,
      isKnownAddress: false,
    });
    for (const device of ['', 'x'.repeat(43), '\u0000', 'y'.repeat(1_000_000)]) {
      expect(it.origins.look(it.admin.id, { address: elsewhere, device })).not.toHaveProperty('device');
    }
    const device = it.origins.remember(it.admin.id, { address: home });
    // The same browser stands for all who sign in with it.
    expect(it.origins.remember(grace.id, { address: home, device })).toBe(device);
    expect(it.origins.look(it.admin.id, { address: home, device })).toMatchObject({
      isKnownAddress: true,
      device: expect.any(String),
    });
    it.clock.nowMs += forgetOriginMs;
    expect(it.origins.look(it.admin.id, { address: home, device })).toEqual({ address: home, isKnownAddress: false });
  });

  test('cannot make a user known from more than so many places, nor be counted under another name', () => {
    for (let i = 0; i < 60; i++) {
      it.clock.nowMs += second;
      it.origins.remember(it.admin.id, { address: `192.0.2.${i}` });
    }
    expect(it.db.query('SELECT count(*) AS n FROM known_origins').get()).toEqual({ n: 40 });
    for (let i = 0; i < 6; i++) {
      it.clock.nowMs += second;
      begin('ada\n10.1.1.1', '10.1.1.1');
    }
    expect(it.lockOut.waitMs('ada')).toBe(0);
  });

  test('guessing of a signed-in session at the present password holds up that session alone', async () => {
    const { session } = it.sessions.create(it.admin.id, visitor);
    const change = (keepSession?: string) =>
      it.signIn.changePassword({
        user: it.admin,
        current: 'wrong',
        password: 'another good password',
        address,
        keepSession,
      });
    for (let i = 0; i < 5; i++) expect(await codeOf(() => change(session.id))).toBe('invalid');
    expect(await errorOf(() => change(session.id))).toBeInstanceOf(LockedOut);
    expect((await enter(password)).name).toBe('Ada');
  });
});

describe('the sign-on log', () => {
  test('is limited and counts what an address repeats while it is locked', () => {
    for (let i = 0; i < 50; i++) it.signOns.record({ name: `n${i}`, address, way: 'password', result: 'locked' });
    expect(it.signOns.list()).toHaveLength(1);
    expect(it.signOns.list()[0]).toMatchObject({ name: 'n0', attempts: 50 });
    it.clock.nowMs += minute;
    it.signOns.record({ name: 'later', address, way: 'password', result: 'locked' });
    expect(it.signOns.list()).toHaveLength(2);
    it.db.run("UPDATE sqlite_sequence SET seq = 9999 WHERE name = 'sign_ons'");
    for (let i = 0; i < 5; i++) it.signOns.record({ name: 'ada', address, way: 'oidc', result: 'ok' });
    const rows = it.signOns.list();
    expect(rows.map(({ id }) => id)).toEqual([10_004, 10_003, 10_002, 10_001, 10_000]);
    expect(it.signOns.list({ before: 10_002, limit: 1 }).map(({ id }) => id)).toEqual([10_001]);
    expect(it.signOns.list({ name: 'eve' })).toEqual([]);
  });
});

describe('with an identity', () => {
  const roles = new Map([
    ['admins', 'administrator'],
    ['owners', 'owner'],
  ] as const);
  const grace: Identity = { issuer: 'https://id.lan', subject: '42', name: 'grace', groups: ['owners', 'x'] };
  const enter = (identity: Partial<Identity> = {}) => it.signIn.withIdentity({ ...grace, ...identity }, roles, address);

  test('makes a user once, whose role follows the groups', () => {
    const user = enter();
    expect(user).toMatchObject({
      name: 'grace',
      role: 'owner',
      hasPassword: false,
      isLinked: true,
      changedBy: 'single sign-on',
    });
    expect(enter({ name: 'renamed elsewhere', groups: ['admins'] })).toMatchObject({
      id: user.id,
      name: 'grace',
      role: 'administrator',
    });
    expect(it.signOns.list()[0]).toMatchObject({ name: 'grace', way: 'oidc', result: 'ok' });
    expect(enter({ issuer: 'https://other.lan' }).id).not.toBe(user.id);
  });

  test('never joins a user who has the same name, and makes a fit name of any', () => {
    const user = enter({ name: 'ADA', groups: ['admins'] });
    expect(user).toMatchObject({ name: 'ADA-2' });
    expect(user.id).not.toBe(it.admin.id);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.uuid(), (name, subject) => {
        expect(enter({ name, subject }).name).not.toMatch(/[<>&"]/);
      }),
      { numRuns: 60 },
    );
  });

  test('without a group that counts nobody gets in, and who was in is out', async () => {
    expect(await codeOf(() => enter({ groups: ['x'] }))).toBe('forbidden');
    expect(it.users.list()).toHaveLength(1);
    const { token } = it.sessions.create(enter().id, { ...visitor, way: 'oidc' });
    expect(await codeOf(() => enter({ groups: [] }))).toBe('forbidden');
    expect(it.sessions.find(token)).toBeUndefined();
    expect(it.signOns.list()[0]).toMatchObject({ name: 'grace', result: 'no-role' });
  });

  test('the last administrator is not demoted by a group, but told', async () => {
    const { id } = enter({ groups: ['admins'] });
    it.users.disable(it.admin.id, { by: 'grace' });
    expect(await codeOf(() => enter({ groups: ['owners'] }))).toBe('conflict');
    expect(it.signOns.list()[0]).toMatchObject({ name: 'grace', result: 'refused' });
    expect(it.users.get(id).role).toBe('administrator');
  });

  test('a disabled user stays out', async () => {
    it.users.disable(enter().id, { by: 'Ada' });
    expect(await codeOf(() => enter())).toBe('forbidden');
  });
});
