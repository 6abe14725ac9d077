import { describe, expect, test } from 'bun:test';

import { AppError } from '../../src/error.ts';
import { inputOfJson, taskInputOf } from '../../src/task/input.ts';
import { decodeNumbers, encodeNumbers } from '../../src/task/numbers.ts';
import { encodePng } from '../../src/task/picture.ts';
import { type Compute, predict, type TaskInput } from '../../src/task/predict.ts';
import { defaultServing, type Manifest, type Signature, type TaskName, type TensorData } from '../../src/types.ts';

const manifest = (task: TaskName, parts: Partial<Manifest> = {}): Manifest => ({
  task,
  serving: defaultServing,
  origin: { kind: 'upload' },
  ...parts,
});
const pictureModel = (shape: number[], datatype: 'FP32' | 'UINT8' = 'FP32'): Signature => ({
  inputs: [{ name: 'image', datatype, shape }],
  outputs: [{ name: 'scores', datatype: 'FP32', shape: [-1, 2] }],
});
const orange = await encodePng({
  width: 20,
  height: 10,
  pixels: Uint8Array.from({ length: 800 }, (_, i) => [255, 102, 0, 255][i % 4]!),
});
const picture: TaskInput = { kind: 'image', bytes: orange };

const never: Compute = () => Promise.reject(new Error('computed'));
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Answers always the same, and keeps what it was asked. */
function recorder(values: number[]): { compute: Compute; seen: TensorData[]; outputs: (string[] | undefined)[] } {
  const seen: TensorData[] = [];
  const outputs: (string[] | undefined)[] = [];
  const compute: Compute = async (inputs, names) => {
    seen.push(...inputs);
    outputs.push(names);
    const shape = [1, values.length];
    return [{ name: 'scores', datatype: 'FP32', shape, bytes: encodeNumbers(values, 'FP32') }];
  };
  return { compute, seen, outputs };
}

function refusal(promise: Promise<unknown>): Promise<AppError> {
  return promise.then(
    (value) => {
      throw new Error(`accepted: ${JSON.stringify(value)}`);
    },
    (error: unknown) => {
      if (error instanceof AppError) return error;
      throw error;
    },
  );
}

describe('a classifier without preprocess', () => {
  test('gets ImageNet preparation when it takes NCHW floats', async () => {
    const { compute, seen, outputs } = recorder([1, 3]);
    const answer = await predict(
      manifest('image-classification', { labels: ['a', 'b'] }),
      pictureModel([-1, 3, 8, 8]),
      picture,
      compute,
    );
    expect(seen[0]).toMatchObject({ name: 'image', datatype: 'FP32', shape: [1, 3, 8, 8] });
    expect(outputs).toEqual([['scores']]);
    const values = decodeNumbers(seen[0]!);
    expect(values[0]).toBeCloseTo((1 - 0.485) / 0.229, 5);
    expect(values[64]).toBeCloseTo((0.4 - 0.456) / 0.224, 5);
    expect(values[128]).toBeCloseTo((0 - 0.406) / 0.225, 5);
    expect(answer).toMatchObject({ task: 'image-classification', predictions: [{ classes: [{ label: 'b' }, {}] }] });
    expect(JSON.stringify(answer)).toContain('no preprocess');
  });

  test('gets the pixels as they are when it takes bytes', async () => {
    const { compute, seen } = recorder([1, 3]);
    await predict(manifest('image-classification'), pictureModel([1, 8, 6, 3], 'UINT8'), picture, compute);
    expect(seen[0]).toMatchObject({ datatype: 'UINT8', shape: [1, 8, 6, 3] });
    expect([...seen[0]!.bytes.subarray(0, 6)]).toEqual([255, 102, 0, 255, 102, 0]);
  });

  test('is told what to add when its input does not say', async () => {
    for (const shape of [
      [-1, -1],
      [-1, 3, -1, -1],
      [1, 3, 8, 3],
      [1, 4, 8, 8],
    ]) {
      const { compute } = recorder([1, 3]);
      const error = await refusal(predict(manifest('image-classification'), pictureModel(shape), picture, compute));
      expect(error.code).toBe('invalid');
      expect(error.hint).toContain('preprocess');
    }
  });
});

describe('what does not go together is refused', () => {
  const rows: TaskInput = { kind: 'rows', rows: [[1, 2]] };
  const table: Signature = {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
  };
  const cases: [what: string, manifest: Manifest, signature: Signature, input: TaskInput, hint: string][] = [
    ['a model without a task', manifest('tensor'), table, rows, '/v2/models'],
    ['rows for a picture model', manifest('image-classification'), pictureModel([1, 3, 8, 8]), rows, 'JPEG'],
    ['a picture for a table', manifest('tabular-regression'), table, picture, '"rows"'],
    ['no rows', manifest('tabular-regression'), table, { kind: 'rows', rows: [] }, '"rows"'],
    ['a detector without a manifest', manifest('object-detection'), pictureModel([1, 3, 8, 8]), picture, 'postprocess'],
    [
      'a model with two inputs',
      manifest('tabular-regression'),
      { ...table, inputs: [...table.inputs, { name: 'z', datatype: 'FP32', shape: [1] }] },
      rows,
      '/v2/models',
    ],
    [
      'rows that do not fill a fixed batch',
      manifest('tabular-regression'),
      { ...table, inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 2] }] },
      rows,
      'multiple of 2',
    ],
  ];
  for (const [what, asked, signature, input, hint] of cases) {
    test(what, async () => {
      const error = await refusal(predict(asked, signature, input, never));
      expect(error.code).toBe('invalid');
      expect(error.hint).toContain(hint);
    });
  }
});

describe('the request body', () => {
  test('is known by its first bytes, whatever the content type says', () => {
    expect(taskInputOf('image-classification', 'application/json', orange)).toEqual(picture);
    expect(taskInputOf('image-classification', null, orange)).toEqual(picture);
  });

  test('as JSON holds rows, a row or a picture', () => {
    expect(taskInputOf('tabular-regression', 'application/json; charset=utf-8', json({ rows: [{ a: 1 }] }))).toEqual({
      kind: 'rows',
      rows: [{ a: 1 }],
    });
    expect(taskInputOf('tabular-regression', null, json({ row: [1, 2] }))).toEqual({ kind: 'rows', rows: [[1, 2]] });
    const text = Buffer.from(orange).toString('base64');
    for (const image of [text, `data:image/png;base64,${text}`]) {
      const input = inputOfJson('image-classification', { image });
      expect(input.kind === 'image' && Buffer.from(input.bytes).equals(orange)).toBe(true);
    }
  });

  test('that is anything else is refused with what this task takes', () => {
    const bodies: [string | null, Uint8Array][] = [
      ['application/json', json({})],
      ['application/json', json({ rows: 1 })],
      ['application/json', json({ rows: [], row: {} })],
      ['application/json', json({ image: 'aGVsbG8=' })],
      ['application/json', json(null)],
      ['application/json', new TextEncoder().encode('{')],
      ['application/json', Uint8Array.of(0xff, 0xfe, 0)],
      ['text/plain', json({ row: [1] })],
      ['image/gif', new TextEncoder().encode('GIF89a')],
      [null, new Uint8Array()],
    ];
    for (const [contentType, body] of bodies) {
      let hint: string | undefined;
      try {
        taskInputOf('object-detection', contentType, body);
      } catch (error) {
        if (error instanceof AppError && error.code === 'invalid') hint = error.hint;
      }
      expect(hint, `${contentType} ${Buffer.from(body).toString()}`).toContain('JPEG, PNG or WebP');
    }
  });
});
