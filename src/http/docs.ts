// The readable API page at /docs.
import { renderApiPage } from '../../web/api-page.ts';
import type { ApiDocument } from './openapi.ts';

export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** @param origin as the client wrote it: not to be trusted */
export function renderDocs(document: ApiDocument, origin: string): Response {
  return new Response(renderApiPage(document, safeOrigin(origin)), { headers: pageHeaders });
}

/** One that may stand in a shell command. */
export function safeOrigin(origin: string): string {
  const isOrigin = /^https?:\/\/[A-Za-z0-9.:[\]-]{1,255}$/.test(origin) && URL.canParse(origin);
  return isOrigin ? origin : 'http://localhost:8700';
}
