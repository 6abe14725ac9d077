// What is asked for in a release, read from JSON field by field; and what it is filled with where nothing is said. Knows
// neither the registry nor what is live.
import { AppError } from '../error.ts';
import { Field } from '../registry/fields.ts';
import {
  allAtOnce,
  environmentNames,
  type Evidence,
  evidenceKinds,
  type ReleaseRequest,
  type RolloutPlan,
} from './types.ts';

const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const hostForm = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const headerForm = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const longestText = 10_000;
const planKeys = ['shadow', 'steps', 'stickyHeader', 'trialKeys', 'minRequests'] as const;
const mostEvidence = 50;
const mostSteps = 20;
const day = 86_400_000;

/** Of a request in which only the name and the version are given. */
export function usualRequest(model: string, version: number): ReleaseRequest {
  return {
    endpoint: model,
    environment: 'staging',
    model,
    version,
    licence: '',
    minInstances: 1,
    maxInstances: 1,
    deviceIds: null,
    domain: '',
    inferenceTimeoutMs: 30_000,
    maxQueueSize: 0,
    ratePerSecond: null,
    statement: '',
    contact: '',
    evidence: [],
    rollout: allAtOnce,
    notBeforeMs: null,
  };
}

const keys = Object.keys(usualRequest('', 1)) as (keyof ReleaseRequest)[];

/**
 * @param value what is said; anything left out is as in `base`
 * @throws AppError invalid, beginning with the field's name
 */
export function parseRequest(value: unknown, base: ReleaseRequest): ReleaseRequest {
  const fields = new Field(value, 'release', true).object(keys);
  const orBase = <K extends keyof ReleaseRequest>(key: K, read: (field: Field) => ReleaseRequest[K]) =>
    fields[key].or(base[key], read);
  const request: ReleaseRequest = {
    endpoint: orBase('endpoint', readName),
    environment: orBase('environment', (field) => field.oneOf(environmentNames)),
    model: orBase('model', readName),
    version: orBase('version', (field) => field.integer(1, 1e9)),
    licence: orBase('licence', (field) => line(field, 200)),
    minInstances: orBase('minInstances', (field) => field.integer(0, 256)),
    maxInstances: orBase('maxInstances', (field) => field.integer(1, 256)),
    deviceIds: orBase('deviceIds', nullOr(readDevices)),
    domain: orBase('domain', readDomain),
    inferenceTimeoutMs: orBase('inferenceTimeoutMs', (field) => field.integer(1, day)),
    maxQueueSize: orBase('maxQueueSize', (field) => field.integer(0, 1_000_000)),
    ratePerSecond: orBase(
      'ratePerSecond',
      nullOr((field) => field.number(0.001, 1e6)),
    ),
    statement: orBase('statement', (field) => field.text(longestText)),
    contact: orBase('contact', (field) => line(field, 200)),
    evidence: orBase('evidence', (field) => field.list(mostEvidence, readEvidence)),
    rollout: orBase('rollout', (field) => readRollout(field, base.rollout)),
    notBeforeMs: orBase(
      'notBeforeMs',
      nullOr((field) => field.integer(0, Number.MAX_SAFE_INTEGER)),
    ),
  };
  if (request.minInstances > request.maxInstances) {
    fields.minInstances.fail(
      `must not be more than maxInstances (${request.minInstances} > ${request.maxInstances})`,
      'Raise maxInstances or lower minInstances.',
    );
  }
  return request;
}

/** @throws AppError invalid */
export function parseEvidence(value: unknown): Evidence {
  return readEvidence(new Field(value, 'evidence', true));
}

export function nullOr<T>(read: (field: Field) => T): (field: Field) => T | null {
  return (field) => (field.value === null ? null : read(field));
}

function readName(field: Field): string {
  const name = field.text(128);
  if (!nameForm.test(name)) field.fail('must be letters, digits, dot, hyphen and underscore, 1 to 128 of them');
  // The protocol has a page at this path.
  if (name === 'stats') field.fail("cannot be 'stats'", 'The protocol uses this name for itself.');
  return name;
}

function line(field: Field, longest: number): string {
  const text = field.text(longest).trim();
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) field.fail('must be one line of text');
  return text;
}

function readDomain(field: Field): string {
  const domain = field.text(253).trim().toLowerCase().replace(/\.$/, '');
  if (domain === '' || (hostForm.test(domain) && /[a-z]/.test(domain) && domain !== 'localhost')) return domain;
  return field.fail('must be a host name such as fraud.models.corp.lan', 'Without port, path and underscore.');
}

export function readDevices(field: Field): string[] {
  const ids = field.list(64, (item) => item.text(128));
  if (ids.length === 0) field.fail('must name a device, or be null for all');
  return [...new Set(ids)];
}

function readEvidence(field: Field): Evidence {
  const { kind, title, text, url, numbers, atMs } = field.object(['kind', 'title', 'text', 'url', 'numbers', 'atMs']);
  return {
    kind: kind.oneOf(evidenceKinds),
    title: line(title, 200),
    ...(text.isPresent && { text: text.text(longestText) }),
    ...(url.isPresent && { url: readLink(url) }),
    ...(numbers.isPresent && { numbers: readNumbers(numbers) }),
    atMs: atMs.or(Date.now(), (each) => each.integer(0, Number.MAX_SAFE_INTEGER)),
  };
}

/** A page of this server, or of another; nothing that a browser would run. */
function readLink(field: Field): string {
  const url = field.text(2000);
  if (/^\/(?!\/)[^\\\p{Cc}]*$/u.test(url)) return url;
  const { protocol } = URL.parse(url) ?? {};
  if (protocol === 'http:' || protocol === 'https:') return url;
  return field.fail('must be an address that begins with https://, http:// or /');
}

function readNumbers(field: Field): Record<string, number> {
  const { value } = field;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return field.fail('must be an object');
  const entries = Object.entries(value);
  if (entries.length > 100) field.fail('has more than 100 numbers');
  const read = ([key, number]: [string, unknown]) =>
    [key.slice(0, 100), new Field(number, `${field.path}.${key.slice(0, 100)}`).number()] as const;
  return Object.fromEntries(entries.map(read));
}

function readRollout(field: Field, base: RolloutPlan): RolloutPlan {
  const { shadow, steps, stickyHeader, trialKeys, minRequests } = field.object(planKeys);
  const plan: RolloutPlan = {
    shadow: shadow.or(base.shadow, nullOr(readStep)),
    steps: steps.or(base.steps, (each) => each.list(mostSteps, readStep)),
    stickyHeader: stickyHeader.or(base.stickyHeader, nullOr(readHeader)),
    trialKeys: trialKeys.or(base.trialKeys ?? [], (each) => each.list(100, (item) => line(item, 80))),
    minRequests: minRequests.or(base.minRequests, (each) => each.integer(0, 1_000_000)),
  };
  const falls = plan.steps.findIndex(({ percent }, i) => i > 0 && percent <= plan.steps[i - 1]!.percent);
  if (falls > 0) {
    throw new AppError(
      'invalid',
      `rollout.steps[${falls}].percent must be more than that of the step before.`,
      'Shares grow from step to step; after the last one the new version gets all.',
    );
  }
  return plan;
}

function readStep(field: Field): { percent: number; holdMs: number } {
  const { percent, holdMs } = field.object(['percent', 'holdMs']);
  return { percent: percent.number(0.1, 100), holdMs: holdMs.integer(0, 30 * day) };
}

function readHeader(field: Field): string {
  const name = field.text(64).toLowerCase();
  if (!headerForm.test(name)) field.fail('must be the name of a header, such as x-user-id');
  if (['authorization', 'cookie', 'x-api-key'].includes(name)) {
    field.fail('must not be a header with a secret', 'Choose one that names the caller, such as x-user-id.');
  }
  return name;
}
