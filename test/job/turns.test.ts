import { expect, test } from 'bun:test';

import { limitTurns } from '../../src/job/turns.ts';

test('at most so many run at once, in order, and a failure passes its turn on', async () => {
  const inTurn = limitTurns(2);
  const started: number[] = [];
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const results = gates.map((gate, i) =>
    inTurn(async () => {
      started.push(i);
      await gate.promise;
      return i;
    }),
  );
  await Promise.resolve();
  expect(started).toEqual([0, 1]);
  gates[1]!.reject(new Error('broken'));
  await results[1]!.catch(() => {});
  await Promise.resolve();
  expect(started).toEqual([0, 1, 2]);
  for (const gate of gates) gate.resolve();
  expect(await Promise.allSettled(results).then((all) => all.map(({ status }) => status))).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
  expect(started).toEqual([0, 1, 2, 3, 4]);
});
