// How much is handed to an instance at once.
import { expect, test } from 'bun:test';

import { slotsPerLink } from '../../src/inference/link.ts';
import { Pacing } from '../../src/inference/pacing.ts';

test('on the processor two batches go to each instance, on a GPU one', () => {
  const pacing = new Pacing();
  const gpu = new Pacing();
  gpu.isOnGpu = true;
  expect(pacing.share(32, 0, 1)).toBe(16);
  expect(pacing.share(32, 1, 2)).toBe(8);
  expect(gpu.share(32, 0, 1)).toBe(32);
  expect(gpu.share(32, 1, 4)).toBe(8);
  // What instances have counts too: the parts stay even.
  pacing.began(16);
  expect(pacing.share(16, 1, 1)).toBe(16);
  pacing.ended(16);
  // A few are not worth a batch each.
  expect(pacing.share(3, 0, 2)).toBe(4);
  expect(pacing.share(1, 1, 0)).toBe(4);
});

test('an instance with two batches gets more only in halves of a share', () => {
  const pacing = new Pacing();
  pacing.began(24);
  expect(pacing.share(1, 1, 1)).toBe(13);
  expect(pacing.share(6, 2, 1)).toBe(0);
  expect(pacing.share(8, 2, 1)).toBe(16);
  expect(pacing.share(8, 3, 1)).toBe(16);
});

test('slots are filled far ahead only where batches are known to be short', () => {
  const pacing = new Pacing();
  expect(pacing.depth()).toBe(2);
  for (let i = 0; i < 16; i++) pacing.took(1e6);
  expect(pacing.depth()).toBe(slotsPerLink);
  pacing.took(6e6);
  expect(pacing.depth()).toBe(2);
});
