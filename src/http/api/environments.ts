// Routes for environments: what going live needs in staging and in production.
import { Elysia } from 'elysia';

import { AppError } from '../../error.ts';
import type { EnvironmentSettings } from '../../release/types.ts';
import { readSmallJson } from './access-request.ts';
import { type ApiContext, describe } from './context.ts';
import { environmentBody } from './release-bodies.ts';
import { answerRevised, parseEnvironment, readRevised } from './release-request.ts';
import { viewEnvironment } from './release-views.ts';

const describedPatch = {
  required: true,
  content: {
    'application/json': {
      schema: { $ref: '#/components/schemas/EnvironmentPatch' },
      example: { fourEyes: true, policy: { licence: true }, keepWarmMs: 1_800_000 },
    },
  },
};

export function environmentRoutes({ control: { release }, limits, asker, note }: ApiContext) {
  const get = (text: string) => {
    const name = parseEnvironment(text);
    const found = release.environments().find((each) => each.name === name);
    if (found) return found;
    throw new AppError('not_found', `There is no environment '${name}'.`);
  };
  return new Elysia({ normalize: false })
    .get('/api/v1/environments', () => ({ environments: release.environments().map(viewEnvironment) }), {
      detail: describe({
        id: 'listEnvironments',
        action: 'environment.read',
        tag: 'Releases',
        summary: 'Staging and production: what going live needs there',
        answer: { schema: 'EnvironmentList' },
      }),
    })
    .get('/api/v1/environments/:environment', ({ params }) => answerRevised(viewEnvironment(get(params.environment))), {
      detail: describe({
        id: 'getEnvironment',
        action: 'environment.read',
        tag: 'Releases',
        summary: 'One environment',
        answer: { schema: 'Environment' },
        errors: ['not_found'],
      }),
    })
    .patch(
      '/api/v1/environments/:environment',
      ({ request, params, body }) => {
        const { patch, revision } = readRevised(request, body);
        const before = get(params.environment);
        const after = release.setEnvironment(asker(request).actor, before.name, patch, revision);
        note(request, changesOf(before.settings, after.settings));
        return answerRevised(viewEnvironment(after));
      },
      {
        parse: ({ request }) => readSmallJson(request, limits),
        body: environmentBody,
        detail: describe({
          id: 'setEnvironment',
          action: 'environment.write',
          tag: 'Releases',
          summary: 'Change what going live needs',
          description:
            'Send what is to change, and the revision that it was decided on: as `revision`, or the ETag as If-Match. ' +
            'When somebody else was faster, the answer is 409.',
          requestBody: describedPatch,
          answer: { schema: 'Environment' },
          errors: ['invalid', 'forbidden', 'not_found', 'conflict'],
        }),
      },
    );
}

/** What the audit trail keeps: settings that differ. */
function changesOf(before: EnvironmentSettings, after: EnvironmentSettings) {
  const names = (Object.keys(after) as (keyof EnvironmentSettings)[]).filter(
    (name) => !Bun.deepEquals(before[name], after[name]),
  );
  const pick = (settings: EnvironmentSettings) => Object.fromEntries(names.map((name) => [name, settings[name]]));
  return { before: pick(before), after: pick(after) };
}
