import { describe, expect, test } from 'bun:test';

import { parseManifest } from '../../src/registry/manifest.ts';
import { proposeTask } from '../../src/task/propose.ts';
import type { Datatype, TensorSpec } from '../../src/types.ts';

const spec = (name: string, shape: number[], datatype: Datatype = 'FP32'): TensorSpec => ({ name, datatype, shape });
const propose = (inputs: TensorSpec[], outputs: TensorSpec[], outputOperators: Record<string, string> = {}) => {
  const found = proposeTask({ inputs, outputs }, { outputOperators });
  if (!found) return undefined;
  const { input: _, output: __, ...manifest } = found;
  // What is proposed is always a manifest that is taken.
  return parseManifest(JSON.parse(JSON.stringify(manifest)));
};
const photo = spec('x', [-1, 3, 224, 224]);

describe('pictures', () => {
  test('and a row of scores are a classification, with softmax where the model has none', () => {
    expect(propose([photo], [spec('y', [-1, 1000])])).toMatchObject({
      task: 'image-classification',
      preprocess: { width: 224, height: 224, layout: 'NCHW', colour: 'RGB', fit: 'crop', resizeTo: 256 },
      postprocess: { kind: 'classes', activation: 'softmax' },
    });
    for (const operator of ['Softmax', 'Sigmoid']) {
      expect(propose([photo], [spec('y', [-1, 10])], { y: operator })!.postprocess).toMatchObject({
        activation: 'none',
      });
    }
    expect(propose([photo], [spec('probabilities', [-1, 10])])!.postprocess).toMatchObject({ activation: 'none' });
    expect(propose([spec('x', [1, 28, 28, 1])], [spec('y', [1, 10])])!.preprocess).toMatchObject({
      layout: 'NHWC',
      colour: 'GRAY',
      fit: 'stretch',
    });
    expect(propose([spec('x', [-1, 3, -1, -1])], [spec('y', [-1, 10])])!.preprocess).toMatchObject({ width: 224 });
  });

  test('with boxes and scores are a detection', () => {
    const found = propose([spec('x', [1, 3, 480, 640])], [spec('b', [1, 100, 4]), spec('s', [1, 100, 80])]);
    expect(found).toMatchObject({
      task: 'object-detection',
      preprocess: { width: 640, height: 480, fit: 'letterbox' },
      postprocess: { boxes: 'b', scores: 's' },
    });
  });

  test('nothing is said where more than one thing fits', () => {
    expect(propose([photo], [spec('a', [-1, 10]), spec('b', [-1, 10])])).toBeUndefined();
    expect(propose([photo], [spec('y', [-1, 1])])).toBeUndefined();
    expect(propose([photo], [spec('mask', [-1, 21, 224, 224])])).toBeUndefined();
    expect(propose([photo, photo], [spec('y', [-1, 10])])).toBeUndefined();
    expect(propose([spec('x', [-1, 7, 224, 224])], [spec('y', [-1, 10])])).toBeUndefined();
    expect(propose([], [])).toBeUndefined();
  });
});

describe('rows', () => {
  const row = spec('x', [-1, 4]);
  test('are classified, also as scikit-learn exports it', () => {
    expect(propose([row], [spec('y', [-1, 3])])).toMatchObject({
      task: 'tabular-classification',
      preprocess: { columns: [{ name: 'column1' }, {}, {}, { name: 'column4', kind: 'number' }] },
      postprocess: { activation: 'softmax' },
    });
    const sklearn = [spec('label', [-1], 'INT64'), spec('probabilities', [-1, 3])];
    expect(propose([row], sklearn)!.postprocess).toMatchObject({ output: 'probabilities', activation: 'none' });
  });

  test('become a number', () => {
    expect(propose([row], [spec('y', [-1, 1])])).toMatchObject({ task: 'tabular-regression' });
    expect(propose([row], [spec('y', [-1])])).toMatchObject({ task: 'tabular-regression' });
  });

  test('are none where they are too long, open, or of tokens', () => {
    expect(propose([spec('x', [-1, 4096])], [spec('y', [-1, 3])])).toBeUndefined();
    expect(propose([spec('x', [-1, -1])], [spec('y', [-1, 3])])).toBeUndefined();
    expect(propose([spec('ids', [-1, 128], 'INT64')], [spec('y', [-1, 3])])).toBeUndefined();
    expect(propose([spec('x', [-1, 4], 'BYTES')], [spec('y', [-1, 3])])).toBeUndefined();
  });
});
