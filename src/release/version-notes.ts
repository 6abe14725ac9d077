// What people say of versions beside their manifests, and which old versions go: tags, notes, archive, retention.
import type { Database } from 'bun:sqlite';

import { Field } from '../registry/fields.ts';
import type { Retention, VersionNote } from './control.ts';

const keepAll: Retention = { keepLast: null, keepReleased: true };
const mostTags = 20;

interface NoteRow {
  tags: string;
  note: string;
  archived_ms: number | null;
}

export class VersionNotes {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
  ) {}

  get(model: string, version: number): VersionNote {
    const query = 'SELECT tags, note, archived_ms FROM version_notes WHERE model = ? AND version = ?';
    const row = this.db.query<NoteRow, [string, number]>(query).get(model, version);
    if (!row) return { tags: [], note: '' };
    const { tags, note, archived_ms: archivedMs } = row;
    return { tags: JSON.parse(tags) as string[], note, ...(archivedMs !== null && { archivedMs }) };
  }

  /** The version must exist. @throws AppError invalid */
  set(model: string, version: number, patch: unknown, by: string): VersionNote {
    const before = this.get(model, version);
    const { tags, note, archived } = new Field(patch, 'note', true).object(['tags', 'note', 'archived']);
    const isArchived = archived.or(before.archivedMs !== undefined, (field) => field.flag());
    const after: VersionNote = {
      tags: tags.or(before.tags, (field) => [...new Set(field.list(mostTags, readTag))]),
      note: note.or(before.note, (field) => field.text(10_000)),
      ...(isArchived && { archivedMs: before.archivedMs ?? this.now() }),
    };
    this.db.run('INSERT OR REPLACE INTO version_notes VALUES (?, ?, ?, ?, ?, ?, ?)', [
      model,
      version,
      JSON.stringify(after.tags),
      after.note,
      after.archivedMs ?? null,
      this.now(),
      by,
    ]);
    return after;
  }

  retention(model: string): Retention {
    const query = 'SELECT settings FROM retention WHERE model = ?';
    const row = this.db.query<{ settings: string }, [string]>(query).get(model);
    return row ? { ...keepAll, ...(JSON.parse(row.settings) as Retention) } : keepAll;
  }

  /** The model must exist. @throws AppError invalid */
  setRetention(model: string, patch: unknown, by: string): Retention {
    const before = this.retention(model);
    const { keepLast, keepReleased } = new Field(patch, 'retention', true).object(['keepLast', 'keepReleased']);
    const after: Retention = {
      keepLast: keepLast.or(before.keepLast, (field) => (field.value === null ? null : field.integer(1, 100_000))),
      keepReleased: keepReleased.or(before.keepReleased, (field) => field.flag()),
    };
    const row = [model, JSON.stringify(after), this.now(), by];
    this.db.run('INSERT OR REPLACE INTO retention VALUES (?, ?, ?, ?)', row);
    return after;
  }
}

function readTag(field: Field): string {
  const tag = field.text(60).trim();
  if (tag === '' || /[,\p{Cc}\p{Zl}\p{Zp}]/u.test(tag)) field.fail('must be a word or a few, without commas');
  return tag;
}

/**
 * Versions that go, oldest first.
 * @param isNeeded a version that is loaded, current or part of a release that may still serve
 */
export function pickRemovable(
  versions: readonly number[],
  { keepLast, keepReleased }: Retention,
  { isNeeded, wasLive }: { isNeeded(version: number): boolean; wasLive(version: number): boolean },
): number[] {
  if (keepLast === null) return [];
  const old = versions.toSorted((a, b) => a - b).slice(0, -keepLast);
  return old.filter((version) => !isNeeded(version) && !(keepReleased && wasLive(version)));
}
