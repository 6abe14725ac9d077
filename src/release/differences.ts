// What is different between two versions, and between what is live and what is asked for: what breaks clients first. Pure.
import type { Manifest, Signature, TensorSpec, VersionRecord } from '../types.ts';
import type { Difference, ReleaseRequest } from './types.ts';

/** What was measured of a version, where it was. */
export interface Measured {
  /** Of the fastest device kind that it was measured on. */
  footprintBytes?: number;
  runMs?: number;
  p95Ms?: number;
}

const order: Difference['group'][] = [
  'signature',
  'settings',
  'licence',
  'size',
  'footprint',
  'speed',
  'manifest',
  'files',
];

export function compareVersions(
  a: VersionRecord,
  b: VersionRecord,
  measured: { a?: Measured; b?: Measured } = {},
): Difference[] {
  return sorted([
    ...compareSignatures(a.signature, b.signature),
    ...compareManifests(a.manifest, b.manifest),
    ...compareFiles(a, b),
    ...compareMeasured(measured.a ?? {}, measured.b ?? {}),
  ]);
}

export function compareRequests(a: ReleaseRequest, b: ReleaseRequest): Difference[] {
  const settings: [string, (request: ReleaseRequest) => unknown, Difference['weight']][] = [
    ['environment', (request) => request.environment, 'notable'],
    ['instances', (request) => `${request.minInstances} – ${request.maxInstances}`, 'plain'],
    ['devices', (request) => request.deviceIds?.join(', ') ?? 'all', 'plain'],
    ['domain', (request) => request.domain, 'notable'],
    ['inference timeout', (request) => `${request.inferenceTimeoutMs} ms`, 'notable'],
    ['queue', (request) => request.maxQueueSize || 'usual', 'plain'],
    ['rate', (request) => (request.ratePerSecond === null ? 'any' : `${request.ratePerSecond}/s`), 'notable'],
  ];
  const found = settings.flatMap(([what, read, weight]) => differ('settings', what, read(a), read(b), weight));
  const model = differ('settings', 'model', a.model, b.model, 'notable');
  return sorted([...model, ...found, ...differ('licence', 'licence', a.licence, b.licence, 'notable')]);
}

/** Most important first. */
export function sorted(differences: readonly Difference[]): Difference[] {
  const weights: Difference['weight'][] = ['breaking', 'notable', 'plain'];
  const rank = ({ group, weight }: Difference) => weights.indexOf(weight) * 100 + order.indexOf(group);
  return differences.toSorted((a, b) => rank(a) - rank(b));
}

/** What an old client sends must still be taken, and what it reads must still come. */
function compareSignatures(a: Signature, b: Signature): Difference[] {
  return [...compareTensors('input', a.inputs, b.inputs), ...compareTensors('output', a.outputs, b.outputs)];
}

function compareTensors(side: 'input' | 'output', before: TensorSpec[], after: TensorSpec[]): Difference[] {
  const find = (specs: TensorSpec[], name: string) => specs.find((spec) => spec.name === name);
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  return names.flatMap((name) => {
    const [old, fresh] = [find(before, name), find(after, name)];
    if (old && fresh && !differs(old, fresh)) return [];
    // One more output is no trouble; one more input is.
    const isFine = !old ? side === 'output' : fresh !== undefined && takesAll(side, old, fresh);
    const what = `${side} ${name}`;
    return differ('signature', what, describe(old), describe(fresh), isFine ? 'notable' : 'breaking');
  });
}

const differs = (a: TensorSpec, b: TensorSpec) => a.datatype !== b.datatype || a.shape.join() !== b.shape.join();

/** An input that was fixed may become variable; an output that was variable may become fixed. */
function takesAll(side: 'input' | 'output', old: TensorSpec, fresh: TensorSpec): boolean {
  if (old.datatype !== fresh.datatype || old.shape.length !== fresh.shape.length) return false;
  const [wide, narrow] = side === 'input' ? [fresh, old] : [old, fresh];
  return wide.shape.every((size, axis) => size === -1 || size === narrow.shape[axis]);
}

function describe(spec: TensorSpec | undefined): string {
  return spec ? `${spec.datatype} [${spec.shape.map((size) => (size === -1 ? '?' : size)).join(', ')}]` : '';
}

function compareManifests(a: Manifest, b: Manifest): Difference[] {
  const { queuePolicy: oldQueue, ...oldServing } = a.serving;
  const { queuePolicy: newQueue, ...newServing } = b.serving;
  const serving = Object.keys(newServing) as (keyof typeof newServing)[];
  return [
    ...differ('signature', 'task', a.task, b.task, 'breaking'),
    ...differ('signature', 'labels', a.labels, b.labels, sameStart(a.labels, b.labels) ? 'notable' : 'breaking'),
    ...differ('manifest', 'pre-processing', a.preprocess, b.preprocess, 'notable'),
    ...differ('manifest', 'post-processing', a.postprocess, b.postprocess, 'notable'),
    ...serving.flatMap((key) => differ('settings', words(key), oldServing[key], newServing[key], 'plain')),
    ...differ('settings', 'queue policy', oldQueue, newQueue, 'plain'),
    ...differ('licence', 'licence of the model', a.licence, b.licence, 'notable'),
    ...differ('manifest', 'description', a.description, b.description, 'plain'),
    ...differ('manifest', 'origin', a.origin, b.origin, 'plain'),
  ];
}

/** Labels may be added at the end: those that clients know keep their places. */
function sameStart(before: readonly string[] = [], after: readonly string[] = []): boolean {
  return before.every((label, i) => after[i] === label);
}

function compareFiles(a: VersionRecord, b: VersionRecord): Difference[] {
  const paths = [...new Set([...a.files, ...b.files].map(({ path }) => path))].sort();
  const hash = ({ files }: VersionRecord, path: string) =>
    files.find((file) => file.path === path)?.sha256.slice(0, 12);
  return [
    ...paths.flatMap((path) => differ('files', path, hash(a, path), hash(b, path), 'plain')),
    ...differ('size', 'files', mebibytes(a.bytes), mebibytes(b.bytes), notableFrom(a.bytes, b.bytes)),
    ...differ('size', 'parameters', a.facts.parameters, b.facts.parameters, 'plain'),
    ...differ('files', 'operator set', a.facts.opsets, b.facts.opsets, 'plain'),
    ...differ('files', 'producer', a.facts.producer, b.facts.producer, 'plain'),
  ];
}

function compareMeasured(a: Measured, b: Measured): Difference[] {
  const rows: [Difference['group'], string, keyof Measured, (value: number) => string][] = [
    ['footprint', 'memory', 'footprintBytes', mebibytes],
    ['speed', 'one run', 'runMs', milliseconds],
    ['speed', 'p95', 'p95Ms', milliseconds],
  ];
  return rows.flatMap(([group, what, key, write]) => {
    const [old, fresh] = [a[key], b[key]];
    // Measurements of the same thing are never quite the same.
    if (old !== undefined && fresh !== undefined && Math.abs(fresh - old) <= 0.05 * old) return [];
    const text = (value: number | undefined) => (value === undefined ? 'not measured' : write(value));
    return differ(group, what, text(old), text(fresh), notableFrom(old ?? 0, fresh ?? 0));
  });
}

const notableFrom = (before: number, after: number) => (after > 1.2 * before ? 'notable' : 'plain');
const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
const milliseconds = (ms: number) => `${ms.toPrecision(3)} ms`;
/** "maxBatchSize" → "max batch size". */
const words = (key: string) => key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function differ(
  group: Difference['group'],
  what: string,
  before: unknown,
  after: unknown,
  weight: Difference['weight'],
): Difference[] {
  const text = (value: unknown) =>
    value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  const [old, fresh] = [text(before), text(after)];
  return old === fresh ? [] : [{ group, what, before: old, after: fresh, weight }];
}
