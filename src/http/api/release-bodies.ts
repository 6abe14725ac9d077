// Shapes of what the API takes about going live. Fields of releases, environments, notes and retention are checked, and
// said better, by the release room; their descriptions are in release-schemas.ts and environment-schemas.ts.
import { t } from 'elysia';

import { environmentNames, evidenceKinds, releaseStates } from '../../release/types.ts';

const closed = { additionalProperties: false };
const open = { additionalProperties: true };

const text = (description: string, example?: string) =>
  t.String({ maxLength: 4096, description, ...(example !== undefined && { examples: [example] }) });
const query = (description: string) => t.Optional(t.String({ maxLength: 256, description }));
const revision = t.Optional(
  t.Integer({ minimum: 0, description: 'The one on which this was decided; the header If-Match may say it as well.' }),
);

export const wishBody = t.Object({}, open);
export const patchBody = t.Object({ revision }, open);
export const environmentBody = t.Object({ revision }, open);
export const noteBody = t.Object({}, open);
export const retentionBody = t.Object({}, open);

export const reasonBody = t.Object({ reason: text('Why; everybody who follows the release reads it.') }, closed);
export const withdrawBody = t.Object({ reason: t.Optional(text('Why.')) }, closed);
export const commentBody = t.Object({ text: t.String({ minLength: 1, maxLength: 20_000 }) }, closed);
export const approveBody = t.Object(
  {
    comment: t.Optional(text('For the record.')),
    override: t.Optional(text('Why checks that are red do not matter. Needs the right to override.')),
    revision: t.Optional(
      t.Integer({ minimum: 1, description: 'That was looked at: refused when it was changed since.' }),
    ),
  },
  closed,
);
export const advanceBody = t.Object(
  {
    since: t.Optional(
      t.String({
        format: 'date-time',
        description: '`startedAt` of the stage that is to end: refused when another has begun since.',
      }),
    ),
  },
  closed,
);
export const rollbackBody = t.Object(
  {
    to: t.Optional(t.Integer({ minimum: 1, description: 'Id of an earlier release; the last one if absent.' })),
    reason: t.Optional(text('Why.')),
  },
  closed,
);
export const evidenceBody = t.Object(
  {
    kind: t.UnionEnum([...evidenceKinds]),
    title: t.String({ minLength: 1, maxLength: 200, examples: ['Accuracy on the March samples'] }),
    text: t.Optional(t.String({ maxLength: 20_000 })),
    url: t.Optional(
      // Nothing that a browser would run, and no page that only looks like one of this server.
      t.String({
        maxLength: 2048,
        pattern: '^(?:https?://|/(?![/\\\\]))',
        description: 'A page: http, https or a path.',
      }),
    ),
    numbers: t.Optional(
      t.Record(t.String({ maxLength: 100 }), t.Number(), {
        description: 'Measured, such as p95Ms, perSecond, accuracy.',
        maxProperties: 100,
      }),
    ),
    at: t.Optional(t.String({ maxLength: 64, description: 'When it was measured; now if absent.' })),
  },
  closed,
);
export const loadTestBody = t.Object(
  {
    model: t.String({ maxLength: 256, examples: ['faces'] }),
    version: t.Integer({ minimum: 1, examples: [2] }),
    seconds: t.Optional(t.Integer({ minimum: 1, maximum: 30, default: 5 })),
    connections: t.Optional(t.Integer({ minimum: 1, maximum: 64, default: 4 })),
  },
  closed,
);

/** As text: what they may be is said better by those who read them. */
export const releasesQuery = t.Object(
  {
    state: query(`Only in one state: ${releaseStates.join(', ')}.`),
    endpoint: query('Only of this endpoint.'),
    model: query('Only of this model.'),
    environment: query(`Only in one environment: ${environmentNames.join(' or ')}.`),
    before: query('Only with a lower `id`.'),
    limit: query('Most releases, 1 to 1000; 50 if absent.'),
  },
  closed,
);
export const defaultsQuery = t.Object(
  {
    model: query('Model that is to go live.'),
    version: query('Its version.'),
    endpoint: query('Name that clients call.'),
    environment: query(`${environmentNames.join(' or ')}.`),
  },
  closed,
);
export const compareQuery = t.Object(
  {
    a: t.String({ maxLength: 256, description: 'MODEL:VERSION.', examples: ['faces:1'] }),
    b: t.String({ maxLength: 256, description: 'MODEL:VERSION.', examples: ['faces:2'] }),
  },
  closed,
);
