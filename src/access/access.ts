// Opens all of this room on one database and ties its parts together: who depends on users hears of their changes, and
// counts are saved now and then.
import type { Database } from 'bun:sqlite';

import { Audit } from './audit.ts';
import { FormTokens } from './form-tokens.ts';
import { KeyGate } from './key-gate.ts';
import { Keys } from './keys.ts';
import { KnownOrigins } from './known-origins.ts';
import { LockOut } from './lock-out.ts';
import { PasswordResets } from './password-resets.ts';
import { type SessionLimits, Sessions } from './sessions.ts';
import { Setup } from './setup.ts';
import { SignIn } from './sign-in.ts';
import { SignOns } from './sign-ons.ts';
import { type OnUserChange, Users } from './users.ts';

const flushEveryMs = 10_000;

export interface Access {
  users: Users;
  resets: PasswordResets;
  setup: Setup;
  signIn: SignIn;
  signOns: SignOns;
  lockOut: LockOut;
  origins: KnownOrigins;
  sessions: Sessions;
  formTokens: FormTokens;
  keys: Keys;
  gate: KeyGate;
  audit: Audit;
  /** Saves what was only counted in memory. To be called before the database is closed. */
  close(): void;
}

/** @param now milliseconds since 1970 */
export function openAccess(
  db: Database,
  { now = Date.now, sessionLimits }: { now?: () => number; sessionLimits?: SessionLimits } = {},
): Access {
  const sessions = new Sessions(db, now, sessionLimits);
  const gate = new KeyGate(db, now);
  const onUserChange: OnUserChange = (id, what, keepSession) => {
    if (what === 'disabled' || what === 'password') sessions.revokeAll(id, keepSession);
    // Whoever guessed did so at the old one.
    if (what === 'password') lockOut.clear({ name: users.get(id).name });
    if (what === 'role') sessions.rotateSoon(id);
    gate.forget();
  };
  const users = new Users(db, now, onUserChange);
  const lockOut = new LockOut(db, now);
  const origins = new KnownOrigins(db, now);
  const signOns = new SignOns(db, now);
  const timer = setInterval(() => gate.flush(), flushEveryMs);
  timer.unref();
  return {
    users,
    resets: new PasswordResets(db, users, now),
    setup: new Setup(db, users),
    signIn: new SignIn(db, { users, sessions, lockOut, origins, signOns }),
    signOns,
    lockOut,
    origins,
    sessions,
    formTokens: new FormTokens(db, sessionLimits?.absoluteMs),
    keys: new Keys(db, users, gate, now),
    gate,
    audit: new Audit(db, now),
    close() {
      clearInterval(timer);
      gate.flush();
    },
  };
}
