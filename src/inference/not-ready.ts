// What requests are told that a version cannot answer now. Texts only.
import { AppError } from '../error.ts';
import type { VersionRoute } from './routing.ts';

/** "… is not at ready state", as the protocol's clients know it. */
export function notReady({ model, version }: { model: string; version: number | null }): string {
  return `Request for model '${model}'${version === null ? '' : ` version ${version}`} is not at ready state`;
}

/** What a request is told whose time has passed. */
export function latenessOf(route: VersionRoute): AppError {
  const { state, reason, loadMs } = route;
  if (state !== 'starting' && state !== 'cold') return new AppError('timeout', 'Request timeout expired');
  const seconds = Math.max(1, Math.ceil((loadMs ?? 5000) / 1000));
  const why = state === 'starting' ? 'It is being loaded.' : reason.replace(/\.?$/, '.');
  return new AppError('unavailable', notReady(route), `${why} Try again in about ${seconds} s.`, seconds);
}

/** A version finds no place for any instance; told apart from other trouble by who could make room. */
export class NoRoom extends AppError {
  constructor(reason: string, hint?: string) {
    super('unavailable', `There is no room: ${reason}`, hint, 5);
  }
}
