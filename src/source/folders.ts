// Files and folders on the server that a model may be imported from: below the folders that a setting names, wherever links
// lead. A name may come to mean another file at any moment, so what was opened is looked at once more.
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { AppError } from '../error.ts';

export interface FoundFile {
  /** Without links when it was looked at. */
  diskPath: string;
  /** Name in the import; below the folder's own name in a folder. */
  path: string;
}

export interface OpenFile {
  handle: FileHandle;
  bytes: number;
}

const mostFiles = 10_000;
const deepest = 16;
const partBytes = 1024 * 1024;
const namesHint = 'The setting import_folders names the folders.';

export class ImportFolders {
  /** @param folders absolute */
  constructor(private readonly folders: readonly string[]) {}

  get isEmpty(): boolean {
    return this.folders.length === 0;
  }

  /**
   * A file, or all files of a folder but hidden ones.
   * @param path absolute
   * @throws AppError conflict while no folder is named, forbidden outside of them, not_found, invalid, too_large
   */
  async list(path: string): Promise<FoundFile[]> {
    if (this.isEmpty) {
      throw new AppError(
        'conflict',
        'Importing from paths on the server is off: no folder is named that it may read.',
        'Name it with the setting import_folders, e.g. /srv/models, and start the server again.',
      );
    }
    const real = await this.#resolve(path);
    const found = await lstat(real).catch((error: unknown) => refuse(error, path));
    if (found.isFile()) return [{ diskPath: real, path: basename(path) }];
    if (!found.isDirectory()) throw neither(path);
    const files: FoundFile[] = [];
    await this.#walk(real, basename(path) || 'model', 0, files);
    if (files.length > 0) return files;
    throw new AppError('invalid', `${path} has no files.`, 'Name the folder of a model, or of a Triton repository.');
  }

  /** @throws AppError as `list`, also when the name means something else by now */
  async open({ diskPath }: FoundFile): Promise<OpenFile> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    const handle = await open(diskPath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) =>
      refuse(error, diskPath),
    );
    try {
      const found = await handle.stat();
      if (!found.isFile()) throw neither(diskPath);
      const real = await readlink(`/proc/self/fd/${handle.fd}`);
      if (!isBelow(real, await this.#roots())) throw outside(diskPath);
      return { handle, bytes: found.size };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async #walk(folder: string, name: string, depth: number, files: FoundFile[]): Promise<void> {
    if (depth > deepest) throw new AppError('invalid', `${folder} is more than ${deepest} folders deep.`);
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => refuse(error, folder));
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      const [inner, path] = [join(folder, entry.name), `${name}/${entry.name}`];
      if (entry.isDirectory()) await this.#walk(inner, path, depth + 1, files);
      else if (entry.isFile()) files.push({ diskPath: inner, path });
      else if (entry.isSymbolicLink()) files.push({ diskPath: await this.#resolveFile(inner), path });
      else throw neither(inner);
      if (files.length <= mostFiles) continue;
      throw new AppError('too_large', `There are more than ${mostFiles} files.`, "Name the model's own folder.");
    }
  }

  /** Of a link in a folder. */
  async #resolveFile(path: string): Promise<string> {
    const real = await this.#resolve(path);
    if ((await lstat(real).catch((error: unknown) => refuse(error, path))).isFile()) return real;
    throw new AppError('invalid', `${path} is a link to what is no file; such links are not followed.`);
  }

  /** Where a path leads. What lies outside is refused alike whether it is there or not. */
  async #resolve(path: string): Promise<string> {
    const roots = await this.#roots();
    let failure: unknown;
    for (let ancestor = path; ; ancestor = dirname(ancestor)) {
      try {
        const real = await realpath(ancestor);
        if (!isBelow(real, roots)) throw outside(path);
        if (ancestor === path) return real;
        break;
      } catch (error) {
        if (error instanceof AppError) throw error;
        failure ??= error;
        if (ancestor === '/') throw outside(path);
      }
    }
    return refuse(failure, path);
  }

  /** Those that are there. */
  async #roots(): Promise<string[]> {
    const roots = await Promise.all(this.folders.map((folder) => realpath(folder).catch(() => undefined)));
    return roots.filter((root) => root !== undefined);
  }
}

/** Each part is valid until the next. @throws AppError conflict when the file changed while it was read */
export async function* readWhole({ handle, bytes }: OpenFile, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const before = await handle.stat();
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(partBytes, bytes)));
  for (let at = 0; at < bytes;) {
    if (signal.aborted) throw new AppError('unavailable', 'Reading the file was broken off.', 'Import it again.');
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, bytes - at), at);
    if (bytesRead === 0) break;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
  const after = await handle.stat();
  if (after.size === bytes && after.mtimeMs === before.mtimeMs) return;
  throw new AppError('conflict', 'The file changed while it was read.', 'Import it again when it is complete.');
}

function isBelow(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path === root || path.startsWith(root === '/' ? '/' : `${root}/`));
}

const outside = (path: string) =>
  new AppError('forbidden', `${path} is in no folder that models may be imported from.`, namesHint);

const neither = (path: string) =>
  new AppError('invalid', `${path} is neither a file nor a folder.`, 'Name an ONNX file, an archive or a folder.');

function refuse(error: unknown, path: string): never {
  const { code } = error as { code?: unknown };
  if (code === 'ENOENT' || code === 'ENOTDIR') throw new AppError('not_found', `There is no ${path} on the server.`);
  if (code === 'EACCES' || code === 'EPERM') {
    throw new AppError('forbidden', `The server may not read ${path}.`, 'Let the user that it runs as read it.');
  }
  if (code === 'ELOOP') throw new AppError('invalid', `${path} is a link that leads nowhere, or has just become one.`);
  throw error;
}
