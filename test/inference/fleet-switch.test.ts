// Another version of a model, or another start of the server, where there is not room for all, with real runner processes.
import { describe, expect, test } from 'bun:test';

import { AppError } from '../../src/error.ts';
import { add, adder, decided, looper, openMachine, spin, until } from '../support/machine.ts';
import { openServing } from '../support/serving.ts';

type Serving = Awaited<ReturnType<typeof openServing>>;

/** Clients that ask for whichever version is current, one request after another each, until they are stopped. */
function askSteadily(serving: Serving, model: string) {
  const seen: number[] = [];
  const errors: unknown[] = [];
  let isStopped = false;
  async function client(): Promise<void> {
    while (!isStopped) {
      try {
        seen.push(await add(serving, model, 10));
      } catch (error) {
        errors.push(error);
      }
    }
  }
  const clients = Promise.all(Array.from({ length: 4 }, client));
  return {
    seen,
    errors,
    async stop() {
      isStopped = true;
      await clients;
    },
  };
}

describe('a version switch with room for one', () => {
  test('under steady load: the old one makes room, requests wait for the new one, and none is lost', async () => {
    const { devices } = openMachine({ cpu: 1 });
    await using serving = await openServing({ m: [adder(1), adder(2), adder(3)] }, { devices });
    const { supervisor } = serving;
    await supervisor.load('m', 1);
    const clients = askSteadily(serving, 'm');
    for (const version of [2, 3, 1]) {
      await supervisor.load('m', version);
      const before = clients.seen.length;
      await until(() => clients.seen.length > before + 8);
      expect(new Set(clients.seen.slice(-4))).toEqual(new Set([10 + version]));
    }
    await clients.stop();
    expect(clients.errors).toEqual([]);
    expect(supervisor.instances()).toMatchObject([{ version: 1, state: 'ready' }]);
    expect(decided(serving, 'refused')).toEqual([]);
  });

  test('also when the model is pinned and must always be there', async () => {
    const { devices } = openMachine({ cpu: 1 });
    const placement = { m: { minInstances: 1, pinned: true } };
    await using serving = await openServing({ m: [adder(1), adder(2)] }, { devices, placement });
    await serving.supervisor.load('m', 1);
    const clients = askSteadily(serving, 'm');
    await until(() => clients.seen.length > 4);
    await serving.supervisor.load('m', 2);
    await until(() => clients.seen.at(-1) === 12);
    await clients.stop();
    expect(clients.errors).toEqual([]);
  });

  test('what the old one computes is finished first', async () => {
    const { devices } = openMachine({ cpu: 1 });
    const slower = looper();
    await using serving = await openServing({ m: [slower, slower] }, { devices });
    await serving.supervisor.load('m', 1);
    const order: string[] = [];
    const long = spin(serving, 'm', 20_000).then((count) => order.push(`answer ${count}`));
    await serving.supervisor.load('m', 2).then(() => order.push('loaded'));
    await long;
    expect(order).toEqual(['answer 20000', 'loaded']);
  });

  test('a new one that cannot be loaded: the old one is back, and answers', async () => {
    const { devices } = openMachine({ cpu: 1 });
    const broken = { ...adder(2), bytes: new TextEncoder().encode('not a model') };
    await using serving = await openServing({ m: [adder(1), broken] }, { devices });
    const { gateway, supervisor } = serving;
    await supervisor.load('m', 1);
    const refused = await supervisor.load('m', 2).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining("Version 2 of 'm' cannot be loaded: The model could not be loaded"),
    });
    expect(gateway.getModel('m').current).toBe(1);
    expect(await add(serving, 'm', 1)).toBe(2);
    expect(gateway.isReady('m', 2)).toBe(false);
  });

  test('room that another model holds and uses: the new version is refused and the old one stays as it was', async () => {
    const { devices } = openMachine({ cpu: 2 });
    const big = adder(2, { weightBytes: 20e6 });
    await using serving = await openServing({ m: [adder(1), big], busy: [looper()] }, { devices, coldWaitMs: 100 });
    const { supervisor } = serving;
    await supervisor.load('busy');
    await supervisor.load('m', 1);
    const { pid } = supervisor.instances().find(({ model }) => model === 'm')!;
    const long = spin(serving, 'busy', 30_000);
    const refused = await supervisor.load('m', 2).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(AppError);
    expect((refused as AppError).message).toContain('(busy:1: in use)');
    expect(await add(serving, 'm', 1)).toBe(2);
    expect(supervisor.instances().find(({ model }) => model === 'm')).toMatchObject({ version: 1, pid });
    expect(await long).toBe(30_000);
  });
});

test('with room for both, the old one answers until the new one does', async () => {
  const { devices } = openMachine({ cpu: 2 });
  await using serving = await openServing({ m: [adder(1), adder(2)] }, { devices });
  await serving.supervisor.load('m', 1);
  const clients = askSteadily(serving, 'm');
  await until(() => clients.seen.length > 4);
  await serving.supervisor.load('m', 2);
  await until(() => clients.seen.at(-1) === 12);
  await clients.stop();
  expect(clients.errors).toEqual([]);
  const kinds = serving.decisions.list({ limit: 100 }).map(({ kind, version }) => `${kind} ${version}`);
  // Newest first: 2 was there before 1 was taken away.
  expect(kinds.indexOf('unloaded 1')).toBeLessThan(kinds.indexOf('loaded 2'));
});

test('after a restart those that fit are started, and the others when they are asked for', async () => {
  const { devices } = openMachine({ cpu: 2 });
  const models = { a: [adder(1)], b: [adder(2)], c: [adder(3)], d: [adder(4)] };
  await using serving = await openServing(models, { devices, loaded: ['a:1', 'b:1', 'c:1', 'd:1'] });
  const { gateway, supervisor } = serving;
  const restored = supervisor.restore();
  // Nobody hears that they are not there.
  for (const model of Object.keys(models)) expect(gateway.getRoute(model).state).toBe('starting');
  await restored;
  const states = Object.keys(models).map((model) => gateway.getRoute(model).state);
  expect(states.toSorted()).toEqual(['cold', 'cold', 'ready', 'ready']);
  expect(decided(serving, 'refused')).toHaveLength(2);
  expect(await Promise.all(Object.keys(models).map((model) => add(serving, model, 1)))).toEqual([2, 3, 4, 5]);
});

test('an unload lets requests that wait for a start be answered first', async () => {
  const { devices } = openMachine({ cpu: 1 });
  await using serving = await openServing({ a: [looper()], b: [adder(2)] }, { devices });
  const { supervisor } = serving;
  await supervisor.load('b');
  await supervisor.load('a');
  const long = spin(serving, 'a', 10_000);
  const waiting = add(serving, 'b', 1);
  const unloaded = supervisor.unload('b');
  expect(await Promise.all([long, waiting])).toEqual([10_000, 3]);
  await unloaded;
  expect(supervisor.instances()).toEqual([]);
});
