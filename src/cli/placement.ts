// Commands about placement: where a model may run, what would happen, and what was decided about instances and why.
import type { Decision } from '../device/decisions.ts';
import {
  placementProviders,
  placementRanges,
  type PlacementSettings,
  placementStrategies,
} from '../device/placement-settings.ts';
import type { PlacementPreview } from '../device/placement-views.ts';
import { AppError } from '../error.ts';
import { duration, filled, oneOf, size, whole } from '../setting-text.ts';
import { json } from './client.ts';
import { type Invocation, UsageError } from './command.ts';
import { parseReference, pathOf } from './reference.ts';
import {
  type Column,
  formatBytes,
  formatInstant,
  formatSeconds,
  indent,
  plural,
  renderPairs,
  renderTable,
  wrap,
} from './text.ts';

type Patch = Partial<Record<keyof PlacementSettings, unknown>>;

const yesOrNo = (text: string) => oneOf(['yes', 'no'])(text) === 'yes';
const inRange = (name: keyof typeof placementRanges) => whole(placementRanges[name][0], placementRanges[name][1]);
const unless =
  <T>(none: string, read: (text: string) => T) =>
  (text: string) =>
    text === none ? null : read(text);

/** Options that are settings: which, and how the text is read. */
const settingOptions: Record<string, [keyof PlacementSettings, (text: string) => unknown]> = {
  min: ['minInstances', inRange('minInstances')],
  max: ['maxInstances', inRange('maxInstances')],
  device: ['deviceIds', unless('any', (text) => text.split(','))],
  class: ['deviceClass', unless('any', filled)],
  provider: ['provider', unless('auto', oneOf(placementProviders))],
  'one-per-device': ['onePerDevice', yesOrNo],
  strategy: ['strategy', oneOf(placementStrategies)],
  priority: ['priority', inRange('priority')],
  pin: ['pinned', yesOrNo],
  'min-free': ['minFreeBytes', size(0)],
  'keep-alive': ['keepAliveMs', unless('none', duration(1))],
};

export async function place({ operands, options, client, report }: Invocation): Promise<void> {
  const { name, version } = parseReference(operands[0]!);
  const settings = readPatch(options);
  const path = `/api/v1${pathOf({ name })}/placement`;
  if (options.has('preview')) {
    const body = { model: name, version, settings };
    const preview = await client().post<PlacementPreview>('/api/v1/placement/preview', body);
    return report.answer(preview, () => renderPreview(preview, report.terminal.width));
  }
  if (version !== undefined) {
    throw new UsageError('These settings are of the whole model.', `Leave out ':${version}', or ask with --preview.`);
  }
  const server = client();
  const isChange = Object.keys(settings).length > 0;
  const answer = isChange
    ? await server.read<PlacementSettings>(
        await server.send(path, { method: 'PATCH', ...json(settings), silenceMs: 0 }),
      )
    : await server.get<PlacementSettings>(path);
  await report.answer(answer, () => renderPairs(pairsOf(answer), report.terminal.width));
}

export async function listDecisions({ operands, client, report }: Invocation): Promise<void> {
  const [name] = operands;
  const query = name === undefined ? '' : `?${new URLSearchParams({ model: name }).toString()}`;
  const answer = await client().get<{ decisions: Decision[] }>(`/api/v1/placement/decisions${query}`);
  const { width } = report.terminal;
  await report.answer(answer, () =>
    answer.decisions.length > 0
      ? answer.decisions.map((decision) => renderDecision(decision, width)).join('\n')
      : 'Nothing was decided yet.',
  );
}

function readPatch(options: ReadonlyMap<string, string>): Patch {
  const patch: Patch = {};
  for (const [option, [setting, read]] of Object.entries(settingOptions)) {
    const text = options.get(option);
    if (text === undefined) continue;
    try {
      patch[setting] = read(text);
    } catch (error) {
      throw error instanceof AppError ? new UsageError(`--${option}: ${error.message}.`, error.hint) : error;
    }
  }
  return patch;
}

function pairsOf(settings: PlacementSettings): [string, string][] {
  const { minInstances, maxInstances, deviceIds, deviceClass, provider, keepAliveMs } = settings;
  const answer = (isTrue: boolean) => (isTrue ? 'yes' : 'no');
  const onDemand = minInstances === 0 ? '; started when it is asked for' : '';
  return [
    ['instances', `${minInstances} to ${maxInstances}${onDemand}`],
    ['devices', deviceIds?.join(', ') ?? 'any'],
    ['class', deviceClass ?? 'any'],
    ['provider', provider ?? 'auto'],
    ['one per device', answer(settings.onePerDevice)],
    ['strategy', settings.strategy],
    ['priority', String(settings.priority)],
    ['pinned', answer(settings.pinned)],
    ['kept free', formatBytes(settings.minFreeBytes)],
    ['keep alive', keepAliveMs === undefined ? 'until its room is needed' : formatSeconds(keepAliveMs / 1000)],
  ];
}

function renderPreview(preview: PlacementPreview, width?: number): string {
  const { model, version, ways, passedOver } = preview;
  const columns: Column<PlacementPreview['ways'][number]>[] = [
    { title: 'PROVIDER', cell: ({ provider }) => provider },
    { title: 'ON', cell: ({ kind }) => kind },
    { title: 'BATCH', cell: ({ batch }) => (batch > 0 ? String(batch) : 'none'), isRight: true },
    { title: 'MEMORY', cell: describeMemory, isRight: true },
    { title: 'ESTIMATE', cell: describeEstimate },
  ];
  const skipped = passedOver.map(({ provider, kind, reason }) => `${provider} on ${kind} is passed over: ${reason}`);
  const events = describeEvents(preview);
  return [
    ways.length > 0 ? `${model}:${version} can run like this, best first:` : `${model}:${version} cannot run here.`,
    ...(ways.length > 0 ? [renderTable(columns, ways, width)] : []),
    ...skipped.map((line) => wrap(line, width)),
    '',
    events.length > 0 ? 'What would happen now:' : 'Nothing would happen now.',
    ...events.map((line) => indent(wrap(line, width && width - 2))),
    'Nothing was changed.',
  ].join('\n');
}

function describeEvents({ evictions, placements, refusals }: PlacementPreview): string[] {
  return [
    ...evictions.map(({ version, instanceId, reason }) => `${version} (instance ${instanceId}) ends: ${reason}`),
    ...placements.map(({ version, reason, provider, batch, after, ...memory }) => {
      const wait = after.length > 0 ? `, once ${after.map((id) => `instance ${id}`).join(' and ')} ended` : '';
      return `${version} starts ${reason}: ${provider}, ${batch > 0 ? `batch ${batch}` : 'one request at a time'}, ${describeMemory(memory)}${wait}`;
    }),
    ...refusals.map(
      ({ version, missing, reason, hint }) =>
        `${version} finds no place for ${plural(missing, 'instance')}: ${reason}. ${hint}`,
    ),
  ];
}

/** ✓ measured, ≈ estimated. */
export function describeMemory({ bytes, measured }: { bytes: number; measured: boolean }): string {
  return `${measured ? '✓' : '≈'} ${formatBytes(bytes)}`;
}

function describeEstimate({ estimatedBytes, estimateError }: PlacementPreview['ways'][number]): string {
  if (estimateError === undefined) return 'not measured yet';
  const percent = Math.round(estimateError * 100);
  return `was ${formatBytes(estimatedBytes)} (${percent > 0 ? '+' : ''}${percent} %)`;
}

function renderDecision({ at, kind, model, version, instance, deviceId, reason }: Decision, width?: number): string {
  const subject = model === undefined ? [] : [version === undefined ? model : `${model}:${version}`];
  const where = [
    ...(instance === undefined ? [] : [`instance ${instance}`]),
    ...(deviceId === undefined ? [] : [deviceId]),
  ];
  const head = [formatInstant(at), kind, ...subject, ...(where.length > 0 ? [`(${where.join(' on ')})`] : [])];
  return `${head.join('  ')}\n${indent(wrap(reason, width && width - 2))}`;
}
