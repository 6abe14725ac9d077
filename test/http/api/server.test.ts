import { expect, test } from 'bun:test';
import { request as httpRequest } from 'node:http';
// What every answer has in common: request ids, foreign pages kept out, limits, draining, streaming without buffering.
import { join } from 'node:path';

import { openAccess } from '../../../src/access/access.ts';
import { parseNetworks } from '../../../src/access/networks.ts';
import { openDatabase } from '../../../src/db/open.ts';
import type { Control } from '../../../src/http/api/control.ts';
import { Gate } from '../../../src/http/gate.ts';
import { createServer } from '../../../src/http/server.ts';
import { startAppliance } from './appliance.ts';

/** The draining server asks nothing of the appliance. */
const noControl = {} as Control;

test('a sane request id is kept, any other replaced', async () => {
  await using appliance = await startAppliance();
  const idOf = async (id: string, path: string) =>
    (await appliance.ask('GET', path, undefined, { 'x-request-id': id })).headers.get('x-request-id');
  for (const path of ['/v2', '/api/v1', '/healthz', '/nothing']) {
    expect(await idOf('job-17.a_B', path)).toBe('job-17.a_B');
    expect(await idOf('two words', path)).toMatch(/^[\w-]{8,}$/);
    expect(await idOf('x'.repeat(129), path)).not.toBe('x'.repeat(129));
  }
  const [a, b] = [await appliance.fetch('/v2'), await appliance.fetch('/v2')];
  expect(a.headers.get('x-request-id')).not.toBe(b.headers.get('x-request-id'));
});

test('pages of other sites change nothing', async () => {
  await using appliance = await startAppliance();
  const post = async (path: string, headers: Record<string, string>) =>
    (await appliance.ask('POST', path, { bytes: 1 }, headers)).status;
  const host = new URL(appliance.url).host;
  expect(await post('/api/v1/uploads', {})).toBe(201);
  expect(await post('/api/v1/uploads', { origin: `http://${host}` })).toBe(201);
  for (const origin of ['http://evil.example', 'null', `http://${host}.evil.example`, 'http://127.0.0.1:1']) {
    expect(await post('/api/v1/uploads', { origin })).toBe(403);
    expect(await post('/v2/repository/models/x/unload', { origin })).toBe(403);
  }
  // A name that was rebound to this machine is "the same origin" to the browser.
  expect(await post('/api/v1/uploads', { origin: 'http://evil.example', host: 'evil.example' })).toBe(403);
  expect((await appliance.ask('GET', '/api/v1', undefined, { origin: 'http://evil.example' })).status).toBe(200);
  const refused = await appliance.ask<{ error: unknown }>('POST', '/v2/repository/index', {}, { origin: 'null' });
  expect(refused.body.error).toBeString();
});

test('limits hold before and while a body is read', async () => {
  await using appliance = await startAppliance({ maxJsonBytes: 2000, maxBodyBytes: 3000 });
  const long = JSON.stringify({ bytes: 1, note: 'x'.repeat(4000) });
  expect((await appliance.ask('POST', '/api/v1/uploads', long)).status).toBe(413);
  const chunks = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(1000).fill(32));
    },
  });
  const endless = await appliance.fetch('/api/v1/uploads', { method: 'POST', body: chunks });
  expect(endless.status).toBe(413);
  // Small on its way, large once inflated: from somebody who is not even known.
  const body = Bun.gzipSync(new Uint8Array(1_000_000).fill(32));
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
  expect((await fetch(`${appliance.url}/api/v1/session`, { method: 'POST', body, headers })).status).toBe(413);
});

test('an upload is written as it comes, and what came before a cut stays', async () => {
  await using appliance = await startAppliance();
  const bytes = 8 * 1024 * 1024;
  const { body } = await appliance.ask<{ id: string }>('POST', '/api/v1/uploads', { bytes });
  const path = `/api/v1/uploads/${body.id}`;
  const received = async () => (await appliance.ask<{ received: number }>('GET', path)).body.received;
  const sending = httpRequest({
    socketPath: join(appliance.data, 'aimass.sock'),
    path,
    method: 'PATCH',
    headers: { 'upload-offset': '0', 'content-length': String(bytes) },
  });
  sending.on('error', () => {});
  await new Promise<void>((resolve) => void sending.write(new Uint8Array(bytes / 2), () => resolve()));
  const half = await appliance.ask('PATCH', path, 'x', { 'upload-offset': '0' });
  expect(half).toMatchObject({ status: 409 });
  sending.destroy();
  // The server notices the cut on its own time.
  let at = 0;
  for (let tries = 0; tries < 200 && at === 0; tries++) {
    at = await received();
    if (at === 0) await Bun.sleep(10);
  }
  expect(at).toBeGreaterThan(0);
  expect(at).toBeLessThanOrEqual(bytes / 2);
});

test('draining: what runs finishes, what comes is refused, idle waits for the rest', async () => {
  await using appliance = await startAppliance();
  const access = openAccess(openDatabase(':memory:'));
  const nowhere = parseNetworks([]);
  const started = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const server = createServer({
    hosts: { any: () => false, find: () => undefined },
    control: {
      ...noControl,
      traffic: { observe() {} } as unknown as Control['traffic'],
      stopping: new AbortController().signal,
      info: () => ({ version: '', startedAt: '', listen: '', dataFolder: '' }),
    },
    config: appliance.config,
    metrics: () => '',
    gate: new Gate({ access, openTo: nowhere, trustedProxies: nowhere }),
    access,
    metricsTo: nowhere,
    // Stands where the inference protocol stands: answers when the test says so.
    v2Handler: (_, pathname) => {
      if (pathname === '/v2/health/live') return new Response('live');
      if (!pathname.startsWith('/v2')) return undefined;
      started.resolve();
      return gate.promise.then(() => new Response('answer'));
    },
  });
  const listener = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, from) => server.fetch(request, from, 'socket'),
  });
  try {
    await server.idle();
    const running = fetch(new URL('/v2/models/m/infer', listener.url), { method: 'POST', body: '{}' });
    await started.promise;
    expect(server.inFlight()).toBe(1);
    server.drain();
    let isIdle = false;
    const idle = server.idle().then(() => (isIdle = true));

    for (const path of ['/api/v1/models', '/v2/models/m/infer', '/metrics']) {
      const refused = await fetch(new URL(path, listener.url));
      expect(refused.status).toBe(503);
      expect(refused.headers.get('connection')).toBe('close');
      expect(refused.headers.get('retry-after')).toBe('1');
      const { error } = (await refused.json()) as { error: unknown };
      expect(typeof error).toBe(path.startsWith('/v2') ? 'string' : 'object');
    }
    for (const path of ['/v2/health/live', '/healthz']) {
      expect((await fetch(new URL(path, listener.url))).status).toBe(200);
    }
    expect(isIdle).toBeFalse();
    gate.resolve();
    const answer = await running;
    expect([answer.status, await answer.text()]).toEqual([200, 'answer']);
    expect(answer.headers.get('connection')).toBe('close');
    await idle;
    expect(server.inFlight()).toBe(0);
  } finally {
    access.close();
    await listener.stop(true);
  }
});

test('without a Host the protocol and health answer, the API says what is missing', async () => {
  await using appliance = await startAppliance();
  const { hostname, port } = new URL(appliance.url);
  const ask = async (path: string) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => void socket.write(`GET ${path} HTTP/1.0\r\n\r\n`),
        data: (_, data) => resolve(data.toString()),
      },
    });
    return (await promise).split('\r\n')[0];
  };
  expect(await ask('/healthz')).toContain(' 200 ');
  expect(await ask('/v2/health/ready')).toContain(' 200 ');
  expect(await ask('/api/v1')).toContain(' 400 ');
});

test('health and metrics', async () => {
  await using appliance = await startAppliance();
  expect(await appliance.ask('GET', '/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
  expect((await appliance.ask('HEAD', '/healthz')).status).toBe(200);
  expect((await appliance.ask('GET', '/metrics')).headers.get('content-type')).toContain('version=0.0.4');
  expect((await appliance.ask('POST', '/healthz')).status).toBe(404);
});

test('a host whose name is short reaches every route', async () => {
  await using appliance = await startAppliance();
  for (const host of ['x', 'nas', 'x.y', 'nas:8700']) {
    const { status } = await appliance.ask('GET', '/api/v1/models', undefined, { host });
    expect(status).toBe(200);
  }
  expect((await appliance.fetch('/', { redirect: 'manual' })).headers.get('location')).toBe('/setup');
});
