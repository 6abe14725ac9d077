// Files from real servers: where a connection may lead, what ends it, and that nothing is left of what was refused.
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';

import { generate } from 'selfsigned';

import { parseNetworks } from '../../src/access/networks.ts';
import { createSource, type OnProgress } from '../../src/source/source.ts';
import { errorOf } from '../registry/opened.ts';
import { head, mostBytes, type OpenedSource, openRaw, openSource } from './opened.ts';

let it: OpenedSource;
beforeEach(async () => void (it = await openSource()));
afterEach(async () => {
  expect(it.filesOnDisk()).toEqual([]);
  await it.remove();
});

const serve = (fetch: (request: Request) => Response | Promise<Response>, hostname = '127.0.0.1', port = 0) =>
  Bun.serve({ hostname, port, fetch });
const codeOf = async (work: Promise<unknown>) => (await errorOf(work)).code;

test('a file comes as it is, named as the server says; the address keeps its query to itself', async () => {
  const asked: (string | null)[] = [];
  using server = serve(({ url, headers: sent }) => {
    asked.push(url, sent.get('user-agent'), sent.get('accept-encoding'));
    const headers = { 'content-disposition': 'attachment; filename="digits.onnx"' };
    return new Response('abc', { headers });
  });
  const address = `${server.url.href}blobs/5?sig=s3cret`;
  const steps: unknown[] = [];
  const onProgress: OnProgress = (...step) => void steps.push(step);
  const source = createSource({
    registry: it.registry,
    networks: parseNetworks(['127.0.0.1']),
    importFolders: '',
    maxUploadBytes: mostBytes,
    version: '1.2.3',
  });
  expect(source.allowed).toEqual({ url: true, path: false });
  const [file] = await source.fetch(address, new AbortController().signal, onProgress);
  expect(file!.path).toBe('digits.onnx');
  expect(it.registry.getUpload(file!.uploadId)).toMatchObject({ bytes: 3, received: 3 });
  await it.registry.removeUpload(file!.uploadId);
  expect(asked).toEqual([address, 'aimass/1.2.3', 'identity']);
  expect(steps).toEqual([[`Asking ${server.url.host}`], ['Fetching digits.onnx', { bytes: 3, totalBytes: 3 }]]);
  expect(JSON.stringify(steps)).not.toContain('s3cret');
});

test('many MiB come whole, also where the size is not announced', async () => {
  const big = Buffer.alloc(20 * 1024 * 1024 + 1, 'aimass');
  using server = serve(({ url }) => {
    return new Response(url.endsWith('/chunked') ? new Blob([big]).stream() : big);
  });
  for (const path of ['', 'chunked']) {
    const [file] = await it.fetch(`${server.url.href}${path}`);
    expect(Bun.hash(await Bun.file(`${it.folder}/uploads/${file!.uploadId}`).arrayBuffer())).toBe(Bun.hash(big));
    await it.registry.removeUpload(file!.uploadId);
  }
});

describe('only on allowed networks', () => {
  test('and on none unless one is named', async () => {
    let asked = 0;
    const resolve = async () => [`127.0.0.${++asked}`];
    const error = await errorOf(it.fetch('http://files.corp/m.onnx', { networks: parseNetworks([]), resolve }));
    expect([error.code, asked]).toEqual(['conflict', 0]);
    expect(error.hint).toContain('import_networks');
  });

  test.each([
    ['http://files.corp/', ['10.0.0.1']],
    ['http://files.corp/', ['127.0.0.1', '10.0.0.1']],
    ['http://files.corp/', ['::1']],
    ['http://10.0.0.1/', []],
    ['http://[::1]/', []],
    ['http://169.254.169.254/latest/meta-data', []],
    ['http://3232235777/', []],
  ])('%p as %p is refused', async (url, addresses) => {
    expect(await codeOf(it.fetch(url, { resolve: async () => addresses }))).toBe('forbidden');
  });

  test('a name that means another machine a moment later leads to the one that was looked at', async () => {
    const inner: string[] = [];
    using allowed = serve(() => new Response('good'));
    const other = serve(({ url }) => new Response(`${inner.push(url)}`), '127.0.0.2', allowed.port);
    const answers = [['127.0.0.1'], ['127.0.0.2']];
    let asked = 0;
    const parts = { networks: parseNetworks(['127.0.0.1']), resolve: async () => answers[asked++]! };
    const url = `http://rebind.test:${allowed.port}/m.onnx`;
    expect(await it.contents(url, parts)).toEqual({ 'm.onnx': 'good' });
    expect(await codeOf(it.fetch(url, parts))).toBe('forbidden');
    expect([asked, inner.length]).toEqual([2, 0]);
    await other.stop(true);
  });
});

describe('what leads elsewhere', () => {
  test('is followed three times, and named after what it was asked for where the end says nothing', async () => {
    using server = serve(({ url }) => {
      const step = Number(/\d$/.exec(url)?.[0] ?? 0);
      return step < 3 ? Response.redirect(`/step${step + 1}`, 302) : new Response('end');
    });
    expect(await it.contents(`${server.url.href}m.zip`)).toEqual({ 'm.zip': 'end' });
    using loop = serve(() => Response.redirect('/again', 307));
    expect((await errorOf(it.fetch(loop.url.href))).message).toContain('more than 3 times');
  });

  test('is looked at as the first address was', async () => {
    const inner: string[] = [];
    using other = serve(({ url }) => new Response(`${inner.push(url)}`), '127.0.0.2');
    let location: string | undefined;
    await using raw = await openRaw((socket) =>
      socket.end(
        `HTTP/1.1 302 Found\r\n${location === undefined ? '' : `Location: ${location}\r\n`}Content-Length: 0\r\n\r\n`,
      ),
    );
    const networks = parseNetworks(['127.0.0.1']);
    const resolve = async () => ['127.0.0.2'];
    const outcomes: [string | undefined, string][] = [
      [`http://127.0.0.2:${other.port}/secret`, 'forbidden'],
      [`http://inner.corp:${other.port}/secret`, 'forbidden'],
      [`//127.0.0.2:${other.port}/secret`, 'forbidden'],
      ['http://name:password@127.0.0.1/', 'invalid'],
      ['file:///etc/passwd', 'invalid'],
      ['gopher://127.0.0.1/', 'invalid'],
      ['http://', 'invalid'],
      [undefined, 'invalid'],
    ];
    for (const [to, code] of outcomes) {
      location = to;
      expect([to, await codeOf(it.fetch(raw.url, { networks, resolve }))]).toEqual([to, code]);
    }
    expect(inner).toEqual([]);
  });
});

test('TLS is checked by the name, and is not left once it was there', async () => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'files.corp' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'files.corp' }] }],
  });
  using plain = serve(() => new Response('plain'));
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    tls: { key, cert },
    fetch: ({ url }) => (url.endsWith('/down') ? Response.redirect(plain.url.href) : new Response('safe')),
  });
  const parts = { resolve: async () => ['127.0.0.1'], ca: cert };
  expect(await it.contents(`https://files.corp:${server.port}/m.onnx`, parts)).toEqual({ 'm.onnx': 'safe' });
  expect(await codeOf(it.fetch(`https://files.corp:${server.port}/down`, parts))).toBe('forbidden');
  for (const [host, ca] of [
    ['other.corp', cert],
    ['127.0.0.1', cert],
    ['files.corp', undefined],
  ]) {
    const error = await errorOf(it.fetch(`https://${host}:${server.port}/m.onnx`, { ...parts, ca }));
    expect([error.code, error.message]).toEqual(['invalid', expect.stringContaining('no safe connection')]);
    expect(error.hint).toContain('NODE_EXTRA_CA_CERTS');
  }
  expect((await errorOf(it.fetch(`https://127.0.0.1:${plain.port}/`))).message).toContain('no safe connection');
  await server.stop(true);
});

describe('an answer that is no file', () => {
  test.each([
    [404, 'invalid', 'no such file'],
    [410, 'invalid', 'no such file'],
    [401, 'invalid', 'not given to everybody'],
    [403, 'invalid', 'not given to everybody'],
    [400, 'invalid', 'answers 400'],
    [206, 'invalid', 'answers 206'],
    [204, 'invalid', 'answers 204'],
    [304, 'invalid', 'answers 304'],
    [429, 'unavailable', 'answers 429'],
    [503, 'unavailable', 'answers 503'],
  ])('with status %p', async (status, code, message) => {
    using server = serve(() => new Response(status === 204 || status === 304 ? null : 'x', { status }));
    const error = await errorOf(it.fetch(`${server.url.href}m.onnx?sig=s3cret`));
    expect([error.code, error.message]).toEqual([code as typeof error.code, expect.stringContaining(message)]);
    expect(error.message).not.toContain('s3cret');
  });

  test.each([
    ['a page', ['Content-Type: text/html; charset=utf-8', 'Content-Length: 3'], 'unsupported'],
    ['packed', ['Content-Encoding: gzip', 'Content-Length: 3'], 'unsupported'],
    ['without length', ['Connection: close'], 'invalid'],
    ['longer than allowed', [`Content-Length: ${mostBytes + 1}`], 'too_large'],
    ['with a length that is none', ['Content-Length: 12x'], 'invalid'],
    ['with two lengths', ['Content-Length: 3', 'Content-Length: 4'], 'invalid'],
  ])('%s', async (_, lines, code) => {
    await using raw = await openRaw((socket) => socket.end(`${head(...lines)}abc`));
    expect(await codeOf(it.fetch(`${raw.url}/m.onnx`))).toBe(code as 'invalid');
    await raw.gone;
  });

  test('but a packed file may be said to be packed', async () => {
    await using raw = await openRaw((socket) =>
      socket.end(`${head('Content-Encoding: x-gzip', 'Content-Length: 3')}abc`),
    );
    expect(await it.contents(`${raw.url}/m.tar.gz`)).toEqual({ 'm.tar.gz': 'abc' });
  });

  test('not even HTTP', async () => {
    await using raw = await openRaw((socket) => socket.end('220 mail.corp ESMTP\r\n'));
    expect((await errorOf(it.fetch(raw.url))).message).toContain('does not speak HTTP');
    const port = new URL(raw.url).port;
    await raw[Symbol.asyncDispose]();
    expect((await errorOf(it.fetch(`http://127.0.0.1:${port}/`))).message).toContain('ECONNREFUSED');
    const resolve = async () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' }));
    expect((await errorOf(it.fetch('http://no.corp/', { resolve }))).message).toContain('ENOTFOUND');
  });
});

describe('a server that', () => {
  test.each([
    ['cuts a file of known length', ['Content-Length: 100'], 'abc'],
    ['cuts a file of unknown length', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n'],
  ])('%s', async (_, lines, body) => {
    for (const way of ['end', 'destroy'] as const) {
      await using raw = await openRaw((socket) =>
        socket.write(head(...lines) + body, () => setTimeout(() => socket[way](), 20)),
      );
      const error = await errorOf(it.fetch(raw.url));
      expect([error.code, error.message]).toEqual(['unavailable', expect.stringMatching(/broke off after \d/)]);
    }
  });

  test('gives more than is allowed without having said so is stopped there', async () => {
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    await using raw = await openRaw((socket) => {
      socket.write(head('Transfer-Encoding: chunked'));
      const more = () => socket.destroyed || socket.write(chunk, more);
      more();
    });
    await it.remove();
    it = await openSource({}, { maxUploadBytes: 2_500_000 });
    const error = await errorOf(it.fetch(raw.url));
    expect([error.code, error.message]).toEqual(['too_large', expect.stringContaining('2500000 bytes')]);
    await raw.gone;
  });

  test('never answers, or drips its head', async () => {
    await using silent = await openRaw(() => {});
    const error = await errorOf(it.fetch(silent.url, { answerMs: 100 }));
    expect([error.code, error.message]).toEqual(['timeout', expect.stringContaining('100 ms')]);
    await silent.gone;
    await using dripping = await openRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('X-A: b\r\n'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    expect(await codeOf(it.fetch(dripping.url, { answerMs: 200 }))).toBe('timeout');
    await dripping.gone;
    const resolve = () => new Promise<string[]>(() => {});
    expect(await codeOf(it.fetch('http://slow.corp/', { answerMs: 50, resolve }))).toBe('timeout');
  });

  test('stands still or drips is left; one that is slow enough to be real is not', async () => {
    const pace = { windowMs: 150, leastBytes: 10 };
    const drip = (bytes: number, count: number) =>
      openRaw((socket) => {
        socket.write(head(`Content-Length: ${bytes * count}`));
        let sent = 0;
        const timer = setInterval(() => {
          if (sent++ < count) socket.write('x'.repeat(bytes));
          else clearInterval(timer);
        }, 30);
        socket.on('close', () => clearInterval(timer));
      });
    await using slow = await drip(1, 1000);
    const error = await errorOf(it.fetch(slow.url, { pace }));
    expect([error.code, error.message]).toEqual(['timeout', expect.stringMatching(/too slow after \d of 1000 bytes/)]);
    await slow.gone;
    await using still = await openRaw((socket) => socket.write(`${head('Content-Length: 100')}${'x'.repeat(99)}`));
    expect((await errorOf(it.fetch(still.url, { pace }))).message).toContain('after 99 of 100');
    await using real = await drip(10, 20);
    expect(Object.values(await it.contents(real.url, { pace }))).toEqual(['x'.repeat(200)]);
  });
});

test('whoever asked goes away: the connection ends and nothing is left', async () => {
  for (const wait of [0, 60]) {
    await using raw = await openRaw((socket) => wait && socket.write(`${head('Content-Length: 100')}abc`));
    const leaving = new AbortController();
    const work = errorOf(it.fetch(raw.url, {}, leaving.signal));
    while (raw.asked() === '') await Bun.sleep(5);
    await Bun.sleep(wait);
    leaving.abort();
    expect((await work).message).toContain('broken off');
    await raw.gone;
  }
  const gone = await errorOf(it.fetch('http://127.0.0.1:1/', {}, AbortSignal.abort()));
  expect(gone.message).toContain('broken off');
});
