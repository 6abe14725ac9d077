// Makes sure that one process at a time works on a data folder. The lock is the kernel's on an open file, which is given
// back when the process ends, however it ends. SQLite's own was tried: of two that ask for it at the same moment both may
// be refused, because each stands in the way of the other while it asks.
import { closeSync, openSync } from 'node:fs';

import { AppError, messageOf } from '../error.ts';
import { lockFile } from '../libc.ts';

/**
 * @param path file that stands for the lock, made if need be
 * @returns gives the lock back
 * @throws AppError conflict when another process, or this one, holds it already
 */
export function takeLock(path: string): () => void {
  let file: number;
  try {
    // Not passed on to children: Node's flags always include O_CLOEXEC.
    file = openSync(path, 'a', 0o600);
  } catch (error) {
    throw new AppError('unavailable', `The lock file ${path} cannot be opened: ${messageOf(error)}`);
  }
  if (!lockFile(file)) {
    closeSync(file);
    throw new AppError(
      'conflict',
      'Another process is working on this data folder.',
      'Stop it first, or give this one a data folder of its own.',
    );
  }
  return () => closeSync(file);
}
