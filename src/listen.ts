// Where the appliance is reached: the network, with or without TLS, and for this machine's administrator a socket in the
// data folder. Knows nothing of requests.
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { Certificate } from './access/certificate.ts';
import type { Config } from './config.ts';
import { AppError, messageOf } from './error.ts';
import type { Connections, HttpServer } from './http/server.ts';
import { parseListen } from './setting-text.ts';
import type { Tls } from './tls.ts';

export interface Listeners {
  /** "http://HOST:PORT" or "https://HOST:PORT"; with port 0 the system chose. */
  url: string;
  /** Requests whose answers have not been taken to the end. */
  pending(): number;
  /** Resolves when all connections have ended. @param force ends them now */
  stop(force?: boolean): Promise<void>;
}

// Bodies are limited route by route; uploads are streamed.
const common = { maxRequestBodySize: Number.MAX_SAFE_INTEGER };

/** @throws AppError unavailable when an address cannot be had */
export function listen(config: Config, fetch: HttpServer['fetch'], tls?: Tls): Listeners {
  const network = tls ? listenTls(config.listen, fetch, tls) : listenPlain(config.listen, fetch);
  const all = [network, listenLocal(config.data, fetch)];
  if (config.httpRedirect) all.push(listenRedirect(config, new URL(network.url).port));
  return {
    url: network.url,
    pending: () => all.reduce((sum, each) => sum + each.pending(), 0),
    stop: async (force) => void (await Promise.all(all.map((each) => each.stop(force)))),
  };
}

function listenPlain(address: string, fetch: HttpServer['fetch']): Listeners {
  const server = serveNetwork(address, (request, server) => fetch(request, server, 'http'));
  return {
    url: `http://${server.url.host}`,
    pending: () => server.pendingRequests,
    stop: (force) => server.stop(force),
  };
}

/**
 * Bun cannot give a server another certificate, so another server takes over the address: the two share it for a moment,
 * and the first one still finishes what it has begun.
 */
function listenTls(address: string, fetch: HttpServer['fetch'], tls: Tls): Listeners {
  const answer = (request: Request, server: Connections) => fetch(request, server, 'https');
  // Servers that may share an address do not notice that it is taken.
  const trial = serveNetwork(address, answer);
  const port = trial.port!;
  void trial.stop(true);
  const serve = ({ cert, key }: Certificate) =>
    serveNetwork(address, answer, { port, reusePort: true, tls: { cert, key } });

  let current = serve(tls.certificate());
  const ending = new Set([current]);
  tls.onChange((certificate) => {
    const before = current;
    current = serve(certificate);
    ending.add(current);
    void before.stop().then(() => ending.delete(before));
  });
  return {
    url: `https://${current.url.host}`,
    pending: () => [...ending].reduce((sum, { pendingRequests }) => sum + pendingRequests, 0),
    stop: async (force) => void (await Promise.all([...ending].map((server) => server.stop(force)))),
  };
}

/** Sends on whoever came without TLS; a request's method and body stay as they are. */
function listenRedirect({ httpRedirect, publicUrl }: Config, port: string): Listeners {
  const answer = (request: Request) => {
    const host = /^(\[[\da-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i.exec(request.headers.get('host') ?? '')?.[1];
    if (!host || !URL.canParse(request.url)) return new Response('The header Host is missing.\n', { status: 400 });
    const { pathname, search } = new URL(request.url);
    const origin = publicUrl.startsWith('https:') ? publicUrl : `https://${host}${port && `:${port}`}`;
    return new Response(null, { status: 308, headers: { location: origin + pathname + search } });
  };
  const server = serveNetwork(httpRedirect, answer);
  return {
    url: `http://${server.url.host}`,
    pending: () => server.pendingRequests,
    stop: (force) => server.stop(force),
  };
}

/** For this machine's own commands, without a limit of time. */
function listenLocal(data: string, fetch: HttpServer['fetch']): Listeners {
  const path = join(data, 'aimass.sock');
  rmSync(path, { force: true });
  const answer = (request: Request, server: Connections) => fetch(request, server, 'socket');
  // bun-types does not know idleTimeout here; Bun does, and cuts the connection after 10 s otherwise (server.timeout has
  // no effect on a unix socket).
  const endless = { ...common, fetch: answer, unix: path, idleTimeout: 0 };
  const server = Bun.serve(endless as unknown as { unix: string; fetch: () => Response });
  chmodSync(path, 0o600);
  return {
    url: `unix:${path}`,
    pending: () => server.pendingRequests,
    async stop(force) {
      await server.stop(force);
      rmSync(path, { force: true });
    },
  };
}

type Answer = (request: Request, server: Connections) => Response | Promise<Response>;

function serveNetwork(
  address: string,
  fetch: Answer,
  more: { port?: number; reusePort?: boolean; tls?: { cert: string; key: string } } = {},
) {
  try {
    // The longest that Bun takes: a request may wait and compute for that long without a byte on its connection.
    return Bun.serve({ ...common, ...parseListen(address), fetch, idleTimeout: 255, ...more });
  } catch (error) {
    throw new AppError(
      'unavailable',
      `Cannot listen on ${address}: ${messageOf(error)}`,
      'Choose another address with --listen, or stop what uses this one.',
    );
  }
}
