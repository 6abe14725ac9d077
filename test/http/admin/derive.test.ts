// The page that makes another version of the files of one, and its form, which is filled from a manifest.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { valuesOf } from '../../../src/http/admin/manifest-values.ts';
import { manifestOf } from '../../../src/http/admin/upload-manifest.ts';
import { parseManifest } from '../../../src/registry/manifest.ts';
import { smallCnn } from '../../support/graphs.ts';
import { attacks, expectText } from './markup.ts';
import { openSignedIn, type SignedIn } from './session.ts';
import { sendFiles } from './uploading.ts';

let box: SignedIn;
beforeAll(async () => {
  box = await openSignedIn();
});
afterAll(() => box[Symbol.asyncDispose]());

const post = (fields: Record<string, string>) => box.administrator.post('/admin/upload', { task: 'tensor', ...fields });

interface Stored {
  state: string;
  manifest: Record<string, unknown>;
}
const stored = async (path: string) => (await box.ask<Stored>('GET', `/api/v1/models/${path}`)).body;

describe('another version of the same files', () => {
  test('is made on a form that is filled with what the version has', async () => {
    const files = await sendFiles(box, { 'm.onnx': smallCnn() });
    const preprocess = { kind: 'image', width: 28, height: 28, colour: 'GRAY', filter: 'lanczos', scale: 0.5 };
    const manifest = JSON.stringify({
      task: 'image-classification',
      preprocess,
      postprocess: { kind: 'classes', top: 3 },
    });
    expect((await post({ name: 'derived', files, licence: 'MIT', manifest })).status).toBe(303);
    const path = '/admin/models/derived/versions/1';
    expect((await box.administrator.get(path)).text).toContain(`href="${path}/derive"`);
    const shown = await box.administrator.get(`${path}/derive`);
    // What has no field of its own is in the JSON.
    for (const words of [
      'value="MIT"',
      'lanczos',
      '&quot;top&quot;: 3',
      '&quot;maxBatchSize&quot;: 32',
      'New version from version 1',
    ]) {
      expect(shown.text).toContain(words);
    }
    const plain = await box.administrator.post(`${path}/derive`, { task: 'tensor', description: 'Only tensors' });
    expect(plain.location).toBe('/admin/models/derived/versions/2');
    const { state, manifest: made } = await stored('derived/versions/2');
    expect(state).toBe('unloaded');
    expect(made).toMatchObject({
      task: 'tensor',
      description: 'Only tensors',
      origin: { kind: 'version', from: 'derived:1' },
    });
    for (const name of ['licence', 'preprocess', 'postprocess', 'labels']) expect(made).not.toHaveProperty(name);
    expect((await box.administrator.get('/admin/models/derived/versions/2')).text).toContain('Another version');
    const trail = await box.administrator.get('/admin/audit?action=deriveVersion');
    expect(trail.text).toContain('derived:2');
  });

  test.each(attacks)('what is wrong is said at its field, and markup stays text: %s', async (attack) => {
    const path = '/admin/models/derived/versions/1/derive';
    const shown = await box.administrator.post(path, { task: 'tensor', licence: attack, description: attack });
    expect(shown.status).toBe(422);
    expect(shown.text).toMatch(/id="field-licence-fault"/);
    expectText(shown, attack);
  });

  test('is for those who bring models, of versions that are there', async () => {
    const path = '/admin/models/derived/versions/1/derive';
    expect((await box.as('viewer').get(path)).status).toBe(403);
    expect((await box.as('viewer').post(path, { task: 'tensor' })).status).toBe(403);
    expect((await box.administrator.get('/admin/models/derived/versions/99/derive')).status).toBe(404);
  });
});

test.each([
  [
    'anchors',
    {
      task: 'object-detection',
      preprocess: { kind: 'image', width: 8, height: 8 },
      postprocess: { kind: 'anchors', scores: ['s'], boxes: ['b'], maps: [{ cells: 2, anchors: 2 }], boxScale: 8 },
    },
  ],
  [
    'boxes',
    {
      task: 'object-detection',
      preprocess: { kind: 'image', width: 8, height: 9, fit: 'letterbox' },
      postprocess: {
        kind: 'boxes',
        boxes: 'b',
        scores: 's',
        classes: 'c',
        format: 'yxyx',
        units: 'relative',
        minScore: 0.25,
      },
    },
  ],
  [
    'a table',
    {
      task: 'tabular-classification',
      labels: ['a', 'b'],
      preprocess: { kind: 'table', columns: [{ name: 'a' }, { name: 'b', kind: 'category', categories: ['x', 'y'] }] },
      postprocess: { kind: 'classes' },
    },
  ],
  [
    'a table with means',
    {
      task: 'tabular-regression',
      preprocess: { kind: 'table', columns: [{ name: 'a', mean: 3, std: 2 }] },
      postprocess: { kind: 'numbers', names: ['y'] },
    },
  ],
  [
    'a photo',
    {
      task: 'image-classification',
      preprocess: {
        kind: 'image',
        width: 224,
        height: 224,
        fit: 'crop',
        resizeTo: 256,
        scale: 1 / 255,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
      },
      postprocess: { kind: 'classes', activation: 'softmax' },
    },
  ],
  [
    'labels that no line holds',
    {
      task: 'image-classification',
      labels: [' a', 'b\nc'],
      preprocess: { kind: 'image', width: 4, height: 4 },
      postprocess: { kind: 'classes' },
    },
  ],
] as [string, object][])('the form says what the manifest said: %s', (_, given) => {
  const manifest = parseManifest(given);
  const values = valuesOf(manifest);
  expect(parseManifest(manifestOf(new Map(Object.entries(values))))).toEqual(manifest);
});
