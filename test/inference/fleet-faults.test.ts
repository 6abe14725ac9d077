// What people wish of instances, and what happens when they, their devices or their memory fail, with real runner processes.
import { describe, expect, test } from 'bun:test';

import { build, int64s, node, value } from '../support/graphs.ts';
import { add, adder, decided, looper, openMachine, processor, spin, until } from '../support/machine.ts';
import { floatTensor, type GivenVersion, int64Tensor, openServing, readFloats, spec } from '../support/serving.ts';
import { hasSoftwareGpu, withVulkan } from '../support/software-gpu.ts';

type Serving = Awaited<ReturnType<typeof openServing>>;

const isReady = ({ gateway }: Serving, model: string) => gateway.getModel(model).versions.get(1)?.state === 'ready';

describe('wishes', () => {
  test('a pinned version is never evicted: the other is refused at once and told why', async () => {
    const { devices } = openMachine({ cpu: 1 });
    const placement = { a: { pinned: true } };
    await using serving = await openServing({ a: [adder(1)], b: [adder(2)] }, { devices, placement });
    await serving.supervisor.load('a');
    const refused = await serving.supervisor.load('b').catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('(a:1: pinned)'),
      hint: 'Unpin or unload one of them, or add a device.',
    });
    expect(await add(serving, 'a', 1)).toBe(2);
    expect(decided(serving, 'evicted')).toEqual([]);
  });

  test('a minimum is kept up: after kill -9, and once a setting asks for more', async () => {
    const { devices } = openMachine({ cpu: 2 });
    const placement = { a: { minInstances: 1, maxInstances: 2 } };
    await using serving = await openServing({ a: [adder(1)], b: [adder(2)] }, { devices, placement });
    const { supervisor } = serving;
    await supervisor.load('a');
    const { pid } = supervisor.instances()[0]!;
    process.kill(pid!, 'SIGKILL');
    await until(() => !isReady(serving, 'a'));
    await until(() => isReady(serving, 'a'));
    expect(supervisor.instances()).toMatchObject([{ model: 'a', restarts: 1 }]);
    expect(decided(serving, 'restarted')).toEqual([expect.stringContaining('a:1: It was killed (SIGKILL)')]);
    // Needed just as much as the other, although nobody uses it.
    placement.a.minInstances = 2;
    supervisor.fleet.tick();
    await until(() => supervisor.instances().length === 2);
    const refused = await supervisor.load('b').catch((error: unknown) => error);
    expect(refused).toMatchObject({ message: expect.stringContaining('a:1: needed just as much') });
    placement.a.minInstances = 0;
    await until(() => supervisor.instances().every(({ state }) => state === 'ready'));
    await supervisor.load('b');
    expect(await add(serving, 'b', 1)).toBe(3);
  });

  test('an idle instance ends after its keep-alive, and the next request starts another', async () => {
    const { devices } = openMachine({ cpu: 1 });
    const placement = { a: { keepAliveMs: 60_000 } };
    await using serving = await openServing({ a: [adder(1)] }, { devices, placement });
    await serving.supervisor.load('a');
    expect(await add(serving, 'a', 1)).toBe(2);
    serving.supervisor.fleet.tick();
    expect(isReady(serving, 'a')).toBe(true);
    placement.a.keepAliveMs = 1;
    await Bun.sleep(2);
    serving.supervisor.fleet.tick();
    await until(() => serving.supervisor.instances().length === 0);
    expect(decided(serving, 'evicted')).toEqual([expect.stringMatching(/^a:1: idle for \d+ s, kept for 0 s$/)]);
    expect(serving.gateway.isReady('a')).toBe(true);
    expect(await add(serving, 'a', 1)).toBe(2);
  });
});

describe('a device that is lost', () => {
  test('its instances move, what they computed is computed again elsewhere, and none comes back by itself', async () => {
    const machine = openMachine({ first: 1, second: 1 });
    await using serving = await openServing({ a: [looper()] }, { ...machine, placement: { a: { strategy: 'pack' } } });
    const { supervisor } = serving;
    await supervisor.load('a');
    const from = supervisor.instances()[0]!.device;
    const to = from === 'first' ? 'second' : 'first';
    await spin(serving, 'a', 1);
    const answers = [3000, 3001, 3002].map((count) => spin(serving, 'a', count));
    await until(() => serving.gateway.activity().get('a:1')!.computing.values().toArray()[0]! > 0);
    machine.setState(from, 'lost', 'it has fallen off the bus');
    supervisor.fleet.tick();
    expect(await Promise.all(answers)).toEqual([3000, 3001, 3002]);
    expect(supervisor.instances()).toMatchObject([{ device: to, state: 'ready' }]);
    expect(decided(serving, 'lost')).toEqual([`a:1: ${from} is lost: it has fallen off the bus`]);
    machine.setState(from, 'ready');
    supervisor.fleet.tick();
    expect(supervisor.instances()).toMatchObject([{ device: to, state: 'ready' }]);
    expect(supervisor.fleet.accounts().map(({ heldBytes }) => heldBytes > 0)).toEqual([
      to === 'first',
      to === 'second',
    ]);
  });

  test('with no other its versions wait for it, and are back when it is', async () => {
    const machine = openMachine({ cpu: 1 });
    const placement = { a: { minInstances: 1 } };
    await using serving = await openServing({ a: [adder(1)] }, { ...machine, placement });
    const { supervisor } = serving;
    await supervisor.load('a');
    machine.setState('cpu', 'lost');
    supervisor.fleet.tick();
    await until(() => supervisor.instances().length === 0);
    const refused = await add(serving, 'a', 1).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'unavailable', hint: expect.stringContaining('There is no room') });
    machine.setState('cpu', 'ready');
    supervisor.fleet.tick();
    await until(() => isReady(serving, 'a'));
    expect(await add(serving, 'a', 1)).toBe(2);
  });
});

/** "input" FP32 [N,1] → "output", unchanged, by way of N to the power of 16 numbers: N = 5 is more than any machine has. */
function hungry(more: Partial<GivenVersion['serving']>): GivenVersion {
  return {
    bytes: build({
      input: [value('input', 'FP32', ['N', 1])],
      output: [value('output', 'FP32', ['N', 1])],
      node: [
        node('Shape', ['input'], ['n'], { start: 0n, end: 1n }),
        node('Mul', ['n', 'n'], ['n2']),
        node('Mul', ['n2', 'n2'], ['n4']),
        node('Mul', ['n4', 'n4'], ['n8']),
        node('Mul', ['n8', 'n8'], ['n16']),
        ...zerosAddedTo('n16'),
      ],
    }),
    signature: { inputs: [spec('input', 'FP32', [-1, 1])], outputs: [spec('output', 'FP32', [-1, 1])] },
    serving: more,
  };
}

const zerosAddedTo = (count: string) => [
  node('ConstantOfShape', [count], ['zeros']),
  node('ReduceMax', ['zeros'], ['zero'], { keepdims: 0n }),
  node('Add', ['input', 'zero'], ['output']),
];

describe('memory that runs out', () => {
  test('at the largest batch: the batch is halved until it fits, and that is said', async () => {
    const { devices } = openMachine({ cpu: 2 });
    await using serving = await openServing({ m: [hungry({ maxBatchSize: 10 })] }, { devices });
    const { gateway, supervisor } = serving;
    await supervisor.load('m');
    expect(decided(serving, 'shrunk')).toEqual([
      expect.stringMatching(/^m:1: The memory of this machine ran out.* Its largest batch is now 5 instead of 10\.$/),
      expect.stringMatching(/ Its largest batch is now 2 instead of 5\.$/),
    ]);
    expect(gateway.getRoute('m').serving.maxBatchSize).toBe(2);
    const ask = (rows: number) => {
      const inputs = [
        floatTensor(
          'input',
          [rows, 1],
          Array.from({ length: rows }, (_, i) => i),
        ),
      ];
      return gateway.infer(gateway.getRoute('m'), { inputs }, readFloats);
    };
    expect(await ask(2)).toEqual([[0, 1]]);
    expect(await ask(3).catch((error: Error) => error.message)).toContain('batch-size must be <= 2');
    expect(supervisor.instances()).toMatchObject([{ state: 'ready' }]);
  });

  test('at a single row: each device is tried once, then it has failed, with the diagnosis', async () => {
    const { devices } = openMachine({ first: 1, second: 1 });
    const impossible = build({
      input: [value('input', 'FP32', ['N', 1])],
      output: [value('output', 'FP32', ['N', 1])],
      initializer: [int64s('none', [1], [0]), int64s('many', [1], [10 ** 15])],
      node: [
        // It depends on the input, or the numbers would be made when the model is loaded.
        node('Shape', ['input'], ['n'], { start: 0n, end: 1n }),
        node('Mul', ['n', 'none'], ['no_more']),
        node('Add', ['many', 'no_more'], ['count']),
        ...zerosAddedTo('count'),
      ],
    });
    const version = { ...hungry({ maxBatchSize: 1 }), bytes: impossible };
    await using serving = await openServing({ m: [version] }, { devices, loaded: ['m:1'] });
    const { supervisor } = serving;
    await supervisor.restore();
    await until(() => serving.gateway.getModel('m').versions.get(1)!.state === 'failed');
    expect(decided(serving, 'placed')).toHaveLength(2);
    expect(decided(serving, 'moved')).toHaveLength(2);
    expect(decided(serving, 'failed')).toEqual([expect.stringContaining('The memory of this machine ran out')]);
    const refused = await add(serving, 'm', 1).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'unavailable', hint: expect.stringContaining('memory of this machine ran') });
    supervisor.fleet.tick();
    expect(supervisor.instances()).toEqual([]);
    expect(supervisor.fleet.accounts().map(({ heldBytes }) => heldBytes)).toEqual([0, 0]);
    // Other settings are worth another try when it is asked for.
    await supervisor.resettle('m');
    expect(serving.gateway.getRoute('m').state).toBe('cold');
  });
});

describe.skipIf(!hasSoftwareGpu)('memory that runs out at a request, on a software GPU (chromium, libvulkan1)', () => {
  test(
    'a smaller batch, then another device; the next request is answered each time',
    () =>
      withVulkan('software', async () => {
        // "count" INT64 [N,1] → "output" FP32 [N,1], the same, by way of as many numbers as the largest of them.
        const bytes = build({
          input: [value('count', 'INT64', ['N', 1])],
          output: [value('output', 'FP32', ['N', 1])],
          initializer: [int64s('first', [1], [0])],
          node: [
            node('ReduceMax', ['count'], ['most'], { keepdims: 0n }),
            node('Unsqueeze', ['most', 'first'], ['shape']),
            node('ConstantOfShape', ['shape'], ['zeros']),
            node('ReduceSum', ['zeros'], ['zero'], { keepdims: 0n }),
            node('Cast', ['count'], ['floats'], { to: 1n }),
            node('Add', ['floats', 'zero'], ['output']),
          ],
        });
        const signature = { inputs: [spec('count', 'INT64', [-1, 1])], outputs: [spec('output', 'FP32', [-1, 1])] };
        const adapter = { ...processor('webgpu:0', 100), kind: 'webgpu' as const };
        await using serving = await openServing(
          { m: [{ bytes, signature, serving: { maxBatchSize: 2 } }] },
          { devices: () => [adapter, processor('cpu', 1)] },
        );
        const { gateway, supervisor } = serving;
        await supervisor.load('m');
        const ask = async (count: number) => {
          const inputs = [int64Tensor('count', [1, 1], [count])];
          return (await gateway.infer(gateway.getRoute('m'), { inputs }, readFloats))[0]![0];
        };
        for (const device of ['webgpu:0', 'webgpu:0', 'cpu']) {
          expect(await ask(3)).toBe(3);
          expect(supervisor.instances()).toMatchObject([{ device, state: 'ready' }]);
          expect(await ask(1e15).catch((error: unknown) => error)).toMatchObject({ code: 'model_failed' });
        }
        // There an allocation that fails leaves nothing behind.
        expect(await ask(3)).toBe(3);
        expect(decided(serving, 'shrunk')).toEqual([expect.stringContaining('is now 1 instead of 2.')]);
        expect(decided(serving, 'moved')).toEqual([expect.stringContaining('Another device is looked for.')]);
        expect(decided(serving, 'failed')).toEqual([]);
      }),
    60_000,
  );
});

test('a version whose process ends again and again is given up, holds nothing, and is tried again when loaded', async () => {
  const { devices } = openMachine({ cpu: 1 });
  await using serving = await openServing({ a: [adder(1)] }, { devices, placement: { a: { minInstances: 1 } } });
  const { supervisor } = serving;
  await supervisor.load('a');
  while (serving.gateway.getModel('a').versions.get(1)!.state !== 'failed') {
    const { pid } = supervisor.instances()[0]!;
    if (pid !== undefined && isReady(serving, 'a')) process.kill(pid, 'SIGSEGV');
    await until(() => !isReady(serving, 'a') || supervisor.instances()[0]!.pid !== pid);
    await until(() => isReady(serving, 'a') || serving.gateway.getModel('a').versions.get(1)!.state === 'failed');
  }
  expect(decided(serving, 'restarted')).toHaveLength(4);
  expect(decided(serving, 'failed')).toEqual([expect.stringContaining('a:1: It crashed (SIGSEGV)')]);
  supervisor.fleet.tick();
  expect(supervisor.fleet.accounts()[0]!.heldBytes).toBe(0);
  expect(decided(serving, 'placed')).toHaveLength(1);
  await supervisor.load('a');
  expect(await add(serving, 'a', 1)).toBe(2);
});
