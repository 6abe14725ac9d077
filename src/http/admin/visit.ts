// One visit of a page: who comes, in which language and colours, with which form; and the answers that a page may give.
import type { Html } from '../../../web/html.ts';
import type { Frame, Tone } from '../../../web/view-types.ts';
import type { UserActor } from '../../access/actor.ts';
import type { Action } from '../../access/roles.ts';
import { AppError } from '../../error.ts';
import type { AuditNote } from '../audited.ts';
import type { Asker } from '../gate.ts';

export interface Visit {
  request: Request;
  url: URL;
  /** What stands for ":name" in the route's path. */
  params: Record<string, string>;
  asker: Asker;
  requestId: string;
  frame: Frame;
  /** Fields of a form that was sent; the first of each name. */
  form: ReadonlyMap<string, string>;
  /** Adds to what the audit trail will say of this visit. */
  note(note: AuditNote): void;
}

export interface AdminRoute {
  method: 'GET' | 'POST';
  path: string;
  /** What the audit trail calls it: the API's name for the same. For all that is allowed to some alone, or changes things. */
  operation?: string;
  /** What the visitor must be allowed to do; "signed-in" is enough where everybody who is may. */
  action: Action | 'public' | 'signed-in';
  /** Nothing of it goes to the audit trail. */
  leavesNoTrace?: boolean;
  /** For somebody who must first choose another password too. */
  isForAnyPassword?: boolean;
  /** Of a form that may be larger than others. */
  mostFormBytes?: number;
  answer(visit: Visit): Html | Response | Promise<Html | Response>;
}

/** @throws AppError unauthenticated */
export function userOf({ asker: { actor } }: Visit): UserActor {
  if (actor.kind === 'user') return actor;
  throw new AppError('unauthenticated', 'Sign in first.');
}

const policy = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': policy,
  'cache-control': 'no-store',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

export function pageOf(content: Html, status = 200): Response {
  return new Response(content.text, { status, headers: pageHeaders });
}

/** The page again, with what is wrong in its form. */
export const retry = (content: Html): Response => pageOf(content, 422);

export const languageCookie = 'aimass_language';
export const themeCookie = 'aimass_theme';
const flashCookie = 'aimass_flash';

/** To another page after a form was taken, with a message that is shown there once. */
export function seeOther(path: string, flash?: { tone: Tone; text: string }, cookies: string[] = []): Response {
  const headers = new Headers({ location: path });
  for (const cookie of cookies) headers.append('set-cookie', cookie);
  if (flash) {
    const text = Buffer.from(JSON.stringify(flash)).toString('base64url');
    headers.append('set-cookie', `${flashCookie}=${text}; Path=/; HttpOnly; SameSite=Lax; Max-Age=60`);
  }
  return new Response(null, { status: 303, headers });
}

const tones: readonly Tone[] = ['good', 'warn', 'bad', 'info', 'idle'];

export function readFlash(cookies: ReadonlyMap<string, string>): Frame['flash'] {
  const text = cookies.get(flashCookie);
  if (!text) return undefined;
  try {
    const { tone, text: words } = JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
    const isSane = typeof words === 'string' && words.length <= 500;
    return isSane ? { tone: tones.find((each) => each === tone) ?? 'info', text: words } : undefined;
  } catch {
    return undefined;
  }
}

export const endedFlash = `${flashCookie}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`;

export function cookiesOf(request: Request): ReadonlyMap<string, string> {
  const pairs = (request.headers.get('cookie') ?? '').split(';').map((part) => part.trim().split('='));
  return new Map(pairs.map(([name = '', ...value]) => [name, value.join('=')]));
}

/** A path of this server, so that a link cannot lead elsewhere after a form; `fallback` for anything else. */
export function ownPath(text: string | undefined, fallback: string): string {
  // Printable ASCII without a backslash: browsers drop tabs and take a backslash for a slash.
  return text && /^\/(?![/\\])[!-[\]-~]{0,500}$/.test(text) ? text : fallback;
}

/** @throws AppError too_large, invalid */
export async function readForm(request: Request, mostBytes = 64 * 1024): Promise<ReadonlyMap<string, string>> {
  const type = request.headers.get('content-type') ?? '';
  if (!type.startsWith('application/x-www-form-urlencoded')) return new Map();
  const tooLarge = new AppError('too_large', 'The form is too large.', 'Shorten what you wrote.');
  if (Number(request.headers.get('content-length') ?? 0) > mostBytes) throw tooLarge;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of request.body ?? []) {
    bytes += part.length;
    if (bytes > mostBytes) throw tooLarge;
    parts.push(part);
  }
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(Buffer.concat(parts).toString())) {
    if (!form.has(name)) form.set(name, value);
  }
  return form;
}
