// A database of its own in memory with the whole room on it, and a clock that stands still until it is moved.
import type { Database } from 'bun:sqlite';

import { type Access, openAccess } from '../../src/access/access.ts';
import type { UserRecord } from '../../src/access/user-record.ts';
import { openDatabase } from '../../src/db/open.ts';
import { AppError } from '../../src/error.ts';

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;

export const password = 'correct horse battery staple';
export const address = '10.0.0.7';

export interface Opened extends Access {
  db: Database;
  clock: { nowMs: number };
  /** The administrator that the set-up made. */
  admin: UserRecord;
}

export interface Clock {
  nowMs: number;
}

export function openOn(db: Database, clock: Clock): Access {
  return openAccess(db, { now: () => clock.nowMs });
}

export async function openTemporary(): Promise<Opened> {
  const db = openDatabase(':memory:');
  const clock = { nowMs: Date.UTC(2026, 4, 17, 9, 30) };
  const access = openOn(db, clock);
  const admin = await access.setup.complete(access.setup.issueToken(), { name: 'Ada', password });
  return { ...access, db, clock, admin };
}

export const visitor = { address, agent: 'Firefox', way: 'password' as const };

/** @throws when the work does not fail with an AppError */
export async function errorOf(work: () => unknown): Promise<AppError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

export const codeOf = async (work: () => unknown) => (await errorOf(work)).code;
