// The optional GPU pack: ONNX Runtime's provider libraries for CUDA and TensorRT, kept in the data folder by version.
// Installs, checks and removes it from local files; never loads it: trying it out is for a child process.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { open, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';

import { AppError } from '../error.ts';
import { freshName, makeFresh, removeLeftovers } from '../fresh-folder.ts';
import { readElf } from './elf.ts';
import { findPackage, onDemandLibraries } from './library-packages.ts';
import { findMissing, type LoaderOptions, type MissingLibrary } from './loader-path.ts';
import { extractProviders, providerFiles } from './pack-source.ts';

export interface GpuPackOptions extends LoaderOptions {
  /** Folder that holds the installed packs, one folder for each version. */
  folder: string;
  /** Version of the ONNX Runtime that is built in, e.g. "1.29.0": a pack of any other one crashes. */
  runtimeVersion: string;
}

/** @param settings `cudaPath`: folders separated by colons */
export function packOptions(settings: { data: string; cudaPath: string }, runtimeVersion: string): GpuPackOptions {
  const searchPath = settings.cudaPath.split(':').filter((folder) => folder !== '');
  return { folder: join(settings.data, 'gpu-pack'), runtimeVersion, searchPath };
}

export interface PackFile {
  name: string;
  bytes: number;
  sha256: string;
}

export interface PackProvider {
  name: 'cuda' | 'tensorrt';
  /** `package`: what to install, where known. */
  missing: (MissingLibrary & { package?: string })[];
  /** False when a library is missing without which it cannot be loaded. */
  loadable: boolean;
}

export interface PackStatus {
  version: string;
  folder: string;
  files: PackFile[];
  /** False when a file is gone or not as it was installed. */
  intact: boolean;
  /** "13"; "" where the libraries name none. */
  cudaMajor: string;
  providers: PackProvider[];
}

const recordName = 'pack.json';

/** Replaces a pack of the same version. @throws AppError invalid when the source has no fitting libraries */
export async function installPack(source: string, options: GpuPackOptions): Promise<PackStatus> {
  removeLeftovers(options.folder);
  const fresh = makeFresh(options.folder);
  try {
    const names = await extractProviders(source, fresh);
    await checkPack(fresh, names, options.runtimeVersion);
    const files = await Promise.all(names.map((name) => describeFile(fresh, name)));
    await Bun.write(join(fresh, recordName), JSON.stringify({ version: options.runtimeVersion, files }));
    for (const name of [...names, recordName]) await sync(join(fresh, name));
    await sync(fresh);
    const target = join(options.folder, options.runtimeVersion);
    // A rename does not replace a folder that has files; the old one is put aside under a name that is swept up.
    if (existsSync(target)) await rename(target, `${fresh}-old`);
    await rename(fresh, target);
    await sync(options.folder);
    await rm(`${fresh}-old`, { recursive: true, force: true });
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    if ((error as { code?: string }).code !== 'ENOSPC') throw error;
    throw new AppError('too_large', 'The disk is full.', 'Make room in the data folder: the pack needs about 250 MB.');
  }
  return (await findPack(options))!;
}

/** The installed pack for the built-in version, or undefined. Reads all of its files to check them. */
export async function findPack(options: GpuPackOptions): Promise<PackStatus | undefined> {
  const folder = join(options.folder, options.runtimeVersion);
  const record = await readRecord(folder);
  if (!record) return undefined;
  const present = record.files.filter(({ name }) => existsSync(join(folder, name)));
  const actual = await Promise.all(present.map(({ name }) => describeFile(folder, name)));
  const intact = record.files.every(({ name, sha256 }) => actual.find((file) => file.name === name)?.sha256 === sha256);
  const cudaMajor = intact ? await findCudaMajor(folder) : '';
  return {
    version: record.version,
    folder,
    files: record.files,
    intact,
    cudaMajor,
    providers: intact ? await examineProviders(folder, record.files, cudaMajor, options) : [],
  };
}

/** Other versions that lie there, of an older or newer program. */
export async function listOtherPacks({ folder, runtimeVersion }: GpuPackOptions): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name !== runtimeVersion && existsSync(join(folder, name, recordName))).sort();
}

/** @returns false when there was none. @param version of an older program's pack, if not the present one */
export async function removePack(options: GpuPackOptions, version = options.runtimeVersion): Promise<boolean> {
  const known = [options.runtimeVersion, ...(await listOtherPacks(options))];
  const target = join(options.folder, version);
  if (!known.includes(version) || !existsSync(target)) return false;
  // Renamed first, so that no half of it is ever seen.
  const aside = freshName(options.folder);
  await rename(target, aside);
  await rm(aside, { recursive: true });
  return true;
}

/**
 * A folder in which ONNX Runtime finds the pack: it looks for provider libraries beside itself. Made of links, below
 * the pack's own folder. Safe to call from several processes at once.
 * @param nativeFolder where `prepareNative` put the library and its binding
 */
export async function joinWithRuntime(pack: PackStatus, nativeFolder: string): Promise<string> {
  const key = createHash('sha256').update(nativeFolder).digest('hex').slice(0, 16);
  const target = join(pack.folder, `runtime-${key}`);
  if (existsSync(target)) return target;
  const fresh = makeFresh(pack.folder);
  for (const name of await readdir(nativeFolder)) await symlink(join(nativeFolder, name), join(fresh, name));
  for (const { name } of pack.files) await symlink(join(pack.folder, name), join(fresh, name));
  await rename(fresh, target).catch(async (error: unknown) => {
    await rm(fresh, { recursive: true });
    if (!existsSync(target)) throw error;
  });
  return target;
}

async function checkPack(folder: string, names: string[], runtimeVersion: string): Promise<void> {
  const absent = [providerFiles.shared, providerFiles.cuda].filter((name) => !names.includes(name));
  if (absent.length > 0) {
    throw new AppError(
      'invalid',
      `The source has no ${absent.join(' and no ')} for this kind of machine (${process.arch}).`,
      `Take ONNX Runtime's GPU package for Linux, version ${runtimeVersion}.`,
    );
  }
  // The shared library is a small bridge that carries no version.
  for (const name of names.filter((name) => name !== providerFiles.shared)) {
    const { matches, others } = await findVersions(join(folder, name), runtimeVersion);
    if (matches) continue;
    const found = others.length > 0 ? `is of version ${others.join(' or ')}` : 'tells no version';
    throw new AppError(
      'invalid',
      `${name} ${found}, but ONNX Runtime ${runtimeVersion} is built in; they must be the same.`,
      `Take the GPU package of ONNX Runtime ${runtimeVersion}.`,
    );
  }
}

const chunkBytes = 4 * 1024 * 1024;
const overlapBytes = 32;

/**
 * A provider tells its own version as a plain string among its constants. `others`: those that look like a version of
 * ONNX Runtime (1.x.y, a whole string by itself).
 */
async function findVersions(path: string, expected: string): Promise<{ matches: boolean; others: string[] }> {
  const others = new Set<string>();
  let rest = '';
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) {
    const text = rest + (chunk as Buffer).toString('latin1');
    // The linker may have put it at the end of a longer string, but not of a longer number.
    for (let at = text.indexOf(`${expected}\0`); at >= 0; at = text.indexOf(`${expected}\0`, at + 1)) {
      if (!/[\d.]/.test(text[at - 1] ?? '0')) return { matches: true, others: [] };
    }
    for (const match of text.matchAll(/\0(1\.\d{1,3}\.\d{1,3})\0/g)) others.add(match[1]!);
    rest = text.slice(-overlapBytes);
  }
  return { matches: false, others: [...others].slice(0, 5) };
}

async function describeFile(folder: string, name: string): Promise<PackFile> {
  const hash = createHash('sha256');
  const path = join(folder, name);
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) hash.update(chunk as Buffer);
  return { name, bytes: (await stat(path)).size, sha256: hash.digest('hex') };
}

async function findCudaMajor(folder: string): Promise<string> {
  const { needed } = await readElf(join(folder, providerFiles.cuda));
  return needed.map((name) => /^libcudart\.so\.(\d+)$/.exec(name)?.[1]).find((major) => major !== undefined) ?? '';
}

async function examineProviders(
  folder: string,
  files: PackFile[],
  cudaMajor: string,
  options: GpuPackOptions,
): Promise<PackProvider[]> {
  const present = (['cuda', 'tensorrt'] as const).filter((name) =>
    files.some((file) => file.name === providerFiles[name]),
  );
  return Promise.all(
    present.map(async (name) => {
      const onDemand = name === 'cuda' ? onDemandLibraries(cudaMajor) : [];
      const missing = await findMissing(join(folder, providerFiles[name]), onDemand, options);
      return {
        name,
        loadable: missing.every((library) => library.onDemand),
        missing: missing.map((library) => ({ ...library, package: findPackage(library.name, cudaMajor) })),
      };
    }),
  );
}

async function readRecord(folder: string): Promise<{ version: string; files: PackFile[] } | undefined> {
  try {
    return (await Bun.file(join(folder, recordName)).json()) as { version: string; files: PackFile[] };
  } catch {
    return undefined;
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync();
  await handle.close();
}
