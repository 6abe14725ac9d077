// The page that brings a model in: what was uploaded is imported without being served, and its page tells what it is.
import type { UploadView } from '../../../web/model-views.ts';
import { modelPath } from '../../../web/screens/models.ts';
import { uploadScreen } from '../../../web/screens/upload.ts';
import type { FormState } from '../../../web/view-types.ts';
import { AppError } from '../../error.ts';
import { checkModelName } from '../../registry/model-name.ts';
import { proposeTask } from '../../task/propose.ts';
import type { VersionRecord } from '../../types.ts';
import type { AdminContext } from './context.ts';
import { stateOf, withError } from './entry.ts';
import { valuesOf } from './manifest-values.ts';
import { filesOf, findFieldOf, linesOf, manifestOf } from './upload-manifest.ts';
import { type AdminRoute, pageOf, retry, seeOther, type Visit } from './visit.ts';

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
      // Files may have expired meanwhile: the page looks which it must send again.
      response.headers.set('hx-trigger', 'upload-again');
      return response;
    }
  }

  /** The form, filled with what the files seem to be for, unless the person said something already. */
  async function propose(visit: Visit): Promise<Response> {
    const { form, frame, request } = visit;
    const state = stateOf(form, [...form.keys()]);
    try {
      const name = form.get('name')?.trim() || undefined;
      keepOpen(request);
      const files = filesOf(form.get('files'), frame.t('upload.noFiles'));
      const [found, ...more] = await control.registry.inspectUploads({ name, files });
      const proposal = found && more.length === 0 && proposeTask(found.inspection.signature, found.inspection.facts);
      const isSaid = (form.get('task') ?? 'tensor') !== 'tensor' || Boolean(form.get('manifest')?.trim());
      if (!proposal || isSaid) return verdictAlone(pageOf(uploadScreen(frame, { form: state, known: known() })));
      const { licence, description } = state.values;
      const typed = linesOf(state.values.labels);
      const labels = typed.length > 0 ? typed : found.manifest.labels;
      const values = { ...state.values, ...valuesOf({ ...proposal, labels, licence, description }) };
      return pageOf(uploadScreen(frame, { form: { ...state, values }, known: known(), proposal }));
    } catch (error) {
      return verdictAlone(retry(uploadScreen(frame, { form: withFault(frame.t, state, error), known: known() })));
    }
  }

  return [
    {
      method: 'POST',
      path: '/admin/upload/proposal',
      action: 'model.write',
      operation: 'previewImport',
      mostFormBytes,
      answer: propose,
    },
    {
      method: 'GET',
      path: '/admin/upload',
      action: 'model.write',
      operation: 'importModels',
      answer({ frame, url }) {
        const name = url.searchParams.get('name') ?? '';
        const form: FormState = { values: name ? { name, task: 'tensor' } : {}, errors: {} };
        return uploadScreen(frame, { form, known: known(), from: fromOf(control.source.allowed) });
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

function fromOf({ url, path }: AdminContext['control']['source']['allowed']): UploadView['from'] {
  if (url && path) return 'both';
  return url ? 'url' : path ? 'path' : undefined;
}

/** What a person is filling in meanwhile stays as it is. */
function verdictAlone(response: Response): Response {
  response.headers.set('hx-retarget', '#verdict');
  response.headers.set('hx-reselect', '#verdict');
  return response;
}

export function withFault(t: Visit['frame']['t'], state: FormState, error: unknown): FormState {
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
