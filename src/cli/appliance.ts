// Commands about the appliance: its processes, and the models that are built in.
import type { PlacementOverview, VersionPlacement } from '../device/placement-views.ts';
import type { DevicesAnswer, InstanceAnswer, TemplateAnswer } from './answers.ts';
import type { Invocation } from './command.ts';
import { titleOf } from './devices.ts';
import { describeImported, requestImport } from './importing.ts';
import { describeMemory } from './placement.ts';
import { type Column, formatTime, indent, renderTable, wrap } from './text.ts';

export async function listInstances({ client: connect, report }: Invocation): Promise<void> {
  const client = connect();
  const [{ instances }, { versions }, { devices }] = await Promise.all([
    client.get<{ instances: InstanceAnswer[] }>('/api/v1/instances'),
    client.get<PlacementOverview>('/api/v1/placement'),
    client.get<DevicesAnswer>('/api/v1/devices'),
  ]);
  const titles = new Map(devices.map((device) => [device.id, titleOf(device)]));
  const columns: Column<Row>[] = [
    { title: 'MODEL', cell: ({ model, version }) => `${model}:${version}` },
    { title: 'FOR', cell: describePurpose },
    { title: 'STATE', cell: ({ state, reason }) => (reason ? `${state}: ${reason}` : state) },
    { title: 'DEVICE', cell: ({ device }) => (device === undefined ? '–' : (titles.get(device) ?? device)) },
    { title: 'PID', cell: ({ pid = '–' }) => String(pid), isRight: true },
    { title: 'PROVIDER', cell: ({ provider = '–' }) => provider },
    {
      title: 'MEMORY',
      cell: ({ heldBytes: bytes, measured = false }) => (bytes ? describeMemory({ bytes, measured }) : '–'),
      isRight: true,
    },
    { title: 'RESTARTS', cell: ({ restarts = '–' }) => String(restarts), isRight: true },
    { title: 'SINCE', cell: ({ startedAt }) => (startedAt === undefined ? '–' : formatTime(startedAt)) },
  ];
  await report.answer({ instances, versions }, () => {
    const { width } = report.terminal;
    const rows: Row[] = [...instances, ...versions.filter(({ instances: count }) => count === 0).map(bareRow)];
    if (rows.length === 0) return "Nothing is served. 'aimass load NAME' starts it.";
    const reasons = versions.filter(({ reason }) => reason).map(describeShortage);
    return [renderTable(columns, rows, width), ...reasons.map((line) => wrap(line, width))].join('\n');
  });
}

/** An instance, or a version that has none. */
type Row = Pick<InstanceAnswer, 'model' | 'version'> &
  Partial<Omit<InstanceAnswer, 'state'>> & { state: VersionPlacement['state'] | InstanceAnswer['state'] };

function bareRow({ model, version, servedFor, state }: VersionPlacement): Row {
  return { model, version, state, ...(servedFor && { servedFor }) };
}

/** One version may be there several times, each with instances of its own. */
function describePurpose({ servedFor }: Pick<Row, 'servedFor'>): string {
  return servedFor ? `${servedFor.endpoint}, release ${servedFor.release}` : 'not released';
}

function describeShortage({ model, version, servedFor, instances, wanted, reason }: VersionPlacement): string {
  const purpose = servedFor ? ` for ${describePurpose({ servedFor })}` : '';
  const count = wanted > 1 ? `, ${instances} of ${wanted} instances` : '';
  return `${model}:${version}${purpose}${count}: ${reason}`;
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
