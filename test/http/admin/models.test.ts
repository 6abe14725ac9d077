// The pages of models: who sees what, what is done to versions, whatever people and model files say stays text, and the
// programs that the page shows do call the model.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';

import type { AuditEntry } from '../../../src/access/audit-entry.ts';
import { roleMay, userRoles } from '../../../src/access/roles.ts';
import { taskExamples, tensorExamples } from '../../../web/call-examples.ts';
import { addSub, build, floats, node, softmaxLinear, twoInputs, value } from '../../support/graphs.ts';
import { attacks, expectText, expectUnharmed } from './markup.ts';
import { openSignedIn, type SignedIn } from './session.ts';

let box: SignedIn;
const table = {
  task: 'tabular-classification',
  labels: ['no', 'yes'],
  preprocess: {
    kind: 'table',
    columns: [{ name: 'a' }, { name: "b's <b>", kind: 'category', categories: ['x', 'y'] }],
  },
  postprocess: { kind: 'classes', activation: 'none' },
  licence: 'MIT',
};
const weights = [
  [0.5, 2],
  [-1, 0],
];

/** @param files path → content */
async function store(name: string, files: Record<string, Uint8Array>, manifest: object = {}, load = true) {
  const uploads = [];
  for (const [path, bytes] of Object.entries(files)) {
    const { body } = await box.ask<{ id: string }>('POST', '/api/v1/uploads', { bytes: bytes.length });
    await box.ask('PATCH', `/api/v1/uploads/${body.id}`, bytes, { 'upload-offset': '0' });
    uploads.push({ uploadId: body.id, path });
  }
  const answer = await box.ask('POST', `/api/v1/models/${name}/versions`, { files: uploads, manifest, load });
  expect(answer).toMatchObject({ status: 201 });
}

beforeAll(async () => {
  box = await openSignedIn();
  await store('rows', { 'model.onnx': softmaxLinear(weights, [0.1, 0.2]) }, table);
  await store('simple', { 'model.onnx': addSub() });
  await store('stored', { 'model.onnx': twoInputs() }, {}, false);
});
afterAll(() => box[Symbol.asyncDispose]());

const pages = ['', '/versions', '/versions/1', '/call', '/logs', '/try'].map((tab) => `/admin/models/rows${tab}`);

describe('who sees what', () => {
  test.each([...userRoles])('%s', async (role) => {
    const visitor = box.as(role);
    for (const path of ['/admin/models', '/admin/templates', ...pages]) {
      const { status, text } = await visitor.get(path);
      expect([path, status]).toEqual([path, 200]);
      expect([path, /undefined|NaN|\[object/.test(text)]).toEqual([path, false]);
    }
    const { text } = await visitor.get('/admin/models/rows');
    expect(text.includes('/unload"')).toBe(roleMay(role, 'model.load'));
    expect(text.includes('action="/admin/models/rows/remove"')).toBe(roleMay(role, 'model.write'));
    expect((await visitor.get('/admin/upload')).status).toBe(roleMay(role, 'model.write') ? 200 : 403);
    const list = await visitor.get('/admin/models');
    expect(list.text.includes('href="/admin/upload"')).toBe(roleMay(role, 'model.write'));
  });

  test('nobody else', async () => {
    for (const path of ['/admin/models', '/admin/upload', '/admin/templates', ...pages]) {
      expect(await box.stranger().get(path)).toMatchObject({
        status: 303,
        location: `/sign-in?next=${encodeURIComponent(path)}`,
      });
    }
  });

  test.each(['viewer', 'reviewer'] as const)('a %s changes nothing', async (role) => {
    for (const path of ['rows/versions/1/unload', 'rows/versions/1/remove', 'rows/remove', 'stored/versions/1/load']) {
      expect([path, (await box.as(role).post(`/admin/models/${path}`)).status]).toEqual([path, 403]);
    }
    expect(
      (await box.as(role).post('/admin/templates/face-detection/install', { 'name-face-detection': 'x' })).status,
    ).toBe(403);
    const { body } = await box.ask<{ models: { name: string; state: string }[] }>('GET', '/api/v1/models');
    expect(body.models.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'rows ready',
      'simple ready',
      'stored unloaded',
    ]);
  });

  test('what is not there is not found', async () => {
    for (const path of ['nothing', 'nothing/try', 'rows/versions/9', 'rows/versions/x', 'nothing/logs']) {
      expect([path, [400, 404].includes((await box.administrator.get(`/admin/models/${path}`)).status)]).toEqual([
        path,
        true,
      ]);
    }
  });
});

test('the list is searched by name, task and licence', async () => {
  const shown = async (words: string) => {
    const { text } = await box.administrator.get(`/admin/models?q=${encodeURIComponent(words)}`);
    return [...text.matchAll(/<a href="\/admin\/models\/([\w-]+)">/g)].map(([, name]) => name);
  };
  expect(await shown('')).toEqual(['rows', 'simple', 'stored']);
  expect(await shown('SIMP')).toEqual(['simple']);
  expect(await shown('classification')).toEqual(['rows']);
  expect(await shown('mit')).toEqual(['rows']);
  expect(await shown('<script>')).toEqual([]);
  expectUnharmed(await box.administrator.get(`/admin/models?q=${encodeURIComponent(attacks[1]!)}`));
});

test('a version is loaded, replaced, unloaded and deleted from its page, and the trail tells of it', async () => {
  const { administrator: ada } = box;
  const state = async (version: number) => {
    const { body } = await box.ask<{ state: string }>('GET', `/api/v1/models/turns/versions/${version}`);
    return body.state;
  };
  await store('turns', { 'model.onnx': twoInputs() }, {}, false);
  await store('turns', { 'model.onnx': twoInputs() }, {}, false);
  expect(await ada.post('/admin/models/turns/versions/1/load')).toMatchObject({
    status: 303,
    location: '/admin/models/turns',
  });
  expect((await ada.get('/admin/models/turns')).text).toContain('turns:1 answers now.');
  expect(await ada.post('/admin/models/turns/versions/2/load', { back: '//evil' })).toMatchObject({
    location: '/admin/models/turns',
  });
  expect([await state(1), await state(2)]).toEqual(['unloaded', 'ready']);

  const refused = await ada.post('/admin/models/turns/versions/2/remove');
  expect(refused.status).toBe(422);
  expect(refused.text).toContain('is loaded. Unload it first');
  expect((await ada.post('/admin/models/turns/versions/1/remove')).status).toBe(303);
  expect((await ada.get('/admin/models/turns/versions')).text).not.toContain('/versions/1"');
  expect((await ada.post('/admin/models/turns/versions/2/unload')).status).toBe(303);
  expect((await ada.post('/admin/models/turns/versions/2/remove')).status).toBe(303);
  const bare = await ada.get('/admin/models/turns');
  expect(bare.text).toContain('It has no version');
  expect(await ada.get('/admin/models/turns/try')).toMatchObject({ status: 303, location: '/admin/models/turns' });
  expect(await ada.post('/admin/models/turns/remove')).toMatchObject({ status: 303, location: '/admin/models' });
  expect((await ada.get('/admin/models/turns')).status).toBe(404);

  const { body } = await box.ask<{ entries: AuditEntry[] }>('GET', '/api/v1/audit?limit=7');
  expect(body.entries.map(({ action, result }) => `${action} ${result}`).slice(0, 7)).toEqual([
    'removeModel ok',
    'removeVersion ok',
    'unloadVersion ok',
    'removeVersion ok',
    'removeVersion failed',
    'loadVersion ok',
    'loadVersion ok',
  ]);
});

test('a model that is loaded is deleted as a whole', async () => {
  await store('whole', { 'model.onnx': twoInputs() });
  expect((await box.administrator.post('/admin/models/whole/remove')).status).toBe(303);
  expect((await box.ask('GET', '/api/v1/models/whole')).status).toBe(404);
});

test.each(attacks)('what people and files say stays text: %s', async (attack) => {
  // Tensor names, labels, descriptions and the names of files are anybody's words.
  const file = build({
    input: [value(attack, 'FP32', [attack, 2])],
    output: [value('out', 'FP32', [attack, 2])],
    initializer: [floats('one', [], [1])],
    node: [node('Add', [attack, 'one'], ['out'])],
  });
  const manifest = {
    ...table,
    labels: [attack, attack],
    description: attack,
    preprocess: { kind: 'table', columns: [{ name: attack }, { name: 'b' }] },
  };
  await store('hostile', { [`${attack.replaceAll('/', '')}.onnx`]: file }, manifest);
  expectText(await box.administrator.get('/admin/models/hostile'), attack);
  for (const tab of ['/versions', '/versions/1', '/call', '/logs', '/try']) {
    expectUnharmed(await box.administrator.get(`/admin/models/hostile${tab}`));
  }
  await box.administrator.post('/admin/models/hostile/remove');
});

describe('the programs on the page call the model', () => {
  const python = '/usr/bin/python3';
  const hasPython = existsSync(python) && Bun.spawnSync([python, '-c', 'import requests, numpy']).success;
  const callee = async (name: string) => {
    const { body } = await box.ask<Parameters<typeof tensorExamples>[0]>('GET', `/api/v1/models/${name}/versions/1`);
    return { ...body, origin: box.url, name };
  };
  let key: string;
  beforeAll(async () => {
    const fields = { name: 'programs', 'actions.predict': 'on', 'actions.manage': 'on' };
    const { text } = await box.administrator.post('/admin/keys', fields);
    key = /am_\w+_[\w-]+/.exec(text)![0];
  });

  async function run(title: string, program: string): Promise<string> {
    const command =
      title === 'curl'
        ? ['bash', '-c', program]
        : title === 'Python'
          ? [python, '-c', program]
          : [process.execPath, '-e', program];
    const env = { ...Bun.env, AIMASS_KEY: key };
    const child = Bun.spawn(command, { env, stdout: 'pipe', stderr: 'pipe' });
    const [out, problem] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect([title, child.exitCode, child.exitCode === 0 ? '' : problem]).toEqual([title, 0, '']);
    return out;
  }

  test('with tensors', async () => {
    const examples = tensorExamples(await callee('simple'));
    expect(examples.map(({ title }) => title)).toEqual(['curl', 'Python', 'tritonclient', 'TypeScript']);
    const page = await box.administrator.get('/admin/models/simple/call');
    for (const { text } of examples) expectText(page, text.split('\n')[0]!);
    for (const { title, text } of examples) {
      if (title === 'tritonclient' || (title === 'Python' && !hasPython)) continue;
      // One and one, or nought and nought where numpy makes the numbers.
      expect((await run(title, text)).replace(/\s/g, '')).toMatch(
        title === 'Python' ? /0(\.0?)?(0\.?){15}/ : /\[?2,2,2,/,
      );
    }
  });

  test('with rows', async () => {
    const examples = taskExamples(await callee('rows'));
    for (const { title, text } of examples) {
      if (title === 'Python' && !hasPython) continue;
      const out = await run(
        title,
        title === 'TypeScript' ? `${text}\nconsole.log(JSON.stringify(predictions));` : text,
      );
      expect(out).toContain('yes');
    }
  });
});
