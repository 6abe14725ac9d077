// A release of a version that is not here yet: what lies at an address is imported first, and then asked to go live.
import { requireAction } from '../../access/actor.ts';
import { AppError } from '../../error.ts';
import { checkClaims } from '../../registry/importing.ts';
import type { ImportRequest } from '../../registry/registry.ts';
import { parseRequest } from '../../release/request.ts';
import { plainAddress } from '../../source/source.ts';
import type { ApiContext } from './context.ts';
import { answerSteps, importFrom } from './importing.ts';
import { answerRevised, readWish } from './release-request.ts';
import { viewRelease, viewRequest } from './release-views.ts';

/**
 * Answers with the release, or with the import's steps and then {"release"}. Whatever can be told to be wrong is told before
 * anything is fetched; a version that was imported stays even if the release is refused.
 */
export async function answerReleaseFrom(
  context: ApiContext,
  request: Request,
  { from, manifest, ...body }: Record<string, unknown>,
): Promise<Response> {
  const { asker, control, note } = context;
  const { model: name, version, endpoint } = body;
  const { actor } = asker(request);
  if (typeof from !== 'string') throw new AppError('invalid', 'from is no address.', 'Write a URL or a path.');
  if (typeof name !== 'string' || version !== undefined) {
    const hint = 'from makes the next version of a model: name the model, and no version.';
    throw new AppError('invalid', 'A release from an address needs model, and has no version yet.', hint);
  }
  requireAction(actor, 'model.write', name);
  const claims = { name, ...(manifest !== undefined && { manifest: manifest as ImportRequest['manifest'] }) };
  checkClaims(claims);
  const wish = readWish(body);
  const base = control.release.prefill(typeof endpoint === 'string' ? { endpoint } : {});
  parseRequest({ ...wish, version: 1 }, base);
  const after = { ...body, from: plainAddress(from) };
  note(request, { target: name, after });
  return answerSteps(
    context,
    request,
    async (onProgress, signal) => {
      const records = await importFrom(context, from, claims, { load: false }, onProgress, signal);
      const made = control.release.create(actor, { ...wish, version: records.at(-1)!.version });
      note(request, { target: String(made.id), after: { ...after, ...viewRequest(made.request) } });
      return { release: viewRelease(made) };
    },
    ({ release }) => answerRevised(release, 201),
  );
}
