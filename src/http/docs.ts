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

/** @param host as the client wrote it: not to be trusted */
export function renderDocs(document: ApiDocument, host: string): Response {
  const isHost = /^[A-Za-z0-9.:[\]-]{1,255}$/.test(host);
  return new Response(renderApiPage(document, `http://${isHost ? host : 'localhost:8700'}`), { headers });
}
