import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AppError } from '../../src/error.ts';
import { decodeNumbers } from '../../src/task/numbers.ts';
import { predict } from '../../src/task/predict.ts';
import { readTable, tableTensor } from '../../src/task/table.ts';
import { defaultServing, type Manifest, type Signature, type TabularPreprocess } from '../../src/types.ts';
import { build, floats, node, value } from '../support/graphs.ts';
import { hasPython, runPython } from './python.ts';
import { openModel } from './real-model.ts';

const signature: Signature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
};
const preprocess: TabularPreprocess = {
  kind: 'table',
  columns: [
    { name: 'age', kind: 'number', mean: 40, std: 10 },
    { name: 'colour', kind: 'category', categories: ['red', 'green', 'blue'], fallback: 'green' },
    { name: 'size', kind: 'number', fallback: 2.5 },
  ],
};

const valuesOf = (rows: unknown[], given: TabularPreprocess | undefined = preprocess) => [
  ...readTable(rows, signature, given).values,
];

describe('rows', () => {
  test('by name and by position, scaled, with categories and fallbacks', () => {
    expect(valuesOf([{ age: 60, colour: 'blue', size: 1, extra: 'ignored' }])).toEqual([2, 2, 1]);
    expect(valuesOf([[30, 'red', 4]])).toEqual([-1, 0, 4]);
    expect(valuesOf([{ age: 40 }, [50, null, null]])).toEqual([0, 1, 2.5, 1, 1, 2.5]);
  });

  test('become one tensor of the input’s datatype', () => {
    const table = readTable([{ age: 40 }, { age: 50 }], signature, preprocess);
    const tensor = tableTensor(table, 0, 2);
    expect(tensor).toMatchObject({ name: 'x', datatype: 'FP32', shape: [2, 3] });
    expect([...decodeNumbers(tensor)]).toEqual([0, 1, 2.5, 1, 1, 2.5]);
    const columns = preprocess.columns.map(({ name }) => ({ name, kind: 'number' as const }));
    for (const datatype of ['FP64', 'INT64', 'FP16', 'INT32'] as const) {
      const typed = { inputs: [{ name: 'x', datatype, shape: [-1, 3] }], outputs: [] };
      const rows = readTable([[1, -2, 3]], typed, { kind: 'table', columns });
      expect([...decodeNumbers(tableTensor(rows, 0, 1))], datatype).toEqual([1, -2, 3]);
    }
  });

  const wrong: [what: string, rows: unknown[], message: string][] = [
    ['text for a number', [{ age: 1 }, { age: 2 }, { age: 'old' }], "row 3: column 'age' must be a number"],
    ['a number as text', [{ age: '41' }], "row 1: column 'age' must be a number"],
    ['nothing', [{ colour: 'red' }], "row 1: column 'age' is missing"],
    ['an unknown category', [{ age: 1, colour: 'pink' }], "row 1: column 'colour' must be one of its categories"],
    ['an object for a category', [{ age: 1, colour: {} }], "row 1: column 'colour' must be one of its categories"],
    ['too many values', [[1, 'red', 2, 3]], 'row 1: has 4 values, but there are 3 columns'],
    ['no row', [{ age: 1 }, 7], 'row 2: must be an object or an array'],
    ['null', [null], 'row 1: must be an object or an array'],
  ];
  for (const [what, rows, message] of wrong) {
    test(`${what}: ${message}`, () => {
      expect(() => valuesOf(rows)).toThrow(message);
      expect(() => valuesOf(rows)).toThrow(AppError);
    });
  }

  test('names that every object has are not columns', () => {
    const columns = [{ name: 'constructor', kind: 'number' as const }];
    const one = { inputs: [{ name: 'x', datatype: 'FP32' as const, shape: [-1, 1] }], outputs: [] };
    expect(() => readTable([{}], one, { kind: 'table', columns })).toThrow("column 'constructor' is missing");
  });

  test('a whole-number input takes no fractions', () => {
    const typed = { inputs: [{ name: 'x', datatype: 'INT64' as const, shape: [-1, 1] }], outputs: [] };
    const columns = [{ name: 'n', kind: 'number' as const }];
    expect(() => readTable([[1.5]], typed, { kind: 'table', columns })).toThrow('must be a whole number');
  });

  test('without columns in the manifest are arrays as long as the input', () => {
    expect([...readTable([[1, 2, 3]], signature, undefined).values]).toEqual([1, 2, 3]);
    expect(() => readTable([{ a: 1 }], signature, undefined)).toThrow('row 1: must be an array of numbers');
    const open = { inputs: [{ name: 'x', datatype: 'FP32' as const, shape: [-1, -1] }], outputs: [] };
    expect(() => readTable([[1]], open, undefined)).toThrow(AppError);
  });
});

const manifest = (task: Manifest['task'], parts: Partial<Manifest>): Manifest => ({
  task,
  serving: defaultServing,
  origin: { kind: 'upload' },
  ...parts,
});

interface Fitted {
  rows: number[][];
  names: string[];
  mean: number[];
  std: number[];
  weights: number[];
  bias: number[];
  expected: number[][];
}

const script = `
import numpy as np
from sklearn.datasets import load_iris, load_diabetes
from sklearn.linear_model import LogisticRegression, LinearRegression
from sklearn.preprocessing import StandardScaler

def fitted(data, model, predict):
    scaler = StandardScaler().fit(data.data)
    model.fit(scaler.transform(data.data), data.target)
    rows = data.data[::7]
    weights = np.atleast_2d(model.coef_).T
    return {'rows': rows.tolist(), 'names': list(data.feature_names), 'mean': scaler.mean_.tolist(), 'std': scaler.scale_.tolist(),
            'weights': weights.reshape(-1).tolist(), 'bias': np.atleast_1d(model.intercept_).tolist(),
            'expected': np.array(predict(model, scaler.transform(rows))).reshape(len(rows), -1).tolist()}

print(json.dumps({
    'iris': fitted(load_iris(), LogisticRegression(max_iter=1000), lambda m, x: m.predict_proba(x)),
    'diabetes': fitted(load_diabetes(scaled=False), LinearRegression(), lambda m, x: m.predict(x))}))
`;

describe.skipIf(!hasPython('sklearn'))('against scikit-learn (skips without python3-sklearn)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-table-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const fits = runPython<{ iris: Fitted; diabetes: Fitted }>(script);

  /** The fitted weights as an ONNX model; scaling is left to the manifest. */
  function serve({ names, mean, std, weights, bias }: Fitted, name: string) {
    const path = join(folder, `${name}.onnx`);
    writeFileSync(
      path,
      build({
        node: [node('Gemm', ['x', 'w', 'b'], ['y'])],
        input: [value('x', 'FP32', ['rows', names.length])],
        output: [value('y', 'FP32', ['rows', bias.length])],
        initializer: [floats('w', [names.length, bias.length], weights), floats('b', [bias.length], bias)],
      }),
    );
    const columns = names.map((column, i) => ({ name: column, kind: 'number' as const, mean: mean[i], std: std[i] }));
    return { ...openModel(path), preprocess: { kind: 'table' as const, columns } };
  }

  const named = ({ names, rows }: Fitted) =>
    rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]!])));

  test('iris by logistic regression: probabilities agree to 1e-5', async () => {
    const { iris } = await fits;
    const { signature, compute, preprocess } = serve(iris, 'iris');
    const labels = ['setosa', 'versicolor', 'virginica'];
    const asked = manifest('tabular-classification', {
      labels,
      preprocess,
      postprocess: { kind: 'classes', activation: 'softmax', top: 3 },
    });
    const answer = await predict(asked, signature, { kind: 'rows', rows: named(iris) }, compute);
    if (answer.task !== 'tabular-classification') throw new Error(answer.task);
    expect(answer.predictions).toHaveLength(iris.rows.length);
    for (const [r, { classes }] of answer.predictions.entries()) {
      for (const { index, label, score } of classes) {
        expect(label).toBe(labels[index]!);
        expect(Math.abs(score - iris.expected[r]![index]!)).toBeLessThan(1e-5);
      }
    }
  });

  test('diabetes by linear regression: values agree to 1e-6 of their size, in batches too', async () => {
    const { diabetes } = await fits;
    const { signature, compute, preprocess } = serve(diabetes, 'diabetes');
    let calls = 0;
    for (const maxBatchSize of [0, 8]) {
      const asked = manifest('tabular-regression', {
        preprocess,
        postprocess: { kind: 'numbers', names: ['progression'] },
        serving: { ...defaultServing, maxBatchSize },
      });
      const answer = await predict(asked, signature, { kind: 'rows', rows: diabetes.rows }, (inputs, outputs) => {
        calls++;
        return compute(inputs, outputs);
      });
      if (answer.task !== 'tabular-regression') throw new Error(answer.task);
      expect(answer.predictions).toHaveLength(diabetes.rows.length);
      for (const [r, { values }] of answer.predictions.entries()) {
        const [expected] = diabetes.expected[r]!;
        expect(Math.abs(values.progression! - expected!) / expected!).toBeLessThan(1e-6);
      }
    }
    expect(calls).toBe(1 + Math.ceil(diabetes.rows.length / 8));
  });
});
