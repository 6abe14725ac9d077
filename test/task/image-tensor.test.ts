import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { AppError } from '../../src/error.ts';
import { imageShape } from '../../src/task/image-tensor.ts';
import { prepareImage } from '../../src/task/image-threads.ts';
import { decodeNumbers } from '../../src/task/numbers.ts';
import { decodePicture, encodePng } from '../../src/task/picture.ts';
import type { Datatype, ImagePreprocess } from '../../src/types.ts';
import { hasPython, runPython } from './python.ts';

const base: ImagePreprocess = {
  kind: 'image',
  width: 60,
  height: 44,
  fit: 'stretch',
  filter: 'bilinear',
  layout: 'NCHW',
  colour: 'RGB',
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  pad: 114,
};
const grey: Partial<ImagePreprocess> = { colour: 'GRAY', mean: [0.5], std: [0.25] };
const variants: Partial<ImagePreprocess>[] = [
  {},
  { layout: 'NHWC' },
  { colour: 'BGR' },
  { colour: 'BGR', layout: 'NHWC', filter: 'lanczos' },
  { ...grey },
  { ...grey, layout: 'NHWC', filter: 'bicubic' },
  { fit: 'crop' },
  { fit: 'crop', resizeTo: 71, filter: 'bicubic' },
  { fit: 'crop', resizeTo: 50 },
  { fit: 'letterbox', filter: 'bicubic' },
  { fit: 'letterbox', filter: 'nearest', layout: 'NHWC' },
  { fit: 'pad-right', width: 200, pad: 127.5 },
  { fit: 'pad-right', width: 30 },
];
// Written by Pillow: a landscape and a portrait photo-like picture, very wide, and every kind of PNG that is flat RGB.
const files = ['landscape.png', 'portrait.png', 'wide.png', 'palette.png', 'grey.png', 'lossless.webp', 'deep.png'];

/** The preparation once more, with Pillow and torch alone. */
const script = `
from PIL import Image
import numpy as np, torch, math
folder = given['folder']
y, x = np.mgrid[0:83, 0:121]
noise = np.random.RandomState(3).randint(0, 60, (83, 121, 3))
picture = np.clip(np.stack([x * 2, y * 3, (x // 9 + y // 7) % 2 * 190], -1) + noise - 30, 0, 255).astype(np.uint8)
image = Image.fromarray(picture)
image.save(f'{folder}/landscape.png')
image.transpose(Image.ROTATE_90).save(f'{folder}/portrait.png')
image.resize((400, 23)).save(f'{folder}/wide.png')
image.quantize(40).save(f'{folder}/palette.png')
image.convert('L').save(f'{folder}/grey.png')
image.save(f'{folder}/lossless.webp', lossless=True)
Image.fromarray(picture[..., 0].astype(np.uint16) * 257).save(f'{folder}/deep.png')
image.save(f'{folder}/photo.jpg', quality=90)
names = {'bilinear': Image.BILINEAR, 'bicubic': Image.BICUBIC, 'nearest': Image.NEAREST, 'lanczos': Image.LANCZOS}

def prepare(file, p):
    image = Image.open(f'{folder}/{file}')
    if image.mode.startswith('I'):
        image = Image.fromarray((np.array(image) >> 8).astype(np.uint8))
    image = image.convert('L' if p['colour'] == 'GRAY' else 'RGB')
    W, H, code = p['width'], p['height'], names[p['filter']]
    w, h = image.size
    pad, left, top = p['pad'], 0, 0
    if p['fit'] == 'stretch':
        image = image.resize((W, H), code)
    elif p['fit'] == 'crop':
        # torchvision.transforms.functional.resize and center_crop
        short = p.get('resizeTo', max(W, H))
        size = (short, int(short * h / w)) if w <= h else (int(short * w / h), short)
        image = image.resize(size, code)
        w, h = size
        pl, pt = max(0, (W - w) // 2), max(0, (H - h) // 2)
        cl, ct = (int(round((w - W) / 2.0)) if w > W else 0), (int(round((h - H) / 2.0)) if h > H else 0)
        image = image.crop((cl, ct, min(cl + W, w), min(ct + H, h)))
        left, top = pl, pt
    elif p['fit'] == 'letterbox':
        scale = min(W / w, H / h)
        image = image.resize((max(1, int(w * scale + 0.5)), max(1, int(h * scale + 0.5))), code)
        left, top = (W - image.width) // 2, (H - image.height) // 2
    else:
        # PaddleOCR's resize_norm_img
        image = image.resize((min(W, math.ceil(H * w / h)), H), code)
    pixels = np.array(image)
    if pixels.ndim == 2: pixels = pixels[..., None]
    canvas = np.full((H, W, pixels.shape[2]), float(pad))
    canvas[top:top + pixels.shape[0], left:left + pixels.shape[1]] = pixels
    if p['colour'] == 'BGR': canvas = canvas[..., ::-1].copy()
    t = torch.from_numpy(canvas).float() * p['scale']
    t = (t - torch.tensor(p['mean'])) / torch.tensor(p['std'])
    return (t if p['layout'] == 'NHWC' else t.permute(2, 0, 1)).contiguous().numpy()

for f, file in enumerate(given['files'] + ['photo.jpg']):
    for v, p in enumerate(given['variants']):
        prepare(file, p).astype('<f4').tofile(f'{folder}/{file}-{v}')

for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(f'{folder}/turned-{orientation}.jpg', quality=95, exif=exif)
from PIL import ImageOps
for orientation in range(1, 9):
    upright = ImageOps.exif_transpose(Image.open(f'{folder}/turned-{orientation}.jpg'))
    upright.convert('RGB').save(f'{folder}/upright-{orientation}.png')

alpha = np.dstack([picture, (x * 2 % 256).astype(np.uint8)])
Image.fromarray(alpha).save(f'{folder}/alpha.png')
white = Image.new('RGBA', (121, 83), (255, 255, 255, 255))
Image.alpha_composite(white, Image.fromarray(alpha)).convert('RGB').save(f'{folder}/alpha-on-white.png')
print('null')
`;

const python = hasPython('PIL', 'numpy', 'torch');

describe.skipIf(!python)('preparation of pictures (skips without python3-pil and python3-torch)', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'aimass-image-'));
    await runPython(script, { folder, files, variants: variants.map((variant) => ({ ...base, ...variant })) });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const read = (name: string) => Bun.file(join(folder, name)).bytes();
  const pixelsOf = async (name: string) => (await decodePicture(await read(name))).pixels;

  /** Largest and mean difference in grey levels (0…255) between our tensor and the reference. */
  async function compare(file: string, variant: number) {
    const preprocess = { ...base, ...variants[variant] };
    const { bytes } = await prepareImage({ picture: await read(file), preprocess, datatype: 'FP32' });
    const ours = new Float32Array(bytes.buffer);
    const reference = new Float32Array((await read(`${file}-${variant}`)).buffer);
    expect(ours.length).toBe(reference.length);
    const levels = Math.min(...preprocess.std) / preprocess.scale;
    const differences = ours.map((value, i) => Math.abs(value - reference[i]!) * levels);
    return { max: Math.max(...differences), mean: differences.reduce((a, b) => a + b, 0) / differences.length };
  }

  for (const [variant, change] of variants.entries()) {
    test(`agrees with Pillow and torch to 1/1000 of a grey level: ${JSON.stringify(change)}`, async () => {
      for (const file of files) {
        const { max } = await compare(file, variant);
        expect(max, file).toBeLessThan(1e-3);
      }
    });
  }

  test('a JPEG agrees within 2 grey levels, because decoders round differently', async () => {
    for (const variant of variants.keys()) {
      const { max, mean } = await compare('photo.jpg', variant);
      expect(max).toBeLessThanOrEqual(2.01);
      expect(mean).toBeLessThan(0.3);
    }
  });

  test('all eight EXIF orientations come out upright', async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const ours = await pixelsOf(`turned-${orientation}.jpg`);
      const reference = await pixelsOf(`upright-${orientation}.png`);
      expect(ours.length).toBe(reference.length);
      const worst = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - reference[i]!)), 0);
      expect(worst, `orientation ${orientation}`).toBeLessThanOrEqual(6);
    }
  });

  test('transparency lies on white, within one grey level of alpha_composite', async () => {
    const ours = await pixelsOf('alpha.png');
    const reference = await pixelsOf('alpha-on-white.png');
    expect(ours.length).toBe(reference.length);
    expect(ours.every((value, i) => Math.abs(value - reference[i]!) <= 1)).toBe(true);
  });

  test('the geometry leads from the tensor back to the picture', async () => {
    const preprocess: ImagePreprocess = { ...base, fit: 'letterbox', width: 128, height: 128 };
    const { geometry } = await prepareImage({ picture: await read('landscape.png'), preprocess, datatype: 'FP32' });
    expect(geometry).toMatchObject({ width: 121, height: 83, left: 0, top: 20 });
    expect((128 - geometry.left) / geometry.scaleX).toBeCloseTo(121, 9);
    expect((108 - geometry.top) / geometry.scaleY).toBeCloseTo(83, 9);
  });

  test('other datatypes hold the same values, rounded to what they can', async () => {
    const picture = await read('landscape.png');
    const raw: ImagePreprocess = { ...base, scale: 1, mean: [0, 0, 0], std: [1, 1, 1] };
    const tensor = async (datatype: Datatype) => {
      const { bytes } = await prepareImage({ picture, preprocess: raw, datatype });
      return [...decodeNumbers({ name: '', datatype, shape: [], bytes })];
    };
    const expected = await tensor('FP32');
    for (const datatype of ['FP16', 'FP64', 'UINT8', 'INT32', 'INT64'] as const) {
      expect(await tensor(datatype), datatype).toEqual(expected);
    }
  });
});

const codeOf = (bytes: Uint8Array) =>
  prepareImage({ picture: bytes, preprocess: base, datatype: 'FP32' }).then(
    () => 'accepted',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );

describe('pictures', () => {
  const pixels = Uint8Array.from({ length: 13 * 9 * 4 }, (_, i) => (i % 4 === 3 ? 255 : (i * 37) % 256));

  test('what is written as PNG is read back', async () => {
    const png = await encodePng({ width: 13, height: 9, pixels });
    const picture = await decodePicture(png);
    expect(picture).toMatchObject({ width: 13, height: 9 });
    expect(Buffer.from(picture.pixels).equals(pixels)).toBe(true);
  });

  test('damaged, foreign and oversized files are refused with a reason', async () => {
    const png = await encodePng({ width: 13, height: 9, pixels });
    const huge = png.slice();
    new DataView(huge.buffer).setUint32(16, 20_000);
    new DataView(huge.buffer).setUint32(20, 20_000);
    new DataView(huge.buffer).setUint32(29, crc32(huge.subarray(12, 29)));
    expect(await codeOf(png.subarray(0, 80))).toBe('invalid');
    expect(await codeOf(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 1, 2, 3))).toBe('invalid');
    expect(await codeOf(new TextEncoder().encode('GIF89a…'))).toBe('unsupported');
    expect(await codeOf(new Uint8Array())).toBe('unsupported');
    expect(await codeOf(huge)).toBe('too_large');
    expect(await codeOf(png)).toBe('accepted');
  });

  test('many pictures at once each get their own answer', async () => {
    const pictures = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        encodePng({ width: i + 1, height: 2, pixels: pixels.slice(0, (i + 1) * 8) }),
      ),
    );
    const tensors = await Promise.all(
      pictures.map((picture) => prepareImage({ picture, preprocess: base, datatype: 'FP32' })),
    );
    expect(tensors.map(({ geometry }) => geometry.width)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  });
});

const shapeFor = (shape: number[], change: Partial<ImagePreprocess> = {}) =>
  imageShape({ ...base, width: 28, height: 20, ...change }, { name: 'x', datatype: 'FP32', shape });

describe('the shape of a picture tensor', () => {
  test('follows the signature', () => {
    expect(shapeFor([-1, 3, 20, 28])).toEqual([1, 3, 20, 28]);
    expect(shapeFor([-1, 3, -1, -1])).toEqual([1, 3, 20, 28]);
    expect(shapeFor([1, 20, 28, 3], { layout: 'NHWC' })).toEqual([1, 20, 28, 3]);
    expect(shapeFor([3, 20, 28])).toEqual([3, 20, 28]);
    expect(shapeFor([-1, 560], grey)).toEqual([1, 560]);
    expect(shapeFor([-1, 20, 28], grey)).toEqual([1, 20, 28]);
  });

  test('that cannot be is refused', () => {
    expect(() => shapeFor([-1, 3, 224, 224])).toThrow(AppError);
    expect(() => shapeFor([-1, 20, 28, 3])).toThrow(AppError);
    expect(() => shapeFor([8, 3, 20, 28])).toThrow(AppError);
    expect(() => shapeFor([-1, 1, 20, 28])).toThrow(AppError);
  });
});
