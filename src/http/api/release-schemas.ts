// Shapes of what the API answers about releases and endpoints.
import { environmentNames, evidenceKinds, releaseEventKinds, releaseStates } from '../../release/types.ts';
import { count, flag, list, object, ref, text, time } from './shapes.ts';

const id = { type: 'integer', minimum: 1 };
const environment = { enum: environmentNames };
const percent = { type: 'number', minimum: 0, maximum: 100 };
const milliseconds = { type: 'integer', minimum: 0, description: 'Milliseconds.' };
const nullable = (schema: { type: string }) => ({ ...schema, type: [schema.type, 'null'] });
const orNull = (schema: object, description: string) => ({ anyOf: [schema, { type: 'null' }], description });
const someone = object({ id: text, name: text });
const hold = object({ percent, holdMs: milliseconds });

const wish = {
  endpoint: {
    ...text,
    description: 'Name that clients call; one that does not exist yet is made.',
    examples: ['faces'],
  },
  environment,
  model: { ...text, examples: ['faces'] },
  version: { ...id, description: 'Of the model.' },
  licence: { ...text, description: 'SPDX expression under which the model is offered; empty: not said.' },
  minInstances: { ...count, description: '0: started when it is asked for.' },
  maxInstances: id,
  deviceIds: { type: ['array', 'null'], items: text, description: 'null: those of the environment.' },
  domain: { ...text, description: 'Host name of its own; empty: none but that of the wildcard.' },
  inferenceTimeoutMs: milliseconds,
  maxQueueSize: { ...count, description: "Requests that may wait; 0: the version's own setting." },
  ratePerSecond: {
    type: ['number', 'null'],
    description: 'Requests a second of all callers together; null: any number.',
  },
  statement: { ...text, description: 'What it is for, what is new.' },
  contact: { ...text, description: 'Whom to ask.' },
  evidence: list(ref('Evidence')),
  rollout: object({
    shadow: orNull(hold, 'So long a share of the requests is sent to it as well, before callers get its answers.'),
    steps: { ...list(hold), description: 'Shares that it gets before it gets all; empty: all at once.' },
    stickyHeader: { ...nullable(text), description: 'Callers with the same value in it get the same version.' },
    trialKeys: { ...list(text), description: 'Names of API keys that get the new version in every step.' },
    minRequests: { ...count, description: 'A step lasts until it has answered so many.' },
  }),
  notBefore: { ...nullable(time), description: 'It goes live then at the earliest; null: as soon as it is approved.' },
};

const optional = (properties: Record<string, object>) =>
  Object.fromEntries(Object.entries(properties).map(([name, schema]) => [`${name}?`, schema]));

/** JSON Schema (2020-12) by name. */
export const releaseSchemas = {
  ReleaseRequest: object(wish, 'What somebody asks for.'),
  NewRelease: object(
    {
      ...optional(wish),
      'from?': { type: 'string', description: 'URL, or path on the server, that the version is imported from.' },
      'manifest?': { type: 'object', description: 'With `from`: what you say about the model; see Manifest.' },
    },
    'What is asked for. What is left out is as in what is live at the endpoint.',
  ),
  ReleasePatch: object(
    {
      ...optional(wish),
      'revision?': { ...count, description: 'The one on which this was decided; If-Match may say it as well.' },
    },
    'What is asked for, or what is to change. What a new release leaves out is as in what is live at the endpoint.',
  ),
  Evidence: object(
    {
      kind: { enum: evidenceKinds },
      title: text,
      'text?': text,
      'url?': text,
      'numbers?': { type: 'object', additionalProperties: { type: 'number' } },
      at: time,
    },
    'What speaks for a release.',
  ),
  Release: object({
    id,
    state: { enum: releaseStates },
    reason: { ...text, description: 'Why it is in that state; may be empty.' },
    request: ref('ReleaseRequest'),
    requester: someone,
    revision: { ...count, description: 'Goes up with every change. Send it back with your own.' },
    createdAt: time,
    changedAt: time,
    'submittedAt?': time,
    'decidedAt?': time,
    'decidedBy?': text,
    'stage?': object(
      { kind: { enum: ['starting', 'smoke', 'shadow', 'step'] }, index: count, percent, startedAt: time },
      'Where its rollout is.',
    ),
    'liveAt?': time,
    'endedAt?': time,
    'warmUntil?': { ...time, description: 'How long its instances are kept for a way back.' },
    'watchUntil?': { ...time, description: 'How long the guard goes on looking.' },
    'replaced?': { ...id, description: 'The release whose place it took.' },
  }),
  ReleaseList: object({
    releases: list(ref('Release')),
    waiting: { ...count, description: 'How many of all wait for a decision.' },
  }),
  ReleaseEvent: object({
    id,
    release: id,
    at: time,
    kind: { enum: releaseEventKinds },
    actor: someone,
    text,
    data: { type: 'object' },
  }),
  ReleaseDetail: object({ release: ref('Release'), events: list(ref('ReleaseEvent')) }, 'Events are oldest first.'),
  Difference: object({
    group: { enum: ['signature', 'settings', 'files', 'size', 'footprint', 'speed', 'licence', 'manifest'] },
    what: text,
    before: text,
    after: text,
    weight: { enum: ['breaking', 'notable', 'plain'], description: 'breaking: callers of the old one get errors.' },
  }),
  PolicyCheck: object({
    name: text,
    state: { enum: ['green', 'red', 'pending'], description: 'pending: can be told only later.' },
    text,
    mayOverride: { ...flag, description: 'Who may override can, with a reason, when it is red.' },
  }),
  ReleaseReview: object({
    release: ref('Release'),
    events: list(ref('ReleaseEvent')),
    'live?': ref('Release'),
    differences: { ...list(ref('Difference')), description: 'Between what is live and what is asked for.' },
    checks: list(ref('PolicyCheck')),
    'placement?': ref('PlacementPreview'),
    'modelLicence?': { ...text, description: 'Of the version itself, SPDX.' },
    may: {
      type: 'object',
      additionalProperties: flag,
      description: 'What you may do now: edit, submit, withdraw, approve, override, reject, ask, comment.',
    },
  }),
  Endpoint: object({
    name: text,
    environment,
    hosts: { ...list(text), description: 'Host names under which it is reached, its own first.' },
    createdAt: time,
    createdBy: text,
    'live?': ref('Release'),
    'rollout?': ref('Release'),
  }),
  EndpointList: object({ endpoints: list(ref('Endpoint')) }),
  TrafficSide: object({
    role: { enum: ['live', 'candidate', 'shadow', 'warm'] },
    release: id,
    model: text,
    version: id,
    share: { type: 'number', minimum: 0, maximum: 1 },
    state: text,
    instances: count,
    requests: count,
    errors: count,
    nonFinite: { ...count, description: 'Answers with values that are not finite.' },
    crashes: count,
    'p50Ms?': { type: 'number' },
    'p95Ms?': { type: 'number' },
  }),
  EndpointStatus: object({
    endpoint: ref('Endpoint'),
    sides: list(ref('TrafficSide')),
    'agreement?': object({ compared: count, disagreed: count }, 'Shadow answers beside those that callers got.'),
    'guard?': { type: 'object', additionalProperties: { enum: ['fine', 'too_few', 'breach'] } },
    history: { ...list(ref('Release')), description: 'Newest first.' },
    events: list(ref('ReleaseEvent')),
    rollbackTargets: { ...list(id), description: 'Releases that a rollback may lead to, the nearest first.' },
  }),
} as const;
