// Events and their deliveries as rows: what is posted is written in one transaction and stays until it was delivered or
// given up. Delivers nothing.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import type { NotifyEvent, testKind, Words } from './event.ts';

export type DeliveryState = 'pending' | 'delivered' | 'failed';

/** What came of one attempt. */
export interface Outcome {
  isDelivered: boolean;
  /** Nothing would change at another attempt. */
  isFinal?: boolean;
  /** Of HTTP or SMTP. */
  status?: number;
  /** What was answered, or why nothing was. */
  answer: string;
}

export interface StoredEvent extends Omit<NotifyEvent, 'kind' | 'recipients'> {
  id: number;
  atMs: number;
  kind: NotifyEvent['kind'] | typeof testKind;
}

export type Receiver = { webhook: string } | { user: string };

/** A delivery that is to be tried. */
export interface DueDelivery {
  seq: number;
  /** What receivers know it by. */
  id: string;
  event: number;
  /** One of the two. */
  webhook: string | null;
  user: string | null;
  receiver: string;
  queuedMs: number;
  failures: number;
}

export interface DeliveryRecord extends Omit<DueDelivery, 'receiver'> {
  kind: StoredEvent['kind'];
  title: Words;
  /** Name of the webhook, or of the user. */
  receiverName: string;
  state: DeliveryState;
  attempts: number;
  /** When it is tried next, while it is pending. */
  dueMs: number;
  triedMs: number | null;
  status: number | null;
  answer: string | null;
}

export interface DeliveryFilter {
  webhook?: string;
  state?: DeliveryState;
}

const longestAnswer = 500;
const mostOfOnePage = 200;
const keepDeliveriesMs = 30 * 86_400_000;
const keepEventsMs = 180 * 86_400_000;

const dueColumns = 'seq, id, event, webhook, user, receiver, queued_ms AS queuedMs, failures';

type EventRow = Record<'title' | 'text' | 'data', string> & Pick<StoredEvent, 'id' | 'atMs' | 'kind' | 'path'>;

export class Outbox {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
  ) {}

  /**
   * Part of the surrounding transaction, if there is one.
   * @param inboxes ids of users
   */
  add(event: Omit<StoredEvent, 'id' | 'atMs'>, inboxes: readonly string[], receivers: readonly Receiver[]): void {
    this.db.transaction(() => {
      const id = this.#insert(event);
      for (const user of inboxes) this.db.run('INSERT INTO inbox (user, event) VALUES (?, ?)', [user, id]);
      for (const receiver of receivers) this.#enqueue(id, receiver, 'pending');
    })();
  }

  /** Out of line: whoever asked for it tries it at once. @returns id of the delivery */
  addOnce(event: Omit<StoredEvent, 'id' | 'atMs'>, receiver: Receiver): string {
    return this.db.transaction(() => this.#enqueue(this.#insert(event), receiver, 'failed'))();
  }

  #insert({ kind, title, text, path, data }: Omit<StoredEvent, 'id' | 'atMs'>): number {
    const query = this.db.query<{ id: number }, [number, string, string, string, string, string]>(
      'INSERT INTO events (at_ms, kind, title, text, path, data) VALUES (?, ?, ?, ?, ?, ?) RETURNING id',
    );
    return query.get(this.now(), kind, JSON.stringify(title), JSON.stringify(text), path, JSON.stringify(data))!.id;
  }

  #enqueue(event: number, receiver: Receiver, state: DeliveryState): string {
    const id = `msg_${crypto.randomUUID().replaceAll('-', '')}`;
    const webhook = 'webhook' in receiver ? receiver.webhook : null;
    const user = 'user' in receiver ? receiver.user : null;
    this.db.run(
      'INSERT INTO deliveries (id, event, webhook, user, state, queued_ms, due_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
      [id, event, webhook, user, state, this.now(), this.now()],
    );
    return id;
  }

  /** The one that has waited longest. @param busy receivers that are not to get another one now */
  findDue(busy: readonly string[]): DueDelivery | undefined {
    const query = this.db.query<DueDelivery, [number, string]>(
      `SELECT ${dueColumns} FROM deliveries WHERE state = 'pending' AND due_ms <= ?
       AND receiver NOT IN (SELECT value FROM json_each(?)) ORDER BY due_ms, seq LIMIT 1`,
    );
    return query.get(this.now(), JSON.stringify(busy)) ?? undefined;
  }

  /** When the next one is due, perhaps in the past. */
  nextDueMs(busy: readonly string[]): number | undefined {
    const query = this.db.query<{ dueMs: number | null }, [string]>(
      `SELECT min(due_ms) AS dueMs FROM deliveries WHERE state = 'pending'
       AND receiver NOT IN (SELECT value FROM json_each(?))`,
    );
    return query.get(JSON.stringify(busy))?.dueMs ?? undefined;
  }

  getDue(id: string): DueDelivery {
    const query = this.db.query<DueDelivery, [string]>(`SELECT ${dueColumns} FROM deliveries WHERE id = ?`);
    return query.get(id) ?? missing();
  }

  getEvent(id: number): StoredEvent {
    const row = this.db
      .query<EventRow, [number]>('SELECT id, at_ms AS atMs, kind, title, text, path, data FROM events WHERE id = ?')
      .get(id)!;
    return {
      ...row,
      title: JSON.parse(row.title) as Words,
      text: JSON.parse(row.text) as Words,
      data: JSON.parse(row.data) as StoredEvent['data'],
    };
  }

  /**
   * @param dueMs when it is tried again; absent for one that is over
   * @returns its state now; undefined when it was removed meanwhile
   */
  settle(seq: number, { isDelivered, status, answer }: Outcome, dueMs?: number): DeliveryState | undefined {
    const state = isDelivered ? 'delivered' : dueMs === undefined ? 'failed' : 'pending';
    const { changes } = this.db.run(
      `UPDATE deliveries SET state = ?, attempts = attempts + 1, failures = failures + ?, due_ms = coalesce(?, due_ms),
         tried_ms = ?, status = ?, answer = ? WHERE seq = ?`,
      [state, isDelivered ? 0 : 1, dueMs ?? null, this.now(), status ?? null, cleaned(answer), seq],
    );
    return changes === 0 ? undefined : state;
  }

  /** Puts one in line again, as if it were new. @throws AppError not_found, conflict for one that arrived */
  requeue(id: string): DeliveryRecord {
    return this.db.transaction(() => {
      if (this.get(id).state === 'delivered') throw new AppError('conflict', 'This was delivered already.');
      this.db.run("UPDATE deliveries SET state = 'pending', queued_ms = ?1, due_ms = ?1, failures = 0 WHERE id = ?2", [
        this.now(),
        id,
      ]);
      return this.get(id);
    })();
  }

  /** Takes out of line what waits for a webhook. */
  cancel(webhook: string, why: string): void {
    this.db.run("UPDATE deliveries SET state = 'failed', answer = ? WHERE webhook = ? AND state = 'pending'", [
      why,
      webhook,
    ]);
  }

  /**
   * Newest first.
   * @param page.before seq of the last one of the page before @param page.limit 1 to 200
   */
  search(filter: DeliveryFilter = {}, page: { before?: number; limit?: number } = {}): DeliveryRecord[] {
    const { before = Number.MAX_SAFE_INTEGER, limit = 50 } = page;
    return this.#select(
      'deliveries.seq < $before AND ($webhook IS NULL OR webhook = $webhook) AND ($state IS NULL OR state = $state)',
      {
        before,
        webhook: filter.webhook ?? null,
        state: filter.state ?? null,
        limit: Math.min(mostOfOnePage, Math.max(1, limit)),
      },
    );
  }

  /** @throws AppError not_found */
  get(id: string): DeliveryRecord {
    return this.#select('deliveries.id = $id', { id, limit: 1 })[0] ?? missing();
  }

  /** The last one to each webhook that got any. */
  lastOfWebhooks(): Map<string, DeliveryRecord> {
    const latest =
      'deliveries.seq IN (SELECT max(seq) FROM deliveries WHERE webhook IS NOT NULL AND tried_ms IS NOT NULL GROUP BY webhook)';
    return new Map(this.#select(latest, { limit: -1 }).map((delivery) => [delivery.webhook!, delivery]));
  }

  #select(where: string, values: Record<string, string | number | null>): DeliveryRecord[] {
    return this.db
      .query<Omit<DeliveryRecord, 'title'> & { title: string }, Record<string, string | number | null>>(
        `SELECT deliveries.seq, deliveries.id, event, webhook, user, queued_ms AS queuedMs, failures, kind, title, state,
           attempts, due_ms AS dueMs, tried_ms AS triedMs, status, answer,
           coalesce(webhooks.name, users.name) AS receiverName
         FROM deliveries JOIN events ON events.id = event LEFT JOIN webhooks ON webhooks.id = webhook
         LEFT JOIN users ON users.id = user WHERE ${where} ORDER BY deliveries.seq DESC LIMIT $limit`,
      )
      .all(values)
      .map((row) => ({ ...row, title: JSON.parse(row.title) as Words }));
  }

  countPending(): { webhook: number; mail: number } {
    const query = this.db.query<{ webhook: number; mail: number }, []>(
      "SELECT count(webhook) AS webhook, count(user) AS mail FROM deliveries WHERE state = 'pending'",
    );
    return query.get()!;
  }

  /** Removes what is too old to be of use. */
  prune(): void {
    this.db.run("DELETE FROM deliveries WHERE state <> 'pending' AND queued_ms < ?", [this.now() - keepDeliveriesMs]);
    this.db.run('DELETE FROM events WHERE at_ms < ?', [this.now() - keepEventsMs]);
  }
}

function missing(): never {
  throw new AppError('not_found', 'There is no such delivery.', 'Old ones are removed after 30 days.');
}

/** One line without control characters: it is shown, and comes from anywhere. */
function cleaned(answer: string): string {
  return answer
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, longestAnswer);
}
