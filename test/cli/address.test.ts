// `aimass push` of what the server is to fetch: from a URL and from its own disk.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { VersionsAnswer } from '../../src/cli/answers.ts';
import { describeSteps } from '../../src/cli/importing.ts';
import { addScalar } from '../support/graphs.ts';
import { openServer, type TestServer } from './command-line.ts';

let server: TestServer;
let folder: string;
let files: ReturnType<typeof Bun.serve>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aimass-push-'));
  await Bun.write(join(folder, 'repo/sum/1/model.onnx'), addScalar(2));
  files = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response(Buffer.from(addScalar(1))) });
  server = await openServer({}, ['--import-networks', '127.0.0.1', '--import-folders', folder]);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await files.stop(true);
  rmSync(folder, { recursive: true });
});

test('a URL, with a name and without one', async () => {
  const pushed = await server.aimass(['push', 'digits', `${files.url.href}x?sig=1`, '--no-load']);
  expect(pushed).toMatchObject({ code: 0, out: expect.stringContaining('aimass load digits:1') });
  expect(pushed.err).toContain('Fetching x …');
  const { versions } = await server.json<VersionsAnswer>('push', `${files.url.href}plus.onnx?sig=1`, '--no-load');
  expect(versions).toMatchObject([
    { model: 'plus', manifest: { origin: { kind: 'url', from: `${files.url.href}plus.onnx` } } },
  ]);
  expect((await server.aimass(['show', 'plus:1'])).out).toContain(`url ${files.url.href}plus.onnx`);
});

test('a folder on the server, which the same path here is not', async () => {
  const pushed = await server.json<VersionsAnswer>('push', `server:${folder}/repo`, '--no-load');
  expect(pushed.versions).toMatchObject([{ model: 'sum', manifest: { origin: { kind: 'path' } } }]);
  const refused = await server.aimass(['push', 'x', 'server:/etc/passwd']);
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('import_folders') });
  const local = await server.aimass(['push', 'x', 'server:relative.onnx']);
  expect(local).toMatchObject({ code: 2, err: expect.stringContaining('cannot be read') });
});

test('a release of what is to be fetched first', async () => {
  const submit = (...more: string[]) =>
    server.aimass(['release', 'submit', 'adder', '--environment', 'staging', ...more]);
  const asked = await submit('--from', `${files.url.href}adder.onnx`, '--follow');
  expect(asked).toMatchObject({ code: 0, err: expect.stringContaining('Fetching adder.onnx …') });
  expect(asked.out).toContain('Release 1, adder:1 as adder in staging, is live.');
  const next = await submit('--from', `server:${folder}/repo/sum/1/model.onnx`, '--draft');
  expect(next.out).toContain('Release 2, adder:2 as adder in staging, is a draft.');

  expect(await submit('--from', 'here.onnx')).toMatchObject({ code: 2, err: expect.stringContaining("'aimass push'") });
  expect(await submit('--from', 'server:/etc/passwd')).toMatchObject({
    code: 1,
    err: expect.stringContaining('import_folders'),
  });
  const versioned = ['release', 'submit', 'adder:1', '--from', `${files.url.href}adder.onnx`];
  expect(await server.aimass(versioned)).toMatchObject({
    code: 1,
    err: expect.stringContaining('no version'),
  });
});

test('a long step is told when it begins, then now and then', () => {
  let now = 0;
  const describe = describeSteps(() => now);
  const at = (ms: number, bytes: number, totalBytes?: number) => {
    now = ms;
    return describe({ step: 'Fetching m.onnx', bytes, totalBytes });
  };
  expect(at(0, 1024, 4096)).toBe('Fetching m.onnx');
  expect(at(4000, 2048, 4096)).toBeUndefined();
  expect(at(5000, 2048, 4096)).toBe('Fetching m.onnx: 2.0 KiB of 4.0 KiB');
  expect(at(5001, 3072)).toBeUndefined();
  expect(at(10_000, 3072)).toBe('Fetching m.onnx: 3.0 KiB');
  expect(describe({ step: 'Storing' })).toBe('Storing');
});
