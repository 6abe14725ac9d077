// Shapes of what the API takes and answers about environments, and about versions beside their manifests.
import { userRoles } from '../../access/roles.ts';
import { environmentNames } from '../../release/types.ts';
import { count, flag, list, object, ref, text, time } from './shapes.ts';

const number = { type: 'number', minimum: 0 };
const milliseconds = { type: 'integer', minimum: 0, description: 'Milliseconds.' };
const orNone = (type: string, description: string) => ({ type: [type, 'null'], description });

const policy = {
  smoke: { ...flag, description: 'It must answer made-up inputs before callers reach it.' },
  maxP95Ms: orNone('number', 'Evidence of a load test with at most this p95; null: no matter.'),
  evaluation: { ...flag, description: 'Evidence of kind report.' },
  loadTest: { ...flag, description: 'Evidence of kind load-test.' },
  licence: { ...flag, description: 'A licence is named.' },
};
const guard = {
  latencyFactor: { ...number, description: "p95 may be so many times the old version's …" },
  latencyFloorMs: { ...number, description: '… and so many milliseconds more, at least.' },
  errorMargin: { ...number, description: "Share of errors beyond the old version's." },
  nonFiniteMargin: { ...number, description: "Share of answers that are not finite, beyond the old version's." },
  crashes: { ...count, description: "Processes that ended unexpectedly, beyond the old version's." },
  disagreement: { ...number, description: 'Share of shadow answers that differ.' },
  minRequests: { ...count, description: 'Before anything but crashes is judged.' },
};
const freeze = object(
  { name: text, cron: { ...text, examples: ['0 18 * * 5'] }, durationMs: milliseconds, 'timeZone?': text },
  'A time in which nothing goes live.',
);
const settings = {
  deviceIds: { type: ['array', 'null'], items: text, description: 'Devices that it may use; null: all.' },
  maxInstances: orNone('integer', 'Of all its releases together; null: no limit.'),
  maxEndpoints: orNone('integer', 'null: no limit.'),
  requesters: { ...list({ enum: userRoles }), description: 'Roles that may ask for a release here.' },
  needsReview: { ...flag, description: 'false: a request is approved as soon as its checks are green.' },
  fourEyes: { ...flag, description: 'Nobody approves what they asked for themselves.' },
  keepWarmMs: { ...milliseconds, description: 'How long the release before is kept ready for a way back.' },
  watchMs: { ...milliseconds, description: 'How long the guard goes on looking once a release is live.' },
  freezes: list(freeze),
};
const optional = (properties: Record<string, object>) =>
  Object.fromEntries(Object.entries(properties).map(([name, schema]) => [`${name}?`, schema]));

const note = {
  tags: { ...list(text), examples: [['candidate', 'q3']] },
  note: text,
};
const retention = {
  keepLast: orNone('integer', 'Newest versions to keep; null: all.'),
  keepReleased: { ...flag, description: 'Those that were ever live are kept.' },
};

/** JSON Schema (2020-12) by name. */
export const environmentSchemas = {
  Environment: object({
    name: { enum: environmentNames },
    settings: object({ ...settings, policy: object(policy), guard: object(guard) }),
    revision: { ...count, description: 'Goes up with every change. Send it back with your own.' },
    changedAt: time,
    changedBy: text,
  }),
  EnvironmentList: object({ environments: list(ref('Environment')) }),
  EnvironmentPatch: object(
    {
      'revision?': { ...count, description: 'The one on which this was decided; If-Match may say it as well.' },
      ...optional(settings),
      'policy?': object(optional(policy)),
      'guard?': object(optional(guard)),
    },
    'What is to change.',
  ),
  Comparison: object({
    a: object({ model: text, version: count }),
    b: object({ model: text, version: count }),
    differences: { ...list(ref('Difference')), description: 'Those of the signature first.' },
  }),
  VersionNote: object({
    ...note,
    archivedAt: { type: ['string', 'null'], format: 'date-time', description: 'Archived versions are not offered.' },
  }),
  VersionNotePatch: object({ ...optional(note), 'archived?': flag }, 'What is to change.'),
  Retention: object(retention, 'What becomes of old versions.'),
  RetentionPatch: object(optional(retention), 'What is to change.'),
  RetentionResult: object({
    retention: ref('Retention'),
    removed: { ...list(count), description: 'Versions that were not to be kept any more.' },
  }),
} as const;
