import { Database } from 'bun:sqlite';
import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { takeLock } from '../../src/db/lock.ts';
import { migrations } from '../../src/db/migrations.ts';
import { openDatabase } from '../../src/db/open.ts';
import { AppError } from '../../src/error.ts';

const folder = mkdtempSync(join(tmpdir(), 'aimass-db-'));
afterAll(() => rmSync(folder, { recursive: true }));
const fresh = () => join(folder, `${crypto.randomUUID()}.db`);

const pragma = (db: Database, name: string) => Object.values(db.query(`PRAGMA ${name}`).get() as object)[0] as unknown;
const names = (db: Database) =>
  db
    .query<{ name: string }, []>('SELECT name FROM migrations ORDER BY version')
    .all()
    .map(({ name }) => name);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return 'none';
}

test('the connection is durable, concurrent and keeps references', () => {
  const db = openDatabase(fresh());
  expect(pragma(db, 'journal_mode')).toBe('wal');
  expect(pragma(db, 'synchronous')).toBe(2);
  expect(pragma(db, 'foreign_keys')).toBe(1);
  expect(pragma(db, 'busy_timeout')).toBeGreaterThan(0);
  expect(names(db)).toEqual(migrations.map(({ name }) => name));
  db.close();
});

test('steps are applied once, in order, over restarts', () => {
  const path = fresh();
  const first = { name: 'one', sql: 'CREATE TABLE a (x); INSERT INTO a VALUES (1);' };
  const second = { name: 'two', sql: 'UPDATE a SET x = x + 10;' };
  openDatabase(path, [first]).close();
  openDatabase(path, [first, second]).close();
  const db = openDatabase(path, [first, second]);
  expect(db.query('SELECT x FROM a').all()).toEqual([{ x: 11 }]);
  expect(names(db)).toEqual(['one', 'two']);
  db.close();
});

test('a step that fails leaves nothing of itself or of the others', () => {
  const path = fresh();
  const steps = [
    { name: 'good', sql: 'CREATE TABLE a (x);' },
    { name: 'bad', sql: 'CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);' },
  ];
  expect(codeOf(() => openDatabase(path, steps))).toBe('unavailable');
  const db = openDatabase(path, []);
  expect(db.query("SELECT name FROM sqlite_master WHERE name IN ('a', 'b')").all()).toEqual([]);
  db.close();
});

test('a table can be rebuilt without losing the rows that refer to it', () => {
  const path = fresh();
  const make = {
    name: 'make',
    sql: `CREATE TABLE parent (id INTEGER PRIMARY KEY);
      CREATE TABLE child (parent INTEGER REFERENCES parent (id) ON DELETE CASCADE);
      INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);`,
  };
  const rebuild = {
    name: 'rebuild',
    sql: `CREATE TABLE parent2 (id INTEGER PRIMARY KEY, extra TEXT); INSERT INTO parent2 SELECT id, 'x' FROM parent;
      DROP TABLE parent; ALTER TABLE parent2 RENAME TO parent;`,
  };
  const lose = { name: 'lose', sql: 'DELETE FROM parent;' };
  openDatabase(path, [make]).close();
  const db = openDatabase(path, [make, rebuild]);
  expect(db.query('SELECT parent FROM child').all()).toEqual([{ parent: 1 }]);
  expect(() => db.run('INSERT INTO child VALUES (99)')).toThrow('FOREIGN KEY');
  db.close();
  expect(codeOf(() => openDatabase(path, [make, rebuild, lose]))).toBe('unavailable');
});

test('a database of a newer release, and a file that is none, are refused', () => {
  const path = fresh();
  openDatabase(path, [...migrations, { name: 'future', sql: 'SELECT 1' }]).close();
  expect(codeOf(() => openDatabase(path))).toBe('conflict');
  const text = fresh();
  writeFileSync(text, 'this is not a database, and long enough to tell '.repeat(100));
  expect(codeOf(() => openDatabase(text))).toBe('unavailable');
});

test('the lock is held by one, and ends with its process', async () => {
  const path = join(folder, 'lock');
  const unlock = takeLock(path);
  expect(codeOf(() => takeLock(path))).toBe('conflict');
  unlock();

  const script = `import { takeLock } from ${JSON.stringify(join(import.meta.dir, '../../src/db/lock.ts'))};
    takeLock(${JSON.stringify(path)}); console.log("held"); setInterval(() => {}, 1000);`;
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'inherit' });
  await child.stdout.getReader().read();
  expect(codeOf(() => takeLock(path))).toBe('conflict');
  child.kill('SIGKILL');
  await child.exited;
  takeLock(path)();
});

test('of many that ask for the lock at the same moment one has it', async () => {
  const script = `import { takeLock } from ${JSON.stringify(join(import.meta.dir, '../../src/db/lock.ts'))};
    for await (const path of console) {
      try { takeLock(path); console.log("held"); } catch { console.log("refused"); }
    }`;
  const children = Array.from({ length: 4 }, () =>
    Bun.spawn([process.execPath, '-e', script], { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' }),
  );
  const readers = children.map(({ stdout }) => stdout.getReader());
  for (let round = 0; round < 300; round++) {
    const path = join(folder, `lock-${round}`);
    for (const { stdin } of children) {
      void stdin.write(`${path}\n`);
      void stdin.flush();
    }
    const answers = await Promise.all(
      readers.map(async (reader) => new TextDecoder().decode((await reader.read()).value)),
    );
    expect(answers.toSorted()).toEqual(['held\n', 'refused\n', 'refused\n', 'refused\n']);
  }
  for (const child of children) child.kill();
});
