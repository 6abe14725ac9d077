// Commands about the audit trail: search it, verify it, export it.
import type { AuditEntry } from '../access/audit-entry.ts';
import type { Verification } from '../access/audit.ts';
import { filled, whole } from '../setting-text.ts';
import type { Invocation } from './command.ts';
import { readOption, runVerb, type Verb } from './reading.ts';
import { type Column, formatCount, formatInstant, renderTable } from './text.ts';

const filters = ['actor', 'action', 'target', 'from', 'to'];

const verbs: Record<string, Verb> = {
  search: { takes: [...filters, 'limit'], run: search },
  verify: { takes: [], run: verify },
  export: { takes: filters, run: exportTrail },
};

export function audit(invocation: Invocation): Promise<number | void> {
  return runVerb(invocation, verbs, 'search');
}

type Entry = Omit<AuditEntry, 'atMs'> & { at: string };

async function search(invocation: Invocation): Promise<void> {
  const { client, report } = invocation;
  const query = queryOf(invocation);
  const limit = readOption(invocation, 'limit', whole(1, 1000));
  if (limit !== undefined) query.set('limit', String(limit));
  const answer = await client().get<{ entries: Entry[] }>(`/api/v1/audit?${query.toString()}`);
  const columns: Column<Entry>[] = [
    { title: 'TIME', cell: ({ at }) => formatInstant(at) },
    { title: 'WHO', cell: ({ actor }) => (actor.kind === 'user' ? actor.name : `${actor.kind} ${actor.name}`) },
    { title: 'WHAT', cell: ({ action }) => action },
    { title: 'ON', cell: ({ target }) => target || '–' },
    { title: 'RESULT', cell: ({ result }) => result },
    { title: 'FROM', cell: ({ from }) => from },
  ];
  await report.answer(answer, () =>
    answer.entries.length > 0
      ? renderTable(columns, answer.entries, report.terminal.width)
      : 'Nothing of this kind was done.',
  );
}

async function verify({ client: connect, report }: Invocation): Promise<number> {
  const client = connect();
  const response = await client.send('/api/v1/audit/verify', { silenceMs: 0 });
  const answer = await client.read<Verification>(response);
  await report.answer(answer, () => describe(answer));
  return answer.ok ? 0 : 1;
}

function describe(answer: Verification): string {
  if (answer.ok && answer.count === 0) return 'The audit trail is empty.';
  if (answer.ok) return `All ${formatCount(answer.count)} entries hold. Hash of the last: ${answer.head}`;
  const entry = `entry ${answer.seq}`;
  const findings = {
    changed: `${entry} was changed`,
    missing: `${entry} is missing`,
    cut: `${entry} and what followed it is missing`,
    added: `${entry} was added by something else`,
  };
  return `The audit trail does not hold: ${findings[answer.why]}.`;
}

/** As it comes, so that a long trail needs no memory. */
async function exportTrail(invocation: Invocation): Promise<void> {
  const client = invocation.client();
  const { out } = invocation.report.terminal;
  const query = queryOf(invocation).toString();
  const response = await client.send(`/api/v1/audit/export?${query}`, { silenceMs: 0 });
  for await (const line of client.readLines(response)) await out(`${escapeControls(JSON.stringify(line))}\n`);
}

/** JSON allows some of them, and a terminal would obey. */
function escapeControls(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function queryOf(invocation: Invocation): URLSearchParams {
  const given = filters.map((name) => [name, readOption(invocation, name, filled)] as const);
  return new URLSearchParams(given.filter((pair): pair is [string, string] => pair[1] !== undefined));
}
