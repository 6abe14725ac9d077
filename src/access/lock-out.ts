// How long one must wait after failed sign-ins, kept in the database so that a restart does not forget. What counts is the
// name together with where the tries come from, so that nobody shuts others out by failing on purpose. Knows neither
// passwords nor whether a name exists.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import type { Origin } from './known-origins.ts';
import { addressBlock } from './networks.ts';
import { userNameKey } from './user-name.ts';

const minuteMs = 60_000;

/**
 * The failure from which on there is a wait, and how long that becomes. "pair" is a name from an address, "device" a name
 * from a browser in which it signed in before, which none of the others holds up. "name" slows down guesses at one name
 * from many addresses; it stays short, and does not hold for addresses that the name signed in from before. Whole offices
 * share an address.
 */
const rules = {
  pair: { firstLocked: 5, longestMs: 15 * minuteMs },
  device: { firstLocked: 5, longestMs: 15 * minuteMs },
  address: { firstLocked: 20, longestMs: 15 * minuteMs },
  name: { firstLocked: 50, longestMs: 30_000 },
} as const;

export type Subject = keyof typeof rules;

/** For each such time without a failure one is forgotten. */
export const forgetOneMs = 15 * minuteMs;

/** @returns 0 for fewer failures in a row than are locked, then 1 s, 2 s, 4 s … up to the longest */
export function lockDelayMs(failures: number, subject: Subject): number {
  const { firstLocked, longestMs } = rules[subject];
  const excess = failures - firstLocked;
  return excess < 0 ? 0 : Math.min(longestMs, 1000 * 2 ** excess);
}

/** Too many failures; the only answer is to wait. */
export class LockedOut extends AppError {
  constructor(retryAfterS: number) {
    super(
      'throttled',
      'Too many sign-ins have failed.',
      `Try again in ${describeWait(retryAfterS)}. An administrator can end the wait: aimass users unlock NAME.`,
      retryAfterS,
    );
  }
}

const describeWait = (seconds: number) => (seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`);

interface Count {
  failures: number;
  lastMs: number;
}

interface Counted {
  kind: Subject;
  value: string;
}

/** A sign-in that has begun. It counts as failed until it is said to have succeeded, so that many at once cannot pass. */
export interface Attempt {
  succeed(): void;
  /** It came to nothing, right or wrong: it does not count. */
  cancel(): void;
}

export class LockOut {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
  ) {}

  /**
   * @param text the name as it was typed, known or not
   * @throws LockedOut when somebody from there has to wait; such a try is not counted
   */
  begin(text: string, origin: Origin): Attempt {
    const subjects = subjectsOf(nameKey(text), origin);
    const before = this.db
      .transaction(() => {
        const waitMs = Math.max(...subjects.map((subject) => this.#waitMs(keyOf(subject), subject.kind)));
        if (waitMs > 0) throw new LockedOut(Math.ceil(waitMs / 1000));
        this.db.run('DELETE FROM lock_outs WHERE last_ms + failures * ? <= ?', [forgetOneMs, this.now()]);
        return subjects.map((subject) => ({ ...subject, lastMs: this.#fail(keyOf(subject)).lastMs }));
      })
      .immediate();
    const takeBack = (which: typeof before) => {
      for (const each of which) {
        this.db.run('UPDATE lock_outs SET failures = failures - 1, last_ms = ? WHERE subject = ?', [
          each.lastMs,
          keyOf(each),
        ]);
      }
    };
    return {
      succeed: () => {
        // Only this try is taken back of the others: who has an account must not clear the count of guesses at others,
        // nor that of guesses from elsewhere at this one.
        const isOwn = ({ kind }: Counted) => kind === 'pair' || kind === 'device';
        for (const each of before.filter(isOwn)) this.#remove(keyOf(each));
        takeBack(before.filter((each) => !isOwn(each)));
      },
      cancel: () => takeBack(before),
    };
  }

  /** @returns milliseconds that somebody, somewhere, cannot sign in by this name; 0 without a wait */
  waitMs(name: string): number {
    const waits = this.#keysOf(nameKey(name)).map(({ subject, kind }) => this.#waitMs(subject, kind));
    return Math.max(0, ...waits);
  }

  /** Ends a wait. @param subject a name in any case, from wherever, or an address */
  clear(subject: { name: string } | { address: string }): void {
    if ('name' in subject) for (const each of this.#keysOf(nameKey(subject.name))) this.#remove(each.subject);
    else this.#remove(keyOf({ kind: 'address', value: addressBlock(subject.address) }));
  }

  #remove(subject: string): void {
    this.db.run('DELETE FROM lock_outs WHERE subject = ?', [subject]);
  }

  /** Of all that is counted for a name. */
  #keysOf(name: string): { subject: string; kind: Subject }[] {
    const kinds = ['name', 'pair', 'device'] as const;
    return kinds.flatMap((kind) => {
      const start = keyOf({ kind, value: `${name}\n` });
      const rows = this.db
        .query<{ subject: string }, [string]>('SELECT subject FROM lock_outs WHERE substr(subject, 1, length(?1)) = ?1')
        .all(start);
      return rows.map(({ subject }) => ({ subject, kind }));
    });
  }

  #waitMs(subject: string, kind: Subject): number {
    const { failures, lastMs } = this.#find(subject);
    const delayMs = lockDelayMs(failures, kind);
    // A clock that was set back must not lengthen the wait.
    return Math.min(delayMs, lastMs + delayMs - this.now());
  }

  #find(subject: string): Count {
    const row = this.db
      .query<Count, [string]>('SELECT failures, last_ms AS lastMs FROM lock_outs WHERE subject = ?')
      .get(subject);
    return row ?? { failures: 0, lastMs: 0 };
  }

  /** @returns the count before */
  #fail(subject: string): Count {
    const now = this.now();
    const before = this.#find(subject);
    const forgotten = Math.floor(Math.max(0, now - before.lastMs) / forgetOneMs);
    const failures = Math.max(0, before.failures - forgotten) + 1;
    this.db.run('INSERT OR REPLACE INTO lock_outs VALUES (?, ?, ?)', [subject, failures, now]);
    return before;
  }
}

/** A line break ends it where more follows. */
const nameKey = (text: string) => userNameKey(text).replaceAll('\n', ' ');

/** What a try counts for. */
function subjectsOf(name: string, { address, device, isKnownAddress }: Origin): Counted[] {
  if (device !== undefined) return [{ kind: 'device', value: `${name}\n${device}` }];
  const block = addressBlock(address);
  return [
    { kind: 'pair', value: `${name}\n${block}` },
    { kind: 'address', value: block },
    ...(isKnownAddress ? [] : [{ kind: 'name' as const, value: `${name}\n` }]),
  ];
}

const keyOf = ({ kind, value }: Counted) => `${kind}:${value}`;
