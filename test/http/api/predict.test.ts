// The task API over HTTP: rows against sklearn-like arithmetic done here, pictures in every form a client may send.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { linear, softmaxLinear } from '../../support/graphs.ts';
import { startAppliance } from './appliance.ts';

interface Failure {
  error: { code: string; message: string; hint?: string };
}

const photo = join(import.meta.dir, '../../../.cache/samples/face.jpg');
const weights = [
  [0.5, 2],
  [-1, 0],
  [0.25, 1],
];
const bias = [0.1, 0.2, 0.3];
let appliance: Awaited<ReturnType<typeof startAppliance>>;
const ask: typeof appliance.ask = (...request) => appliance.ask(...request);

async function add(name: string, bytes: Uint8Array, manifest: object): Promise<void> {
  const { body } = await ask<{ id: string }>('POST', '/api/v1/uploads', { bytes: bytes.length });
  await ask('PATCH', `/api/v1/uploads/${body.id}`, bytes, { 'upload-offset': '0' });
  const files = [{ uploadId: body.id, path: 'model.onnx' }];
  const added = await ask('POST', `/api/v1/models/${name}/versions`, { files, manifest });
  expect(added).toMatchObject({ status: 201 });
}

const columns = [
  { name: 'a', kind: 'number' },
  { name: 'b', kind: 'number' },
];

beforeAll(async () => {
  appliance = await startAppliance();
  await add('numbers', linear(weights, bias), {
    task: 'tabular-regression',
    preprocess: { kind: 'table', columns },
    postprocess: { kind: 'numbers', names: ['p', 'q', 'r'] },
    serving: { maxBatchSize: 2 },
  });
  await add('classes', softmaxLinear(weights, bias), {
    task: 'tabular-classification',
    labels: ['no', 'maybe', 'yes'],
    preprocess: { kind: 'table', columns },
    postprocess: { kind: 'classes', activation: 'none', top: 2 },
  });
});

afterAll(() => appliance[Symbol.asyncDispose]());

const expected = (a: number, b: number) => bias.map((c, i) => weights[i]![0]! * a + weights[i]![1]! * b + c);

test('more rows than fit a batch are answered in order', async () => {
  const rows = [{ a: 1, b: 2 }, { a: -3, b: 0.5 }, [0, 4], { a: 7, b: 7 }, { a: 0, b: 0 }];
  const { status, body } = await ask<{
    version: number;
    predictions: { values: Record<string, number> }[];
    timings: Record<string, number>;
  }>('POST', '/v1/models/numbers/predict', { rows });
  expect(status).toBe(200);
  expect(body).toMatchObject({ model: 'numbers', version: 1, task: 'tabular-regression' });
  const pairs = rows.map((row) => (Array.isArray(row) ? row : [row.a, row.b]) as [number, number]);
  expect(body.predictions).toHaveLength(rows.length);
  body.predictions.forEach(({ values }, i) => {
    expected(...pairs[i]!).forEach((value, j) => expect(values['pqr'[j]!]).toBeCloseTo(value, 4));
  });
  expect(body.timings.totalMs).toBeGreaterThanOrEqual(body.timings.computeMs!);
});

test('one row, by version, without a content type', async () => {
  const path = '/v1/models/classes/versions/1/predict';
  const { status, body } = await ask<{ predictions: { classes: { label: string; score: number }[] }[] }>(
    'POST',
    path,
    '{"row":{"a":1,"b":1}}',
  );
  expect(status).toBe(200);
  const logits = expected(1, 1);
  const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
  const best = logits.indexOf(Math.max(...logits));
  const [{ classes }] = body.predictions as [{ classes: { label: string; score: number }[] }];
  expect(classes).toHaveLength(2);
  expect(classes[0]!.label).toBe(['no', 'maybe', 'yes'][best]!);
  expect(classes[0]!.score).toBeCloseTo(Math.exp(logits[best]!) / total, 5);
});

test('a compressed body is inflated, and an unknown coding refused', async () => {
  const json = JSON.stringify({ row: [1, 2] });
  const gzipped = Bun.gzipSync(new TextEncoder().encode(json));
  const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
  expect((await ask('POST', '/v1/models/numbers/predict', gzipped, headers)).status).toBe(200);
  const unknown = { ...headers, 'content-encoding': 'br' };
  expect((await ask('POST', '/v1/models/numbers/predict', gzipped, unknown)).status).toBe(415);
});

test.each([
  ['numbers', '{"row":{"a":"x","b":1}}', 400, 'a'],
  ['numbers', '{"rows":[]}', 400, 'rows'],
  ['numbers', '{"rows":[[1,2]],"row":[1,2]}', 400, 'row'],
  ['numbers', '{', 400, 'JSON'],
  ['numbers', '', 400, 'empty'],
  ['numbers', '{"image":"AAAA"}', 400, 'picture'],
  ['absent', '{"row":[1,2]}', 404, 'absent'],
])('%s %p is refused', async (model, body, status, text) => {
  const answer = await ask<Failure>('POST', `/v1/models/${model}/predict`, body);
  expect(answer.status).toBe(status);
  expect(answer.body.error.message.toLowerCase()).toContain(text.toLowerCase());
});

test('a model of the same name with another task is asked in its own way', async () => {
  await add('swap', linear(weights, bias), {
    task: 'tabular-regression',
    preprocess: { kind: 'table', columns },
    postprocess: { kind: 'numbers' },
  });
  const first = await ask<{ task: string }>('POST', '/v1/models/swap/predict', { row: [1, 1] });
  await ask('POST', '/api/v1/models/swap/unload');
  await ask('DELETE', '/api/v1/models/swap');
  await add('swap', softmaxLinear(weights, bias), {
    task: 'tabular-classification',
    preprocess: { kind: 'table', columns },
    postprocess: { kind: 'classes', activation: 'none', top: 1 },
  });
  const second = await ask<{ task: string }>('POST', '/v1/models/swap/predict', { row: [1, 1] });
  expect([first.body.task, second.body.task]).toEqual(['tabular-regression', 'tabular-classification']);
});

test.skipIf(!existsSync(photo))('a photo as body, form field or base64 gives the same faces', async () => {
  await ask('POST', '/api/v1/templates/face-detection/install', { name: 'faces' });
  const bytes = await Bun.file(photo).bytes();
  const form = new FormData();
  form.set('image', new Blob([bytes], { type: 'image/jpeg' }), 'a.jpg');
  const path = '/v1/models/faces/predict';
  const objectsOf = async (response: Promise<Response>) =>
    ((await (await response).json()) as { objects: { label: string }[] }).objects;
  const base64 = JSON.stringify({ image: Buffer.from(bytes).toString('base64') });
  const raw = await objectsOf(appliance.fetch(path, { method: 'POST', body: bytes }));
  expect(raw.length).toBeGreaterThan(0);
  expect(await objectsOf(appliance.fetch(path, { method: 'POST', body: form }))).toEqual(raw);
  expect(await objectsOf(appliance.fetch(path, { method: 'POST', body: base64 }))).toEqual(raw);

  const wrong = new FormData();
  wrong.set('photo', new Blob([bytes]));
  const refused = await appliance.fetch(path, { method: 'POST', body: wrong });
  expect(refused.status).toBe(400);
  expect(((await refused.json()) as Failure).error.message).toContain("'image'");
});

test('versions change under load and no prediction is lost', async () => {
  const manifest = {
    task: 'tabular-regression',
    preprocess: { kind: 'table', columns },
    postprocess: { kind: 'numbers' },
  };
  await add('switched', linear(weights, bias), manifest);
  await add('switched', linear(weights, [10, 10, 10]), manifest);
  let isDone = false;
  const seen = new Set<number>();
  const client = async () => {
    while (!isDone) {
      const { status, body } = await ask<{ version: number; predictions: { values: Record<string, number> }[] }>(
        'POST',
        '/v1/models/switched/predict',
        { row: { a: 0, b: 0 } },
      );
      expect(status).toBe(200);
      expect(Object.values(body.predictions[0]!.values)[0]).toBeCloseTo(body.version === 1 ? 0.1 : 10, 5);
      seen.add(body.version);
    }
  };
  const clients = Promise.all([client(), client(), client(), client()]);
  for (const version of [1, 2, 1, 2, 1, 2]) {
    expect((await ask('POST', `/api/v1/models/switched/versions/${version}/load`)).status).toBe(200);
  }
  isDone = true;
  await clients;
  expect(seen).toEqual(new Set([1, 2]));
});
