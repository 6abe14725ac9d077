// The certificate that the appliance shows: none, one of its own making or the administrator's files. Says when there is
// another one; knows no listener.
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';

import { type Certificate, loadCertificate, watchCertificate } from './access/certificate.ts';
import type { Config } from './config.ts';
import { AppError, messageOf } from './error.ts';
import { log } from './log.ts';
import { parseListen } from './setting-text.ts';

export interface Tls {
  /** The one in use now. */
  certificate(): Certificate;
  /** Called with each certificate that takes its place. */
  onChange(handler: (certificate: Certificate) => void): void;
  close(): void;
}

const day = 86_400_000;

/**
 * @param everyMs how often the certificate is looked at; by default half a minute for files, a day for our own
 * @returns undefined when TLS is off
 * @throws AppError invalid for settings that do not fit together and for files that are no good
 */
export async function openTls(config: Config, everyMs?: number): Promise<Tls | undefined> {
  if (config.tls === 'off') return requireNothing(config);
  const follow = config.tls === 'files' ? followFiles : followSelfSigned;
  let handler: (certificate: Certificate) => void = () => {};
  let current: Certificate | undefined;
  const put = (certificate: Certificate) => {
    const { names, fingerprint, notAfterMs } = certificate;
    log('info', 'certificate', { names: names.join(' '), fingerprint, until: new Date(notAfterMs).toISOString() });
    current = certificate;
    handler(certificate);
  };
  const close = await follow(config, put, everyMs);
  return { certificate: () => current!, onChange: (given) => void (handler = given), close };
}

function requireNothing({ httpRedirect, tlsCert, tlsKey }: Config): undefined {
  const given = httpRedirect ? 'http_redirect' : tlsCert ? 'tls_cert' : tlsKey ? 'tls_key' : '';
  if (given) throw new AppError('invalid', `${given} is set, but TLS is off.`, 'Set tls to files or self-signed.');
}

/** @param put takes the first certificate, before this resolves, and each later one. @returns what ends it */
type Follow = (config: Config, put: (certificate: Certificate) => void, everyMs?: number) => Promise<() => void>;

const followFiles: Follow = async ({ tlsCert, tlsKey }, put, everyMs) => {
  if (!tlsCert || !tlsKey) {
    throw new AppError(
      'invalid',
      'TLS from files needs both tls_cert and tls_key.',
      'Name both files, or set tls to self-signed.',
    );
  }
  const files = { certPath: tlsCert, keyPath: tlsKey };
  const first = loadCertificate(files, Date.now());
  put(first);
  const failed = (error: unknown) => log('error', 'certificate not taken', { reason: messageOf(error) });
  return watchCertificate(files, first, { changed: put, failed }, { everyMs }).stop;
};

const followSelfSigned: Follow = async (config, put, everyMs = day) => {
  // Only where it is used: what it takes to make a certificate is slow to load.
  const { ensureSelfSigned } = await import('./access/self-signed.ts');
  const ensure = () => ensureSelfSigned(join(config.data, 'tls'), ownNames(config));
  let current = await ensure();
  put(current);
  const renew = async () => {
    try {
      const found = await ensure();
      if (found.fingerprint === current.fingerprint) return;
      current = found;
      put(found);
    } catch (error) {
      log('error', 'certificate not renewed', { reason: messageOf(error) });
    }
  };
  let renewing: Promise<void> | undefined;
  const timer = setInterval(() => void (renewing ??= renew().finally(() => (renewing = undefined))), everyMs);
  timer.unref();
  return () => clearInterval(timer);
};

/** What clients may call this machine. IPv6 addresses change too often to be named unless somebody names them. */
function ownNames({ listen, publicUrl }: Config): [string, ...string[]] {
  const { hostname: chosen } = parseListen(listen);
  const isAny = chosen === '0.0.0.0' || chosen === '::';
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  const named = publicUrl ? [new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')] : [];
  const names = [...named, hostname(), 'localhost', '127.0.0.1', '::1', ...(isAny ? addresses : [chosen])];
  return [...new Set(names)] as [string, ...string[]];
}
