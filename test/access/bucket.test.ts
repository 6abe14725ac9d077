import { expect, test } from 'bun:test';

import fc from 'fast-check';

import { type Rate, spend, waitMs } from '../../src/access/bucket.ts';

/** Rates whose interval is a whole number of milliseconds, so that the reference below is exact. */
const anyRate = fc.record({
  ratePerSecond: fc.constantFrom(1000, 500, 100, 10, 4, 2, 1, 0.5, 0.01),
  burst: fc.integer({ min: 1, max: 20 }),
});
const anyPauses = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 })), { maxLength: 200 });

/** Which of the requests, each so long after the one before, are let in. */
function admit(rate: Rate, pauses: readonly number[]): boolean[] {
  let [now, empty] = [1_000_000, 0];
  return pauses.map((pause) => {
    now += pause;
    if (waitMs(empty, rate, now) > 0) return false;
    empty = spend(empty, rate, now);
    return true;
  });
}

/** A bucket of tokens as in the textbook: full at first, refilled at the rate, one token a request. In thousandths. */
function reference({ ratePerSecond, burst }: Rate, pauses: readonly number[]): boolean[] {
  let tokens = burst * 100_000;
  return pauses.map((pause) => {
    tokens = Math.min(burst * 100_000, tokens + pause * ratePerSecond * 100);
    if (tokens < 100_000) return false;
    tokens -= 100_000;
    return true;
  });
}

test('lets in what a bucket of tokens lets in', () => {
  fc.assert(
    fc.property(anyRate, anyPauses, (rate, pauses) => {
      expect(admit(rate, pauses)).toEqual(reference(rate, pauses));
    }),
    { numRuns: 300 },
  );
});

test('no window holds more than the burst and what the rate gives', () => {
  fc.assert(
    fc.property(anyRate, anyPauses, (rate, pauses) => {
      const times = pauses.map(
        (
          (now) => (pause: number) =>
            (now += pause)
        )(0),
      );
      const admitted = admit(rate, pauses).flatMap((isIn, i) => (isIn ? [times[i]!] : []));
      for (const [i, from] of admitted.entries()) {
        for (const [count, until] of admitted.slice(i).entries()) {
          expect(count + 1).toBeLessThanOrEqual(rate.burst + ((until - from) * rate.ratePerSecond) / 1000 + 1e-6);
        }
      }
    }),
  );
});

test('whoever waits as told gets in, and not before', () => {
  fc.assert(
    fc.property(anyRate, fc.integer({ min: 1, max: 50 }), (rate, count) => {
      let [now, empty] = [1_000_000, 0];
      for (let i = 0; i < count; i++) {
        const wait = waitMs(empty, rate, now);
        if (wait > 1) expect(waitMs(empty, rate, now + wait - 1)).toBeGreaterThan(0);
        now += wait;
        expect(waitMs(empty, rate, now)).toBe(0);
        empty = spend(empty, rate, now);
      }
    }),
  );
});

test('a clock that is set back costs no more than a full bucket', () => {
  const rate = { ratePerSecond: 2, burst: 4 };
  let empty = 0;
  for (let i = 0; i < 4; i++) empty = spend(empty, rate, 1_000_000);
  expect(waitMs(empty, rate, 1_000_000)).toBe(500);
  expect(waitMs(empty, rate, 1000)).toBe(500);
});
