// The audit trail: searched, paged, checked, and taken away as JSON lines.
import { auditScreen } from '../../../web/screens/audit.ts';
import type { Text } from '../../../web/text/text.ts';
import type { AuditRow, AuditView } from '../../../web/view-types.ts';
import type { AuditEntry } from '../../access/audit-entry.ts';
import type { AuditFilter } from '../../access/audit.ts';
import type { AdminContext } from './context.ts';
import { cutLog, readBefore } from './paging.ts';
import type { AdminRoute } from './visit.ts';

const shown = 50;
const linesAtOnce = 500;

export function auditRoutes({ access: { audit } }: AdminContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/audit',
      action: 'audit.read',
      operation: 'searchAudit',
      async answer({ frame, url }) {
        const filter = enteredFilter(url);
        const before = readBefore(url);
        const { rows, isLast } = cutLog(audit.search(readFilter(filter), { before, limit: shown + 1 }), shown);
        const view: AuditView = {
          rows: rows.map((entry) => rowOf(frame.t, entry)),
          filter,
          isFirstPage: before === undefined,
          ...(!isLast && { before: rows.at(-1)!.seq }),
        };
        if (!url.searchParams.has('verify')) return auditScreen(frame, view);
        const found = await audit.verify();
        const chain = found.ok ? { isIntact: true } : { isIntact: false, brokenAt: found.seq };
        return auditScreen(frame, { ...view, chain });
      },
    },
    {
      method: 'GET',
      path: '/admin/audit/export',
      action: 'audit.read',
      operation: 'exportAudit',
      answer: ({ url, frame }) =>
        new Response(streamOf(audit.export(readFilter(enteredFilter(url)))), {
          headers: {
            'content-type': 'application/x-ndjson',
            'content-disposition': `attachment; filename="audit-${new Date(frame.nowMs).toISOString().slice(0, 10)}.jsonl"`,
            'cache-control': 'no-store',
            'x-content-type-options': 'nosniff',
          },
        }),
    },
  ];
}

function enteredFilter({ searchParams }: URL): AuditView['filter'] {
  const entered = (name: string) => searchParams.get(name)?.trim().slice(0, 200) ?? '';
  return {
    actor: entered('actor'),
    action: entered('action'),
    target: entered('target'),
    since: entered('since'),
    until: entered('until'),
  };
}

/** Days are the server's, as the times on the page are. What is no day is as if it were not there. */
function readFilter({ actor, action, target, since, until }: AuditView['filter']): AuditFilter {
  const fromMs = startOfDay(since);
  const lastDayMs = startOfDay(until);
  return {
    ...(actor && { actor }),
    ...(action && { action }),
    ...(target && { target }),
    ...(fromMs !== undefined && { fromMs }),
    ...(lastDayMs !== undefined && { untilMs: nextDay(lastDayMs) }),
  };
}

function startOfDay(text: string): number | undefined {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T00:00:00`).getTime() : NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

/** Not always 24 hours later. */
function nextDay(ms: number): number {
  const day = new Date(ms);
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime();
}

function rowOf(t: Text, { seq, atMs, actor, action, target, result, from, before, after }: AuditEntry): AuditRow {
  const who = actor.kind === 'key' ? `${actor.name} · ${t('role.application')}` : actor.name;
  return {
    number: seq,
    atMs,
    who: who || t('value.none'),
    action,
    target,
    result,
    from,
    ...(before !== undefined && { before: JSON.stringify(before, undefined, 2) }),
    ...(after !== undefined && { after: JSON.stringify(after, undefined, 2) }),
  };
}

/** Read as fast as it is taken, however long the trail is. */
function streamOf(lines: Generator<string, void, void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull(controller) {
      const part: string[] = [];
      for (let line = lines.next(); !line.done; line = lines.next()) {
        if (part.push(line.value) === linesAtOnce) break;
      }
      if (part.length > 0) controller.enqueue(encoder.encode(`${part.join('\n')}\n`));
      if (part.length < linesAtOnce) controller.close();
    },
    cancel: () => void lines.return(),
  });
}
