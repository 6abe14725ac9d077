// Compressed requests and answers, against node:zlib; nothing small may inflate to something large.
import { afterAll, describe, expect, test } from 'bun:test';
import zlib from 'node:zlib';

import { chooseCoding, decompress } from '../../../src/http/v2/compress.ts';
import { Harness, limits, splitReply } from './harness.ts';

const harness = new Harness();
afterAll(() => harness.close());

const path = '/v2/models/fixed/infer';
const request = { inputs: [{ name: 'x', datatype: 'FP32', shape: [4], data: [1, 2, 3, 4] }] };
const text = Buffer.from(JSON.stringify(request));

describe('a compressed request', () => {
  for (const [coding, body] of [
    ['gzip', zlib.gzipSync(text)],
    ['deflate', zlib.deflateSync(text)],
    [' GZIP ', zlib.gzipSync(text)],
    ['identity', text],
  ] as const) {
    test(`in ${coding}`, async () => {
      const reply = await harness.send('POST', path, body, { 'content-encoding': coding });
      expect(reply.json().outputs[0]!.data).toEqual([1, 2, 3, 4]);
    });
  }

  test('with binary tensors: the header tells the JSON part before compression', async () => {
    const header = Buffer.from(
      JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [4], parameters: { binary_data_size: 16 } }] }),
    );
    const body = zlib.gzipSync(Buffer.concat([header, new Uint8Array(Float32Array.of(4, 3, 2, 1).buffer)]));
    const headers = { 'content-encoding': 'gzip', 'inference-header-content-length': String(header.length) };
    expect((await harness.send('POST', path, body, headers)).json().outputs[0]!.data).toEqual([4, 3, 2, 1]);
  });

  test('in anything else is 501 with what works', async () => {
    for (const coding of ['br', 'zstd', 'gzip, gzip', 'x'.repeat(500)]) {
      const reply = await harness.send('POST', path, text, { 'content-encoding': coding });
      expect(reply.status).toBe(501);
      expect(reply.json().error).toContain('Use gzip, deflate or identity');
    }
  });

  test('that is damaged is 400', async () => {
    const damaged = [
      zlib.gzipSync(text).subarray(0, 20),
      text,
      Buffer.alloc(0),
      Buffer.concat([zlib.gzipSync(text), text]),
    ];
    for (const body of damaged) {
      const reply = await harness.send('POST', path, body, { 'content-encoding': 'gzip' });
      expect(reply.status).toBe(400);
      expect(reply.json().error).toContain('not valid gzip');
    }
  });

  test('that inflates past the limit is 413', async () => {
    for (const [coding, pack] of [
      ['gzip', zlib.gzipSync],
      ['deflate', zlib.deflateSync],
    ] as const) {
      const body = pack(Buffer.alloc(limits.maxInflatedBytes + 1));
      const reply = await harness.send('POST', path, body, { 'content-encoding': coding });
      expect(reply.status).toBe(413);
      expect(reply.json().error).toContain(`inflates to more than ${limits.maxInflatedBytes} bytes`);
    }
  });

  test('does not fill the memory before it is refused', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(200 * 1024 * 1024));
    Bun.gc(true);
    const before = process.memoryUsage().rss;
    const refusal: unknown = await decompress(bomb, 'gzip', 1024 * 1024).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'too_large' });
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('a compressed answer', () => {
  test('comes as the client asks', async () => {
    const gzipped = await harness.send('POST', path, text, { 'accept-encoding': 'gzip' });
    expect(gzipped.headers.get('content-encoding')).toBe('gzip');
    expect(gzipped.headers.get('vary')).toBe('Accept-Encoding');
    expect(JSON.parse(zlib.gunzipSync(gzipped.bytes).toString())).toMatchObject({ model_name: 'fixed' });
    const deflated = await harness.send('POST', path, text, { 'accept-encoding': 'deflate' });
    expect(JSON.parse(zlib.inflateSync(deflated.bytes).toString())).toMatchObject({ model_name: 'fixed' });
    const plain = await harness.send('POST', path, text, { 'accept-encoding': 'br' });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(plain.json()).toMatchObject({ model_name: 'fixed' });
  });

  test('with binary tensors tells the JSON part before compression', async () => {
    const body = JSON.stringify({ ...request, parameters: { binary_data_output: true } });
    const reply = await harness.send('POST', path, body, { 'accept-encoding': 'gzip' });
    const { parts } = splitReply({ ...reply, bytes: zlib.gunzipSync(reply.bytes) });
    expect(Buffer.from(parts[0]!)).toEqual(Buffer.from(Float32Array.of(1, 2, 3, 4).buffer));
  });

  test.each([
    ['', undefined],
    ['*', undefined],
    ['br, zstd', undefined],
    ['gzip', 'gzip'],
    ['GZIP;Q=0.5', 'gzip'],
    ['gzip, deflate', 'gzip'],
    ['deflate, gzip;q=0.5', 'deflate'],
    ['gzip;q=0', undefined],
    ['gzip;q=0, deflate', 'deflate'],
    ['gzip;q=0.5, identity', undefined],
    ['gzip;q=0.5, identity;q=0.4', 'gzip'],
    ['gzip;q=no', undefined],
    [';;,,;q=', undefined],
  ] as const)('Accept-Encoding %p chooses %p', (accept, coding) => {
    expect(chooseCoding(accept)).toBe(coding);
  });
});
