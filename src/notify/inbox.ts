// What each user was told of, and what of it they have read.
import type { Database } from 'bun:sqlite';

import type { NotifyEvent, Words } from './event.ts';

/** An event as somebody finds it in the inbox. */
export interface InboxEntry extends Omit<NotifyEvent, 'data' | 'recipients'> {
  /** Rises with time. */
  id: number;
  atMs: number;
  isRead: boolean;
}

interface Row extends Omit<InboxEntry, 'title' | 'text' | 'isRead'> {
  title: string;
  text: string;
  isRead: 0 | 1;
}

const mostOfOnePage = 200;

const columns = 'id, at_ms AS atMs, kind, title, text, path, read_ms IS NOT NULL AS isRead';

export class Inbox {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
  ) {}

  /** Newest first. @param page.before id of the last entry of the page before @param page.limit 1 to 200 */
  list(user: string, page: { before?: number; limit?: number; isUnread?: boolean } = {}): InboxEntry[] {
    const { before = Number.MAX_SAFE_INTEGER, limit = 50, isUnread = false } = page;
    return this.db
      .query<Row, [string, number, number]>(
        `SELECT ${columns} FROM inbox JOIN events ON id = event WHERE user = ? AND event < ?
         ${isUnread ? 'AND read_ms IS NULL' : ''} ORDER BY event DESC LIMIT ?`,
      )
      .all(user, before, Math.min(mostOfOnePage, Math.max(1, limit)))
      .map(entryOf);
  }

  /** What is not read comes first, then the newest. */
  listUnreadFirst(user: string, { offset, limit }: { offset: number; limit: number }): InboxEntry[] {
    return this.db
      .query<Row, [string, number, number]>(
        `SELECT ${columns} FROM inbox JOIN events ON id = event WHERE user = ?
         ORDER BY read_ms IS NOT NULL, event DESC LIMIT ? OFFSET ?`,
      )
      .all(user, limit, offset)
      .map(entryOf);
  }

  find(user: string, id: number): InboxEntry | undefined {
    const row = this.db
      .query<Row, [string, number]>(
        `SELECT ${columns} FROM inbox JOIN events ON id = event WHERE user = ? AND event = ?`,
      )
      .get(user, id);
    return row ? entryOf(row) : undefined;
  }

  count(user: string): number {
    return this.db.query<{ count: number }, [string]>('SELECT count(*) AS count FROM inbox WHERE user = ?').get(user)!
      .count;
  }

  countUnread(user: string): number {
    const query = this.db.query<{ count: number }, [string]>(
      'SELECT count(*) AS count FROM inbox WHERE user = ? AND read_ms IS NULL',
    );
    return query.get(user)!.count;
  }

  markRead(user: string, ids: readonly number[] | 'all'): void {
    const which = ids === 'all' ? '' : 'AND event IN (SELECT value FROM json_each(?3))';
    this.db
      .query(`UPDATE inbox SET read_ms = ?1 WHERE user = ?2 AND read_ms IS NULL ${which}`)
      .run(this.now(), user, ...(ids === 'all' ? [] : [JSON.stringify(ids)]));
  }
}

function entryOf({ title, text, isRead, ...row }: Row): InboxEntry {
  return { ...row, title: JSON.parse(title) as Words, text: JSON.parse(text) as Words, isRead: isRead === 1 };
}
