// Content-addressed files: blobs/<2 hex>/<sha256>, written once, shared by all versions that hold the same content. A
// file is complete and on disk before a row names it; a file that no row names is garbage.
import type { Database } from 'bun:sqlite';
import { chmod, link, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { log } from '../log.ts';
import { syncToDisk } from './disk.ts';

export class Blobs {
  constructor(
    private readonly db: Database,
    private readonly folder: string,
  ) {}

  pathOf(sha256: string): string {
    return join(this.folder, sha256.slice(0, 2), sha256);
  }

  /**
   * Gives a finished file its lasting name by hard link; the old name stays.
   * @param path on the same file system, already on disk (syncToDisk)
   */
  async publish(path: string, sha256: string): Promise<void> {
    const shelf = join(this.folder, sha256.slice(0, 2));
    if (await mkdir(shelf, { recursive: true })) await syncToDisk(this.folder);
    await chmod(path, 0o444);
    try {
      await link(path, this.pathOf(sha256));
    } catch (error) {
      if ((error as { code?: string }).code !== 'EEXIST') throw error;
    }
    await syncToDisk(shelf);
  }

  /** Removes those of the blobs that no version uses: rows first, so that a row never names a missing file. */
  async discardUnused(hashes: readonly string[]): Promise<void> {
    const forget = this.db.query<undefined, [string]>(
      'DELETE FROM blobs WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM files WHERE files.sha256 = ?1)',
    );
    this.db.transaction(() => {
      for (const sha256 of hashes) forget.run(sha256);
    })();
    const known = this.db.query('SELECT 1 FROM blobs WHERE sha256 = ?');
    for (const sha256 of hashes) if (!known.get(sha256)) await rm(this.pathOf(sha256), { force: true });
  }

  /** Removes what an earlier process left behind, and reports what is missing. Only while nothing else is going on. */
  async sweep(): Promise<void> {
    this.db.run('DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.sha256 = blobs.sha256)');
    const rows = this.db.query<{ sha256: string; bytes: number }, []>('SELECT sha256, bytes FROM blobs').all();
    const wanted = new Set(rows.map(({ sha256 }) => this.pathOf(sha256)));
    for (const shelf of await readdir(this.folder, { withFileTypes: true })) {
      const names = shelf.isDirectory() ? await readdir(join(this.folder, shelf.name)) : [''];
      for (const name of names) {
        const path = join(this.folder, shelf.name, name);
        if (!wanted.has(path)) await rm(path, { recursive: true, force: true });
      }
    }
    for (const { sha256, bytes } of rows) {
      const size = await stat(this.pathOf(sha256)).then(
        (found) => found.size,
        () => -1,
      );
      if (size !== bytes) log('error', 'a model file is missing or damaged', { sha256, bytes, found: size });
    }
  }
}
