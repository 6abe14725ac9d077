// The page that brings a model in: what was uploaded is imported without being served, and its page tells what it is.
import { modelPath } from '../../../web/screens/models.ts';
import { uploadScreen } from '../../../web/screens/upload.ts';
import type { FormState } from '../../../web/view-types.ts';
import { AppError } from '../../error.ts';
import { checkModelName } from '../../registry/model-name.ts';
import type { VersionRecord } from '../../types.ts';
import type { AdminContext } from './context.ts';
import { stateOf, withError } from './entry.ts';
import { filesOf, findFieldOf, manifestOf } from './upload-manifest.ts';
import { type AdminRoute, retry, seeOther, type Visit } from './visit.ts';

/** Files and labels of a model may be many. */
const mostFormBytes = 4 * 1024 * 1024;

export function uploadRoutes({ control, keepOpen }: AdminContext): AdminRoute[] {
  const known = () => control.registry.listModels().map(({ name }) => name);

  async function take(visit: Visit): Promise<VersionRecord[]> {
    const { form, frame, request } = visit;
    const name = form.get('name')?.trim() || undefined;
    const files = filesOf(form.get('files'), frame.t('upload.noFiles'));
    if (name !== undefined) checkModelName(name);
    const manifest = manifestOf(form);
    keepOpen(request);
    return control.importModels({ name, files, manifest }, { load: false });
  }

  async function receive(visit: Visit): Promise<Response> {
    const { form, frame } = visit;
    try {
      const records = await take(visit);
      visit.note({ target: records.map(({ model, version }) => `${model}:${version}`).join(', ') });
      const [first] = records;
      const isOne = records.length === 1;
      const path = isOne ? modelPath(first!.model, `/versions/${first!.version}?new=1`) : '/admin/models';
      const flash = { tone: 'good' as const, text: frame.t('upload.imported', { count: records.length }) };
      return asRedirection(visit, seeOther(path, isOne ? undefined : flash));
    } catch (error) {
      const state = withFault(frame.t, stateOf(form, [...form.keys()]), error);
      const response = retry(uploadScreen(frame, { form: state, known: known() }));
      // The import may have used files up: the page looks which it must send again.
      response.headers.set('hx-trigger', 'upload-again');
      return response;
    }
  }

  return [
    {
      method: 'GET',
      path: '/admin/upload',
      action: 'model.write',
      operation: 'importModels',
      answer({ frame, url }) {
        const name = url.searchParams.get('name') ?? '';
        const form: FormState = { values: name ? { name, task: 'tensor' } : {}, errors: {} };
        return uploadScreen(frame, { form, known: known() });
      },
    },
    {
      method: 'POST',
      path: '/admin/upload',
      action: 'model.write',
      operation: 'importModels',
      mostFormBytes,
      answer: receive,
    },
  ];
}

function withFault(t: Visit['frame']['t'], state: FormState, error: unknown): FormState {
  if (error instanceof SyntaxError) {
    return { ...state, errors: { manifest: t('upload.notJson', { reason: error.message }) } };
  }
  const shown = withError(state, error);
  const { message } = error as AppError;
  const field = message.startsWith('A model cannot be called') ? 'name' : findFieldOf(message);
  return field === undefined ? shown : { ...state, errors: { [field]: shown.errors['']! } };
}

/** A script that follows redirections by itself would put the next page into this one. */
function asRedirection({ request }: Visit, response: Response): Response {
  if (request.headers.get('hx-request') !== 'true') return response;
  const headers = new Headers(response.headers);
  headers.set('hx-redirect', response.headers.get('location')!);
  headers.delete('location');
  return new Response(null, { status: 200, headers });
}
