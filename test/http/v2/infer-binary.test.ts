// Inference with binary tensors behind the JSON, and raw requests.
import { afterAll, describe, expect, test } from 'bun:test';

import { type Datatype, datatypeBytes } from '../../../src/types.ts';
import { datatypes, elements, Harness, splitReply } from './harness.ts';

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
const int32 = (values: number[]) => new Uint8Array(Int32Array.from(values).buffer);
const x = (datatype: string, data: unknown, shape: unknown) => ({ inputs: [{ name: 'x', datatype, shape, data }] });

describe('binary tensors', () => {
  test('go both ways, as the Triton client for Python sends and reads them', async () => {
    const header = {
      inputs: ['INPUT0', 'INPUT1'].map((name) => ({
        name,
        shape: [1, 16],
        datatype: 'INT32',
        parameters: { binary_data_size: 64 },
      })),
      outputs: ['OUTPUT0', 'OUTPUT1'].map((name) => ({ name, parameters: { binary_data: true } })),
    };
    const reply = await harness.inferBinary('simple', header, [int32(numbers), int32(numbers)]);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('application/octet-stream');
    const { json, parts } = splitReply(reply);
    expect(json.outputs[0]).toEqual({
      name: 'OUTPUT0',
      datatype: 'INT32',
      shape: [1, 16],
      parameters: { binary_data_size: 64 },
    } as never);
    expect(parts[0]).toEqual(int32(numbers.map((i) => 2 * i)));
    expect(parts[1]).toEqual(int32(numbers.map(() => 0)));
  });

  test('and JSON mix: per input, per output, and by the default for outputs not listed', async () => {
    const mixed = [
      { name: 'INPUT0', shape: [1, 16], datatype: 'INT32', parameters: { binary_data_size: 64 } },
      input('INPUT1'),
    ];
    const listed = await harness.inferBinary(
      'simple',
      {
        inputs: mixed,
        parameters: { binary_data_output: true },
        outputs: [{ name: 'OUTPUT0', parameters: { binary_data: false } }, { name: 'OUTPUT1' }],
      },
      [int32(numbers)],
    );
    const { json, parts } = splitReply(listed);
    expect(json.outputs[0]!.data).toEqual(numbers.map((i) => 2 * i));
    expect(parts[1]).toEqual(int32(numbers.map(() => 0)));
    const unlisted = await harness.infer('simple', { ...pair, parameters: { binary_data_output: true } });
    expect(splitReply(unlisted).parts[0]).toEqual(int32(numbers.map((i) => i + 1)));
  });

  test('of no elements are legal, and an answer without binary bytes has no header', async () => {
    const header = {
      inputs: [{ name: 'x', shape: [1, 0], datatype: 'FP32', parameters: { binary_data_size: 0 } }],
      outputs: [{ name: 'y', parameters: { binary_data: true } }],
    };
    const reply = await harness.inferBinary('identity_FP32', header, []);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('inference-header-content-length')).toBeNull();
    expect(reply.headers.get('content-type')).toBe('application/json');
    expect(reply.json().outputs[0]).toMatchObject({ shape: [1, 0], parameters: { binary_data_size: 0 } });
    const inJson = await harness.infer('identity_FP32', x('FP32', [], [1, 0]));
    expect(inJson.json().outputs[0]).toMatchObject({ shape: [1, 0], data: [] });
  });

  test('keep NaN, infinities and every bit', async () => {
    const content = new Uint8Array(Float32Array.of(NaN, -Infinity, -0, 1e-45).buffer);
    const header = {
      inputs: [{ name: 'x', shape: [1, 4], datatype: 'FP32', parameters: { binary_data_size: 16 } }],
      parameters: { binary_data_output: true },
    };
    const { parts } = splitReply(await harness.inferBinary('identity_FP32', header, [content]));
    expect(parts[0]).toEqual(content);
  });
});

const raw = (model: string, body: Uint8Array) =>
  harness.send('POST', `/v2/models/${model}/infer`, body, {
    'inference-header-content-length': '0',
  });

describe('a raw request', () => {
  test('is the one input; its variable dimension follows from the size, the batch is 1', async () => {
    const { json, parts } = splitReply(await raw('identity_FP32', new Uint8Array(Float32Array.of(1, 2, 3).buffer)));
    expect(json.outputs[0]).toMatchObject({ shape: [1, 3], parameters: { binary_data_size: 12 } });
    expect(parts[0]).toEqual(new Uint8Array(Float32Array.of(1, 2, 3).buffer));
  });

  test('of BYTES is one element without its length', async () => {
    const { parts } = splitReply(await raw('identity_BYTES', Buffer.from('whole body')));
    expect(Buffer.from(parts[0]!)).toEqual(Buffer.from(elements('whole body')));
  });

  test('is refused where the input cannot be deduced', async () => {
    expect((await raw('simple', new Uint8Array(64))).json().error).toContain('Raw request must only have 1 input');
    expect((await raw('free', new Uint8Array(16))).json().error).toContain('more than one variable-sized dimension');
    expect((await raw('fixed', new Uint8Array(15))).json().error).toContain(
      "unexpected size for input 'x' for model 'fixed'",
    );
    expect((await raw('identity_FP32', new Uint8Array(5))).json().error).toContain('unexpected size');
  });
});

test('every datatype goes through as binary, wherever its bytes start in the body', async () => {
  const contents: Partial<Record<Datatype, Uint8Array>> = {
    BOOL: Uint8Array.of(1, 0),
    FP16: Uint8Array.of(0, 60, 1, 0),
    BYTES: elements('ab', ''),
  };
  for (const datatype of datatypes) {
    const content = contents[datatype] ?? crypto.getRandomValues(new Uint8Array(2 * datatypeBytes[datatype]));
    for (const pad of ['', ' ', '  ', '   ', '    ', '     ', '      ', '       ']) {
      const header = {
        id: pad,
        inputs: [{ name: 'x', datatype, shape: [1, 2], parameters: { binary_data_size: content.length } }],
        parameters: { binary_data_output: true },
      };
      const { json, parts } = splitReply(await harness.inferBinary(`identity_${datatype}`, header, [content]));
      expect(json.outputs[0]).toMatchObject({ datatype, shape: [1, 2] });
      expect(Buffer.from(parts[0]!)).toEqual(Buffer.from(content));
    }
  }
});
