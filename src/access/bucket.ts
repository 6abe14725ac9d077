// A rate with bursts, as one number: the time at which a bucket that leaks one request at a time would be empty again
// (the generic cell rate algorithm, ITU-T I.371; the same as a token bucket). Pure.

export interface Rate {
  ratePerSecond: number;
  /** Requests that may come at once after a pause; 1 or more. */
  burst: number;
}

/** @param emptyMs from `spend`; 0 at first. @returns 0 when a request may come now */
export function waitMs(emptyMs: number, { ratePerSecond, burst }: Rate, nowMs: number): number {
  const intervalMs = 1000 / ratePerSecond;
  return Math.max(0, sane(emptyMs, burst * intervalMs, nowMs) - (burst - 1) * intervalMs - nowMs);
}

/** Takes a request that may come now. @returns the new time of being empty */
export function spend(emptyMs: number, { ratePerSecond, burst }: Rate, nowMs: number): number {
  const intervalMs = 1000 / ratePerSecond;
  return Math.max(nowMs, sane(emptyMs, burst * intervalMs, nowMs)) + intervalMs;
}

/** A bucket is never more than full: beyond that the clock was set back, or the rate was raised. */
const sane = (emptyMs: number, fullMs: number, nowMs: number) => Math.min(emptyMs, nowMs + fullMs);
