// The page that brings a model in: uploads with the session's cookie, an import that serves nothing, what is wrong with it
// said in place, and manifests that the form makes; and templates.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { manifestOf } from '../../../src/http/admin/upload-manifest.ts';
import { parseManifest } from '../../../src/registry/manifest.ts';
import { addSub, bigWeights, smallCnn, softmaxLinear } from '../../support/graphs.ts';
import { attacks, expectText } from './markup.ts';
import { openSignedIn, type SignedIn } from './session.ts';
import { sendFiles } from './uploading.ts';

let box: SignedIn;
beforeAll(async () => {
  box = await openSignedIn();
});
afterAll(() => box[Symbol.asyncDispose]());

const send = (files: Record<string, Uint8Array>) => sendFiles(box, files);
const post = (fields: Record<string, string>, headers?: Record<string, string>) =>
  box.administrator.post('/admin/upload', { task: 'tensor', ...fields }, headers);

interface Stored {
  state: string;
  manifest: Record<string, unknown>;
}
const stored = async (path: string) => (await box.ask<Stored>('GET', `/api/v1/models/${path}`)).body;

describe('an upload', () => {
  test('is stored, not served, and leads to what was found in it', async () => {
    const files = await send({ 'model.onnx': addSub() });
    const done = await post({ name: 'sums', files, licence: 'MIT', description: 'Sums' });
    expect(done).toMatchObject({ status: 303, location: '/admin/models/sums/versions/1?new=1' });
    expect(await stored('sums/versions/1')).toMatchObject({
      state: 'unloaded',
      manifest: { licence: 'MIT', description: 'Sums' },
    });
    const page = await box.administrator.get(done.location!);
    for (const words of ['The model is stored', 'INPUT0', 'INT32', '[N, 16]', 'ai.onnx', 'would start on']) {
      expect(page.text).toContain(words);
    }
    expect(page.text).toContain('action="/admin/models/sums/versions/1/load"');
  });

  test('that a script sends is answered with where to go, not with the next page', async () => {
    const files = await send({ 'model.onnx': addSub() });
    const done = await post({ name: 'scripted', files }, { 'hx-request': 'true' });
    expect(done.status).toBe(200);
    expect(done.headers.get('hx-redirect')).toBe('/admin/models/scripted/versions/1?new=1');
    expect(done.text).toBe('');
  });

  test('of a folder, and of a repository of several models', async () => {
    const folder = await send({
      'export/model.onnx': bigWeights(1, true)['model.onnx']!,
      'export/weights.bin': bigWeights(1, true)['weights.bin']!,
    });
    expect((await post({ name: 'folder', files: folder })).status).toBe(303);
    const config = (name: string) =>
      new TextEncoder().encode(`name: "${name}"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 8\n`);
    const repository = await send({
      'models/first/config.pbtxt': config('first'),
      'models/first/1/model.onnx': addSub(),
      'models/second/config.pbtxt': config('second'),
      'models/second/1/model.onnx': addSub(),
    });
    expect(await post({ files: repository })).toMatchObject({ status: 303, location: '/admin/models' });
    expect((await box.administrator.get('/admin/models')).text).toContain('2 models are stored.');
  });
});

describe('what is wrong is said in place', () => {
  let files: string;
  beforeAll(async () => {
    files = await send({ 'model.onnx': addSub() });
  });

  test.each([
    ['a licence that is none', { licence: attacks[0]! }, 'field-licence', 'SPDX'],
    ['a name that cannot be', { name: attacks[1]! }, 'field-name', 'cannot be called'],
    ['a manifest that is not JSON', { manifest: '{"serving":' }, 'field-manifest', 'not JSON'],
    ['a picture without a size', { task: 'image-classification', width: '', height: '224' }, 'field-width', 'width'],
    [
      'a picture with a size in words',
      { task: 'image-classification', width: attacks[3]! },
      'field-width',
      'whole number',
    ],
    ['a table without columns', { task: 'tabular-regression' }, 'field-columns', 'columns'],
    ['boxes without an output', { task: 'object-detection', width: '9', height: '9' }, 'field-boxOutput', 'boxes'],
    ['no files', { files: '[]' }, undefined, 'Choose a file first'],
    ['files that are none', { files: '[{"uploadId":1}]' }, undefined, 'Choose a file first'],
    ['an upload that is not there', { files: '[{"uploadId":"x","path":"m.onnx"}]' }, undefined, 'no such upload'],
  ] as [string, Record<string, string>, string | undefined, string][])('%s', async (_, fields, field, words) => {
    const sent = { name: 'wrong', files, ...fields };
    const shown = await post(sent);
    expect(shown.status).toBe(422);
    expect(shown.text).toContain(words);
    if (field) expect(shown.text).toMatch(new RegExp(`id="${field}-fault"`));
    for (const [name, entered] of Object.entries(fields)) if (name !== 'files' && entered) expectText(shown, entered);
    expect((await box.ask('GET', '/api/v1/models/wrong')).status).toBe(404);
  });

  test('a file that is missing can be added: the page is told to look which it must send again', async () => {
    const { 'model.onnx': model, 'weights.bin': weights } = bigWeights(1, true);
    const alone = await post({ name: 'halves', files: await send({ 'model.onnx': model! }) });
    expect(alone.status).toBe(422);
    expect(alone.text).toContain('external data file &#39;weights.bin&#39; is missing');
    expect(alone.headers.get('hx-trigger')).toBe('upload-again');
    const both = await send({ 'model.onnx': model!, 'weights.bin': weights! });
    expect((await post({ name: 'halves', files: both })).status).toBe(303);
  });

  test('something that is no model', async () => {
    const shown = await post({
      name: 'wrong',
      files: await send({ 'model.pt': Buffer.from('PK\u0003\u0004not a model') }),
    });
    expect(shown.status).toBe(422);
    expect(shown.text).toContain('It could not be taken in');
  });
});

describe('what the form says becomes a manifest', () => {
  const manifest = (fields: Record<string, string>) => parseManifest(manifestOf(new Map(Object.entries(fields))));

  test('a classifier of pictures as they are usually trained', () => {
    const fields = {
      task: 'image-classification',
      width: '224',
      height: '224',
      fit: 'crop',
      layout: 'NCHW',
      colour: 'BGR',
    };
    const made = manifest({ ...fields, values: 'imagenet', activation: 'softmax', labels: 'cat\r\n\r\n dog \n' });
    expect(made.labels).toEqual(['cat', 'dog']);
    expect(made.preprocess).toMatchObject({
      resizeTo: 256,
      scale: 1 / 255,
      mean: [0.406, 0.456, 0.485],
      std: [0.225, 0.224, 0.229],
    });
    expect(made.postprocess).toMatchObject({ kind: 'classes', activation: 'softmax' });
    expect(manifest({ ...fields, colour: 'GRAY', values: 'symmetric', activation: 'none' }).preprocess).toMatchObject({
      mean: [1],
      std: [1],
      scale: 1 / 127.5,
    });
    expect(manifest({ ...fields, fit: 'letterbox', values: 'raw', activation: 'none' }).preprocess).toMatchObject({
      scale: 1,
      mean: [0, 0, 0],
    });
  });

  test('a detector', () => {
    const fields = {
      task: 'object-detection',
      width: '640',
      height: '480',
      fit: 'letterbox',
      layout: 'NCHW',
      colour: 'RGB',
      values: 'unit',
    };
    const boxes = {
      boxOutput: ' boxes ',
      scoreOutput: 'scores',
      format: 'cxcywh',
      units: 'pixels',
      minScore: '0.25',
      activation: 'none',
    };
    expect(manifest({ ...fields, ...boxes }).postprocess).toMatchObject({
      kind: 'boxes',
      boxes: 'boxes',
      scores: 'scores',
      format: 'cxcywh',
      minScore: 0.25,
    });
  });

  test('a table, and JSON that goes over it', () => {
    const made = manifest({
      task: 'tabular-classification',
      columns: 'age\ncolour: red, green ,blue\n',
      activation: 'none',
      labels: 'no\nyes',
      manifest: '{"serving":{"maxBatchSize":4},"labels":["a","b"]}',
    });
    expect(made.preprocess).toMatchObject({
      columns: [
        { name: 'age', kind: 'number' },
        { name: 'colour', kind: 'category', categories: ['red', 'green', 'blue'] },
      ],
    });
    expect(made).toMatchObject({ labels: ['a', 'b'], serving: { maxBatchSize: 4 } });
  });

  test('of models that then answer', async () => {
    const rows = await send({
      'model.onnx': softmaxLinear(
        [
          [1, 2],
          [3, 4],
        ],
        [0, 0],
      ),
    });
    const fields = { task: 'tabular-classification', columns: 'a\nb', activation: 'none', labels: 'no\nyes' };
    expect((await post({ name: 'rows', files: rows, ...fields })).status).toBe(303);
    const pictures = await send({ 'model.onnx': smallCnn() });
    const picture = {
      task: 'image-classification',
      width: '28',
      height: '28',
      fit: 'stretch',
      layout: 'NCHW',
      colour: 'GRAY',
      values: 'unit',
    };
    expect((await post({ name: 'digits', files: pictures, ...picture, activation: 'softmax' })).status).toBe(303);
    for (const name of ['rows', 'digits'])
      expect((await box.administrator.post(`/admin/models/${name}/versions/1/load`)).status).toBe(303);
    const answer = await box.ask('POST', '/v1/models/rows/predict', { row: { a: 1, b: 1 } });
    expect(answer).toMatchObject({
      status: 200,
      body: { predictions: [{ classes: [{ label: 'yes' }, { label: 'no' }] }] },
    });
  });
});

describe('what it is for', () => {
  const propose = (fields: Record<string, string>) =>
    box.administrator.post('/admin/upload/proposal', { task: 'tensor', ...fields });

  test('is proposed from what the model takes and gives, and can be changed before it is imported', async () => {
    const files = await send({ 'digits.onnx': smallCnn() });
    const shown = await propose({ name: 'proposed', files, licence: 'MIT', labels: 'a\nb' });
    expect(shown.status).toBe(200);
    expect(shown.text).toContain('It looks like: Image classification');
    expect(shown.text).toContain('image [');
    for (const pattern of [
      /value="image-classification"[^>]*checked|checked[^>]*value="image-classification"/,
      /name="width"[^>]*value="28"|value="28"[^>]*name="width"/,
      /value="MIT"/,
      /<option value="GRAY"\s+selected/,
      /<option value="softmax"\s+selected/,
    ]) {
      expect(shown.text).toMatch(pattern);
    }
    expect((await box.ask('GET', '/api/v1/models/proposed')).status).toBe(404);
    // The files are still there: first with labels that do not fit, then without.
    const fields = {
      task: 'image-classification',
      width: '28',
      height: '28',
      fit: 'stretch',
      layout: 'NCHW',
      colour: 'GRAY',
    };
    const more = { ...fields, values: 'unit', activation: 'softmax' };
    expect((await post({ name: 'proposed', files, ...more, labels: 'a' })).text).toContain('labels has 1 entries');
    expect((await post({ name: 'proposed', files, ...more })).status).toBe(303);
  });

  test('is not proposed over what was said, nor where nothing fits', async () => {
    const files = await send({ 'm.onnx': smallCnn() });
    const sums = await send({ 'm.onnx': addSub() });
    const asked: Record<string, string>[] = [
      { files, task: 'tabular-regression' },
      { files, manifest: '{}' },
      { name: 'sums', files: sums },
    ];
    for (const fields of asked) {
      const { status, text, headers } = await propose({ name: 'm', ...fields });
      expect([status, headers.get('hx-retarget'), headers.get('hx-reselect')]).toEqual([200, '#verdict', '#verdict']);
      expect(text).not.toContain('It looks like');
    }
  });

  test('is not proposed of what is no model, which is said at once', async () => {
    const shown = await propose({ name: 'm', files: await send({ 'm.onnx': new Uint8Array(100) }) });
    expect([shown.status, shown.text.includes('It could not be taken in')]).toEqual([422, true]);
    expect((await box.as('viewer').post('/admin/upload/proposal', { files: '[]' })).status).toBe(403);
  });
});

describe('a template', () => {
  test('becomes a model under a name of one’s own', async () => {
    const made = await box.administrator.post('/admin/templates/face-detection/install', {
      'name-face-detection': 'faces',
    });
    expect(made).toMatchObject({ status: 303, location: '/admin/models/faces' });
    expect(await stored('faces')).toMatchObject({ state: 'ready' });
    // What is taken is not suggested again.
    await box.administrator.post('/admin/templates/face-detection/install', {
      'name-face-detection': 'face-detection',
    });
    expect((await box.administrator.get('/admin/templates')).text).toContain('value="face-detection-2"');
  });

  test.each(['', attacks[1]!])('not under the name %p', async (name) => {
    const shown = await box.administrator.post('/admin/templates/face-detection/install', {
      'name-face-detection': name,
    });
    expect(shown.status).toBe(422);
    expect(shown.text).toContain('id="field-name-face-detection-fault"');
    if (name) expectText(shown, name);
  });

  test('that is not there cannot be installed', async () => {
    const { status } = await box.administrator.post('/admin/templates/none/install', { 'name-none': 'x' });
    expect(status).toBeGreaterThanOrEqual(400);
  });
});
