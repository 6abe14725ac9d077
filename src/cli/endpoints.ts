// The command `endpoints`: the names that clients call, what is live there, and the end of one.
import { type Invocation, UsageError } from './command.ts';
import { isSure } from './reading.ts';
import type { EndpointAnswer, EndpointStatusAnswer, ReleaseAnswer } from './release-answers.ts';
import { renderReleases, renderTraffic, versionOf } from './release-text.ts';
import { type Column, formatTime, renderTable, wrap } from './text.ts';

export async function endpoints(invocation: Invocation): Promise<number | void> {
  const [first, second] = invocation.operands;
  const isRemoval = first === 'rm' && second !== undefined;
  if (!isRemoval && second !== undefined) throw new UsageError(`'${second.slice(0, 80)}' is one word too many.`);
  if (!isRemoval && invocation.options.has('yes')) throw new UsageError('--yes is for rm NAME.');
  if (isRemoval) return remove(invocation, second);
  return first === undefined ? list(invocation) : show(invocation, first);
}

async function list({ client, report }: Invocation): Promise<void> {
  const answer = await client().get<{ endpoints: EndpointAnswer[] }>('/api/v1/endpoints');
  const columns: Column<EndpointAnswer>[] = [
    { title: 'ENDPOINT', cell: ({ name }) => name },
    { title: 'ENVIRONMENT', cell: ({ environment }) => environment },
    { title: 'LIVE', cell: ({ live }) => (live ? versionOf(live) : '–') },
    { title: 'RELEASE', cell: ({ live }) => String(live?.id ?? '–'), isRight: true },
    { title: 'ROLLOUT', cell: ({ rollout }) => (rollout ? describeRollout(rollout) : '–') },
    { title: 'HOSTS', cell: ({ hosts }) => hosts.join(', ') },
  ];
  await report.answer(answer, () =>
    answer.endpoints.length > 0
      ? renderTable(columns, answer.endpoints, report.terminal.width)
      : "Nothing is live yet. 'aimass release submit NAME' asks for it.",
  );
}

const describeRollout = (release: ReleaseAnswer) =>
  `${versionOf(release)} (release ${release.id}) ${release.stage?.percent ?? 0} %`;

async function show({ client, report }: Invocation, name: string): Promise<void> {
  const status = await client().get<EndpointStatusAnswer>(pathOf(name));
  const { width } = report.terminal;
  await report.answer(status, () => {
    const { endpoint, history, rollbackTargets } = status;
    const hosts = endpoint.hosts.length > 0 ? ` Hosts: ${endpoint.hosts.join(', ')}.` : '';
    const back = rollbackTargets.length > 0 ? [`A rollback may lead to release ${rollbackTargets.join(', ')}.`] : [];
    const intro = `${name} in ${endpoint.environment}, since ${formatTime(endpoint.createdAt)}.${hosts}`;
    return [
      wrap(intro, width),
      '',
      renderTraffic(status, width),
      '',
      renderReleases(history, 0, width),
      ...back.map((line) => wrap(line, width)),
    ].join('\n');
  });
}

async function remove(invocation: Invocation, name: string): Promise<number> {
  const { client, report } = invocation;
  if (!(await isSure(invocation, `End what '${name}' serves, for all who call it?`))) return 1;
  await client().send(pathOf(name), { method: 'DELETE', silenceMs: 0 });
  await report.answer({ removed: name }, () => `${name} is removed; its releases stay in the history.`);
  return 0;
}

const pathOf = (name: string) => `/api/v1/endpoints/${encodeURIComponent(name)}`;
