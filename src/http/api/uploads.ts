// Routes for uploads: announce a file, send it in parts that may be resumed, look how far it is, give it up.
import { Elysia } from 'elysia';

import { AppError } from '../../error.ts';
import { plainAddress } from '../../source/source.ts';
import { readJson } from './body.ts';
import { type ApiContext, describe } from './context.ts';
import { answerSteps, bodyOf } from './importing.ts';
import { fetchBody, uploadBody } from './schemas.ts';

const example = { id: '5e1c…', bytes: 4956208, received: 0, createdAt: '2026-01-31T12:00:00.000Z' };

export function uploadRoutes(context: ApiContext) {
  const { control, limits } = context;
  const { registry } = control;
  return new Elysia({ normalize: false })
    .post(
      '/api/v1/uploads',
      async ({ body }) => {
        const upload = await registry.createUpload(body.bytes);
        return Response.json(upload, { status: 201, headers: { location: `/api/v1/uploads/${upload.id}` } });
      },
      {
        parse: ({ request }) => readJson(request, limits),
        body: uploadBody,
        detail: describe({
          id: 'createUpload',
          action: 'upload',
          tag: 'Uploads',
          summary: 'Announce a file',
          answer: { status: 201, schema: 'Upload', example },
          errors: ['invalid', 'too_large'],
        }),
      },
    )
    .get('/api/v1/uploads/:id', ({ params }) => registry.getUpload(params.id), {
      detail: describe({
        id: 'getUpload',
        action: 'upload',
        tag: 'Uploads',
        summary: 'How much has arrived',
        answer: { schema: 'Upload' },
        errors: ['not_found'],
      }),
    })
    .patch(
      '/api/v1/uploads/:id',
      ({ request, params }) => registry.appendUpload(params.id, readOffset(request), bodyOf(request)),
      {
        // The body is streamed to disk as it comes.
        parse: 'none',
        detail: describe({
          id: 'appendUpload',
          action: 'upload',
          tag: 'Uploads',
          summary: 'Send the next part',
          description: 'After a broken connection ask how much has `received`, and go on from there.',
          headers: [{ name: 'Upload-Offset', description: 'Bytes that arrived before.', example: '0' }],
          requestBody: {
            required: true,
            content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
          },
          answer: { schema: 'Upload', example: { ...example, received: 4956208 } },
          errors: ['invalid', 'not_found', 'conflict', 'too_large'],
        }),
      },
    )
    .delete(
      '/api/v1/uploads/:id',
      async ({ params }) => {
        await registry.removeUpload(params.id);
        return new Response(null, { status: 204 });
      },
      {
        detail: describe({
          id: 'removeUpload',
          action: 'upload',
          tag: 'Uploads',
          summary: 'Give up a file',
          errors: ['not_found'],
        }),
      },
    )
    .post(
      '/api/v1/fetches',
      ({ request, body: { from } }) => {
        context.note(request, { after: { from: plainAddress(from) } });
        return answerSteps(context, request, async (onProgress, signal) => ({
          files: await control.source.fetch(from, signal, onProgress),
        }));
      },
      {
        parse: ({ request }) => readJson(request, limits),
        body: fetchBody,
        detail: describe({
          id: 'fetchFiles',
          action: 'model.write',
          tag: 'Uploads',
          summary: 'Have the server fetch the files of a model',
          description:
            'From a URL on a network of the setting import_networks, or a path on the server below a folder of ' +
            'import_folders. They become complete uploads; whoever goes away before ends it. With ' +
            '`Accept: application/x-ndjson` the answer is a line of JSON for each step.',
          answer: { status: 201, schema: 'FetchedFiles' },
          errors: ['invalid', 'forbidden', 'not_found', 'conflict', 'too_large', 'unavailable', 'timeout'],
        }),
      },
    );
}

function readOffset(request: Request): number {
  const text = request.headers.get('upload-offset');
  if (text !== null && /^\d{1,15}$/.test(text)) return Number(text);
  throw new AppError(
    'invalid',
    text === null ? 'The header Upload-Offset is missing.' : 'The header Upload-Offset is not a number of bytes.',
    'It says how many bytes of the file arrived before; 0 at first.',
  );
}
