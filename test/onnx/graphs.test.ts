// The models that other tests are built on: valid for Python's checker, and each computes what it says.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { messageOf } from '../../src/error.ts';
import { openSession, type OrtTensor, toOrt } from '../../src/inference/session.ts';
import { prepareNative } from '../../src/native.ts';
import type { Datatype } from '../../src/types.ts';
import * as graphs from '../support/graphs.ts';
import { askPython, hasReference, whyNoReference } from './samples.ts';

let folder = '';
let nativeFolder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aimass-graphs-'));
  nativeFolder = await prepareNative(join(folder, 'native'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const big = graphs.bigWeights(2, false)['model.onnx']!;
const models: Record<string, Uint8Array> = {
  smallCnn: graphs.smallCnn(),
  identity: graphs.identity('FP16', ['N', 3]),
  scalar: graphs.identity('FP64', []),
  addSub: graphs.addSub(),
  addScalar: graphs.addScalar(2),
  strings: graphs.strings(),
  nonZero: graphs.nonZero(),
  noBatch: graphs.noBatch(),
  twoInputs: graphs.twoInputs(),
  loop: graphs.loop(),
  slow: graphs.slow(3),
  failing: graphs.failing(),
  linear: graphs.linear([[1, 2]], [3]),
  softmaxLinear: graphs.softmaxLinear([[1], [2]], [0, 0]),
  bigWeights: big,
};

const checker = `
import json, sys, onnx
bad = {}
for path in json.load(sys.stdin):
    try: onnx.checker.check_model(onnx.load(path), full_check=True)
    except Exception as e: bad[path] = str(e)
print(json.dumps(bad))
`;

test.skipIf(!hasReference)(`Python's checker accepts them all (${whyNoReference})`, async () => {
  const paths: string[] = [];
  for (const [name, bytes] of Object.entries(models)) {
    const path = join(folder, `${name}.onnx`);
    await Bun.write(path, bytes);
    paths.push(path);
  }
  for (const [name, bytes] of Object.entries(graphs.bigWeights(1, true))) await Bun.write(join(folder, name), bytes);
  expect(await askPython<object>(checker, [...paths, join(folder, 'model.onnx')])).toEqual({});
});

type Given = [datatype: Datatype, shape: number[], data: ArrayBufferView];

async function run(bytes: Uint8Array, inputs: Record<string, Given>): Promise<Record<string, OrtTensor>> {
  const path = join(folder, `${Bun.hash(bytes)}.onnx`);
  await Bun.write(path, bytes);
  const session = openSession(path, { threads: 1, nativeFolder });
  try {
    const feeds = Object.entries(inputs).map(([name, [datatype, shape, data]]) => {
      const view = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      return [name, toOrt(datatype, shape, view)] as const;
    });
    const fetches = Object.fromEntries(session.signature.outputs.map(({ name }) => [name, null]));
    return session.run(Object.fromEntries(feeds), fetches);
  } finally {
    session.dispose();
  }
}

const numbers = (tensor: OrtTensor | undefined) => Array.from(tensor!.data as Float32Array, Number);

describe('each computes what it says', () => {
  test('sums, differences and products', async () => {
    const ones = new Int32Array(16).fill(1);
    const twos = new Int32Array(16).fill(2);
    const both = await run(models.addSub!, { INPUT0: ['INT32', [1, 16], ones], INPUT1: ['INT32', [1, 16], twos] });
    expect(numbers(both.OUTPUT0)).toEqual(Array(16).fill(3));
    expect(numbers(both.OUTPUT1)).toEqual(Array(16).fill(-1));
    const added = await run(models.addScalar!, { input: ['FP32', [1, 4], new Float32Array([1, 2, 3, 4])] });
    expect(numbers(added.output)).toEqual([3, 4, 5, 6]);
    const product = await run(models.twoInputs!, {
      left: ['FP32', [1, 3], new Float32Array([1, 2, 3])],
      right: ['INT64', [1, 1], new BigInt64Array([5n])],
    });
    expect(numbers(product.output)).toEqual([5, 10, 15]);
    const linear = await run(models.linear!, { input: ['FP32', [2, 2], new Float32Array([1, 1, 2, 3])] });
    expect(numbers(linear.output)).toEqual([6, 11]);
    const doubled = await run(models.noBatch!, { input: ['FP32', [2, 3], new Float32Array(6).fill(4)] });
    expect(numbers(doubled.output)).toEqual(Array(6).fill(8));
  });

  test('probabilities sum to one', async () => {
    const { probabilities } = await run(models.softmaxLinear!, { input: ['FP32', [1, 1], new Float32Array([3])] });
    const [first, second] = numbers(probabilities);
    expect(first! + second!).toBeCloseTo(1, 6);
    expect(Math.log(second! / first!)).toBeCloseTo(3, 5);
  });

  test('the small CNN scores ten classes for each image', async () => {
    const images = graphs.seeded(2 * 784, 1);
    const { scores } = await run(models.smallCnn!, { image: ['FP32', [2, 1, 28, 28], images] });
    expect(scores!.dims).toEqual([2, 10]);
    expect(new Set(numbers(scores)).size).toBe(20);
  });

  test('the number of positions that are not zero depends on the data', async () => {
    const { output } = await run(models.nonZero!, { input: ['FP32', [4], new Float32Array([0, 5, 0, 7])] });
    expect(output!.dims).toEqual([1, 2]);
    expect(numbers(output)).toEqual([1, 3]);
  });

  test('the loop and the slow model hand their input through', async () => {
    const asked = await run(models.loop!, { iterations: ['INT64', [2, 1], new BigInt64Array([3n, 50n])] });
    expect(numbers(asked.output)).toEqual([3, 50]);
    const slow = await run(models.slow!, { input: ['FP32', [1, 4], new Float32Array([1, 2, 3, 4])] });
    expect(numbers(slow.output)).toEqual([1, 2, 3, 4]);
  });

  test('the failing model fails for some inputs only', async () => {
    const input: Given = ['FP32', [1, 4], new Float32Array([1, 2, 3, 4])];
    const { output } = await run(models.failing!, { input, index: ['INT64', [1, 1], new BigInt64Array([2n])] });
    expect(numbers(output)).toEqual([3]);
    const outside = run(models.failing!, { input, index: ['INT64', [1, 1], new BigInt64Array([9n])] });
    expect(await outside.catch(messageOf)).toMatch(/index/i);
  });

  test('big weights are the same inside the model and beside it', async () => {
    const row: Given = ['INT64', [1], new BigInt64Array([100n])];
    const inside = await run(big, { row });
    expect(numbers(inside.output)).toEqual(Array(256).fill(3));
    const { 'model.onnx': file, 'weights.bin': weights } = graphs.bigWeights(2, true);
    await Bun.write(join(folder, 'weights.bin'), weights!);
    expect(numbers((await run(file!, { row })).output)).toEqual(Array(256).fill(3));
    expect(file!.length).toBeLessThan(1000);
  });
});
