// Commands about the appliance: its processes, and the models that are built in.
import type { InstanceAnswer, TemplateAnswer } from './answers.ts';
import type { Invocation } from './command.ts';
import { describeImported, requestImport } from './importing.ts';
import { type Column, formatBytes, formatTime, indent, renderTable, wrap } from './text.ts';

export async function listInstances({ client, report }: Invocation): Promise<void> {
  const answer = await client().get<{ instances: InstanceAnswer[] }>('/api/v1/instances');
  const columns: Column<InstanceAnswer>[] = [
    { title: 'MODEL', cell: ({ model, version }) => `${model}:${version}` },
    { title: 'STATE', cell: ({ state, reason }) => (reason ? `${state}: ${reason}` : state) },
    { title: 'DEVICE', cell: ({ device }) => device },
    { title: 'PID', cell: ({ pid }) => String(pid || '–'), isRight: true },
    { title: 'MEMORY', cell: ({ rssBytes }) => formatBytes(rssBytes), isRight: true },
    { title: 'RESTARTS', cell: ({ restarts }) => String(restarts), isRight: true },
    { title: 'SINCE', cell: ({ startedAt }) => formatTime(startedAt) },
  ];
  await report.answer(answer, () =>
    answer.instances.length > 0
      ? renderTable(columns, answer.instances, report.terminal.width)
      : "Nothing is served. 'aimass load NAME' starts it.",
  );
}

export async function listTemplates({ client, report }: Invocation): Promise<void> {
  const answer = await client().get<{ templates: TemplateAnswer[] }>('/api/v1/templates');
  const { width } = report.terminal;
  await report.answer(answer, () =>
    answer.templates
      .map(
        ({ name, title, task, licence, description }) =>
          `${name}: ${title} (${task}, ${licence})\n${indent(wrap(description, width && width - 2))}`,
      )
      .join('\n\n'),
  );
}

export async function install({ operands, client, report }: Invocation): Promise<void> {
  const [template, name = template] = operands as [string, string?];
  const path = `/api/v1/templates/${encodeURIComponent(template)}/install`;
  const answer = await requestImport(client(), path, { name }, report);
  await report.answer(answer, () => describeImported(answer));
}
