// The readable API page at /docs.
import { renderApiPage } from '../../web/api-page.ts';
import type { ApiDocument } from './openapi.ts';

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** @param origin as the client wrote it: not to be trusted */
export function renderDocs(document: ApiDocument, origin: string): Response {
  const isOrigin = /^https?:\/\/[A-Za-z0-9.:[\]-]{1,255}$/.test(origin);
  return new Response(renderApiPage(document, isOrigin ? origin : 'http://localhost:8700'), { headers });
}
