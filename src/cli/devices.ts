// The command that shows the devices of the server's machine, and what runs on each.
import type { DeviceAnswer, DevicesAnswer } from './answers.ts';
import type { Invocation } from './command.ts';
import { type Column, formatBytes, plural, renderTable, wrap } from './text.ts';

const columns: Column<DeviceAnswer>[] = [
  { title: 'DEVICE', cell: titleOf },
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'MEMORY', cell: describeMemory },
  { title: 'LOAD', cell: ({ reading }) => told(reading.utilisation, (share) => percent(share)), isRight: true },
  { title: 'TEMP', cell: ({ reading }) => told(reading.temperatureC, (degrees) => `${degrees} °C`), isRight: true },
  { title: 'POWER', cell: ({ reading }) => describePower(reading), isRight: true },
  { title: 'OURS', cell: ({ instances }) => describeUse(instances), isRight: true },
  { title: 'OTHERS', cell: ({ reading }) => describeUse(foreign(reading)), isRight: true },
];

/** "cuda 0" */
export function titleOf({ kind, index }: DeviceAnswer): string {
  return kind === 'cpu' ? kind : `${kind} ${index}`;
}

export async function listDevices({ client, report }: Invocation): Promise<void> {
  const answer = await client().get<DevicesAnswer>('/api/v1/devices');
  const { width } = report.terminal;
  await report.answer(answer, () => {
    const lines = [
      describeHost(answer),
      ...(answer.devices.some(({ kind }) => kind !== 'cpu') ? [] : ["No GPU is seen. 'aimass doctor' says more."]),
      ...answer.faults,
      ...answer.devices.flatMap(describeDetails),
    ];
    return [renderTable(columns, answer.devices, width), '', ...lines.map((line) => wrap(line, width))].join('\n');
  });
}

const barCells = 10;

function describeMemory({ reading: { totalBytes, usedBytes } }: DeviceAnswer): string {
  if (totalBytes === 0) return '–';
  const filled = Math.round((usedBytes / totalBytes) * barCells);
  return `${'█'.repeat(filled)}${'░'.repeat(barCells - filled)} ${formatBytes(usedBytes)} of ${formatBytes(totalBytes)}`;
}

function describePower({ powerW, powerLimitW }: DeviceAnswer['reading']): string {
  const limit = powerLimitW === undefined ? '' : ` of ${Math.round(powerLimitW)}`;
  return told(powerW, (watts) => `${Math.round(watts)}${limit} W`);
}

/** How many processes, with their memory. */
function describeUse(users: readonly { usedBytes: number }[]): string {
  if (users.length === 0) return '–';
  return `${users.length}: ${formatBytes(users.reduce((sum, { usedBytes }) => sum + usedBytes, 0))}`;
}

function describeHost({ host }: DevicesAnswer): string {
  const parts = [
    plural(host.sockets, 'socket'),
    plural(host.cores, 'core'),
    plural(host.threads, 'thread'),
    ...(host.usableCpus < host.threads ? [`${host.usableCpus} of them usable`] : []),
    plural(host.nodes.length, 'NUMA node'),
  ];
  return `${host.name}: ${parts.join(', ')}. ${host.features.join(' ')}`.trimEnd();
}

function describeDetails({ id, reason, reading, instances, memory }: DeviceAnswer): string[] {
  return [
    ...(reason ? [reason] : []),
    ...(memory ? [describeAccount(memory)] : []),
    ...(reading.throttle.length > 0 ? [`slowed down: ${reading.throttle.join(', ')}`] : []),
    ...instances.map((one) => `${one.model}:${one.version} (instance ${one.id}) ${formatBytes(one.usedBytes)}`),
    ...foreign(reading).map(({ pid, name, usedBytes }) => `not ours: ${name} (${pid}) ${formatBytes(usedBytes)}`),
  ].map((text) => `${id}: ${text}`);
}

function describeAccount(memory: NonNullable<DeviceAnswer['memory']>): string {
  const { availableBytes, heldBytes, usedByOthersBytes, reserveBytes } = memory;
  const parts = [
    `${formatBytes(heldBytes)} held by instances`,
    `${formatBytes(usedByOthersBytes)} used by others`,
    `${formatBytes(reserveBytes)} kept free`,
    `${formatBytes(Math.max(0, availableBytes))} available`,
  ];
  return parts.join(', ');
}

function foreign({ processes }: DeviceAnswer['reading']) {
  return processes.filter(({ own }) => !own);
}

function told(value: number | undefined, write: (value: number) => string): string {
  return value === undefined ? '–' : write(value);
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
