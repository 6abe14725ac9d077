// The audit trail: who did what, when, from where, with what result. Rows are only added, and each is chained to the one
// before by its hash, so that a change, a gap or a cut end is found.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import { type AuditEntry, type AuditEvent, canonicalJson, chainHash, makeEntry } from './audit-entry.ts';

export interface AuditFilter {
  /** Exact name of who did it. */
  actor?: string;
  action?: string;
  target?: string;
  fromMs?: number;
  /** Not included. */
  untilMs?: number;
}

export type Verification =
  | { ok: true; count: number; head: string }
  /** @property seq of the first row that does not hold */
  | { ok: false; seq: number; why: 'changed' | 'missing' | 'cut' | 'added' };

interface Row {
  seq: number;
  entry: string;
  hash: string;
}

interface Head {
  count: number;
  hash: string;
}

const mostOfOnePage = 1000;
const hourMs = 3_600_000;
/** Refusals of one actor that are told in an hour. All guests are one. */
const mostRefusals = { known: 30, guest: 5 };

export class Audit {
  /** Of each actor: what it was refused in this hour. */
  readonly #refusals = new Map<string, { untilMs: number; told: Set<string> }>();

  constructor(
    private readonly db: Database,
    private readonly now: () => number,
  ) {}

  /** Part of the surrounding transaction, if there is one: what is rolled back was not done. */
  record(event: AuditEvent): AuditEntry {
    return this.db.transaction(() => {
      const head = this.#head();
      const entry = makeEntry(event, head.count + 1, this.now());
      const text = canonicalJson(entry);
      const hash = chainHash(head.hash, text);
      this.db.run('INSERT INTO audit (seq, entry, hash) VALUES (?, ?, ?)', [entry.seq, text, hash]);
      this.db.run('UPDATE audit_head SET count = ?, hash = ?', [entry.seq, hash]);
      return entry;
    })();
  }

  /** As `record`, for what may be repeated without end: the same is told once an hour, and not much of each actor. */
  recordRefusal(event: AuditEvent): void {
    const now = this.now();
    const { actor } = event;
    const who = 'id' in actor ? `${actor.kind}:${actor.id}` : actor.kind;
    for (const [key, { untilMs }] of this.#refusals) if (untilMs <= now) this.#refusals.delete(key);
    const { told } = this.#refusals.getOrInsertComputed(who, () => ({
      untilMs: now + hourMs,
      told: new Set<string>(),
    }));
    const what = `${event.action}\n${event.target}`;
    if (told.has(what) || told.size >= mostRefusals[actor.kind === 'guest' ? 'guest' : 'known']) return;
    told.add(what);
    this.record(event);
  }

  /**
   * Newest first.
   * @param page.before seq of the last entry of the page before
   * @param page.limit 1 to 1000
   */
  search(filter: AuditFilter = {}, page: { before?: number; limit?: number } = {}): AuditEntry[] {
    const { before = Number.MAX_SAFE_INTEGER, limit = 100 } = page;
    return this.#select(filter, 'seq < $edge', 'DESC', before, limit).map(({ entry }) => entryOf(entry));
  }

  /** JSON lines without line breaks, oldest first: each entry with its `hash`, so that others can follow the chain. */
  *export(filter: AuditFilter = {}): Generator<string, void, void> {
    let edge = 0;
    while (true) {
      const rows = this.#select(filter, 'seq > $edge', 'ASC', edge, mostOfOnePage);
      for (const { entry, hash } of rows) yield JSON.stringify({ ...entryOf(entry), hash });
      if (rows.length < mostOfOnePage) return;
      edge = rows.at(-1)!.seq;
    }
  }

  /** Reads the whole trail, a thousand rows at a time, and lets others run in between. */
  async verify(): Promise<Verification> {
    let previous: Head = { count: 0, hash: '' };
    while (true) {
      const rows = this.#select({}, 'seq > $edge', 'ASC', previous.count, mostOfOnePage);
      // In one go with the last rows, so that none can have been added in between.
      if (rows.length === 0) return compareEnd(previous, this.#head());
      for (const row of rows) {
        if (row.seq !== previous.count + 1) return { ok: false, seq: previous.count + 1, why: 'missing' };
        const hash = chainHash(previous.hash, row.entry);
        if (hash !== row.hash || seqOf(row.entry) !== row.seq) return { ok: false, seq: row.seq, why: 'changed' };
        previous = { count: row.seq, hash };
      }
      await Bun.sleep(0);
    }
  }

  #head(): Head {
    const head = this.db.query<Head, []>('SELECT count, hash FROM audit_head').get();
    if (head) return head;
    throw new AppError('internal', 'The head of the audit trail is missing from the database.');
  }

  #select(filter: AuditFilter, edgeRule: string, order: 'ASC' | 'DESC', edge: number, limit: number): Row[] {
    const rules = Object.entries(filterRules).filter(([name]) => filter[name as keyof AuditFilter] !== undefined);
    const values = Object.fromEntries(rules.map(([name]) => [name, filter[name as keyof AuditFilter]!]));
    const where = [edgeRule, ...rules.map(([, rule]) => rule)].join(' AND ');
    return this.db
      .query<Row, Record<string, string | number>>(
        `SELECT seq, entry, hash FROM audit WHERE ${where} ORDER BY seq ${order} LIMIT $limit`,
      )
      .all({ ...values, edge, limit: Math.min(Math.max(1, limit), mostOfOnePage) });
  }
}

const filterRules: Record<keyof AuditFilter, string> = {
  actor: 'actor = $actor',
  action: 'action = $action',
  target: 'target = $target',
  fromMs: 'at_ms >= $fromMs',
  untilMs: 'at_ms < $untilMs',
};

const entryOf = (text: string) => JSON.parse(text) as AuditEntry;

/** @returns undefined for a text that was changed into no JSON at all */
function seqOf(text: string): number | undefined {
  try {
    return entryOf(text).seq;
  } catch {
    return undefined;
  }
}

function compareEnd(last: Head, head: Head): Verification {
  if (last.count < head.count) return { ok: false, seq: last.count + 1, why: 'cut' };
  if (last.count > head.count) return { ok: false, seq: head.count + 1, why: 'added' };
  return last.hash === head.hash
    ? { ok: true, count: last.count, head: last.hash }
    : { ok: false, seq: last.count, why: 'changed' };
}
