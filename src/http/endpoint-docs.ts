// The description of one endpoint, as a page and as an OpenAPI document: finds what it serves now, and who may see it is
// who may see its signature.
import { renderEndpointPage } from '../../web/endpoint-page.ts';
import { AppError } from '../error.ts';
import type { Control } from './api/control.ts';
import { pageHeaders, safeOrigin } from './docs.ts';
import { addressesOf, createEndpointDocument, describeLimits, type ServedEndpoint } from './endpoint-document.ts';

export interface EndpointDocs {
  name: string;
  form: 'page' | 'document';
}

/** @returns undefined when the path is none of these */
export function findEndpointDocs(pathname: string): EndpointDocs | undefined {
  const page = /^\/docs\/endpoints\/([^/]+)$/.exec(pathname)?.[1];
  const document = page === undefined ? /^\/openapi\/endpoints\/([^/]+)\.json$/.exec(pathname)?.[1] : undefined;
  const text = page ?? document;
  if (text === undefined) return undefined;
  try {
    return { name: decodeURIComponent(text), form: page === undefined ? 'document' : 'page' };
  } catch {
    return undefined;
  }
}

/**
 * @param origin as the client wrote it: not to be trusted
 * @throws AppError not_found when the endpoint serves nothing
 */
export function answerEndpointDocs({ name, form }: EndpointDocs, control: Control, origin: string): Response {
  const served = getServed(control, name);
  const address = safeOrigin(origin);
  if (form === 'document') return Response.json(createEndpointDocument(served, address));
  const page = { ...served, addresses: addressesOf(served, address), limits: describeLimits(served) };
  return new Response(renderEndpointPage(page), { headers: pageHeaders });
}

function getServed({ plane, registry, release }: Control, name: string): ServedEndpoint {
  const traffic = plane.table.get(name)?.traffic;
  const route = traffic?.shares[0]?.route;
  if (!traffic || !route) {
    throw new AppError(
      'not_found',
      `No endpoint '${name.slice(0, 128)}' serves anything.`,
      'A release that is live makes its page.',
    );
  }
  const { ratePerSecond, environment } = traffic;
  const { version, signature, registered, timeoutMs } = route;
  return {
    name,
    environment,
    hosts: release.endpoint(name).endpoint.hosts,
    version,
    signature,
    manifest: registry.getVersion(registered, version).manifest,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(ratePerSecond !== undefined && { ratePerSecond }),
  };
}
