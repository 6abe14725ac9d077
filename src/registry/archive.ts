// Unpacks an untrusted tar, tar.gz or zip archive into a folder: plain files only, within limits, nothing outside the
// folder. Does not know what the files mean.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32, createGunzip } from 'node:zlib';

import { extract as tarExtract, type Header } from 'tar-stream';

import { AppError, messageOf } from '../error.ts';
import { PathSet, quotePath } from './entry-path.ts';
import { withZip } from './zip.ts';

export interface ArchiveLimits {
  /** Entries of any kind. */
  maxFiles: number;
  /** Sum of the unpacked files. */
  maxBytes: number;
}

export interface StagedFile {
  /** Relative to the folder it lies in, "/" separated. */
  path: string;
  bytes: number;
  /** Absent where it was not computed yet. */
  sha256?: string;
}

/**
 * @param folder empty and private; on an error whatever was unpacked is left there
 * @throws AppError invalid when the archive is broken or holds what is not allowed, too_large over a limit
 */
export async function unpack(
  archive: string,
  kind: 'tar' | 'gzip' | 'zip',
  folder: string,
  limits: ArchiveLimits,
): Promise<StagedFile[]> {
  const unpacking = new Unpacking(folder, limits);
  await (kind === 'zip' ? unpackZip(archive, unpacking) : unpackTar(archive, kind === 'gzip', unpacking));
  if (unpacking.files.length === 0) throw new AppError('invalid', 'The archive holds no files.', packAgain);
  return unpacking.files;
}

const packAgain = 'Pack it again and upload it whole.';

class Unpacking {
  readonly files: StagedFile[] = [];
  readonly #paths = new PathSet();
  #entries = 0;
  #bytes = 0;

  constructor(
    private readonly folder: string,
    readonly limits: ArchiveLimits,
  ) {}

  countEntry(): void {
    this.#entries += 1;
    if (this.#entries > this.limits.maxFiles) {
      throw new AppError(
        'too_large',
        `The archive has more than ${this.limits.maxFiles} entries.`,
        'Leave out what the model does not need.',
      );
    }
  }

  #countBytes(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.limits.maxBytes) return;
    throw new AppError(
      'too_large',
      `The archive unpacks to more than ${this.limits.maxBytes} bytes, which is all that is allowed for it.`,
      'Upload the files one by one, raise the upload limit in the settings, or make room on the disk.',
    );
  }

  /** @param declared bytes that the archive says the file has @param sum CRC-32 that it says the content has */
  async write(name: string, declared: number, content: AsyncIterable<Uint8Array>, sum?: number): Promise<void> {
    const path = this.#paths.add(name);
    // Before anything is written: a lie that is too big is refused at once, one that is too small below.
    this.#countBytes(declared);
    const target = join(this.folder, path);
    await mkdir(dirname(target), { recursive: true });
    const file = await open(target, 'wx', 0o600);
    const hash = createHash('sha256');
    let bytes = 0;
    let actualSum = 0;
    try {
      for await (const chunk of content) {
        bytes += chunk.length;
        if (bytes > declared) break;
        hash.update(chunk);
        if (sum !== undefined) actualSum = crc32(chunk, actualSum);
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
    if (bytes !== declared || (sum !== undefined && sum !== actualSum)) {
      throw new AppError('invalid', `The archive is damaged at ${quotePath(path)}.`, packAgain);
    }
    this.files.push({ path, bytes, sha256: hash.digest('hex') });
  }
}

function refuseSpecial(name: string, type: string): never {
  throw new AppError(
    'invalid',
    `The archive holds a ${type}, ${quotePath(name)}; only plain files and folders are allowed.`,
    'Pack the files themselves instead of links to them (tar --dereference, zip without -y).',
  );
}

const blockBytes = 512;

async function unpackTar(archive: string, isGzip: boolean, unpacking: Unpacking): Promise<void> {
  const { maxFiles, maxBytes } = unpacking.limits;
  const maxStreamBytes = maxBytes + maxFiles * 8 * blockBytes;
  let streamBytes = 0;
  async function* counted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      streamBytes += chunk.length;
      if (streamBytes > maxStreamBytes) {
        throw new AppError('too_large', `The archive unpacks to more than ${maxBytes} bytes.`, packAgain);
      }
      yield chunk;
    }
  }
  const extract = tarExtract();
  const source = createReadStream(archive);
  const feeding = isGzip ? pipeline(source, createGunzip(), counted, extract) : pipeline(source, counted, extract);
  // A failure on either side destroys the other one; the first reason is the one to tell.
  let reason: unknown;
  const fed = feeding.catch((error: unknown) => (reason ??= error));
  let end = 0;
  try {
    for await (const entry of extract as unknown as AsyncIterable<TarEntry>) end = await takeTarEntry(entry, unpacking);
  } catch (error) {
    reason ??= error;
    extract.destroy();
  }
  await fed;
  if (reason !== undefined) throw asBroken(reason);
  // An archive ends with empty blocks; without them it was cut off between two files.
  if (streamBytes < end + blockBytes) throw new AppError('invalid', 'The tar archive is cut off.', packAgain);
}

interface TarEntry extends AsyncIterable<Uint8Array> {
  /** A type that tar-stream does not know is null. */
  header: Omit<Header, 'type'> & { type: Header['type'] | null; byteOffset: number };
  resume(): void;
}

/** @returns where the entry's blocks end in the archive */
async function takeTarEntry(entry: TarEntry, unpacking: Unpacking): Promise<number> {
  const { name, type, size, byteOffset } = entry.header;
  unpacking.countEntry();
  if (type === 'file' || type === 'contiguous-file') await unpacking.write(name, size, entry);
  else if (type === 'directory') entry.resume();
  else refuseSpecial(name, type ?? 'special file');
  return byteOffset + (type === 'directory' ? 0 : Math.ceil(size / blockBytes) * blockBytes);
}

function asBroken(error: unknown): unknown {
  if (error instanceof AppError || (error as { code?: string }).code === 'ENOSPC') return error;
  return new AppError('invalid', `The tar archive cannot be read: ${messageOf(error)}.`, packAgain);
}

const fileTypes: Record<number, string | undefined> = {
  0o010000: 'pipe',
  0o020000: 'character device',
  0o060000: 'block device',
  0o120000: 'symbolic link',
  0o140000: 'socket',
};

function unpackZip(archive: string, unpacking: Unpacking): Promise<void> {
  return withZip(archive, async (zip) => {
    for await (const entry of zip.eachEntry()) {
      unpacking.countEntry();
      const special = fileTypes[(entry.externalFileAttributes >>> 16) & 0o170000];
      if (special) refuseSpecial(entry.fileName, special);
      if (entry.fileName.endsWith('/')) continue;
      const content = await zip.openReadStreamPromise(entry);
      // The loop over it hears of errors while it runs; one that comes after it has stopped must not end the process.
      content.on('error', () => {});
      await unpacking.write(entry.fileName, entry.uncompressedSize, content, entry.crc32);
    }
  });
}
