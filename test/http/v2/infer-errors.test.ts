// Inference requests that are refused: the status and the text of every error that the protocol names.
import { afterAll, describe, expect, test } from 'bun:test';

import { elements, Harness, limits } from './harness.ts';

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

const textHeader = (size: number) => ({
  inputs: [{ name: 'x', datatype: 'BYTES', shape: [1, 2], parameters: { binary_data_size: size } }],
});

const deep = (levels: number) => `${'['.repeat(levels)}1${']'.repeat(levels)}`;

describe('an error', () => {
  const one = { name: 'x', datatype: 'FP32', shape: [1, 2] };
  const binary = (size: unknown) => ({ inputs: [{ ...one, parameters: { binary_data_size: size } }] });
  const texts: [string, string, unknown, number, string][] = [
    ['bad JSON', 'fixed', '{"inputs":[}', 400, 'failed to parse the request JSON'],
    ['NaN in JSON', 'fixed', '{"inputs":[NaN]}', 400, 'failed to parse the request JSON'],
    ['no body', 'fixed', '', 400, 'failed to parse the request JSON'],
    ['no object', 'fixed', '[]', 400, 'must be a JSON object'],
    ['no inputs', 'fixed', {}, 400, "'inputs' must be an array"],
    ['an input that is no object', 'fixed', { inputs: [1] }, 400, 'inputs[0] must be an object'],
    ['an input without a name', 'fixed', { inputs: [{}] }, 400, 'inputs[0] must have a name'],
    ['an unknown datatype', 'fixed', x('FP99', [], [4]), 400, 'unknown datatype'],
    ['a datatype by prototype', 'fixed', x('toString', [], [4]), 400, 'unknown datatype'],
    [
      'another datatype',
      'fixed',
      x('INT32', [1, 2, 3, 4], [4]),
      400,
      "data-type is 'INT32', but model 'fixed' expects 'FP32'",
    ],
    [
      'a wrong name',
      'simple',
      { inputs: [input('A'), input('B')] },
      400,
      "unexpected inference input 'A' for model 'simple'",
    ],
    [
      'too few inputs',
      'simple',
      { inputs: [input('INPUT0')] },
      400,
      "expected 2 inputs but got 1 inputs for model 'simple'",
    ],
    [
      'a wrong output',
      'simple',
      { ...pair, outputs: [{ name: 'O' }] },
      400,
      "unexpected inference output 'O' for model 'simple'",
    ],
    [
      'a wrong shape',
      'fixed',
      x('FP32', [1, 2, 3, 4, 5], [5]),
      400,
      "unexpected shape for input 'x' for model 'fixed'. Expected [4], got [5]",
    ],
    [
      'too large a batch',
      'scalar',
      x('FP32', [1, 2, 3, 4, 5], [5]),
      400,
      "inference request batch-size must be <= 4 for 'scalar'",
    ],
    [
      'too few data',
      'fixed',
      x('FP32', [1], [4]),
      400,
      "data of input 'x' for model 'fixed' has 1 elements, its shape [4] needs 4",
    ],
    ['too many data', 'fixed', x('FP32', [1, 2, 3, 4, 5], [4]), 400, 'has more than 4 elements, its shape [4] needs 4'],
    ['an impossible shape', 'fixed', x('FP32', [1], [9e15, 9e15]), 400, 'needs 8.1e+31'],
    ['a negative dimension', 'fixed', x('FP32', [1], [-1]), 400, 'must hold integers of 0 or more'],
    ['a fraction as dimension', 'fixed', x('FP32', [1], [1.5]), 400, 'must hold integers of 0 or more'],
    ['no shape', 'fixed', x('FP32', [1], undefined), 400, "'shape' of input 'x'"],
    ['data that is no array', 'fixed', x('FP32', 1, [1]), 400, 'must be an array'],
    [
      'data and binary data',
      'fixed',
      { inputs: [{ ...one, data: [], parameters: { binary_data_size: 8 } }] },
      400,
      "exactly one of 'data' and 'binary_data_size'",
    ],
    ['neither', 'fixed', { inputs: [one] }, 400, "exactly one of 'data' and 'binary_data_size'"],
    ['a size that is no number', 'fixed', binary('8'), 400, "'binary_data_size' must be an integer"],
    ['a negative size', 'fixed', binary(-8), 400, "'binary_data_size' must be an integer"],
    [
      'binary data without the header',
      'fixed',
      binary(8),
      400,
      "unexpected size for input 'x', expecting 8 additional bytes for model 'fixed'",
    ],
    [
      'parameters that are no object',
      'simple',
      { ...pair, parameters: [] },
      400,
      "'parameters' of the request must be an object",
    ],
    ['a reserved parameter', 'simple', { ...pair, parameters: { triton_x: 1 } }, 400, 'reserved'],
    ['a sequence', 'simple', { ...pair, parameters: { sequence_id: 7 } }, 400, 'sequence batching is not offered'],
    [
      'a named sequence',
      'simple',
      { ...pair, parameters: { sequence_id: 'a' } },
      400,
      'sequence batching is not offered',
    ],
    ['a negative timeout', 'simple', { ...pair, parameters: { timeout: -1 } }, 400, "'timeout' must be an integer"],
    [
      'a text for a boolean',
      'simple',
      { ...pair, parameters: { binary_data_output: 'yes' } },
      400,
      'must be true or false',
    ],
    ['an id that is no text', 'simple', { ...pair, id: 1 }, 400, "'id' must be a string"],
    [
      'shared memory',
      'fixed',
      { inputs: [{ ...one, data: [], parameters: { shared_memory_region: 'a' } }] },
      400,
      'not offered',
    ],
    [
      'a failing model',
      'gather',
      {
        inputs: [
          { name: 'table', datatype: 'FP32', shape: [4], data: [1, 2, 3, 4] },
          { name: 'index', datatype: 'INT64', shape: [1], data: [9] },
        ],
      },
      500,
      'indices element out of data bounds',
    ],
    ['an unknown model', 'nobody', pair, 404, "Request for unknown model: 'nobody' is not found"],
    [
      'an unknown version',
      'simple/versions/9',
      pair,
      404,
      "Request for unknown model: 'simple' version 9 is not found",
    ],
    ['a version that is no number', 'simple/versions/x', pair, 400, "specified version string 'x'"],
    [
      'a JSON tensor over its limit',
      'free',
      x(
        'FP32',
        Array.from({ length: 10_001 }, () => 1),
        [1, 10_001],
      ),
      413,
      'a JSON tensor may have 40000',
    ],
    ['a JSON part over its limit', 'free', ' '.repeat(limits.maxJsonBytes + 1), 413, 'larger than 100000 bytes'],
    ['a body over its limit', 'free', ' '.repeat(limits.maxBodyBytes + 1), 413, 'larger than 200000 bytes'],
  ];
  for (const [name, model, body, status, message] of texts) {
    test(`names ${name}`, async () => {
      const reply = await harness.infer(model, body);
      expect(reply.json().error).toContain(message);
      expect(Object.keys(reply.json())).toEqual(['error']);
      expect(reply.status).toBe(status);
    });
  }

  test('tells sizes of binary parts that do not fit', async () => {
    const four = new Uint8Array(Float32Array.of(1).buffer);
    const short = await harness.inferBinary('identity_FP32', binary(8), [four]);
    expect(short.json().error).toBe(
      "unexpected size for input 'x', expecting 4 additional bytes for model 'identity_FP32'",
    );
    const long = await harness.inferBinary('identity_FP32', binary(8), [four, four, four]);
    expect(long.json().error).toBe("unexpected additional input data for model 'identity_FP32'");
    const unlike = await harness.inferBinary('identity_FP32', binary(4), [four]);
    expect(unlike.json().error).toContain('needs 8 bytes, got 4');
    const cut = await harness.inferBinary('identity_BYTES', textHeader(5), [Uint8Array.of(9, 0, 0, 0, 1)]);
    expect(cut.json().error).toContain("incomplete string data for input 'x'");
    const fewer = await harness.inferBinary('identity_BYTES', textHeader(5), [elements('a')]);
    expect(fewer.json().error).toContain('unexpected number of string elements 1');
    const odd = { inputs: [{ name: 'x', datatype: 'BOOL', shape: [1, 1], parameters: { binary_data_size: 1 } }] };
    expect((await harness.inferBinary('identity_BOOL', odd, [Uint8Array.of(2)])).json().error).toContain(
      'must be 0 or 1',
    );
  });

  test('tells a header that is out of range', async () => {
    for (const length of ['99999', '-1', 'abc', '1.5', '1e3', '0x10', '9'.repeat(400)]) {
      const reply = await harness.infer('fixed', '{}', { 'inference-header-content-length': length });
      expect(reply.status).toBe(400);
      expect(reply.json().error).toContain('inference header size should be in range (0, 2)');
    }
  });

  test('tells JSON that is nested too deeply, wherever it is', async () => {
    for (const text of [deep(101), deep(40_000), `{"ignored":${deep(100)},"inputs":[]}`]) {
      const reply = await harness.infer('fixed', text);
      expect(reply.json().error).toContain('nested deeper than 100 levels');
    }
    const brackets = { id: '[{'.repeat(200), ...pair };
    expect((await harness.infer('simple', brackets)).status).toBe(200);
    const rows = await harness.infer(
      'free',
      x(
        'FP32',
        Array.from({ length: 200 }, () => [1, 2]),
        [200, 2],
      ),
    );
    expect(rows.status).toBe(200);
  });

  test('tells a version that is not ready', async () => {
    harness.serveIdentity('broken', 'FP32', [4]);
    harness.plane.setState('broken', 'failed', 'gave up');
    const reply = await harness.infer('broken', x('FP32', [1, 2, 3, 4], [4]));
    expect(reply.status).toBe(503);
    expect(reply.headers.get('retry-after')).toBe('1');
    expect(reply.json().error).toContain('is not at ready state');
  });
});
