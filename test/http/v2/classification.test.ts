import { afterAll, describe, expect, test } from 'bun:test';
// The classification extension against the rules that its clients know: order, ties, text of values, shapes.
import { existsSync } from 'node:fs';

import fc from 'fast-check';

import { AppError } from '../../../src/error.ts';
import { unpackStrings } from '../../../src/http/v2/bytes-tensor.ts';
import { classify } from '../../../src/http/v2/classification.ts';
import type { Datatype } from '../../../src/types.ts';
import { elements, Harness, splitReply } from './harness.ts';

const harness = new Harness();
afterAll(() => harness.close());

const python = '/usr/bin/python3';

function classes(values: { buffer: ArrayBufferLike; length: number }, datatype: Datatype, count: number): string[] {
  const output = { name: 'y', datatype, shape: [values.length], bytes: new Uint8Array(values.buffer) };
  return unpackStrings(classify(output, count, false).bytes)!;
}

function errorOf(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  throw new Error('no AppError was thrown');
}

const request = (outputs: unknown) => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 3], data: [1, 5, 3, 4, 4, -2.5] }],
  outputs: [{ name: 'y', parameters: outputs }],
});

describe('over the network', () => {
  test('rows of a batch have their own classes, with labels where there are some', async () => {
    const reply = await harness.infer('scores', request({ classification: 2 }));
    expect(reply.json().outputs).toEqual([
      {
        name: 'y',
        datatype: 'BYTES',
        shape: [2, 2],
        data: ['5.000000:1:dog', '3.000000:2', '4.000000:0:cat', '4.000000:1:dog'],
      } as never,
    ]);
  });

  test('more classes than there are means all of them', async () => {
    const reply = await harness.infer('scores', request({ classification: 99 }));
    expect(reply.json().outputs[0]).toMatchObject({ shape: [2, 3] });
  });

  test('binary too', async () => {
    const reply = await harness.infer('scores', request({ classification: 1, binary_data: true }));
    const { json, parts } = splitReply(reply);
    expect(json.outputs[0]).toMatchObject({ datatype: 'BYTES', shape: [2, 1] });
    expect(Buffer.from(parts[0]!)).toEqual(Buffer.from(elements('5.000000:1:dog', '4.000000:0:cat')));
  });

  test('a model without batches is indexed as a whole', async () => {
    const reply = await harness.infer('free', request({ classification: 2 }));
    expect(reply.json().outputs[0]).toMatchObject({ shape: [2], data: ['5.000000:1', '4.000000:3'] });
  });

  test('only for numbers', async () => {
    const reply = await harness.infer('identity_BOOL', {
      inputs: [{ name: 'x', datatype: 'BOOL', shape: [1, 1], data: [true] }],
      outputs: [{ name: 'y', parameters: { classification: 1 } }],
    });
    expect(reply.status).toBe(400);
    expect(reply.json().error).toContain("not available for output 'y' due to unsupported type 'BOOL'");
  });
});

describe('the size of the answer', () => {
  const zeros = (...shape: number[]) => {
    const values = new Float32Array(shape.reduce((a, b) => a * b));
    return { name: 'y', datatype: 'FP32' as const, shape, bytes: new Uint8Array(values.buffer) };
  };

  test('is limited, all rows together', () => {
    expect(classify(zeros(100_000), 1e9, false).shape).toEqual([100_000]);
    expect(classify(zeros(50_000, 3), 2, true).shape).toEqual([50_000, 2]);
    for (const tooMany of [() => classify(zeros(100_001), 1e9, false), () => classify(zeros(50_000, 3), 3, true)]) {
      expect(tooMany).toThrow(/^class result for output 'y' would have \d+ entries, at most 100000 are given$/);
    }
  });

  test('over it is an error of the request that says what to do', () => {
    const { code, hint } = errorOf(() => classify(zeros(4_000_000), 1e9, false));
    expect(code).toBe('invalid');
    expect(hint).toContain('take the tensor itself');
  });
});

describe('values', () => {
  test('the highest few are those of all, sorted, in every order and with ties and NaN', () => {
    const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(NaN, Infinity, -Infinity, 0.5));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 40 }), fc.nat(40), (list, count) => {
        const rank = (each: number) =>
          Number.isNaN(each) ? 0 : each === -Infinity ? 1 : each === Infinity ? 99 : each + 9;
        // Sorting is stable, so the lower index stays first.
        const sorted = [...list.keys()].sort((a, b) => rank(list[b]!) - rank(list[a]!)).slice(0, count);
        const shown = classes(Float64Array.from(list), 'FP64', count);
        expect(shown.map((text) => Number(text.split(':')[1]))).toEqual(sorted);
      }),
      { numRuns: 2000 },
    );
  });

  test('integers are whole, 64-bit ones to the last digit, equal ones by index', () => {
    expect(classes(Int8Array.of(3, -128, 127, 3), 'INT8', 4)).toEqual(['127:2', '3:0', '3:3', '-128:1']);
    expect(classes(BigInt64Array.of(2n ** 53n, 2n ** 53n + 1n), 'INT64', 1)).toEqual(['9007199254740993:1']);
    expect(classes(BigUint64Array.of(1n, 2n ** 64n - 1n), 'UINT64', 1)).toEqual(['18446744073709551615:1']);
  });

  test('NaN is lowest, and there may be nothing else', () => {
    expect(classes(Float32Array.of(NaN, -Infinity, 2), 'FP32', 3)).toEqual(['2.000000:2', '-inf:1', 'nan:0']);
    expect(classes(Float64Array.of(NaN, NaN), 'FP64', 2)).toEqual(['nan:0', 'nan:1']);
  });

  test('none of none', () => {
    expect(classes(new Float32Array(), 'FP32', 3)).toEqual([]);
  });

  test.skipIf(!existsSync(python))("floats look as C's %f writes them (needs python3)", () => {
    const values = Float32Array.from({ length: 4000 }, (_, i) => {
      if (i < 1000) return (i - 500) / 128;
      return (Math.random() - 0.5) * 10 ** (Math.floor(i / 100) - 20);
    });
    const shown = classes(values, 'FP32', values.length);
    const script =
      'import sys, array; a = array.array("f", sys.stdin.buffer.read()); print("\\n".join("%f" % v for v in a))';
    const reference = Bun.spawnSync([python, '-c', script], { stdin: new Uint8Array(values.buffer) }).stdout.toString();
    const expected = reference.trimEnd().split('\n');
    expect(shown).toHaveLength(expected.length);
    for (const text of shown) {
      const [value, index] = text.split(':');
      expect(value).toBe(expected[Number(index)]);
    }
  });
});
