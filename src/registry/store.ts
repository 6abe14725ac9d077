// The registry: one data folder, one database, and the order of steps that keeps the two in agreement whenever the
// process may end. Rows are written last and removed first; files without rows are garbage, removed at the next start.
import type { Database } from 'bun:sqlite';
import { link, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { VersionRecord } from '../types.ts';
import { Blobs } from './blobs.ts';
import { deriveManifest } from './deriving.ts';
import { asDiskFull, syncToDisk } from './disk.ts';
import { checkRequest, type ImportOptions, prepareVersions, type ReadyVersion } from './importing.ts';
import type { FoundModel, ImportRequest, Inspect, Registry } from './registry.ts';
import { Uploads } from './uploads.ts';
import { VersionRows } from './version-rows.ts';

export interface RegistryOptions {
  /** Opened with openDatabase; stays the caller's. */
  db: Database;
  /** Data folder: blobs/, uploads/ and tmp/ are the registry's, and lie on one file system. */
  folder: string;
  inspect: Inspect;
  maxUploadBytes: number;
  uploadExpiryMs: number;
  /** Files in one archive or one import. */
  maxArchiveFiles?: number;
  maxOpenUploads?: number;
}

/**
 * Opens the registry and removes what an earlier process left unfinished. Incomplete uploads stay until they expire.
 * Only for a process that has the data folder to itself (takeLock): another one's unfinished work would be removed too.
 */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const { db, folder, inspect, maxUploadBytes, uploadExpiryMs, maxArchiveFiles = 10_000 } = options;
  // A folder's files are uploaded one by one: two of the largest at once.
  const { maxOpenUploads = 2 * maxArchiveFiles } = options;
  const place = { blobs: join(folder, 'blobs'), uploads: join(folder, 'uploads'), tmp: join(folder, 'tmp') };
  await rm(place.tmp, { recursive: true, force: true });
  for (const path of Object.values(place)) await mkdir(path, { recursive: true });
  await syncToDisk(folder);
  const blobs = new Blobs(db, place.blobs);
  const uploads = new Uploads(db, place.uploads, { maxUploadBytes, uploadExpiryMs, maxOpen: maxOpenUploads });
  await blobs.sweep();
  await uploads.restore();
  const rows = new VersionRows(db);
  return new Store(rows, blobs, uploads, place.tmp, { inspect, maxUploadBytes, maxArchiveFiles }).registry();
}

class Store {
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly rows: VersionRows,
    private readonly blobs: Blobs,
    private readonly uploads: Uploads,
    private readonly tmp: string,
    private readonly options: ImportOptions,
  ) {}

  registry(): Registry {
    const { rows, uploads } = this;
    return {
      listModels: () => rows.listModels(),
      getModel: (name) => rows.getModel(name),
      listVersions: (name) => rows.listVersions(name),
      getVersion: (name, version) => rows.getVersion(name, version),
      listLoaded: () => rows.listLoaded(),
      setLoaded: (name, version, loaded) => rows.setLoaded(name, version, loaded),
      setCurrent: (name, version) => rows.setCurrent(name, version),
      layOut: (record, target) => this.#layOut(record, target),
      removeVersion: (name, version) => this.#remove(() => rows.removeVersion(name, version)),
      removeModel: (name) => this.#remove(() => rows.removeModel(name)),
      createUpload: (bytes) => uploads.create(bytes),
      getUpload: (id) => uploads.get(id),
      appendUpload: (id, offset, body) => uploads.append(id, offset, body),
      storeUpload: (body, file) => uploads.store(body, file),
      removeUpload: (id) => uploads.remove(id),
      importVersions: (request, onProgress = () => {}) => this.#import(request, onProgress),
      inspectUploads: (request, onProgress = () => {}) => this.#inspect(request, onProgress),
      deriveVersion: (name, version, change) => this.#derive(name, version, change),
      close: () => this.#exclusively(async () => {}),
    };
  }

  /**
   * One at a time: storing a version relies on a blob that is there already, and removing one takes blobs away.
   */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  #remove(removeRows: () => string[]): Promise<void> {
    return this.#exclusively(async () => this.blobs.discardUnused(removeRows()));
  }

  async #layOut(record: VersionRecord, target: string): Promise<string> {
    // Asked again: the record may be of a version that was removed meanwhile.
    const { files, entry } = this.rows.getVersion(record.model, record.version);
    for (const { path, sha256 } of files) {
      const file = join(target, path);
      await mkdir(dirname(file), { recursive: true });
      await rm(file, { force: true });
      await link(this.blobs.pathOf(sha256), file);
    }
    return join(target, entry);
  }

  async #import(request: ImportRequest, onProgress: (step: string) => void): Promise<VersionRecord[]> {
    return this.#prepared(request, onProgress, async (ready, ids) => {
      onProgress('Storing');
      const records = await this.#exclusively(() => this.#store(ready));
      await this.uploads.consume(ids);
      return records;
    });
  }

  async #inspect(request: ImportRequest, onProgress: (step: string) => void): Promise<FoundModel[]> {
    return this.#prepared(request, onProgress, async (ready) =>
      ready.map(({ model, manifest, inspection, warnings }) => ({ model, manifest, inspection, warnings })),
    );
  }

  /** Whatever comes of it, what was not used up stays: a person may put right what is wrong and try again. */
  async #prepared<T>(
    request: ImportRequest,
    onProgress: (step: string) => void,
    use: (ready: ReadyVersion[], uploadIds: string[]) => Promise<T>,
  ): Promise<T> {
    checkRequest(request, this.options.maxArchiveFiles);
    const ids = request.files.map(({ uploadId }) => uploadId);
    const files = this.uploads.claim(ids);
    const staging = join(this.tmp, crypto.randomUUID());
    try {
      await mkdir(staging);
      return await use(await prepareVersions(request, files, staging, this.options, onProgress), ids);
    } catch (thrown) {
      throw asDiskFull(thrown);
    } finally {
      this.uploads.release(ids);
      await rm(staging, { recursive: true, force: true });
    }
  }

  #derive(name: string, version: number, change: unknown): Promise<VersionRecord> {
    return this.#exclusively(async () => {
      const source = this.rows.getVersion(name, version);
      const { signature, facts, entry } = source;
      const { manifest, warnings } = deriveManifest(source, change);
      const files = source.files.map((file) => ({ ...file, diskPath: this.blobs.pathOf(file.sha256) }));
      const batchable = manifest.serving.maxBatchSize > 0;
      const inspection = { signature, facts, batchable, warnings: [] };
      const [number] = this.rows.insert([{ model: name, manifest, inspection, warnings, entry, files }]);
      return this.rows.getVersion(name, number!);
    });
  }

  async #store(ready: ReadyVersion[]): Promise<VersionRecord[]> {
    const files = ready.flatMap((version) => version.files);
    try {
      for (const { diskPath, sha256 } of files) await this.blobs.publish(diskPath, sha256);
      const numbers = this.rows.insert(ready);
      return ready.map(({ model }, index) => this.rows.getVersion(model, numbers[index]!));
    } catch (error) {
      await this.blobs.discardUnused(files.map(({ sha256 }) => sha256));
      throw error;
    }
  }
}
