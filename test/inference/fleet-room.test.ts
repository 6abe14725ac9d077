// More versions than there is room for, with real runner processes: who is started, who ends for whom, who waits.
import { describe, expect, test } from 'bun:test';

import { AppError } from '../../src/error.ts';
import { add, adder, decided, looper, oneRoom, openMachine, spin, until } from '../support/machine.ts';
import { openServing } from '../support/serving.ts';

async function errorOf(promise: Promise<unknown>): Promise<AppError> {
  const outcome = await promise.then(
    () => new Error('answered'),
    (error: unknown) => error,
  );
  if (outcome instanceof AppError) return outcome;
  throw outcome;
}

describe('room for one of two', () => {
  test('requests alternate: each is answered rightly, and the idle one ends with a reason', async () => {
    const { devices } = openMachine({ cpu: 1 });
    await using serving = await openServing({ a: [adder(1)], b: [adder(2)] }, { devices, loaded: ['a:1', 'b:1'] });
    await serving.supervisor.restore();
    for (const value of [10, 20, 30]) {
      expect(await add(serving, 'a', value)).toBe(value + 1);
      expect(await add(serving, 'b', value)).toBe(value + 2);
    }
    const evicted = decided(serving, 'evicted');
    expect(new Set(evicted)).toEqual(
      new Set([
        'a:1: makes room for b:1, the least used for its size on cpu',
        'b:1: makes room for a:1, the least used for its size on cpu',
      ]),
    );
    expect(serving.supervisor.instances()).toMatchObject([{ model: 'b', state: 'ready', device: 'cpu' }]);
  });

  test('thirty requests at once to a cold version start it once', async () => {
    const { devices } = openMachine({ cpu: 1 });
    await using serving = await openServing({ a: [adder(1)], b: [adder(2)] }, { devices });
    await serving.supervisor.load('b');
    await serving.supervisor.load('a');
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => add(serving, 'b', i)));
    expect(answers).toEqual(Array.from({ length: 30 }, (_, i) => i + 2));
    expect(decided(serving, 'placed').filter((line) => line.startsWith('b:1'))).toHaveLength(2);
    expect(serving.supervisor.instances()).toMatchObject([{ model: 'b', restarts: 0 }]);
  });

  test('the one in use stays; the other waits until it is idle, and is answered', async () => {
    const { devices } = openMachine({ cpu: 1 });
    await using serving = await openServing({ a: [looper()], b: [adder(2)] }, { devices });
    await serving.supervisor.load('b');
    await serving.supervisor.load('a');
    const order: string[] = [];
    const long = spin(serving, 'a', 20_000).then(() => order.push('a'));
    const other = add(serving, 'b', 1).then((sum) => order.push(`b ${sum}`));
    await until(() => serving.supervisor.standingOf('b').refusal !== undefined);
    expect(serving.supervisor.standingOf('b').refusal).toContain('held by instances that must stay (a:1: in use)');
    await Promise.all([long, other]);
    expect(order).toEqual(['a', 'b 3']);
    // It had to wait; it was never refused.
    expect(decided(serving, 'refused')).toEqual([]);
  });

  test('in use for longer than a request may wait: it is told to come back, and why', async () => {
    const { devices } = openMachine({ cpu: 1 });
    await using serving = await openServing({ a: [looper()], b: [adder(2)] }, { devices, coldWaitMs: 100 });
    await serving.supervisor.load('b');
    await serving.supervisor.load('a');
    const long = spin(serving, 'a', 20_000);
    const error = await errorOf(add(serving, 'b', 1));
    expect(error).toMatchObject({
      code: 'unavailable',
      message: "Request for model 'b' version 1 is not at ready state",
      hint: expect.stringContaining('must stay (a:1: in use)'),
    });
    expect(error.retryAfterS).toBeGreaterThan(0);
    expect(await long).toBe(20_000);
    await serving.supervisor.load('b');
    expect(await add(serving, 'b', 1)).toBe(3);
  });

  test('a start that takes longer than a request may wait: the request is refused, the start goes on', async () => {
    const { devices } = openMachine({ cpu: 1 });
    await using serving = await openServing({ a: [adder(1)] }, { devices, coldWaitMs: 1, loaded: ['a:1'] });
    const { supervisor } = serving;
    void supervisor.restore();
    await until(() => supervisor.instances().length > 0);
    const error = await errorOf(add(serving, 'a', 1));
    expect(error).toMatchObject({ code: 'unavailable', hint: expect.stringContaining('It is being loaded.') });
    expect(error.message).toEndWith('is not at ready state');
    expect(error.retryAfterS).toBeGreaterThan(0);
    await until(() => serving.gateway.getRoute('a').state === 'ready');
    expect(await add(serving, 'a', 1)).toBe(2);
  });

  test('what can never fit is refused at once, with what it needs and what there is', async () => {
    const { devices } = openMachine({ cpu: 1 });
    const huge = adder(1, { weightBytes: 100 * oneRoom });
    await using serving = await openServing({ huge: [huge], a: [adder(1)] }, { devices, loaded: ['huge:1', 'a:1'] });
    await serving.supervisor.restore();
    expect(await add(serving, 'a', 1)).toBe(2);
    const error = await errorOf(add(serving, 'huge', 1));
    expect(error).toMatchObject({ code: 'unavailable', retryAfterS: 5 });
    expect(error.hint).toContain('There is no room: needs');
    expect(error.hint).toEndWith('Use a smaller batch or a device with more memory.');
    for (const line of decided(serving, 'refused')) expect(line).toStartWith('huge:1: needs');
    expect(decided(serving, 'evicted')).toEqual([]);
    expect(await errorOf(serving.supervisor.load('huge'))).toMatchObject({
      message: expect.stringContaining('There is no room: needs'),
    });
    // It stays loaded all the same: it was before.
    expect(serving.gateway.getRoute('huge').state).toBe('cold');
  });

  test('a wish that is refused again and again stands in the log once', async () => {
    const machine = openMachine({ cpu: 1 });
    machine.useByOthers('cpu', 1);
    const placement = { a: { minInstances: 1 } };
    await using serving = await openServing({ a: [adder(1)] }, { ...machine, placement, loaded: ['a:1'] });
    await serving.supervisor.restore();
    for (const rooms of [1.1, 1.2, 1.05]) {
      machine.useByOthers('cpu', rooms);
      serving.supervisor.fleet.tick();
    }
    expect(decided(serving, 'refused')).toHaveLength(1);
    machine.useByOthers('cpu', 0);
    serving.supervisor.fleet.tick();
    await until(() => serving.gateway.getRoute('a').state === 'ready');
  });
});

test('those that stay answer all their requests while others load beside them', async () => {
  const { devices } = openMachine({ cpu: 2 });
  await using serving = await openServing({ a: [adder(1)], b: [adder(2)], c: [adder(3)] }, { devices });
  await serving.supervisor.load('a');
  let isLoading = true;
  let answered = 0;
  const client = (async () => {
    while (isLoading) {
      expect(await add(serving, 'a', answered)).toBe(answered + 1);
      answered++;
    }
  })();
  const pid = serving.supervisor.instances()[0]!.pid;
  for (const model of ['b', 'c', 'b', 'c']) await serving.supervisor.load(model);
  isLoading = false;
  await client;
  expect(answered).toBeGreaterThan(20);
  expect(serving.supervisor.instances().find(({ model }) => model === 'a')?.pid).toBe(pid);
  expect(serving.gateway.statistics('a')[0]!.fail.count).toBe(0);
});

test('two clients in turn at three versions with room for two: nothing is lost, nothing is ever oversold', async () => {
  const { devices } = openMachine({ cpu: 2 });
  const models = { a: [adder(1)], b: [adder(2)], c: [adder(3)] };
  const terms = { a: 1, b: 2, c: 3 };
  const names = ['a', 'b', 'c'] as const;
  let checks = 0;
  await using serving = await openServing(models, {
    devices,
    loaded: ['a:1', 'b:1', 'c:1'],
    onDecision() {
      for (const { heldBytes, capacityBytes, availableBytes } of serving.supervisor.fleet.accounts()) {
        checks++;
        expect(heldBytes).toBeLessThanOrEqual(capacityBytes);
        expect(availableBytes).toBeGreaterThanOrEqual(0);
      }
    },
  });
  await serving.supervisor.restore();
  async function client(offset: number): Promise<void> {
    for (let i = 0; i < 40; i++) {
      const name = names[(i + offset) % 3]!;
      expect(await add(serving, name, i)).toBe(i + terms[name]);
    }
  }
  await Promise.all([client(0), client(1)]);
  expect(checks).toBeGreaterThan(20);
  const statistics = names.map((name) => serving.gateway.statistics(name)[0]!);
  expect(statistics.reduce((sum, { success }) => sum + success.count, 0)).toBe(80);
  expect(statistics.map(({ fail }) => fail.count)).toEqual([0, 0, 0]);
  expect(decided(serving, 'refused')).toHaveLength(1);
});

test('memory of other programs counts: it displaces the idle, and gives way to the waiting when it is free again', async () => {
  const machine = openMachine({ cpu: 2 });
  await using serving = await openServing({ a: [adder(1)], b: [adder(2)] }, { ...machine, loaded: ['a:1', 'b:1'] });
  machine.useByOthers('cpu', 2);
  await serving.supervisor.restore();
  const error = await errorOf(add(serving, 'a', 1));
  expect(error.hint).toContain('are held by other programs');
  expect(serving.supervisor.instances()).toEqual([]);
  machine.useByOthers('cpu', 1);
  expect(await add(serving, 'a', 1)).toBe(2);
  // The reading has our own instance in it as well now.
  machine.useByOthers('cpu', 2);
  expect(await add(serving, 'b', 1)).toBe(3);
  expect(serving.supervisor.instances()).toMatchObject([{ model: 'b' }]);
  expect(decided(serving, 'evicted')).toHaveLength(1);
  machine.useByOthers('cpu', 1);
  expect(await add(serving, 'a', 1)).toBe(2);
  machine.useByOthers('cpu', 0);
  serving.supervisor.fleet.tick();
  expect(await add(serving, 'b', 1)).toBe(3);
  expect(serving.supervisor.instances()).toHaveLength(2);
});

test('two replicas where two fit, and one where only one does', async () => {
  const serving2 = { maxBatchSize: 1, instances: 2 };
  for (const [rooms, count] of [
    [2, 2],
    [1, 1],
  ] as const) {
    const { devices } = openMachine({ cpu: rooms });
    await using serving = await openServing({ a: [adder(1, { serving: serving2 })] }, { devices });
    await serving.supervisor.load('a');
    await until(() => serving.supervisor.instances().every(({ state }) => state === 'ready'));
    expect(new Set(serving.supervisor.instances().map(({ pid }) => pid)).size).toBe(count);
    expect(await add(serving, 'a', 1)).toBe(2);
  }
});
