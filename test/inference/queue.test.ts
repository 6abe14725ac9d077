import { expect, test } from 'bun:test';

import fc from 'fast-check';

import { RequestQueue, type Waiting } from '../../src/inference/queue.ts';
import { defaultServing, type ServingSettings } from '../../src/types.ts';

interface Item extends Waiting {
  id: number;
  cancelled?: boolean;
}

let nextId = 0;

function item(fields: Partial<Item> = {}): Item {
  const made: Item = {
    id: nextId++,
    rows: 1,
    key: '',
    alone: false,
    priority: 0,
    enqueuedUs: 0,
    deadlineUs: Infinity,
    lastUs: Infinity,
    isCancelled: () => made.cancelled === true,
    ...fields,
  };
  return made;
}

function queueOf(serving: Partial<ServingSettings>, items: Item[] = [], maxSize = 1000) {
  const dropped: [number, string][] = [];
  const queue = new RequestQueue<Item>({ ...defaultServing, ...serving }, maxSize, (gone, why) =>
    dropped.push([gone.id, why]),
  );
  for (const each of items) queue.push(each);
  const takeIds = (nowUs = 0) => {
    const taken = queue.take(nowUs);
    return taken && 'batch' in taken ? taken.batch.map(({ id }) => id) : taken;
  };
  return { queue, dropped, takeIds };
}

test('a model without a batch dimension gets one request at a time, in order', () => {
  const items = [item(), item(), item()];
  const { takeIds } = queueOf({ maxBatchSize: 0 }, items);
  expect([takeIds(), takeIds(), takeIds(), takeIds()]).toEqual([...items.map(({ id }) => [id]), undefined]);
});

test('whatever waits goes together, up to the largest batch', () => {
  const items = Array.from({ length: 5 }, () => item({ rows: 2 }));
  const { takeIds } = queueOf({ maxBatchSize: 5 }, items);
  expect(takeIds()).toEqual([items[0]!.id, items[1]!.id]);
  expect(takeIds()).toEqual([items[2]!.id, items[3]!.id]);
  expect(takeIds()).toEqual([items[4]!.id]);
});

test('different shapes never share a batch and keep their order', () => {
  const [a1, b1, a2, b2] = [item({ key: 'a' }), item({ key: 'b' }), item({ key: 'a' }), item({ key: 'b' })];
  const { takeIds } = queueOf({ maxBatchSize: 8 }, [a1, b1, a2, b2]);
  expect(takeIds()).toEqual([a1.id, a2.id]);
  expect(takeIds()).toEqual([b1.id, b2.id]);
});

test('a large request is not overtaken by small ones for ever', () => {
  const [small, large, later] = [item(), item({ rows: 4 }), item()];
  const { takeIds } = queueOf({ maxBatchSize: 4 }, [small, large, later]);
  expect(takeIds()).toEqual([small.id]);
  expect(takeIds()).toEqual([large.id]);
  expect(takeIds()).toEqual([later.id]);
});

test('priority 1 goes first', () => {
  const [low, high] = [item({ priority: 2 }), item({ priority: 1 })];
  const { takeIds } = queueOf({ priorityLevels: 2 }, [low, high]);
  expect(takeIds()).toEqual([high.id]);
  expect(takeIds()).toEqual([low.id]);
});

test('a batch waits for company only as long as the delay, or until it is full', () => {
  const serving = { maxBatchSize: 3, maxQueueDelayUs: 100 };
  const first = item({ enqueuedUs: 50 });
  const { queue, takeIds } = queueOf(serving, [first]);
  expect(takeIds(60)).toEqual({ waitUntilUs: 150 } as never);
  const second = item({ enqueuedUs: 90 });
  queue.push(second);
  expect(takeIds(150)).toEqual([first.id, second.id]);
  const three = [item({ enqueuedUs: 200 }), item({ enqueuedUs: 200 }), item({ enqueuedUs: 200 })];
  for (const each of three) queue.push(each);
  expect(takeIds(201)).toEqual(three.map(({ id }) => id));
});

test('a preferred size goes at once, the rest waits on', () => {
  const items = [item(), item(), item()];
  const { takeIds } = queueOf({ maxBatchSize: 8, maxQueueDelayUs: 100, preferredBatchSizes: [2, 4] }, items);
  expect(takeIds(1)).toEqual([items[0]!.id, items[1]!.id]);
  expect(takeIds(1)).toEqual({ waitUntilUs: 100 } as never);
});

test('cancelled and expired requests are dropped without being computed', () => {
  const items = [item({ cancelled: true }), item({ deadlineUs: 10 }), item()];
  const { dropped, takeIds, queue } = queueOf({}, items);
  expect(takeIds(10)).toEqual([items[2]!.id]);
  expect(dropped).toEqual([
    [items[0]!.id, 'cancelled'],
    [items[1]!.id, 'expired'],
  ]);
  expect(queue.size).toBe(0);
});

test('DELAY moves a late request behind the others', () => {
  const queuePolicy = { ...defaultServing.queuePolicy, timeoutAction: 'DELAY' as const };
  const items = [item({ deadlineUs: 10 }), item()];
  const { dropped, takeIds } = queueOf({ queuePolicy }, items);
  expect(takeIds(20)).toEqual([items[1]!.id]);
  expect(takeIds(20)).toEqual([items[0]!.id]);
  expect(dropped).toEqual([]);
});

test('a delayed request is refused in the end', () => {
  const queuePolicy = { ...defaultServing.queuePolicy, timeoutAction: 'DELAY' as const };
  const late = item({ deadlineUs: 10, lastUs: 100 });
  const { queue, dropped, takeIds } = queueOf({ queuePolicy }, [late]);
  queue.dropGone(20);
  expect(queue.nextDeadlineUs()).toBe(100);
  expect(takeIds(100)).toBeUndefined();
  expect(dropped).toEqual([[late.id, 'expired']]);
});

test('waiting for company ends before the timeout', () => {
  const alone = item({ deadlineUs: 10_000 });
  const { takeIds } = queueOf({ maxBatchSize: 4, maxQueueDelayUs: 50_000 }, [alone]);
  expect(takeIds(5000)).toEqual({ waitUntilUs: 8000 } as never);
  expect(takeIds(8000)).toEqual([alone.id]);
});

test('a request put back goes first; one that must be alone is alone', () => {
  const [first, second] = [item(), item()];
  const { queue, takeIds } = queueOf({ maxBatchSize: 8 }, [second]);
  queue.putBack({ ...first, alone: true });
  expect(takeIds()).toEqual([first.id]);
  expect(takeIds()).toEqual([second.id]);
});

test('a full queue refuses', () => {
  const { queue } = queueOf({}, [item()], 1);
  expect(queue.push(item())).toBe(false);
  expect(queue.size).toBe(1);
});

test('every request leaves exactly once, in batches that keep to the rules', () => {
  const itemArbitrary = fc.record({
    rows: fc.integer({ min: 1, max: 6 }),
    key: fc.constantFrom('a', 'b'),
    priority: fc.integer({ min: 0, max: 3 }),
    alone: fc.boolean(),
    deadlineUs: fc.constantFrom(5, Infinity),
    cancelled: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(itemArbitrary, { maxLength: 40 }), fc.integer({ min: 0, max: 6 }), (fields, maxBatchSize) => {
      const items = fields.map((each) => item(each));
      const { queue, dropped } = queueOf({ maxBatchSize, priorityLevels: 3 }, items);
      const left: number[] = [];
      for (let taken = queue.take(10); taken; taken = queue.take(10)) {
        if (!('batch' in taken)) throw new Error('nothing should wait without a delay');
        const { batch } = taken;
        if (batch.length > 1) {
          expect(new Set(batch.map(({ key }) => key)).size).toBe(1);
          expect(batch.some(({ alone }) => alone)).toBe(false);
          expect(batch.reduce((rows, each) => rows + each.rows, 0)).toBeLessThanOrEqual(maxBatchSize);
        }
        expect(batch.some(({ cancelled, deadlineUs }) => cancelled || deadlineUs === 5)).toBe(false);
        left.push(...batch.map(({ id }) => id));
      }
      const all = [...left, ...dropped.map(([id]) => id)].sort((a, b) => a - b);
      expect(all).toEqual(items.map(({ id }) => id));
      expect(queue.size).toBe(0);
    }),
  );
});
