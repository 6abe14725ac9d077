// Reads what the routes about going live are sent: numbers of releases, revisions, filters, and times as text. What a
// release may ask for is checked by the release room.
import { AppError } from '../../error.ts';
import type { ReleaseFilter } from '../../release/control.ts';
import { type EnvironmentName, environmentNames, type Evidence, releaseStates } from '../../release/types.ts';
import { oneOf, whole } from '../../setting-text.ts';
import { parseTime } from './access-request.ts';
import { type BodyLimits, readJson } from './body.ts';
import { parseVersion } from './context.ts';

/** Statements and evidence may be long; files are no evidence, links to them are. */
const mostBytes = 256 * 1024;
const usualReleases = 50;
const mostReleases = 1000;
const readId = whole(1, Number.MAX_SAFE_INTEGER);
const readLimit = whole(1, mostReleases);
const readState = oneOf(releaseStates);
const readName = oneOf(environmentNames);

export function readReleaseJson(request: Request, limits: BodyLimits): Promise<unknown> {
  return readJson(request, { ...limits, maxJsonBytes: Math.min(mostBytes, limits.maxJsonBytes) });
}

/** @throws AppError invalid */
export function parseRelease(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new AppError('invalid', `'${text.slice(0, 40)}' is not a release.`, 'Releases are numbered from 1.');
}

/** @throws AppError not_found */
export function parseEnvironment(text: string): EnvironmentName {
  const found = environmentNames.find((name) => name === text);
  if (found) return found;
  throw new AppError(
    'not_found',
    `There is no environment '${text.slice(0, 40)}'.`,
    `There are ${environmentNames.join(' and ')}.`,
  );
}

export interface PatchBody {
  revision?: number;
  [field: string]: unknown;
}

/**
 * The revision that a change is based on: of the header If-Match, as the answer's ETag has it, or of the body.
 * @returns also the change itself
 * @throws AppError invalid
 */
export function readRevised(request: Request, { revision, ...patch }: PatchBody): { patch: object; revision?: number } {
  const header = request.headers.get('if-match');
  if (header === null || header.trim() === '*') return { patch, ...(revision !== undefined && { revision }) };
  const given = /^(?:W\/)?"?(\d{1,15})"?$/.exec(header.trim())?.[1];
  if (given !== undefined) return { patch, revision: Number(given) };
  throw new AppError('invalid', 'If-Match is not a revision.', 'Send the ETag of what you read, such as "3".');
}

/** With its revision as ETag, for If-Match. */
export function answerRevised(body: { revision: number }, status: 200 | 201 = 200): Response {
  return Response.json(body, { status, headers: { etag: `"${body.revision}"` } });
}

/** What somebody asks for, or a part of it, with times as the rooms have them. @throws AppError invalid */
export function readWish({ notBefore, ...wish }: Record<string, unknown>): Record<string, unknown> {
  const { evidence } = wish;
  return {
    ...wish,
    ...(notBefore !== undefined && { notBeforeMs: readInstant(notBefore, 'notBefore') }),
    ...(Array.isArray(evidence) && { evidence: evidence.map(readGiven) }),
  };
}

function readInstant(value: unknown, name: string): number | null {
  if (value === null) return null;
  if (typeof value === 'string') return parseTime(value);
  throw new AppError('invalid', `${name} is no time.`, "Write it as '2026-01-31T12:00:00Z', or null for none.");
}

/** What it is made of is checked further down. */
function readGiven(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('at' in value)) return value;
  const { at, ...evidence } = value;
  return { ...evidence, atMs: readInstant(at, 'at') };
}

/** @param nowMs of evidence that names no time. @throws AppError invalid */
export function readEvidence({ at, ...evidence }: Omit<Evidence, 'atMs'> & { at?: string }, nowMs: number): Evidence {
  return { ...evidence, atMs: at === undefined ? nowMs : parseTime(at) };
}

type FilterTexts = Partial<Record<keyof ReleaseFilter, string>>;

/** @throws AppError invalid */
export function readReleaseFilter({ state, environment, before, limit, endpoint, model }: FilterTexts): ReleaseFilter {
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(model !== undefined && { model }),
    ...(state !== undefined && { state: readState(state) }),
    ...(environment !== undefined && { environment: readName(environment) }),
    ...(before !== undefined && { before: readId(before) }),
    limit: limit === undefined ? usualReleases : readLimit(limit),
  };
}

/** @param text "MODEL:VERSION". @throws AppError invalid */
export function parseSide(text: string): { model: string; version: number } {
  const colon = text.lastIndexOf(':');
  if (colon > 0) return { model: text.slice(0, colon), version: parseVersion(text.slice(colon + 1)) };
  throw new AppError('invalid', `'${text.slice(0, 80)}' is not MODEL:VERSION.`, 'Write it as faces:2.');
}
