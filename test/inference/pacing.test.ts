// How much is handed to an instance at once.
import { expect, test } from 'bun:test';

import { slotsPerLink } from '../../src/inference/link.ts';
import { Pacing } from '../../src/inference/pacing.ts';

test('on the processor two batches go to each instance, on a GPU one', () => {
  const pacing = new Pacing();
  expect(pacing.share(32, 1, false)).toBe(16);
  expect(pacing.share(32, 2, false)).toBe(8);
  expect(pacing.share(32, 1, true)).toBe(32);
  expect(pacing.share(32, 4, true)).toBe(8);
  // What instances have counts too: the parts stay even.
  pacing.began(16);
  expect(pacing.share(16, 1, false)).toBe(16);
  pacing.ended(16);
  // A few are not worth a batch each.
  expect(pacing.share(3, 2, false)).toBe(4);
  expect(pacing.share(1, 0, false)).toBe(4);
});

test('slots are filled far ahead only where batches are known to be short', () => {
  const pacing = new Pacing();
  expect(pacing.depth()).toBe(2);
  for (let i = 0; i < 16; i++) pacing.took(1e6);
  expect(pacing.depth()).toBe(slotsPerLink);
  pacing.took(6e6);
  expect(pacing.depth()).toBe(2);
});
