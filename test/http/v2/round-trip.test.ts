// Any tensor of any datatype through an identity model: JSON and binary, in every combination, gives the same values.
import { afterAll, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { type Datatype, datatypeBytes } from '../../../src/types.ts';
import { datatypes, elements, Harness, splitReply } from './harness.ts';

const harness = new Harness();
afterAll(() => harness.close());

/** NUL ends a string inside ONNX Runtime's binding. */
const words = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));

/** Wire form of a value list, written with DataView: no code is shared with what is tested. */
function wireForm(datatype: Datatype, values: (number | bigint | boolean | string)[]): Uint8Array {
  if (datatype === 'BYTES') return elements(...values.map(String));
  const size = datatypeBytes[datatype];
  const view = new DataView(new ArrayBuffer(size * values.length));
  for (const [i, value] of values.entries()) {
    if (datatype === 'FP32') view.setFloat32(i * size, Number(value), true);
    else if (datatype === 'FP64') view.setFloat64(i * size, Number(value), true);
    else if (size === 8) view.setBigInt64(i * size, BigInt.asIntN(64, BigInt(value)), true);
    else if (size === 4) view.setInt32(i * size, Number(value) | 0, true);
    else if (size === 2) view.setInt16(i * size, Number(value), true);
    else view.setInt8(i * size, Number(value));
  }
  return new Uint8Array(view.buffer);
}

const finite = { noNaN: true, noDefaultInfinity: true };
const valuesOf: Partial<Record<Datatype, fc.Arbitrary<number | bigint | boolean | string>>> = {
  BOOL: fc.boolean(),
  UINT8: fc.integer({ min: 0, max: 255 }),
  UINT16: fc.integer({ min: 0, max: 65535 }),
  UINT32: fc.integer({ min: 0, max: 4294967295 }),
  UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  INT8: fc.integer({ min: -128, max: 127 }),
  INT16: fc.integer({ min: -32768, max: 32767 }),
  INT32: fc.integer({ min: -2147483648, max: 2147483647 }),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  FP32: fc.float(finite),
  FP64: fc.double(finite),
  BYTES: words,
};

function jsonOf(value: number | bigint | boolean | string): string {
  if (Object.is(value, -0)) return '-0.0';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

for (const datatype of datatypes) {
  const value = valuesOf[datatype];
  if (!value) continue;
  test(`${datatype} in JSON`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 40 }), async (values) => {
        const data = values.map(jsonOf).join(',');
        const ask = (binary: boolean) =>
          harness.infer(
            `identity_${datatype}`,
            `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1,${values.length}],"data":[${data}]}],` +
              `"parameters":{"binary_data_output":${binary}}}`,
          );
        const { parts } = splitReply(await ask(true));
        expect(Buffer.from(parts[0]!)).toEqual(Buffer.from(wireForm(datatype, values)));

        // What came back as text, sent again, is the same tensor to the last bit.
        const text = Buffer.from((await ask(false)).bytes).toString();
        const outputs = text
          .slice(text.indexOf('"outputs"'), -1)
          .replace('"outputs"', '"inputs"')
          .replace('"y"', '"x"');
        const again = await harness.infer(
          `identity_${datatype}`,
          `{${outputs},"parameters":{"binary_data_output":true}}`,
        );
        expect(Buffer.from(splitReply(again).parts[0]!)).toEqual(Buffer.from(wireForm(datatype, values)));
      }),
      { numRuns: 150 },
    );
  });
}

for (const datatype of datatypes.filter((type) => type !== 'BYTES' && type !== 'BOOL')) {
  test(`${datatype} in binary`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 9 }), async (rows, columns) => {
        const content = crypto.getRandomValues(new Uint8Array(rows * columns * datatypeBytes[datatype]));
        const header = {
          inputs: [{ name: 'x', datatype, shape: [rows, columns], parameters: { binary_data_size: content.length } }],
          parameters: { binary_data_output: true },
        };
        const { json, parts } = splitReply(await harness.inferBinary(`identity_${datatype}`, header, [content]));
        expect(json.outputs[0]).toMatchObject({ datatype, shape: [rows, columns] });
        expect(Buffer.from(parts[0]!)).toEqual(Buffer.from(content));
      }),
      { numRuns: 40 },
    );
  });
}
