import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { decodePicture } from '../../src/task/picture.ts';
import { type Filter, resample } from '../../src/task/resample.ts';
import { hasPython, runPython } from './python.ts';

const filters: Filter[] = ['bilinear', 'bicubic', 'nearest', 'lanczos'];
// Odd sizes, up, down, both at once, one side unchanged, down to a single pixel.
const sizes: [from: [number, number], to: [number, number]][] = [
  [
    [97, 61],
    [32, 32],
  ],
  [
    [31, 17],
    [224, 160],
  ],
  [
    [300, 11],
    [45, 90],
  ],
  [
    [64, 48],
    [64, 13],
  ],
  [
    [64, 48],
    [21, 48],
  ],
  [
    [5, 3],
    [5, 3],
  ],
  [
    [640, 427],
    [224, 149],
  ],
  [
    [7, 200],
    [1, 1],
  ],
];

// Noise with hard edges: rounding and overshoot show at once.
const script = `
from PIL import Image
import numpy as np
names = {'bilinear': Image.BILINEAR, 'bicubic': Image.BICUBIC, 'nearest': Image.NEAREST, 'lanczos': Image.LANCZOS}
random = np.random.RandomState(7)
for i, (size, to) in enumerate(given['sizes']):
    pixels = random.choice([0, 1, 37, 128, 200, 254, 255], (size[1], size[0], 3)).astype(np.uint8)
    image = Image.fromarray(pixels)
    image.save(f"{given['folder']}/{i}.png")
    for name, code in names.items():
        open(f"{given['folder']}/{i}-{name}-rgb", 'wb').write(image.resize(to, code).tobytes())
        open(f"{given['folder']}/{i}-{name}-grey", 'wb').write(image.getchannel('R').resize(to, code).tobytes())
print('null')
`;

describe.skipIf(!hasPython('PIL', 'numpy'))('resampling (skips without python3-pil and numpy)', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'aimass-resample-'));
    await runPython(script, { folder, sizes });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const read = (name: string) => Bun.file(join(folder, name)).bytes();

  for (const filter of filters) {
    test(`${filter} gives Pillow's bytes for every size, in colour and grey`, async () => {
      for (const [i, [, [width, height]]] of sizes.entries()) {
        const picture = await decodePicture(await read(`${i}.png`));
        const whole = { x: 0, y: 0, width, height };
        const colour = resample({ ...picture, bytesPerPixel: 4, data: picture.pixels }, width, height, filter, whole);
        expect(Buffer.from(colour).equals(await read(`${i}-${filter}-rgb`)), `${i} in colour`).toBe(true);

        const red = picture.pixels.filter((_, at) => at % 4 === 0);
        const grey = resample({ ...picture, bytesPerPixel: 1, data: red }, width, height, filter, whole);
        expect(Buffer.from(grey).equals(await read(`${i}-${filter}-grey`)), `${i} in grey`).toBe(true);
      }
    });

    test(`${filter} of a window is that part of the whole`, async () => {
      const picture = await decodePicture(await read('0.png'));
      const source = { ...picture, bytesPerPixel: 4 as const, data: picture.pixels };
      const whole = resample(source, 40, 30, filter, { x: 0, y: 0, width: 40, height: 30 });
      const part = resample(source, 40, 30, filter, { x: 7, y: 11, width: 20, height: 13 });
      const expected = Array.from({ length: 13 }, (_, y) =>
        whole.subarray(((y + 11) * 40 + 7) * 3, ((y + 11) * 40 + 27) * 3),
      );
      expect(Buffer.from(part).equals(Buffer.concat(expected))).toBe(true);
    });
  }
});
