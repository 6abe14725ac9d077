import { describe, expect, test } from 'bun:test';

import { AppError } from '../../src/error.ts';
import { chooseOutput, readClasses } from '../../src/task/classes.ts';
import { encodeNumbers } from '../../src/task/numbers.ts';
import type { ClassificationPostprocess, Datatype, TensorData } from '../../src/types.ts';
import { hasPython, runPython } from './python.ts';

function tensor(values: number[], shape: number[], datatype: Datatype = 'FP32'): TensorData {
  return { name: 'scores', datatype, shape, bytes: encodeNumbers(values, datatype) };
}

const post = (activation: ClassificationPostprocess['activation'], top = 3): ClassificationPostprocess => ({
  kind: 'classes',
  activation,
  top,
});

const script = `
import torch
rows = torch.tensor(given['rows'], dtype=torch.float64)
answer = {}
for name, f in {'none': lambda x: x, 'softmax': lambda x: torch.softmax(x, -1), 'sigmoid': torch.sigmoid}.items():
    values, indices = torch.topk(f(rows), 3, -1)
    answer[name] = {'values': values.tolist(), 'indices': indices.tolist()}
print(json.dumps(answer))
`;

describe.skipIf(!hasPython('torch'))('against torch (skips without python3-torch)', () => {
  test('activations and the best classes agree to 1e-12', async () => {
    const rows = [
      [0.3, -1.2, 4.5, 4.25, 0.001],
      [1000, 999, -1000, 998.5, 0],
      [-700, -701.5, -700.25, -702, -705],
    ];
    type Reference = Record<'none' | 'softmax' | 'sigmoid', { values: number[][]; indices: number[][] }>;
    const reference = await runPython<Reference>(script, { rows });
    for (const activation of ['none', 'softmax', 'sigmoid'] as const) {
      const ours = readClasses(tensor(rows.flat(), [3, 5], 'FP64'), 3, undefined, post(activation));
      for (const [r, classes] of ours.entries()) {
        // Sigmoids of large numbers tie at 1, and torch leaves the order of ties open: compare by score.
        const expected = reference[activation].values[r]!;
        for (const [i, { score }] of classes.entries()) expect(score).toBeCloseTo(expected[i]!, 12);
        const isTied = new Set(expected).size < expected.length;
        if (!isTied) expect(classes.map(({ index }) => index)).toEqual(reference[activation].indices[r]!);
      }
    }
  });
});

describe('classes', () => {
  const labels = ['cat', 'dog'];

  test('carry labels, or their number where a label is missing', () => {
    const [classes] = readClasses(tensor([0.1, 0.2, 0.7], [1, 3]), 1, labels, post('none'));
    expect(classes!.map(({ label, index }) => [label, index])).toEqual([
      ['class 2', 2],
      ['dog', 1],
      ['cat', 0],
    ]);
  });

  test('are as many as asked for, at most as many as there are', () => {
    expect(readClasses(tensor([0.1, 0.9], [1, 2]), 1, labels, post('none', 1))[0]).toHaveLength(1);
    expect(readClasses(tensor([0.1, 0.9], [1, 2]), 1, labels, post('none', 10))[0]).toHaveLength(2);
  });

  test('of FP16 and quantised outputs are read', () => {
    expect(readClasses(tensor([0.25, 0.75], [1, 2], 'FP16'), 1, labels, post('none', 1))[0]).toEqual([
      { label: 'dog', index: 1, score: 0.75 },
    ]);
    expect(readClasses(tensor([3, 9, 1], [1, 3], 'UINT8'), 1, undefined, post('softmax', 1))[0]![0]!.index).toBe(1);
  });

  test('may begin anywhere in a larger buffer', () => {
    const whole = Buffer.concat([Buffer.from([1, 2, 3]), tensor([0.25, 0.75], [1, 2]).bytes]);
    const output = { ...tensor([], [1, 2]), bytes: whole.subarray(3) };
    expect(readClasses(output, 1, labels, post('none', 1))[0]![0]!.score).toBe(0.75);
  });

  test('may have trailing dimensions of one, or none for the batch', () => {
    expect(readClasses(tensor([0.2, 0.8], [1, 2, 1, 1]), 1, labels, post('none', 1))[0]![0]!.label).toBe('dog');
    expect(readClasses(tensor([0.2, 0.8], [2]), 1, labels, post('none', 1))[0]![0]!.label).toBe('dog');
  });

  test('predicted as numbers or strings are taken as they are', () => {
    expect(readClasses(tensor([1, 0], [2], 'INT64'), 2, labels, undefined)).toEqual([
      [{ label: 'dog', index: 1, score: 1 }],
      [{ label: 'cat', index: 0, score: 1 }],
    ]);
    const bytes = Uint8Array.of(3, 0, 0, 0, 100, 111, 103);
    expect(readClasses({ name: 'label', datatype: 'BYTES', shape: [1], bytes }, 1, labels, undefined)).toEqual([
      [{ label: 'dog', index: 1, score: 1 }],
    ]);
  });

  test('a single score is the probability of the second of two', () => {
    const [first, second] = readClasses(tensor([0, Math.log(3)], [2, 1], 'FP64'), 2, labels, post('sigmoid', 2));
    expect(first!.map(({ score }) => score)).toEqual([0.5, 0.5]);
    expect(second![0]).toMatchObject({ label: 'dog', index: 1 });
    expect(second![0]!.score).toBeCloseTo(0.75, 12);
  });

  test('without a manifest entry: probabilities stay, other scores go through a softmax', () => {
    const kept = readClasses(tensor([0.25, 0.75], [1, 2]), 1, undefined, undefined)[0]!;
    expect(kept[0]!.score).toBe(0.75);
    const made = readClasses(tensor([0, Math.log(3)], [1, 2], 'FP64'), 1, undefined, undefined)[0]!;
    expect(made[0]!.score).toBeCloseTo(0.75, 12);
  });

  test('that cannot be are refused', () => {
    const wrong = [
      tensor([1, 2, 3, 4, 5], [5]),
      tensor([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]),
      tensor([Number.NaN, 1], [2, 1]),
    ];
    for (const output of wrong) {
      expect(() => readClasses(output, 2, undefined, post('none'))).toThrow(AppError);
    }
  });
});

test('the output to read is the named, the only, or the only floating-point one', () => {
  const label = { name: 'label', datatype: 'INT64' as const, shape: [-1] };
  const scores = { name: 'probabilities', datatype: 'FP32' as const, shape: [-1, 3] };
  expect(chooseOutput([label, scores], undefined)).toBe('probabilities');
  expect(chooseOutput([label, scores], 'label')).toBe('label');
  expect(chooseOutput([label], undefined)).toBe('label');
  expect(() => chooseOutput([scores, { ...scores, name: 'other' }], undefined)).toThrow(AppError);
});
