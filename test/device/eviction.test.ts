import { expect, test } from 'bun:test';

import fc from 'fast-check';

import { chooseEvictions, createUseTracker, evictionLoss, evictionOrder } from '../../src/device/eviction.ts';
import { run } from '../bench/eviction.ts';

const hourMs = 3600_000;

test('a steady rate is what the tracker reports, and it halves with each half-life', () => {
  const uses = createUseTracker(hourMs);
  for (let ms = 0; ms <= 20 * hourMs; ms += 500) uses.record('a/1', ms);
  expect(uses.usesPerSecond('a/1', 20 * hourMs)).toBeCloseTo(2, 2);
  expect(uses.usesPerSecond('a/1', 22 * hourMs)).toBeCloseTo(0.5, 2);
  expect(uses.usesPerSecond('b/1', 0)).toBe(0);
  uses.forget('a/1');
  expect(uses.usesPerSecond('a/1', 20 * hourMs)).toBe(0);
});

test('the favourite of yesterday gives way, and a clock that steps back makes nothing of nothing', () => {
  const uses = createUseTracker(hourMs);
  uses.record('old/1', 0, 1000);
  uses.record('new/1', 24 * hourMs, 1);
  expect(uses.usesPerSecond('new/1', 24 * hourMs)).toBeGreaterThan(uses.usesPerSecond('old/1', 24 * hourMs));
  uses.record('new/1', 23 * hourMs);
  expect(uses.usesPerSecond('new/1', 24 * hourMs) / uses.usesPerSecond('new/1', 25 * hourMs)).toBeCloseTo(2, 6);
});

test('loss is seconds of waiting in a second, shared among replicas', () => {
  expect(evictionLoss(0.5, 8000)).toBe(4);
  expect(evictionLoss(0.5, 8000, 4)).toBe(1);
});

const candidates = fc
  .array(fc.record({ bytes: fc.integer({ min: 1, max: 20 }), loss: fc.nat(20), lastUsedMs: fc.nat(5) }), {
    maxLength: 9,
  })
  .map((list) => list.map((item, index) => ({ ...item, id: `i${index}` })));
const bytesOf = (items: readonly { bytes: number }[]) => items.reduce((sum, { bytes }) => sum + bytes, 0);

test('the order: less loss for each byte first, then the longest unused, whatever the order of the list', () => {
  fc.assert(
    fc.property(candidates, (list) => {
      const order = evictionOrder(list);
      expect(evictionOrder(list.toReversed())).toEqual(order);
      for (const [index, next] of order.slice(1).entries()) {
        const item = order[index]!;
        const [a, b] = [item.loss / item.bytes, next.loss / next.bytes];
        expect(a < b || (a === b && item.lastUsedMs <= next.lastUsedMs)).toBe(true);
      }
    }),
  );
});

test('what is chosen is enough, nothing of it is needless, and nothing is chosen in vain', () => {
  fc.assert(
    fc.property(candidates, fc.nat(80), (list, need) => {
      const chosen = chooseEvictions(list, (gone) => bytesOf(gone) >= need);
      expect(chosen === undefined).toBe(bytesOf(list) < need);
      if (!chosen) return;
      expect(bytesOf(chosen)).toBeGreaterThanOrEqual(need);
      for (const item of chosen) expect(bytesOf(chosen) - item.bytes).toBeLessThan(need);
    }),
  );
});

test('in the simulation nothing is oversold and the rule beats plain LRU', () => {
  const result = run({ seeds: [7], requests: 8000 });
  expect(result.oversold).toBe(0);
  expect(result.evict_hit_vs_lru).toBeGreaterThan(1.1);
  expect(result.evict_hit_vs_belady).toBeGreaterThan(0.8);
  expect(result.evict_hit_vs_belady).toBeLessThan(1);
});
