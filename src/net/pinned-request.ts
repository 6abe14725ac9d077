// One request to an address that was chosen before, under the name that the URL has. Follows nothing, asks no proxy and no
// name server, and unpacks nothing.
import { type IncomingMessage, request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';

import { hostOf } from './target.ts';

export interface PinnedRequest {
  method: 'GET' | 'POST';
  url: URL;
  /** IPv4 or IPv6; nothing else is connected to. */
  address: string;
  headers: Record<string, string>;
  body?: string;
  /** Ends it, wherever it is, the reading of the answer included. */
  signal: AbortSignal;
  /** Authorities besides the system's, as PEM. */
  ca?: string;
}

/**
 * Resolves when the answer's head is there; whoever reads no further must destroy it. Rejects with the connection's own
 * error.
 */
export function requestPinned({ method, url, address, headers, body, signal, ca }: PinnedRequest) {
  const host = hostOf(url);
  const isSecure = url.protocol === 'https:';
  const options: RequestOptions & { servername?: string; ca?: string } = {
    // An address: there is nothing to look up.
    host: address,
    port: url.port || (isSecure ? 443 : 80),
    path: url.pathname + url.search,
    method,
    // A connection of its own, for this address alone.
    agent: false,
    signal,
    headers: {
      ...headers,
      host: url.host,
      connection: 'close',
      ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
    },
    ...(isSecure && { ca, ...(!isIP(host) && { servername: host }) }),
  };
  return new Promise<IncomingMessage>((resolve, reject) => {
    const sent = (isSecure ? requestHttps : requestHttp)(options, (response) => {
      // Whoever reads it learns of its errors all the same; while nobody does they must not end the process.
      response.on('error', () => {});
      resolve(response);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
