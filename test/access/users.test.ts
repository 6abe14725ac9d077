import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import fc from 'fast-check';

import { checkPassword } from '../../src/access/passwords.ts';
import { checkUserName } from '../../src/access/user-name.ts';
import { AppError } from '../../src/error.ts';
import { address, codeOf, day, errorOf, hour, type Opened, openTemporary, password, visitor } from './opened.ts';

let it: Opened;
beforeEach(async () => (it = await openTemporary()));
afterEach(() => {
  it.close();
  it.db.close();
});

const add = (name: string, role: 'administrator' | 'owner' | 'viewer' = 'viewer') =>
  it.users.create({ name, role, password }, 'Ada');
const by = { by: 'Ada' };

describe('records', () => {
  test('a user is found by name in any case and by id', async () => {
    const user = await add('Grace.Hopper', 'owner');
    expect(it.users.findByName(' grace.hopper ')?.id).toBe(user.id);
    expect(it.users.get(user.id)).toEqual(user);
    expect(user).toMatchObject({
      name: 'Grace.Hopper',
      role: 'owner',
      isDisabled: false,
      hasPassword: true,
      mustChangePassword: false,
      isLinked: false,
      language: null,
      theme: null,
      signedInMs: null,
      revision: 1,
      changedBy: 'Ada',
    });
    expect(it.users.list().map(({ name }) => name)).toEqual(['Ada', 'Grace.Hopper']);
  });

  test('no record carries a password or its hash, which is argon2id', async () => {
    const user = await add('grace');
    const { hash } = it.db
      .query<{ hash: string }, [string]>('SELECT password_hash AS hash FROM users WHERE id = ?')
      .get(user.id)!;
    expect(hash).toStartWith('$argon2id$v=19$m=19456,t=2,p=1$');
    expect(await Bun.password.verify(password, hash)).toBe(true);
    expect(JSON.stringify(it.users.list())).not.toContain('argon2');
  });

  test('a name is taken in every case and way of writing', async () => {
    await add('Zoë');
    expect(await codeOf(() => add('ZOË'))).toBe('conflict');
    expect(await codeOf(() => add('Zoe\u0308'))).toBe('conflict');
    const other = await add('grace');
    expect(await codeOf(() => it.users.rename(other.id, 'zoë', by))).toBe('conflict');
    expect(it.users.rename(other.id, 'Grace', by).name).toBe('Grace');
  });

  test('two who create the same name at once: one wins', async () => {
    const results = await Promise.allSettled([add('grace'), add('grace')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('preferences are no change that others could miss', () => {
    expect(it.users.setPreferences(it.admin.id, { language: 'zh-CN' })).toMatchObject({
      language: 'zh-CN',
      revision: 1,
    });
    expect(it.users.setPreferences(it.admin.id, { theme: 'dark' })).toMatchObject({ language: 'zh-CN', theme: 'dark' });
    expect(() => it.users.setPreferences(it.admin.id, { theme: 'pink' as 'dark' })).toThrow(AppError);
  });

  test('names that can be mistaken for markup, control or nothing are refused', () => {
    for (const name of ['', ' ', '<b>x</b>', 'a\nb', 'a"b', '-a', 'a'.repeat(65), 'a\u202Eb', 'a\u0000', '\u200b']) {
      expect(() => checkUserName(name)).toThrow(AppError);
    }
    for (const name of ['a', '李雷', "O'Neil", 'a.b@corp.lan', 'Jean-Luc Picard', 'नमस्ते'])
      expect(checkUserName(name)).toBe(name);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          const name = checkUserName(text);
          expect(name).not.toMatch(/[<>&"`\\/]|\p{C}/u);
          expect(checkUserName(name)).toBe(name);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }),
    );
  });
});

describe('the last administrator', () => {
  test('cannot be removed, disabled or demoted, whoever tries', async () => {
    const { id } = it.admin;
    expect(await codeOf(() => it.users.remove(id, by))).toBe('conflict');
    expect(await codeOf(() => it.users.disable(id, by))).toBe('conflict');
    expect(await codeOf(() => it.users.setRole(id, 'owner', by))).toBe('conflict');
    expect(it.users.get(id)).toMatchObject({ role: 'administrator', isDisabled: false, revision: 1 });
  });

  test('is not helped by one who is disabled or has no way to sign in', async () => {
    const { id } = await add('grace', 'administrator');
    it.users.disable(id, by);
    await it.users.create({ name: 'invited', role: 'administrator' }, 'Ada');
    expect(await codeOf(() => it.users.setRole(it.admin.id, 'viewer', by))).toBe('conflict');
    it.users.enable(id, by);
    expect(it.users.setRole(it.admin.id, 'viewer', by).role).toBe('viewer');
    expect(await codeOf(() => it.users.remove(id, by))).toBe('conflict');
  });
});

describe('two who edit at once', () => {
  test('the second is told who did what', async () => {
    const user = await add('grace');
    it.users.setRole(user.id, 'owner', { by: 'Bob', revision: user.revision });
    const error = await errorOf(() => it.users.disable(user.id, { by: 'Ada', revision: user.revision }));
    expect(error.code).toBe('conflict');
    expect(error.message).toContain('Bob');
    expect(error.message).toContain('the role to owner');
    expect(error.message).toContain('2026-05-17');
    const now = it.users.get(user.id);
    expect(now).toMatchObject({ isDisabled: false, revision: 2 });
    expect(it.users.disable(user.id, { by: 'Ada', revision: now.revision }).isDisabled).toBe(true);
    expect(await codeOf(() => it.users.setPassword(user.id, password, { by: 'Ada', revision: 2 }))).toBe('conflict');
    expect(await codeOf(() => it.users.remove(user.id, { by: 'Ada', revision: 2 }))).toBe('conflict');
  });
});

describe('passwords', () => {
  test('must be long, varied and not the name', () => {
    for (const bad of ['', 'short', 'elevenchars', 'aaaaaaaaaaaaaaaa', 'abababababababab', 'x'.repeat(300)]) {
      expect(() => checkPassword(bad, 'grace')).toThrow(AppError);
    }
    expect(() => checkPassword('Grace.Hopper1', 'grace.hopper1')).toThrow("user's name");
    expect(() => checkPassword('grace.hopper12', 'grace.hopper')).toThrow("user's name");
    expect(() => checkPassword('correct horse battery', 'al')).not.toThrow();
    expect(() => checkPassword('一二三四五六七八九十百千', '李')).not.toThrow();
  });

  test('a new one ends the other sessions, a forced one is to be changed', async () => {
    const { id } = await add('grace');
    const mine = it.sessions.create(id, visitor);
    const other = it.sessions.create(id, visitor);
    await it.users.setPassword(id, 'another good password', { by: 'grace' }, { keepSession: mine.session.id });
    expect(it.sessions.find(other.token)).toBeUndefined();
    expect(it.sessions.find(mine.token)).toMatchObject({ mustChangePassword: false });
    await it.users.setPassword(id, password, by, { mustChange: true });
    expect(it.sessions.find(mine.token)).toBeUndefined();
    const user = await it.signIn.withPassword({ name: 'grace', password, address });
    expect(user.mustChangePassword).toBe(true);
    expect(it.sessions.find(it.sessions.create(id, visitor).token)).toMatchObject({ mustChangePassword: true });
  });
});

describe('reset links', () => {
  test('let a user without a password choose one, once', async () => {
    const { id } = await it.users.create({ name: 'grace', role: 'viewer' }, 'Ada');
    expect(await codeOf(() => it.signIn.withPassword({ name: 'grace', password, address }))).toBe('unauthenticated');
    const { token } = it.resets.issue(id);
    expect(it.resets.findUser(token)?.id).toBe(id);
    expect(await codeOf(() => it.resets.complete(token, 'short'))).toBe('invalid');
    const results = await Promise.allSettled([
      it.resets.complete(token, password),
      it.resets.complete(token, password),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await codeOf(() => it.resets.complete(token, password))).toBe('unauthenticated');
    expect((await it.signIn.withPassword({ name: 'grace', password, address })).id).toBe(id);
    expect(JSON.stringify(it.db.query('SELECT * FROM password_resets').all())).not.toContain(token);
  });

  test('end after a day, with a newer link, a new password or when the user is disabled', async () => {
    const { id } = await add('grace');
    const first = it.resets.issue(id).token;
    const second = it.resets.issue(id).token;
    expect(it.resets.findUser(first)).toBeUndefined();
    it.clock.nowMs += day - 1;
    expect(it.resets.findUser(second)?.id).toBe(id);
    it.clock.nowMs += 1;
    expect(it.resets.findUser(second)).toBeUndefined();

    const third = it.resets.issue(id).token;
    await it.users.setPassword(id, 'another good password', by);
    expect(it.resets.findUser(third)).toBeUndefined();

    const fourth = it.resets.issue(id).token;
    it.users.disable(id, by);
    expect(it.resets.findUser(fourth)).toBeUndefined();
    expect(await codeOf(() => it.resets.issue(id))).toBe('conflict');
  });
});

describe('removal', () => {
  test('takes sessions along, and waits for keys to be revoked or given away', async () => {
    const { id } = await add('grace');
    const { token } = it.sessions.create(id, visitor);
    const settings = {
      name: 'app',
      scope: { models: '*', actions: ['predict'] },
      expiresMs: it.clock.nowMs + hour,
    } as const;
    const { key, text } = it.keys.create(
      { ...settings, ratePerSecond: null, burst: null, dailyQuota: null },
      id,
      'grace',
    );
    expect(await codeOf(() => it.users.remove(id, by))).toBe('conflict');
    it.keys.transfer(key.id, it.admin.id);
    it.users.remove(id, by);
    expect(it.sessions.find(token)).toBeUndefined();
    expect(it.users.find(id)).toBeUndefined();
    expect(it.gate.authenticate(text).owner).toBe(it.admin.id);
  });
});
