// The appliance's one fetch function: inference protocol first (the hot path, no framework), then health, metrics,
// documentation and the management and task APIs. Adds request ids and the access log; counts what is in flight.
import type { Config } from '../config.ts';
import { AppError } from '../error.ts';
import { log } from '../log.ts';
import { parseListen } from '../setting-text.ts';
import type { Control } from './api/control.ts';
import { createApi } from './api/routes.ts';
import { renderDocs } from './docs.ts';
import { errorResponse } from './errors.ts';
import { createDocument } from './openapi.ts';
import { findForeignOrigin } from './origin.ts';
import { errorResponse as v2ErrorResponse } from './v2/errors.ts';

import docsCss from '../../web/assets/docs.css' with { type: 'text' };

export type V2Handler = (
  request: Request,
  url: { pathname: string; search: string },
) => Response | Promise<Response> | undefined;

/** What is needed of Bun's server. */
export interface Connections {
  timeout(request: Request, seconds: number): void;
}

export interface ServerParts {
  control: Control;
  config: Config;
  v2Handler: V2Handler;
  /** Body of /metrics, in Prometheus' text format. */
  metrics: () => string;
}

export interface HttpServer {
  /** For Bun.serve, for any number of sockets. */
  fetch(request: Request, server: Connections): Response | Promise<Response>;
  /** Requests that have not been answered yet. */
  inFlight(): number;
  /** Resolves when nothing is in flight; at once if nothing is. */
  idle(): Promise<void>;
  /** From now on new requests are refused with 503 and `Connection: close`, except /v2/health/live and /healthz. */
  drain(): void;
}

interface RequestContext {
  id: string;
  server: Connections;
}

const saneId = /^[A-Za-z0-9._-]{1,128}$/;

export function createServer({ control, config, v2Handler, metrics }: ServerParts): HttpServer {
  const isLoopback = /^(localhost|::1|127\..*)$/.test(parseListen(config.listen).hostname);
  const logsAll = config.logLevel === 'debug';
  const contexts = new WeakMap<Request, RequestContext>();
  const load = createLoad();
  let isDraining = false;

  const api = createApi({
    control,
    limits: config,
    requestId: (request) => contexts.get(request)?.id ?? '',
    // Imports and loads are silent for longer than the server's idle timeout allows.
    keepOpen: (request) => contexts.get(request)?.server.timeout(request, 0),
    hold: load.hold,
  });
  const document = createDocument(api.routes, control.info().version);
  const pages: Record<string, ((request: Request) => Response) | undefined> = {
    '/': () => new Response(null, { status: 302, headers: { location: '/docs' } }),
    '/healthz': () => new Response('ok\n'),
    '/metrics': () => plain(metrics(), 'text/plain; version=0.0.4; charset=utf-8'),
    '/openapi.json': () => plain(JSON.stringify(document), 'application/json'),
    '/docs': (request) => renderDocs(document, request.headers.get('host') ?? config.listen),
    '/assets/docs.css': () => plain(docsCss, 'text/css; charset=utf-8', { 'cache-control': 'max-age=3600' }),
  };

  function answer(request: Request, server: Connections, id: string, pathname: string, search: string) {
    if (isDraining && pathname !== '/v2/health/live' && pathname !== '/healthz') {
      return refuse(new AppError('unavailable', 'The server is stopping.', 'Try again in a moment.'), pathname, id);
    }
    const foreign = findForeignOrigin(request, isLoopback);
    if (foreign) return refuse(foreign, pathname, id);
    // Loading is silent for longer than any idle timeout.
    if (pathname.startsWith('/v2/repository/')) server.timeout(request, 0);
    const inference = v2Handler(request, { pathname, search });
    if (inference) return inference;
    const page = pages[pathname];
    if (page && (request.method === 'GET' || request.method === 'HEAD')) return page(request);
    // Bun gives no whole URL then; probes of load balancers, which send no Host, need none of what follows.
    if (request.url.startsWith('/')) {
      return refuse(new AppError('invalid', 'The header Host is missing or not valid.'), pathname, id);
    }
    contexts.set(request, { id, server });
    return api.fetch(request);
  }

  function finish(response: Response, id: string, request: Request, pathname: string, startedMs: number): Response {
    load.end();
    response.headers.set('x-request-id', id);
    if (isDraining) response.headers.set('connection', 'close');
    const { status } = response;
    // 503 is the server protecting itself, perhaps thousands of times a second.
    const isFailure = status >= 500 && status !== 503;
    if (isFailure || logsAll) {
      const ms = Math.round((performance.now() - startedMs) * 1000) / 1000;
      log(isFailure ? 'error' : 'debug', 'request', { method: request.method, path: pathname, status, ms, id });
    }
    return response;
  }

  return {
    fetch(request, server) {
      const startedMs = performance.now();
      const given = request.headers.get('x-request-id');
      const id = given !== null && saneId.test(given) ? given : makeId();
      const { pathname, search } = splitUrl(request.url);
      const done = (response: Response) => finish(response, id, request, pathname, startedMs);
      load.begin();
      try {
        const response = answer(request, server, id, pathname, search);
        if (response instanceof Response) return done(response);
        return response.catch((error: unknown) => errorResponse(error, id)).then(done);
      } catch (error) {
        return done(errorResponse(error, id));
      }
    },
    inFlight: load.count,
    idle: load.idle,
    drain: () => void (isDraining = true),
  };
}

/** Counts work that has begun and not ended. */
function createLoad() {
  let count = 0;
  let waiting: (() => void)[] = [];
  const end = () => {
    count--;
    if (count > 0 || waiting.length === 0) return;
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  return {
    begin: () => void count++,
    end,
    count: () => count,
    idle: () => (count === 0 ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve))),
    /** Counts work that goes on after its response has begun. */
    hold: async <T>(work: Promise<T>): Promise<T> => {
      count++;
      try {
        return await work;
      } finally {
        end();
      }
    },
  };
}

function refuse(error: AppError, pathname: string, id: string): Response {
  const isProtocol = pathname === '/v2' || pathname.startsWith('/v2/');
  return isProtocol ? v2ErrorResponse(error, pathname) : errorResponse(error, id);
}

function plain(body: string, type: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { headers: { 'content-type': type, 'x-content-type-options': 'nosniff', ...headers } });
}

const idPrefix = crypto.randomUUID().slice(0, 8);
let idCount = 0;

function makeId(): string {
  return `${idPrefix}-${(idCount++).toString(36)}`;
}

/** Without a URL object: this is on the hot path. */
function splitUrl(url: string): { pathname: string; search: string } {
  // Without a valid Host the URL is only a path.
  const start = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('://') + 3);
  if (start < 0) return { pathname: '/', search: '' };
  const question = url.indexOf('?', start);
  return question < 0
    ? { pathname: url.slice(start), search: '' }
    : { pathname: url.slice(start, question), search: url.slice(question) };
}
