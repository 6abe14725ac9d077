// What went wrong, as the Open Inference Protocol says it: {"error": "…"} and a status.
import { AppError, type ErrorCode } from '../../error.ts';
import { log } from '../../log.ts';
import { retryAfter } from '../errors.ts';

const statusOf: Record<ErrorCode, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  // The protocol has no code of its own for it.
  conflict: 400,
  too_large: 413,
  unsupported: 501,
  overloaded: 503,
  throttled: 429,
  timeout: 503,
  unavailable: 503,
  model_failed: 500,
  internal: 500,
};

/** Anything that is no AppError is logged and shown as "Internal error". */
export function errorResponse(thrown: unknown, path: string): Response {
  if (!(thrown instanceof AppError) || thrown.code === 'internal') {
    log('error', 'unexpected error', { path, error: thrown instanceof Error ? thrown.stack : String(thrown) });
    return refuse(500, 'Internal error');
  }
  const status = statusOf[thrown.code];
  return refuse(status, withHint(thrown), retryAfter(thrown, status));
}

export function refuse(status: number, error: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers });
}

function withHint({ message, hint }: AppError): string {
  if (!hint) return message;
  return `${message}${/[.!?]$/.test(message) ? '' : '.'} ${hint}`;
}
