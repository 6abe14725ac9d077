// Lets requests with an API key in: who it is, in about a microsecond for a key that was seen before, and whether its
// rate and daily quota leave room. Keeps only valid keys in memory. Counts are saved by `flush`, not by each request.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import type { KeyActor } from './actor.ts';
import { type Rate, spend, waitMs } from './bucket.ts';
import { type KeyScope, narrowScope } from './key-scope.ts';
import type { UserRole } from './roles.ts';
import { hashSecret, isSameHash } from './secrets.ts';

export type Admission = { ok: true } | { ok: false; retryAfterS: number; why: 'rate' | 'quota' };

interface Meter {
  rate: Rate | null;
  dailyQuota: number | null;
  emptyMs: number;
  day: number;
  used: number;
  lastUsedMs: number;
  isDirty: boolean;
}

interface KnownKey {
  actor: KeyActor;
  untilMs: number;
  meter: Meter;
}

interface KeyRow {
  id: string;
  name: string;
  owner: string;
  scope: string;
  secretHash: string;
  previousHash: string | null;
  previousUntilMs: number | null;
  expiresMs: number | null;
  ratePerSecond: number | null;
  burst: number | null;
  dailyQuota: number | null;
  day: number;
  used: number;
  lastUsedMs: number | null;
  revokedMs: number | null;
  role: UserRole;
  isDisabled: 0 | 1;
}

const dayMs = 86_400_000;
const form = /^am_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})$/;
const admitted: Admission = { ok: true };

export class KeyGate {
  /** By the whole text of the key. At most two texts of one key are valid, so this cannot be made to grow. */
  readonly #known = new Map<string, KnownKey>();
  readonly #meters = new Map<string, Meter>();

  constructor(
    private readonly db: Database,
    private readonly now: () => number,
  ) {}

  /**
   * @param text the whole key, "am_…"
   * @returns the same object for the same key until something changes
   * @throws AppError unauthenticated for an unknown, revoked, replaced or expired key, or one of a disabled owner
   */
  authenticate(text: string): KeyActor {
    const now = this.now();
    let known = this.#known.get(text);
    if (known === undefined || now >= known.untilMs) {
      this.#known.delete(text);
      known = this.#check(text, now);
      this.#known.set(text, known);
    }
    known.meter.lastUsedMs = now;
    known.meter.isDirty = true;
    return known.actor;
  }

  /** Counts a request, if there is room for it. @param actor as `authenticate` gave it */
  admit({ id }: KeyActor, nowMs: number = this.now()): Admission {
    const meter = this.#meters.get(id)!;
    const day = Math.floor(nowMs / dayMs);
    if (meter.day !== day) {
      meter.day = day;
      meter.used = 0;
    }
    if (meter.dailyQuota !== null && meter.used >= meter.dailyQuota) {
      return { ok: false, retryAfterS: Math.ceil(((day + 1) * dayMs - nowMs) / 1000), why: 'quota' };
    }
    if (meter.rate) {
      const wait = waitMs(meter.emptyMs, meter.rate, nowMs);
      if (wait > 0) return { ok: false, retryAfterS: Math.ceil(wait / 1000), why: 'rate' };
      meter.emptyMs = spend(meter.emptyMs, meter.rate, nowMs);
    }
    meter.used++;
    meter.isDirty = true;
    return admitted;
  }

  /** To be called when a key or a user has changed. Counts stay. */
  forget(): void {
    this.#known.clear();
  }

  /** Saves when keys were last used and how often today. What was not saved is lost when the process is killed. */
  flush(): void {
    const changed = [...this.#meters].filter(([, meter]) => meter.isDirty);
    if (changed.length === 0) return;
    const save = this.db.query('UPDATE api_keys SET last_used_ms = ?, quota_day = ?, quota_used = ? WHERE id = ?');
    this.db.transaction(() => {
      for (const [id, meter] of changed) save.run(meter.lastUsedMs, meter.day, meter.used, id);
    })();
    for (const [, meter] of changed) meter.isDirty = false;
  }

  #check(text: string, now: number): KnownKey {
    const id = text.length === 59 ? form.exec(text)?.[1] : undefined;
    const row = id === undefined ? null : this.#find(id);
    const untilMs = row ? secretUntil(row, text, now) : 0;
    if (!row || untilMs === 0) {
      throw new AppError(
        'unauthenticated',
        'The API key is not valid.',
        'Send the whole key, am_…, as it was shown when it was made or last rotated.',
      );
    }
    refuseEnded(row, now);
    const { name, owner, role } = row;
    const scope = narrowScope(JSON.parse(row.scope) as KeyScope, role);
    return {
      actor: { kind: 'key', id: row.id, name, scope, owner },
      untilMs: Math.min(untilMs, row.expiresMs ?? Infinity),
      meter: this.#meterOf(row),
    };
  }

  #meterOf(row: KeyRow): Meter {
    const meter = this.#meters.get(row.id) ?? {
      rate: null,
      dailyQuota: null,
      emptyMs: 0,
      day: row.day,
      used: row.used,
      lastUsedMs: row.lastUsedMs ?? 0,
      isDirty: false,
    };
    const { ratePerSecond, burst } = row;
    meter.rate =
      ratePerSecond === null ? null : { ratePerSecond, burst: burst ?? Math.max(1, Math.ceil(ratePerSecond)) };
    meter.dailyQuota = row.dailyQuota;
    this.#meters.set(row.id, meter);
    return meter;
  }

  #find(id: string): KeyRow | null {
    return this.db
      .query<KeyRow, [string]>(
        `SELECT api_keys.id, api_keys.name, owner, scope, secret_hash AS secretHash, previous_hash AS previousHash,
           previous_until_ms AS previousUntilMs, expires_ms AS expiresMs, rate_per_second AS ratePerSecond, burst,
           daily_quota AS dailyQuota, quota_day AS day, quota_used AS used, last_used_ms AS lastUsedMs,
           revoked_ms AS revokedMs, role, is_disabled AS isDisabled
         FROM api_keys JOIN users ON users.id = owner WHERE api_keys.id = ?`,
      )
      .get(id);
  }
}

/** @returns 0 for a text that is not this key's, Infinity for its newest secret */
function secretUntil({ secretHash, previousHash, previousUntilMs }: KeyRow, text: string, now: number): number {
  const hash = hashSecret(text);
  if (isSameHash(hash, secretHash)) return Infinity;
  if (previousHash === null || !isSameHash(hash, previousHash)) return 0;
  return previousUntilMs !== null && now < previousUntilMs ? previousUntilMs : 0;
}

/** Told only to who has the secret. */
function refuseEnded({ name, expiresMs, revokedMs, isDisabled }: KeyRow, now: number): void {
  const refuse = (why: string, hint: string) => {
    throw new AppError('unauthenticated', `The API key '${name}' ${why}.`, hint);
  };
  if (revokedMs !== null) refuse('was revoked', 'Use another key.');
  if (expiresMs !== null && now >= expiresMs) {
    refuse(`expired on ${new Date(expiresMs).toISOString()}`, 'Make a new key.');
  }
  if (isDisabled) refuse('belongs to a user who is disabled', 'Ask an administrator to give it to another owner.');
}
