import { describe, expect, test } from 'bun:test';

import { AppError } from '../../src/error.ts';
import { type DetectionPostprocess, readDetections } from '../../src/task/detection.ts';
import type { Geometry } from '../../src/task/image-tensor.ts';
import { encodeNumbers } from '../../src/task/numbers.ts';
import { overlap, suppress } from '../../src/task/suppress.ts';
import type { BoxDetectionPostprocess, TensorData } from '../../src/types.ts';
import { hasPython, runPython } from './python.ts';

const size = { width: 320, height: 240 };
/** The tensor shows a picture of 640 × 400 at half its size, 20 pixels from the top. */
const geometry: Geometry = { width: 640, height: 400, scaleX: 0.5, scaleY: 0.5, left: 0, top: 20 };

function tensor(name: string, values: number[], shape: number[]): TensorData {
  return { name, datatype: 'FP32', shape, bytes: encodeNumbers(values, 'FP32') };
}

const boxes: BoxDetectionPostprocess = {
  kind: 'boxes',
  boxes: 'boxes',
  scores: 'scores',
  format: 'xyxy',
  units: 'pixels',
  activation: 'none',
  minScore: 0.4,
  maxOverlap: 0.45,
  maxBoxes: 300,
};

/** Boxes in crowds, all three formats, logits and layouts, in numpy and torch from the definitions. */
const script = `
import numpy as np, torch
r = np.random.RandomState(11)
N, C = 80, 4
centre = r.uniform(30, 210, (N, 2)) // 40 * 40 + r.uniform(-8, 8, (N, 2)) + 20
extent = r.uniform(20, 60, (N, 2))
xyxy = np.hstack([centre - extent / 2, centre + extent / 2])
forms = {'xyxy': xyxy, 'cxcywh': np.hstack([centre, extent]), 'yxyx': xyxy[:, [1, 0, 3, 2]]}
logits = torch.from_numpy(r.normal(0, 2, (N, C)))

def nms(scores, classes, limit):
    order = [i for i in np.argsort(-scores, kind='stable') if scores[i] >= 0.4 and classes[i] >= 0]
    kept = []
    for i in order:
        for j in kept:
            if classes[i] != classes[j]: continue
            lo, hi = np.maximum(xyxy[i, :2], xyxy[j, :2]), np.minimum(xyxy[i, 2:], xyxy[j, 2:])
            inter = np.prod(np.maximum(hi - lo, 0))
            union = np.prod(xyxy[i, 2:] - xyxy[i, :2]) + np.prod(xyxy[j, 2:] - xyxy[j, :2]) - inter
            if inter / union > 0.45: break
        else: kept.append(i)
    return [int(i) for i in kept[:limit]]

cases = []
for name, values in forms.items():
    for units in ['pixels', 'relative']:
        for activation in ['none', 'sigmoid', 'softmax']:
            for background in [None, 0]:
                for transposed in [False, True]:
                    p = {'none': logits, 'sigmoid': torch.sigmoid(logits), 'softmax': torch.softmax(logits, -1)}[activation].numpy()
                    q = p.copy()
                    if background is not None: q[:, background] = -np.inf
                    classes, scores = q.argmax(1), q.max(1)
                    kept = nms(scores, classes, 50)
                    scale = np.array([320, 240, 320, 240]) if units == 'relative' else np.ones(4)
                    if name == 'yxyx' and units == 'relative': scale = scale[[1, 0, 3, 2]]
                    found = xyxy[kept] - np.array([0, 20, 0, 20])
                    found = np.clip(found * 2, 0, [640, 400, 640, 400])
                    cases.append({
                        'post': {'format': name, 'units': units, 'activation': activation, 'background': background, 'maxBoxes': 50},
                        'boxes': (values / scale).reshape(-1).tolist(),
                        'scores': (logits.T if transposed else logits).reshape(-1).tolist(),
                        'shape': [1, C, N] if transposed else [1, N, C],
                        'classes': classes[kept].tolist(), 'kept': scores[kept].tolist(), 'found': found.tolist()})
print(json.dumps(cases))
`;

interface Case {
  post: Partial<BoxDetectionPostprocess> & { background: number | null };
  boxes: number[];
  scores: number[];
  shape: number[];
  classes: number[];
  kept: number[];
  found: number[][];
}

describe.skipIf(!hasPython('numpy', 'torch'))('boxes against numpy and torch (skips without python3-torch)', () => {
  test('every format, unit, activation and layout gives the same boxes on the picture', async () => {
    const cases = await runPython<Case[]>(script);
    expect(cases).toHaveLength(72);
    for (const { post, ...one } of cases) {
      const postprocess = { ...boxes, ...post, background: post.background ?? undefined };
      const outputs = [tensor('boxes', one.boxes, [1, 80, 4]), tensor('scores', one.scores, one.shape)];
      const objects = readDetections(outputs, postprocess, undefined, size, geometry);
      const what = JSON.stringify([post, one.shape]);
      expect(objects.length, what).toBe(one.kept.length);
      expect(objects.length).toBeGreaterThan(5);
      for (const [i, { index, score, box }] of objects.entries()) {
        expect(index, what).toBe(one.classes[i]!);
        expect(score).toBeCloseTo(one.kept[i]!, 5);
        const [x1, y1, x2, y2] = one.found[i]! as [number, number, number, number];
        for (const [ours, theirs] of [
          [box.x, x1],
          [box.y, y1],
          [box.x + box.width, x2],
          [box.y + box.height, y2],
        ] as const) {
          expect(Math.abs(ours - theirs), what).toBeLessThan(1e-3);
        }
      }
    }
  });
});

describe('boxes', () => {
  test('with classes of their own, as torchvision exports them', () => {
    const outputs = [
      tensor('boxes', [10, 30, 60, 80, 12, 31, 60, 80, 100, 100, 140, 160], [3, 4]),
      tensor('scores', [0.9, 0.8, 0.3], [3]),
      tensor('classes', [2, 1, 1], [3]),
    ];
    const objects = readDetections(outputs, { ...boxes, classes: 'classes' }, ['?', 'cup', 'dog'], size, geometry);
    expect(objects.map(({ label, index }) => [label, index])).toEqual([
      ['dog', 2],
      ['cup', 1],
    ]);
    expect(objects[0]!.box).toEqual({ x: 20, y: 20, width: 100, height: 100 });
    expect(objects[0]!.keypoints).toBeUndefined();
  });

  test('in the padding alone, or that are not numbers, are left out', () => {
    const outputs = [
      tensor('boxes', [10, 2, 60, 18, Number.NaN, 30, 60, 80, 100, 100, 140, 160], [3, 4]),
      tensor('scores', [0.9, 0.8, 0.7], [3, 1]),
    ];
    const objects = readDetections(outputs, boxes, undefined, size, geometry);
    expect(objects.map(({ box }) => box.x)).toEqual([200]);
  });

  test('none at all is an answer too', () => {
    const outputs = [tensor('boxes', [], [0, 4]), tensor('scores', [], [0, 3])];
    expect(readDetections(outputs, boxes, undefined, size, geometry)).toEqual([]);
  });

  test('outputs that do not go together are the manifest’s mistake', () => {
    const outputs = [tensor('boxes', [1, 2, 3, 4, 5], [1, 5]), tensor('scores', [1], [1])];
    expect(() => readDetections(outputs, boxes, undefined, size, geometry)).toThrow(AppError);
    expect(() => readDetections([outputs[0]!], boxes, undefined, size, geometry)).toThrow("output 'scores'");
  });
});

describe('anchors', () => {
  const anchors: DetectionPostprocess = {
    kind: 'anchors',
    scores: ['s1', 's2'],
    boxes: ['b1', 'b2'],
    activation: 'sigmoid',
    maps: [
      { cells: 2, anchors: 1 },
      { cells: 1, anchors: 2 },
    ],
    boxScale: 100,
    keypoints: ['tip'],
    minScore: 0.5,
    maxOverlap: 0.3,
    maxBoxes: 10,
  };
  const nothing = [0, 0, 0, 0, 0, 0];

  test('sit in the middle of their cells, map after map', () => {
    const outputs = [
      tensor('s1', [-9, -9, -9, 2], [1, 4, 1]),
      // The last cell of the first map is centred at (0.75, 0.75).
      tensor('b1', [...nothing, ...nothing, ...nothing, 5, -10, 20, 40, 0, 25], [1, 4, 6]),
      tensor('s2', [-9, 0], [1, 2, 1]),
      tensor('b2', [...nothing, -25, 0, 10, 10, 0, 0], [1, 2, 6]),
    ];
    const objects = readDetections(outputs, anchors, ['thing'], size, geometry);
    expect(objects).toHaveLength(2);
    const [first, second] = objects;
    expect(first!.score).toBeCloseTo(1 / (1 + Math.exp(-2)), 12);
    // Centre (0.8, 0.65) of 320 × 240, 64 × 96 large; then −20 from the top, twice as large.
    expect(first!.box.x).toBeCloseTo(448, 6);
    expect(first!.box.y).toBeCloseTo(176, 6);
    expect(first!.box.width).toBeCloseTo(128, 6);
    expect(first!.box.height).toBeCloseTo(192, 6);
    expect(first!.keypoints![0]!.name).toBe('tip');
    expect(first!.keypoints![0]!.x).toBeCloseTo(480, 6);
    expect(first!.keypoints![0]!.y).toBeCloseTo(440, 6);
    expect(second!.box.x).toBeCloseTo((0.25 - 0.05) * 640, 6);
    expect(second!.score).toBe(0.5);
  });

  test('that do not fit the outputs are the manifest’s mistake', () => {
    const outputs = ['s1', 's2', 'b1', 'b2'].map((name) => tensor(name, [1, 2, 3], [3]));
    expect(() => readDetections(outputs, anchors, undefined, size, geometry)).toThrow(AppError);
  });
});

const box = (x1: number, score: number, classIndex = 0) => ({ x1, y1: 0, x2: x1 + 10, y2: 10, score, classIndex });

describe('suppression', () => {
  test('keeps the better of two that overlap, class by class, best first', () => {
    const found = suppress([box(0, 0.6), box(1, 0.9), box(1, 0.7, 1), box(30, 0.8)], 0.5, 10);
    expect(found.map(({ score }) => score)).toEqual([0.9, 0.8, 0.7]);
    expect(suppress([box(0, 0.6), box(20, 0.9)], 0.5, 1).map(({ score }) => score)).toEqual([0.9]);
  });

  test('overlap is intersection over union', () => {
    expect(overlap(box(0, 1), box(0, 1))).toBe(1);
    expect(overlap(box(0, 1), box(5, 1))).toBeCloseTo(1 / 3, 12);
    expect(overlap(box(0, 1), box(10, 1))).toBe(0);
    expect(overlap({ x1: 0, y1: 0, x2: 0, y2: 0 }, { x1: 0, y1: 0, x2: 0, y2: 0 })).toBe(0);
  });
});
