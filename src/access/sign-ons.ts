// The log of who signed in or tried to: from where, when, how, with what result. Limited in number.
import type { Database } from 'bun:sqlite';

import type { SignInWay } from './sessions.ts';

export type SignOnResult =
  | 'ok'
  /** Wrong name or password, or a provider's answer that does not hold. */
  | 'refused'
  | 'disabled'
  /** Has to wait after failures. */
  | 'locked'
  /** Known to the provider, but in no group that has a role. */
  | 'no-role';

export interface SignOn {
  name: string;
  address: string;
  way: SignInWay;
  result: SignOnResult;
}

export interface SignOnRow extends SignOn {
  id: number;
  /** Of the last one, where several are one row. */
  atMs: number;
  attempts: number;
}

const mostRows = 10_000;
/** Somebody who is locked out may go on trying as fast as the network allows. */
const mergeMs = 60_000;

export class SignOns {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
    private readonly limit: number = mostRows,
  ) {}

  record({ name, address, way, result }: SignOn): void {
    const now = this.now();
    if (result === 'locked') {
      const { changes } = this.db
        .query(
          `UPDATE sign_ons SET attempts = attempts + 1, at_ms = ?1 WHERE id = (
             SELECT id FROM sign_ons WHERE id > (SELECT max(id) FROM sign_ons) - 100
             AND result = 'locked' AND address = ?2 AND at_ms > ?3 ORDER BY id DESC LIMIT 1)`,
        )
        .run(now, address, now - mergeMs);
      if (changes > 0) return;
    }
    const { id } = this.db
      .query<{ id: number }, [number, string, string, string, string]>(
        'INSERT INTO sign_ons (at_ms, name, address, way, result) VALUES (?, ?, ?, ?, ?) RETURNING id',
      )
      .get(now, name.slice(0, 64).replaceAll(/\p{C}/gu, ' '), address, way, result)!;
    this.db.run('DELETE FROM sign_ons WHERE id <= ?', [id - this.limit]);
  }

  /**
   * Newest first.
   * @param filter.before id of the last row of the page before
   */
  list(filter: { name?: string; before?: number; limit?: number } = {}): SignOnRow[] {
    const { name = null, before = null, limit = 100 } = filter;
    return this.db
      .query<SignOnRow, { name: string | null; before: number | null; limit: number }>(
        `SELECT id, at_ms AS atMs, name, address, way, result, attempts FROM sign_ons
         WHERE ($name IS NULL OR name = $name) AND ($before IS NULL OR id < $before) ORDER BY id DESC LIMIT $limit`,
      )
      .all({ name, before, limit });
  }
}
