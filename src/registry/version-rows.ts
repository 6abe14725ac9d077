// Models and versions as rows of the database. Every function is one statement or one transaction; files on disk are
// none of its business.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import type { FileEntry, Manifest, ModelFacts, ModelRecord, Signature, VersionRecord } from '../types.ts';
import type { ReadyVersion } from './importing.ts';

interface ModelRow {
  name: string;
  created_at: string;
  current: number | null;
}

interface VersionRow {
  model: string;
  number: number;
  manifest: string;
  signature: string;
  facts: string;
  warnings: string;
  entry: string;
  bytes: number;
  created_at: string;
}

export class VersionRows {
  constructor(private readonly db: Database) {}

  listModels(): ModelRecord[] {
    return this.db
      .query<ModelRow, []>('SELECT * FROM models ORDER BY name')
      .all()
      .map((row) => this.#toModel(row));
  }

  getModel(name: string): ModelRecord {
    const row = this.db.query<ModelRow, [string]>('SELECT * FROM models WHERE name = ?').get(name);
    if (row) return this.#toModel(row);
    throw new AppError('not_found', `There is no model '${name}'.`, 'List the models to see what there is.');
  }

  #toModel({ name, created_at: createdAt, current }: ModelRow): ModelRecord {
    const numbers = this.db
      .query<{ number: number }, [string]>('SELECT number FROM versions WHERE model = ? ORDER BY number')
      .all(name);
    return { name, createdAt, versions: numbers.map(({ number }) => number), current };
  }

  listVersions(name: string): VersionRecord[] {
    return this.getModel(name).versions.map((version) => this.getVersion(name, version));
  }

  getVersion(name: string, version: number): VersionRecord {
    const row = this.db
      .query<VersionRow, [string, number]>('SELECT * FROM versions WHERE model = ? AND number = ?')
      .get(name, version);
    if (row) return this.#toVersion(row);
    const { versions } = this.getModel(name);
    throw new AppError(
      'not_found',
      `The model '${name}' has no version ${version}.`,
      versions.length > 0 ? `It has: ${versions.slice(-20).join(', ')}.` : 'It has no versions.',
    );
  }

  #toVersion(row: VersionRow): VersionRecord {
    const files = this.db
      .query<FileEntry, [string, number]>(
        'SELECT path, sha256, bytes FROM files JOIN blobs USING (sha256) WHERE model = ? AND version = ? ORDER BY path',
      )
      .all(row.model, row.number);
    return {
      model: row.model,
      version: row.number,
      manifest: JSON.parse(row.manifest) as Manifest,
      signature: JSON.parse(row.signature) as Signature,
      facts: JSON.parse(row.facts) as ModelFacts,
      warnings: JSON.parse(row.warnings) as string[],
      files: files.map(({ path, sha256, bytes }) => ({ path, sha256, bytes })),
      entry: row.entry,
      bytes: row.bytes,
      createdAt: row.created_at,
    };
  }

  listLoaded(): { name: string; version: number }[] {
    return this.db
      .query<{ name: string; version: number }, []>(
        'SELECT model AS name, number AS version FROM versions WHERE loaded = 1 ORDER BY model, number',
      )
      .all();
  }

  setLoaded(name: string, version: number, loaded: boolean): void {
    this.getVersion(name, version);
    this.db.run('UPDATE versions SET loaded = ? WHERE model = ? AND number = ?', [loaded ? 1 : 0, name, version]);
  }

  setCurrent(name: string, version: number | null): void {
    if (version === null) this.getModel(name);
    else this.getVersion(name, version);
    this.db.run('UPDATE models SET current = ? WHERE name = ?', [version, name]);
  }

  /** Adds all of them or none. @returns their numbers, in order */
  insert(versions: readonly ReadyVersion[]): number[] {
    return this.db.transaction(() => versions.map((version) => this.#insertOne(version))).immediate();
  }

  #insertOne({ model, manifest, inspection, warnings, entry, files }: ReadyVersion): number {
    const now = new Date().toISOString();
    this.db.run('INSERT INTO models (name, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING', [model, now]);
    const { number } = this.db
      .query<{ number: number }, [string]>(
        'UPDATE models SET next_version = next_version + 1 WHERE name = ? RETURNING next_version - 1 AS number',
      )
      .get(model)!;
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const json = [manifest, inspection.signature, inspection.facts, warnings].map((part) => JSON.stringify(part));
    this.db.run(
      `INSERT INTO versions (model, number, manifest, signature, facts, warnings, entry, bytes, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [model, number, ...json, entry, bytes, now],
    );
    for (const file of files) {
      this.db.run('INSERT INTO blobs (sha256, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING', [file.sha256, file.bytes]);
      this.db.run('INSERT INTO files (model, version, path, sha256) VALUES (?, ?, ?, ?)', [
        model,
        number,
        file.path,
        file.sha256,
      ]);
    }
    return number;
  }

  /** @returns hashes of its files, which other versions may use too. @throws AppError conflict when it is loaded */
  removeVersion(name: string, version: number): string[] {
    const { files } = this.getVersion(name, version);
    this.#requireUnloaded(name, [version]);
    this.db.transaction(() => {
      this.db.run('DELETE FROM versions WHERE model = ? AND number = ?', [name, version]);
      this.db.run('UPDATE models SET current = NULL WHERE name = ? AND current = ?', [name, version]);
    })();
    return files.map(({ sha256 }) => sha256);
  }

  /** @returns hashes of its files, which other models may use too. @throws AppError conflict when a version is loaded */
  removeModel(name: string): string[] {
    const versions = this.listVersions(name);
    this.#requireUnloaded(
      name,
      versions.map(({ version }) => version),
    );
    this.db.run('DELETE FROM models WHERE name = ?', [name]);
    return versions.flatMap(({ files }) => files.map(({ sha256 }) => sha256));
  }

  #requireUnloaded(name: string, versions: number[]): void {
    const loaded = this.listLoaded().find((one) => one.name === name && versions.includes(one.version));
    if (!loaded) return;
    throw new AppError(
      'conflict',
      `Version ${loaded.version} of '${name}' is loaded.`,
      'Unload it first, then remove it.',
    );
  }
}
