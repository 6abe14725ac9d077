// Tensors lie in memory that goes from request to request: each must keep its own numbers while others are read.
import { expect, test } from 'bun:test';

import { giveBack } from '../../../src/http/v2/float-pool.ts';
import { decodeRequest } from '../../../src/http/v2/infer-request.ts';

const nothing = new Uint8Array(0);

test('tensors of all sizes keep their numbers while others are read', () => {
  const sizes = [784, 784, 4096, 4097, 200, 20_000, 784, 16_384, 333];
  const requests = Array.from({ length: 60 }, (_, i) => {
    const values = Array.from({ length: sizes[i % sizes.length]! }, (__, k) => (k * 7 + i * 13) / 64 - i);
    const json = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [values.length], data: values }] });
    return { values, json: new TextEncoder().encode(json) };
  });
  const decode = ({ json }: { json: Uint8Array }) => decodeRequest('m', json, nothing, 1e9);
  const check = (decoded: ReturnType<typeof decode>, values: number[]) => {
    const { buffer, byteOffset, byteLength } = decoded.inputs[0]!.bytes;
    expect(new Float32Array(buffer, byteOffset, byteLength / 4)).toEqual(Float32Array.from(values));
  };
  const early = requests.map(decode);
  for (const [i, { values }] of requests.entries()) check(early[i]!, values);
  // Every other one is answered: its memory goes to those that follow, the rest must not change.
  for (const [i, { borrowed }] of early.entries()) if (i % 2 === 0) borrowed.forEach(giveBack);
  const late = requests.map(decode);
  for (const [i, { values }] of requests.entries()) {
    check(late[i]!, values);
    if (i % 2 === 1) check(early[i]!, values);
  }
  expect(new Set([...early.filter((_, i) => i % 2 === 1), ...late].map(({ inputs }) => inputs[0]!.bytes)).size).toBe(
    90,
  );
});

test('memory of sizes that are no longer asked for does not keep others out', () => {
  const bodyOf = (count: number) =>
    new TextEncoder().encode(
      `{"inputs":[{"name":"x","datatype":"FP32","shape":[${count}],"data":[${new Array(count).fill('1.5').join(',')}]}]}`,
    );
  const [large, small] = [bodyOf(3_000_000), bodyOf(500)];
  for (let round = 0; round < 3; round++) {
    const decoded = [large, small].map((json) => decodeRequest('m', json, nothing, 1e9));
    for (const { borrowed } of decoded) borrowed.forEach(giveBack);
  }
  const { bytes } = decodeRequest('m', small, nothing, 1e9).inputs[0]!;
  const again = decodeRequest('m', small, nothing, 1e9);
  expect(again.inputs[0]!.bytes).not.toBe(bytes);
  again.borrowed.forEach(giveBack);
  expect(decodeRequest('m', small, nothing, 1e9).inputs[0]!.bytes).toBe(again.inputs[0]!.bytes);
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
