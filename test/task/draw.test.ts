import { describe, expect, test } from 'bun:test';

import { AppError } from '../../src/error.ts';
import { drawDetections } from '../../src/task/draw.ts';
import { decodePicture, encodePng } from '../../src/task/picture.ts';
import type { TaskAnswer } from '../../src/task/predict.ts';

const white = await encodePng({ width: 300, height: 200, pixels: new Uint8Array(300 * 200 * 4).fill(255) });

const detection = (x: number, y: number): TaskAnswer => ({
  task: 'object-detection',
  image: { width: 300, height: 200 },
  objects: [
    {
      label: 'face',
      index: 0,
      score: 0.87,
      box: { x, y, width: 80, height: 60 },
      keypoints: [{ name: 'nose', x: x + 40, y: y + 30 }],
    },
  ],
});

async function draw(answer: TaskAnswer) {
  const { width, height, pixels } = await decodePicture(await drawDetections(white, answer));
  const at = (x: number, y: number) => [...pixels.subarray((y * width + x) * 4, (y * width + x) * 4 + 3)].join();
  return { width, height, at };
}

describe('drawing', () => {
  test('puts the box’s edges, its key point and a label where they belong, and nothing inside or elsewhere', async () => {
    const { width, height, at } = await draw(detection(100, 90));
    expect([width, height]).toEqual([300, 200]);
    const edge = at(100, 100);
    expect(edge).not.toBe('255,255,255');
    for (const [x, y] of [
      [179, 100],
      [140, 90],
      [140, 149],
    ] as const)
      expect(at(x, y)).toBe(edge);
    expect(at(140, 120)).not.toBe('255,255,255');
    expect(at(140, 120)).not.toBe(edge);
    for (const [x, y] of [
      [110, 100],
      [99, 100],
      [181, 100],
      [140, 151],
      [5, 5],
    ] as const) {
      expect(at(x, y)).toBe('255,255,255');
    }
    // The label lies on its own bar above the box.
    const bar = Array.from({ length: 30 }, (_, i) => at(100 + i, 84));
    expect(bar).toContain(edge);
    expect(bar).toContain('255,255,255');
  });

  test('boxes at and beyond the edges do not break it', async () => {
    const { at } = await draw(detection(0, 0));
    expect(at(0, 30)).not.toBe('255,255,255');
    const outside = await draw(detection(290, 190));
    expect(outside.at(292, 190)).not.toBe('255,255,255');
  });

  test('a classification gets a caption below the photo', async () => {
    const { width, height, at } = await draw({
      task: 'image-classification',
      predictions: [{ classes: [{ label: 'tabby cat', index: 1, score: 0.5 }] }],
    });
    expect(width).toBe(300);
    expect(height).toBeGreaterThan(200);
    expect(at(150, 199)).toBe('255,255,255');
    expect(at(0, height - 1)).not.toBe('255,255,255');
  });

  test('rows are not drawn', async () => {
    const answer: TaskAnswer = { task: 'tabular-regression', predictions: [{ values: { y: 1 } }] };
    const failure: unknown = await drawDetections(white, answer).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AppError);
  });
});
