// Commands against a real appliance, over the socket in its data folder.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { InferAnswer, ModelAnswer, ModelSummary, PredictAnswer, VersionsAnswer } from '../../src/cli/answers.ts';
import { addScalar, bigWeights, linear, softmaxLinear } from '../support/graphs.ts';
import { aimass, openServer, type TestServer } from './command-line.ts';

const photo = join(import.meta.dir, '../../.cache/samples/face.jpg');
const triton = join(import.meta.dir, '../../../shared/data/triton-simple');

let server: TestServer;
beforeAll(async () => {
  server = await openServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function write(name: string, content: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const path = join(server.folder, name);
  await Bun.write(path, content);
  return path;
}

test('a model from its file to its removal', async () => {
  expect((await server.aimass(['models'])).out).toContain('no models yet');
  const file = await write('plus.onnx', addScalar(3));
  const first = await server.aimass(['push', file]);
  expect(first.code).toBe(0);
  expect(first.out).toMatch(/^plus:1 \(tensor, .*\) is ready$/m);
  expect(first.err).toContain('sent plus.onnx');

  const next = await write('model.onnx', addScalar(5));
  const second = await server.aimass(['push', 'plus', next, '--no-load']);
  expect(second.out).toContain('aimass load plus:2');

  const data = [1, 2, 3, 4];
  const inputs = [{ name: 'input', datatype: 'FP32', shape: [1, 4], data }];
  const request = await write('request.json', JSON.stringify({ inputs }));
  const sums = async (reference: string) =>
    (await server.json<InferAnswer>('predict', reference, request)).outputs[0]!.data;
  expect(await sums('plus')).toEqual(data.map((x) => x + 3));
  expect((await server.aimass(['predict', 'plus', request])).out).toContain('output FP32 [1, 4]: 4 5 6 7');

  expect((await server.aimass(['load', 'plus:2'])).out).toBe('plus:2 is served.\n');
  expect(await sums('plus')).toEqual(data.map((x) => x + 5));

  const shown = await server.json<ModelAnswer>('show', 'plus');
  expect(shown).toMatchObject({ name: 'plus', current: 2, state: 'ready' });
  expect(shown.versions.map(({ version }) => version)).toEqual([1, 2]);
  expect((await server.aimass(['show', 'plus'])).out).toContain('plus is ready; version 2 answers.');
  expect((await server.aimass(['show', 'plus:1'])).out).toMatch(/^licence +not stated$/m);
  expect((await server.aimass(['models'])).out).toMatch(/^plus +ready +2 +2 +tensor/m);
  const running = await server.aimass(['ps']);
  expect(running.out).toMatch(/^plus:2 +not released +ready +cpu +\d+ /m);

  expect(await server.aimass(['rm', 'plus', '--yes'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('nload'),
  });
  expect(await server.aimass(['unload', 'plus'])).toMatchObject({ code: 0 });
  expect(await server.aimass(['predict', 'plus', request])).toMatchObject({ code: 1 });
  expect(await server.aimass(['rm', 'plus:1', '--yes'])).toMatchObject({ code: 0, out: 'plus:1 is removed.\n' });

  const unasked = await server.aimass(['rm', 'plus']);
  expect(unasked).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });
  const refused = await server.aimass(['rm', 'plus'], { readLine: async () => 'n\n' });
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('plus with 1 version') });
  expect(await server.json<ModelAnswer>('show', 'plus')).toMatchObject({ versions: [{ version: 2 }] });
  expect(await server.aimass(['rm', 'plus'], { readLine: async () => 'y' })).toMatchObject({ code: 0 });
  expect(await server.aimass(['show', 'plus'])).toMatchObject({ code: 1, out: '' });
});

test('rows, with a manifest that says what they are', async () => {
  const columns = ['width', 'height'].map((name) => ({ name, kind: 'number' }));
  const manifest = await write(
    'flat.json',
    JSON.stringify({
      task: 'tabular-classification',
      labels: ['wide', 'tall'],
      licence: 'MIT',
      preprocess: { kind: 'table', columns },
      postprocess: { kind: 'classes', activation: 'none', top: 2 },
    }),
  );
  const weights = [
    [1, 0],
    [0, 1],
  ];
  const file = await write('shape.onnx', softmaxLinear(weights, [0, 0]));
  await server.json('push', file, '--manifest', manifest);
  expect((await server.aimass(['show', 'shape'])).out).toMatch(/licence +MIT/);

  const [wide, tall] = [
    { width: 4, height: 1 },
    { width: 0, height: 2 },
  ];
  const best = async (name: string, content: unknown) => {
    const answer = await server.json<PredictAnswer>('predict', 'shape', await write(name, JSON.stringify(content)));
    if (answer.task !== 'tabular-classification') throw new Error(answer.task);
    return answer.predictions.map(({ classes: [first] }) => [first!.label, first!.score.toFixed(4)]);
  };
  const score = (lead: number) => (1 / (1 + Math.exp(-lead))).toFixed(4);
  expect(await best('row.json', wide)).toEqual([['wide', score(3)]]);
  expect(await best('rows.json', [wide, tall])).toEqual([
    ['wide', score(3)],
    ['tall', score(2)],
  ]);
  expect(await best('request.json', { rows: [tall] })).toEqual([['tall', score(2)]]);
  const text = await server.aimass(['predict', 'shape', join(server.folder, 'rows.json')]);
  expect(text.out).toMatch(/^ *2 +tall +88\.1 %$/m);
});

test('numbers as answers', async () => {
  const columns = ['a', 'b', 'c'].map((name) => ({ name, kind: 'number' }));
  const preprocess = { kind: 'table', columns };
  const postprocess = { kind: 'numbers' };
  const manifest = await write('sum.json', JSON.stringify({ task: 'tabular-regression', preprocess, postprocess }));
  await server.json('push', await write('sum.onnx', linear([[1, 1, 1]], [0.5])), '--manifest', manifest);
  const { code, out } = await server.aimass([
    'predict',
    'sum',
    await write('row.json', JSON.stringify({ row: [1, 2, 3] })),
  ]);
  expect(code).toBe(0);
  expect(out).toMatch(/^ *1 +value +6\.5$/m);
});

test.skipIf(!existsSync(photo))('a template and a photo', async () => {
  const templates = await server.aimass(['templates'], { width: 80 });
  expect(templates.out).toContain('face-detection: ');
  for (const line of templates.out.split('\n')) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
  await server.json('install', 'face-detection', 'faces');
  expect((await server.aimass(['show', 'faces'])).out).toMatch(/licence +Apache-2\.0/);

  const drawing = join(server.folder, 'drawn.png');
  const { code, out } = await server.aimass(['predict', 'faces', photo, '--draw', drawing]);
  expect(code).toBe(0);
  expect(out).toMatch(/^face +\d+\.\d %/m);
  expect(await new Bun.Image(await Bun.file(drawing).bytes()).metadata()).toMatchObject({ format: 'png' });

  const unknown = await server.aimass(['install', 'face-detektion']);
  expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('face-detection') });
});

describe.skipIf(!existsSync(triton))('Triton repositories', () => {
  test('the folders name the models', async () => {
    const repository = join(server.folder, 'repository');
    for (const name of ['simple', 'simple_string'])
      await cp(join(triton, name), join(repository, name), { recursive: true });
    const { versions } = await server.json<VersionsAnswer>('push', repository);
    expect(versions.map(({ model, state }) => [model, state])).toEqual([
      ['simple', 'ready'],
      ['simple_string', 'ready'],
    ]);
  });

  test("one model's folder", async () => {
    const { versions } = await server.json<VersionsAnswer>('push', join(triton, 'simple_int8'), '--no-load');
    expect(versions).toMatchObject([{ model: 'simple_int8', version: 1, state: 'unloaded' }]);
  });
});

test('a folder with external weights is named after itself; hidden files stay here', async () => {
  const folder = join(server.folder, 'heavy');
  await mkdir(join(folder, '.git'), { recursive: true });
  await write('heavy/.git/config', 'private');
  for (const [name, bytes] of Object.entries(bigWeights(1, true))) await write(`heavy/${name}`, bytes);
  const { versions } = await server.json<VersionsAnswer>('push', folder);
  expect(versions).toMatchObject([{ model: 'heavy', state: 'ready' }]);
  expect(versions[0]!.files.map(({ path }) => path).join()).not.toContain('.git');
});

test('what is no model is refused, and nothing of it is left', async () => {
  const uploads = () => [...new Bun.Glob('uploads/*').scanSync(server.data)];
  const before = uploads();
  const refused = await server.aimass(['push', await write('text.onnx', 'hello')]);
  expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringContaining('text.onnx') });
  expect(uploads()).toEqual(before);
  const { models } = await server.json<{ models: ModelSummary[] }>('models');
  expect(models.map(({ name }) => name)).not.toContain('text');
});

test('a bad name or manifest is told before anything is sent', async () => {
  const file = await write('model.onnx', addScalar(1));
  for (const argv of [
    ['bad name!', file],
    ['x', file, '--manifest', file],
    ['x', join(server.folder, 'nothing-here')],
  ]) {
    const { code, err } = await server.aimass(['push', ...argv]);
    expect(code).not.toBe(0);
    expect(err).not.toContain('sent');
  }
  const unnamed = await server.aimass(['push', file]);
  expect(unnamed).toMatchObject({ code: 2, err: expect.stringContaining('aimass push NAME') });
});

test('over the network', async () => {
  const { code, out } = await aimass([
    'models',
    '--json',
    '--server',
    server.url,
    '--key',
    await server.openToPrograms(),
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual(await server.json('models'));
});

test('the socket of a server that was killed', async () => {
  const data = join(server.folder, 'dead');
  await mkdir(data);
  // A process that ends without closing its socket leaves the file.
  const script = `Bun.listen({ unix: ${JSON.stringify(join(data, 'aimass.sock'))}, socket: { data() {} } }); process.kill(process.pid, 9);`;
  Bun.spawnSync([process.execPath, '-e', script]);
  expect(existsSync(join(data, 'aimass.sock'))).toBeTrue();
  const { code, err } = await aimass(['models', '--data', data]);
  expect(code).toBe(3);
  expect(err).toContain('does not answer');
});
