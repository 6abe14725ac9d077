import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { X509Certificate } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';

import { type Certificate, loadCertificate, watchCertificate } from '../../src/access/certificate.ts';
import { ensureSelfSigned, selfSignedFiles } from '../../src/access/self-signed.ts';
import { messageOf } from '../../src/error.ts';
import { day, errorOf } from './opened.ts';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'aimass-tls-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const fresh = () => join(folder, crypto.randomUUID());
const hosts = ['box.lan', 'box', '10.0.0.5', '::ffff:10.0.0.6', 'fd00:0::5'] as const;

describe('a self-signed certificate', () => {
  test('is for the names and addresses of this machine, and for nobody else to read', async () => {
    const place = fresh();
    const made = await ensureSelfSigned(place, [...hosts]);
    const parsed = new X509Certificate(made.cert);
    for (const name of ['box.lan', 'box']) expect(parsed.checkHost(name)).toBe(name);
    for (const ip of ['10.0.0.5', '10.0.0.6', 'fd00::5']) expect(parsed.checkIP(ip)).toBe(ip);
    expect(parsed.checkHost('other.lan')).toBeUndefined();
    expect(parsed.ca).toBe(false);
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    for (const path of Object.values(selfSignedFiles(place))) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(place).mode & 0o777).toBe(0o700);
  });

  const openssl = '/usr/bin/openssl';
  test.skipIf(!existsSync(openssl))('is accepted by OpenSSL for its names, which needs openssl', async () => {
    const place = fresh();
    await ensureSelfSigned(place, [...hosts]);
    const { certPath } = selfSignedFiles(place);
    const verify = (...options: string[]) =>
      Bun.spawnSync([
        openssl,
        'verify',
        '-x509_strict',
        '-CAfile',
        certPath,
        '-purpose',
        'sslserver',
        ...options,
        certPath,
      ]);
    expect(verify('-verify_hostname', 'box.lan').stdout.toString()).toContain('OK');
    expect(verify('-verify_ip', 'fd00::5').stdout.toString()).toContain('OK');
    expect(verify('-verify_hostname', 'other.lan').exitCode).not.toBe(0);
  });

  test('serves a client that trusts it', async () => {
    const { cert, key } = await ensureSelfSigned(fresh(), ['localhost', '127.0.0.1']);
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      tls: { cert, key },
      fetch: () => new Response('hello'),
    });
    const url = `https://127.0.0.1:${server.port}/`;
    const answer = await fetch(url, { tls: { ca: cert } });
    expect(await answer.text()).toBe('hello');
    const socket = connect({ host: '127.0.0.1', port: server.port, ca: cert, servername: 'localhost' });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    expect(socket.authorized).toBe(true);
    socket.destroy();
    await server.stop(true);
  });

  test('is kept, and made anew a month before its end, for other names or when it was damaged', async () => {
    const place = fresh();
    let nowMs = Date.now();
    const ensure = (names: [string, ...string[]] = ['box.lan', 'fe80::1%eth0']) =>
      ensureSelfSigned(place, names, () => nowMs);
    const first = await ensure();
    expect(await ensure()).toEqual(first);
    expect(await ensure(['box.lan'])).toEqual(first);
    nowMs = first.notAfterMs - 30 * day - 1000;
    expect((await ensure()).fingerprint).toBe(first.fingerprint);
    nowMs += 2000;
    const second = await ensure();
    expect(second.notAfterMs).toBeGreaterThan(first.notAfterMs);
    const third = await ensure(['new.lan']);
    expect(third.names).toEqual(['new.lan']);
    writeFileSync(selfSignedFiles(place).keyPath, first.key);
    expect((await ensure(['new.lan'])).fingerprint).not.toBe(third.fingerprint);
    writeFileSync(selfSignedFiles(place).certPath, '');
    expect((await ensure(['new.lan'])).names).toEqual(['new.lan']);
  });
});

describe('certificate files', () => {
  let mine: Certificate;
  let [place, other] = ['', ''];
  const files = () => selfSignedFiles(place);
  beforeAll(async () => {
    [place, other] = [fresh(), fresh()];
    mine = await ensureSelfSigned(place, ['box.lan']);
    await ensureSelfSigned(other, ['other.lan']);
  });

  test('are read with what people need to know of them', () => {
    const found = loadCertificate(files(), Date.now());
    expect(found).toEqual(mine);
    expect(found).toMatchObject({ names: ['box.lan'], fingerprint: expect.stringMatching(/^([\dA-F]{2}:){31}/) });
  });

  test('that do not fit, have ended, are damaged or missing are told apart', async () => {
    const { certPath, keyPath } = files();
    const broken = join(folder, 'broken.pem');
    writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const now = Date.now();
    const cases = [
      [certPath, selfSignedFiles(other).keyPath, now, 'does not belong'],
      [certPath, keyPath, mine.notAfterMs, 'is valid from'],
      [certPath, keyPath, now - 30 * day, 'is valid from'],
      [broken, keyPath, now, 'no certificate'],
      [keyPath, keyPath, now, 'no certificate'],
      [certPath, certPath, now, 'no key'],
      [certPath, join(folder, 'nothing'), now, 'cannot be read'],
      [folder, keyPath, now, 'cannot be read'],
    ] as const;
    for (const [certPath, keyPath, nowMs, words] of cases) {
      const error = await errorOf(() => loadCertificate({ certPath, keyPath }, nowMs));
      expect(error.code).toBe('invalid');
      expect(error.message).toContain(words);
      expect(error.message).not.toContain(mine.key.split('\n')[1]!);
    }
  });

  test('are taken again when they change, also through a link, and never half', () => {
    const live = fresh();
    const link = { certPath: `${live}.crt`, keyPath: `${live}.key` };
    symlinkSync(files().certPath, link.certPath);
    copyFileSync(files().keyPath, link.keyPath);
    const changed: string[][] = [];
    const failed: string[] = [];
    const watch = watchCertificate(link, loadCertificate(link, Date.now()), {
      changed: ({ names }) => changed.push(names),
      failed: (error) => failed.push(messageOf(error)),
    });
    watch.check();
    expect([changed, failed]).toEqual([[], []]);

    symlinkSync(selfSignedFiles(other).certPath, `${live}.new`);
    renameSync(`${live}.new`, link.certPath);
    watch.check();
    watch.check();
    expect(changed).toEqual([]);
    expect(failed).toHaveLength(1);
    expect(failed[0]).toContain('does not belong');

    copyFileSync(selfSignedFiles(other).keyPath, link.keyPath);
    watch.check();
    watch.check();
    expect(changed).toEqual([['other.lan']]);
    expect(failed).toHaveLength(1);
    watch.stop();
  });

  test('are looked at now and then without being asked', async () => {
    const live = fresh();
    const copy = { certPath: `${live}.crt`, keyPath: `${live}.key` };
    copyFileSync(files().certPath, copy.certPath);
    copyFileSync(files().keyPath, copy.keyPath);
    const { promise, resolve } = Promise.withResolvers<string[]>();
    const handlers = { changed: ({ names }: Certificate) => resolve(names), failed: () => {} };
    const watch = watchCertificate(copy, loadCertificate(copy, Date.now()), handlers, { everyMs: 5 });
    copyFileSync(selfSignedFiles(other).certPath, copy.certPath);
    copyFileSync(selfSignedFiles(other).keyPath, copy.keyPath);
    expect(await promise).toEqual(['other.lan']);
    watch.stop();
  });
});
