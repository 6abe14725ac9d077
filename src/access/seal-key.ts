// The key with which secrets are sealed that the database keeps and that must be read again, such as those of webhooks. It
// is a file of its own: whoever gets hold of a copy of the database alone cannot read them.
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

import { AppError, messageOf } from '../error.ts';
import { sealKeyBytes } from './sealed.ts';

/**
 * Made at the first call.
 * @param path of the file, which only this user may read
 * @throws AppError unavailable when it cannot be read or is no such key
 */
export function takeSealKey(path: string): Uint8Array {
  try {
    return readKey(path) ?? makeKey(path);
  } catch (error) {
    throw new AppError(
      'unavailable',
      `The key file ${path} cannot be used: ${messageOf(error)}`,
      'Restore it from the backup. Without it, remove the file: the webhooks need new secrets then.',
    );
  }
}

function readKey(path: string): Uint8Array | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== sealKeyBytes) throw new Error('it holds no key');
  return key;
}

function makeKey(path: string): Uint8Array {
  const fresh = `${path}.${process.pid}`;
  const file = openSync(fresh, 'wx', 0o600);
  try {
    writeSync(file, `${randomBytes(sealKeyBytes).toString('base64')}\n`);
    fsyncSync(file);
    // Never over one that is there.
    linkSync(fresh, path);
    // What is sealed with it must not outlive it: the folder's entry is on disk before anything is.
    syncFolder(dirname(path));
  } finally {
    closeSync(file);
    rmSync(fresh, { force: true });
  }
  return readKey(path)!;
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
