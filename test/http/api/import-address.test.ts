// Versions that the server fetches by itself, on a whole appliance with real models: from URLs and from its own folders.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { head, openRaw } from '../../source/opened.ts';
import { addScalar } from '../../support/graphs.ts';
import { startAppliance } from './appliance.ts';

interface Versions {
  versions: { model: string; version: number; state: string; manifest: { task: string; origin: object } }[];
}
interface Failure {
  error: { code: string; message: string; hint?: string };
}
interface Files {
  files: { uploadId: string; path: string }[];
}
interface Trail {
  entries: { action: string; target: string; after?: { from?: string } }[];
}

let appliance: Awaited<ReturnType<typeof startAppliance>>;
let folder: string;
let files: ReturnType<typeof Bun.serve>;
let asked = 0;
const ask: typeof appliance.ask = (...request) => appliance.ask(...request);
const uploads = () => readdirSync(join(appliance.data, 'uploads'));
const archive = async () =>
  Bun.gzipSync(
    await new Bun.Archive({ 'repo/one/1/model.onnx': addScalar(1), 'repo/two/1/model.onnx': addScalar(2) }).bytes(),
  );

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aimass-import-'));
  mkdirSync(join(folder, 'sum/1'), { recursive: true });
  writeFileSync(join(folder, 'sum/1/model.onnx'), addScalar(3));
  writeFileSync(join(folder, 'notes.onnx'), 'This is a text, not a model.\n'.repeat(20));
  appliance = await startAppliance({ importNetworks: '127.0.0.0/8', importFolders: folder });
  files = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    routes: {
      '/add.onnx': () => new Response(Buffer.from(addScalar(1))),
      '/repo.tar.gz': async () => new Response(await archive()),
      '/notes.onnx': () => new Response('This is a text, not a model.\n'.repeat(20)),
    },
    fetch() {
      asked++;
      return new Response('No such file', { status: 404 });
    },
  });
});

afterAll(async () => {
  await appliance[Symbol.asyncDispose]();
  await files.stop(true);
  rmSync(folder, { recursive: true });
});

const at = (path: string) => new URL(path, files.url).href;

test('a URL becomes a version that serves and says where it is from, without what is secret', async () => {
  const from = at('/add.onnx?sig=s3cret');
  const manifest = { description: 'Adds one.', origin: { kind: 'template', from: 'other' } };
  const { status, body } = await ask<Versions>('POST', '/api/v1/models/add/versions', { from, manifest });
  expect([status, body]).toMatchObject([201, { versions: [{ model: 'add', version: 1, state: 'ready' }] }]);
  expect(body.versions[0]!.manifest).toMatchObject({
    description: 'Adds one.',
    origin: { kind: 'url', from: at('/add.onnx') },
  });
  const trail = await ask<Trail>('GET', '/api/v1/audit?action=addVersion');
  expect(trail.body.entries[0]).toMatchObject({ target: 'add:1', after: { from: at('/add.onnx') } });
  expect(JSON.stringify(trail.body)).not.toContain('s3cret');
  expect(uploads()).toEqual([]);
});

test('a folder of the server and an archive at a URL are imported as repositories', async () => {
  const local = await ask<Versions>('POST', '/api/v1/models/sum/versions', { from: join(folder, 'sum'), load: false });
  expect(local.body.versions[0]).toMatchObject({
    state: 'unloaded',
    manifest: { origin: { kind: 'path', from: `${join(folder, 'sum')}#sum/1` } },
  });
  const far = await ask<Versions>('POST', '/api/v1/imports', { from: at('/repo.tar.gz'), load: false });
  expect(far.body.versions.map(({ model, manifest }) => [model, manifest.origin])).toEqual([
    ['one', { kind: 'url', from: `${at('/repo.tar.gz')}#one/1` }],
    ['two', { kind: 'url', from: `${at('/repo.tar.gz')}#two/1` }],
  ]);
});

test('its steps are told as they are taken', async () => {
  const init = { method: 'POST', headers: { accept: 'application/x-ndjson', 'content-type': 'application/json' } };
  const body = JSON.stringify({ from: at('/add.onnx'), load: false });
  const text = await (await appliance.fetch('/api/v1/models/add/versions', { ...init, body })).text();
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { step?: string; versions?: unknown });
  const bytes = addScalar(1).length;
  expect(lines.slice(0, 2)).toEqual([
    { step: `Asking ${files.url.host}` },
    { step: 'Fetching add.onnx', bytes, totalBytes: bytes } as object,
  ]);
  expect(lines.at(-1)!.versions).toHaveLength(1);
});

test('files are fetched for an import that comes later', async () => {
  const { status, body } = await ask<Files>('POST', '/api/v1/fetches', { from: at('/add.onnx') });
  expect([status, body.files]).toEqual([201, [{ uploadId: expect.any(String), path: 'add.onnx' }]]);
  expect(uploads()).toHaveLength(1);
  const imported = await ask<Versions>('POST', '/api/v1/models/later/versions', { files: body.files, load: false });
  expect(imported.body.versions[0]!.manifest.origin).toEqual({ kind: 'url', from: at('/add.onnx') });
  expect(uploads()).toEqual([]);
});

test('what is wrong is told before anything is fetched, or leaves nothing', async () => {
  const before = asked;
  const refusals: [object, number, string][] = [
    [{}, 400, 'either files or from'],
    [{ from: at('/missing'), files: [{ uploadId: 'x', path: 'y' }] }, 400, 'either files or from'],
    [{ from: at('/missing'), manifest: { task: 'magic' } }, 400, 'task'],
    [{ from: 'missing.onnx' }, 400, 'no address'],
    [{ from: '' }, 400, 'body'],
    [{ from: `http://name:s3cret@${files.url.host}/x` }, 400, 'name or password'],
    [{ from: 'http://10.0.0.1/x' }, 403, 'no network'],
    [{ from: '/etc/passwd' }, 403, 'no folder'],
    [{ from: join(folder, 'missing') }, 404, 'There is no'],
  ];
  for (const [body, status, message] of refusals) {
    const answer = await ask<Failure>('POST', '/api/v1/models/bad/versions', body);
    expect([body, answer.status, answer.body.error.message]).toEqual([body, status, expect.stringContaining(message)]);
    expect(JSON.stringify(answer.body)).not.toContain('s3cret');
  }
  expect((await ask('POST', '/api/v1/models/0%2F/versions', { from: at('/missing') })).status).toBe(400);
  expect(asked).toBe(before);
  for (const [from, status] of [
    [at('/missing'), 400],
    [at('/notes.onnx'), 415],
    [join(folder, 'notes.onnx'), 415],
  ] as const) {
    expect([from, (await ask('POST', '/api/v1/models/bad/versions', { from })).status]).toEqual([from, status]);
  }
  expect((await ask('GET', '/api/v1/models/bad')).status).toBe(404);
  expect(uploads()).toEqual([]);
});

test.each(['application/json', 'application/x-ndjson'])('a client of %p that goes away ends it', async (accept) => {
  await using slow = await openRaw((socket) => socket.write(`${head('Content-Length: 1000')}abc`));
  const leaving = new AbortController();
  const work = appliance
    .fetch('/api/v1/models/slow/versions', {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json' },
      body: JSON.stringify({ from: `${slow.url}/m.onnx` }),
      signal: leaving.signal,
    })
    .then((response) => response.text());
  while (uploads().length === 0) await Bun.sleep(5);
  leaving.abort();
  await work.catch(() => {});
  await slow.gone;
  while (uploads().length > 0) await Bun.sleep(5);
  expect((await ask('GET', '/api/v1/models/slow')).status).toBe(404);
});

test('without the settings there are no addresses, and stopping does not wait for one', async () => {
  {
    await using plain = await startAppliance();
    for (const [from, setting] of [
      [at('/add.onnx'), 'import_networks'],
      [join(folder, 'sum'), 'import_folders'],
    ]) {
      const { status, body } = await plain.ask<Failure>('POST', '/api/v1/models/m/versions', { from });
      expect([status, body.error.hint]).toEqual([409, expect.stringContaining(setting!)]);
    }
  }
  await using slow = await openRaw((socket) => socket.write(`${head('Content-Length: 1000')}abc`));
  const stopping = await startAppliance({ importNetworks: '127.0.0.1' });
  const work = stopping.ask<Failure>('POST', '/api/v1/fetches', { from: slow.url });
  while (readdirSync(join(stopping.data, 'uploads')).length === 0) await Bun.sleep(5);
  const startedMs = performance.now();
  await stopping[Symbol.asyncDispose]();
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  expect((await work).body.error.message).toContain('broken off');
});

test('a release may name an address in place of a version', async () => {
  const wish = { model: 'released', endpoint: 'adding', licence: 'MIT', from: at('/add.onnx?sig=s3cret') };
  const refusals: [object, number, string][] = [
    [{ ...wish, version: 1 }, 400, 'no version yet'],
    [{ from: wish.from }, 400, 'needs model'],
    [{ ...wish, maxInstances: 'many' }, 400, 'maxInstances'],
    [{ ...wish, magic: 1 }, 400, 'magic'],
    [{ ...wish, manifest: { task: 'magic' } }, 400, 'task'],
    [{ ...wish, from: 1 }, 400, 'from'],
  ];
  for (const [body, status, message] of refusals) {
    const answer = await ask<Failure>('POST', '/api/v1/releases', body);
    expect([body, answer.status, answer.body.error.message]).toEqual([body, status, expect.stringContaining(message)]);
  }
  expect((await ask('GET', '/api/v1/models/released')).status).toBe(404);

  type Release = { id: number; state: string; request: { version: number; licence: string } };
  const made = await ask<Release>('POST', '/api/v1/releases', { ...wish, manifest: { description: 'Adds.' } });
  expect([made.status, made.body]).toMatchObject([201, { state: 'draft', request: { version: 1, licence: 'MIT' } }]);
  expect(made.headers.get('etag')).toBe('"1"');
  const told = await ask<string>('POST', '/api/v1/releases', wish, { accept: 'application/x-ndjson' });
  const lines = told.body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { step?: string; release?: Release });
  expect(lines[0]!.step).toStartWith('Asking');
  expect(lines.at(-1)!.release!.request.version).toBe(2);
  const trail = await ask<Trail>('GET', '/api/v1/audit?action=createRelease');
  expect(trail.body.entries[0]).toMatchObject({ after: { from: at('/add.onnx'), endpoint: 'adding' } });
  expect(JSON.stringify(trail.body)).not.toContain('s3cret');
});
