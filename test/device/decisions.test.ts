import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openDatabase } from '../../src/db/open.ts';
import { createDecisionLog, type Decision, decisionKinds } from '../../src/device/decisions.ts';
import { setLogLevel } from '../../src/log.ts';

setLogLevel('error');

const eviction = {
  kind: 'evicted',
  model: 'faces',
  version: 2,
  deviceId: 'GPU-0',
  instance: '17',
  reason: 'makes room for digits:1, the least used for its size on NVIDIA H100 #0',
} as const;
const reasons = (decisions: Decision[]) => decisions.map(({ reason }) => reason);

test('a decision is kept with its time, newest first, and outlives the process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-decisions-'));
  const path = join(folder, 'aimass.db');
  const first = openDatabase(path);
  let seconds = 0;
  const now = () => new Date(Date.UTC(2026, 0, 2, 3, 4, seconds++));
  const decisions = createDecisionLog(first, { now });
  decisions.add(eviction);
  decisions.add({ kind: 'lost', deviceId: 'GPU-1', reason: 'fallen off the bus' });
  first.close();

  const db = openDatabase(path);
  expect(createDecisionLog(db).list({ limit: 10 })).toEqual([
    { id: 2, at: '2026-01-02T03:04:01.000Z', kind: 'lost', deviceId: 'GPU-1', reason: 'fallen off the bus' },
    { id: 1, at: '2026-01-02T03:04:00.000Z', ...eviction },
  ]);
  db.close();
  rmSync(folder, { recursive: true });
});

test('by model, by kind, and page by page', () => {
  const db = openDatabase(':memory:');
  const decisions = createDecisionLog(db);
  for (let i = 0; i < 12; i++) {
    decisions.add({ kind: i % 3 === 0 ? 'placed' : 'evicted', model: i % 2 === 0 ? 'a' : 'b', reason: String(i) });
  }
  expect(reasons(decisions.list({ model: 'a', limit: 100 }))).toEqual(['10', '8', '6', '4', '2', '0']);
  expect(reasons(decisions.list({ kind: 'placed', limit: 100 }))).toEqual(['9', '6', '3', '0']);
  expect(reasons(decisions.list({ model: 'a', kind: 'placed', limit: 100 }))).toEqual(['6', '0']);
  expect(decisions.list({ model: 'absent', limit: 100 })).toEqual([]);
  const pages: string[] = [];
  for (
    let page = decisions.list({ limit: 5 });
    page.length > 0;
    page = decisions.list({ limit: 5, before: page.at(-1)!.id })
  ) {
    pages.push(reasons(page).join(' '));
  }
  expect(pages).toEqual(['11 10 9 8 7', '6 5 4 3 2', '1 0']);
  db.close();
});

test('the oldest go when there are too many; the count of all does not', () => {
  const db = openDatabase(':memory:');
  const decisions = createDecisionLog(db, { keep: 3 });
  for (let i = 0; i < 10; i++) decisions.add({ kind: 'scaled', reason: String(i) });
  expect(reasons(decisions.list({ limit: 100 }))).toEqual(['9', '8', '7']);
  expect(decisions.totals()).toEqual({
    ...(Object.fromEntries(decisionKinds.map((kind) => [kind, 0])) as ReturnType<typeof decisions.totals>),
    scaled: 10,
  });
  db.close();
});

test("a decision stands in the server's log too, the worrying ones as warnings", () => {
  const script = `
    import { openDatabase } from './src/db/open.ts';
    import { createDecisionLog } from './src/device/decisions.ts';
    const decisions = createDecisionLog(openDatabase(':memory:'));
    decisions.add(${JSON.stringify(eviction)});
    decisions.add({ kind: 'refused', model: 'big', reason: 'needs 90 GiB' });`;
  const cwd = join(import.meta.dir, '../..');
  const { stderr } = Bun.spawnSync([process.execPath, '-e', script], { cwd, env: {} });
  const lines = stderr
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toMatchObject([
    { level: 'info', message: 'decision', ...eviction },
    { level: 'warn', message: 'decision', kind: 'refused', model: 'big', reason: 'needs 90 GiB' },
  ]);
});
