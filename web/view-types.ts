// What the screens are given: plain data, made by http. Knows the rooms of the server by their types alone.
import type { AuditResult } from '../src/access/audit-entry.ts';
import type { Action, KeyAction, UserRole } from '../src/access/roles.ts';
import type { SignInWay } from '../src/access/sessions.ts';
import type { SignOnResult } from '../src/access/sign-ons.ts';
import type { Text } from './text/text.ts';

export type Role = UserRole;
export type Theme = 'system' | 'light' | 'dark';
/** How something is, shown as colour together with words or an icon. */
export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'idle';

export interface Viewer {
  name: string;
  role: Role;
  /** Decides what is shown, never what is allowed. */
  may(action: Action): boolean;
  /** Entries of the inbox that were not read yet. */
  unread?: number;
}

/** What surrounds every screen. */
export interface Frame {
  t: Text;
  theme: Theme;
  /** Path and query of this page, to come back to. */
  path: string;
  /** Goes into every form and, through the page's meta element, into every request of a script. */
  csrf: string;
  version: string;
  nowMs: number;
  /** Absent on pages before sign-in. */
  viewer?: Viewer;
  /** Releases that wait for a decision; absent for who may not decide. */
  waiting?: number;
  /** What the last action did, shown once. */
  flash?: { tone: Tone; text: string };
}

/** What a person sent, and what is wrong with it: message by field name; "" is about the form as a whole. */
export interface FormState {
  values: Record<string, string>;
  errors: Record<string, string>;
}

export interface Page {
  /** From 1. */
  number: number;
  size: number;
  total: number;
}

export interface ErrorView {
  /** Of AppError; anything unknown is shown as "internal". */
  code: string;
  message: string;
  hint?: string;
  requestId?: string;
}

export interface SetupView {
  /** Empty where somebody came without the link. */
  token: string;
  form: FormState;
  /** The token is not or no longer valid: the form is not shown. */
  spent?: boolean;
}

export interface SignInView {
  host: string;
  form: FormState;
  /** Where to go afterwards: a path of this server. */
  next?: string;
  /** Identity providers, each with the path that starts its sign-in. */
  providers: { name: string; href: string }[];
  sessionEnded?: boolean;
}

export interface PasswordView {
  form: FormState;
  /** The user may do nothing else before. */
  must: boolean;
}

export interface ResetView {
  token: string;
  /** Whom the link is for; absent when it is not or no longer valid: the form is not shown. */
  name?: string;
  form: FormState;
}

export interface UserRow {
  id: string;
  name: string;
  role: Role;
  /** locked: somebody who failed to sign in by this name has to wait. invited: can sign in by a one-time link alone. */
  state: 'enabled' | 'disabled' | 'locked' | 'invited' | 'mustChange';
  lastSeenMs?: number;
  createdMs: number;
  /** Where notifications go. */
  email?: string;
}

export interface UsersView {
  users: UserRow[];
  search: string;
  page: Page;
}

export interface SessionRow {
  id: string;
  from: string;
  agent: string;
  sinceMs: number;
  lastSeenMs: number;
  isThis: boolean;
}

export interface UserFormView {
  /** Absent: a new user. */
  user?: UserRow & { revision: number };
  form: FormState;
  sessions: SessionRow[];
  /** Somebody else saved in between. */
  stale?: { who: string; atMs: number };
}

export interface UserLinkView {
  userId: string;
  name: string;
  /** Whole address, to be copied. */
  link: string;
  untilMs: number;
}

export interface KeyRow {
  id: string;
  name: string;
  owner: string;
  models: string[] | '*';
  actions: KeyAction[];
  state: 'active' | 'expiring' | 'expired' | 'revoked';
  expiresMs?: number;
  ratePerSecond?: number;
  dailyQuota?: number;
  usedToday: number;
  lastUsedMs?: number;
  /** The key before the last rotation works until then. */
  previousUntilMs?: number;
}

export interface KeysView {
  keys: KeyRow[];
  search: string;
  page: Page;
  /** For how long a rotated key may go on working, in hours. */
  overlapsHours: readonly number[];
}

export interface KeyFormView {
  /** What is wrong with the choice of another owner is at "owner". */
  form: FormState;
  /** What the owner may give. */
  actions: readonly KeyAction[];
  /** Absent: a new one. */
  key?: KeyRow;
  /** To whom it may be given, for those who manage keys. */
  owners?: { id: string; name: string }[];
}

export interface KeyShownView {
  name: string;
  secret: string;
  /** A command that uses the key. */
  example: string;
}

export interface AuditRow {
  number: number;
  atMs: number;
  who: string;
  action: string;
  target: string;
  result: AuditResult;
  from: string;
  before?: string;
  after?: string;
}

export interface AuditView {
  rows: AuditRow[];
  /** Exact names, and dates as YYYY-MM-DD; empty: any. */
  filter: { actor: string; action: string; target: string; since: string; until: string };
  /** Where the next page begins: the number of this page's last row; absent on the last page. */
  before?: number;
  isFirstPage: boolean;
  /** Present when it was asked for: checking reads the whole trail. */
  chain?: { isIntact: boolean; brokenAt?: number };
}

export interface SignInRow {
  atMs: number;
  name: string;
  way: SignInWay;
  result: SignOnResult;
  from: string;
  /** Refusals of somebody who is locked out are one row. */
  attempts: number;
}

export interface SignInsView {
  rows: SignInRow[];
  /** An exact name, or empty. */
  name: string;
  /** As in AuditView. */
  before?: number;
  isFirstPage: boolean;
}

export interface SettingRow {
  name: string;
  value: string;
  defaultValue: string;
  source: 'default' | 'flag' | 'environment' | 'file';
  help: string;
}

export interface SettingsView {
  settings: SettingRow[];
  search: string;
}

export interface AboutView {
  /** Label and value, e.g. the release, the runtime, the host. */
  facts: { label: string; value: string }[];
  /** @property href of the licence's text */
  parts: { name: string; version: string; licence: string; href?: string }[];
}
