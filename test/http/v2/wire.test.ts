import { afterAll, describe, expect, test } from 'bun:test';
// The handler behind a real server, with curl and with bytes written to a socket: what only a network shows.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Harness, limits } from './harness.ts';

const harness = new Harness();
const folder = mkdtempSync(join(tmpdir(), 'aimass-wire-'));
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    const { pathname } = new URL(request.url);
    return harness.handle(request, pathname, () => undefined, 'id') ?? new Response('elsewhere', { status: 418 });
  },
});
afterAll(async () => {
  await server.stop(true);
  harness.close();
  rmSync(folder, { recursive: true });
});

const request = (data: unknown[] = [1, 2, 3, 4]) =>
  JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [4], data }] });
const hasCurl = Bun.which('curl') !== null;

interface CurlReply {
  status: number;
  head: string;
  body: Buffer;
}

/** @param bodies curl asks once for each of them, over one connection */
async function curl(path: string, bodies: (string | Uint8Array)[], ...flags: string[]): Promise<CurlReply[]> {
  const calls = bodies.map((content, i) => {
    const file = join(folder, `${crypto.randomUUID()}-${i}`);
    writeFileSync(file, content);
    return { head: `${file}.head`, body: `${file}.body`, file };
  });
  const options = calls.flatMap(({ head, body, file }, i) => [
    ...(i > 0 ? ['--next'] : []),
    '-s',
    '-D',
    head,
    '-o',
    body,
    '-w',
    '%{http_code}\n',
    '--data-binary',
    `@${file}`,
    ...flags,
    `${server.url.origin}${path}`,
  ]);
  const child = Bun.spawn(['curl', ...options]);
  const statuses = (await new Response(child.stdout).text()).trim().split('\n').map(Number);
  return Promise.all(
    calls.map(async ({ head, body }, i) => ({
      status: statuses[i]!,
      head: await Bun.file(head).text(),
      body: Buffer.from(await Bun.file(body).bytes()),
    })),
  );
}

const jsonOf = (reply: CurlReply) =>
  JSON.parse(reply.body.toString()) as { error: string; outputs: { data: unknown[] }[] };

describe.skipIf(!hasCurl)('curl', () => {
  test('sends JSON without saying so', async () => {
    const [reply] = await curl('/v2/models/fixed/infer', [request()]);
    expect(jsonOf(reply!).outputs[0]!.data).toEqual([1, 2, 3, 4]);
    expect(reply!.head.toLowerCase()).toContain('content-type: application/json');
  });

  test('sends chunks', async () => {
    const [reply] = await curl('/v2/models/fixed/infer', [request()], '-H', 'Transfer-Encoding: chunked');
    expect(jsonOf(reply!).outputs[0]!.data).toEqual([1, 2, 3, 4]);
  });

  test('waits to be told to continue', async () => {
    const padded = request() + ' '.repeat(50_000);
    const [reply] = await curl('/v2/models/fixed/infer', [padded], '-H', 'Expect: 100-continue');
    expect(jsonOf(reply!).outputs[0]!.data).toEqual([1, 2, 3, 4]);
  });

  test('sends and receives binary tensors', async () => {
    const values = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
    const header = JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [4], parameters: { binary_data_size: 16 } }],
      outputs: [{ name: 'y', parameters: { binary_data: true } }],
    });
    const flags = ['-H', `Inference-Header-Content-Length: ${header.length}`];
    const [reply] = await curl('/v2/models/fixed/infer', [Buffer.concat([Buffer.from(header), values])], ...flags);
    const length = /inference-header-content-length: (\d+)/i.exec(reply!.head)![1];
    expect(reply!.body.subarray(Number(length))).toEqual(values);
  });

  test('asks for compression and understands it', async () => {
    const [reply] = await curl('/v2/models/fixed/infer', [request()], '--compressed', '-H', 'Accept-Encoding: deflate');
    expect(reply!.head.toLowerCase()).toContain('content-encoding: deflate');
    expect(jsonOf(reply!).outputs[0]!.data).toEqual([1, 2, 3, 4]);
  });

  test('is refused a body over the limit, announced or in chunks, and the server goes on', async () => {
    const large = ' '.repeat(limits.maxBodyBytes + 1);
    for (const flags of [[], ['-H', 'Transfer-Encoding: chunked']]) {
      const [refused, answered] = await curl('/v2/models/fixed/infer', [large, request()], ...flags);
      expect(refused!.status).toBe(413);
      expect(jsonOf(refused!).error).toContain('larger than 200000 bytes');
      expect(answered!.status).toBe(200);
    }
  });

  test('hears of a wrong name before its body is read', async () => {
    const [refused, answered] = await curl('/v2/models/nobody/infer', [' '.repeat(limits.maxBodyBytes + 1), request()]);
    expect([refused!.status, answered!.status]).toEqual([404, 404]);
  });

  test('may ask with HEAD', async () => {
    const child = Bun.spawn(['curl', '-sI', `${server.url.origin}/v2/models/fixed`]);
    const head = await new Response(child.stdout).text();
    expect(head).toStartWith('HTTP/1.1 200');
    expect(head.toLowerCase()).toContain('content-type: application/json');
  });
});

async function send(body: Uint8Array | string) {
  const answer = await fetch(`${server.url.origin}/v2/models/identity_BYTES/infer`, { method: 'POST', body });
  return { status: answer.status, json: (await answer.json()) as { error: string; outputs: { data: unknown[] }[] } };
}

describe('text', () => {
  const prefix = '{"inputs":[{"name":"x","datatype":"BYTES","shape":[1,1],"data":["';

  test('that is not UTF-8 is refused', async () => {
    for (const bad of [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80]]) {
      const { status, json } = await send(Buffer.concat([Buffer.from(prefix), Buffer.from(bad), Buffer.from('"]}]}')]));
      expect(status).toBe(400);
      expect(json.error).toContain('not UTF-8');
    }
  });

  test('may hold the replacement character, in Latin-1 and beyond', async () => {
    for (const text of ['\uFFFD', 'é', 'é漢\uFFFD😀']) {
      const { json } = await send(`${prefix}${text}"]}]}`);
      expect(json.outputs[0]!.data).toEqual([text]);
    }
  });
});

/** Everything the server sends until it closes or `enough` has come. */
function talk(bytes: string, enough: RegExp): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let heard = '';
  void Bun.connect({
    hostname: '127.0.0.1',
    port: server.port!,
    socket: {
      open: (socket) => void socket.write(bytes),
      data: (socket, data) => {
        heard += data.toString();
        if (enough.test(heard)) socket.end();
      },
      close: () => resolve(heard),
    },
  });
  return promise;
}

describe('a socket', () => {
  test('may announce more than it is allowed without sending any of it', async () => {
    const heard = await talk(
      'POST /v2/models/fixed/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000000\r\n\r\n',
      /\}$/,
    );
    expect(heard).toMatch(/^HTTP\/1.1 413/);
  });

  test('may close in the middle of a body without harm', async () => {
    const socket = await Bun.connect({ hostname: '127.0.0.1', port: server.port!, socket: { data: () => {} } });
    socket.write('POST /v2/models/fixed/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"inputs"');
    socket.flush();
    socket.terminate();
    expect((await fetch(`${server.url.origin}/v2/health/live`)).status).toBe(200);
  });

  test('may send the requests of the Triton client for Python one after the other', async () => {
    const header =
      '{"inputs":[{"name":"x","shape":[4],"datatype":"FP32","parameters":{"binary_data_size":16}}],' +
      '"outputs":[{"name":"y","parameters":{"binary_data":true}}]}';
    const one =
      'POST /v2/models/fixed/infer HTTP/1.1\r\nHost: localhost:8000\r\nConnection: keep-alive\r\n' +
      `Inference-Header-Content-Length: ${header.length}\r\nContent-Length: ${header.length + 16}\r\n\r\n${header}${'\0'.repeat(16)}`;
    const heard = await talk(one + one, /(HTTP\/1.1 200[^]*"binary_data_size":16[^]*\0{16}){2}/);
    expect(heard.match(/HTTP\/1.1 200/g)).toHaveLength(2);
  });
});
