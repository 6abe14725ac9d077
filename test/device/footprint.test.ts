import { expect, test } from 'bun:test';

import { estimateBytes, footprintOf } from '../../src/device/footprint.ts';
import { cpu, cuda } from './worlds.ts';

const size = { weightBytes: 100e6, rowBytes: 600e3 };

test('an estimate is more than the weights and grows with weights and batch', () => {
  const base = estimateBytes(size, cuda);
  expect(base).toBeGreaterThan(size.weightBytes);
  expect(estimateBytes({ ...size, weightBytes: 200e6 }, cuda)).toBeGreaterThan(base + 100e6);
  expect(estimateBytes(size, { ...cuda, batch: 16 })).toBeGreaterThan(base);
  // A model without a batch dimension still computes one row.
  expect(estimateBytes(size, { ...cpu, batch: 0 })).toBe(estimateBytes(size, { ...cpu, batch: 1 }));
});

test('a measurement replaces the estimate and shows how far off it was', () => {
  const guessed = footprintOf('a/1', cuda, size);
  expect(guessed).toMatchObject({ bytes: guessed.estimatedBytes, measured: false });
  expect(guessed.estimateError).toBeUndefined();
  const known = footprintOf('a/1', cuda, size, guessed.estimatedBytes / 2);
  expect(known).toMatchObject({ bytes: guessed.estimatedBytes / 2, measured: true });
  expect(known.estimateError).toBeCloseTo(1, 9);
});
