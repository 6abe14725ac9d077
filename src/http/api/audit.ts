// Routes for what was done: the audit trail, whether it still holds, its export, and the log of sign-ins.
import { Elysia } from 'elysia';

import type { AuditEntry } from '../../access/audit-entry.ts';
import type { AuditFilter } from '../../access/audit.ts';
import { whole } from '../../setting-text.ts';
import { formatTime, parseTime } from './access-request.ts';
import { auditQuery, exportQuery, signOnsQuery } from './access-schemas.ts';
import { type ApiContext, describe } from './context.ts';

const usualLimit = 100;
const readLimit = whole(1, 1000);
const readNumber = whole(1, Number.MAX_SAFE_INTEGER);

export function auditRoutes({ control, keepOpen }: ApiContext) {
  return new Elysia({ normalize: false })
    .get(
      '/api/v1/audit',
      ({ query }) => ({
        entries: control.access.audit.search(readFilter(query), readPage(query)).map(viewEntry),
      }),
      {
        query: auditQuery,
        detail: describe({
          id: 'searchAudit',
          action: 'audit.read',
          tag: 'Access',
          summary: 'Who did what, on what, when and from where; newest first',
          description: 'For those before them, ask again with the lowest `seq` as `before`.',
          answer: { schema: 'AuditTrail' },
          errors: ['invalid'],
        }),
      },
    )
    .get(
      '/api/v1/audit/verify',
      ({ request }) => {
        keepOpen(request);
        return control.access.audit.verify();
      },
      {
        detail: describe({
          id: 'verifyAudit',
          action: 'audit.read',
          tag: 'Access',
          summary: 'Whether the audit trail is whole and unchanged',
          description: 'Follows the chain of hashes from the first entry to the last.',
          answer: { schema: 'AuditVerification' },
        }),
      },
    )
    .get(
      '/api/v1/audit/export',
      ({ request, query }) => {
        const lines = control.access.audit.export(readFilter(query));
        keepOpen(request);
        return new Response(streamOf(lines), {
          headers: {
            'content-type': 'application/x-ndjson',
            'content-disposition': 'attachment; filename="audit.jsonl"',
            'cache-control': 'no-store',
          },
        });
      },
      { query: exportQuery, detail: exportDetail },
    )
    .get(
      '/api/v1/sign-ons',
      ({ query }) => {
        const { name } = query;
        const rows = control.access.signOns.list({ name, ...readPage(query) });
        return { signOns: rows.map(({ atMs, ...row }) => ({ ...row, at: formatTime(atMs) })) };
      },
      {
        query: signOnsQuery,
        detail: describe({
          id: 'listSignOns',
          action: 'sign-on.read',
          tag: 'Access',
          summary: 'Who signed in or tried to; newest first',
          description: 'For those before them, ask again with the lowest `id` as `before`.',
          answer: { schema: 'SignOnList' },
          errors: ['invalid'],
        }),
      },
    );
}

const exportDetail = {
  ...describe({
    id: 'exportAudit',
    action: 'audit.read',
    tag: 'Access',
    summary: 'The audit trail as lines of JSON, oldest first',
    description: 'Each entry has its `hash`, so that the chain can be followed elsewhere.',
    errors: ['invalid'],
  }),
  responses: {
    200: {
      description: 'Lines of JSON',
      content: { 'application/x-ndjson': { schema: { type: 'string' as const } } },
    },
    400: { $ref: '#/components/responses/invalid' },
  },
};

const linesAtOnce = 500;

/** Reads on as fast as the client takes it. */
function streamOf(lines: Iterator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull(controller) {
      let text = '';
      for (let count = 0; count < linesAtOnce; count++) {
        const { value, done } = lines.next();
        if (done) {
          if (text !== '') controller.enqueue(encoder.encode(text));
          controller.close();
          return;
        }
        text += `${value}\n`;
      }
      controller.enqueue(encoder.encode(text));
    },
  });
}

function viewEntry({ atMs, ...entry }: AuditEntry) {
  return { ...entry, at: formatTime(atMs) };
}

type Texts<Name extends string> = Partial<Record<Name, string>>;

/** @throws AppError invalid */
function readFilter({ from, to, ...rest }: Texts<'actor' | 'action' | 'target' | 'from' | 'to'>): AuditFilter {
  const { actor, action, target } = rest;
  return {
    actor,
    action,
    target,
    fromMs: from === undefined ? undefined : parseTime(from),
    untilMs: to === undefined ? undefined : parseTime(to),
  };
}

/** @throws AppError invalid */
function readPage({ before, limit }: Texts<'before' | 'limit'>) {
  return {
    before: before === undefined ? undefined : readNumber(before),
    limit: limit === undefined ? usualLimit : readLimit(limit),
  };
}
