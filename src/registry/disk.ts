// What the registry needs of the file system beyond plain reads and writes: durability, hashes, free room.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, statfs } from 'node:fs/promises';

import { AppError } from '../error.ts';

/** Kept free so that the database can always be written. */
const reserveBytes = 64 * 1024 * 1024;

const roomHint = 'Remove versions that are no longer needed, or give the data folder a bigger disk.';

/** Waits until a file's content, or a folder's list of names, is safe on disk. */
export async function syncToDisk(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** SHA-256 in hexadecimal, read in pieces. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Bytes that may still be written below `folder`. */
export async function findRoom(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.max(0, bavail * bsize - reserveBytes);
}

/** @throws AppError too_large when `bytes` more do not fit on the disk */
export async function requireRoom(folder: string, bytes: number): Promise<void> {
  const room = await findRoom(folder);
  if (bytes > room) {
    throw new AppError('too_large', `The disk has room for ${room} more bytes, but ${bytes} are needed.`, roomHint);
  }
}

/** Tells a full disk from any other failure. */
export function asDiskFull(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new AppError('too_large', 'The disk is full.', roomHint);
}
