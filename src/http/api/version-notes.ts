// Routes for versions beside what they are made of: notes and tags, what is kept, comparisons and load tests.
import { Elysia } from 'elysia';

import { readSmallJson } from './access-request.ts';
import { type ApiContext, describe, parseVersion } from './context.ts';
import { compareQuery, loadTestBody, noteBody, retentionBody } from './release-bodies.ts';
import { parseSide } from './release-request.ts';
import { viewEvidence, viewNote } from './release-views.ts';

const notePath = '/api/v1/models/:name/versions/:version/note';
const retentionPath = '/api/v1/models/:name/retention';
const described = (schema: string, example: object) => ({
  required: true,
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` }, example } },
});

export function versionNoteRoutes(context: ApiContext) {
  const { control, limits, asker, note } = context;
  const { release, registry } = control;
  return new Elysia({ normalize: false })
    .use(retentionRoutes(context))
    .use(comparingRoutes(context))
    .get(
      notePath,
      ({ params }) => {
        const { model, version } = registry.getVersion(params.name, parseVersion(params.version));
        return viewNote(release.versionNote(model, version));
      },
      {
        detail: describe({
          id: 'getVersionNote',
          action: 'model.read',
          tag: 'Models',
          summary: 'What was noted about a version: tags, a text, whether it is archived',
          answer: { schema: 'VersionNote' },
          errors: ['invalid', 'not_found'],
        }),
      },
    )
    .put(
      notePath,
      ({ request, params, body }) => {
        const { model, version } = registry.getVersion(params.name, parseVersion(params.version));
        const before = viewNote(release.versionNote(model, version));
        const after = viewNote(release.setVersionNote(asker(request).actor, model, version, body));
        note(request, { before, after });
        return after;
      },
      {
        parse: ({ request }) => readSmallJson(request, limits),
        body: noteBody,
        detail: describe({
          id: 'setVersionNote',
          action: 'model.write',
          tag: 'Models',
          summary: 'Note something about a version, or archive it',
          description: 'What is not sent stays as it is. `tags` are sent whole.',
          requestBody: described('VersionNotePatch', { tags: ['candidate'], note: 'Trained on the March samples.' }),
          answer: { schema: 'VersionNote' },
          errors: ['invalid', 'not_found', 'conflict'],
        }),
      },
    );
}

function retentionRoutes({ control: { release, registry }, limits, asker, note, keepOpen }: ApiContext) {
  return new Elysia({ normalize: false })
    .get(retentionPath, ({ params }) => release.retention(registry.getModel(params.name).name), {
      detail: describe({
        id: 'getRetention',
        action: 'model.read',
        tag: 'Models',
        summary: 'Which old versions of a model are kept',
        answer: { schema: 'Retention' },
        errors: ['not_found'],
      }),
    })
    .put(
      retentionPath,
      async ({ request, params, body }) => {
        // Old versions are removed at once.
        keepOpen(request);
        const { name } = registry.getModel(params.name);
        const before = release.retention(name);
        const after = await release.setRetention(asker(request).actor, name, body);
        note(request, { before, after: { ...after.retention, removed: after.removed } });
        return after;
      },
      {
        parse: ({ request }) => readSmallJson(request, limits),
        body: retentionBody,
        detail: describe({
          id: 'setRetention',
          action: 'model.write',
          tag: 'Models',
          summary: 'Say which old versions of a model are kept, and remove the others',
          description: 'What is live, or a way back, is never removed.',
          requestBody: described('RetentionPatch', { keepLast: 5, keepReleased: true }),
          answer: { schema: 'RetentionResult' },
          errors: ['invalid', 'not_found', 'conflict'],
        }),
      },
    );
}

function comparingRoutes({ control: { release }, limits, asker, note, keepOpen }: ApiContext) {
  return new Elysia({ normalize: false })
    .get(
      '/api/v1/compare',
      ({ query }) => {
        const [a, b] = [parseSide(query.a), parseSide(query.b)];
        return { a, b, differences: release.compare(a, b) };
      },
      {
        query: compareQuery,
        detail: describe({
          id: 'compareVersions',
          action: 'model.read',
          tag: 'Models',
          summary: 'How two versions differ, of one model or of two',
          answer: { schema: 'Comparison' },
          errors: ['invalid', 'not_found'],
        }),
      },
    )
    .post(
      '/api/v1/load-tests',
      async ({ request, body: { seconds = 5, connections = 4, ...subject } }) => {
        keepOpen(request);
        note(request, { target: `${subject.model}:${subject.version}`, after: { seconds, connections } });
        const wish = { ...subject, seconds, connections };
        return viewEvidence(await release.loadTest(asker(request).actor, wish, request.signal));
      },
      {
        parse: ({ request }) => readSmallJson(request, limits),
        body: loadTestBody,
        detail: describe({
          id: 'testLoad',
          action: 'model.try',
          tag: 'Releases',
          summary: 'Send made-up inputs to a loaded version for some seconds, and measure',
          description: 'Its answer can be attached to a release as it is.',
          answer: { schema: 'Evidence' },
          errors: ['invalid', 'not_found', 'conflict', 'unavailable'],
        }),
      },
    );
}
