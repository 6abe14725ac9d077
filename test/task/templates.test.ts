// The template catalogue, and the real models doing their work on real pictures. What needs the model files skips until
// scripts/fetch-models.ts has brought them.
import { describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { TemplateDescription } from '../../models/catalogue.ts';
import { checkManifest } from '../../src/registry/manifest-check.ts';
import { parseManifest } from '../../src/registry/manifest.ts';
import { prepareImage } from '../../src/task/image-threads.ts';
import { decodeNumbers } from '../../src/task/numbers.ts';
import { predict, type TaskAnswer } from '../../src/task/predict.ts';
import type { Manifest } from '../../src/types.ts';
import { hasPython, runPython } from './python.ts';
import { openModel } from './real-model.ts';

const root = join(import.meta.dir, '../..');
const names = readdirSync(join(root, 'models'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const modelPath = (name: string) => join(root, 'models', name, 'model.onnx');
const photoPath = join(root, '.cache/samples/face.jpg');
const isFetched = names.every((name) => existsSync(modelPath(name))) && existsSync(photoPath);

const readTemplate = async (name: string) =>
  (await Bun.file(join(root, 'models', name, 'template.json')).json()) as TemplateDescription;
const manifestOf = ({ manifest, licence, description, name }: TemplateDescription): Manifest =>
  parseManifest({ ...manifest, licence, description, origin: { kind: 'template', from: name } });

async function ask(name: string, picture: Uint8Array): Promise<TaskAnswer> {
  const { signature, compute } = openModel(modelPath(name));
  return predict(manifestOf(await readTemplate(name)), signature, { kind: 'image', bytes: picture }, compute);
}

const distance = (x: number, y: number, to: readonly [number, number]): number => Math.hypot(x - to[0], y - to[1]);

describe('every template', () => {
  for (const name of names) {
    test(`${name} is complete, and its manifest is one that the registry takes`, async () => {
      const template = await readTemplate(name);
      expect(template.name).toBe(name);
      expect(template.title.length).toBeGreaterThan(5);
      expect(template.description.length).toBeGreaterThan(20);
      expect(template.source.version).toMatch(/^\d+\.\d+\.\d+$/);
      // SPDX identifiers that leave the user free to use and pass on the model.
      const licences = template.licence.split(' AND ');
      expect(['Apache-2.0', 'MIT', 'BSD-3-Clause', 'ISC']).toEqual(expect.arrayContaining(licences));
      expect(licences).toContain(template.source.licence);
      const { files, licenceFile } = template.source;
      expect(files.map(({ as }) => as)).toEqual(['model.onnx']);
      for (const { path, sha256 } of [...files, ...(licenceFile ? [licenceFile] : [])]) {
        expect(sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(path).not.toContain('..');
      }
      expect(manifestOf(template)).toMatchObject({ ...template.manifest, serving: template.manifest.serving });
    });
  }
});

describe.skipIf(!isFetched)('with the models (skips before scripts/fetch-models.ts)', () => {
  test('the catalogue lists every folder with files of the right hash', async () => {
    const { templates } = await import('../../models/catalogue.ts');
    expect(templates.map(({ name }) => name).sort()).toEqual(names.toSorted());
    for (const { files, source } of templates) {
      for (const [i, { as, path }] of files.entries()) {
        const hash = new Bun.CryptoHasher('sha256').update(await Bun.file(path).bytes()).digest('hex');
        expect({ as, hash }).toEqual({ as: source.files[i]!.as, hash: source.files[i]!.sha256 });
      }
    }
  });

  for (const name of names) {
    test(`${name}: the manifest fits the model`, async () => {
      const { signature } = openModel(modelPath(name));
      checkManifest(manifestOf(await readTemplate(name)), signature);
    });
  }

  // Middle of the eyes, middle of the lips and chin on the 1920 × 1537 photo, measured by eye on an enlarged print.
  const faces = [
    { eyes: [372, 602], mouth: [387, 713], chin: 758 },
    { eyes: [757, 450], mouth: [768, 562], chin: 637 },
    { eyes: [1278, 427], mouth: [1274, 541], chin: 583 },
    { eyes: [1586, 385], mouth: [1561, 496], chin: 553 },
  ] as const;

  for (const name of ['face-detection', 'face-detection-near']) {
    test(`${name} finds the four faces of the photo`, async () => {
      const answer = await ask(name, await Bun.file(photoPath).bytes());
      if (answer.task !== 'object-detection') throw new Error(answer.task);
      expect(answer.image).toEqual({ width: 1920, height: 1537 });
      const objects = answer.objects.toSorted((a, b) => a.box.x - b.box.x);
      expect(objects).toHaveLength(faces.length);
      for (const [i, { box, label, score }] of objects.entries()) {
        const { eyes, mouth, chin } = faces[i]!;
        expect(label).toBe('face');
        expect(score).toBeGreaterThan(0.5);
        for (const [x, y] of [eyes, mouth]) {
          expect(x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height).toBe(true);
        }
        expect(box.y + box.height).toBeGreaterThan(chin - 60);
        expect(box.width).toBeLessThan(350);
      }
    });
  }

  test('face-detection puts the mouth and the middle of the eyes where they are, within 25 pixels', async () => {
    const answer = await ask('face-detection', await Bun.file(photoPath).bytes());
    if (answer.task !== 'object-detection') throw new Error(answer.task);
    const objects = answer.objects.toSorted((a, b) => a.box.x - b.box.x);
    for (const [i, { keypoints }] of objects.entries()) {
      const point = (name: string) => keypoints!.find((keypoint) => keypoint.name === name)!;
      const [right, left, mouth] = [point('right eye'), point('left eye'), point('mouth')];
      const face = faces[i]!;
      expect(right.x).toBeLessThan(left.x);
      expect(distance((right.x + left.x) / 2, (right.y + left.y) / 2, face.eyes)).toBeLessThan(25);
      expect(distance(mouth.x, mouth.y, face.mouth)).toBeLessThan(25);
    }
  });

  const script = `
import base64, io
from PIL import Image, ImageDraw, ImageFont
lines = []
for text in given:
    font = ImageFont.truetype('/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf', 30)
    image = Image.new('RGB', (int(font.getlength(text)) + 16, 44), (250, 250, 245))
    ImageDraw.Draw(image).text((8, 4), text, fill=(20, 20, 30), font=font)
    pair = []
    for turned in (image, image.rotate(180)):
        out = io.BytesIO()
        turned.save(out, 'PNG')
        pair.append(base64.b64encode(out.getvalue()).decode())
    lines.append(pair)
print(json.dumps(lines))
`;
  const canRender = hasPython('PIL') && existsSync('/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf');

  describe.skipIf(!canRender)('lines of text (skips without python3-pil and fonts-liberation)', () => {
    const lines = runPython<[string, string][]>(script, [
      'Invoice No. 2024-1187',
      'Please sign here',
      'Total 1,250.00',
    ]);

    test('text-orientation tells upright from upside down', async () => {
      for (const pair of await lines) {
        for (const [i, expected] of ['upright', 'upside down'].entries()) {
          const answer = await ask('text-orientation', Buffer.from(pair[i]!, 'base64'));
          if (answer.task !== 'image-classification') throw new Error(answer.task);
          const [best] = answer.predictions[0]!.classes;
          expect(best!.label).toBe(expected);
          expect(best!.score).toBeGreaterThan(0.9);
        }
      }
    });

    test('text-orientation may be batched: rows do not see each other', async () => {
      const { manifest } = await readTemplate('text-orientation');
      const { compute } = openModel(modelPath('text-orientation'));
      const { preprocess } = manifest;
      if (preprocess?.kind !== 'image') throw new Error('no image');
      const tensors = await Promise.all(
        (await lines)
          .flat()
          .map((text) => prepareImage({ picture: Buffer.from(text, 'base64'), preprocess, datatype: 'FP32' })),
      );
      const scoresOf = async (bytes: Uint8Array, rows: number) => {
        const [output] = await compute([{ name: 'x', datatype: 'FP32', shape: [rows, 3, 48, 192], bytes }]);
        return [...decodeNumbers(output!)];
      };
      const alone: number[] = [];
      for (const { bytes } of tensors) alone.push(...(await scoresOf(bytes, 1)));
      const together = await scoresOf(Buffer.concat(tensors.map(({ bytes }) => bytes)), tensors.length);
      for (const [i, score] of together.entries()) expect(score).toBeCloseTo(alone[i]!, 5);
    });
  });
});

test.skipIf(!isFetched)('fetching again finds everything in place', () => {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-no-npm-'));
  try {
    const script = join(root, 'scripts/fetch-models.ts');
    // Without npm in reach, so that a download would fail.
    const run = Bun.spawnSync([process.execPath, script], { env: { PATH: folder } });
    expect(run.exitCode).toBe(0);
    expect(run.stdout.toString().trim().split('\n')).toHaveLength(names.length + 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
