import { expect, test } from 'bun:test';

import { createLatencySample } from '../../src/inference/latency-sample.ts';
import { randomFrom } from '../support/random.ts';

test('all are kept up to the limit, and nothing after a new start', () => {
  const sample = createLatencySample(5, randomFrom(1));
  for (const ms of [3, 1, 2]) sample.record(ms);
  expect(Array.from(sample.values)).toEqual([3, 1, 2]);
  sample.restart();
  expect(sample.values.length).toBe(0);
  sample.record(4);
  expect(Array.from(sample.values)).toEqual([4]);
});

test('early and late ones are kept alike', () => {
  const sums = [0, 0, 0, 0];
  for (let seed = 1; seed <= 200; seed++) {
    const sample = createLatencySample(50, randomFrom(seed));
    for (let ms = 0; ms < 1000; ms++) sample.record(ms);
    expect(sample.values.length).toBe(50);
    for (const ms of Array.from(sample.values)) sums[Math.floor(ms / 250)]!++;
  }
  // 2,500 each on average, with a standard deviation of 43.
  for (const sum of sums) expect(Math.abs(sum - 2500)).toBeLessThan(200);
});
