// Follows an import while the server works on it: remarks on what is being done, then the versions it made.
import type { VersionAnswer, VersionsAnswer } from './answers.ts';
import { type Client, findError, json } from './client.ts';
import { Unreachable } from './command.ts';
import type { Report } from './report.ts';
import { formatBytes } from './text.ts';

/** @throws AppError as the server gave it; Unreachable when the answer breaks off */
export function requestImport(
  client: Client,
  path: string,
  body: object,
  report: Pick<Report, 'note'>,
): Promise<VersionsAnswer> {
  return followSteps<VersionsAnswer>(client, path, body, 'versions', report);
}

/** @param outcome what the line is about that comes behind the steps @throws as requestImport */
export async function followSteps<T>(
  client: Client,
  path: string,
  body: object,
  outcome: keyof T & string,
  report: Pick<Report, 'note'>,
): Promise<T> {
  const { headers, ...call } = json(body);
  const response = await client.send(path, {
    ...call,
    method: 'POST',
    headers: { ...headers, accept: 'application/x-ndjson' },
    silenceMs: 0,
  });
  const describe = describeSteps();
  for await (const line of client.readLines(response)) {
    const error = findError(line);
    if (error) throw error;
    if (outcome in line) return line as T;
    const text = describe(line);
    if (text !== undefined) report.note(`${text} …`);
  }
  throw new Unreachable('The server went away before the import was done.', "'aimass models' shows whether it was.");
}

/** @returns what the server is to fetch; undefined for a file or folder of this machine */
export function findAddress(source: string): string | undefined {
  if (/^https?:\/\//i.test(source)) return source;
  return /^server:(\/.*)$/s.exec(source)?.[1];
}

interface Step {
  step?: string;
  bytes?: number;
  totalBytes?: number;
}

const remarkMs = 5000;

/** @returns what to say of a step: once when it begins, then now and then how far it is */
export function describeSteps(now: () => number = () => performance.now()): (step: Step) => string | undefined {
  let last: string | undefined;
  let nextMs = 0;
  return ({ step, bytes, totalBytes }) => {
    if (step === undefined || (step === last && now() < nextMs)) return undefined;
    nextMs = now() + remarkMs;
    const isNew = step !== last;
    last = step;
    if (isNew || bytes === undefined) return step;
    return `${step}: ${formatBytes(bytes)}${totalBytes === undefined ? '' : ` of ${formatBytes(totalBytes)}`}`;
  };
}

/** One line for each version, its warnings below. */
export function describeImported({ versions }: VersionsAnswer): string {
  return versions
    .flatMap((version) => [describeVersion(version), ...version.warnings.map((text) => `  note: ${text}`)])
    .join('\n');
}

function describeVersion({ model, version, state, reason, manifest, bytes }: VersionAnswer): string {
  const what = `${model}:${version} (${manifest.task}, ${formatBytes(bytes)})`;
  if (state === 'unloaded') return `${what} is stored, and served after: aimass load ${model}:${version}`;
  return `${what} is ${state}${reason ? `: ${reason}` : ''}`;
}
