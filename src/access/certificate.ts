// A certificate and its key: read, checked against each other and the date, and read again when the files change. Knows
// no server and not where the files came from.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

import { AppError, messageOf } from '../error.ts';

export interface CertificateFiles {
  /** PEM; the server's own certificate first, then those that lead to the authority. */
  certPath: string;
  /** PEM, without a passphrase. */
  keyPath: string;
}

export interface Certificate {
  cert: string;
  /** Secret. */
  key: string;
  /** Names and addresses that it is for. */
  names: string[];
  issuer: string;
  notAfterMs: number;
  /** SHA-256, to be compared by people. */
  fingerprint: string;
}

/** More is no certificate. */
const mostBytes = 1024 * 1024;

/** @throws AppError invalid, saying what is wrong with which file */
export function loadCertificate({ certPath, keyPath }: CertificateFiles, nowMs: number): Certificate {
  const cert = readText(certPath);
  const key = readText(keyPath);
  const parsed = parse(certPath, 'certificate', () => new X509Certificate(cert));
  const privateKey = parse(keyPath, 'key', () => createPrivateKey(key));
  if (!parsed.checkPrivateKey(privateKey)) {
    throw new AppError(
      'invalid',
      `The key ${keyPath} does not belong to the certificate ${certPath}.`,
      'Give the two files that were made together; in the certificate file the server itself comes first.',
    );
  }
  const notAfterMs = Date.parse(parsed.validTo);
  if (nowMs >= notAfterMs || nowMs < Date.parse(parsed.validFrom)) {
    throw new AppError(
      'invalid',
      `The certificate ${certPath} is valid from ${parsed.validFrom} to ${parsed.validTo}, not now.`,
      "Renew it, and check this machine's clock.",
    );
  }
  return { cert, key, names: namesOf(parsed), issuer: parsed.issuer, notAfterMs, fingerprint: parsed.fingerprint256 };
}

function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName
    .split(', ')
    .map((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1])
    .filter((name) => name !== undefined);
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > mostBytes) throw new Error(`it has ${size} bytes`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new AppError('invalid', `The file ${path} cannot be read: ${messageOf(error)}`, 'Check its path and mode.');
  }
}

function parse<T>(path: string, kind: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new AppError(
      'invalid',
      `The file ${path} holds no ${kind} in PEM form: ${messageOf(error)}`,
      'A key with a passphrase cannot be used; write it without one.',
    );
  }
}

export interface CertificateWatch {
  /** Looks now, instead of at the next time. */
  check(): void;
  stop(): void;
}

/**
 * Looks at the files now and then: links that are swapped and network folders do not tell of a change.
 * @param handlers.changed with a new certificate that is good
 * @param handlers.failed once for each state of the files that is no good; the certificate in use stays
 */
export function watchCertificate(
  files: CertificateFiles,
  current: Certificate,
  handlers: { changed: (certificate: Certificate) => void; failed: (error: unknown) => void },
  { everyMs = 30_000, now = Date.now }: { everyMs?: number; now?: () => number } = {},
): CertificateWatch {
  let { cert, key } = current;
  let complaint = '';
  const check = () => {
    try {
      const found = loadCertificate(files, now());
      complaint = '';
      if (found.cert === cert && found.key === key) return;
      ({ cert, key } = found);
      handlers.changed(found);
    } catch (error) {
      // Half of a change may be seen, so it is told once and looked at again.
      if (messageOf(error) === complaint) return;
      complaint = messageOf(error);
      handlers.failed(error);
    }
  };
  const timer = setInterval(check, everyMs);
  timer.unref();
  return { check, stop: () => clearInterval(timer) };
}
