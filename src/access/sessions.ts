// Signed-in browsers. A session is kept by the hash of its token, which changes every hour; the one before is good until
// the new one has arrived, and for a moment after, so that parallel requests survive. Knows nothing of cookies.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import type { UserActor } from './actor.ts';
import type { UserRole } from './roles.ts';
import { hashSecret, makeToken } from './secrets.ts';

const minute = 60_000;

export interface SessionLimits {
  idleMs: number;
  /** From sign-in on, however much it is used. */
  absoluteMs: number;
}

export const sessionLimits: SessionLimits = { idleMs: 12 * 60 * minute, absoluteMs: 7 * 24 * 60 * minute };

const rotateEveryMs = 60 * minute;
const overlapMs = 30_000;
const seenEveryMs = minute;
/** The one that was not used for longest makes room. */
const mostOfOneUser = 32;

export type SignInWay = 'password' | 'oidc' | 'setup' | 'reset';

export interface Visitor {
  address: string;
  /** The browser's name of itself; cut to a sensible length. */
  agent: string;
  way: SignInWay;
}

export interface SessionRecord extends Visitor {
  id: string;
  user: string;
  createdMs: number;
  /** To the minute. */
  seenMs: number;
}

export interface FoundSession {
  session: SessionRecord;
  actor: UserActor;
  mustChangePassword: boolean;
  /** Opened over TLS: its token never was on the network in the clear. */
  isSecure: boolean;
  /** A new token, which replaces the one that was shown. */
  renewed?: string;
}

interface FoundRow extends SessionRecord {
  isCurrent: 0 | 1;
  isConfirmed: 0 | 1;
  rotatedMs: number;
  name: string;
  role: UserRole;
  mustChangePassword: 0 | 1;
  isSecure: 0 | 1;
}

const columns = `sessions.id, sessions.user, sessions.created_ms AS createdMs, seen_ms AS seenMs, address, agent, way`;

export class Sessions {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
    private readonly limits: SessionLimits = sessionLimits,
  ) {}

  /** @throws when there is no such user */
  create(
    user: string,
    { address, agent, way, isSecure = false }: Visitor & { isSecure?: boolean },
  ): { token: string; session: SessionRecord } {
    const token = makeToken();
    const now = this.now();
    const session = { id: crypto.randomUUID(), user, createdMs: now, seenMs: now, address, agent: clean(agent), way };
    this.db.transaction(() => {
      this.#removeExpired();
      this.db.run(
        `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user = ? ORDER BY seen_ms DESC LIMIT -1 OFFSET ?)`,
        [user, mostOfOneUser - 1],
      );
      this.db.run(
        `INSERT INTO sessions (id, user, token_hash, rotated_ms, created_ms, seen_ms, address, agent, way, is_secure)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [session.id, user, hashSecret(token), now, now, now, address, session.agent, way, isSecure ? 1 : 0],
      );
    })();
    return { token, session };
  }

  /** @returns undefined when the token is unknown, replaced or expired, or its user disabled */
  find(token: string): FoundSession | undefined {
    const hash = hashSecret(token);
    const row = this.db
      .query<FoundRow, { hash: string; idleSince: number; absoluteSince: number }>(
        `SELECT ${columns}, token_hash = $hash AS isCurrent, is_confirmed AS isConfirmed, rotated_ms AS rotatedMs,
           users.name, users.role, users.must_change_password AS mustChangePassword,
           is_secure AS isSecure
         FROM sessions JOIN users ON users.id = sessions.user
         WHERE (token_hash = $hash OR previous_hash = $hash) AND is_disabled = 0
           AND seen_ms > $idleSince AND sessions.created_ms > $absoluteSince`,
      )
      .get({ hash, ...this.#horizon() });
    if (!row) return undefined;
    const isFresh = this.now() < row.rotatedMs + overlapMs;
    if (!row.isCurrent && row.isConfirmed && !isFresh) return undefined;
    const renewed = this.#renew(row, hash, isFresh);
    this.#touch(row, renewed !== undefined);
    const { isCurrent: _, isConfirmed: __, rotatedMs: ___, name, role, mustChangePassword, isSecure, ...session } = row;
    return {
      session,
      actor: { kind: 'user', id: row.user, name, role },
      mustChangePassword: mustChangePassword === 1,
      isSecure: isSecure === 1,
      renewed,
    };
  }

  /** A new token when the hour is over, or when the last one seems not to have arrived. */
  #renew(row: FoundRow, hash: string, isFresh: boolean): string | undefined {
    const isDue = row.isCurrent ? this.now() >= row.rotatedMs + rotateEveryMs : !isFresh;
    return isDue ? this.#replaceToken(row.id, hash, false) : undefined;
  }

  #replaceToken(id: string, previousHash: string, isConfirmed: boolean): string {
    const token = makeToken();
    this.db.run(
      'UPDATE sessions SET token_hash = ?, previous_hash = ?, rotated_ms = ?, is_confirmed = ? WHERE id = ?',
      [hashSecret(token), previousHash, this.now(), isConfirmed ? 1 : 0, id],
    );
    return token;
  }

  #touch({ id, seenMs, isCurrent, isConfirmed }: FoundRow, isRenewed: boolean): void {
    if (isCurrent && !isConfirmed && !isRenewed) this.db.run('UPDATE sessions SET is_confirmed = 1 WHERE id = ?', [id]);
    if (this.now() < seenMs + seenEveryMs) return;
    this.db.run('UPDATE sessions SET seen_ms = ? WHERE id = ?', [this.now(), id]);
  }

  /**
   * Replaces the token at once, for after a change of what the session may do; the old one is good for 30 s more.
   * @throws AppError not_found
   */
  rotate(id: string): string {
    const row = this.db
      .query<{ hash: string }, [string]>('SELECT token_hash AS hash FROM sessions WHERE id = ?')
      .get(id);
    if (!row) throw noSession();
    return this.#replaceToken(id, row.hash, true);
  }

  /** Has each of the user's sessions get a new token at its next request. */
  rotateSoon(user: string): void {
    this.db.run('UPDATE sessions SET rotated_ms = 0 WHERE user = ?', [user]);
  }

  /** Latest use first. @param user of one user alone */
  list(user?: string): SessionRecord[] {
    return this.db
      .query<SessionRecord, { user: string | null; idleSince: number; absoluteSince: number }>(
        `SELECT ${columns} FROM sessions WHERE ($user IS NULL OR user = $user)
           AND seen_ms > $idleSince AND created_ms > $absoluteSince ORDER BY seen_ms DESC, id`,
      )
      .all({ user: user ?? null, ...this.#horizon() });
  }

  /** @param user whose it must be, if not anybody's. @throws AppError not_found */
  revoke(id: string, user?: string): void {
    const { changes } = this.db
      .query('DELETE FROM sessions WHERE id = ?1 AND user = coalesce(?2, user)')
      .run(id, user ?? null);
    if (changes === 0) throw noSession();
  }

  /** @param keep id of the session that stays. @returns how many ended */
  revokeAll(user: string, keep?: string): number {
    return this.db.query('DELETE FROM sessions WHERE user = ?1 AND id IS NOT ?2').run(user, keep ?? null).changes;
  }

  #removeExpired(): void {
    const { idleSince, absoluteSince } = this.#horizon();
    this.db.run('DELETE FROM sessions WHERE seen_ms <= ? OR created_ms <= ?', [idleSince, absoluteSince]);
  }

  #horizon() {
    const now = this.now();
    return { idleSince: now - this.limits.idleMs, absoluteSince: now - this.limits.absoluteMs };
  }
}

function noSession(): AppError {
  return new AppError('not_found', 'There is no such session.', 'It has ended; list the sessions to see the others.');
}

/** Control characters would disturb a terminal that lists sessions. */
const clean = (agent: string) => agent.slice(0, 200).replaceAll(/\p{C}/gu, ' ');
