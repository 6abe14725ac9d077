// API keys of applications: made, changed, rotated, revoked. The text of a key is shown once and kept as a hash. Who may
// do this to whose key is for the caller to check; requests with a key are the gate's.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import type { KeyGate } from './key-gate.ts';
import { checkKeySettings, type KeySettings } from './key-scope.ts';
import { hashSecret, makeLetters } from './secrets.ts';
import type { Users } from './users.ts';

export interface KeyRecord extends KeySettings {
  id: string;
  /** What the key begins with, to be recognised by: "am_<id>". */
  prefix: string;
  /** Id of a user. */
  owner: string;
  ownerName: string;
  createdMs: number;
  createdBy: string;
  lastUsedMs: number | null;
  /** Requests of this day, in UTC. */
  usedToday: number;
  /** Until when the secret before the last rotation is good; null if it is not. */
  previousUntilMs: number | null;
  revokedMs: number | null;
  revokedBy: string | null;
}

interface KeyRow extends Omit<KeyRecord, 'scope' | 'prefix' | 'usedToday'> {
  scope: string;
  day: number;
  used: number;
}

const columns = `api_keys.id, api_keys.name, scope, expires_ms AS expiresMs, rate_per_second AS ratePerSecond, burst,
  daily_quota AS dailyQuota, owner, users.name AS ownerName, api_keys.created_ms AS createdMs,
  created_by AS createdBy, last_used_ms AS lastUsedMs, quota_day AS day, quota_used AS used,
  previous_until_ms AS previousUntilMs, revoked_ms AS revokedMs, revoked_by AS revokedBy
  FROM api_keys JOIN users ON users.id = owner`;

const dayMs = 86_400_000;
const mostOfOneOwner = 100;
export const longestOverlapMs = 30 * dayMs;

export class Keys {
  constructor(
    private readonly db: Database,
    private readonly users: Users,
    private readonly gate: KeyGate,
    private readonly now: () => number,
  ) {}

  /** Newest first. @param owner id of a user; everybody's without it */
  list(owner?: string): KeyRecord[] {
    this.gate.flush();
    return this.db
      .query<KeyRow, { owner: string | null }>(
        `SELECT ${columns} WHERE ($owner IS NULL OR owner = $owner) ORDER BY api_keys.created_ms DESC, api_keys.id`,
      )
      .all({ owner: owner ?? null })
      .map((row) => this.#recordOf(row));
  }

  /** @throws AppError not_found */
  get(id: string): KeyRecord {
    this.gate.flush();
    const row = this.db.query<KeyRow, [string]>(`SELECT ${columns} WHERE api_keys.id = ?`).get(id);
    if (row) return this.#recordOf(row);
    throw new AppError('not_found', 'There is no such API key.', 'List the keys to see what there is.');
  }

  /**
   * @param owner id of the user who answers for it
   * @param by name of who makes it
   * @returns `text`: the key itself, never to be seen again
   * @throws AppError invalid, forbidden for a scope beyond the owner's role, conflict when the owner has too many
   */
  create(settings: KeySettings, owner: string, by: string): { text: string; key: KeyRecord } {
    const checked = checkKeySettings(settings, this.users.get(owner).role, this.now());
    const id = makeLetters(12);
    const text = makeText(id);
    this.db
      .transaction(() => {
        this.#requireRoom(owner);
        this.db.run(
          `INSERT INTO api_keys (id, owner, secret_hash, created_ms, created_by, name, scope, expires_ms,
             rate_per_second, burst, daily_quota) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          [id, owner, hashSecret(text), this.now(), by, ...valuesOf(checked)],
        );
      })
      .immediate();
    return { text, key: this.get(id) };
  }

  /** @throws AppError as create, not_found, conflict when it is revoked */
  change(id: string, changes: Partial<KeySettings>): KeyRecord {
    const { name, scope, expiresMs, ratePerSecond, burst, dailyQuota, owner } = this.#getLive(id);
    const settings = { name, scope, expiresMs, ratePerSecond, burst, dailyQuota, ...changes };
    // One that has expired may be renamed without being brought back to life.
    const horizonMs = changes.expiresMs === undefined ? -Infinity : this.now();
    const checked = checkKeySettings(settings, this.users.get(owner).role, horizonMs);
    this.db.run(
      `UPDATE api_keys SET name = ?, scope = ?, expires_ms = ?, rate_per_second = ?, burst = ?, daily_quota = ?
       WHERE id = ?`,
      [...valuesOf(checked), id],
    );
    return this.#changed(id);
  }

  /** @param owner id of the new owner. @throws AppError as create, not_found, conflict when it is revoked */
  transfer(id: string, owner: string): KeyRecord {
    const { scope, name, ratePerSecond, burst, dailyQuota } = this.#getLive(id);
    const settings = { scope, name, expiresMs: null, ratePerSecond, burst, dailyQuota };
    checkKeySettings(settings, this.users.get(owner).role, this.now());
    this.db
      .transaction(() => {
        this.#requireRoom(owner);
        this.db.run('UPDATE api_keys SET owner = ? WHERE id = ?', [owner, id]);
      })
      .immediate();
    return this.#changed(id);
  }

  /**
   * Gives the key a new secret.
   * @param overlapMs how long the old one stays good; 0 ends it now, 30 days is the most
   * @returns `text`: the new key, never to be seen again
   * @throws AppError invalid, not_found, conflict when it is revoked
   */
  rotate(id: string, overlapMs: number): { text: string; key: KeyRecord } {
    if (!(overlapMs >= 0 && overlapMs <= longestOverlapMs)) {
      throw new AppError('invalid', 'The old key may stay valid for 0 to 30 days.');
    }
    this.#getLive(id);
    const text = makeText(id);
    this.db.run(
      'UPDATE api_keys SET previous_hash = secret_hash, previous_until_ms = ?, secret_hash = ? WHERE id = ?',
      [Math.round(this.now() + overlapMs), hashSecret(text), id],
    );
    return { text, key: this.#changed(id) };
  }

  /** At once, and for ever. @param by name of who does it. @throws AppError not_found, conflict when it is revoked */
  revoke(id: string, by: string): KeyRecord {
    this.#getLive(id);
    this.db.run('UPDATE api_keys SET revoked_ms = ?, revoked_by = ? WHERE id = ?', [this.now(), by, id]);
    return this.#changed(id);
  }

  #changed(id: string): KeyRecord {
    this.gate.forget();
    return this.get(id);
  }

  #getLive(id: string): KeyRecord {
    const key = this.get(id);
    if (key.revokedMs === null) return key;
    throw new AppError('conflict', `The API key '${key.name}' was revoked by ${key.revokedBy}.`, 'Make a new key.');
  }

  #requireRoom(owner: string): void {
    const { count } = this.db
      .query<{ count: number }, [string]>(
        'SELECT count(*) AS count FROM api_keys WHERE owner = ? AND revoked_ms IS NULL',
      )
      .get(owner)!;
    if (count < mostOfOneOwner) return;
    throw new AppError('conflict', `A user may have ${mostOfOneOwner} API keys.`, 'Revoke one that is not used.');
  }

  #recordOf({ scope, day, used, previousUntilMs, ...row }: KeyRow): KeyRecord {
    const now = this.now();
    return {
      ...row,
      prefix: `am_${row.id}`,
      scope: JSON.parse(scope) as KeySettings['scope'],
      usedToday: day === Math.floor(now / dayMs) ? used : 0,
      previousUntilMs: previousUntilMs !== null && previousUntilMs > now ? previousUntilMs : null,
    };
  }
}

const makeText = (id: string) => `am_${id}_${makeLetters(43)}`;

function valuesOf({ name, scope, expiresMs, ratePerSecond, burst, dailyQuota }: KeySettings) {
  return [name, JSON.stringify(scope), expiresMs, ratePerSecond, burst, dailyQuota];
}
