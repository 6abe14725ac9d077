// What the routes about access have in common: whose matter a request is, small bodies, times as text, and answers that
// nobody may keep.
import type { Actor, UserActor } from '../../access/actor.ts';
import { AppError } from '../../error.ts';
import type { Asker } from '../gate.ts';
import { type BodyLimits, readJson } from './body.ts';

/** Some of these bodies come from nobody known. */
const mostBytes = 64 * 1024;

export function readSmallJson(request: Request, limits: BodyLimits): Promise<unknown> {
  const maxJsonBytes = Math.min(mostBytes, limits.maxJsonBytes);
  return readJson(request, { ...limits, maxJsonBytes });
}

/** @throws AppError forbidden for whoever has no account, such as the terminal of the server */
export function userOf({ actor }: Asker): UserActor {
  if (actor.kind === 'user') return actor;
  throw new AppError(
    'forbidden',
    'Only a user who is signed in has an account.',
    'Sign in with a name and a password.',
  );
}

/** As changes are signed. */
export function nameOf(actor: Actor): string {
  return actor.kind === 'nobody' ? '' : actor.name;
}

/** @returns milliseconds since 1970. @throws AppError invalid */
export function parseTime(text: string): number {
  const form = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/;
  const ms = form.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new AppError(
    'invalid',
    `'${text.slice(0, 40)}' is not a time.`,
    "Write '2026-01-31' for a day in UTC, or '2026-01-31T12:00:00Z'.",
  );
}

export const formatTime = (ms: number) => new Date(ms).toISOString();
export const formatTimeOrNull = (ms: number | null) => (ms === null ? null : formatTime(ms));

const uncached = { 'cache-control': 'no-store' };

/** For what holds a token or a key. @param cookie to be set */
export function answerOnce(body: unknown, status: 200 | 201 = 200, cookie?: string): Response {
  return Response.json(body, { status, headers: { ...uncached, ...(cookie && { 'set-cookie': cookie }) } });
}

/** 204. @param cookie to be set */
export function done(cookie?: string): Response {
  return new Response(null, { status: 204, headers: { ...uncached, ...(cookie && { 'set-cookie': cookie }) } });
}
