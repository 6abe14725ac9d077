import { expect, test } from 'bun:test';

import { password } from '../access/opened.ts';
import { openLine } from './access-line.ts';
import { openServer } from './command-line.ts';

test('add prints a link that works; list, set, disable, enable, reset, unlock', async () => {
  await using line = await openLine();
  const added = await line.run(['users', 'add', 'Bob', '--role', 'owner']);
  expect(added).toMatchObject({ code: 0, err: '' });
  expect(added.out).toStartWith('Bob is added as owner.\n');
  const token = /token=([\w-]+)\n$/.exec(added.out)![1]!;
  expect(added.out).toContain(`${line.url}/reset?token=`);
  expect((await line.run(['users'])).out).toMatch(/^Bob +owner +has no password yet +none +never /m);
  expect((await line.resets.complete(token, password)).name).toBe('Bob');

  expect((await line.run(['users', 'set', 'bob', '--role', 'viewer'])).out).toBe('Bob is viewer now.\n');
  expect((await line.run(['users', 'disable', 'BOB'])).code).toBe(0);
  expect((await line.run(['users'])).out).toMatch(/^Bob +viewer +disabled +none +never .* disabled, by socket$/m);
  expect((await line.run(['users', 'reset', 'Bob'])).err).toContain('Enable the user first.');
  expect(await line.json<object>('users', 'enable', 'Bob')).toMatchObject({ name: 'Bob', isDisabled: false });
  const link = await line.json<{ url: string }>('users', 'reset', 'Bob');
  expect(line.resets.findUser(link.url.split('token=')[1]!)).toMatchObject({ name: 'Bob' });

  const guesser = { address: '10.0.0.9', isKnownAddress: false };
  for (let i = 0; i < 5; i++) line.lockOut.begin('bob', guesser);
  expect(() => line.lockOut.begin('bob', guesser)).toThrow('Too many');
  expect((await line.run(['users', 'unlock', 'bob'])).out).toBe('Bob need not wait any longer.\n');
  expect(() => line.lockOut.begin('bob', guesser)).not.toThrow();
});

test('a mail address is set and taken away', async () => {
  await using line = await openLine();
  await line.run(['users', 'add', 'Bob', '--role', 'owner', '--email', 'bob@corp.example']);
  expect((await line.run(['users'])).out).toMatch(/^Bob .* bob@corp\.example +never /m);
  const moved = await line.run(['users', 'set', 'bob', '--email', 'b@corp.example']);
  expect(moved.out).toBe('Mail for Bob goes to b@corp.example.\n');
  expect((await line.run(['users', 'set', 'bob', '--email', 'none'])).out).toBe('Bob has no mail address now.\n');
  const wrong = await line.run(['users', 'set', 'bob', '--email', 'b at corp']);
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('no mail address') });
});

test('remove asks first', async () => {
  await using line = await openLine();
  await line.addUser('Bob', 'viewer');
  const asked = await line.run(['users', 'remove', 'Bob'], { readLine: async () => 'n' });
  expect(asked.code).toBe(1);
  expect(asked.err).toContain('Remove the viewer Bob for good? [y/N]');
  expect(await line.run(['users', 'remove', 'Bob'])).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });
  expect(line.users.findByName('Bob')).toBeDefined();
  expect((await line.run(['users', 'remove', 'Bob', '--yes'])).out).toBe('Bob is removed.\n');
  expect(line.users.findByName('Bob')).toBeUndefined();
  const last = await line.run(['users', 'remove', 'Ada', '--yes']);
  expect(last).toMatchObject({ code: 1, err: expect.stringContaining('last administrator') });
});

test.each([
  [['add', 'Bob'], '--role is missing'],
  [['add', '--role', 'owner'], "'add' needs NAME"],
  [['add', 'Bob', '--role', 'ownr'], "did you mean 'owner'"],
  [['ad', 'Bob'], "did you mean 'add'"],
  [['constructor', 'Bob'], 'is not one of'],
  [['set', 'Bob'], '--role or --email is missing'],
  [['set', 'Bob', '--role', 'viewer', '--email', 'b@c'], 'one after the other'],
  [['list', 'Bob'], 'one word too many'],
  [['disable', 'Bob', '--role', 'owner'], "'disable' does not take --role"],
])('wrong usage: aimass users %p', async (argv, message) => {
  await using line = await openLine();
  const { code, out, err } = await line.run(['users', ...argv]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
  expect(line.users.list()).toHaveLength(1);
});

test('over the socket of a new appliance: the set-up link, and then no other', async () => {
  await using server = await openServer();
  expect((await server.aimass(['users'])).out).toContain("'aimass setup-link'");
  const { url } = await server.json<{ url: string }>('setup-link');
  expect(url).toStartWith(`${server.url}/setup?token=`);
  const token = new URL(url).searchParams.get('token');
  const answer = await fetch(`${server.url}/api/v1/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, name: 'Ada', password }),
  });
  expect(answer.status).toBe(201);
  expect((await server.aimass(['users'])).out).toMatch(/^Ada +administrator +enabled /m);
  const again = await server.aimass(['setup-link']);
  expect(again).toMatchObject({ code: 1, out: '', err: expect.stringContaining('set up already') });
});
