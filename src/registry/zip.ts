// The part of yauzl that is used, as promises. Knows nothing of what may be unpacked.
import type { Readable } from 'node:stream';

import yauzl from 'yauzl';

import { AppError, messageOf } from '../error.ts';

export interface ZipEntry {
  fileName: string;
  uncompressedSize: number;
  crc32: number;
  externalFileAttributes: number;
}

export interface ZipFile {
  entryCount: number;
  eachEntry(): AsyncIterable<ZipEntry>;
  openReadStreamPromise(entry: ZipEntry): Promise<Readable>;
  close(): void;
}

/** Opens a zip file for `read` and closes it afterwards. @throws AppError invalid when the archive is broken */
export async function withZip<T>(path: string, read: (zip: ZipFile) => Promise<T>): Promise<T> {
  let zip: ZipFile | undefined;
  try {
    // The published types are those of version 2, which had no promises.
    const library = yauzl as unknown as { openPromise(path: string, options: yauzl.Options): Promise<ZipFile> };
    zip = await library.openPromise(path, { strictFileNames: true, autoClose: false });
    return await read(zip);
  } catch (error) {
    if (error instanceof AppError || (error as { code?: string }).code === 'ENOSPC') throw error;
    throw new AppError(
      'invalid',
      `The zip archive cannot be read: ${messageOf(error)}.`,
      'Pack it again with plain relative file names, without a password, and upload it whole.',
    );
  } finally {
    zip?.close();
  }
}

const maxListed = 20_000;

/** The names of its first entries. */
export function listZip(path: string): Promise<string[]> {
  return withZip(path, async (zip) => {
    const names: string[] = [];
    for await (const entry of zip.eachEntry()) {
      names.push(entry.fileName);
      if (names.length >= maxListed) break;
    }
    return names;
  });
}
