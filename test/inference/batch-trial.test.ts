// Which models batch, decided by running them.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import * as graphs from '../support/graphs.ts';
import { build, floats, int64s, node, value } from '../support/graphs.ts';
import { Inspecting, relu, through } from './inspecting.ts';

let inspecting: Inspecting;
beforeAll(async () => {
  inspecting = await Inspecting.open();
});
afterAll(() => inspecting.close());

describe('batching', () => {
  const axis0 = { keepdims: 1n, axes: [0] };
  const cases: [string, boolean, Uint8Array][] = [
    ['a sum of two inputs', true, graphs.addSub()],
    ['a string model', true, graphs.strings()],
    ['softmax over the classes', true, graphs.softmaxLinear([[1], [2]], [0, 0])],
    ['NaN in every row', true, through([node('Neg', ['in'], ['minus']), node('Log', ['minus'], ['out'])])],
    ['a fixed dimension 0', false, graphs.noBatch()],
    ['no dimensions', false, graphs.identity('FP32', [])],
    ['an output whose size depends on the data', false, graphs.nonZero()],
    ['softmax over the batch', false, through([node('Softmax', ['in'], ['out'], { axis: 0n })])],
    [
      'the mean of the batch taken off',
      false,
      through([node('ReduceMean', ['in'], ['mean'], axis0), node('Sub', ['in', 'mean'], ['out'])]),
    ],
    ['random numbers', false, through([node('RandomUniformLike', ['in'], ['out'])])],
    [
      'a sum that runs over the rows',
      false,
      through([node('CumSum', ['in', 'axis'], ['out'])], { initializer: [int64s('axis', [], [0])] }),
    ],
    [
      'a shape that is fixed inside',
      false,
      through([node('Reshape', ['in', 'one'], ['out'])], { initializer: [int64s('one', [2], [1, 4])] }),
    ],
    [
      'a matrix as long as it is wide',
      false,
      build({
        input: [value('in', 'FP32', ['N', 'N'])],
        output: [value('out', 'FP32', ['N', 'N'])],
        node: [relu],
      }),
    ],
    [
      'rows in reverse order',
      false,
      through([node('Slice', ['in', 'from', 'to', 'axes', 'step'], ['out'])], {
        initializer: [
          int64s('from', [1], [-1]),
          int64s('to', [1], [-1000]),
          int64s('axes', [1], [0]),
          int64s('step', [1], [-1]),
        ],
      }),
    ],
    [
      'images that must be larger than eight by eight',
      true,
      build({
        input: [value('in', 'FP32', ['N', 3, 'H', 'W'])],
        output: [value('out', 'FP32', ['N', 3, 'rows', 'columns'])],
        initializer: [int64s('shape', [4], [0, 3, -1, 1024])],
        node: [node('Reshape', ['in', 'shape'], ['out'])],
      }),
    ],
  ];
  test.each(cases)('%s: %p', async (_what, expected, bytes) => {
    const { batchable, warnings } = await inspecting.inspect(bytes);
    expect({ batchable, warnings }).toEqual({ batchable: expected, warnings: [] });
  });

  test('a model that cannot be run with made-up sizes says so', async () => {
    const { batchable, warnings } = await inspecting.inspect(
      build({
        input: [value('in', 'FP32', ['N', 'F'])],
        output: [value('out', 'FP32', ['N', 2])],
        initializer: [floats('w', [5, 2], new Float32Array(10))],
        node: [node('MatMul', ['in', 'w'], ['out'])],
      }),
    );
    expect(batchable).toBeFalse();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('set maxBatchSize by hand');
    expect(warnings[0]).not.toContain('onnxruntime_src');
  });

  test('inspecting twice gives the same answer', async () => {
    expect(await inspecting.inspect(graphs.smallCnn())).toEqual(await inspecting.inspect(graphs.smallCnn()));
  });
});
