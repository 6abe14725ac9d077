// Files on their way in: uploads/<id> grows until it has its announced size. How much has arrived is the file's own
// size, so that a cut upload can go on after any kind of interruption.
import type { Database } from 'bun:sqlite';
import { statSync } from 'node:fs';
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { AppError, messageOf } from '../error.ts';
import type { Origin } from '../types.ts';
import { asDiskFull, findRoom, requireRoom, syncToDisk } from './disk.ts';
import type { UploadRecord, WholeFile } from './registry.ts';

const syncEveryBytes = 64 * 1024 * 1024;
const expireEveryMs = 60_000;

interface Upload extends UploadRecord {
  /** Someone writes to it, or it is being imported. */
  isBusy: boolean;
  /** When it was created or last written to. */
  touchedMs: number;
  /** Its size is not known: `bytes` is the most that it may have. */
  isOpenEnded?: boolean;
  origin?: Origin;
}

/** A complete upload that an import is made of. */
export interface ClaimedUpload {
  path: string;
  bytes: number;
  origin?: Origin;
}

export interface UploadLimits {
  maxUploadBytes: number;
  /** How long an upload is kept after its last byte came. */
  uploadExpiryMs: number;
  /** So that nobody fills memory and folder with empty ones. */
  maxOpen: number;
}

export class Uploads {
  readonly #uploads = new Map<string, Upload>();
  #expiredMs = 0;

  constructor(
    private readonly db: Database,
    private readonly folder: string,
    private readonly limits: UploadLimits,
  ) {}

  /** Takes up what an earlier process left, and removes what is expired or unknown. */
  async restore(): Promise<void> {
    const rows = this.db.query<{ id: string; bytes: number; created_at: string }, []>('SELECT * FROM uploads').all();
    for (const { id, bytes, created_at: createdAt } of rows) {
      const file = statSync(this.#pathOf(id), { throwIfNoEntry: false });
      if (!file || file.size > bytes) await this.#drop(id);
      else {
        const upload = { id, bytes, received: file.size, createdAt, isBusy: false, touchedMs: file.mtimeMs };
        this.#uploads.set(id, upload);
      }
    }
    for (const name of await readdir(this.folder)) {
      if (!this.#uploads.has(name)) await rm(join(this.folder, name), { recursive: true, force: true });
    }
    await this.#dropExpired();
  }

  /** @throws AppError invalid, too_large, or overloaded when too many are open */
  async create(bytes: number): Promise<UploadRecord> {
    await this.#requireAllowed(bytes);
    const upload = await this.#begin({ bytes }, true);
    upload.isBusy = false;
    return recordOf(upload);
  }

  async #requireAllowed(bytes: number): Promise<void> {
    const { maxUploadBytes } = this.limits;
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new AppError(
        'invalid',
        "An upload's size must be a whole number of bytes.",
        "Announce the file's exact size.",
      );
    }
    if (bytes > maxUploadBytes) {
      throw new AppError(
        'too_large',
        `The file has ${bytes} bytes; at most ${maxUploadBytes} are allowed.`,
        'Raise the upload limit in the settings.',
      );
    }
    await this.#dropExpired();
    await requireRoom(this.folder, bytes);
  }

  /** See Registry.storeUpload. */
  async store(body: AsyncIterable<Uint8Array>, { bytes, origin }: WholeFile): Promise<UploadRecord> {
    if (bytes !== undefined) await this.#requireAllowed(bytes);
    else await this.#dropExpired();
    const most = Math.min(this.limits.maxUploadBytes, await findRoom(this.folder));
    const upload = await this.#begin({ bytes: bytes ?? most, isOpenEnded: bytes === undefined }, false);
    upload.origin = origin;
    try {
      const file = await open(this.#pathOf(upload.id), 'r+');
      try {
        await receive(upload, file, body);
      } finally {
        await file.close();
      }
      if (upload.isOpenEnded) upload.bytes = upload.received;
      if (upload.received < upload.bytes) {
        const message = `Only ${upload.received} of ${upload.bytes} bytes arrived.`;
        throw new AppError('invalid', message, 'Send the file again.');
      }
    } catch (error) {
      await this.#drop(upload.id);
      throw error;
    }
    Object.assign(upload, { isBusy: false, touchedMs: Date.now() });
    return recordOf(upload);
  }

  /**
   * @param isResumable false: known to its sender alone, so that it ends with this process
   * @returns it, busy
   */
  async #begin(size: Pick<Upload, 'bytes' | 'isOpenEnded'>, isResumable: boolean): Promise<Upload> {
    if (this.#uploads.size >= this.limits.maxOpen) {
      throw new AppError(
        'overloaded',
        `${this.limits.maxOpen} uploads are open, more are not taken.`,
        'Import or remove those that are open, or wait until they expire; send many files as one archive.',
      );
    }
    const upload: Upload = {
      id: crypto.randomUUID(),
      ...size,
      received: 0,
      createdAt: new Date().toISOString(),
      isBusy: true,
      touchedMs: Date.now(),
    };
    // Known before it is there, so that many at once are counted.
    this.#uploads.set(upload.id, upload);
    try {
      await this.#lay(upload, isResumable);
    } catch (error) {
      this.#uploads.delete(upload.id);
      await rm(this.#pathOf(upload.id), { force: true });
      throw error;
    }
    return upload;
  }

  get(id: string): UploadRecord {
    return recordOf(this.#get(id));
  }

  async append(id: string, offset: number, body: ReadableStream<Uint8Array>): Promise<UploadRecord> {
    const upload = this.#take(id);
    try {
      if (offset !== upload.received) {
        throw new AppError(
          'conflict',
          `The upload has ${upload.received} bytes, so it cannot go on at ${offset}.`,
          `Send the file from byte ${upload.received} on.`,
        );
      }
      await requireRoom(this.folder, upload.bytes - upload.received);
      const file = await open(this.#pathOf(id), 'r+');
      try {
        // A write that failed may have left part of a chunk.
        await file.truncate(upload.received);
        await receive(upload, file, body);
      } finally {
        upload.touchedMs = Date.now();
        await file.close();
      }
      return recordOf(upload);
    } finally {
      upload.isBusy = false;
    }
  }

  async remove(id: string): Promise<void> {
    this.#take(id);
    await this.#drop(id);
  }

  /**
   * Keeps complete uploads for an import, which ends with `consume` or `release`.
   * @returns them in order
   * @throws AppError conflict when one is incomplete or in use
   */
  claim(ids: readonly string[]): ClaimedUpload[] {
    const claimed: Upload[] = [];
    try {
      for (const id of ids) {
        const upload = this.#take(id);
        claimed.push(upload);
        if (upload.received === upload.bytes) continue;
        throw new AppError(
          'conflict',
          `The upload ${id} is not complete: ${upload.received} of ${upload.bytes} bytes have arrived.`,
          `Send the rest from byte ${upload.received} on.`,
        );
      }
    } catch (error) {
      for (const upload of claimed) upload.isBusy = false;
      throw error;
    }
    return claimed.map(({ id, bytes, origin }) => ({ path: this.#pathOf(id), bytes, origin }));
  }

  release(ids: readonly string[]): void {
    for (const id of ids) {
      const upload = this.#uploads.get(id);
      if (upload) upload.isBusy = false;
    }
  }

  async consume(ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#drop(id);
  }

  async #lay({ id, bytes, createdAt }: Upload, isResumable: boolean): Promise<void> {
    const file = await open(this.#pathOf(id), 'wx', 0o600);
    await file.close();
    await syncToDisk(this.folder);
    if (!isResumable) return;
    this.db.run('INSERT INTO uploads (id, bytes, created_at) VALUES (?, ?, ?)', [id, bytes, createdAt]);
  }

  #pathOf(id: string): string {
    return join(this.folder, id);
  }

  #get(id: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload) return upload;
    throw new AppError(
      'not_found',
      'There is no such upload.',
      'It was finished, removed or has expired: upload the file again.',
    );
  }

  #take(id: string): Upload {
    const upload = this.#get(id);
    if (upload.isBusy) {
      throw new AppError('conflict', 'The upload is in use by another request.', 'Wait until that one has ended.');
    }
    upload.isBusy = true;
    return upload;
  }

  /** The row goes first: a file without a row is removed at the next start, a row without a file would be a lie. */
  async #drop(id: string): Promise<void> {
    this.db.run('DELETE FROM uploads WHERE id = ?', [id]);
    this.#uploads.delete(id);
    await rm(this.#pathOf(id), { force: true });
  }

  async #dropExpired(): Promise<void> {
    const now = Date.now();
    if (now - this.#expiredMs < expireEveryMs) return;
    this.#expiredMs = now;
    for (const { id, isBusy, touchedMs } of this.#uploads.values()) {
      if (!isBusy && touchedMs < now - this.limits.uploadExpiryMs) await this.#drop(id);
    }
  }
}

const tooLarge = (bytes: number) =>
  new AppError(
    'too_large',
    `The file has more than ${bytes} bytes, which are all that is allowed or that the disk has room for.`,
    'Raise the upload limit in the settings, or make room.',
  );

const recordOf = ({ id, bytes, received, createdAt }: Upload): UploadRecord => ({ id, bytes, received, createdAt });

async function receive(upload: Upload, file: FileHandle, body: AsyncIterable<Uint8Array>): Promise<void> {
  let arrived = upload.received;
  const settle = async (): Promise<void> => {
    await file.sync();
    upload.received = arrived;
  };
  try {
    for await (const chunk of body) {
      if (arrived + chunk.length > upload.bytes) {
        if (upload.isOpenEnded) throw tooLarge(upload.bytes);
        throw new AppError(
          'too_large',
          `More than the announced ${upload.bytes} bytes came.`,
          "Announce the file's exact size, or send only what is missing.",
        );
      }
      await writeAll(file, chunk, arrived);
      arrived += chunk.length;
      if (arrived - upload.received >= syncEveryBytes) await settle();
    }
    await settle();
  } catch (error) {
    await settle();
    const cause = asDiskFull(error);
    if (cause instanceof AppError) throw cause;
    throw new AppError(
      'invalid',
      `The upload broke off after ${upload.received} of ${upload.bytes} bytes: ${messageOf(error)}`,
      `Send the file from byte ${upload.received} on.`,
    );
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < chunk.length) {
    done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
  }
}
