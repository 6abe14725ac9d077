import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import type { KeySettings } from '../../src/access/key-scope.ts';
import type { UserRecord } from '../../src/access/user-record.ts';
import { openDatabase } from '../../src/db/open.ts';
import { codeOf, day, errorOf, hour, minute, type Opened, openOn, openTemporary, password, second } from './opened.ts';

let it: Opened;
let owner: UserRecord;
beforeEach(async () => {
  it = await openTemporary();
  owner = await it.users.create({ name: 'grace', role: 'owner', password }, 'Ada');
});
afterEach(() => {
  it.close();
  it.db.close();
});

const defaults: KeySettings = {
  name: 'camera 4',
  scope: { models: '*', actions: ['predict'] },
  expiresMs: null,
  ratePerSecond: null,
  burst: null,
  dailyQuota: null,
};
const make = (settings: Partial<KeySettings> = {}) => it.keys.create({ ...defaults, ...settings }, owner.id, 'grace');
const enter = (text: string) => it.gate.authenticate(text);
const refusal = (text: string) => errorOf(() => enter(text));

describe('a key', () => {
  test('is shown once, opens the door and is not in the database', () => {
    const { text, key } = make({ scope: { models: ['digits', 'digits', 'fraud'], actions: ['load', 'predict'] } });
    expect(text).toMatch(/^am_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}$/);
    expect(text).toStartWith(`${key.prefix}_`);
    expect(enter(text)).toEqual({
      kind: 'key',
      id: key.id,
      name: 'camera 4',
      scope: { models: ['digits', 'fraud'], actions: ['predict', 'load'] },
      owner: owner.id,
    });
    expect(key).toMatchObject({
      ownerName: 'grace',
      createdBy: 'grace',
      lastUsedMs: null,
      usedToday: 0,
      revokedMs: null,
    });
    expect(Buffer.from(it.db.serialize()).includes(text.slice(16))).toBe(false);
    expect(JSON.stringify(it.keys.list())).not.toContain(text.slice(16));
  });

  test('is known by every one of its characters', async () => {
    const { text } = make();
    const other = make().text;
    enter(text);
    const swapped = text.slice(0, 16) + other.slice(16);
    const wrong = [
      '',
      'am_',
      text.slice(0, -1),
      `${text}x`,
      ` ${text}`,
      text.toUpperCase(),
      swapped,
      `am_${'a'.repeat(12)}_${'b'.repeat(43)}`,
    ];
    for (const each of [...wrong, 'x'.repeat(1_000_000)]) expect((await refusal(each)).code).toBe('unauthenticated');
  });

  test('cannot do more than its owner, also when the owner loses a role', async () => {
    const { text, key } = make({ scope: { models: '*', actions: ['predict', 'load'] } });
    const viewer = await it.users.create({ name: 'bob', role: 'viewer', password }, 'Ada');
    const settings = { ...defaults, scope: key.scope };
    expect(await codeOf(() => it.keys.create(settings, viewer.id, 'bob'))).toBe('forbidden');
    expect(await codeOf(() => it.keys.transfer(key.id, viewer.id))).toBe('forbidden');
    expect(enter(text).scope.actions).toEqual(['predict', 'load']);
    it.users.setRole(owner.id, 'viewer', { by: 'Ada' });
    expect(enter(text).scope.actions).toEqual(['predict']);
  });

  test('rests while its owner is disabled', async () => {
    const { text } = make();
    enter(text);
    it.users.disable(owner.id, { by: 'Ada' });
    expect((await refusal(text)).message).toContain('disabled');
    it.users.enable(owner.id, { by: 'Ada' });
    expect(enter(text).owner).toBe(owner.id);
  });

  test('ends when it expires, to the millisecond, although it was seen before', async () => {
    const { text, key } = make({ expiresMs: it.clock.nowMs + hour });
    enter(text);
    it.clock.nowMs += hour - 1;
    enter(text);
    it.clock.nowMs += 1;
    expect((await refusal(text)).message).toContain('expired');
    expect(it.keys.change(key.id, { name: 'renamed' }).name).toBe('renamed');
    expect((await refusal(text)).message).toContain('expired');
    it.keys.change(key.id, { expiresMs: null });
    expect(enter(text).name).toBe('renamed');
  });

  test('is revoked at once and for ever', async () => {
    const { text, key } = make();
    enter(text);
    expect(it.keys.revoke(key.id, 'Ada')).toMatchObject({ revokedBy: 'Ada', revokedMs: it.clock.nowMs });
    expect((await refusal(text)).message).toContain('revoked');
    for (const work of [
      () => it.keys.revoke(key.id, 'Ada'),
      () => it.keys.rotate(key.id, 0),
      () => it.keys.change(key.id, { name: 'x' }),
      () => it.keys.transfer(key.id, it.admin.id),
    ]) {
      expect(await codeOf(work)).toBe('conflict');
    }
  });

  test('rotates with an overlap, to the millisecond', async () => {
    const { text: first, key } = make();
    enter(first);
    const { text: second, key: rotated } = it.keys.rotate(key.id, hour);
    expect(second).toStartWith(`${key.prefix}_`);
    expect(rotated.previousUntilMs).toBe(it.clock.nowMs + hour);
    expect(enter(first).id).toBe(enter(second).id);
    it.clock.nowMs += hour - 1;
    enter(first);
    it.clock.nowMs += 1;
    expect((await refusal(first)).code).toBe('unauthenticated');
    enter(second);
    expect(it.keys.get(key.id).previousUntilMs).toBeNull();
    const { text: third } = it.keys.rotate(key.id, 0);
    expect((await refusal(second)).code).toBe('unauthenticated');
    enter(third);
    expect(await codeOf(() => it.keys.rotate(key.id, -1))).toBe('invalid');
    expect(await codeOf(() => it.keys.rotate(key.id, Number.NaN))).toBe('invalid');
  });

  test('has settings that make sense', async () => {
    const wrong: Partial<KeySettings>[] = [
      { name: '' },
      { name: 'a\nb' },
      { name: 'x'.repeat(81) },
      { expiresMs: it.clock.nowMs },
      { expiresMs: 1.5 },
      { ratePerSecond: 0 },
      { ratePerSecond: Number.NaN },
      { ratePerSecond: 1, burst: 0 },
      { burst: 5 },
      { dailyQuota: 0 },
      { dailyQuota: 1.5 },
      { scope: { models: [], actions: ['predict'] } },
      { scope: { models: ['a/b'], actions: ['predict'] } },
      { scope: { models: '*', actions: [] } },
      { scope: { models: '*', actions: ['user.manage' as 'predict'] } },
    ];
    for (const settings of wrong) expect([settings, await codeOf(() => make(settings))]).toEqual([settings, 'invalid']);
    expect(it.keys.list()).toEqual([]);
  });

  test('is one of a hundred at most', async () => {
    for (let i = 0; i < 100; i++) make();
    expect(await codeOf(() => make())).toBe('conflict');
    it.keys.revoke(it.keys.list(owner.id)[0]!.id, 'grace');
    make();
    expect(it.keys.list(it.admin.id)).toEqual([]);
  });
});

describe('the gate', () => {
  test('answers for a known key from memory, with the same object', () => {
    const { text } = make();
    const actor = enter(text);
    const queries: string[] = [];
    const query = it.db.query.bind(it.db);
    it.db.query = (sql: string) => (queries.push(sql), query(sql));
    for (let i = 0; i < 1000; i++) expect(enter(text)).toBe(actor);
    expect(it.gate.admit(actor)).toEqual({ ok: true });
    expect(queries).toEqual([]);
    expect(() => enter(`${text.slice(0, -1)}${text.endsWith('x') ? 'y' : 'x'}`)).toThrow();
    expect(queries).toHaveLength(1);
  });

  test('holds a key to its rate, whatever is changed about it meanwhile', () => {
    const { text, key } = make({ ratePerSecond: 2, burst: 3 });
    const tries = () => Array.from({ length: 5 }, () => it.gate.admit(enter(text)));
    expect(tries().map(({ ok }) => ok)).toEqual([true, true, true, false, false]);
    expect(it.gate.admit(enter(text))).toEqual({ ok: false, retryAfterS: 1, why: 'rate' });
    it.keys.change(key.id, { name: 'renamed' });
    expect(it.gate.admit(enter(text)).ok).toBe(false);
    it.clock.nowMs += second;
    expect(tries().map(({ ok }) => ok)).toEqual([true, true, false, false, false]);
    it.keys.change(key.id, { ratePerSecond: null, burst: null });
    expect(tries().every(({ ok }) => ok)).toBe(true);
    expect(make({ ratePerSecond: 0.01 }).key.burst).toBeNull();
  });

  test('a rate without a burst lets in one second of it at once', () => {
    const { text } = make({ ratePerSecond: 10 });
    expect(Array.from({ length: 12 }, () => it.gate.admit(enter(text)).ok).filter(Boolean)).toHaveLength(10);
  });

  test('counts the day in UTC, over a restart, and starts anew at midnight', async () => {
    const { text, key } = make({ dailyQuota: 3 });
    it.gate.admit(enter(text));
    it.gate.admit(enter(text));
    it.close();
    const again = openOn(it.db, it.clock);
    const admit = () => again.gate.admit(again.gate.authenticate(text));
    expect(again.keys.get(key.id)).toMatchObject({ usedToday: 2, lastUsedMs: it.clock.nowMs });
    expect(admit().ok).toBe(true);
    const untilMidnightS = (Date.UTC(2026, 4, 18) - it.clock.nowMs) / 1000;
    expect(admit()).toEqual({ ok: false, retryAfterS: untilMidnightS, why: 'quota' });
    expect(again.keys.get(key.id).usedToday).toBe(3);
    it.clock.nowMs += untilMidnightS * second;
    expect(again.keys.get(key.id).usedToday).toBe(0);
    expect(admit().ok).toBe(true);
    expect(again.keys.get(key.id).usedToday).toBe(1);
    again.close();
  });

  test('a refused request costs no quota', () => {
    const { text, key } = make({ ratePerSecond: 1, burst: 1, dailyQuota: 10 });
    for (let i = 0; i < 5; i++) it.gate.admit(enter(text));
    expect(it.keys.get(key.id).usedToday).toBe(1);
  });

  test('writes when it is told to, and only what has changed', () => {
    const { text, key } = make();
    const before = Buffer.from(it.db.serialize());
    enter(text);
    expect(Buffer.from(it.db.serialize()).equals(before)).toBe(true);
    it.gate.flush();
    expect(it.db.query('SELECT last_used_ms AS ms FROM api_keys WHERE id = ?').get(key.id)).toEqual({
      ms: it.clock.nowMs,
    });
    const { changes } = it.db.query<{ changes: number }, []>('SELECT total_changes() AS changes').get()!;
    it.gate.flush();
    expect(it.db.query('SELECT total_changes() AS changes').get()).toEqual({ changes });
  });

  test('a database without keys lets nobody in', async () => {
    const db = openDatabase(':memory:');
    const empty = openOn(db, { nowMs: day + minute });
    const { text } = make();
    expect(await codeOf(() => empty.gate.authenticate(text))).toBe('unauthenticated');
    empty.close();
    db.close();
  });
});
