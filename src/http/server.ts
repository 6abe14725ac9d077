// The appliance's one fetch function: inference protocol first (the hot path, no framework), then health, metrics,
// documentation and the management and task APIs. Adds request ids and the access log; counts what is in flight.
import type { Access } from '../access/access.ts';
import { requireAction } from '../access/actor.ts';
import type { Networks } from '../access/networks.ts';
import type { Config } from '../config.ts';
import { AppError } from '../error.ts';
import { log } from '../log.ts';
import { parseListen } from '../setting-text.ts';
import type { SingleSignOn } from './admin/context.ts';
import { createAdmin } from './admin/router.ts';
import { adminRoutes } from './admin/routes.ts';
import type { Control } from './api/control.ts';
import { createApi } from './api/routes.ts';
import { assetResponse } from './assets.ts';
import { findComputedModel } from './computed.ts';
import { renderDocs } from './docs.ts';
import { answerEndpointDocs, findEndpointDocs } from './endpoint-docs.ts';
import { hostOf, pathOnHost } from './endpoint-host.ts';
import { errorResponse } from './errors.ts';
import type { Asker, Gate, Peer } from './gate.ts';
import { createDocument } from './openapi.ts';
import { findForeignOrigin } from './origin.ts';
import { setSecurityHeaders } from './security-headers.ts';
import { errorResponse as v2ErrorResponse } from './v2/errors.ts';
import type { V2Handler } from './v2/routes.ts';

/** What is needed of Bun's server. */
export interface Connections {
  timeout(request: Request, seconds: number): void;
  requestIP(request: Request): { address: string } | null;
}

/** How a listener is reached. */
export type Way = 'socket' | 'http' | 'https';

export interface ServerParts {
  control: Control;
  config: Config;
  v2Handler: V2Handler;
  gate: Gate;
  access: Access;
  singleSignOn?: SingleSignOn;
  /** Where /metrics may be read without a key. */
  metricsTo: Networks;
  /** Endpoints with host names of their own. */
  hosts: { any(): boolean; find(host: string): string | undefined };
  /** Body of /metrics, in Prometheus' text format. */
  metrics: () => string;
}

export interface HttpServer {
  /** For Bun.serve, for any number of sockets. */
  fetch(request: Request, server: Connections, way: Way): Response | Promise<Response>;
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

/** A request that came in and waits for its answer. */
interface Exchange {
  id: string;
  request: Request;
  server: Connections;
  way: Way;
  pathname: string;
  startedMs: number;
}

const saneId = /^[A-Za-z0-9._-]{1,128}$/;

export function createServer({
  control,
  config,
  v2Handler,
  metrics,
  gate,
  access,
  metricsTo,
  singleSignOn,
  hosts,
}: ServerParts): HttpServer {
  const isLoopback = /^(localhost|::1|127\..*)$/.test(parseListen(config.listen).hostname);
  const logsAll = config.logLevel === 'debug';
  const contexts = new WeakMap<Request, RequestContext>();
  const load = createLoad();
  let isDraining = false;

  // Imports and loads are silent for longer than the server's idle timeout allows.
  const keepOpen = (request: Request) => contexts.get(request)?.server.timeout(request, 0);
  const admin = createAdmin(adminRoutes({ control, access, gate, singleSignOn, keepOpen }), {
    access,
    gate,
    version: control.info().version,
    unreadCount: (user) => control.notifier.unreadCount(user),
    waiting: () => control.release.waiting(),
  });
  const apiParts = {
    control,
    limits: config,
    requestId: (request: Request) => contexts.get(request)?.id ?? '',
    keepOpen,
    hold: load.hold,
  };
  const api = createApi(apiParts, access.audit);
  const document = createDocument(api.routes, control.info().version);
  const addressFor = (request: Request) => config.publicUrl || (URL.parse(request.url)?.origin ?? '');
  const pages: Record<string, ((request: Request) => Response) | undefined> = {
    '/healthz': () => new Response('ok\n'),
    '/metrics': () => plain(metrics(), 'text/plain; version=0.0.4; charset=utf-8'),
    '/openapi.json': () => plain(JSON.stringify(document), 'application/json'),
    '/docs': (request) => renderDocs(document, addressFor(request)),
  };

  function answer(request: Request, server: Connections, way: Way, id: string, pathname: string) {
    if (isDraining && pathname !== '/v2/health/live' && pathname !== '/healthz') {
      return refuse(new AppError('unavailable', 'The server is stopping.', 'Try again in a moment.'), pathname, id);
    }
    const foreign = findForeignOrigin(request, isLoopback);
    if (foreign) return refuse(foreign, pathname, id);
    // Loading is silent for longer than any idle timeout.
    if (pathname.startsWith('/v2/repository/')) server.timeout(request, 0);
    const isProtocol = pathname === '/v2' || pathname.startsWith('/v2/');
    if (isProtocol) {
      return v2Handler(
        request,
        pathname,
        (action, model) => {
          // A key is enough: to ask for the address costs more than all the rest.
          const keyActor = way === 'socket' ? undefined : gate.findKeyActor(request.headers);
          requireAction(keyActor ?? identify(request, server, way, pathname).actor, action, model);
          return keyActor?.kind === 'key' ? keyActor.name : undefined;
        },
        id,
      )!;
    }
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    const page = isReading ? pages[pathname] : undefined;
    if (page) {
      if (pathname === '/metrics' && !metricsTo.has(addressOf(request, server, way))) {
        requireAction(identify(request, server, way, pathname).actor, 'metrics.read');
      }
      return page(request);
    }
    if (isReading && pathname.startsWith('/assets/')) return assetResponse(request, pathname);
    // Bun gives no whole URL then; probes of load balancers, which send no Host, need none of what follows.
    if (request.url.startsWith('/')) {
      return refuse(new AppError('invalid', 'The header Host is missing or not valid.'), pathname, id);
    }
    contexts.set(request, { id, server });
    const asker = identify(request, server, way, pathname);
    const docs = isReading ? findEndpointDocs(pathname) : undefined;
    if (docs) {
      const isOwnHost = hosts.any() && hosts.find(hostOf(request.url)) !== undefined;
      const home = isOwnHost ? config.publicUrl : '/';
      if (docs.form === 'page' && asker.actor.kind === 'nobody' && home !== '') return toSignIn(home, pathname);
      requireAction(asker.actor, 'model.describe', docs.name);
      return answerEndpointDocs(docs, control, addressFor(request));
    }
    return admin.find(pathname) ? admin.answer(request, asker, id) : api.fetch(request, asker);
  }

  function addressOf(request: Request, server: Connections, way: Way): string {
    return way === 'socket' ? '' : gate.addressOf(request.headers, server.requestIP(request)?.address ?? '');
  }

  function identify(request: Request, server: Connections, way: Way, pathname: string): Asker {
    return gate.identify(request, peerOf(request, server, way), pathname);
  }

  function harden(response: Response, request: Request, server: Connections, way: Way): void {
    const isSecure = config.hstsSeconds > 0 && gate.isSecure(request.headers, peerOf(request, server, way));
    setSecurityHeaders(response.headers, isSecure ? config.hstsSeconds : 0);
  }

  function finish({ id, request, server, way, pathname, startedMs }: Exchange, response: Response): Response {
    load.end();
    const { status } = response;
    const computed = status === 200 ? findComputedModel(pathname) : undefined;
    // What the protocol's models answer brings its headers along.
    const isComplete = computed !== undefined && pathname.startsWith('/v2/');
    if (!isComplete) response.headers.set('x-request-id', id);
    if (!isComplete || config.hstsSeconds > 0) harden(response, request, server, way);
    if (isDraining) response.headers.set('connection', 'close');
    if (computed !== undefined) control.traffic.observe(computed, performance.now() - startedMs);
    // 503 is the server protecting itself, perhaps thousands of times a second.
    const isFailure = status >= 500 && status !== 503;
    if (isFailure || logsAll) {
      const ms = Math.round((performance.now() - startedMs) * 1000) / 1000;
      log(isFailure ? 'error' : 'debug', 'request', { method: request.method, path: pathname, status, ms, id });
    }
    return response;
  }

  return {
    fetch(request, server, way) {
      const startedMs = performance.now();
      const given = request.headers.get('x-request-id');
      const id = given !== null && saneId.test(given) ? given : makeId();
      let pathname = pathOf(request.url);
      const done = (response: Response) => finish({ id, request, server, way, pathname, startedMs }, response);
      load.begin();
      try {
        const endpoint = hosts.any() ? hosts.find(hostOf(request.url)) : undefined;
        if (endpoint !== undefined) {
          const path = pathOnHost(endpoint, pathname);
          // What goes on looks at the URL.
          if (path !== pathname) {
            server = onBehalfOf(request, server);
            request = movedTo(path, request);
          }
          pathname = path;
        }
        const response = answer(request, server, way, id, pathname);
        if (response instanceof Response) return done(response);
        return response.then(done, (error: unknown) => done(errorResponse(error, id)));
      } catch (error) {
        return done(errorResponse(error, id));
      }
    },
    inFlight: load.count,
    idle: load.idle,
    drain: () => void (isDraining = true),
  };
}

function peerOf(request: Request, server: Connections, way: Way): Peer {
  const address = way === 'socket' ? undefined : (server.requestIP(request)?.address ?? '');
  return { address, isSecure: way === 'https' };
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

/** For people; programs send a key. @param home where people sign in */
function toSignIn(home: string, pathname: string): Response {
  const location = `${home.replace(/\/$/, '')}/sign-in?next=${encodeURIComponent(pathname)}`;
  return new Response(null, { status: 303, headers: { location } });
}

function refuse(error: AppError, pathname: string, id: string): Response {
  const isProtocol = pathname === '/v2' || pathname.startsWith('/v2/');
  return isProtocol ? v2ErrorResponse(error, pathname) : errorResponse(error, id);
}

function plain(body: string, type: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { headers: { 'content-type': type, 'x-content-type-options': 'nosniff', ...headers } });
}

function movedTo(path: string, request: Request): Request {
  const url = new URL(request.url);
  return new Request(`${url.origin}${path}${url.search}`, request);
}

/** The connection stays that of the request that came in. */
function onBehalfOf(request: Request, server: Connections): Connections {
  return {
    timeout: (_, seconds) => server.timeout(request, seconds),
    requestIP: () => server.requestIP(request),
  };
}

const idPrefix = crypto.randomUUID().slice(0, 8);
let idCount = 0;

function makeId(): string {
  return `${idPrefix}-${(idCount++).toString(36)}`;
}

/** Without a URL object: this is on the hot path. */
function pathOf(url: string): string {
  // Without a valid Host the URL is only a path.
  const start = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('://') + 3);
  if (start < 0) return '/';
  const question = url.indexOf('?', start);
  return question < 0 ? url.slice(start) : url.slice(start, question);
}
