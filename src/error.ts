// One error for everything that a person or program outside may be told. Rooms throw it, http maps it once.

export const errorCodes = [
  'invalid',
  'unauthenticated',
  'forbidden',
  'not_found',
  'conflict',
  'too_large',
  'unsupported',
  'overloaded',
  'throttled',
  'timeout',
  'unavailable',
  'model_failed',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export class AppError extends Error {
  override name = 'AppError';

  /**
   * @param hint what to do next, for the person who reads it
   * @param retryAfterS when to try again, where that is known
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint?: string,
    readonly retryAfterS?: number,
  ) {
    super(message);
  }
}

/** The message of anything thrown, for logs and for errors that quote a cause. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
