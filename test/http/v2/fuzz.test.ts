// Thousands of malformed requests: whatever comes in, the answer is one that the protocol names, and nothing leaks.
import { afterAll, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { binaryCall, jsonCall } from '../../support/malformed.ts';
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
      const answer = await harness.handle(
        new Request('http://box/', { method: verb }),
        `/v2/${parts.join('/')}`,
        () => undefined,
        'id',
      );
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
