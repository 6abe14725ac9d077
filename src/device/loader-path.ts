// Finds shared libraries as the dynamic loader (ld.so) would, without loading them: DT_RPATH, the search path setting with
// LD_LIBRARY_PATH, DT_RUNPATH, the loader's cache, the default folders. 64-bit glibc systems only.
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { type ElfFacts, hostMachine, readElf } from './elf.ts';

export interface LoaderOptions {
  /** Folders of the search path setting and of LD_LIBRARY_PATH, in this order. */
  searchPath?: readonly string[];
  /** Where /etc/ld.so.cache and the default folders are. */
  root?: string;
}

export interface MissingLibrary {
  name: string;
  /** File name of the first library that asked for it. */
  neededBy: string;
  /** True when it is opened only if something needs it: what asked for it loads without. */
  onDemand: boolean;
}

const architecture = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const defaultFolders = [`/lib/${architecture}`, `/usr/lib/${architecture}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib'];
const mostLibraries = 500;

/**
 * Follows everything that `library` needs, and what that needs in turn.
 * @param onDemand names that it opens while running, beside those it declares
 */
export async function findMissing(
  library: string,
  onDemand: readonly string[],
  options: LoaderOptions = {},
): Promise<MissingLibrary[]> {
  const cache = readLoaderCache(options.root);
  const missing: MissingLibrary[] = [];
  const done = new Set<string>();
  const queue = [{ path: library, optional: false }];
  for (let next = queue.shift(); next !== undefined && done.size < mostLibraries; next = queue.shift()) {
    const { path: from, optional: reachedOnDemand } = next;
    const facts = await readElf(from);
    const asked = facts.needed.map((name) => ({ name, optional: reachedOnDemand }));
    if (from === library) asked.push(...onDemand.map((name) => ({ name, optional: true })));
    for (const { name, optional } of asked) {
      if (done.has(name)) continue;
      done.add(name);
      const path = await findLibrary(name, from, facts, cache, options);
      if (path === undefined) missing.push({ name, neededBy: basename(from), onDemand: optional });
      else queue.push({ path, optional });
    }
  }
  return missing;
}

async function findLibrary(
  name: string,
  from: string,
  { rpath, runpath }: ElfFacts,
  cache: ReadonlyMap<string, string>,
  { searchPath = [], root = '/' }: LoaderOptions,
): Promise<string | undefined> {
  const origin = (folder: string) => folder.replace(/\$(?:ORIGIN\b|\{ORIGIN\})/g, () => dirname(from));
  const folders = [...(runpath.length > 0 ? [] : rpath.map(origin)), ...searchPath, ...runpath.map(origin)];
  const cached = cache.get(name);
  const candidates = [
    ...folders.map((folder) => join(folder, name)),
    ...(cached === undefined ? [] : [join(root, cached)]),
    ...defaultFolders.map((folder) => join(root, folder, name)),
  ];
  for (const candidate of candidates) if (await isUsable(candidate)) return candidate;
  return undefined;
}

/** The loader passes over files for another machine. */
async function isUsable(path: string): Promise<boolean> {
  if (!existsSync(path)) return false;
  try {
    return (await readElf(path)).machine === hostMachine;
  } catch {
    return false;
  }
}

const oldMark = 'ld.so-1.7.0\0';
const newMark = 'glibc-ld.so.cache1.1';
const oldHeaderBytes = 16;
const oldEntryBytes = 12;
const newHeaderBytes = 48;
const newEntryBytes = 24;
/** ELF for glibc, with the flag of 64-bit x86 or ARM libraries. */
const wantedFlags = process.arch === 'arm64' ? 0x0a03 : 0x0303;

/**
 * Library name → path, from /etc/ld.so.cache as glibc's `dl-cache.h` lays it out; empty where it cannot be read. A newer
 * table may follow one in the format of before 2.2. Strings count from the start of the newer one.
 */
export function readLoaderCache(root = '/'): Map<string, string> {
  const found = new Map<string, string>();
  let file: Buffer;
  try {
    file = readFileSync(join(root, 'etc/ld.so.cache'));
  } catch {
    return found;
  }
  let start = 0;
  if (file.toString('latin1', 0, oldMark.length) === oldMark && file.length >= oldHeaderBytes) {
    start = Math.ceil((oldHeaderBytes + file.readUInt32LE(12) * oldEntryBytes) / 8) * 8;
  }
  const table = file.subarray(Math.min(start, file.length));
  if (table.length < newHeaderBytes || table.toString('latin1', 0, newMark.length) !== newMark) return found;
  const count = Math.min(table.readUInt32LE(20), Math.floor((table.length - newHeaderBytes) / newEntryBytes));
  for (let index = 0; index < count; index += 1) {
    const at = newHeaderBytes + index * newEntryBytes;
    if (table.readUInt32LE(at) !== wantedFlags) continue;
    const name = textAt(table, table.readUInt32LE(at + 4));
    // The first entry of a name is the one that the loader prefers on a plain processor.
    if (name && !found.has(name)) found.set(name, textAt(table, table.readUInt32LE(at + 8)));
  }
  return found;
}

function textAt(table: Buffer, at: number): string {
  const end = at < table.length ? table.indexOf(0, at) : -1;
  return end < 0 ? '' : table.toString('utf8', at, end);
}
