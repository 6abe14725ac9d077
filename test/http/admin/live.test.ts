// The stream of live values as a page's script reads it: what it begins with, what it says when something changes, and
// when it ends.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { addScalar } from '../../support/graphs.ts';
import { until } from './machine-box.ts';
import { openSignedIn, type SignedIn, type Visitor } from './session.ts';

type Message = Record<string, string | { html?: string; point?: (number | null)[] }>;

let box: SignedIn;
beforeAll(async () => {
  box = await openSignedIn();
  await push('m');
});
afterAll(() => box[Symbol.asyncDispose]());

async function push(name: string): Promise<void> {
  const headers = { 'content-type': 'application/octet-stream' };
  await box.ask('POST', `/api/v1/models/${name}/versions?filename=m.onnx`, addScalar(1), headers);
}

/** Opens a stream. @returns its messages, one by one, and what ends it from this side */
async function watch(visitor: Visitor, query: string, headers: Record<string, string> = {}) {
  const response = await visitor.fetch(`/admin/live?${query}`, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  /** undefined when the stream has ended. */
  async function next(): Promise<Message | undefined> {
    for (;;) {
      const end = rest.indexOf('\n\n');
      if (end >= 0) {
        const block = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (block.startsWith('data: ')) return JSON.parse(block.slice(6)) as Message;
        continue;
      }
      const { value, done } = await reader.read();
      if (done) return undefined;
      rest += value;
    }
  }
  return {
    next,
    /** The first update of a key. */
    async of(key: string) {
      for (;;) {
        const message = await next();
        if (!message) throw new Error(`the stream ended without ${key}`);
        if (key in message) return message[key]!;
      }
    },
    async [Symbol.asyncDispose]() {
      await reader.cancel();
    },
  };
}

const htmlOf = (update: Message[string]) => (typeof update === 'object' ? update.html! : update);

test('begins with how things are, for the topics that were asked for', async () => {
  await using stream = await watch(box.administrator, 'topics=overview,devices,traffic,decisions');
  const message = (await stream.next())!;
  expect(Object.keys(message)).toContainValues([
    'overview.state',
    'overview.answering',
    'device.cpu.memory',
    'device.cpu.load',
    'traffic.rate',
    'rate:m',
    'decisions',
  ]);
  expect(Object.keys(message).some((key) => key.startsWith('instance'))).toBe(false);
  expect(message['overview.answering']).toBe('1');
  expect(htmlOf(message['device.cpu.memory']!)).toContain('m:1');
  expect(htmlOf(message.decisions!)).toContain('Loaded');
});

test('speaks the language of who watches', async () => {
  await using stream = await watch(box.as('viewer'), 'topics=decisions', { 'accept-language': 'zh-CN' });
  expect(htmlOf(await stream.of('decisions'))).toContain('加载完成');
});

test('tells of instances that come and go, and repeats nothing that a page has', async () => {
  const page = await box.administrator.get('/admin/instances');
  const query = /data-live="\/admin\/live\?([^"]*)"/.exec(page.text)![1]!.replaceAll('&amp;', '&');
  await using stream = await watch(box.administrator, query);
  const first = (await stream.next())!;
  expect('instances' in first).toBe(false);
  expect(Object.keys(first).some((key) => /^instance\.\d+\.state$/.test(key))).toBe(true);
  await push('n');
  expect(htmlOf(await stream.of('instances'))).toContain('n:1');
});

test('shows an instance’s log as it grows', async () => {
  const { body } = await box.ask<{ instances: { id: string }[] }>('GET', '/api/v1/instances');
  await using stream = await watch(box.administrator, `topics=log&instance=${body.instances[0]!.id}`);
  expect(await stream.of('log')).toContain('warmed up in');
});

test('tells of traffic', async () => {
  await using stream = await watch(box.administrator, 'topics=traffic');
  expect(await stream.of('rate:m')).toBe('0');
  const { inputs } = (
    await box.ask<{ inputs: { name: string; datatype: string; shape: number[] }[] }>('GET', '/v2/models/m')
  ).body;
  const { name, datatype, shape } = inputs[0]!;
  const sizes = shape.map((size) => Math.max(1, size));
  const data = Array.from({ length: sizes.reduce((product, size) => product * size, 1) }, () => 1);
  for (let i = 0; i < 20; i++) {
    const answer = await box.ask('POST', '/v2/models/m/infer', { inputs: [{ name, datatype, shape: sizes, data }] });
    expect(answer.status).toBe(200);
  }
  expect(Number(await stream.of('rate:m'))).toBeGreaterThan(0);
  const update = await stream.of('traffic.requests');
  const [at, failed, answered] = (update as { point: number[] }).point;
  expect(Math.abs(at! - Date.now() / 1000)).toBeLessThan(60);
  expect(failed).toBe(0);
  expect(answered).toBeGreaterThanOrEqual(0);
  // Totals and whole requests, as the page of a model shows them.
  await using later = await watch(box.administrator, 'topics=traffic');
  const now = (await later.next())!;
  expect(now['answered:m']).toBe('20 answered since it was loaded');
  expect(now['failed:m']).toBe('0 failed (0%)');
  for (const key of ['p50:m', 'p95:m', 'p50all:m', 'modelP95:m'])
    expect([key, now[key]]).toEqual([key, expect.stringContaining(' ms')]);
  const { text } = await box.administrator.get('/admin/models/m');
  for (const key of ['answered', 'failed', 'p50all', 'p95all', 'modelP50', 'modelP95', 'latency']) {
    expect(text).toContain(`data-live-key="${key}:m"`);
  }
});

describe('is refused', () => {
  test.each(['topics=', 'topics=secrets', 'topics=devices,__proto__', `topics=${'devices,'.repeat(50)}devices`, ''])(
    'for %p',
    async (query) => expect((await box.administrator.get(`/admin/live?${query}`)).status).toBe(400),
  );

  test('to strangers', async () => {
    expect((await box.stranger().get('/admin/live?topics=devices')).status).toBe(303);
  });

  test('beyond a number of pages', async () => {
    const visitor = box.as('viewer', 'many');
    const open: Awaited<ReturnType<typeof watch>>[] = [];
    for (let i = 0; i < 32; i++) open.push(await watch(visitor, 'topics=decisions'));
    expect((await visitor.get('/admin/live?topics=decisions')).status).toBe(503);
    for (const stream of open) await stream[Symbol.asyncDispose]();
    // Their place is free again.
    const ask = async () => {
      const { status, body } = await visitor.fetch('/admin/live?topics=decisions');
      await body?.cancel();
      return status;
    };
    expect(await until(ask, (status) => status !== 503)).toBe(200);
  });
});

test('has nothing for HEAD', async () => {
  const response = await box.administrator.fetch('/admin/live?topics=devices', { method: 'HEAD' });
  expect([response.status, await response.text()]).toEqual([200, '']);
});

describe('ends', () => {
  test('with the session', async () => {
    const visitor = box.as('viewer', 'leaving');
    await using stream = await watch(visitor, 'topics=decisions');
    await stream.next();
    await visitor.post('/admin/sign-out');
    while (await stream.next());
  });

  test('when somebody else ends the sessions of the user', async () => {
    const visitor = box.as('viewer', 'ended');
    await using stream = await watch(visitor, 'topics=decisions');
    await stream.next();
    expect((await box.administrator.post(`/admin/users/${visitor.id}/sessions/end`)).status).toBe(303);
    while (await stream.next());
  });

  test('when the server stops, which does not wait for it', async () => {
    const other = await openSignedIn({ drainTimeoutMs: 600_000 });
    const stream = await watch(other.administrator, 'topics=devices');
    await stream.next();
    await other[Symbol.asyncDispose]();
    while (await stream.next());
  });
});
