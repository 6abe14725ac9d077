// Small tensors share pieces of memory: each must keep its own numbers while others are read.
import { expect, test } from 'bun:test';

import { decodeRequest } from '../../../src/http/v2/infer-request.ts';

const nothing = new Uint8Array(0);

test('tensors of all sizes keep their numbers while others are read', () => {
  const sizes = [784, 784, 4096, 4097, 200, 20_000, 784, 16_384, 333];
  const requests = Array.from({ length: 60 }, (_, i) => {
    const values = Array.from({ length: sizes[i % sizes.length]! }, (__, k) => (k * 7 + i * 13) / 64 - i);
    const json = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [values.length], data: values }] });
    return { values, json: new TextEncoder().encode(json) };
  });
  const decoded = requests.map(({ json }) => decodeRequest('m', json, nothing, 1e9).inputs[0]!.bytes);
  for (const [i, { values }] of requests.entries()) {
    const { buffer, byteOffset, byteLength } = decoded[i]!;
    expect(new Float32Array(buffer, byteOffset, byteLength / 4)).toEqual(Float32Array.from(values));
  }
});

test('the largest number that is read from the bytes fits FP32, and one that does not is named', () => {
  const data = new Array<string>(300).fill('0.5');
  data[217] = '-999999999999999e22';
  const body = () =>
    new TextEncoder().encode(`{"inputs":[{"name":"x","datatype":"FP32","shape":[300],"data":[${data.join(',')}]}]}`);
  const { buffer, byteOffset } = decodeRequest('m', body(), nothing, 1e9).inputs[0]!.bytes;
  expect(new Float32Array(buffer, byteOffset, 300)[217]).toBe(Math.fround(-999999999999999e22));
  data[217] = '9e38';
  expect(() => decodeRequest('m', body(), nothing, 1e9)).toThrow("element 217 of the data of input 'x' for model 'm'");
});
