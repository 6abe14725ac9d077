// Makes sure that one process at a time works on a data folder. The lock is SQLite's own on an empty database, which
// the kernel releases when the process ends, however it ends.
import { Database } from 'bun:sqlite';

import { AppError, messageOf } from '../error.ts';

/** Referred to from here, so that a lock whose owner drops its key is not collected and given back. */
const held = new Set<Database>();

/**
 * @param path file that stands for the lock, made if need be
 * @returns gives the lock back
 * @throws AppError conflict when another process, or this one, holds it already
 */
export function takeLock(path: string): () => void {
  let db: Database | undefined;
  try {
    db = new Database(path, { create: true, readwrite: true });
    db.run('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') {
      throw new AppError('unavailable', `The lock file ${path} cannot be opened: ${messageOf(error)}`);
    }
    throw new AppError(
      'conflict',
      'Another process is working on this data folder.',
      'Stop it first, or give this one a data folder of its own.',
    );
  }
  const taken = db;
  held.add(taken);
  return () => {
    held.delete(taken);
    taken.close();
  };
}
