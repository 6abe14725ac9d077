// Routes for placement: where models may run, what a plan would do, what is held where, and what was decided why.
import { Elysia } from 'elysia';

import { type DecisionFilter, decisionKinds } from '../../device/decisions.ts';
import { oneOf, whole } from '../../setting-text.ts';
import { readJson } from './body.ts';
import { type ApiContext, describe } from './context.ts';
import { decisionsQuery, patchBody, previewBody } from './placement-schemas.ts';

const usualDecisions = 100;
const mostDecisions = 1000;
const readKind = oneOf(decisionKinds);
const readId = whole(1, Number.MAX_SAFE_INTEGER);
const readLimit = whole(1, mostDecisions);
const describedPatch = {
  required: true,
  content: {
    'application/json': {
      schema: { $ref: '#/components/schemas/PlacementPatch' },
      example: { minInstances: 1, pinned: true },
    },
  },
};

export function placementRoutes({ control, limits, keepOpen, note }: ApiContext) {
  const { placement } = control;
  const jsonBody = ({ request }: { request: Request }) => readJson(request, limits);
  return new Elysia({ normalize: false })
    .get('/api/v1/models/:name/placement', ({ params }) => placement.settings(params.name), {
      detail: describe({
        id: 'getPlacement',
        action: 'model.read',
        tag: 'Placement',
        summary: 'Where a model may run',
        answer: { schema: 'PlacementSettings' },
        errors: ['not_found'],
      }),
    })
    .patch(
      '/api/v1/models/:name/placement',
      async ({ request, params, body }) => {
        // Instances may have to end or to move first.
        keepOpen(request);
        const before = placement.settings(params.name);
        const after = await placement.setSettings(params.name, body);
        note(request, { before, after });
        return after;
      },
      {
        parse: jsonBody,
        body: patchBody,
        detail: describe({
          id: 'setPlacement',
          action: 'placement.write',
          tag: 'Placement',
          summary: 'Change where a model may run',
          description:
            'Send what is to change. null takes `deviceIds`, `deviceClass`, `provider` or `keepAliveMs` away. ' +
            'Instances that no longer fit are replaced.',
          requestBody: describedPatch,
          answer: { schema: 'PlacementSettings' },
          errors: ['invalid', 'not_found'],
        }),
      },
    )
    .post(
      '/api/v1/placement/preview',
      ({ body: { model, version, settings } }) => placement.preview(model, version, settings),
      {
        parse: jsonBody,
        body: previewBody,
        detail: describe({
          id: 'previewPlacement',
          action: 'device.read',
          tag: 'Placement',
          summary: 'What would happen if a version were started now, and why',
          description: 'Nothing is changed. With `settings` as if they had been set.',
          answer: { schema: 'PlacementPreview' },
          errors: ['invalid', 'not_found'],
        }),
      },
    )
    .get('/api/v1/placement', () => placement.overview(), {
      detail: describe({
        id: 'getPlacementOverview',
        action: 'device.read',
        tag: 'Placement',
        summary: 'The memory of each device, who holds it, and which versions have no instance and why',
        answer: { schema: 'PlacementOverview' },
      }),
    })
    .get('/api/v1/placement/decisions', ({ query }) => ({ decisions: placement.decisions(readFilter(query)) }), {
      query: decisionsQuery,
      detail: describe({
        id: 'listDecisions',
        action: 'device.read',
        tag: 'Placement',
        summary: 'What was decided about instances, and why; newest first',
        description: 'For those before them, ask again with the lowest `id` as `before`.',
        answer: { schema: 'DecisionList' },
        errors: ['invalid'],
      }),
    });
}

/** @throws AppError invalid */
function readFilter({ model, kind, before, limit }: Partial<Record<keyof DecisionFilter, string>>): DecisionFilter {
  return {
    model,
    kind: kind === undefined ? undefined : readKind(kind),
    before: before === undefined ? undefined : readId(before),
    limit: limit === undefined ? usualDecisions : readLimit(limit),
  };
}
