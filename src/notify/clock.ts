// Time as this room needs it, so that its tests need not wait.

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls once, after this time. @returns what cancels it */
  after(ms: number, call: () => void): () => void;
}

/** Longer ones end at once. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, call) {
    const timer = setTimeout(call, Math.min(longestTimerMs, Math.max(0, ms)));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
