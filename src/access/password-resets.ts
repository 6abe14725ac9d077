// One-time links with which a user chooses a password: for the first one, and for one that was forgotten. Knows nothing
// of how a link reaches its user.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import { checkPassword, hashPassword } from './passwords.ts';
import { hashSecret, makeToken } from './secrets.ts';
import type { UserRecord } from './user-record.ts';
import type { Users } from './users.ts';

export const resetExpiryMs = 24 * 3_600_000;

export class PasswordResets {
  constructor(
    private readonly db: Database,
    private readonly users: Users,
    private readonly now: () => number,
  ) {}

  /**
   * The user's earlier link ends.
   * @throws AppError not_found, conflict for a disabled user
   */
  issue(userId: string): { token: string; expiresMs: number } {
    const user = this.users.get(userId);
    if (user.isDisabled) {
      throw new AppError('conflict', `'${user.name}' is disabled.`, 'Enable the user first.');
    }
    const token = makeToken();
    const expiresMs = this.now() + resetExpiryMs;
    this.db.run('INSERT OR REPLACE INTO password_resets (user, token_hash, expires_ms) VALUES (?, ?, ?)', [
      userId,
      hashSecret(token),
      expiresMs,
    ]);
    return { token, expiresMs };
  }

  /** @returns whom the link is for; undefined when it is unknown, used or expired */
  findUser(token: string): UserRecord | undefined {
    const row = this.db
      .query<{ user: string }, [string, number]>(
        'SELECT user FROM password_resets WHERE token_hash = ? AND expires_ms > ?',
      )
      .get(hashSecret(token), this.now());
    return row ? this.users.find(row.user) : undefined;
  }

  /** @throws AppError unauthenticated for a link that is no good, invalid for a password that will not do */
  async complete(token: string, password: string): Promise<UserRecord> {
    const { name } = this.#require(token);
    checkPassword(password, name);
    const passwordHash = await hashPassword(password);
    return this.db.transaction(() => {
      // Asked again: two may have come with the same link at once.
      const { id, name } = this.#require(token);
      return this.users.putPasswordHash(id, passwordHash, { by: name });
    })();
  }

  #require(token: string): UserRecord {
    const user = this.findUser(token);
    if (user) return user;
    throw new AppError(
      'unauthenticated',
      'This link has been used or has expired.',
      'Ask an administrator for a new one.',
    );
  }
}
