// Finds out who somebody is: by name and password, or by what a single sign-on provider says. Every try is logged.
// Knows nothing of sessions, cookies or redirects.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import type { KnownOrigins, Whence } from './known-origins.ts';
import { type Attempt, LockedOut, type LockOut } from './lock-out.ts';
import { verifyPassword } from './passwords.ts';
import { findRoleOfGroups, type UserRole } from './roles.ts';
import type { Sessions } from './sessions.ts';
import type { SignOnResult, SignOns } from './sign-ons.ts';
import { checkUserName } from './user-name.ts';
import type { UserRecord } from './user-record.ts';
import type { Users } from './users.ts';

/** A person, as a provider vouches for it. Issuer and subject together never change; the rest may. */
export interface Identity {
  issuer: string;
  subject: string;
  name: string;
  email?: string;
  groups: readonly string[];
}

export class SignIn {
  constructor(
    private readonly db: Database,
    private readonly parts: {
      users: Users;
      sessions: Sessions;
      lockOut: LockOut;
      origins: KnownOrigins;
      signOns: SignOns;
    },
  ) {}

  /**
   * The same answer, after the same time, for a name that does not exist and for a password that is wrong.
   * @throws AppError unauthenticated, forbidden for a disabled user who knew the password, overloaded (LockedOut) for
   * one who has to wait
   */
  async withPassword(request: { name: string; password: string } & Whence): Promise<UserRecord> {
    const { users, lockOut, origins } = this.parts;
    const log = (result: SignOnResult) => this.#log(request.name, request.address, 'password', result);
    const user = users.findByName(request.name);
    let attempt: Attempt;
    try {
      attempt = lockOut.begin(request.name, origins.look(user?.id, request));
    } catch (error) {
      if (error instanceof LockedOut) log('locked');
      throw error;
    }
    const isRight = await verify(request.password, user && users.findPasswordHash(user.id), attempt);
    // Read again: it may have been disabled or removed meanwhile.
    const now = user && users.find(user.id);
    if (!isRight || !now) {
      log('refused');
      throw new AppError('unauthenticated', 'The name or the password is wrong.', 'Check both and try again.');
    }
    attempt.succeed();
    if (now.isDisabled) {
      log('disabled');
      throw disabled(now);
    }
    log('ok');
    users.touch(now.id);
    return users.get(now.id);
  }

  /**
   * Guesses of the present password are limited as failed sign-ins are, those of each session by themselves. All other
   * sessions of the user end.
   * @returns the new token of the session that stays
   * @throws AppError invalid, conflict for a user without a password, throttled (LockedOut)
   */
  async changePassword(request: {
    user: { id: string; name: string };
    current: string;
    password: string;
    address: string;
    keepSession?: string;
  }): Promise<string | undefined> {
    const { users, sessions, lockOut, origins } = this.parts;
    const { user, current, password, address, keepSession } = request;
    const hash = users.findPasswordHash(user.id);
    if (hash === undefined) {
      throw new AppError(
        'conflict',
        'You have no password here.',
        'You sign in through single sign-on: change it there.',
      );
    }
    const origin = origins.look(user.id, { address });
    const attempt = lockOut.begin(user.name, keepSession ? { ...origin, device: `session:${keepSession}` } : origin);
    if (!(await verify(current, hash, attempt))) {
      throw new AppError('invalid', 'The current password is wrong.', 'Check it and try again.');
    }
    attempt.succeed();
    if (password === current) throw new AppError('invalid', 'The new password is the old one.', 'Choose another.');
    await users.setPassword(user.id, password, { by: user.name }, { keepSession });
    return keepSession && sessions.rotate(keepSession);
  }

  /**
   * Makes the user at the first sign-in; the role follows the groups at every one.
   * @throws AppError forbidden when no group has a role or the user is disabled, conflict when the role of the last
   * administrator would go
   */
  withIdentity(identity: Identity, roleOfGroup: ReadonlyMap<string, UserRole>, address: string): UserRecord {
    const { users, sessions } = this.parts;
    const log = (name: string, result: SignOnResult) => this.#log(name, address, 'oidc', result);
    const role = findRoleOfGroups(identity.groups, roleOfGroup);
    const known = this.findLinked(identity);
    const name = known?.name ?? identity.name;
    if (known?.isDisabled) {
      log(name, 'disabled');
      throw disabled(known);
    }
    if (!role) {
      if (known) sessions.revokeAll(known.id);
      log(name, 'no-role');
      throw new AppError(
        'forbidden',
        `'${name.slice(0, 64)}' is in no group that may use this appliance.`,
        'Ask an administrator which group it takes.',
      );
    }
    try {
      const { id } = this.#settle(known, identity, role);
      log(users.get(id).name, 'ok');
      users.touch(id);
      return users.get(id);
    } catch (error) {
      log(name, 'refused');
      throw error;
    }
  }

  #settle(known: UserRecord | undefined, identity: Identity, role: UserRole): UserRecord {
    return this.db.transaction(() => {
      const user = known ?? this.#addLinked(identity, role);
      return user.role === role ? user : this.parts.users.setRole(user.id, role, { by: 'single sign-on' });
    })();
  }

  /** The user that somebody was the last time. */
  findLinked({ issuer, subject }: Identity): UserRecord | undefined {
    const row = this.db
      .query<{ user: string }, [string, string]>('SELECT user FROM identities WHERE issuer = ? AND subject = ?')
      .get(issuer, subject);
    return row ? this.parts.users.find(row.user) : undefined;
  }

  /** Never joins a user who is there already: the provider's "admin" need not be ours. */
  #addLinked({ issuer, subject, name }: Identity, role: UserRole): UserRecord {
    const user = this.parts.users.insert({ name: this.#freeName(name), role }, 'single sign-on');
    this.db.run('INSERT INTO identities (issuer, subject, user) VALUES (?, ?, ?)', [issuer, subject, user.id]);
    return this.parts.users.get(user.id);
  }

  #freeName(text: string): string {
    // What the provider allows in a name and we do not is left out.
    const allowed = text.normalize('NFKC').replaceAll(/[^\p{L}\p{M}\p{N}._@+' -]/gu, '');
    const letters = Array.from(allowed).slice(0, 24).join('');
    const base = letters.replaceAll(/^[^\p{L}\p{N}]+|[^\p{L}\p{M}\p{N}]+$/gu, '') || 'user';
    for (let number = 1; ; number++) {
      const name = checkUserName(number === 1 ? base : `${base}-${number}`);
      if (!this.parts.users.findByName(name)) return name;
    }
  }

  #log(name: string, address: string, way: 'password' | 'oidc', result: SignOnResult): void {
    this.parts.signOns.record({ name, address, way, result });
  }
}

function disabled({ name }: UserRecord): AppError {
  return new AppError('forbidden', `The user '${name}' is disabled.`, 'Ask an administrator.');
}

/** When too many check at once the password is not looked at: then the try must not count as a wrong one. */
async function verify(password: string, hash: string | undefined, attempt: Attempt): Promise<boolean> {
  try {
    return await verifyPassword(password, hash);
  } catch (error) {
    attempt.cancel();
    throw error;
  }
}
