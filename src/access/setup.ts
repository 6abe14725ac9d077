// The first start: a one-time token makes the first administrator, and nothing else does. Knows nothing of links.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import { checkPassword, hashPassword } from './passwords.ts';
import { hashSecret, isSameHash, makeToken } from './secrets.ts';
import { checkUserName } from './user-name.ts';
import type { UserRecord } from './user-record.ts';
import type { Users } from './users.ts';

export class Setup {
  #isSetUp = false;

  constructor(
    private readonly db: Database,
    private readonly users: Users,
  ) {}

  /** Cheap enough to be asked for every request. */
  isSetUp(): boolean {
    // Once there is a user there always is one: the last administrator cannot go.
    return (this.#isSetUp ||= !this.users.isEmpty());
  }

  /** A new one each time; the one before ends. @throws AppError conflict when there is a user already */
  issueToken(): string {
    if (this.isSetUp()) throw alreadySetUp();
    const token = makeToken();
    this.db.run("INSERT OR REPLACE INTO access_state VALUES ('setup-token', ?)", [hashSecret(token)]);
    return token;
  }

  isToken(token: string): boolean {
    const row = this.db.query<{ value: string }, []>("SELECT value FROM access_state WHERE name = 'setup-token'").get();
    return row !== null && isSameHash(row.value, hashSecret(token));
  }

  /**
   * Of two at once one wins.
   * @throws AppError unauthenticated for another token, conflict when it was used, invalid for the name or password
   */
  async complete(token: string, request: { name: string; password: string }): Promise<UserRecord> {
    this.#require(token);
    const name = checkUserName(request.name);
    checkPassword(request.password, name);
    const passwordHash = await hashPassword(request.password);
    return this.db
      .transaction(() => {
        this.#require(token);
        this.db.run("DELETE FROM access_state WHERE name = 'setup-token'");
        return this.users.insert({ name, role: 'administrator', passwordHash }, name);
      })
      .immediate();
  }

  #require(token: string): void {
    if (this.isSetUp()) throw alreadySetUp();
    if (this.isToken(token)) return;
    throw new AppError(
      'unauthenticated',
      'This set-up link is not valid.',
      "Open the newest one: the server's terminal and journal show it at every start.",
    );
  }
}

function alreadySetUp(): AppError {
  return new AppError(
    'conflict',
    'The appliance is set up already.',
    "Sign in instead; 'aimass users reset NAME' helps who forgot a password.",
  );
}
