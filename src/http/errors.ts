// One map from errors to answers, for everything but /v2, whose protocol has its own form.
import { AppError, type ErrorCode } from '../error.ts';
import { log } from '../log.ts';

export const statusOf: Record<ErrorCode, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  unsupported: 415,
  overloaded: 503,
  throttled: 429,
  timeout: 504,
  unavailable: 503,
  model_failed: 500,
  internal: 500,
};

export interface ErrorBody {
  error: { code: ErrorCode; message: string; hint?: string };
}

/** Anything that is no AppError is logged with the request's id and shown as "Internal error". */
export function errorBody(thrown: unknown, requestId: string): ErrorBody {
  if (thrown instanceof AppError && thrown.code !== 'internal') {
    const { code, message, hint } = thrown;
    return { error: { code, message, ...(hint && { hint }) } };
  }
  log('error', 'unexpected error', { id: requestId, error: thrown instanceof Error ? thrown.stack : String(thrown) });
  return {
    error: { code: 'internal', message: 'Internal error', hint: `The server's log says more; look for ${requestId}.` },
  };
}

export function errorResponse(thrown: unknown, requestId: string, headers: Record<string, string> = {}): Response {
  const body = errorBody(thrown, requestId);
  const status = statusOf[body.error.code];
  return Response.json(body, { status, headers: { ...retryAfter(thrown, status), ...headers } });
}

/** When to come back, where that helps: a second at least. */
export function retryAfter(thrown: unknown, status: number): Record<string, string> {
  if (status !== 503 && status !== 429) return {};
  const seconds = thrown instanceof AppError ? thrown.retryAfterS : undefined;
  return { 'retry-after': String(Math.max(1, Math.ceil(seconds ?? 1))) };
}
