// Weights that no file has: counted where their shape is a constant.
import { expect, test } from 'bun:test';

import { modelFacts } from '../../src/onnx/facts.ts';
import { readModel } from '../../src/onnx/read.ts';
import { build, floats, int64s, node, value } from '../support/graphs.ts';

const facts = (parts: Parameters<typeof build>[0]) => modelFacts(readModel(build(parts)));
const io = { input: [value('x', 'FP32', ['n', 4])], output: [value('y', 'FP32', ['n', 4])] };

test('of ConstantOfShape, by initializer and by Constant, in the type of its value', () => {
  const { generatedBytes, weightBytes, outputOperators } = facts({
    ...io,
    initializer: [int64s('big', [2], [1000, 1000])],
    node: [
      node('ConstantOfShape', ['big'], ['a']),
      node('Constant', [], ['half'], { value: int64s('', [1], [500]) }),
      node('ConstantOfShape', ['half'], ['b'], { value: int64s('', [1], [7]) }),
      node('Identity', ['x'], ['y']),
    ],
  });
  expect(generatedBytes).toBe(4_000_000 + 500 * 8);
  expect(weightBytes).toBeLessThan(100);
  expect(outputOperators).toEqual({ y: 'Identity' });
});

test('of Expand', () => {
  const { generatedBytes } = facts({
    ...io,
    initializer: [floats('one', [1], [1]), int64s('shape', [1], [4096])],
    node: [node('Expand', ['one', 'shape'], ['a']), node('Identity', ['x'], ['y'])],
  });
  expect(generatedBytes).toBe(4096 * 4);
});

test('not of a shape that is computed, impossible, or of another domain', () => {
  const { generatedBytes } = facts({
    ...io,
    initializer: [int64s('negative', [1], [-1]), int64s('huge', [3], [2 ** 40, 2 ** 40, 2 ** 40])],
    node: [
      node('Shape', ['x'], ['s']),
      node('ConstantOfShape', ['s'], ['a']),
      node('ConstantOfShape', ['negative'], ['b']),
      node('ConstantOfShape', ['huge'], ['c']),
      node('Identity', ['x'], ['y']),
    ],
  });
  expect(generatedBytes).toBe(0);
});
