import { describe, expect, test } from 'bun:test';

import { AppError } from '../../src/error.ts';
import { checkManifest } from '../../src/registry/manifest-check.ts';
import { parseManifest, plainManifest } from '../../src/registry/manifest.ts';
import { defaultServing, type Manifest, type Signature } from '../../src/types.ts';

const image = { kind: 'image', width: 224, height: 224 };
const classes = { kind: 'classes' };

function errorOf(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('It should have failed.');
}

describe('reading', () => {
  test('what is left out has its default, or comes from the base', () => {
    expect(parseManifest({})).toEqual(plainManifest);
    const base: Manifest = {
      ...plainManifest,
      licence: 'MIT',
      serving: { ...defaultServing, maxBatchSize: 16, instances: 4 },
    };
    const read = parseManifest({ description: 'x', serving: { instances: 2, queuePolicy: { maxQueueSize: 5 } } }, base);
    expect(read).toMatchObject({ licence: 'MIT', description: 'x' });
    expect(read.serving).toEqual({
      ...base.serving,
      instances: 2,
      queuePolicy: { ...defaultServing.queuePolicy, maxQueueSize: 5 },
    });
  });

  test('what was read can be read again', () => {
    const manifests: unknown[] = [
      {
        task: 'image-classification',
        preprocess: { ...image, fit: 'crop', resizeTo: 256 },
        postprocess: classes,
        labels: ['a', 'b'],
      },
      {
        task: 'object-detection',
        preprocess: { ...image, fit: 'letterbox', pad: 114, colour: 'BGR', layout: 'NHWC' },
        postprocess: { kind: 'boxes', boxes: 'b', scores: 's', format: 'xyxy', units: 'pixels', background: 0 },
      },
      {
        task: 'object-detection',
        preprocess: image,
        postprocess: { kind: 'anchors', scores: ['s'], boxes: ['b'], maps: [{ cells: 16, anchors: 2 }], boxScale: 128 },
      },
      {
        task: 'tabular-regression',
        preprocess: {
          kind: 'table',
          columns: [
            { name: 'age', mean: 3, std: 2, fallback: 1 },
            { name: 'colour', kind: 'category', categories: ['red', 'blue'], fallback: 'red' },
          ],
        },
        postprocess: { kind: 'numbers', names: ['price'] },
        licence: '(MIT OR Apache-2.0) AND GPL-2.0-only WITH Classpath-exception-2.0',
        origin: { kind: 'template', from: 'prices' },
      },
    ];
    for (const manifest of manifests) {
      const read = parseManifest(manifest);
      expect(read).toMatchObject(manifest as object);
      expect(parseManifest(JSON.parse(JSON.stringify(read)))).toEqual(read);
    }
  });

  test.each([
    [null, 'manifest', ''],
    [[], 'manifest', ''],
    [{ tasks: 'tensor' }, 'manifest', "'task'"],
    [{ task: 'image-clasification' }, 'task', "'image-classification'"],
    [{ serving: { maxBatchsize: 3 } }, 'serving', "'maxBatchSize'"],
    [{ serving: { instances: 0 } }, 'serving.instances', 'is 1'],
    [{ serving: { instances: 1.4 } }, 'serving.instances', 'is 1'],
    [{ serving: { instances: 999 } }, 'serving.instances', 'is 256'],
    [{ serving: { instances: '2' } }, 'serving.instances', ''],
    [{ serving: { maxBatchSize: 4, preferredBatchSizes: [2, 8] } }, 'serving.preferredBatchSizes[1]', 'is 4'],
    [{ serving: { priorityLevels: 3, defaultPriorityLevel: 0 } }, 'serving.defaultPriorityLevel', 'is 1'],
    [{ serving: { queuePolicy: { timeoutAction: 'reject' } } }, 'serving.queuePolicy.timeoutAction', "'REJECT'"],
    [{ serving: { queuePolicy: { allowTimeoutOverride: 1 } } }, 'serving.queuePolicy.allowTimeoutOverride', ''],
    [{ labels: ['a', 3] }, 'labels[1]', ''],
    [{ licence: 'do what you like!' }, 'licence', 'Apache-2.0'],
    [{ description: 'x'.repeat(10_001) }, 'description', ''],
    [{ preprocess: { kind: 'img' } }, 'preprocess.kind', ''],
    [{ preprocess: { kind: 'image', width: 224 } }, 'preprocess.height', ''],
    [{ preprocess: { ...image, mean: [0.5] } }, 'preprocess.mean', ''],
    [{ preprocess: { ...image, std: [1, 0, 1] } }, 'preprocess.std', ''],
    [{ preprocess: { ...image, scale: NaN } }, 'preprocess.scale', ''],
    [{ preprocess: { ...image, resizeTo: 256 } }, 'preprocess.resizeTo', ''],
    [{ preprocess: { kind: 'table', columns: [] } }, 'preprocess.columns', ''],
    [{ preprocess: { kind: 'table', columns: [{ name: 'a' }, { name: 'a' }] } }, 'preprocess.columns', ''],
    [
      { preprocess: { kind: 'table', columns: [{ name: 'a', kind: 'category' }] } },
      'preprocess.columns[0].categories',
      '',
    ],
    [{ postprocess: { kind: 'classes', activation: 'soft-max' } }, 'postprocess.activation', "'softmax'"],
    [
      { postprocess: { kind: 'anchors', scores: ['a', 'b'], boxes: ['c'], maps: [], boxScale: 1 } },
      'postprocess.boxes',
      '',
    ],
    [{ task: 'image-classification' }, 'preprocess', "'tensor'"],
    [{ task: 'image-classification', preprocess: image, postprocess: { kind: 'numbers' } }, 'postprocess', "'tensor'"],
    [JSON.parse('{"__proto__": {"task": "tensor"}}'), 'manifest', ''],
  ] as [unknown, string, string][])('%j is refused at %s', (manifest, path, hint) => {
    const error = errorOf(() => parseManifest(manifest));
    expect(error.code).toBe('invalid');
    expect(error.message).toStartWith(`${path} `);
    expect(error.hint).toContain(hint);
  });
});

describe('against the model', () => {
  const signature: Signature = {
    inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 3, 224, 224] }],
    outputs: [
      { name: 'scores', datatype: 'FP32', shape: [-1, 2] },
      { name: 'features', datatype: 'FP32', shape: [-1, 512] },
    ],
  };
  const good = {
    task: 'image-classification',
    preprocess: image,
    postprocess: { kind: 'classes', output: 'scores' },
    labels: ['cat', 'dog'],
    serving: { maxBatchSize: 8 },
  };
  const check = (changes: object, changed: Partial<Signature> = {}) =>
    checkManifest(parseManifest({ ...good, ...changes }), { ...signature, ...changed });

  test('what fits is taken', () => {
    check({});
    check({ labels: undefined });
    check({ serving: {} }, { inputs: [{ name: 'image', datatype: 'FP32', shape: [1, 3, 224, 224] }] });
    check(
      { preprocess: { ...image, layout: 'NHWC' } },
      { inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, -1, -1, 3] }] },
    );
  });

  test.each([
    [{ postprocess: classes }, 'postprocess.output', 'scores, features'],
    [{ postprocess: { kind: 'classes', output: 'score' } }, 'postprocess.output', "'scores'"],
    [{ labels: ['cat'] }, 'labels', ''],
    [{ preprocess: { ...image, input: 'picture' } }, 'preprocess.input', 'image'],
    [{ preprocess: { ...image, width: 256 } }, 'preprocess', ''],
    [{ preprocess: { ...image, layout: 'NHWC' } }, 'preprocess', ''],
    [{ preprocess: { ...image, colour: 'GRAY' } }, 'preprocess', ''],
    [
      {
        task: 'object-detection',
        postprocess: { kind: 'boxes', boxes: 'box', scores: 'scores', format: 'xyxy', units: 'pixels' },
      },
      'postprocess.boxes',
      '',
    ],
    [
      { task: 'tabular-classification', preprocess: { kind: 'table', columns: [{ name: 'a' }] } },
      'preprocess.columns',
      '',
    ],
  ] as [object, string, string][])('%j is refused at %s', (changes, path, hint) => {
    const error = errorOf(() => check(changes));
    expect(error.message).toStartWith(`${path} `);
    expect(error.hint).toContain(hint);
  });

  test('batches need a first dimension that varies, in all inputs and outputs', () => {
    for (const changed of [
      { inputs: [{ ...signature.inputs[0]!, shape: [1, 3, 224, 224] }] },
      { outputs: [signature.outputs[0]!, { ...signature.outputs[1]!, shape: [1, 512] }] },
    ]) {
      expect(errorOf(() => check({}, changed)).message).toStartWith('serving.maxBatchSize ');
    }
  });
});
