// Answers requests that import models, or fetch the files of one: as plain JSON, or as lines of progress for clients that
// ask for them.
import { AppError } from '../../error.ts';
import { checkClaims } from '../../registry/importing.ts';
import type { ImportFile, ImportRequest } from '../../registry/registry.ts';
import { type OnProgress, plainAddress } from '../../source/source.ts';
import type { VersionRecord } from '../../types.ts';
import { errorBody } from '../errors.ts';
import { findLength } from './body.ts';
import type { ApiContext } from './context.ts';
import { viewVersion } from './views.ts';

/** @param signal the client went away or the server stops: what is only being fetched ends */
export type Work<T> = (onProgress: OnProgress, signal: AbortSignal) => Promise<T>;

/** @param after what the audit trail tells besides the versions */
export function answerImport(
  context: ApiContext,
  request: Request,
  work: Work<VersionRecord[]>,
  after?: unknown,
): Promise<Response> {
  return answerSteps(context, request, async (onProgress, signal) => {
    const records = await work(onProgress, signal);
    const target = records.map(({ model, version }) => `${model}:${version}`).join(', ');
    context.note(request, { target, after });
    return { versions: records.map((record) => viewVersion(context.control, record)) };
  });
}

/**
 * Does the work and answers with what came of it. With `Accept: application/x-ndjson` the answer is 200 and lines of {"step"} while it runs, then one line
 * with what came of it or {"error"}. An import goes on although its client went away.
 */
export async function answerSteps<T extends object>(
  context: ApiContext,
  request: Request,
  work: Work<T>,
  answer: (result: T) => Response = (result) => Response.json(result, { status: 201 }),
): Promise<Response> {
  context.keepOpen(request);
  const gone = new AbortController();
  const signal = AbortSignal.any([request.signal, gone.signal, context.control.stopping]);
  if (!request.headers.get('accept')?.includes('application/x-ndjson')) {
    return answer(await work(() => {}, signal));
  }
  let isOpen = true;
  const encoder = new TextEncoder();
  const lines = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (line: object) => {
        if (isOpen) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      };
      const run = work((step, amount) => write({ step, ...amount }), signal)
        .then((result) => {
          write(result);
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
      gone.abort();
    },
  });
  return new Response(lines, { headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' } });
}

/** What an import is asked to be made of. */
export interface ImportWish extends Omit<ImportRequest, 'files'> {
  files?: ImportFile[];
  from?: string;
  load?: boolean;
}

/** Imports complete uploads, or what lies at an address. @throws AppError invalid when it names both or neither */
export function answerWish(context: ApiContext, request: Request, wish: ImportWish): Promise<Response> {
  const { files, from, load = true, ...wanted } = wish;
  if ((files === undefined) === (from === undefined)) {
    throw new AppError(
      'invalid',
      'The import must name either files or from.',
      'files lists complete uploads; from is the address of a model.',
    );
  }
  if (from === undefined) {
    return answerImport(context, request, (onProgress) =>
      importModels(context, { ...wanted, files: files! }, { load }, onProgress),
    );
  }
  const after = { from: plainAddress(from) };
  context.note(request, { after });
  checkClaims(wanted);
  const work: Work<VersionRecord[]> = (onProgress, signal) =>
    importFrom(context, from, wanted, { load }, onProgress, signal);
  return answerImport(context, request, work, after);
}

/** Fetches what lies at an address and imports it; an import that has begun goes on whatever the signal says. */
export async function importFrom(
  context: ApiContext,
  from: string,
  wanted: Omit<ImportRequest, 'files'>,
  { load }: { load: boolean },
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<VersionRecord[]> {
  const files = await context.control.source.fetch(from, signal, onProgress);
  return importModels(context, { ...wanted, files }, { load, ownsUploads: true }, onProgress);
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
