// Routes for releases: list, look, ask for one, change it, and what a reviewer sees. What moves one on is in
// release-steps.ts.
import { Elysia } from 'elysia';

import type { ReleaseRequest } from '../../release/types.ts';
import { type ApiContext, describe, parseVersion } from './context.ts';
import { defaultsQuery, patchBody, releasesQuery, wishBody } from './release-bodies.ts';
import { answerReleaseFrom } from './release-import.ts';
import {
  answerRevised,
  parseEnvironment,
  parseRelease,
  readReleaseFilter,
  readReleaseJson,
  readRevised,
  readWish,
} from './release-request.ts';
import { viewEvent, viewRelease, viewRequest, viewReview } from './release-views.ts';

const wishExample = {
  endpoint: 'faces',
  environment: 'production',
  model: 'faces',
  version: 2,
  licence: 'Apache-2.0',
  statement: 'Finds faces that are partly hidden.',
};
const describedWish = (example: object, schema: 'NewRelease' | 'ReleasePatch') => ({
  required: true,
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` }, example } },
});

export function releaseRoutes(context: ApiContext) {
  const { control, limits, asker, note } = context;
  const { release } = control;
  const parse = ({ request }: { request: Request }) => readReleaseJson(request, limits);
  return new Elysia({ normalize: false })
    .use(readingRoutes(context))
    .post(
      '/api/v1/releases',
      ({ request, body }) => {
        if ('from' in body) return answerReleaseFrom(context, request, body);
        const made = release.create(asker(request).actor, readWish(body));
        note(request, { target: String(made.id), after: viewRequest(made.request) });
        return answerRevised(viewRelease(made), 201);
      },
      {
        parse,
        body: wishBody,
        detail: describe({
          id: 'createRelease',
          action: 'release.request',
          tag: 'Releases',
          summary: 'Write down what is to go live, as a draft',
          description:
            'What is left out is as in what is live at the endpoint, or has its default. With `from` in place of `version` ' +
            'the next version of `model` is imported from that address first, which takes the right to import; with ' +
            '`Accept: application/x-ndjson` its steps are told, then the `release`.',
          requestBody: describedWish(wishExample, 'NewRelease'),
          answer: { status: 201, schema: 'Release' },
          errors: ['invalid', 'forbidden', 'not_found', 'conflict', 'too_large', 'unavailable', 'timeout'],
        }),
      },
    )
    .patch(
      '/api/v1/releases/:release',
      ({ request, params, body }) => {
        const id = parseRelease(params.release);
        const { patch, revision } = readRevised(request, body);
        const before = release.get(id).request;
        const after = release.edit(asker(request).actor, id, readWish({ ...patch }), revision);
        note(request, changesOf(before, after.request));
        return answerRevised(viewRelease(after));
      },
      {
        parse,
        body: patchBody,
        detail: describe({
          id: 'changeRelease',
          action: 'release.request',
          tag: 'Releases',
          summary: 'Change what a draft asks for, or one for which changes were asked',
          description:
            'Send what is to change, and the revision that it was decided on: as `revision`, or the ETag as If-Match. ' +
            'When somebody else was faster, the answer is 409.',
          requestBody: describedWish({ statement: 'Also at night.', revision: 1 }, 'ReleasePatch'),
          answer: { schema: 'Release' },
          errors: ['invalid', 'forbidden', 'not_found', 'conflict'],
        }),
      },
    );
}

/** What the audit trail keeps: fields that differ. */
function changesOf(before: ReleaseRequest, after: ReleaseRequest) {
  const [old, now] = [viewRequest(before), viewRequest(after)];
  const names = (Object.keys(now) as (keyof typeof now)[]).filter((name) => !Bun.deepEquals(old[name], now[name]));
  const pick = (request: typeof now) => Object.fromEntries(names.map((name) => [name, request[name]]));
  return { before: pick(old), after: pick(now) };
}

function readingRoutes({ control: { release }, asker }: ApiContext) {
  return new Elysia({ normalize: false })
    .get(
      '/api/v1/releases',
      ({ query }) => ({
        releases: release.releases(readReleaseFilter(query)).map(viewRelease),
        waiting: release.waiting(),
      }),
      {
        query: releasesQuery,
        detail: describe({
          id: 'listReleases',
          action: 'release.read',
          tag: 'Releases',
          summary: 'Releases, newest first',
          description: 'For those before them, ask again with the lowest `id` as `before`.',
          answer: { schema: 'ReleaseList' },
          errors: ['invalid'],
        }),
      },
    )
    .get('/api/v1/release-defaults', ({ query }) => viewDefaults(release.prefill(readSubject(query))), {
      query: defaultsQuery,
      detail: describe({
        id: 'getReleaseDefaults',
        action: 'release.request',
        tag: 'Releases',
        summary: 'What a new release has where nothing is said',
        answer: { schema: 'ReleasePatch' },
        errors: ['invalid', 'not_found'],
      }),
    })
    .get(
      '/api/v1/releases/:release',
      ({ params }) => {
        const found = release.get(parseRelease(params.release));
        const body = { release: viewRelease(found), events: release.events(found.id).map(viewEvent) };
        return Response.json(body, { headers: { etag: `"${found.revision}"` } });
      },
      {
        detail: describe({
          id: 'getRelease',
          action: 'release.read',
          tag: 'Releases',
          summary: 'One release and what happened to it',
          answer: { schema: 'ReleaseDetail' },
          errors: ['invalid', 'not_found'],
        }),
      },
    )
    .get(
      '/api/v1/releases/:release/review',
      async ({ request, params }) =>
        viewReview(await release.review(asker(request).actor, parseRelease(params.release))),
      {
        detail: describe({
          id: 'getReview',
          action: 'release.read',
          tag: 'Releases',
          summary: 'All that a reviewer looks at: differences, checks, where it would run',
          answer: { schema: 'ReleaseReview' },
          errors: ['invalid', 'not_found'],
        }),
      },
    );
}

/** Times as text, as far as there are any. */
function viewDefaults(values: unknown): unknown {
  const { notBeforeMs = null, evidence = [], ...rest } = values as Partial<ReleaseRequest>;
  return viewRequest({ ...rest, notBeforeMs, evidence } as ReleaseRequest);
}

type Subject = Partial<Record<'model' | 'version' | 'endpoint' | 'environment', string>>;

/** @throws AppError invalid, not_found */
function readSubject({ version, environment, ...names }: Subject) {
  return {
    ...names,
    ...(version !== undefined && { version: parseVersion(version) }),
    ...(environment !== undefined && { environment: parseEnvironment(environment) }),
  };
}
