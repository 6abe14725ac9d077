// Thousands of malformed requests: whatever comes in, the answer is one that the protocol names, and nothing leaks.
import { afterAll, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { datatypeBytes } from '../../../src/types.ts';
import { datatypes, Harness, type Reply } from './harness.ts';

const harness = new Harness();
afterAll(() => harness.close());

/** 500 only for a model that fails while computing, and none of these can. */
const named = [200, 400, 404, 405, 413, 501, 503];

function expectNamed(reply: Reply): void {
  expect(named).toContain(reply.status);
  if (reply.status === 200) return;
  const json = reply.json();
  expect(Object.keys(json)).toEqual(['error']);
  expect(typeof json.error).toBe('string');
}

const models = ['fixed', 'simple', 'scalar', 'free', 'nobody', ...datatypes.map((type) => `identity_${type}`)];
const oddNumber = fc.oneof(
  fc.integer({ min: -2, max: 5 }),
  fc.double(),
  fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 63), 1e308, 9e15),
);
const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  oddNumber,
  fc.string({ unit: 'binary' }),
  fc.boolean(),
  fc.constant(null),
  fc.constant({}),
  fc.array(fc.integer({ min: -1, max: 300 }), { maxLength: 6 }),
  fc.jsonValue(),
);
/** Almost always what is right, sometimes anything, sometimes nothing. */
const mostly = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof(
    { arbitrary: right, weight: 40 },
    { arbitrary: oddValue, weight: 1 },
    { arbitrary: fc.constant(undefined), weight: 1 },
  );

const sometimes = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 9 }, { arbitrary: value, weight: 1 });

const parameters = fc.record({
  binary_data_output: sometimes(mostly(fc.boolean())),
  binary_data: sometimes(mostly(fc.boolean())),
  classification: sometimes(mostly(fc.integer({ min: 0, max: 4 }))),
  timeout: sometimes(mostly(fc.integer({ min: 0, max: 9 }))),
  priority: sometimes(mostly(fc.integer({ min: 0, max: 3 }))),
  sequence_id: sometimes(sometimes(oddValue)),
  triton_secret: sometimes(sometimes(oddValue)),
  ['__proto__']: sometimes(oddValue),
});

function valueOf(datatype: string): fc.Arbitrary<unknown> {
  if (datatype === 'BYTES') return fc.string({ unit: 'binary' });
  if (datatype === 'BOOL') return fc.boolean();
  return fc.oneof({ arbitrary: fc.integer({ min: 0, max: 127 }), weight: 9 }, { arbitrary: oddNumber, weight: 1 });
}

/** One input of an identity model, in JSON, with a few things wrong. */
function input(datatype: string): fc.Arbitrary<unknown> {
  return fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }), fc.integer({ min: -1, max: 1 }))
    .chain(([rows, columns, more]) => {
      const count = Math.max(0, rows * columns + (rows === 3 ? more : 0));
      const values = fc.array(valueOf(datatype), { minLength: count, maxLength: count });
      return fc.record({
        name: mostly(fc.constantFrom('x')),
        datatype: mostly(fc.constantFrom(datatype)),
        shape: mostly(fc.constant([rows, columns])),
        data: mostly(values),
        parameters: sometimes(fc.record({ binary_data_size: mostly(fc.integer({ min: 0, max: 40 })) })),
      });
    });
}

/** A model and a request for it. */
const jsonCall = fc.constantFrom(...datatypes, 'BF16').chain((datatype) =>
  fc.record({
    model: fc.constantFrom(`identity_${datatype}`, `identity_${datatype}`, 'fixed', 'free', 'simple', 'nobody'),
    body: fc.record({
      id: sometimes(mostly(fc.string())),
      inputs: mostly(fc.array(mostly(input(datatype)), { minLength: 1, maxLength: 1 })),
      outputs: sometimes(
        mostly(fc.array(mostly(fc.record({ name: mostly(fc.constant('y')), parameters })), { maxLength: 2 })),
      ),
      parameters: sometimes(mostly(parameters)),
    }),
  }),
);

/** A model, the JSON part of a request for it, and the bytes behind that. */
const binaryCall = fc.constantFrom(...datatypes).chain((datatype) =>
  fc.record({
    model: fc.constantFrom(`identity_${datatype}`, `identity_${datatype}`, 'free', 'scalar'),
    tail: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    body: fc.record({
      inputs: fc.constantFrom(0, 1, 2, 4, 7, 8, 9).map((size) => [
        {
          name: 'x',
          datatype,
          shape: [1, datatypeBytes[datatype] ? size / datatypeBytes[datatype] : 1],
          parameters: { binary_data_size: size },
        },
      ]),
      parameters: sometimes(mostly(parameters)),
    }),
  }),
);

test('JSON of the right form with wrong parts', async () => {
  await fc.assert(
    fc.asyncProperty(jsonCall, async ({ model, body }) => {
      expectNamed(await harness.infer(model, JSON.stringify(body)));
    }),
    { numRuns: 5000 },
  );
});

test('texts that are almost JSON', async () => {
  const good =
    '{"inputs":[{"name":"x","datatype":"FP32","shape":[4],"data":[1,2.5e0,-3,4]}],"parameters":{"timeout":5}}';
  const change = fc.record({
    at: fc.nat(good.length),
    cut: fc.nat(4),
    put: fc.string({ unit: 'binary', maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      let text = good;
      for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut);
      expectNamed(await harness.infer('fixed', text));
    }),
    { numRuns: 3000 },
  );
});

test('binary bodies whose parts do not fit', async () => {
  await fc.assert(
    fc.asyncProperty(binaryCall, fc.integer({ min: -40, max: 9 }), async ({ model, body, tail }, off) => {
      const length = Buffer.byteLength(JSON.stringify(body)) + Math.max(0, off);
      expectNamed(
        await harness.inferBinary(model, body, [tail], { 'inference-header-content-length': String(length) }),
      );
    }),
    { numRuns: 3000 },
  );
});

test('raw bodies, odd headers and any bytes at all', async () => {
  const headers = fc.record(
    {
      'inference-header-content-length': fc.constantFrom(
        '0',
        '1',
        '-1',
        '5',
        '0x5',
        '',
        '00',
        '1e1',
        '999999999999999999',
      ),
      'content-encoding': fc.constantFrom('gzip', 'deflate', 'br', 'identity', '', 'gzip;q=1'),
      'accept-encoding': fc.constantFrom('gzip', 'deflate;q=0', '*', 'q=', ',,;'),
      'content-length': fc.constantFrom('0', '5', 'x', '-1', '99999999999'),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...models),
      fc.uint8Array({ maxLength: 64 }),
      headers,
      async (model, body, odd) => {
        expectNamed(await harness.send('POST', `/v2/models/${model}/infer`, Buffer.from(body), odd));
      },
    ),
    { numRuns: 3000 },
  );
});

test('any path with any method', async () => {
  const part = fc.constantFrom(
    'models',
    'simple',
    'versions',
    '1',
    '-1',
    'x',
    'infer',
    'stats',
    'ready',
    'config',
    'health',
    'live',
    'repository',
    'index',
    'load',
    'unload',
    '',
    '%',
    '%2F',
    '..',
    '%00',
    '__proto__',
    '漢',
  );
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH');
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), method, async (parts, verb) => {
      const answer = await harness.handle(new Request('http://box/', { method: verb }), {
        pathname: `/v2/${parts.join('/')}`,
        search: '?a=b',
      });
      expect(named).toContain(answer!.status);
    }),
    { numRuns: 2000 },
  );
});

test('the same malformed requests again and again keep the memory where it is', async () => {
  const bodies = [
    '{"inputs":[{"name":"x","datatype":"FP32","shape":[9000000000000000],"data":[1]}]}',
    '{"inputs":[{"name":"x","datatype":"FP32","shape":[100000,100000],"data":[[1],[2]]}]}',
    `{"inputs":[{"name":"x","datatype":"BYTES","shape":[1,1],"data":["${'a'.repeat(20_000)}",1]}]}`,
    `[${'['.repeat(20_000)}`,
  ];
  const round = async (times: number) => {
    for (let i = 0; i < times; i++) {
      for (const body of bodies) expect((await harness.infer('free', body)).status).toBe(400);
    }
    Bun.gc(true);
    return process.memoryUsage().rss;
  };
  const before = await round(200);
  const after = await round(800);
  expect(after - before).toBeLessThan(64 * 1024 * 1024);
});
