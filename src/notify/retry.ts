// When a delivery that failed is tried again, and when no more. Pure.

const firstMs = 10_000;
const longestMs = 6 * 3_600_000;
/** From being put in line; the last attempt may come a little later. */
const giveUpAfterMs = 24 * 3_600_000;
/** So that many that failed together do not come back together. */
const jitter = 0.2;

/**
 * Doubles from 10 s to 6 h.
 * @param failures so far, at least 1
 * @param random from 0 to 1
 */
export function retryDelayMs(failures: number, random: number): number {
  const delayMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 40));
  return Math.round(delayMs * (1 - jitter + 2 * jitter * random));
}

/** @returns when it is to be tried again; undefined when it is given up */
export function nextAttemptMs(
  { failures, queuedMs }: { failures: number; queuedMs: number },
  nowMs: number,
  random: number,
): number | undefined {
  const dueMs = nowMs + retryDelayMs(failures, random);
  return dueMs > queuedMs + giveUpAfterMs ? undefined : dueMs;
}
