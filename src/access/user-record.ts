// What is known of a user and how it is read out of the database.
import type { UserRole } from './roles.ts';

export const languages = ['en', 'zh-CN'] as const;
export const themes = ['light', 'dark'] as const;

export interface Preferences {
  /** null: as the browser wishes. */
  language: (typeof languages)[number] | null;
  theme: (typeof themes)[number] | null;
  /** Where notifications may be sent to. */
  email: string | null;
  /** Whether they are. */
  mailMe: boolean;
}

export interface UserRecord extends Preferences {
  id: string;
  name: string;
  role: UserRole;
  isDisabled: boolean;
  hasPassword: boolean;
  mustChangePassword: boolean;
  /** Whether a single sign-on provider knows this user. */
  isLinked: boolean;
  createdMs: number;
  signedInMs: number | null;
  /** Goes up with every change, preferences aside. */
  revision: number;
  changedMs: number;
  changedBy: string;
  changedWhat: string;
}

type Flag = 'isDisabled' | 'hasPassword' | 'mustChangePassword' | 'isLinked' | 'mailMe';

export type UserRow = Omit<UserRecord, Flag> & Record<Flag, 0 | 1>;

/** Of a query on the table users alone. */
export const userColumns = `id, name, role, is_disabled AS isDisabled, password_hash IS NOT NULL AS hasPassword,
  must_change_password AS mustChangePassword, EXISTS (SELECT 1 FROM identities WHERE user = users.id) AS isLinked,
  language, theme, email, mail_me AS mailMe, created_ms AS createdMs, signed_in_ms AS signedInMs, revision, changed_ms AS changedMs,
  changed_by AS changedBy, changed_what AS changedWhat`;

export function recordOf(user: UserRow): UserRecord {
  const { isDisabled, hasPassword, mustChangePassword, isLinked, mailMe, ...row } = user;
  return {
    ...row,
    isDisabled: isDisabled === 1,
    hasPassword: hasPassword === 1,
    mustChangePassword: mustChangePassword === 1,
    isLinked: isLinked === 1,
    mailMe: mailMe === 1,
  };
}
