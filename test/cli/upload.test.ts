// Uploads over a network that breaks: a TCP proxy in front of a real appliance cuts connections.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';

import type { ModelAnswer, VersionsAnswer } from '../../src/cli/answers.ts';
import { Client } from '../../src/cli/client.ts';
import { Unreachable } from '../../src/cli/command.ts';
import { uploadFiles } from '../../src/cli/upload.ts';
import { messageOf } from '../../src/error.ts';
import { bigWeights } from '../support/graphs.ts';
import { openServer, type TestServer } from './command-line.ts';

const mebibyte = 1024 ** 2;

let server: TestServer;
let key: string;
beforeAll(async () => {
  server = await openServer();
  key = await server.openToPrograms();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** Every connection is cut after it has carried so many bytes towards the server. */
async function openProxy(target: string, bytesEach: () => number) {
  const { hostname, port } = new URL(target);
  const traffic = { connections: 0 };
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    traffic.connections++;
    let left = bytesEach();
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on('error', cut).on('close', cut);
    upstream.on('error', cut).on('close', cut).pipe(client);
    client.on('data', (chunk: Buffer) => {
      const passed = chunk.subarray(0, left);
      left -= passed.length;
      upstream.write(passed, () => {
        if (left === 0) cut();
      });
    });
  });
  const listening = Promise.withResolvers<void>();
  proxy.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    traffic,
    [Symbol.dispose]: () => void proxy.close(),
  };
}

async function writeModel(): Promise<{ diskPath: string; path: string; bytes: number }> {
  const diskPath = join(server.folder, 'weights.onnx');
  const [bytes] = Object.values(bigWeights(8, false));
  await Bun.write(diskPath, bytes!);
  return { diskPath, path: 'weights.onnx', bytes: bytes!.length };
}

const through = (url: string) => new Client({ server: url, key, data: '' });
const noPause = { pause: () => Bun.sleep(1) };

test('an upload goes on where the connection broke', async () => {
  const file = await writeModel();
  // No connection carries the whole file: begun anew each time, it would never arrive.
  using proxy = await openProxy(server.url, () => 1.5 * mebibyte);
  const shown: number[] = [];
  const client = through(proxy.url);
  const files = await uploadFiles(client, [file], { show: (bytes) => void shown.push(bytes) }, noPause);
  expect(proxy.traffic.connections).toBeGreaterThan(4);
  expect(shown.at(-1)).toBe(file.bytes);

  await through(server.url).post<VersionsAnswer>('/api/v1/models/weights/versions', { files, load: false });
  const { versions } = await server.json<ModelAnswer>('show', 'weights');
  const sha256 = new Bun.CryptoHasher('sha256').update(await Bun.file(file.diskPath).bytes()).digest('hex');
  expect(versions[0]!.files).toMatchObject([{ path: 'weights.onnx', sha256, bytes: file.bytes }]);
});

test('a network that stays broken is given up', async () => {
  const file = await writeModel();
  let count = 0;
  // Enough for the request that announces the file, and for nothing else.
  using proxy = await openProxy(server.url, () => (count++ === 0 ? 10_000 : 1));
  let pauses = 0;
  const upload = uploadFiles(through(proxy.url), [file], { show() {} }, { pause: async () => void pauses++ });
  expect(await upload.catch((error: unknown) => error)).toBeInstanceOf(Unreachable);
  expect(pauses).toBeGreaterThan(3);
});

test('a file that became shorter is noticed', async () => {
  const file = await writeModel();
  const longer = { ...file, bytes: file.bytes + 100 };
  const upload = uploadFiles(through(server.url), [longer], { show() {} }, noPause);
  expect(await upload.catch(messageOf)).toContain('became shorter');
});

test('an empty file is a file', async () => {
  const diskPath = join(server.folder, 'empty');
  await Bun.write(diskPath, '');
  const [sent] = await uploadFiles(through(server.url), [{ diskPath, path: 'empty', bytes: 0 }], { show() {} });
  expect(await through(server.url).get<object>(`/api/v1/uploads/${sent!.uploadId}`)).toMatchObject({ received: 0 });
});
