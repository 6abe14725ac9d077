// One file from a URL: asks for it within the allowed networks, follows what leads elsewhere as far as that is allowed too,
// and gives its bytes as they come. Writes nothing.
import type { IncomingMessage } from 'node:http';

import { AppError, messageOf } from '../error.ts';
import { beforeAbort } from '../net/before-abort.ts';
import { requestPinned } from '../net/pinned-request.ts';
import { findTarget, parseHttpUrl, type Reach, type Resolve } from '../net/target.ts';
import { fileNameOf, plainUrl } from './address.ts';
import { inPace, type Pace } from './pace.ts';

export interface DownloadParts {
  reach: Reach;
  resolve: Resolve;
  /** Ours, for the header User-Agent. */
  version: string;
  /** From looking up the name to the head of the answer. */
  answerMs?: number;
  pace?: Pace;
  /** Authorities besides the system's, as PEM. */
  ca?: string;
}

export interface Download {
  name: string;
  /** As the server announces it. */
  bytes?: number;
  /** Throws AppErrors. */
  body: AsyncIterable<Uint8Array>;
  /** Ends the connection. */
  close(): void;
}

const mostRedirects = 3;
const usualAnswerMs = 30_000;
const usualPace: Pace = { windowMs: 30_000, leastBytes: 16 * 1024 };
const redirects = [301, 302, 303, 307, 308];
const againHint = 'Try again; if it stays so, upload the file instead.';

/**
 * @param signal ends it, wherever it is
 * @throws AppError as `findTarget`; invalid, unsupported, timeout or unavailable for what the other server does
 */
export async function openDownload(url: URL, parts: DownloadParts, signal: AbortSignal): Promise<Download> {
  const ending = new AbortController();
  const trail = [url];
  try {
    for (;;) {
      const response = await ask(trail[0]!, parts, AbortSignal.any([signal, ending.signal]));
      if (!redirects.includes(response.statusCode ?? 0)) return accept(response, trail, parts, { signal, ending });
      response.destroy();
      trail.unshift(nextUrl(trail, response.headers.location));
    }
  } catch (error) {
    ending.abort();
    throw error;
  }
}

/** Waits for the head of the answer. */
async function ask(
  url: URL,
  { reach, resolve, version, answerMs = usualAnswerMs, ca }: DownloadParts,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), answerMs);
  const either = AbortSignal.any([signal, late.signal]);
  try {
    const address = await beforeAbort(findTarget(url, reach, resolve), either);
    const headers = { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': `aimass/${version}` };
    return await requestPinned({ method: 'GET', url, address, headers, signal: either, ca });
  } catch (error) {
    if (signal.aborted) throw brokenOff();
    if (late.signal.aborted) {
      throw new AppError('timeout', `${plainUrl(url)} does not answer within ${answerMs} ms.`, againHint);
    }
    throw asReachError(error, url);
  } finally {
    clearTimeout(timer);
  }
}

/** @param trail where it led so far, the last one first. @throws AppError */
function nextUrl(trail: readonly URL[], location: string | undefined): URL {
  const [url] = trail as [URL, ...URL[]];
  if (trail.length > mostRedirects) {
    const hint = 'Name the address where the file lies.';
    throw new AppError('invalid', `${plainUrl(trail.at(-1)!)} leads on more than ${mostRedirects} times.`, hint);
  }
  const next = location === undefined ? null : URL.parse(location, url.href);
  if (next === null) throw new AppError('invalid', `${plainUrl(url)} leads on, but does not say where.`);
  if (url.protocol === 'https:' && next.protocol === 'http:') {
    const hint = 'Name that address if you trust the way to it.';
    throw new AppError('forbidden', `${plainUrl(url)} leads to ${plainUrl(next)}, which is not encrypted.`, hint);
  }
  return parseHttpUrl(next.href, 'a model', 'Name an address that leads to one without a password.');
}

function accept(
  response: IncomingMessage,
  trail: readonly URL[],
  { pace = usualPace }: DownloadParts,
  { signal, ending }: { signal: AbortSignal; ending: AbortController },
): Download {
  const [url] = trail as [URL, ...URL[]];
  const { headers, statusCode = 0 } = response;
  requireFound(statusCode, url);
  const name = fileNameOf(headers['content-disposition'], trail);
  requireFile(headers, name, url);
  const bytes = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  let isSlow = false;
  async function* read(): AsyncGenerator<Uint8Array> {
    let received = 0;
    const onSlow = () => {
      isSlow = true;
      ending.abort();
    };
    try {
      for await (const part of inPace(response as AsyncIterable<Buffer>, pace, onSlow)) {
        received += part.length;
        yield part;
      }
    } catch (error) {
      if (signal.aborted) throw brokenOff();
      const far = bytes === undefined ? `${received} bytes` : `${received} of ${bytes} bytes`;
      if (isSlow) throw new AppError('timeout', `${plainUrl(url)} became too slow after ${far}.`, againHint);
      const message = `The connection to ${url.host} broke off after ${far}: ${messageOf(error)}.`;
      throw new AppError('unavailable', message, againHint);
    }
  }
  return { name, bytes, body: read(), close: () => ending.abort() };
}

function requireFound(status: number, url: URL): void {
  if (status === 200) return;
  const what = `${plainUrl(url)} answers ${status}`;
  if (status === 404 || status === 410) {
    throw new AppError('invalid', `${what}: there is no such file.`, 'Check the address, in a browser for example.');
  }
  if (status === 401 || status === 403 || status === 407) {
    const hint = 'Use an address that needs no sign-in, such as one that is signed, or upload the file.';
    throw new AppError('invalid', `${what}: it is not given to everybody.`, hint);
  }
  if (status === 429 || status >= 500) throw new AppError('unavailable', `${what}.`, againHint);
  throw new AppError('invalid', `${what}, which is no file.`, 'Check the address, in a browser for example.');
}

/** @throws AppError unsupported for a web page and for what was packed on its way; invalid without a size or an end */
function requireFile(headers: IncomingMessage['headers'], name: string, url: URL): void {
  if (/^\s*(text\/html|application\/xhtml\+xml)\b/i.test(headers['content-type'] ?? '')) {
    const hint = 'Name the address of the file itself; a page to sign in is no model either.';
    throw new AppError('unsupported', `${plainUrl(url)} is a web page, not a file.`, hint);
  }
  const coding = headers['content-encoding'] ?? 'identity';
  // Some servers say so of a file that is packed itself.
  const isItself = /gzip$/i.test(coding) && /\.t?gz$/i.test(name);
  if (coding !== 'identity' && !isItself) {
    const hint = 'It was asked not to; upload the file instead.';
    throw new AppError('unsupported', `${plainUrl(url)} is compressed on its way (${coding.slice(0, 40)}).`, hint);
  }
  const hasEnd = headers['transfer-encoding'] !== undefined;
  if (hasEnd || /^\d{1,15}$/.test(headers['content-length'] ?? '')) return;
  const hint = 'Let that server send Content-Length, or upload the file.';
  throw new AppError('invalid', `${plainUrl(url)} does not say how long the file is.`, hint);
}

const brokenOff = () => new AppError('unavailable', 'Fetching the file was broken off.', 'Import it again.');

function asReachError(error: unknown, url: URL): unknown {
  if (error instanceof AppError) return error;
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') return error;
  if (/^(ERR_TLS|ERR_SSL|CERT_|UNABLE_|SELF_SIGNED|DEPTH_ZERO|EPROTO|INVALID_)|CERT/.test(code)) {
    return new AppError(
      'invalid',
      `There is no safe connection to ${url.host} (${code}).`,
      'Its certificate must be for that name and of a known authority; yours is named by NODE_EXTRA_CA_CERTS=FILE in the ' +
        "server's environment.",
    );
  }
  if (code.startsWith('HPE_')) {
    return new AppError('invalid', `${url.host} does not speak HTTP as it should (${code}).`, 'Check the address.');
  }
  const hint = 'Check the address, and that the machine is up and lets this one in.';
  return new AppError('unavailable', `${url.host} cannot be reached (${code}).`, hint);
}
