// Endpoints that are reached by a host name of their own: what a path means there. On such a host there is the endpoint and
// its page, and nothing of the rest of the server.
import { AppError } from '../error.ts';

/** Short paths of an endpoint's own host, and what they stand for. */
const shortPaths: Record<string, (name: string) => string> = {
  '/': (name) => `/docs/endpoints/${name}`,
  '/docs': (name) => `/docs/endpoints/${name}`,
  '/openapi.json': (name) => `/openapi/endpoints/${name}.json`,
  '/infer': (name) => `/v2/models/${name}/infer`,
  '/predict': (name) => `/v1/models/${name}/predict`,
  '/ready': (name) => `/v2/models/${name}/ready`,
  '/metadata': (name) => `/v2/models/${name}`,
};

const everywhere = /^\/(?:healthz$|assets\/|v2\/?$|v2\/health\/)/;

/**
 * @param name of the endpoint that the host belongs to
 * @returns the path as it would be on the server's own host
 * @throws AppError not_found for what is not of this endpoint
 */
export function pathOnHost(name: string, pathname: string): string {
  const encoded = encodeURIComponent(name);
  const short = shortPaths[pathname];
  if (short) return short(encoded);
  const isOwn = [`/v2/models/${encoded}`, `/v1/models/${encoded}`].some(
    (prefix) => pathname === prefix || pathname.startsWith(`${prefix}/`),
  );
  const isPage = pathname === `/docs/endpoints/${encoded}` || pathname === `/openapi/endpoints/${encoded}.json`;
  if (isOwn || isPage || everywhere.test(pathname)) return pathname;
  throw new AppError(
    'not_found',
    `This is the host of the endpoint '${name}' alone.`,
    "POST /infer or /predict here; for everything else use the server's own address.",
  );
}

/** Host of a URL, in lower case and without port; "" for one that has none. */
export function hostOf(url: string): string {
  const start = url.indexOf('://');
  if (start < 0) return '';
  const end = url.indexOf('/', start + 3);
  const host = url.slice(start + 3, end < 0 ? undefined : end).toLowerCase();
  const colon = host.lastIndexOf(':');
  return colon > host.lastIndexOf(']') ? host.slice(0, colon) : host;
}
