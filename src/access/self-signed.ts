// A certificate of our own making, for a server that was given none: kept in the data folder, made anew before it ends or
// when the server has got other names.
import { X509Certificate } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

import { generate } from 'selfsigned';

import { AppError } from '../error.ts';
import { type Certificate, type CertificateFiles, loadCertificate } from './certificate.ts';
import { findAddress } from './networks.ts';

const dayMs = 86_400_000;
/** The longest that Apple's systems accept. */
const lifeDays = 825;
const renewBeforeDays = 30;

export function selfSignedFiles(folder: string): CertificateFiles {
  return { certPath: join(folder, 'self-signed.crt'), keyPath: join(folder, 'self-signed.key') };
}

/**
 * The one in the folder if it is still good for a month and for these names, else a new one.
 * @param folder made if need be; the files in it are for this user alone
 * @param hosts names and addresses that clients use, the first being the main one
 */
export async function ensureSelfSigned(
  folder: string,
  hosts: readonly [string, ...string[]],
  now: () => number = Date.now,
): Promise<Certificate> {
  const names = hosts.map((host) => findAddress(host) ?? host);
  const files = selfSignedFiles(folder);
  const kept = findUsable(files, names, now());
  if (kept) return kept;
  const made = await make(names, now());
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  put(files.keyPath, made.private);
  put(files.certPath, made.cert);
  return loadCertificate(files, now());
}

/** A pair that was torn apart by a crash does not match and is made again. */
function findUsable(files: CertificateFiles, hosts: readonly string[], nowMs: number): Certificate | undefined {
  try {
    const found = loadCertificate(files, nowMs);
    const parsed = new X509Certificate(found.cert);
    const covers = hosts.every((host) => (isIP(host) ? parsed.checkIP(host) : parsed.checkHost(host)) !== undefined);
    return covers && found.notAfterMs - nowMs > renewBeforeDays * dayMs ? found : undefined;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

async function make(hosts: readonly string[], nowMs: number): Promise<{ cert: string; private: string }> {
  const altNames = hosts.map((host) =>
    isIP(host) ? { type: 7 as const, ip: host } : { type: 2 as const, value: host },
  );
  return await generate([{ name: 'commonName', value: (hosts[0] ?? 'aimass').slice(0, 64) }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // Clocks in an intranet differ.
    notBeforeDate: new Date(nowMs - dayMs),
    notAfterDate: new Date(nowMs + (lifeDays - 1) * dayMs),
    extensions: [
      // Its own authority for itself alone, so that it can be added to what a machine trusts.
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames },
    ],
  });
}

function put(path: string, text: string): void {
  const temporary = `${path}.${crypto.randomUUID()}`;
  writeFileSync(temporary, text, { mode: 0o600, flush: true });
  renameSync(temporary, path);
}
