// Commands about stored models: list, show, load, unload, remove.
import type { TensorSpec } from '../types.ts';
import type { ModelAnswer, ModelSummary, VersionAnswer } from './answers.ts';
import { type Invocation, UsageError } from './command.ts';
import { formatReference, parseReference, pathOf, type Reference } from './reference.ts';
import { printable } from './report.ts';
import { type Column, formatBytes, formatCount, formatTime, indent, plural, renderPairs, renderTable } from './text.ts';

export async function listModels({ client, report }: Invocation): Promise<void> {
  const answer = await client().get<{ models: ModelSummary[] }>('/api/v1/models');
  const columns: Column<ModelSummary>[] = [
    { title: 'MODEL', cell: ({ name }) => name },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'CURRENT', cell: ({ current }) => String(current ?? '–'), isRight: true },
    { title: 'VERSIONS', cell: ({ versions }) => String(versions.length), isRight: true },
    { title: 'TASK', cell: ({ task }) => task },
    { title: 'SIZE', cell: ({ bytes }) => formatBytes(bytes), isRight: true },
    { title: 'LICENCE', cell: ({ licence = 'not stated' }) => licence },
  ];
  await report.answer(answer, () =>
    answer.models.length > 0
      ? renderTable(columns, answer.models, report.terminal.width)
      : "There are no models yet. Store one with 'aimass push', or see 'aimass templates'.",
  );
}

export async function show({ operands, client, report }: Invocation): Promise<void> {
  const reference = parseReference(operands[0]!);
  const { width } = report.terminal;
  if (reference.version !== undefined) {
    const version = await client().get<VersionAnswer>(apiPath(reference));
    return report.answer(version, () => renderPairs(pairsOfVersion(version), width));
  }
  const model = await client().get<ModelAnswer>(apiPath(reference));
  await report.answer(model, () => renderModel(model, width));
}

export async function load(invocation: Invocation): Promise<void> {
  await changeServing(invocation, 'load', ({ name, current }) => `${name}:${current} is served.`);
}

export async function unload(invocation: Invocation): Promise<void> {
  await changeServing(invocation, 'unload', (_, reference) => `${formatReference(reference)} is not served any more.`);
}

export async function remove({ operands, options, client: connect, report }: Invocation): Promise<number> {
  const reference = parseReference(operands[0]!);
  const client = connect();
  if (!options.has('yes')) {
    const { readLine, err } = report.terminal;
    if (!readLine) throw new UsageError('Nobody is there to be asked.', 'Say that you are sure with --yes.');
    const model = await client.get<ModelAnswer>(apiPath({ name: reference.name }));
    err(printable(`Remove ${describeRemoval(model, reference)} for good? [y/N] `));
    if (!/^y(es)?$/i.test((await readLine()).trim())) {
      report.note('Nothing was removed.');
      return 1;
    }
  }
  await client.remove(apiPath(reference));
  const removed = formatReference(reference);
  await report.answer({ removed }, () => `${removed} is removed.`);
  return 0;
}

function describeRemoval({ name, versions }: ModelAnswer, reference: Reference): string {
  const chosen = versions.filter(({ version }) => (reference.version ?? version) === version);
  const size = formatBytes(chosen.reduce((sum, { bytes }) => sum + bytes, 0));
  if (reference.version !== undefined) return `version ${reference.version} of ${name} (${size})`;
  return `${name} with ${plural(versions.length, 'version')} (${size})`;
}

async function changeServing(
  { operands, client, report }: Invocation,
  verb: 'load' | 'unload',
  describe: (model: ModelAnswer, reference: Reference) => string,
): Promise<void> {
  const reference = parseReference(operands[0]!);
  const model = await client().post<ModelAnswer>(`${apiPath(reference)}/${verb}`);
  await report.answer(model, () => describe(model, reference));
}

function renderModel(model: ModelAnswer, width?: number): string {
  const { name, state, current, versions } = model;
  const shown = versions.find(({ version }) => version === current) ?? versions.at(-1);
  const columns: Column<VersionAnswer>[] = [
    { title: 'VERSION', cell: ({ version }) => `${version}${version === current ? ' *' : ''}` },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'CREATED', cell: ({ createdAt }) => formatTime(createdAt) },
    { title: 'SIZE', cell: ({ bytes }) => formatBytes(bytes), isRight: true },
    { title: 'FROM', cell: describeOrigin },
    ...(versions.some((each) => describeTags(each) !== '') ? [{ title: 'TAGS', cell: describeTags }] : []),
  ];
  return [
    `${name} is ${state}${current === null ? '' : `; version ${current} answers`}.`,
    '',
    renderTable(columns, versions, width),
    ...(shown ? ['', `Version ${shown.version}`, indent(renderPairs(pairsOfVersion(shown), width && width - 2))] : []),
  ].join('\n');
}

function pairsOfVersion(version: VersionAnswer): [string, string][] {
  const { manifest, facts, signature, warnings, files, reason } = version;
  const { serving, labels = [] } = manifest;
  const pairs: [string, string | undefined][] = [
    ['model', `${version.model}:${version.version}`],
    ['state', reason ? `${version.state}: ${reason}` : version.state],
    ['tags', describeTags(version) || undefined],
    ['noted', version.note || undefined],
    ['task', manifest.task],
    ['description', manifest.description],
    ['licence', manifest.licence ?? 'not stated'],
    ['from', describeOrigin(version)],
    ['created', formatTime(version.createdAt)],
    ['inputs', signature.inputs.map(describeTensor).join('\n')],
    ['outputs', signature.outputs.map(describeTensor).join('\n')],
    ['labels', labels.length > 0 ? describeLabels(labels) : undefined],
    ['serving', `${plural(serving.instances, 'instance')}, ${describeBatches(serving.maxBatchSize)}`],
    ['weights', `${formatCount(facts.parameters)} (${formatBytes(facts.weightBytes)})`],
    ['format', describeFormat(version)],
    ['files', files.map(({ path, bytes }) => `${path} (${formatBytes(bytes)})`).join('\n')],
    ['notes', warnings.length > 0 ? warnings.join('\n') : undefined],
  ];
  return pairs.filter((pair): pair is [string, string] => pair[1] !== undefined);
}

function describeTags({ tags = [], archivedAt = null }: VersionAnswer): string {
  return [...tags, ...(archivedAt === null ? [] : ['archived'])].join(', ');
}

function describeOrigin({ manifest: { origin } }: VersionAnswer): string {
  return origin.from ? `${origin.kind} ${origin.from}` : origin.kind;
}

function describeTensor({ name, datatype, shape }: TensorSpec): string {
  return `${name} ${datatype} [${shape.map((size) => (size < 0 ? '?' : size)).join(', ')}]`;
}

const maxLabels = 10;

function describeLabels(labels: readonly string[]): string {
  const more = labels.length - maxLabels;
  return `${labels.slice(0, maxLabels).join(', ')}${more > 0 ? ` and ${formatCount(more)} more` : ''}`;
}

function describeBatches(maxBatchSize: number): string {
  return maxBatchSize > 0 ? `batches of up to ${maxBatchSize}` : 'no batches';
}

function describeFormat({ facts }: VersionAnswer): string {
  const opsets = Object.entries(facts.opsets).map(([domain, version]) => `${domain} ${version}`);
  return `ONNX, ${opsets.join(', ')}${facts.producer ? `, by ${facts.producer}` : ''}`;
}

function apiPath(reference: Reference): string {
  return `/api/v1${pathOf(reference)}`;
}
