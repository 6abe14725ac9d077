// Takes ONNX Runtime's GPU provider libraries out of whatever carries them: a folder, a tar (gzip) or a zip archive (NuGet
// package, Python wheel). Other entries are passed over; files get fixed names, never one from the archive.
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

import { extract as tarExtract } from 'tar-stream';
import yauzl from 'yauzl';

import { AppError, messageOf } from '../error.ts';
import { hostMachine, readElf } from './elf.ts';

export const providerFiles = {
  shared: 'libonnxruntime_providers_shared.so',
  cuda: 'libonnxruntime_providers_cuda.so',
  tensorrt: 'libonnxruntime_providers_tensorrt.so',
} as const;

const wanted: ReadonlySet<string> = new Set(Object.values(providerFiles));
const mostEntries = 100_000;
const mostFolderDepth = 8;
const mostFileBytes = 4 * 1024 ** 3;
const mostStreamBytes = 16 * 1024 ** 3;

const sourceHint =
  'Give the npm package (.tgz), the NuGet package (.nupkg), the Python wheel (.whl) or a folder that holds the provider libraries.';

/**
 * Writes the provider libraries that `source` holds for this machine into `folder`.
 * @returns their file names
 * @throws AppError invalid when the source is none of the kinds, is damaged, or has names that lead out of it
 */
export async function extractProviders(source: string, folder: string): Promise<string[]> {
  const taking = new Taking(folder);
  const kind = await kindOf(source);
  try {
    if (kind === 'folder') await takeFolder(source, taking, 0);
    else if (kind === 'zip') await takeZip(source, taking);
    else await takeTar(source, kind === 'gzip', taking);
  } catch (error) {
    if (error instanceof AppError || (error as { code?: string }).code === 'ENOSPC') throw error;
    throw new AppError('invalid', `The GPU pack cannot be read: ${messageOf(error)}.`, sourceHint);
  }
  return [...taking.taken];
}

async function kindOf(source: string): Promise<'folder' | 'zip' | 'gzip' | 'tar'> {
  const facts = await stat(source).catch(() => undefined);
  if (!facts) throw new AppError('not_found', `There is no file or folder ${JSON.stringify(source)}.`, sourceHint);
  if (facts.isDirectory()) return 'folder';
  const file = await open(source, 'r');
  const head = Buffer.alloc(512);
  await file.read(head, 0, head.length, 0);
  await file.close();
  if (head.readUInt16BE(0) === 0x1f8b) return 'gzip';
  if (head.toString('latin1', 0, 4) === 'PK\u0003\u0004') return 'zip';
  if (head.toString('latin1', 257, 262) === 'ustar') return 'tar';
  throw new AppError('invalid', 'The GPU pack is neither a folder nor a tar or zip archive.', sourceHint);
}

class Taking {
  readonly taken = new Set<string>();
  #entries = 0;

  constructor(private readonly folder: string) {}

  /** @returns the provider library that an entry is and that is still wanted */
  wants(path: string): string | undefined {
    this.#entries += 1;
    if (this.#entries > mostEntries) throw new AppError('too_large', `The pack has more than ${mostEntries} entries.`);
    if (path.startsWith('/') || path.split(/[/\\]/).includes('..')) {
      const shown = JSON.stringify(path.slice(0, 80));
      throw new AppError('invalid', `The pack holds a path that leads out of it: ${shown}.`, sourceHint);
    }
    const name = basename(path);
    return wanted.has(name) && !this.taken.has(name) ? name : undefined;
  }

  /** A library for another kind of machine is dropped: packages may carry several. */
  async take(name: string, content: Readable): Promise<void> {
    const part = join(this.folder, `${name}.part`);
    await pipeline(content, limited(mostFileBytes), createWriteStream(part, { mode: 0o755 }));
    if ((await readElf(part)).machine !== hostMachine) {
      await rm(part);
      return;
    }
    await rename(part, join(this.folder, name));
    this.taken.add(name);
  }
}

function limited(mostBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > mostBytes) done(new AppError('too_large', `The pack unpacks to more than ${mostBytes} bytes.`));
      else done(null, chunk);
    },
  });
}

async function takeFolder(folder: string, taking: Taking, depth: number): Promise<void> {
  if (depth > mostFolderDepth) return;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const name = taking.wants(entry.name);
    if (entry.isDirectory()) await takeFolder(path, taking, depth + 1);
    else if (name && (await stat(path)).isFile()) await taking.take(name, createReadStream(path));
  }
}

interface TarEntry extends Readable {
  header: { name: string; type?: string | null };
}

async function takeTar(source: string, isGzip: boolean, taking: Taking): Promise<void> {
  const extract = tarExtract();
  const file = createReadStream(source);
  const counted = limited(mostStreamBytes);
  const feeding = isGzip ? pipeline(file, createGunzip(), counted, extract) : pipeline(file, counted, extract);
  // A failure on either side destroys the other one; the first reason is the one to tell.
  let reason: unknown;
  const fed = feeding.catch((error: unknown) => (reason ??= error));
  try {
    for await (const entry of extract as unknown as AsyncIterable<TarEntry>) {
      const name = taking.wants(entry.header.name);
      if (name && entry.header.type === 'file') await taking.take(name, entry);
      else entry.resume();
    }
  } catch (error) {
    reason ??= error;
    extract.destroy();
  }
  await fed;
  if (reason !== undefined) throw reason;
}

interface ZipArchive {
  eachEntry(): AsyncIterable<{ fileName: string }>;
  openReadStreamPromise(entry: { fileName: string }): Promise<Readable>;
  close(): void;
}

async function takeZip(source: string, taking: Taking): Promise<void> {
  // The published types are those of version 2, which had no promises.
  const library = yauzl as unknown as { openPromise(path: string, options: yauzl.Options): Promise<ZipArchive> };
  const zip = await library.openPromise(source, { strictFileNames: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      const name = taking.wants(entry.fileName);
      if (name) await taking.take(name, await zip.openReadStreamPromise(entry));
    }
  } finally {
    zip.close();
  }
}
