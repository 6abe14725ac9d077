// The page on which a model is tried: what it offers for each kind of model, and that the request it suggests is one that
// the model answers.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import {
  addSub,
  failing,
  identity,
  noBatch,
  nonZero,
  smallCnn,
  softmaxLinear,
  strings,
  twoInputs,
} from '../../support/graphs.ts';
import { openSignedIn, type SignedIn } from './session.ts';

let box: SignedIn;
const models: Record<string, Uint8Array> = {
  'add-sub': addSub(),
  'two-inputs': twoInputs(),
  'no-batch': noBatch(),
  gather: failing(),
  strings: strings(),
  positions: nonZero(),
  pictures: smallCnn(),
  flags: identity('BOOL', ['N', 3]),
  bytes: identity('UINT8', ['N', 'rest', 2]),
  long: identity('INT64', [1, 5]),
  double: identity('FP64', ['N']),
};

beforeAll(async () => {
  box = await openSignedIn();
  const headers = { 'content-type': 'application/octet-stream' };
  for (const [name, bytes] of Object.entries({ ...models, half: identity('FP16', ['N', 2]) })) {
    expect((await box.ask('POST', `/api/v1/models/${name}/versions?filename=m.onnx`, bytes, headers)).status).toBe(201);
  }
}, 60_000);
afterAll(() => box[Symbol.asyncDispose]());

const decode = (text: string) =>
  text.replace(
    /&(quot|amp|lt|gt|#39);/g,
    (_, name: string) => ({ quot: '"', amp: '&', lt: '<', gt: '>', '#39': "'" })[name]!,
  );

async function suggestion(name: string) {
  const { text } = await box.as('viewer').get(`/admin/models/${name}/try`);
  const action = /<form class="form" action="(\/v2[^"]*)"/.exec(text)![1]!;
  const json = decode(/<textarea[^>]*name="json"[^>]*>([^<]*)</.exec(text)![1]!);
  return { action, json };
}

test.each(Object.keys(models))('the suggested request is one that %s answers', async (name) => {
  const { action, json } = await suggestion(name);
  expect(action).toBe(`/v2/models/${name}/versions/1/infer`);
  const request = JSON.parse(json) as { inputs: { shape: number[]; data: unknown[] | { fill: unknown } }[] };
  for (const input of request.inputs) {
    // As the page's script writes it out.
    const count = input.shape.reduce((product, size) => product * size, 1);
    if (!Array.isArray(input.data)) input.data = new Array(count).fill(input.data.fill);
  }
  const headers = { 'content-type': 'application/json' };
  const ask = (role: 'owner' | 'viewer') =>
    box.as(role).fetch(action, { method: 'POST', headers, body: JSON.stringify(request) });
  const answer = await ask('owner');
  expect([answer.status, answer.status === 200 ? '' : await answer.text()]).toEqual([200, '']);
  // Nothing of it was released.
  expect((await ask('viewer')).status).toBe(403);
});

test('a type that JSON does not have is said, not offered', async () => {
  const { text } = await box.administrator.get('/admin/models/half/try');
  expect(text).toContain('this type has no form in JSON');
  expect(text).not.toContain('<textarea');
});

describe('a model with a task', () => {
  const table = {
    task: 'tabular-classification',
    preprocess: {
      kind: 'table',
      columns: [{ name: 'size' }, { name: 'colour', kind: 'category', categories: ['red', 'blue'], fallback: 'red' }],
    },
    postprocess: { kind: 'classes', activation: 'none' },
  };

  async function add(name: string, manifest: object, load: boolean): Promise<void> {
    const bytes = softmaxLinear(
      [
        [1, 0],
        [0, 1],
      ],
      [0, 0],
    );
    const { body } = await box.ask<{ id: string }>('POST', '/api/v1/uploads', { bytes: bytes.length });
    await box.ask('PATCH', `/api/v1/uploads/${body.id}`, bytes, { 'upload-offset': '0' });
    const files = [{ uploadId: body.id, path: 'model.onnx' }];
    expect((await box.ask('POST', `/api/v1/models/${name}/versions`, { files, manifest, load })).status).toBe(201);
  }

  test('that takes rows is given a form of its columns', async () => {
    await add('rows', table, true);
    await add('rows', table, false);
    const { text } = await box.administrator.get('/admin/models/rows/try');
    expect(text).toContain('action="/v1/models/rows/versions/1/predict"');
    expect(text).toMatch(/<input type="number"[^>]*name="column-0"/);
    expect(text).toMatch(/<select[^>]*name="column-1"[^]*?<option value="blue"/);
    // The other version, which is not loaded, can be served from here and tried then.
    const other = await box.administrator.get('/admin/models/rows/try?version=2');
    expect(other.text).toContain('action="/v1/models/rows/versions/2/predict"');
    expect(other.text).toContain('This version is not loaded');
    expect(other.text).toContain('action="/admin/models/rows/versions/2/load"');
    const back = '/admin/models/rows/try?version=2';
    expect(await box.administrator.post('/admin/models/rows/versions/2/load', { back })).toMatchObject({
      status: 303,
      location: back,
    });
    expect((await box.administrator.get(back)).text).not.toContain('This version is not loaded');
    expect((await box.administrator.get('/admin/models/rows/try?version=9')).status).toBe(404);
  });

  test('with more columns than a form can have is called with JSON alone', async () => {
    const columns = Array.from({ length: 101 }, (_, i) => ({ name: `c${i}` }));
    const bytes = softmaxLinear([Array.from({ length: 101 }, () => 1), Array.from({ length: 101 }, () => 0)], [0, 0]);
    const { body } = await box.ask<{ id: string }>('POST', '/api/v1/uploads', { bytes: bytes.length });
    await box.ask('PATCH', `/api/v1/uploads/${body.id}`, bytes, { 'upload-offset': '0' });
    const files = [{ uploadId: body.id, path: 'model.onnx' }];
    const manifest = { ...table, preprocess: { kind: 'table', columns } };
    await box.ask('POST', '/api/v1/models/wide/versions', { files, manifest, load: false });
    const { text } = await box.administrator.get('/admin/models/wide/try');
    expect(text).not.toContain('name="column-0"');
    expect(text).toContain('name="json"');
  });
});
