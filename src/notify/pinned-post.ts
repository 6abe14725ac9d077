// One POST to an address that was chosen before, under the name that the URL has. Follows nothing, asks no proxy and no
// name server, and reads no more of an answer than is worth keeping.
import { type IncomingMessage, request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';

import { hostOf } from './target.ts';

const mostAnswerBytes = 1024;

export interface PinnedPost {
  url: URL;
  /** IPv4 or IPv6; nothing else is connected to. */
  address: string;
  headers: Record<string, string>;
  body: string;
  /** Ends it, wherever it is. */
  signal: AbortSignal;
  /** Authorities besides the system's, as PEM. */
  ca?: string;
}

export interface PostAnswer {
  status: number;
  /** The first KiB. */
  text: string;
}

/** Rejects with the connection's own error. */
export function postPinned({ url, address, headers, body, signal, ca }: PinnedPost): Promise<PostAnswer> {
  const host = hostOf(url);
  const isSecure = url.protocol === 'https:';
  const options: RequestOptions & { servername?: string; ca?: string } = {
    // An address: there is nothing to look up.
    host: address,
    port: url.port || (isSecure ? 443 : 80),
    path: url.pathname + url.search,
    method: 'POST',
    // A connection of its own, for this address alone.
    agent: false,
    signal,
    headers: { ...headers, host: url.host, 'content-length': String(Buffer.byteLength(body)), connection: 'close' },
    ...(isSecure && { ca, ...(!isIP(host) && { servername: host }) }),
  };
  return new Promise((resolve, reject) => {
    const sent = (isSecure ? requestHttps : requestHttp)(options, (response) => {
      readStart(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function readStart(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    // Leaving the loop ends the connection.
    if (bytes >= mostAnswerBytes) break;
  }
  return Buffer.concat(parts).subarray(0, mostAnswerBytes).toString();
}
