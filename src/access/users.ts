// People: their names, roles, passwords and preferences. Sees to it that one administrator is left and that two who
// edit at once hear of each other. Knows neither sessions nor keys; who depends on a user is told of each change.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import { checkEmail } from './email.ts';
import { checkPassword, hashPassword } from './passwords.ts';
import { isUserRole, type UserRole } from './roles.ts';
import { checkUserName, userNameKey } from './user-name.ts';
import {
  languages,
  type Preferences,
  recordOf,
  themes,
  userColumns,
  type UserRecord,
  type UserRow,
} from './user-record.ts';

/** Who makes a change, and on which revision it was decided; without one it overwrites what others did. */
export interface Change {
  /** Name of who does it. */
  by: string;
  revision?: number;
}

export type UserChange = 'name' | 'role' | 'email' | 'password' | 'disabled' | 'enabled' | 'removed';

/** Called within the transaction. @param keepSession id of the session that made the change */
export type OnUserChange = (id: string, what: UserChange, keepSession?: string) => void;

export class Users {
  constructor(
    private readonly db: Database,
    private readonly now: () => number,
    private readonly onChange: OnUserChange = () => {},
  ) {}

  list(): UserRecord[] {
    return this.db.query<UserRow, []>(`SELECT ${userColumns} FROM users ORDER BY name_key`).all().map(recordOf);
  }

  isEmpty(): boolean {
    return this.db.query('SELECT 1 FROM users LIMIT 1').get() === null;
  }

  find(id: string): UserRecord | undefined {
    const row = this.db.query<UserRow, [string]>(`SELECT ${userColumns} FROM users WHERE id = ?`).get(id);
    return row ? recordOf(row) : undefined;
  }

  /** @throws AppError not_found */
  get(id: string): UserRecord {
    const user = this.find(id);
    if (user) return user;
    throw new AppError('not_found', 'There is no such user.', 'List the users to see who there is.');
  }

  /** @param name in any case */
  findByName(name: string): UserRecord | undefined {
    const row = this.db
      .query<UserRow, [string]>(`SELECT ${userColumns} FROM users WHERE name_key = ?`)
      .get(userNameKey(name));
    return row ? recordOf(row) : undefined;
  }

  /** @returns the argon2id hash; undefined without a password */
  findPasswordHash(id: string): string | undefined {
    const query = this.db.query<{ hash: string | null }, [string]>(
      'SELECT password_hash AS hash FROM users WHERE id = ?',
    );
    return query.get(id)?.hash ?? undefined;
  }

  /**
   * @param password without one the user cannot sign in before a reset link is used
   * @throws AppError invalid for a name, role or password that will not do, conflict when the name is taken
   */
  async create(
    user: { name: string; role: UserRole; password?: string; mustChangePassword?: boolean; email?: string },
    by: string,
  ): Promise<UserRecord> {
    const name = checkUserName(user.name);
    this.#requireFree(name);
    if (user.password !== undefined) checkPassword(user.password, name);
    const passwordHash = user.password === undefined ? undefined : await hashPassword(user.password);
    return this.insert({ ...user, name, passwordHash }, by);
  }

  /** As `create`, with a password that was checked and hashed before; to be part of a larger transaction. */
  insert(
    user: { name: string; role: UserRole; passwordHash?: string; mustChangePassword?: boolean; email?: string },
    by: string,
  ): UserRecord {
    const { role, passwordHash, mustChangePassword } = user;
    const name = checkUserName(user.name);
    const email = checkEmail(user.email ?? '') ?? null;
    const id = crypto.randomUUID();
    const now = this.now();
    checkRole(role);
    return this.db.transaction(() => {
      this.#requireFree(name);
      this.db.run(
        `INSERT INTO users (id, name, name_key, role, password_hash, must_change_password, email, created_ms, changed_ms,
           changed_by, changed_what) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'created')`,
        [id, name, userNameKey(name), role, passwordHash ?? null, mustChangePassword ? 1 : 0, email, now, now, by],
      );
      return this.get(id);
    })();
  }

  /** @throws AppError invalid, conflict when the name is taken or the revision is stale, not_found */
  rename(id: string, text: string, change: Change): UserRecord {
    const name = checkUserName(text);
    return this.#change(id, change, 'name', 'the name', () => {
      this.#requireFree(name, id);
      this.db.run('UPDATE users SET name = ?, name_key = ? WHERE id = ?', [name, userNameKey(name), id]);
    });
  }

  /** @throws AppError conflict for the last administrator or a stale revision, not_found */
  setRole(id: string, role: UserRole, change: Change): UserRecord {
    checkRole(role);
    return this.#change(id, change, 'role', `the role to ${role}`, (user) => {
      if (role !== 'administrator') this.#requireAnotherAdministrator(user);
      this.db.run('UPDATE users SET role = ? WHERE id = ?', [role, id]);
    });
  }

  /** @param text "" for none. @throws AppError invalid, conflict for a stale revision, not_found */
  setEmail(id: string, text: string, change: Change): UserRecord {
    const email = checkEmail(text) ?? null;
    return this.#change(id, change, 'email', 'the mail address', () => {
      this.db.run('UPDATE users SET email = ? WHERE id = ?', [email, id]);
    });
  }

  /** Several things decided on at once: all of them or none. @throws AppError as each of them */
  change(
    id: string,
    wanted: { name: string; role: UserRole; isDisabled: boolean; email: string },
    change: Change,
  ): UserRecord {
    const how = { by: change.by };
    return this.db.transaction(() => {
      const user = this.get(id);
      requireRevision(user, change);
      if (wanted.role !== user.role) this.setRole(id, wanted.role, how);
      if (wanted.name !== user.name) this.rename(id, wanted.name, how);
      if (wanted.email !== (user.email ?? '')) this.setEmail(id, wanted.email, how);
      if (wanted.isDisabled !== user.isDisabled) {
        if (wanted.isDisabled) this.disable(id, how);
        else this.enable(id, how);
      }
      return this.get(id);
    })();
  }

  /** Ends the sessions of a user, who stays in the list; keys do not work while their owner is disabled. @throws AppError as setRole */
  disable(id: string, change: Change): UserRecord {
    return this.#change(id, change, 'disabled', 'disabled', (user) => {
      this.#requireAnotherAdministrator(user);
      this.db.run('UPDATE users SET is_disabled = 1 WHERE id = ?', [id]);
      this.db.run('DELETE FROM password_resets WHERE user = ?', [id]);
    });
  }

  enable(id: string, change: Change): UserRecord {
    return this.#change(id, change, 'enabled', 'enabled', () => {
      this.db.run('UPDATE users SET is_disabled = 0 WHERE id = ?', [id]);
    });
  }

  /**
   * Ends the user's sessions, but for `keepSession`, and any reset link.
   * @param options.mustChange true when somebody else chose it
   * @throws AppError invalid when the password will not do, conflict for a stale revision, not_found
   */
  async setPassword(
    id: string,
    password: string,
    change: Change,
    options: { mustChange?: boolean; keepSession?: string } = {},
  ): Promise<UserRecord> {
    const user = this.get(id);
    requireRevision(user, change);
    checkPassword(password, user.name);
    const passwordHash = await hashPassword(password);
    return this.putPasswordHash(id, passwordHash, change, options);
  }

  /** As `setPassword`, with one that was checked and hashed before; to be part of a larger transaction. */
  putPasswordHash(
    id: string,
    passwordHash: string,
    change: Change,
    { mustChange = false, keepSession }: { mustChange?: boolean; keepSession?: string } = {},
  ): UserRecord {
    const put = () => {
      this.db.run('UPDATE users SET password_hash = ?, must_change_password = ? WHERE id = ?', [
        passwordHash,
        mustChange ? 1 : 0,
        id,
      ]);
      this.db.run('DELETE FROM password_resets WHERE user = ?', [id]);
    };
    return this.#change(id, change, 'password', 'the password', put, keepSession);
  }

  /** Not counted as a change. @throws AppError invalid, not_found */
  setPreferences(id: string, preferences: Partial<Preferences>): UserRecord {
    const { language, theme, mailMe, email: given } = { ...this.get(id), ...preferences };
    const email = checkEmail(given ?? '') ?? null;
    if (language !== null && !languages.includes(language)) throw new AppError('invalid', 'There is no such language.');
    if (theme !== null && !themes.includes(theme)) throw new AppError('invalid', 'There is no such theme.');
    this.db.run('UPDATE users SET language = ?, theme = ?, email = ?, mail_me = ? WHERE id = ?', [
      language,
      theme,
      email,
      mailMe ? 1 : 0,
      id,
    ]);
    return this.get(id);
  }

  /** Notes that the user has just signed in. */
  touch(id: string): void {
    this.db.run('UPDATE users SET signed_in_ms = ? WHERE id = ?', [this.now(), id]);
  }

  /** @throws AppError conflict for the last administrator, a stale revision or keys in use, not_found */
  remove(id: string, change: Change): void {
    this.db
      .transaction(() => {
        const user = this.get(id);
        requireRevision(user, change);
        this.#requireAnotherAdministrator(user);
        this.#requireNoKeys(user);
        this.onChange(id, 'removed');
        this.db.run('DELETE FROM users WHERE id = ?', [id]);
      })
      .immediate();
  }

  #change(
    id: string,
    change: Change,
    kind: UserChange,
    what: string,
    work: (user: UserRecord) => void,
    keepSession?: string,
  ): UserRecord {
    return this.db.transaction(() => {
      const user = this.get(id);
      requireRevision(user, change);
      work(user);
      this.db.run(
        'UPDATE users SET revision = revision + 1, changed_ms = ?, changed_by = ?, changed_what = ? WHERE id = ?',
        [this.now(), change.by, what, id],
      );
      this.onChange(id, kind, keepSession);
      return this.get(id);
    })();
  }

  #requireFree(name: string, except?: string): void {
    const user = this.findByName(name);
    if (!user || user.id === except) return;
    throw new AppError('conflict', `There is a user '${user.name}' already.`, 'Choose another name.');
  }

  #requireAnotherAdministrator({ id, name, role, isDisabled }: UserRecord): void {
    if (role !== 'administrator' || isDisabled) return;
    // One who has no way to sign in yet is no help.
    const other = this.list().some(
      (user) =>
        user.id !== id && user.role === 'administrator' && !user.isDisabled && (user.hasPassword || user.isLinked),
    );
    if (other) return;
    throw new AppError(
      'conflict',
      `'${name}' is the last administrator who can sign in.`,
      'Make somebody else an administrator first.',
    );
  }

  #requireNoKeys({ id, name }: UserRecord): void {
    const { count } = this.db
      .query<{ count: number }, [string]>(
        'SELECT count(*) AS count FROM api_keys WHERE owner = ? AND revoked_ms IS NULL',
      )
      .get(id)!;
    if (count === 0) return;
    throw new AppError(
      'conflict',
      `'${name}' owns API keys (${count}) that are not revoked.`,
      'Revoke them or give them to another owner first, or disable the user.',
    );
  }
}

function requireRevision(user: UserRecord, { revision }: Change): void {
  if (revision === undefined || revision === user.revision) return;
  throw new AppError(
    'conflict',
    `${user.changedBy} has changed '${user.name}' meanwhile (${user.changedWhat}, ${new Date(user.changedMs).toISOString()}).`,
    'Look at the user again, then decide.',
  );
}

function checkRole(role: string): void {
  if (!isUserRole(role)) throw new AppError('invalid', `There is no role '${role.slice(0, 40)}'.`);
}
