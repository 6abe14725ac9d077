import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openDatabase } from '../../src/db/open.ts';
import { createFootprintStore } from '../../src/device/footprint-rows.ts';

const key = { sha256: 'ab'.repeat(32), kind: 'cuda', provider: 'tensorrt', batch: 8 } as const;
const row = {
  bytes: 40 * 1024 ** 3,
  hostBytes: 5e8,
  loadMs: 1234.5,
  runMs: 0.25,
  measuredAt: '2026-01-02T03:04:05.000Z',
};

test('a measurement outlives the process and counts for its own way to run only', () => {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-footprints-'));
  const path = join(folder, 'aimass.db');
  const first = openDatabase(path);
  createFootprintStore(first).put(key, row);
  first.close();
  const db = openDatabase(path);
  const store = createFootprintStore(db);
  expect(store.find(key)).toEqual(row);
  expect(store.find({ ...key, batch: 16 })).toBeUndefined();
  expect(store.find({ ...key, provider: 'cuda' })).toBeUndefined();
  expect(store.find({ ...key, kind: 'cpu' })).toBeUndefined();
  expect(store.find({ ...key, sha256: 'cd'.repeat(32) })).toBeUndefined();
  db.close();
  rmSync(folder, { recursive: true });
});

test('a new measurement replaces the old one', () => {
  const db = openDatabase(':memory:');
  const store = createFootprintStore(db);
  store.put(key, row);
  store.put(key, { ...row, bytes: 7 });
  expect(store.find(key)).toEqual({ ...row, bytes: 7 });
  db.close();
});
