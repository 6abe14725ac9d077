// Answers requests that import models: as plain JSON, or as lines of progress for clients that ask for them.
import { AppError } from '../../error.ts';
import type { ImportRequest } from '../../registry/registry.ts';
import type { VersionRecord } from '../../types.ts';
import { errorBody } from '../errors.ts';
import { findLength } from './body.ts';
import type { ApiContext } from './context.ts';
import { viewVersion } from './views.ts';

export type Import = (onProgress: (step: string) => void) => Promise<VersionRecord[]>;

/**
 * Runs the import. With `Accept: application/x-ndjson` the answer is 200 and lines of {"step"} while it runs, then one
 * line {"versions"} or {"error"}. An import goes on although its client went away.
 * @param after what the audit trail tells besides the versions
 */
export async function answerImport(
  context: ApiContext,
  request: Request,
  work: Import,
  after?: unknown,
): Promise<Response> {
  context.keepOpen(request);
  const view = (records: VersionRecord[]) => {
    const target = records.map(({ model, version }) => `${model}:${version}`).join(', ');
    context.note(request, { target, after });
    return { versions: records.map((record) => viewVersion(context.control, record)) };
  };
  if (!request.headers.get('accept')?.includes('application/x-ndjson')) {
    return Response.json(view(await work(() => {})), { status: 201 });
  }
  let isOpen = true;
  const encoder = new TextEncoder();
  const lines = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (line: object) => {
        if (isOpen) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      };
      const run = work((step) => write({ step }))
        .then((records) => {
          write(view(records));
          return true;
        })
        .catch((error: unknown) => {
          write(errorBody(error, context.requestId(request)));
          return false;
        });
      context.note(request, { outcome: run });
      void context.hold(run.then(() => isOpen && controller.close()));
    },
    cancel() {
      isOpen = false;
    },
  });
  return new Response(lines, { headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' } });
}

/** Stores a raw body as an upload, streaming. @throws AppError invalid when its size is not announced */
export async function receiveBody({ control }: ApiContext, request: Request): Promise<string> {
  const bytes = findLength(request);
  if (bytes === undefined) {
    throw new AppError(
      'invalid',
      'The size of the file is not announced.',
      'Send Content-Length (curl -T FILE does), or create an upload and send the file in parts.',
    );
  }
  return (await control.registry.storeUpload(bodyOf(request), { bytes })).id;
}

export function bodyOf(request: Request): ReadableStream<Uint8Array> {
  return request.body ?? new Blob([]).stream();
}

/** Imports, and removes the uploads of an import that failed if `ownsUploads`: nobody else knows of them. */
export async function importModels(
  { control }: ApiContext,
  request: ImportRequest,
  options: { load: boolean; ownsUploads?: boolean },
  onProgress: (step: string) => void,
): Promise<VersionRecord[]> {
  try {
    return await control.importModels(request, { load: options.load }, onProgress);
  } catch (error) {
    if (options.ownsUploads) {
      // Used up already when the import came as far as storing the versions.
      for (const { uploadId } of request.files) await control.registry.removeUpload(uploadId).catch(() => {});
    }
    throw error;
  }
}
