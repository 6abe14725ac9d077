// A registry in a folder of its own, and the few moves that its tests repeat.
import type { Database } from 'bun:sqlite';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openDatabase } from '../../src/db/open.ts';
import { AppError } from '../../src/error.ts';
import { inspectModel } from '../../src/inference/inspect.ts';
import { prepareNative } from '../../src/native.ts';
import type { ImportRequest, Inspect, Registry } from '../../src/registry/registry.ts';
import { openRegistry, type RegistryOptions } from '../../src/registry/store.ts';
import type { Inspection, VersionRecord } from '../../src/types.ts';

const day = 86_400_000;

export interface Opened {
  registry: Registry;
  folder: string;
  db: Database;
  /** Uploads the files and imports them. */
  push(
    name: string | undefined,
    files: Record<string, Uint8Array | string>,
    manifest?: unknown,
  ): Promise<VersionRecord[]>;
  upload(content: Uint8Array | string): Promise<string>;
  /** Paths of all files in the data folder but the database. */
  filesOnDisk(): string[];
  /** Opens the same folder again, as after a restart. */
  reopen(options?: Partial<RegistryOptions>): Promise<Opened>;
  remove(): Promise<void>;
}

export async function openTemporary(options: Partial<RegistryOptions> = {}): Promise<Opened> {
  return openIn(mkdtempSync(join(tmpdir(), 'aimass-registry-')), options);
}

export async function openIn(folder: string, options: Partial<RegistryOptions> = {}): Promise<Opened> {
  const db = openDatabase(join(folder, 'test.db'));
  const registry = await openRegistry({
    db,
    folder,
    inspect: inspectHere,
    maxUploadBytes: 64 * 1024 * 1024,
    uploadExpiryMs: day,
    ...options,
  });
  const close = async () => {
    await registry.close();
    db.close();
  };
  const opened: Opened = {
    registry,
    folder,
    db,
    async upload(content) {
      const bytes = Buffer.from(content as string);
      const { id } = await registry.createUpload(bytes.length);
      await registry.appendUpload(id, 0, new Blob([bytes]).stream());
      return id;
    },
    async push(name, contents, manifest) {
      const files = [];
      for (const [path, content] of Object.entries(contents))
        files.push({ uploadId: await opened.upload(content), path });
      return registry.importVersions({ name, files, manifest: manifest as ImportRequest['manifest'] });
    },
    filesOnDisk: () =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((path) => !path.startsWith('test.db') && statSync(join(folder, path)).isFile())
        .sort(),
    async reopen(changed = {}) {
      await close();
      return openIn(folder, { ...options, ...changed });
    },
    async remove() {
      await close();
      rmSync(folder, { recursive: true });
    },
  };
  return opened;
}

export const facts: Inspection['facts'] = {
  format: 'onnx',
  irVersion: 8,
  opsets: { 'ai.onnx': 17 },
  producer: 'test',
  parameters: 0,
  weightBytes: 0,
  operators: {},
};

/** As in the appliance, but in this process. */
export const inspectHere: Inspect = async ({ path }) =>
  inspectModel(path, { nativeFolder: await prepareNative('not needed from source') });

/** The error that `work` ends with. */
export async function errorOf(work: Promise<unknown> | (() => unknown)): Promise<AppError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('It should have failed.');
}

/** Runs a Python script whose standard output is a file's content. */
export function python(script: string, input: Uint8Array | string = ''): Uint8Array {
  const { stdout, stderr, exitCode } = Bun.spawnSync(['/usr/bin/python3', '-c', script], {
    stdin: Buffer.from(input as string),
  });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stdout;
}
