// When a delivery is tried again.
import { expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { nextAttemptMs, retryDelayMs } from '../../src/notify/retry.ts';
import { day, hour, second } from './opened.ts';

test('the delay doubles from 10 s to 6 h', () => {
  const delays = Array.from({ length: 14 }, (_, i) => retryDelayMs(i + 1, 0.5) / second);
  expect(delays).toEqual([10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 20_480, 21_600, 21_600]);
});

test('chance moves it by a fifth at most', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, random) => {
        const share = retryDelayMs(failures, random) / retryDelayMs(failures, 0.5);
        expect(share).toBeWithin(0.7999, 1.2001);
      },
    ),
  );
});

test('it is given up after about a day, and not before most of it', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (chances) => {
      let nowMs = 0;
      let failures = 0;
      for (const random of chances) {
        const dueMs = nextAttemptMs({ failures: ++failures, queuedMs: 0 }, nowMs, random);
        if (dueMs === undefined) break;
        expect(dueMs).toBeGreaterThan(nowMs);
        nowMs = dueMs;
      }
      expect(nowMs).toBeWithin(day - 8 * hour, day + 1);
      expect(failures).toBeWithin(12, 18);
    }),
  );
});
