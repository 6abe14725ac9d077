// Routes for models and versions: list, look, import, load, unload, remove.
import { Elysia, t } from 'elysia';

import { readJson } from './body.ts';
import { type ApiContext, describe, parseVersion } from './context.ts';
import type { Control } from './control.ts';
import { answerImport, answerWish, importModels, receiveBody } from './importing.ts';
import { type VersionNoteView, viewNote } from './release-views.ts';
import { deriveBody, importBody, importManyBody, previewBody, pushQuery } from './schemas.ts';
import { listKnown, type VersionView, viewFound, viewModel, viewVersion } from './views.ts';

/** Content of a request that is a file rather than JSON about uploads. */
const rawFile = { schema: { type: 'string' as const, format: 'binary' } };

export function modelRoutes(context: ApiContext) {
  const { control, limits, keepOpen } = context;
  const { registry } = control;
  const jsonBody = ({ request }: { request: Request }) => readJson(request, limits);
  // A body that is not JSON stays a stream for the handler.
  const jsonOrFile = async ({ request }: { request: Request }) => (isJson(request) ? readJson(request, limits) : null);

  return new Elysia({ normalize: false })
    .get('/api/v1/models', ({ request }) => ({ models: listKnown(control, context.asker(request).actor) }), {
      detail: describe({
        id: 'listModels',
        action: 'model.list',
        tag: 'Models',
        summary: 'All models',
        answer: { schema: 'ModelList' },
      }),
    })
    .get('/api/v1/models/:name', ({ params }) => viewNoted(control, params.name), {
      detail: describe({
        id: 'getModel',
        action: 'model.read',
        tag: 'Models',
        summary: 'One model with its versions',
        answer: { schema: 'Model' },
        errors: ['not_found'],
      }),
    })
    .delete(
      '/api/v1/models/:name',
      async ({ params }) => {
        await control.removeModel(params.name);
        return done();
      },
      {
        detail: describe({
          id: 'removeModel',
          action: 'model.write',
          tag: 'Models',
          summary: 'Remove a model and all its versions',
          errors: ['not_found', 'conflict'],
        }),
      },
    )
    .get(
      '/api/v1/models/:name/versions/:version',
      ({ params }) => {
        const version = viewVersion(control, registry.getVersion(params.name, parseVersion(params.version)));
        return { ...version, ...noteOf(control, version) };
      },
      {
        detail: describe({
          id: 'getVersion',
          action: 'model.read',
          tag: 'Models',
          summary: 'One version',
          answer: { schema: 'Version' },
          errors: ['invalid', 'not_found'],
        }),
      },
    )
    .delete(
      '/api/v1/models/:name/versions/:version',
      async ({ params }) => {
        await control.removeVersion(params.name, parseVersion(params.version));
        return done();
      },
      {
        detail: describe({
          id: 'removeVersion',
          action: 'model.write',
          tag: 'Models',
          summary: 'Remove one version',
          errors: ['invalid', 'not_found', 'conflict'],
        }),
      },
    )
    .post(
      '/api/v1/models/:name/versions',
      async ({ request, params, query, body }) => {
        if (body) return answerWish(context, request, { ...body, name: params.name });
        const uploadId = await receiveBody(context, request);
        const wanted = { name: params.name, files: [{ uploadId, path: query.filename ?? 'model.onnx' }] };
        const options = { load: query.load ?? true, ownsUploads: true };
        return answerImport(context, request, (onProgress) => importModels(context, wanted, options, onProgress));
      },
      {
        parse: jsonOrFile,
        query: pushQuery,
        body: t.Union([importBody, t.Null()]),
        detail: describe({
          id: 'addVersion',
          action: 'model.write',
          tag: 'Models',
          summary: 'Add a version',
          description:
            'The body is the file itself (an ONNX file, or a .zip, .tar or .tar.gz of a folder), or JSON that names ' +
            'complete uploads or says where the server is to fetch the model `from`: a URL on a network of the setting ' +
            'import_networks, or a path below a folder of import_folders. With `Accept: application/x-ndjson` the answer is a line of JSON for each step.',
          requestBody: {
            required: true,
            content: { 'application/octet-stream': rawFile, 'application/json': { schema: importBody } },
          },
          answer: { status: 201, schema: 'Versions' },
          errors: ['invalid', 'forbidden', 'conflict', 'too_large', 'unavailable', 'timeout'],
        }),
      },
    )
    .post('/api/v1/imports', ({ request, body }) => answerWish(context, request, body), {
      parse: jsonBody,
      body: importManyBody,
      detail: describe({
        id: 'importModels',
        action: 'model.write',
        tag: 'Models',
        summary: 'Import uploads, or what lies at an address',
        description: 'Without `name` the files must be a Triton model repository, whose folders name the models.',
        answer: { status: 201, schema: 'Versions' },
        errors: ['invalid', 'forbidden', 'not_found', 'conflict', 'unavailable', 'timeout'],
      }),
    })
    .post(
      '/api/v1/imports/preview',
      async ({ request, body }) => {
        keepOpen(request);
        return { models: (await registry.inspectUploads(body)).map(viewFound) };
      },
      {
        parse: jsonBody,
        body: previewBody,
        detail: describe({
          id: 'previewImport',
          action: 'model.write',
          tag: 'Models',
          summary: 'Look at uploads without storing anything',
          description:
            'The answer has what an import would store, and `proposal`, a manifest with a task that the inputs and ' +
            'outputs suggest, where they suggest one. The uploads stay.',
          answer: { schema: 'ImportPreview' },
          errors: ['invalid', 'not_found', 'conflict', 'timeout'],
        }),
      },
    )
    .post(
      '/api/v1/models/:name/versions/:version/derive',
      ({ request, params, body: { manifest, load = true } }) => {
        const from = `${params.name}:${parseVersion(params.version)}`;
        const derive = () => control.deriveVersion(params.name, parseVersion(params.version), manifest, { load });
        return answerImport(context, request, async () => [await derive()], { from });
      },
      {
        parse: jsonBody,
        body: deriveBody,
        detail: describe({
          id: 'deriveVersion',
          action: 'model.write',
          tag: 'Models',
          summary: 'Add a version with the files of another one and a changed manifest',
          description:
            'Versions never change: what was said wrongly of one is put right in the next. Name in `manifest` what is to ' +
            'be otherwise, within `serving` field by field; null takes a field away. With another `task` give its ' +
            '`preprocess` and `postprocess` too.',
          answer: { status: 201, schema: 'Versions' },
          errors: ['invalid', 'not_found', 'unavailable', 'timeout'],
        }),
      },
    )
    .post(
      '/api/v1/models/:name/load',
      async ({ request, params }) => {
        keepOpen(request);
        await control.load(params.name);
        return viewModel(control, params.name);
      },
      { detail: describeServing('loadModel', 'Serve the newest version and make it current', 'Model') },
    )
    .post(
      '/api/v1/models/:name/unload',
      async ({ request, params }) => {
        keepOpen(request);
        await control.unload(params.name);
        return viewModel(control, params.name);
      },
      { detail: describeServing('unloadModel', 'Stop serving a model', 'Model') },
    )
    .post(
      '/api/v1/models/:name/versions/:version/load',
      async ({ request, params }) => {
        keepOpen(request);
        await control.load(params.name, parseVersion(params.version));
        return viewModel(control, params.name);
      },
      { detail: describeServing('loadVersion', 'Serve one version and make it current', 'Model') },
    )
    .post(
      '/api/v1/models/:name/versions/:version/unload',
      async ({ request, params }) => {
        keepOpen(request);
        await control.unload(params.name, parseVersion(params.version));
        return viewModel(control, params.name);
      },
      { detail: describeServing('unloadVersion', 'Stop serving one version', 'Model') },
    );
}

/** With what was noted about each version. */
function viewNoted(control: Control, name: string) {
  const model = viewModel(control, name);
  return { ...model, versions: model.versions.map((each) => ({ ...each, ...noteOf(control, each) })) };
}

function noteOf({ release }: Control, { model, version }: VersionView): VersionNoteView {
  return viewNote(release.versionNote(model, version));
}

function isJson(request: Request): boolean {
  return /^application\/json\b/i.test(request.headers.get('content-type') ?? '');
}

function done(): Response {
  return new Response(null, { status: 204 });
}

function describeServing(id: string, summary: string, schema: 'Model') {
  return describe({
    id,
    action: 'model.load',
    tag: 'Models',
    summary,
    answer: { schema },
    errors: ['not_found', 'unavailable', 'timeout'],
  });
}
