// From where each user has signed in before: devices, by a random text that their browser keeps, and addresses. Knows nothing
// of cookies.
import type { Database } from 'bun:sqlite';

import { addressBlock } from './networks.ts';
import { hashSecret, makeToken } from './secrets.ts';

/** Where a sign-in comes from. */
export interface Whence {
  address: string;
  /** What the browser sent of what `remember` gave it; anything, or nothing, from others. */
  device?: string;
}

export interface Origin {
  address: string;
  /** Hash of a device of this user; absent for any other. */
  device?: string;
  isKnownAddress: boolean;
}

const mostOfOneUser = 40;
export const forgetOriginMs = 180 * 24 * 3_600_000;
const deviceForm = /^[\w-]{43}$/;

export class KnownOrigins {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
  ) {}

  /** @param user id; undefined for a name that does not exist, for which everything is unknown */
  look(user: string | undefined, { address, device }: Whence): Origin {
    const hash = device !== undefined && deviceForm.test(device) ? hashSecret(device) : undefined;
    const known = this.#rows(user ?? '');
    return {
      address,
      ...(hash !== undefined && known.has(`device:${hash}`) && { device: hash }),
      isKnownAddress: known.has(`address:${addressBlock(address)}`),
    };
  }

  /**
   * After a sign-in that succeeded.
   * @returns what the browser is to keep: the same for all who sign in with it
   */
  remember(user: string, { address, device }: Whence): string {
    const kept = device !== undefined && deviceForm.test(device) ? device : makeToken();
    const now = this.now();
    this.db.transaction(() => {
      for (const origin of [`device:${hashSecret(kept)}`, `address:${addressBlock(address)}`]) {
        this.db.run('INSERT OR REPLACE INTO known_origins (user, origin, seen_ms) VALUES (?, ?, ?)', [
          user,
          origin,
          now,
        ]);
      }
      this.db.run('DELETE FROM known_origins WHERE seen_ms <= ?', [now - forgetOriginMs]);
      this.db.run(
        `DELETE FROM known_origins WHERE user = ?1 AND origin IN (
           SELECT origin FROM known_origins WHERE user = ?1 ORDER BY seen_ms DESC LIMIT -1 OFFSET ?2)`,
        [user, mostOfOneUser],
      );
    })();
    return kept;
  }

  #rows(user: string): ReadonlySet<string> {
    const rows = this.db
      .query<{ origin: string }, [string, number]>('SELECT origin FROM known_origins WHERE user = ? AND seen_ms > ?')
      .all(user, this.now() - forgetOriginMs);
    return new Set(rows.map(({ origin }) => origin));
  }
}
