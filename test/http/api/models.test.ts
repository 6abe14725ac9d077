// The management API on a whole appliance with real models: import in every form, serve, look, remove, and refusals.
import { afterAll, beforeAll, expect, test } from 'bun:test';

import { addScalar, linear } from '../../support/graphs.ts';
import { startAppliance } from './appliance.ts';

interface Version {
  model: string;
  version: number;
  state: string;
  files: { path: string; sha256: string; bytes: number }[];
  manifest: { licence?: string; description?: string };
}
interface Versions {
  versions: Version[];
}
interface Failure {
  error: { code: string; message: string; hint?: string };
}
interface Upload {
  id: string;
  bytes: number;
  received: number;
}

let appliance: Awaited<ReturnType<typeof startAppliance>>;
const ask: typeof appliance.ask = (...request) => appliance.ask(...request);
const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher('sha256').update(bytes).digest('hex');

beforeAll(async () => {
  appliance = await startAppliance();
});

afterAll(() => appliance[Symbol.asyncDispose]());

async function upload(bytes: Uint8Array): Promise<string> {
  const { body } = await ask<Upload>('POST', '/api/v1/uploads', { bytes: bytes.length });
  const { status } = await ask('PATCH', `/api/v1/uploads/${body.id}`, bytes, { 'upload-offset': '0' });
  expect(status).toBe(200);
  return body.id;
}

async function sum(model: string, x: number): Promise<unknown> {
  const inputs = [{ name: 'input', datatype: 'FP32', shape: [1, 4], data: [x, 0, 0, 0] }];
  const { body } = await ask<{ outputs: { data: number[] }[] }>('POST', `/v2/models/${model}/infer`, { inputs });
  return body.outputs[0]!.data[0];
}

test('a file sent as it is becomes a version that answers; the next one takes over', async () => {
  const first = addScalar(1);
  const { status, body } = await ask<Versions>('POST', '/api/v1/models/raw/versions?filename=add.onnx', first);
  expect(status).toBe(201);
  expect(body.versions[0]).toMatchObject({ model: 'raw', version: 1, state: 'ready' });
  expect(body.versions[0]!.files[0]).toEqual({
    path: expect.any(String),
    sha256: sha256(first),
    bytes: first.length,
  });
  expect(await sum('raw', 2)).toBe(3);

  await ask('POST', '/api/v1/models/raw/versions', addScalar(10));
  expect(await sum('raw', 2)).toBe(12);
  const model = await ask<{ current: number; versions: Version[] }>('GET', '/api/v1/models/raw');
  expect(model.body.current).toBe(2);
  expect(model.body.versions.map(({ version }) => version)).toEqual([1, 2]);
});

test('curl sends a file as the page says', async () => {
  const path = `${appliance.data}/curl.onnx`;
  await Bun.write(path, addScalar(5));
  const socket = `${appliance.data}/aimass.sock`;
  const address = 'http://localhost/api/v1/models/curled/versions';
  const curl = Bun.spawn(['curl', '-sS', '--unix-socket', socket, '-X', 'POST', '-T', path, address]);
  expect(JSON.parse(await curl.stdout.text())).toMatchObject({ versions: [{ model: 'curled', state: 'ready' }] });
});

test('an upload in parts is resumed where it was left, then imported with a manifest', async () => {
  const bytes = addScalar(2);
  const { body, headers } = await ask<Upload>('POST', '/api/v1/uploads', { bytes: bytes.length });
  const place = headers.get('location')!;
  expect(place).toBe(`/api/v1/uploads/${body.id}`);
  const half = bytes.length >> 1;
  await ask('PATCH', place, bytes.subarray(0, half), { 'upload-offset': '0' });
  expect((await ask<Upload>('GET', place)).body.received).toBe(half);
  const wrong = await ask<Failure>('PATCH', place, bytes.subarray(half), { 'upload-offset': '0' });
  expect(wrong).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
  const rest = await ask<Upload>('PATCH', place, bytes.subarray(half), { 'upload-offset': String(half) });
  expect(rest.body.received).toBe(bytes.length);

  const manifest = { licence: 'MIT', description: 'adds two' };
  const files = [{ uploadId: body.id, path: 'two.onnx' }];
  const imported = await ask<Versions>('POST', '/api/v1/models/parts/versions', { files, manifest, load: false });
  expect(imported.status).toBe(201);
  expect(imported.body.versions[0]).toMatchObject({ state: 'unloaded', manifest });
  expect((await ask('GET', place)).status).toBe(404);

  expect((await ask('POST', '/api/v1/models/parts/load')).body).toMatchObject({ current: 1, state: 'ready' });
  expect(await sum('parts', 1)).toBe(3);
});

test('a Triton repository names its models itself', async () => {
  const config = 'backend: "onnxruntime"\nmax_batch_size: 8\n';
  const files = [
    { uploadId: await upload(new TextEncoder().encode(config)), path: 'adder/config.pbtxt' },
    { uploadId: await upload(addScalar(3)), path: 'adder/1/model.onnx' },
    { uploadId: await upload(new TextEncoder().encode(config)), path: 'other/config.pbtxt' },
    { uploadId: await upload(addScalar(4)), path: 'other/7/model.onnx' },
  ];
  const { status, body } = await ask<Versions>('POST', '/api/v1/imports', { files });
  expect(status).toBe(201);
  expect(body.versions.map(({ model }) => model).sort()).toEqual(['adder', 'other']);
  expect(await sum('other', 1)).toBe(5);
});

test('progress comes as lines of JSON, and so does the failure', async () => {
  const accept = { accept: 'application/x-ndjson' };
  const read = async (bytes: Uint8Array) => {
    const { status, headers, body } = await ask<string>('POST', '/api/v1/models/lines/versions', bytes, accept);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('application/x-ndjson');
    return body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { step?: string; versions?: Version[]; error?: Failure['error'] });
  };
  const lines = await read(addScalar(1));
  expect(lines.slice(0, -1).every(({ step }) => typeof step === 'string')).toBeTrue();
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.at(-1)!.versions![0]).toMatchObject({ model: 'lines', version: 1 });
  const failed = await read(new TextEncoder().encode('no model'));
  expect(failed.at(-1)!.error).toMatchObject({ code: 'unsupported', message: expect.any(String) });
});

test('a file that is no model is refused with a reason and leaves nothing', async () => {
  const { status, body } = await ask<Failure>('POST', '/api/v1/models/bad/versions?filename=a.txt', 'hello');
  expect(status).toBe(415);
  expect(body.error.message).not.toBe('');
  expect((await ask('GET', '/api/v1/models/bad')).status).toBe(404);
  const left = await Array.fromAsync(new Bun.Glob('uploads/*').scan(appliance.data));
  expect(left).toEqual([]);
});

test('a body without a size is refused before anything is stored', async () => {
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(addScalar(1));
      controller.close();
    },
  });
  const response = await appliance.fetch('/api/v1/models/chunked/versions', { method: 'POST', body: stream });
  expect(response.status).toBe(400);
  expect(((await response.json()) as Failure).error.hint).toContain('Content-Length');
});

test('what is served is not removed; what is unloaded is', async () => {
  await ask('POST', '/api/v1/models/gone/versions', addScalar(1));
  await ask('POST', '/api/v1/models/gone/versions', addScalar(2));
  expect((await ask('DELETE', '/api/v1/models/gone')).status).toBe(409);
  expect((await ask('DELETE', '/api/v1/models/gone/versions/2')).status).toBe(409);
  expect((await ask('POST', '/api/v1/models/gone/versions/1/load')).body).toMatchObject({ current: 1 });
  expect((await ask('POST', '/api/v1/models/gone/versions/2/unload')).status).toBe(200);
  expect((await ask('DELETE', '/api/v1/models/gone/versions/2')).status).toBe(204);
  expect((await ask('GET', '/api/v1/models/gone/versions/2')).status).toBe(404);
  expect((await ask('POST', '/api/v1/models/gone/unload')).body).toMatchObject({ current: null, state: 'unloaded' });
  expect((await ask('DELETE', '/api/v1/models/gone')).status).toBe(204);
  expect((await ask('GET', '/api/v1/models/gone')).status).toBe(404);
});

test('says what runs', async () => {
  await ask('POST', '/api/v1/models/run/versions', linear([[1]], [0]));
  const { body } = await ask<{ instances: { model: string; pid: number; state: string; rssBytes: number }[] }>(
    'GET',
    '/api/v1/instances',
  );
  const instance = body.instances.find(({ model }) => model === 'run')!;
  expect(instance.state).toBe('ready');
  expect(instance.rssBytes).toBeGreaterThan(1024 ** 2);
  expect(() => process.kill(instance.pid, 0)).not.toThrow();
  expect((await ask('GET', '/api/v1')).body).toMatchObject({ listen: appliance.url, dataFolder: appliance.data });
  const list = await ask<{ models: { name: string; versions: number[] }[] }>('GET', '/api/v1/models');
  expect(list.body.models.find(({ name }) => name === 'run')).toMatchObject({ versions: [1], state: 'ready' });
});

test.each([
  ['GET', '/api/v1/models/none', undefined, 404, 'not_found'],
  ['GET', '/api/v1/models/none/versions/1', undefined, 404, 'not_found'],
  ['GET', '/api/v1/models/raw/versions/x', undefined, 400, 'invalid'],
  ['GET', '/api/v1/models/raw/versions/0', undefined, 400, 'invalid'],
  ['GET', '/api/v1/models/%2e%2e%2fetc', undefined, 404, 'not_found'],
  ['POST', '/api/v1/models/..%2Fup/versions', 'x', 400, 'invalid'],
  ['POST', '/api/v1/models/raw/versions?filename=..%2F..%2Fa.onnx', 'x', 400, 'invalid'],
  ['POST', '/api/v1/models/raw/versions?lod=false', 'x', 400, 'invalid'],
  ['POST', '/api/v1/models/raw/versions', { files: [] }, 400, 'invalid'],
  ['POST', '/api/v1/models/raw/versions', { files: [{ uploadId: 'x', path: 'a' }] }, 404, 'not_found'],
  ['POST', '/api/v1/uploads', { bytes: -1 }, 400, 'invalid'],
  ['POST', '/api/v1/uploads', { bytes: 1, size: 1 }, 400, 'invalid'],
  ['POST', '/api/v1/uploads', { bytes: 2 ** 50 }, 413, 'too_large'],
  ['POST', '/api/v1/uploads', '{"bytes":', 400, 'invalid'],
  ['POST', '/api/v1/uploads', new Uint8Array([0xff, 0xfe]), 400, 'invalid'],
  ['GET', '/api/v1/uploads/..%2F..%2Faimass.db', undefined, 404, 'not_found'],
  ['PATCH', '/api/v1/uploads/x', 'data', 400, 'invalid'],
  ['DELETE', '/api/v1/uploads/x', undefined, 404, 'not_found'],
  ['POST', '/api/v1/templates/none/install', { name: 'a' }, 404, 'not_found'],
  ['PUT', '/api/v1/models/raw', 'x', 405, 'invalid'],
  ['GET', '/api/v1/config', undefined, 404, 'not_found'],
  ['GET', '/nothing', undefined, 404, 'not_found'],
] as const)('%s %s %p is refused with %d', async (method, path, body, status, code) => {
  const answer = await ask<Failure>(method, path, body);
  expect(answer.status).toBe(status);
  expect(answer.body.error.code).toBe(code);
  expect(answer.headers.get('x-request-id')).toBeTruthy();
});
