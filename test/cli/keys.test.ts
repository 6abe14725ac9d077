import { expect, test } from 'bun:test';

import type { KeyView } from '../../src/http/api/keys.ts';
import { openLine } from './access-line.ts';

interface NewKey {
  text: string;
  key: KeyView;
}

test('add prints a key that works and has what was asked for', async () => {
  await using line = await openLine();
  const scope = ['--models', 'digits,faces', '--allow', 'predict,read', '--expires', '90d'];
  const limits = ['--rate', '0.5', '--burst', '100', '--quota', '10000'];
  const before = Date.now();
  const { text, key } = await line.json<NewKey>('keys', 'add', 'line 3', '--owner', 'ada', ...scope, ...limits);
  expect(line.gate.authenticate(text)).toMatchObject({
    name: 'line 3',
    owner: line.admin.id,
    scope: { models: ['digits', 'faces'], actions: ['predict', 'read'] },
  });
  expect(key).toMatchObject({ ratePerSecond: 0.5, burst: 100, dailyQuota: 10_000 });
  const lifeMs = Date.parse(key.expiresAt!) - before;
  expect(Math.round(lifeMs / 86_400_000)).toBe(90);

  const plain = await line.run(['keys', 'add', 'all', '--owner', 'Ada']);
  expect(plain.out).toMatch(/^The key 'all' is made. It is shown this once:\nam_\w{12}_\w{43}\n$/);
  const { out } = await line.run(['keys']);
  expect(out).toMatch(/^\w{12} +all +Ada +all +predict +valid +never +0$/m);
  expect(out).toMatch(/^\w{12} +line 3 +Ada +digits, faces +predict, read +until .* +0 of 10,000$/m);
  expect(out).not.toContain(text.split('_')[2]!);
});

test('set changes what is given, takes limits away and gives the key to another', async () => {
  await using line = await openLine();
  await line.addUser('Bob', 'viewer');
  const { key } = await line.json<NewKey>('keys', 'add', 'app', '--owner', 'Ada', '--rate', '5', '--models', 'a,b');
  const set = (...options: string[]) => line.run(['keys', 'set', key.id, ...options]);
  expect((await set('--name', 'line 4', '--quota', '7', '--rate', 'none', '--models', 'all')).out).toBe(
    "The key 'line 4' of Ada is changed.\n",
  );
  expect(line.keys.get(key.id)).toMatchObject({
    name: 'line 4',
    ratePerSecond: null,
    dailyQuota: 7,
    scope: { models: '*', actions: ['predict'] },
    expiresMs: null,
  });
  expect((await set('--owner', 'bob', '--expires', '12h')).out).toBe("The key 'line 4' of Bob is changed.\n");
  expect(line.keys.get(key.id).expiresMs).toBeGreaterThan(Date.now());
  expect(await set()).toMatchObject({ code: 2, err: expect.stringContaining('Say what is to change') });
  expect(await set('--allow', 'load')).toMatchObject({
    code: 1,
    err: expect.stringContaining('the role viewer may not'),
  });
});

test('rotate and revoke', async () => {
  await using line = await openLine();
  const { text, key } = await line.json<NewKey>('keys', 'add', 'app', '--owner', 'Ada');
  const rotated = await line.json<NewKey>('keys', 'rotate', key.id, '--overlap', '30m');
  expect(rotated.key.previousUntil).toBe(new Date(line.clock.nowMs + 30 * 60_000).toISOString());
  for (const each of [text, rotated.text]) expect(line.gate.authenticate(each).id).toBe(key.id);
  expect((await line.run(['keys', 'rotate', key.id, '--overlap', '0'])).out).toContain('the old one has ended');
  expect(() => line.gate.authenticate(rotated.text)).toThrow('not valid');

  const asked = await line.run(['keys', 'revoke', key.id], { readLine: async () => '' });
  expect(asked).toMatchObject({ code: 1, err: expect.stringContaining("Revoke the key 'app' of Ada for ever?") });
  expect(line.keys.get(key.id).revokedMs).toBeNull();
  expect((await line.run(['keys', 'revoke', key.id, '--yes'])).out).toBe("The key 'app' is revoked.\n");
  expect((await line.run(['keys'])).out).toMatch(/ app +Ada +all +predict +revoked /m);
});

test.each([
  [['add', 'app'], '--owner is missing'],
  [['add', 'app', '--owner', 'Ada', '--allow', 'predcit'], "did you mean 'predict'"],
  [['add', 'app', '--owner', 'Ada', '--expires', 'soon'], '--expires: '],
  [['add', 'app', '--owner', 'Ada', '--rate', 'fast'], '--rate: '],
  [['add', 'app', '--owner', 'Ada', '--quota', '-1'], '--quota: '],
  [['add', 'app', '--owner', 'Ada', '--overlap', '1h'], "'add' does not take --overlap"],
  [['rotate'], "'rotate' needs ID"],
])('wrong usage: aimass keys %p', async (argv, message) => {
  await using line = await openLine();
  const { code, out, err } = await line.run(['keys', ...argv]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
  expect(line.keys.list()).toEqual([]);
});

test('what only the server can know is its answer', async () => {
  await using line = await openLine();
  await line.addUser('Vic', 'viewer');
  for (const [argv, message] of [
    [['add', 'app', '--owner', 'Nemo'], "There is no user 'Nemo'."],
    [['add', 'app', '--owner', 'Vic', '--allow', 'manage'], 'the role viewer may not'],
    [['rotate', 'absent'], 'There is no such API key.'],
    [['revoke', '../users', '--yes'], 'There is no such API key.'],
  ] as const) {
    const { code, err } = await line.run(['keys', ...argv]);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(message) });
  }
});
