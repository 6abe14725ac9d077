// Files in memory that two processes map. The run folder lies in /dev/shm and belongs to one server process.
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AppError, messageOf } from '../error.ts';
import { reserveFile } from '../libc.ts';
import { log } from '../log.ts';

const prefix = 'aimass-';

/** A new folder for sockets and slots, private to this user; folders of servers that ended by force are removed. */
export function openRunFolder(): string {
  const root = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  for (const name of readdirSync(root)) {
    const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length).split('-')[0]) : NaN;
    if (!Number.isInteger(pid) || existsSync(`/proc/${pid}`)) continue;
    const path = join(root, name);
    try {
      // Another user's is that user's to remove.
      if (statSync(path).uid === process.getuid?.()) rmSync(path, { recursive: true, force: true });
    } catch (error) {
      log('warn', 'a leftover of an earlier server cannot be removed', { path, reason: messageOf(error) });
    }
  }
  const folder = join(root, `${prefix}${process.pid}-${crypto.randomUUID().slice(0, 8)}`);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/**
 * A new mapped file. Its memory is reserved now: writing to a mapping of a full file system would end the process.
 * @throws AppError unavailable when there is not enough shared memory
 */
export function createShared(path: string, bytes: number): Uint8Array {
  const fd = openSync(path, 'wx+', 0o600);
  const reserved = reserveFile(fd, bytes);
  closeSync(fd);
  if (!reserved) {
    rmSync(path);
    throw new AppError(
      'unavailable',
      `Not enough shared memory: ${bytes} bytes are needed.`,
      'Make /dev/shm larger (mount -o remount,size=…) or use smaller batches.',
    );
  }
  try {
    return Bun.mmap(path, { shared: true });
  } catch (error) {
    rmSync(path);
    throw error;
  }
}
