// How long one must wait after failed sign-ins: counted for each name and each address, growing, and kept in the database
// so that a restart does not forget. Knows neither passwords nor whether a name exists.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import { addressBlock } from './networks.ts';
import { userNameKey } from './user-name.ts';

/** The failure from which on there is a wait. Whole offices share an address. */
const firstLocked = { name: 5, address: 20 };
export const longestDelayMs = 15 * 60_000;
/** For each such time without a failure one is forgotten. */
export const forgetOneMs = 15 * 60_000;

type Subject = keyof typeof firstLocked;

/** @returns 0 for fewer failures in a row than are locked, then 1 s, 2 s, 4 s … 15 min */
export function lockDelayMs(failures: number, subject: Subject): number {
  const excess = failures - firstLocked[subject];
  return excess < 0 ? 0 : Math.min(longestDelayMs, 1000 * 2 ** excess);
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
   * @throws LockedOut when the name or the address has to wait; such a try is not counted
   */
  begin(text: string, address: string): Attempt {
    const name = userNameKey(text);
    const block = addressBlock(address);
    const [ofName, ofAddress] = this.db
      .transaction((): [Count, Count] => {
        const waitMs = Math.max(this.#waitMs('name', name), this.#waitMs('address', block));
        if (waitMs > 0) throw new LockedOut(Math.ceil(waitMs / 1000));
        this.db.run('DELETE FROM lock_outs WHERE last_ms + failures * ? <= ?', [forgetOneMs, this.now()]);
        return [this.#fail('name', name), this.#fail('address', block)];
      })
      .immediate();
    const takeBack = (kind: Subject, value: string, { lastMs }: Count) =>
      this.db.run('UPDATE lock_outs SET failures = failures - 1, last_ms = ? WHERE subject = ?', [
        lastMs,
        keyOf(kind, value),
      ]);
    return {
      succeed: () => {
        this.clear({ name });
        // Only this try is taken back: who has an account must not clear the count of guesses at others.
        takeBack('address', block, ofAddress);
      },
      cancel: () => {
        takeBack('name', name, ofName);
        takeBack('address', block, ofAddress);
      },
    };
  }

  /** @returns milliseconds that nobody can sign in by this name; 0 without a wait */
  waitMs(name: string): number {
    return Math.max(0, this.#waitMs('name', userNameKey(name)));
  }

  /** Ends a wait. @param subject a name in any case, or an address */
  clear(subject: { name: string } | { address: string }): void {
    const key =
      'name' in subject ? keyOf('name', userNameKey(subject.name)) : keyOf('address', addressBlock(subject.address));
    this.db.run('DELETE FROM lock_outs WHERE subject = ?', [key]);
  }

  #waitMs(kind: Subject, value: string): number {
    const { failures, lastMs } = this.#find(kind, value);
    const delayMs = lockDelayMs(failures, kind);
    // A clock that was set back must not lengthen the wait.
    return Math.min(delayMs, lastMs + delayMs - this.now());
  }

  #find(kind: Subject, value: string): Count {
    const row = this.db
      .query<Count, [string]>('SELECT failures, last_ms AS lastMs FROM lock_outs WHERE subject = ?')
      .get(keyOf(kind, value));
    return row ?? { failures: 0, lastMs: 0 };
  }

  /** @returns the count before */
  #fail(kind: Subject, value: string): Count {
    const now = this.now();
    const before = this.#find(kind, value);
    const forgotten = Math.floor(Math.max(0, now - before.lastMs) / forgetOneMs);
    const failures = Math.max(0, before.failures - forgotten) + 1;
    this.db.run('INSERT OR REPLACE INTO lock_outs VALUES (?, ?, ?)', [keyOf(kind, value), failures, now]);
    return before;
  }
}

const keyOf = (kind: Subject, value: string) => `${kind}:${value}`;
