// Opens the SQLite database, sets what every connection needs and brings the schema up to date. Knows no table of
// any room but its own list of applied migrations.
import { Database } from 'bun:sqlite';

import { AppError, messageOf } from '../error.ts';
import { type Migration, migrations } from './migrations.ts';

const busyTimeoutMs = 5000;

/**
 * @param path the database file, made if need be; ":memory:" for one that is gone when closed
 * @throws AppError conflict when a newer release wrote the database, unavailable when it cannot be opened
 */
export function openDatabase(path: string, steps: readonly Migration[] = migrations): Database {
  let db: Database | undefined;
  try {
    db = new Database(path, { create: true, readwrite: true, strict: true });
    db.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    db.run('PRAGMA journal_mode = WAL');
    // Whatever was acknowledged is on disk, also after a power cut.
    db.run('PRAGMA synchronous = FULL');
    migrate(db, steps);
    db.run('PRAGMA foreign_keys = ON');
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof AppError) throw error;
    throw new AppError(
      'unavailable',
      `The database ${path} cannot be opened: ${messageOf(error)}`,
      'Check that the data folder exists, belongs to this user, has room, and that the file is intact.',
    );
  }
}

function migrate(db: Database, steps: readonly Migration[]): void {
  db.run(
    'CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT',
  );
  // Off while tables are rebuilt, or dropping the old copy of a table would delete the rows that refer to it. The
  // setting has no effect inside a transaction.
  db.run('PRAGMA foreign_keys = OFF');
  db.transaction(() => {
    const applied =
      db.query<{ version: number }, []>('SELECT max(version) AS version FROM migrations').get()?.version ?? 0;
    if (applied > steps.length) {
      throw new AppError(
        'conflict',
        `The database is of a newer release (schema ${applied}; this one knows up to ${steps.length}).`,
        'Start the newer release again, or restore the backup that was made before the upgrade.',
      );
    }
    for (const [index, { name, sql }] of steps.entries()) {
      if (index < applied) continue;
      db.run(sql);
      db.run('INSERT INTO migrations VALUES (?, ?, ?)', [index + 1, name, new Date().toISOString()]);
    }
    const broken = db.query<{ table: string }, []>('PRAGMA foreign_key_check').get();
    if (broken) throw new Error(`a row of table ${broken.table} refers to one that is missing`);
  }).immediate();
}
