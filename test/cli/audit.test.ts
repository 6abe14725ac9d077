import { expect, test } from 'bun:test';

import { openLine } from './access-line.ts';

test('search shows who did what, newest first, and takes filters', async () => {
  await using line = await openLine();
  expect((await line.run(['audit'])).out).toBe('Nothing of this kind was done.\n');
  await line.run(['users', 'add', 'Bob', '--role', 'viewer']);
  await line.run(['users', 'set', 'Bob', '--role', 'owner']);
  await line.run(['users', 'set', 'Ada', '--role', 'owner']);
  const { out } = await line.run(['audit']);
  const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
  expect(out).toMatch(new RegExp(`^${time}  system socket  createUser  Bob  ok      socket$`, 'm'));
  expect(out.indexOf('failed')).toBeLessThan(out.indexOf('createUser'));
  const found = await line.json<{ entries: { seq: number }[] }>('audit', 'search', '--target', 'Bob', '--limit', '1');
  expect(found.entries.map(({ seq }) => seq)).toEqual([2]);
  expect((await line.run(['audit', '--from', '2030-01-01'])).out).toBe('Nothing of this kind was done.\n');
  expect(await line.run(['audit', '--from', 'yesterday'])).toMatchObject({
    code: 1,
    err: expect.stringContaining("'yesterday' is not a time."),
  });
  expect((await line.run(['audit', 'verify', '--limit', '1'])).code).toBe(2);
});

test('verify ends with 0 while the trail holds, and with 1 when it does not', async () => {
  await using line = await openLine();
  await line.run(['users', 'add', 'Bob', '--role', 'viewer']);
  await line.run(['users', 'disable', 'Bob']);
  const holds = await line.run(['audit', 'verify']);
  expect(holds.code).toBe(0);
  expect(holds.out).toMatch(/^All 2 entries hold\. Hash of the last: [0-9a-f]{64}$/m);
  line.db.run('DROP TRIGGER audit_not_removed');
  line.db.run('DELETE FROM audit WHERE seq = 2');
  expect(await line.run(['audit', 'verify'])).toMatchObject({
    code: 1,
    out: 'The audit trail does not hold: entry 2 and what followed it is missing.\n',
  });
  expect(JSON.parse((await line.run(['audit', 'verify', '--json'])).out)).toEqual({ ok: false, seq: 2, why: 'cut' });
});

test('export prints a line of JSON for each entry, and writes nothing else to the terminal', async () => {
  await using line = await openLine();
  await line.run(['users', 'add', 'Bob', '--role', 'viewer']);
  const from = 'socket';
  const actor = { kind: 'system', name: 'x' } as const;
  line.audit.record({ actor, action: 'a', target: 'b\u009b31m\n', result: 'ok', from, requestId: '' });
  const { code, out } = await line.run(['audit', 'export']);
  expect(code).toBe(0);
  expect(out).not.toContain('\u009b');
  const entries = out
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text) as { seq: number; target: string; hash: string });
  expect(entries.map(({ target }) => target)).toEqual(['Bob', 'b\u009b31m\n']);
  expect(entries.at(-1)!.hash).toMatch(/^[0-9a-f]{64}$/);
});
