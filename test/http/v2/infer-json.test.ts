// Inference with JSON tensors: what a request may say, and every datatype's values there and back.
import { afterAll, describe, expect, test } from 'bun:test';

import { elements, Harness } from './harness.ts';

const harness = new Harness();
afterAll(() => harness.close());

const numbers = Array.from({ length: 16 }, (_, i) => i);
const input = (name: string, data: unknown = numbers, shape = [1, 16]) => ({ name, shape, datatype: 'INT32', data });
const pair = {
  inputs: [
    input('INPUT0'),
    input(
      'INPUT1',
      numbers.map(() => 1),
    ),
  ],
};
const x = (datatype: string, data: unknown, shape: unknown) => ({ inputs: [{ name: 'x', datatype, shape, data }] });

describe('a JSON request', () => {
  test('is answered with all outputs, the model and the version', async () => {
    const reply = await harness.infer('simple', { id: 'a "1"', ...pair });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('application/json');
    expect(reply.headers.get('inference-header-content-length')).toBeNull();
    expect(reply.json()).toEqual({
      id: 'a "1"',
      model_name: 'simple',
      model_version: '1',
      outputs: [
        { name: 'OUTPUT0', datatype: 'INT32', shape: [1, 16], data: numbers.map((i) => i + 1) },
        { name: 'OUTPUT1', datatype: 'INT32', shape: [1, 16], data: numbers.map((i) => i - 1) },
      ],
    } as never);
  });

  test('is not mistaken for one that differs from it in its numbers, or in anything else', async () => {
    const values = (from: number) => Array.from({ length: 200 }, (_, i) => from + i / 8);
    const ask = async (from: number, rest: object, model = 'identity_FP32') => {
      const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 200], data: values(from) }];
      const reply = (await harness.infer(model, { ...rest, inputs })).json() as unknown as Record<string, unknown>;
      return [reply.id, reply.model_name, reply.outputs] as unknown;
    };
    const want = (from: number, id?: string, model = 'identity_FP32') => [
      id,
      model,
      [{ name: 'y', datatype: 'FP32', shape: [1, 200], data: values(from) }],
    ];
    expect(await ask(1, {})).toEqual(want(1));
    expect(await ask(2, {})).toEqual(want(2));
    expect(await ask(3, { id: 'a' })).toEqual(want(3, 'a'));
    expect(await ask(4, { id: 'a' }, 'free')).toEqual(want(4, 'a', 'free'));
    expect(await ask(5, { id: 'b' })).toEqual(want(5, 'b'));
    const both = await Promise.all([ask(6, { id: 'b' }), ask(7, { id: 'b' }), ask(8, {})]);
    expect(both).toEqual([want(6, 'b'), want(7, 'b'), want(8)]);
  });

  test('is answered with the headers of its own, however many come at once', async () => {
    const path = '/v2/models/simple/infer';
    const ask = async (id: string, headers: Record<string, string>) => {
      const request = new Request(`http://box${path}`, { method: 'POST', body: JSON.stringify(pair), headers });
      const answer = await harness.handle(request, path, () => undefined, id);
      return ['x-request-id', 'content-encoding', 'vary', 'x-content-type-options'].map((name) =>
        answer!.headers.get(name),
      );
    };
    const gzip = { 'accept-encoding': 'gzip' };
    expect(await Promise.all([ask('a', {}), ask('b', gzip), ask('c', {}), ask('d', gzip), ask('e', {})])).toEqual([
      ['a', null, null, 'nosniff'],
      ['b', 'gzip', 'Accept-Encoding', 'nosniff'],
      ['c', null, null, 'nosniff'],
      ['d', 'gzip', 'Accept-Encoding', 'nosniff'],
      ['e', null, null, 'nosniff'],
    ]);
  });

  test('has an id in the answer only if it has one itself, and may name a version', async () => {
    const reply = await harness.send('POST', '/v2/models/simple/versions/1/infer', JSON.stringify(pair));
    expect(reply.status).toBe(200);
    expect('id' in reply.json()).toBe(false);
  });

  test('gets the outputs it lists, in that order; an empty list means all', async () => {
    const swapped = await harness.infer('simple', { ...pair, outputs: [{ name: 'OUTPUT1' }, { name: 'OUTPUT0' }] });
    expect(swapped.json().outputs.map(({ name }) => name)).toEqual(['OUTPUT1', 'OUTPUT0']);
    const all = await harness.infer('simple', { ...pair, outputs: [] });
    expect(all.json().outputs).toHaveLength(2);
  });

  test('may nest its data', async () => {
    const nested = await harness.infer(
      'identity_INT32',
      x(
        'INT32',
        [
          [[1], [2]],
          [[3], [4]],
        ],
        [2, 2],
      ),
    );
    expect(nested.json().outputs[0]).toMatchObject({ shape: [2, 2], data: [1, 2, 3, 4] });
  });

  test('takes models whose names need percent-encoding', async () => {
    const reply = await harness.infer('a%2Fb%20c', x('FP32', [1, 2], [2]));
    expect(reply.json()).toMatchObject({ model_name: 'a/b c' });
  });

  test('passes timeout and priority on', async () => {
    const parameters = { timeout: 1500, priority: 2, headers: { a: 'b' }, sequence_id: 0, mine: 'ignored' };
    expect((await harness.infer('simple', { ...pair, parameters })).status).toBe(200);
    expect(harness.plane.lastCall).toMatchObject({ timeoutUs: 1500, priority: 2 });
  });

  test('may hold hostile names without harm', async () => {
    const reply = await harness.infer('fixed', '{"__proto__":{"polluted":1},"constructor":1,"inputs":[]}');
    expect(reply.status).toBe(400);
    expect('polluted' in {}).toBe(false);
    const proto = await harness.infer('fixed', {
      inputs: [{ name: '__proto__', datatype: 'FP32', shape: [4], data: [1, 2, 3, 4] }],
    });
    expect(proto.json().error).toContain("unexpected inference input '__proto__' for model 'fixed'");
  });
});

const text = (type: string, data: string[]) =>
  `{"inputs":[{"name":"x","datatype":"${type}","shape":[1,${data.length}],"data":[${data.join(',')}]}]}`;

describe('values in JSON', () => {
  const cases: Record<string, unknown[]> = {
    BOOL: [true, false],
    UINT8: [0, 255],
    UINT16: [0, 65535],
    UINT32: [0, 4294967295],
    INT8: [-128, 127],
    INT16: [-32768, 32767],
    INT32: [-2147483648, 2147483647],
    INT64: [-9007199254740991, 4294967296],
    UINT64: [0, 9007199254740991],
    FP32: [-1.5, 0.1],
    FP64: [Number.MAX_VALUE, 5e-324],
    BYTES: ['', 'häß\u0001"\uFEFF漢😀'],
  };
  for (const [datatype, data] of Object.entries(cases)) {
    test(`${datatype} come back as they are`, async () => {
      const reply = await harness.infer(`identity_${datatype}`, x(datatype, data, [1, 2]));
      expect(reply.json()).toMatchObject({ outputs: [{ datatype, shape: [1, 2], data }] });
    });
  }

  test('a byte order mark at the start of an element belongs to it', async () => {
    const body = { ...x('BYTES', ['\uFEFFa'], [1, 1]), outputs: [{ name: 'y', parameters: { binary_data: true } }] };
    await harness.infer('identity_BYTES', body);
    expect(harness.plane.lastCall!.inputs[0]!.bytes).toEqual(elements('\uFEFFa'));
  });

  test('64-bit integers keep every digit', async () => {
    const long = ['9223372036854775807', '-9223372036854775808', '9007199254740993', '1000000000000000000'];
    const signed = await harness.infer('identity_INT64', text('INT64', long));
    expect(Buffer.from(signed.bytes).toString()).toContain(`"data":[${long.join(',')}]`);
    const unsigned = await harness.infer('identity_UINT64', text('UINT64', ['18446744073709551615', '1e18']));
    expect(Buffer.from(unsigned.bytes).toString()).toContain('"data":[18446744073709551615,1000000000000000000]');
    const float = await harness.infer('identity_FP32', text('FP32', ['12345678901234567890']));
    expect(float.json().outputs[0]!.data).toEqual([12345679000000000000]);
  });

  test('negative zero keeps its sign', async () => {
    for (const datatype of ['FP32', 'FP64']) {
      const text = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1,2],"data":[-0.0,0]}]}`;
      const reply = await harness.infer(`identity_${datatype}`, text);
      expect(Buffer.from(reply.bytes).toString()).toContain('"data":[-0.0,0]');
    }
  });

  test('booleans may be 0 and 1', async () => {
    const reply = await harness.infer('identity_BOOL', x('BOOL', [0, 1], [1, 2]));
    expect(reply.json().outputs[0]!.data).toEqual([false, true]);
  });

  const wrong: [string, string, string][] = [
    ['UINT8', '256', 'an integer in 0…255'],
    ['UINT8', '-1', 'an integer in 0…255'],
    ['INT8', '1.5', 'an integer in -128…127'],
    ['INT32', '"1"', 'an integer'],
    ['INT32', '{}', 'an integer'],
    ['INT32', '0,[1]', 'an integer'],
    ['INT32', 'null', 'an integer'],
    ['INT64', '9223372036854775808', 'an integer'],
    ['INT64', '0.5', 'an integer'],
    ['UINT64', '-1', 'an integer'],
    ['UINT64', '18446744073709551616', 'an integer'],
    ['FP32', '1e39', 'a number that fits FP32'],
    ['FP32', '3.4028235677973366e38', 'a number that fits FP32'],
    ['FP32', '1e400', 'a number that fits FP32'],
    ['FP64', '1e400', 'a number that fits FP64'],
    ['FP64', 'true', 'a number that fits FP64'],
    ['BOOL', '2', 'true or false'],
    ['BYTES', '1', 'a string'],
    ['BYTES', '"\\ud800"', 'a string of well-formed Unicode'],
  ];
  for (const [datatype, value, message] of wrong) {
    test(`${value} is no ${datatype}`, async () => {
      const text = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1,${value.split(',').length}],"data":[${value}]}]}`;
      const reply = await harness.infer(`identity_${datatype}`, text);
      expect(reply.status).toBe(400);
      expect(reply.json().error).toContain("the data of input 'x'");
      expect(reply.json().error).toContain(message);
    });
  }

  test('NaN, infinities, FP16 and broken UTF-8 have no JSON form, and the error names the output', async () => {
    const bytes: Record<string, Uint8Array> = {
      FP32: new Uint8Array(Float32Array.of(NaN).buffer),
      FP64: new Uint8Array(Float64Array.of(-Infinity).buffer),
      FP16: new Uint8Array([0, 60]),
    };
    for (const [datatype, content] of Object.entries(bytes)) {
      const header = {
        inputs: [{ name: 'x', datatype, shape: [1, 1], parameters: { binary_data_size: content.length } }],
      };
      const reply = await harness.inferBinary(`identity_${datatype}`, header, [content]);
      expect(reply.status).toBe(400);
      expect(reply.json().error).toMatch(/output 'y' .*binary data/);
    }
    const reply = await harness.infer('identity_FP16', x('FP16', [1], [1, 1]));
    expect(reply.json().error).toMatch(/FP16, which has no JSON form/);
    const bf16 = await harness.infer('identity_FP32', x('BF16', [1], [1, 1]));
    expect(bf16.json().error).toMatch(/BF16, which has no JSON form/);
  });
});
