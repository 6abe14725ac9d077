// Routes for endpoints: the names that clients call, what serves them, and the way back.
import { Elysia } from 'elysia';

import type { Endpoint, Release } from '../../release/types.ts';
import { done, readSmallJson } from './access-request.ts';
import { type ApiContext, describe } from './context.ts';
import { rollbackBody } from './release-bodies.ts';
import { viewEndpoint, viewRelease, viewStatus } from './release-views.ts';

export function endpointRoutes(context: ApiContext) {
  const { control, limits, asker, note, keepOpen } = context;
  const { release } = control;
  return new Elysia({ normalize: false })
    .use(readingRoutes(context))
    .delete(
      '/api/v1/endpoints/:endpoint',
      async ({ request, params }) => {
        keepOpen(request);
        note(request, { before: summarise(release.endpoint(params.endpoint).endpoint) });
        await release.removeEndpoint(asker(request).actor, params.endpoint);
        return done();
      },
      {
        detail: describe({
          id: 'removeEndpoint',
          action: 'endpoint.write',
          tag: 'Releases',
          summary: 'End what an endpoint serves, and forget its name',
          description: 'Its releases stay in the history.',
          errors: ['forbidden', 'not_found', 'conflict'],
        }),
      },
    )
    .post(
      '/api/v1/endpoints/:endpoint/rollback',
      async ({ request, params, body }) => {
        keepOpen(request);
        const before = summarise(release.endpoint(params.endpoint).endpoint);
        const back = await release.rollback(asker(request).actor, params.endpoint, body);
        note(request, { before, after: { live: nameOf(back), ...body } });
        return viewRelease(back);
      },
      {
        parse: ({ request }) => readSmallJson(request, limits),
        body: rollbackBody,
        detail: describe({
          id: 'rollBack',
          action: 'release.rollback',
          tag: 'Releases',
          summary: 'End a rollout, or put an earlier release back',
          description: 'Answers when that one answers. The answer is the release that is live now.',
          answer: { schema: 'Release' },
          errors: ['invalid', 'forbidden', 'not_found', 'conflict', 'unavailable', 'timeout'],
        }),
      },
    );
}

function readingRoutes({ control: { release } }: ApiContext) {
  return new Elysia({ normalize: false })
    .get('/api/v1/endpoints', () => ({ endpoints: release.endpoints().map(viewEndpoint) }), {
      detail: describe({
        id: 'listEndpoints',
        action: 'endpoint.read',
        tag: 'Releases',
        summary: 'The names that clients call, and what is live there',
        answer: { schema: 'EndpointList' },
      }),
    })
    .get('/api/v1/endpoints/:endpoint', ({ params }) => viewStatus(release.endpoint(params.endpoint)), {
      detail: describe({
        id: 'getEndpoint',
        action: 'endpoint.read',
        tag: 'Releases',
        summary: 'One endpoint: its traffic, its history, and where a rollback may lead',
        answer: { schema: 'EndpointStatus' },
        errors: ['not_found'],
      }),
    });
}

/** What the audit trail keeps. */
function summarise({ environment, live, rollout }: Endpoint) {
  return { environment, ...(live && { live: nameOf(live) }), ...(rollout && { rollout: nameOf(rollout) }) };
}

function nameOf({ id, request: { model, version } }: Release) {
  return { release: id, model, version };
}
