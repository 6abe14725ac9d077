// The data plane with real runner processes: what is computed, batched, retried, refused.
import { expect, test } from 'bun:test';
import { readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { AppError } from '../../src/error.ts';
import { Gateway } from '../../src/inference/gateway.ts';
import type { TensorData } from '../../src/types.ts';
import {
  addScalar,
  build,
  identity,
  int64s,
  loop,
  node,
  nonZero,
  smallCnn,
  strings,
  value,
} from '../support/graphs.ts';
import { floatTensor, int64Tensor, openServing, readFloats, spec } from '../support/serving.ts';

const addOne = {
  bytes: addScalar(1),
  signature: { inputs: [spec('input', 'FP32', [-1, 4])], outputs: [spec('output', 'FP32', [-1, 4])] },
  serving: { maxBatchSize: 8 },
};
const addTwo = { ...addOne, bytes: addScalar(2) };
const loops = {
  bytes: loop(),
  signature: { inputs: [spec('iterations', 'INT64', [-1, 1])], outputs: [spec('output', 'FP32', [-1, 1])] },
  serving: { maxBatchSize: 1 },
};
const cnn = {
  bytes: smallCnn(),
  signature: { inputs: [spec('image', 'FP32', [-1, 1, 28, 28])], outputs: [spec('scores', 'FP32', [-1, 10])] },
  serving: { maxBatchSize: 16 },
};

const row = (value: number, rows = 1) => floatTensor('input', [rows, 4], new Array<number>(rows * 4).fill(value));
const iterations = (count: number) => int64Tensor('iterations', [1, 1], [count]);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'answered';
  } catch (error) {
    return error instanceof AppError ? `${error.code}: ${error.message}` : String(error);
  }
}

test('concurrent requests share batches and each gets its own rows', async () => {
  await using serving = await openServing({ m: [addOne] });
  const { gateway, supervisor } = serving;
  await supervisor.load('m');
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      gateway.infer(gateway.getRoute('m'), { inputs: [row(i, 1 + (i % 3))] }, readFloats),
    ),
  );
  answers.forEach(([values], i) => expect(values).toEqual(new Array<number>(4 * (1 + (i % 3))).fill(i + 1)));
  const [stats] = gateway.statistics('m');
  expect(stats!.success.count).toBe(200);
  expect(stats!.executionCount).toBeLessThan(150);
  expect(stats!.inferenceCount).toBe(answers.reduce((sum, [values]) => sum + values!.length / 4, 0));
  expect(stats!.batches.reduce((sum, each) => sum + each.computeInfer.count, 0)).toBe(stats!.executionCount);
});

test('strings and outputs of unknown size come back whole, also when they do not fit the slot', async () => {
  await using serving = await openServing({
    text: [
      {
        bytes: strings(),
        signature: { inputs: [spec('input', 'BYTES', [-1, -1])], outputs: [spec('output', 'BYTES', [-1, -1])] },
        serving: { maxBatchSize: 4 },
      },
    ],
    found: [
      {
        bytes: nonZero(),
        signature: { inputs: [spec('input', 'FP32', [-1])], outputs: [spec('output', 'INT64', [1, -1])] },
      },
    ],
  });
  const { gateway, supervisor, runFolder } = serving;
  await Promise.all([supervisor.load('text'), supervisor.load('found')]);

  const words = (first: string, second: string): TensorData => {
    const parts = [first, second].flatMap((text) => {
      const bytes = new TextEncoder().encode(text);
      return [new Uint8Array(Uint32Array.of(bytes.length).buffer), bytes];
    });
    return { name: 'input', datatype: 'BYTES', shape: [1, 2], bytes: Buffer.concat(parts) };
  };
  const asked = Array.from({ length: 20 }, (_, i) => words(`é${i}`, 'x'.repeat(i * 200)));
  const copies = await Promise.all(
    asked.map((input) =>
      gateway.infer(gateway.getRoute('text'), { inputs: [input] }, ([output]) => ({
        shape: output!.shape,
        bytes: Buffer.from(output!.bytes),
      })),
    ),
  );
  const refused = {
    ...words('', ''),
    bytes: Buffer.concat([words('a', '').bytes.subarray(0, 5), Buffer.from([2, 0, 0, 0, 0xff, 0])]),
  };
  expect(await codeOf(gateway.infer(gateway.getRoute('text'), { inputs: [refused] }, readFloats))).toContain(
    "invalid: element 1 of input 'input' for model 'text' is not text",
  );
  copies.forEach((copy, i) => expect(copy).toEqual({ shape: [1, 2], bytes: Buffer.from(asked[i]!.bytes) }));

  for (const count of [0, 3, 100_000, 5]) {
    const input = floatTensor('input', [count], new Array<number>(count).fill(1));
    const [shape, last] = await gateway.infer(gateway.getRoute('found'), { inputs: [input] }, ([output]) => [
      output!.shape,
      count === 0 ? -1n : new BigInt64Array(output!.bytes.slice().buffer).at(-1),
    ]);
    expect([shape, last]).toEqual([[1, count], BigInt(count - 1)]);
  }
  // Slots and overflow files have no name once both sides have mapped them.
  expect(readdirSync(runFolder).filter((name) => !name.endsWith('.sock'))).toEqual([]);
});

test('more shapes than a runner remembers', async () => {
  const signature = { inputs: [spec('input', 'FP32', [-1])], outputs: [spec('output', 'INT64', [1, -1])] };
  await using serving = await openServing({ m: [{ bytes: nonZero(), signature }] });
  const { gateway, supervisor } = serving;
  await supervisor.load('m');
  for (let count = 1; count < 1200; count++) {
    const input = floatTensor('input', [count], new Array<number>(count).fill(1));
    const found = await gateway.infer(gateway.getRoute('m'), { inputs: [input] }, ([output]) => output!.shape[1]);
    expect(found).toBe(count);
  }
});

test('an output that does not keep to its declared shape comes back as it is', async () => {
  // Reshaped to as many columns as there are values that are not zero; declared as five.
  const bytes = build({
    input: [value('input', 'FP32', ['N', 4])],
    output: [value('output', 'FP32', ['N', 5])],
    initializer: [int64s('one', [1], [1]), int64s('rest', [1], [-1])],
    node: [
      node('NonZero', ['input'], ['positions']),
      node('Shape', ['positions'], ['size']),
      node('Gather', ['size', 'one'], ['count'], { axis: 0n }),
      node('Concat', ['rest', 'count'], ['shape'], { axis: 0n }),
      node('Reshape', ['input', 'shape'], ['output']),
    ],
  });
  const signature = { inputs: [spec('input', 'FP32', [-1, 4])], outputs: [spec('output', 'FP32', [-1, 5])] };
  await using serving = await openServing({ m: [{ bytes, signature, serving: { maxBatchSize: 8 } }] });
  const { gateway, supervisor } = serving;
  await supervisor.load('m');
  for (const [values, shape] of [
    [
      [1, 2, 3, 4],
      [1, 4],
    ],
    [
      [1, 0, 3, 0],
      [2, 2],
    ],
    [
      [1, 2, 3, 4],
      [1, 4],
    ],
  ] as const) {
    const inputs = [floatTensor('input', [1, 4], values)];
    const answer = await gateway.infer(gateway.getRoute('m'), { inputs }, (outputs) => ({
      shape: outputs[0]!.shape,
      values: readFloats(outputs)[0],
    }));
    expect(answer).toEqual({ shape: [...shape], values: [...values] });
  }
});

test('a wrong shape, name or type is refused with the protocol texts', async () => {
  await using serving = await openServing({ m: [addOne] });
  const { gateway, supervisor } = serving;
  await supervisor.load('m');
  const infer = (...inputs: TensorData[]) => codeOf(gateway.infer(gateway.getRoute('m'), { inputs }, readFloats));
  expect(await infer()).toBe("invalid: expected 1 inputs but got 0 inputs for model 'm'");
  expect(await infer({ ...row(1), name: 'x' })).toBe("invalid: unexpected inference input 'x' for model 'm'");
  expect(await infer(floatTensor('input', [1, 5], [1, 2, 3, 4, 5]))).toBe(
    "invalid: unexpected shape for input 'input' for model 'm'. Expected [-1,4], got [1,5]",
  );
  expect(await infer(row(1, 9))).toBe("invalid: inference request batch-size must be <= 8 for 'm'");
  expect(await infer({ ...row(1), datatype: 'INT32' })).toContain("data-type is 'INT32', but model 'm' expects 'FP32'");
  expect(await codeOf((async () => gateway.getRoute('n'))())).toBe(
    "not_found: Request for unknown model: 'n' is not found",
  );
  expect(await codeOf((async () => gateway.getRoute('m', 9))())).toBe(
    "not_found: Request for unknown model: 'm' version 9 is not found",
  );
});

test('a killed runner is replaced and no request is lost; another model does not notice', async () => {
  await using serving = await openServing({ m: [loops], other: [addOne] });
  const { gateway, supervisor } = serving;
  await Promise.all([supervisor.load('m'), supervisor.load('other')]);
  const pidOf = (model: string) => supervisor.instances().find((each) => each.model === model)!.pid!;
  const [before, otherBefore] = [pidOf('m'), pidOf('other')];
  const answers = Promise.all(
    Array.from({ length: 6 }, (_, i) =>
      gateway.infer(gateway.getRoute('m'), { inputs: [iterations(500 + i)] }, readFloats),
    ),
  );
  process.kill(before, 'SIGKILL');
  const others = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      gateway.infer(gateway.getRoute('other'), { inputs: [row(i)] }, ([output]) => output!.bytes.length),
    ),
  );
  expect(others).toEqual(new Array<number>(20).fill(16));
  expect((await answers).flat(2)).toEqual([500, 501, 502, 503, 504, 505]);
  expect(pidOf('m')).not.toBe(before);
  expect(pidOf('other')).toBe(otherBefore);
});

test('a request that hangs is given up after two tries and the instance is replaced', async () => {
  await using serving = await openServing({ m: [loops] }, { runTimeoutMs: 400 });
  const { gateway, supervisor } = serving;
  await supervisor.load('m');
  const hanging = codeOf(gateway.infer(gateway.getRoute('m'), { inputs: [iterations(10_000_000)] }, readFloats));
  const innocent = gateway.infer(gateway.getRoute('m'), { inputs: [iterations(7)] }, readFloats);
  expect(await hanging).toContain("unavailable: The process of model 'm' ended twice");
  expect(await innocent).toEqual([[7]]);
});

test('expired and cancelled requests are not computed; a full queue refuses', async () => {
  await using serving = await openServing({ m: [loops] }, { maxQueueSize: 3 });
  const { gateway, supervisor } = serving;
  await supervisor.load('m');
  const infer = (call: object) =>
    codeOf(gateway.infer(gateway.getRoute('m'), { inputs: [iterations(1500)], ...call }, readFloats));
  // Answered, so the data plane is connected.
  expect(await infer({ inputs: [iterations(1)] })).toBe('answered');
  const abort = new AbortController();
  // Two fill the slots, three fill the queue.
  const answers = [
    infer({}),
    infer({}),
    infer({ timeoutUs: 1000 }),
    infer({ signal: abort.signal }),
    infer({}),
    infer({}),
  ];
  abort.abort();
  expect(await answers[5]!).toBe('overloaded: Exceeds maximum queue size');
  expect(await Promise.all(answers.slice(0, 5))).toEqual([
    'answered',
    'answered',
    'timeout: Request timeout expired',
    'conflict: The client went away.',
    'answered',
  ]);
  expect(gateway.statistics('m')[0]!.executionCount).toBe(4);
});

test('one request that the model cannot compute does not fail the others of its batch', async () => {
  await using serving = await openServing({
    m: [
      {
        // The graph says 4 columns; the signature here lets others through to ONNX Runtime, which refuses them.
        bytes: identity('FP32', ['N', 4]),
        signature: { inputs: [spec('input', 'FP32', [-1, -1])], outputs: [spec('output', 'FP32', [-1, -1])] },
        serving: { maxBatchSize: 8 },
      },
    ],
  });
  const { gateway, supervisor } = serving;
  await supervisor.load('m');
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) => {
      const width = i === 5 ? 3 : 4;
      const input = floatTensor('input', [1, width], new Array<number>(width).fill(i));
      return codeOf(gateway.infer(gateway.getRoute('m'), { inputs: [input] }, readFloats));
    }),
  );
  answers.forEach((answer, i) => expect(answer).toStartWith(i === 5 ? 'model_failed: ' : 'answered'));
});

test('switching versions under load loses nothing, and the order is kept', async () => {
  await using serving = await openServing({ m: [addOne, addTwo] });
  const { gateway, supervisor } = serving;
  await supervisor.load('m', 1);
  let done = false;
  const seen: number[] = [];
  const client = async () => {
    while (!done) {
      const route = gateway.getRoute('m');
      const [[first]] = (await gateway.infer(route, { inputs: [row(10)] }, readFloats)) as [[number]];
      expect(first).toBe(10 + route.version);
      seen.push(route.version);
    }
  };
  const clients = Promise.all(Array.from({ length: 8 }, client));
  for (const version of [2, 1, 2, 1, 2]) await supervisor.load('m', version);
  done = true;
  await clients;
  expect(new Set(seen)).toEqual(new Set([1, 2]));
  expect(gateway.statistics('m')[0]!.fail.count).toBe(0);
  expect(supervisor.instances().map(({ version }) => version)).toEqual([2]);
});

test('a version that cannot be loaded is refused with a reason and the old one stays', async () => {
  const broken = { ...addOne, bytes: new TextEncoder().encode('not a model') };
  await using serving = await openServing({ m: [addOne, broken] });
  const { gateway, supervisor } = serving;
  await supervisor.load('m', 1);
  expect(await codeOf(supervisor.load('m', 2))).toContain("unavailable: Version 2 of 'm' cannot be loaded");
  expect(await gateway.infer(gateway.getRoute('m'), { inputs: [row(1)] }, readFloats)).toEqual([[2, 2, 2, 2]]);
  expect(gateway.isReady('m')).toBe(true);
  expect(gateway.isReady('m', 2)).toBe(false);
});

test('unloading ends the processes, and loading again serves', async () => {
  await using serving = await openServing({ m: [{ ...cnn, serving: { maxBatchSize: 16, instances: 2 } }] });
  const { gateway, supervisor } = serving;
  const image = floatTensor('image', [1, 1, 28, 28], new Array<number>(784).fill(0.5));
  await supervisor.load('m');
  const first = await gateway.infer(gateway.getRoute('m'), { inputs: [image] }, readFloats);
  const pids = supervisor.instances().map(({ pid }) => pid);
  expect(pids.length).toBe(2);
  await supervisor.unload('m');
  expect(supervisor.instances()).toEqual([]);
  for (const pid of pids) expect(() => process.kill(pid!, 0)).toThrow();
  expect(await codeOf((async () => gateway.getRoute('m'))())).toContain('is not at ready state');
  await supervisor.load('m');
  expect(await gateway.infer(gateway.getRoute('m'), { inputs: [image] }, readFloats)).toEqual(first);
});

test('a closed data plane refuses at once what was being computed', async () => {
  await using serving = await openServing({ m: [loops] });
  const { gateway, supervisor } = serving;
  await supervisor.load('m');
  const route = gateway.getRoute('m');
  await gateway.infer(route, { inputs: [iterations(1)] }, readFloats);
  const answers = [1_000_000, 1_000_000, 1].map((count) =>
    codeOf(gateway.infer(route, { inputs: [iterations(count)] }, readFloats)),
  );
  // Two are being computed and one waits.
  await Bun.sleep(20);
  gateway.close();
  for (const answer of answers) expect(await answer).toContain('is not at ready state');
});

test('an instance that cannot be reached at first is tried again', async () => {
  await using serving = await openServing({ m: [addOne] });
  const { gateway, supervisor, runFolder } = serving;
  await supervisor.load('m');
  const route = gateway.getRoute('m');
  const detour = join(runFolder, 'detour.sock');
  const plane = new Gateway({ ...serving.options, onHung: () => {} });
  const far = { ...route, instances: [{ ...route.instances[0]!, id: 'far', socketPath: detour }] };
  plane.apply(new Map([['m', { name: 'm', current: 1, existing: [1], versions: new Map([[1, far]]) }]]));
  const answer = plane.infer(plane.getRoute('m'), { inputs: [row(1)] }, readFloats);
  await Bun.sleep(150);
  symlinkSync(route.instances[0]!.socketPath, detour);
  expect(await answer).toEqual([[2, 2, 2, 2]]);
  plane.close();
});
