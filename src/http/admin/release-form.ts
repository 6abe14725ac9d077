// The form with which a release is asked for: filled from a request, and read back as the change that releases take.
import type { Text } from '../../../web/text/text.ts';
import type { FormState } from '../../../web/view-types.ts';
import { type Evidence, evidenceKinds, type ReleaseRequest, type RolloutPlan } from '../../release/types.ts';
import { createNumbers, type NumberReader } from './faults.ts';

const minuteMs = 60_000;
/** Rows for steps that the form has. */
const mostSteps = 6;
const usualShadow = { percent: 10, holdMs: 10 * minuteMs };
/** A canary that is ready to be chosen. */
const usualSteps = [
  { percent: 5, holdMs: 10 * minuteMs },
  { percent: 25, holdMs: 15 * minuteMs },
];

/** What each field is filled with. */
export function valuesOf(request: ReleaseRequest): Record<string, string> {
  const { rollout, deviceIds, ratePerSecond, notBeforeMs } = request;
  const steps = rollout.steps.length > 0 ? rollout.steps : usualSteps;
  const shadow = rollout.shadow ?? usualShadow;
  const minutes = (ms: number) => String(Number((ms / minuteMs).toFixed(9)));
  return {
    endpoint: request.endpoint,
    environment: request.environment,
    minInstances: String(request.minInstances),
    maxInstances: String(request.maxInstances),
    ...Object.fromEntries((deviceIds ?? []).map((id) => [`device.${id}`, 'on'])),
    inferenceTimeoutMs: String(request.inferenceTimeoutMs),
    maxQueueSize: String(request.maxQueueSize),
    ratePerSecond: ratePerSecond === null ? '' : String(ratePerSecond),
    domain: request.domain,
    plan: rollout.steps.length > 0 ? 'canary' : 'all',
    ...Object.fromEntries(
      steps.flatMap(({ percent, holdMs }, i) => [
        [`step.${i}.percent`, String(percent)],
        [`step.${i}.minutes`, minutes(holdMs)],
      ]),
    ),
    ...(rollout.shadow && { shadow: 'on' }),
    'shadow.percent': String(shadow.percent),
    'shadow.minutes': minutes(shadow.holdMs),
    stickyHeader: rollout.stickyHeader ?? '',
    trialKeys: rollout.trialKeys.join(', '),
    minRequests: String(rollout.minRequests),
    notBefore: notBeforeMs === null ? '' : localTime(notBeforeMs),
    licence: request.licence,
    contact: request.contact,
    statement: request.statement,
  };
}

/** As an input of type datetime-local has it, in the server's zone. */
function localTime(atMs: number): string {
  const at = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, '0');
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  return `${date}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

/**
 * What was filled in before and what a person has changed since are told apart by the basis.
 * @param fresh what would be filled in now
 */
export function refill(
  form: ReadonlyMap<string, string>,
  fresh: Record<string, string>,
  kept: readonly string[],
): Record<string, string> {
  const basis = readBasis(form.get('basis'));
  const names = new Set([...Object.keys(fresh), ...Object.keys(basis), ...form.keys()]);
  const values: Record<string, string> = {};
  for (const name of names) {
    const [sent = '', before = ''] = [form.get(name), basis[name]];
    const value = sent !== before || kept.includes(name) ? sent : fresh[name];
    if (value !== undefined && value !== '') values[name] = value;
  }
  return values;
}

function readBasis(text: string | undefined): Record<string, string> {
  try {
    const value = JSON.parse(text ?? '{}') as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    return {};
  }
}

export function stateOfForm(form: ReadonlyMap<string, string>): FormState {
  const { csrf: _csrf, basis: _basis, ...values } = Object.fromEntries(form);
  return { values, errors: {} };
}

/** @returns the request as the form has it, and its faults; the request is of use only when there are none */
export function readReleaseForm(
  form: ReadonlyMap<string, string>,
  t: Text,
): { request: Record<string, unknown>; state: FormState } {
  const state = stateOfForm(form);
  const read = createNumbers(form, state, t);
  const request = {
    ...readWhere(read),
    licence: read.text('licence'),
    statement: read.text('statement'),
    contact: read.text('contact'),
    evidence: readEvidence(form),
    rollout: readRollout(read, form, state, t),
    notBeforeMs: readTime(read.text('notBefore'), state, t),
  };
  return { request, state };
}

/** Where it goes and how it runs. */
function readWhere(read: NumberReader) {
  return {
    model: read.text('model'),
    version: Number(read.text('version')),
    endpoint: read.text('endpoint'),
    environment: read.text('environment'),
    minInstances: read.whole('minInstances'),
    maxInstances: read.whole('maxInstances'),
    deviceIds: read.ticked('device.'),
    inferenceTimeoutMs: read.whole('inferenceTimeoutMs'),
    maxQueueSize: read.whole('maxQueueSize'),
    ratePerSecond: read.optional('ratePerSecond'),
    domain: read.text('domain'),
  };
}

function readRollout(read: NumberReader, form: ReadonlyMap<string, string>, state: FormState, t: Text): RolloutPlan {
  const isCanary = form.get('plan') === 'canary';
  const step = (name: string) => {
    const parts = [`${name}.percent`, `${name}.minutes`];
    if (parts.some((part) => read.text(part) === '')) state.errors[`${name}.percent`] ??= t('form.halfStep');
    else return { percent: read.number(parts[0]!), holdMs: read.minutes(parts[1]!) };
    return { percent: Number.NaN, holdMs: 0 };
  };
  const used = Array.from({ length: mostSteps }, (_, i) => `step.${i}`).filter(
    (name) => read.text(`${name}.percent`) !== '' || read.text(`${name}.minutes`) !== '',
  );
  if (isCanary && used.length === 0) state.errors['step.0.percent'] = t('form.halfStep');
  return {
    shadow: form.get('shadow') === 'on' ? step('shadow') : null,
    steps: isCanary ? used.map(step) : [],
    stickyHeader: isCanary ? read.text('stickyHeader') || null : null,
    trialKeys: isCanary ? listOf(read.text('trialKeys')) : [],
    minRequests: isCanary ? read.whole('minRequests') : 0,
  };
}

/** Names with commas between them. */
export function listOf(text: string): string[] {
  return text
    .split(/[,，、]/)
    .map((name) => name.trim())
    .filter(Boolean);
}

function readTime(text: string, state: FormState, t: Text): number | null {
  if (text === '') return null;
  const atMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text) ? new Date(text).getTime() : Number.NaN;
  if (Number.isNaN(atMs)) state.errors.notBefore = t('form.notTime');
  return atMs;
}

/** Pieces that are ticked. What is no piece is left out; what is wrong in one is found where all of it is checked. */
export function readEvidence(form: ReadonlyMap<string, string>): Evidence[] {
  return [...form]
    .filter(([name]) => /^evidence\.\d+$/.test(name))
    .flatMap(([, text]) => {
      try {
        const value = JSON.parse(text) as Evidence;
        return evidenceKinds.includes(value.kind) ? [value] : [];
      } catch {
        return [];
      }
    });
}

/** A piece that a person writes. @returns why it is none */
export function readPiece(
  form: ReadonlyMap<string, string>,
  nowMs: number,
): Evidence | 'evidence.empty' | 'evidence.badUrl' {
  const [title, url, text] = ['evidenceTitle', 'evidenceUrl', 'evidenceText'].map(
    (name) => form.get(name)?.trim() ?? '',
  );
  if (!title && !url) return 'evidence.empty';
  if (!url && !text) return 'evidence.empty';
  if (url && !/^(?:https?:\/\/|\/(?!\/))/.test(url)) return 'evidence.badUrl';
  return {
    kind: url ? 'link' : 'text',
    title: title || url!,
    ...(text && { text }),
    ...(url && { url }),
    atMs: nowMs,
  };
}

/** The form's field of a path in a request. */
export function fieldOfRequest(path: string): string | undefined {
  const step = /^rollout\.steps\[(\d+)\]/.exec(path)?.[1];
  if (step !== undefined) return `step.${step}.${path.endsWith('holdMs') ? 'minutes' : 'percent'}`;
  if (path.startsWith('rollout.shadow')) return `shadow.${path.endsWith('holdMs') ? 'minutes' : 'percent'}`;
  if (path.startsWith('rollout.trialKeys')) return 'trialKeys';
  if (path.startsWith('rollout.')) return path.slice('rollout.'.length);
  if (path.startsWith('evidence')) return 'evidence';
  if (path.startsWith('deviceIds')) return 'device';
  if (path === 'notBeforeMs') return 'notBefore';
  return plainFields.find((name) => name === path);
}

const plainFields = [
  'endpoint',
  'environment',
  'minInstances',
  'maxInstances',
  'inferenceTimeoutMs',
  'maxQueueSize',
  'ratePerSecond',
  'domain',
  'licence',
  'statement',
  'contact',
];
