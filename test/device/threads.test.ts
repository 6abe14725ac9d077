import { expect, test } from 'bun:test';

import fc from 'fast-check';

import { dealThreads } from '../../src/device/threads.ts';

const wish = (id: string, threads = 0, weight = 1) => ({ id, threads, weight });
const twoSockets = [
  { id: 0, cores: 16 },
  { id: 1, cores: 16 },
];
const brief = ({ shares }: ReturnType<typeof dealThreads>) =>
  shares.map(({ id, threads, nodes }) => `${id}: ${threads} on ${nodes.join('+')}`);

test('instances share the cores by weight, each within one node', () => {
  expect(brief(dealThreads([wish('a'), wish('b')], twoSockets))).toEqual(['a: 16 on 0', 'b: 16 on 1']);
  expect(brief(dealThreads([wish('a', 0, 3), wish('b', 0, 1)], [{ id: 0, cores: 8 }]))).toEqual([
    'a: 6 on 0',
    'b: 2 on 0',
  ]);
});

test('what a person set comes first, and spans nodes only when no node has so many', () => {
  expect(brief(dealThreads([wish('a'), wish('b', 12), wish('c', 12)], twoSockets))).toEqual([
    'a: 4 on 0',
    'b: 12 on 0',
    'c: 12 on 1',
  ]);
  expect(brief(dealThreads([wish('a', 24)], twoSockets))).toEqual(['a: 24 on 0+1']);
  expect(brief(dealThreads([wish('a', 8), wish('b', 8)], [{ id: 0, cores: 8 }]))).toEqual(['a: 4 on 0', 'b: 4 on 0']);
});

test('a quota below the cores is kept', () => {
  expect(brief(dealThreads([wish('a'), wish('b')], twoSockets, 6.5))).toEqual(['a: 3 on 0', 'b: 3 on 1']);
  expect(brief(dealThreads([wish('a')], twoSockets, 0.5))).toEqual(['a: 1 on 1']);
});

test('more instances than cores have one thread each, and that is said', () => {
  const deal = dealThreads([wish('a', 4), wish('b'), wish('c')], [{ id: 0, cores: 2 }]);
  expect(brief(deal)).toEqual(['a: 1 on 0', 'b: 1 on 0', 'c: 1 on 0']);
  expect(deal.oversubscribed).toBe('3 instances share 2 cores, one thread each');
});

const nodes = fc
  .array(fc.nat(12), { minLength: 1, maxLength: 4 })
  .filter((list) => list.some((cores) => cores > 0))
  .map((list) => list.map((cores, id) => ({ id, cores })));
const wishes = fc
  .array(fc.record({ threads: fc.oneof(fc.constant(0), fc.nat(20)), weight: fc.integer({ min: 1, max: 5 }) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((list) => list.map((item, index) => ({ ...item, id: `i${index}` })));
const limits = fc.oneof(fc.constant(Infinity), fc.double({ min: 0.1, max: 40, noNaN: true }));

test('the sum fits, everyone has one, wishes are not exceeded, and nodes are not overfilled', () => {
  fc.assert(
    fc.property(wishes, nodes, limits, (list, where, limit) => {
      const allowed = Math.min(
        Math.max(1, Math.floor(limit)),
        where.reduce((sum, { cores }) => sum + cores, 0),
      );
      const { shares, oversubscribed } = dealThreads(list, where, limit);
      const total = shares.reduce((sum, { threads }) => sum + threads, 0);
      expect(shares.map(({ id }) => id)).toEqual(list.map(({ id }) => id));
      expect(oversubscribed !== undefined).toBe(list.length > allowed);
      expect(total).toBeLessThanOrEqual(Math.max(allowed, list.length));
      for (const [index, { threads, nodes: on }] of shares.entries()) {
        const wished = list[index]!.threads;
        expect(threads).toBeGreaterThanOrEqual(1);
        expect(on.length).toBeGreaterThan(0);
        expect(new Set(on).size).toBe(on.length);
        if (wished > 0) expect(threads).toBeLessThanOrEqual(wished);
        else expect(on.length).toBe(1);
      }
      if (oversubscribed) return;
      for (const { id, cores } of where) {
        const within = shares.filter(({ nodes: on }) => on.length === 1 && on[0] === id);
        expect(within.reduce((sum, { threads }) => sum + threads, 0)).toBeLessThanOrEqual(cores);
      }
      // Nobody is short of what was set while cores of the sum are left.
      const isShort = shares.some(({ threads }, index) => threads < list[index]!.threads);
      if (isShort) expect(total).toBe(allowed);
    }),
    { numRuns: 1000 },
  );
});

test('the order of the wishes does not matter', () => {
  fc.assert(
    fc.property(wishes, nodes, (list, where) => {
      const reversed = dealThreads(list.toReversed(), where.toReversed());
      expect(reversed.shares.toReversed()).toEqual(dealThreads(list, where).shares);
    }),
  );
});
