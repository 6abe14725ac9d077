// One entry of the audit trail as text: what is left out, how long it may be, and how each is chained to the one before.
// Pure.
import { createHash } from 'node:crypto';

import type { Actor } from './actor.ts';

export type AuditResult = 'ok' | 'refused' | 'failed';

export interface AuditActor {
  kind: Actor['kind'];
  id?: string;
  name: string;
}

/** What happened, as its room tells it. */
export interface AuditEvent {
  actor: Actor;
  /** "user.role", "version.load": a noun and what was done to it. */
  action: string;
  /** On what: an id or a name; "" when on nothing in particular. */
  target: string;
  result: AuditResult;
  /** Address it came from; "socket" or "system" where there is none. */
  from: string;
  requestId: string;
  /** Any plain data. Secrets in it are removed, what is long is cut. */
  before?: unknown;
  after?: unknown;
}

export interface AuditEntry {
  seq: number;
  atMs: number;
  actor: AuditActor;
  action: string;
  target: string;
  result: AuditResult;
  from: string;
  requestId: string;
  before?: unknown;
  after?: unknown;
}

const longestName = 200;
const longestText = 500;
const mostItems = 100;
const deepest = 6;
const longestDetail = 8192;

export const removed = '[removed]';

export function makeEntry(event: AuditEvent, seq: number, atMs: number): AuditEntry {
  const short = (text: string) => redactText(text).slice(0, longestName);
  return {
    seq,
    atMs,
    actor: actorOf(event.actor),
    action: short(event.action),
    target: short(event.target),
    result: event.result,
    from: short(event.from),
    requestId: short(event.requestId),
    ...(event.before !== undefined && { before: detail(event.before) }),
    ...(event.after !== undefined && { after: detail(event.after) }),
  };
}

function actorOf(actor: Actor): AuditActor {
  if (actor.kind === 'nobody') return { kind: 'nobody', name: '' };
  const name = redactText(actor.name).slice(0, longestName);
  return 'id' in actor ? { kind: actor.kind, id: actor.id, name } : { kind: actor.kind, name };
}

function detail(value: unknown): unknown {
  const kept = redact(value);
  const text = canonicalJson(kept);
  return text.length <= longestDetail ? kept : { cut: text.slice(0, longestDetail) };
}

/** A copy as plain JSON data without what is secret by its name or its look. */
export function redact(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return cut(redactText(value));
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'object':
      break;
    default:
      return cut(String(value));
  }
  if (value === null) return null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= deepest) return '[…]';
  if (Array.isArray(value)) {
    const items = value.slice(0, mostItems).map((item) => redact(item, depth + 1));
    return value.length > mostItems ? [...items, `[${value.length - mostItems} more]`] : items;
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  const kept = entries
    .slice(0, mostItems)
    .map(([name, item]) => [
      redactText(name).slice(0, longestName),
      isSecretName(name) && !isHarmless(item) ? removed : redact(item, depth + 1),
    ]);
  // No prototype, or a name such as __proto__ would be lost.
  return Object.assign(Object.create(null), Object.fromEntries(kept)) as unknown;
}

const secretWord =
  /^(?:pass(?:word|wd|phrase|code)?|pwd|pin|secret|token|key|apikey|credential|auth|authorization|cookie)s?$/;

/** Whether a word of the name says so: "apiKey", "new_password", "X-Auth-Token". */
export function isSecretName(name: string): boolean {
  const words = name
    .slice(0, longestName)
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/);
  return words.some((word) => secretWord.test(word));
}

/** `hasPassword: true` tells no password. */
const isHarmless = (item: unknown) => item === null || typeof item === 'boolean';

/** Takes out what looks like a secret of ours or a header with one, wherever it stands. */
export function redactText(text: string): string {
  return text
    .slice(0, 10_000)
    .replaceAll(/\b(am_[0-9A-Za-z]{12})_[0-9A-Za-z]{16,}/g, `$1_${removed}`)
    .replaceAll(/\bwhsec_[\w+/=]{16,}/g, removed)
    .replaceAll(/\b(Bearer|Basic) [\w.~+/=-]{8,}/gi, `$1 ${removed}`)
    .replaceAll(/:\/\/[^\s/@:]{0,200}:[^\s/@]{1,200}@/g, `://${removed}@`)
    .replaceAll(/-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]*/g, removed)
    .replaceAll(/\$argon2[\w$=,+/-]+/g, removed);
}

const cut = (text: string) =>
  text.length <= longestText ? text : `${text.slice(0, longestText)}[${text.length - longestText} more]`;

/** JSON with the members of each object in the order of their names, so that equal data are equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.assign(
          Object.create(null),
          Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : Number(a > b)))),
        )
      : item,
  );
}

/** SHA-256 over the hash before, a line break and the entry, in hexadecimal. @param previous "" for the first */
export function chainHash(previous: string, entry: string): string {
  return createHash('sha256').update(`${previous}\n${entry}`).digest('hex');
}
