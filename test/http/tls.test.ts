// TLS as clients meet it: whole appliances with certificates of their own or from files, and what is told to browsers.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';

import { ensureSelfSigned, selfSignedFiles } from '../../src/access/self-signed.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { listen } from '../../src/listen.ts';
import { openTls } from '../../src/tls.ts';
import { errorOf } from '../access/opened.ts';
import { password } from './admin/session.ts';
import { startAppliance } from './api/appliance.ts';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'aimass-tls-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const hosts = ['localhost', '127.0.0.1'] as const;

/** Files that an administrator keeps; `renew` replaces both by those of another certificate. */
async function makeFiles() {
  const place = join(folder, crypto.randomUUID());
  const first = await ensureSelfSigned(place, [...hosts]);
  const { certPath, keyPath } = selfSignedFiles(place);
  const renew = async () => {
    const elsewhere = join(folder, crypto.randomUUID());
    const second = await ensureSelfSigned(elsewhere, [...hosts]);
    const from = selfSignedFiles(elsewhere);
    copyFileSync(from.keyPath, keyPath);
    copyFileSync(from.certPath, certPath);
    return second;
  };
  return { first, renew, settings: { tls: 'files', tlsCert: certPath, tlsKey: keyPath } as const };
}

function shake(url: string, ca: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca, servername: 'localhost' });
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket)).once('error', reject);
  });
}

const untrusted = /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|DEPTH_ZERO_SELF_SIGNED_CERT)$/;

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );

/** Until the next handshake is with a certificate of `ca`. */
async function waitFor(url: string, ca: string): Promise<void> {
  for (;;) {
    const socket = await shake(url, ca).catch(() => undefined);
    socket?.destroy();
    if (socket) return;
  }
}

async function readAll(socket: TLSSocket): Promise<string> {
  let text = '';
  for await (const part of socket) text += String(part);
  return text;
}

describe('a certificate of its own', () => {
  test('serves the network, makes cookies secure and leaves the socket as it is', async () => {
    await using appliance = await startAppliance({ tls: 'self-signed', hstsSeconds: 3600 });
    expect(appliance.url).toStartWith('https://127.0.0.1:');
    expect(appliance.setupUrl).toStartWith(`${appliance.url}/setup?token=`);
    const ca = readFileSync(join(appliance.data, 'tls/self-signed.crt'), 'utf8');
    const token = new URL(appliance.setupUrl!).searchParams.get('token')!;
    const response = await fetch(`${appliance.url}/setup`, {
      method: 'POST',
      body: new URLSearchParams({ token, name: 'ada', password, again: password }),
      redirect: 'manual',
      tls: { ca },
    });
    expect(response.status).toBe(303);
    expect(response.headers.getSetCookie().join()).toMatch(/^aimass_session=.*; Secure/);
    expect(response.headers.get('strict-transport-security')).toBe('max-age=3600');
    const cookie = response.headers.getSetCookie()[0]!.split(';')[0]!;
    for (const path of ['/api/v1/models', '/api/v1/devices', '/api/v1/placement', '/v2/repository/index']) {
      const method = path.startsWith('/v2') ? 'OPTIONS' : 'GET';
      const { status } = await fetch(appliance.url + path, { method, headers: { cookie }, tls: { ca } });
      expect([path, status]).toEqual([path, method === 'GET' ? 200 : 405]);
    }
    expect(await codeOf(fetch(`${appliance.url}/healthz`))).toMatch(untrusted);
    const local = await fetch('http://localhost/api/v1/server', { unix: join(appliance.data, 'aimass.sock') });
    expect(local.headers.get('strict-transport-security')).toBeNull();
  });

  test('is made anew when it is no good any more, without a restart', async () => {
    await using appliance = await startAppliance({ tls: 'self-signed' }, { certificateEveryMs: 10 });
    const { certPath } = selfSignedFiles(join(appliance.data, 'tls'));
    const before = readFileSync(certPath, 'utf8');
    rmSync(certPath);
    let now = '';
    while (now === '' || now === before)
      now = await Bun.file(certPath)
        .text()
        .catch(() => '');
    await waitFor(appliance.url, now);
  });
});

describe('a certificate from files', () => {
  test('is replaced when they change, while a request and a connection of before go on', async () => {
    const { first, renew, settings } = await makeFiles();
    await using appliance = await startAppliance({ ...settings, drainTimeoutMs: 1000 }, { certificateEveryMs: 10 });
    const slow = await shake(appliance.url, first.cert);
    slow.write('POST /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n');
    slow.write('Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 21\r\n\r\nname=ada&');

    const second = await renew();
    await waitFor(appliance.url, second.cert);
    for (let i = 0; i < 10; i++) (await shake(appliance.url, second.cert)).destroy();
    const third = await renew();
    await waitFor(appliance.url, third.cert);
    expect(await codeOf(shake(appliance.url, first.cert))).toMatch(untrusted);
    expect((await fetch(`${appliance.url}/healthz`, { tls: { ca: third.cert } })).status).toBe(200);

    slow.write('password=xyz');
    const answer = await readAll(slow);
    expect(answer).toStartWith('HTTP/1.1 422 ');
    expect(answer).toContain('The name or the password is wrong');
  });

  test('that does not fit its key is not taken', async () => {
    const { first, settings } = await makeFiles();
    const { settings: other } = await makeFiles();
    const config = { ...load(), ...settings };
    expect((await errorOf(() => openTls({ ...config, tlsKey: other.tlsKey }))).message).toContain('does not belong');
    const tls = (await openTls(config))!;
    expect(tls.certificate()).toEqual(first);
    tls.close();
  });
});

function load(settings: Partial<Config> = {}): Config {
  const { config } = loadConfig({ argv: ['--data', folder], env: {}, isRoot: false, readFile: () => undefined });
  return { ...config, listen: '127.0.0.1:0', logLevel: 'error', ...settings };
}

test.each([
  [{ tls: 'files' }, 'tls_cert'],
  [{ tls: 'files', tlsCert: '/absent.pem' }, 'tls_key'],
  [{ tls: 'files', tlsCert: '/absent.pem', tlsKey: '/absent.key' }, '/absent.pem'],
  [{ tlsCert: '/absent.pem' }, 'TLS is off'],
  [{ httpRedirect: '127.0.0.1:80' }, 'TLS is off'],
] as const)('the settings %p do not fit', async (settings, words) => {
  const error = await errorOf(() => openTls(load(settings)));
  expect(error).toMatchObject({ code: 'invalid', message: expect.stringContaining(words) });
});

test('an address that another one serves is not shared with it', async () => {
  const { settings } = await makeFiles();
  const tls = (await openTls(load(settings)))!;
  const first = listen(load(settings), () => new Response('first'), tls);
  const taken = load({ ...settings, listen: new URL(first.url).host });
  const error = await errorOf(() => listen(taken, () => new Response('second'), tls));
  expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining(taken.listen) });
  tls.close();
  await first.stop(true);
});

test('who comes without TLS is sent on, to the same path under a name of this machine', async () => {
  const { settings } = await makeFiles();
  const tls = (await openTls(load(settings)))!;
  // Where the redirecting listener is reached, the system chooses; so another one is asked first.
  const probe = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() });
  const httpRedirect = `127.0.0.1:${probe.port}`;
  await probe.stop(true);
  const go = (path: string, init: RequestInit = {}) =>
    fetch(`http://${httpRedirect}${path}`, { ...init, redirect: 'manual' });
  const open = (more: Partial<Config>) =>
    listen(load({ ...settings, httpRedirect, ...more }), () => new Response(), tls);

  const listeners = open({});
  const { port } = new URL(listeners.url);
  const sent = await go('/v2/models/a%20b/infer?x=1', { method: 'POST', body: 'x', headers: { host: 'Box.lan:8080' } });
  expect(sent.status).toBe(308);
  expect(sent.headers.get('location')).toBe(`https://Box.lan:${port}/v2/models/a%20b/infer?x=1`);
  const double = await go('//evil.test/', { headers: { host: 'box.lan' } });
  expect(double.headers.get('location')).toStartWith(`https://box.lan:${port}/`);
  expect((await go('/', { headers: { host: 'evil.test/@x' } })).status).toBe(400);
  await listeners.stop(true);

  const named = open({ publicUrl: 'https://box.corp.test' });
  const known = await go('/admin?tab=1', { headers: { host: 'evil.test' } });
  expect(known.headers.get('location')).toBe('https://box.corp.test/admin?tab=1');
  await named.stop(true);
  tls.close();
});

describe('what answers tell a browser', () => {
  const secured = { 'x-forwarded-proto': 'https' };

  test('is on every one of them, errors included', async () => {
    await using appliance = await startAppliance({ hstsSeconds: 60 });
    const paths = ['/', '/setup', '/sign-in', '/docs', '/openapi.json', '/healthz', '/metrics', '/v2', '/v2/models/x'];
    for (const path of [...paths, '/api/v1/server', '/api/v1/nothing', '/assets/nothing', '/nothing']) {
      const { headers } = await fetch(appliance.url + path, { redirect: 'manual', headers: secured });
      expect([path, headers.get('x-content-type-options')]).toEqual([path, 'nosniff']);
      expect([path, headers.get('x-frame-options')]).toEqual([path, 'DENY']);
      expect(headers.get('referrer-policy')).toMatch(/^(no-referrer|same-origin)$/);
      // Anybody may say that it came by TLS.
      expect(headers.get('strict-transport-security')).toBeNull();
    }
  });

  test('is that they came by TLS when a proxy says so that is trusted', async () => {
    await using appliance = await startAppliance({ hstsSeconds: 60, trustedProxies: '127.0.0.0/8' });
    const ask = async (headers: Record<string, string>) =>
      (await fetch(`${appliance.url}/sign-in`, { headers })).headers.get('strict-transport-security');
    expect(await ask(secured)).toBe('max-age=60');
    expect(await ask({ 'x-forwarded-proto': 'HTTPS, http' })).toBe('max-age=60');
    expect(await ask({ 'x-forwarded-proto': 'http' })).toBeNull();
    expect(await ask({})).toBeNull();
  });
});
