// The page that makes another version of the files of one, with other settings.
import { deriveScreen } from '../../../web/screens/derive.ts';
import { modelPath } from '../../../web/screens/models.ts';
import type { FormState } from '../../../web/view-types.ts';
import { parseVersion } from '../api/context.ts';
import type { AdminContext } from './context.ts';
import { stateOf } from './entry.ts';
import { valuesOf } from './manifest-values.ts';
import { headOf, versionOf } from './model-view.ts';
import { manifestOf } from './upload-manifest.ts';
import { withFault } from './upload.ts';
import { type AdminRoute, retry, seeOther, type Visit } from './visit.ts';

/** Labels may be many. */
const mostFormBytes = 4 * 1024 * 1024;

/** What the form leaves empty is taken away. */
const nothing = { labels: null, preprocess: null, postprocess: null, licence: null, description: null };

export function deriveRoutes({ control }: AdminContext): AdminRoute[] {
  const path = '/admin/models/:name/versions/:version/derive';
  const sourceOf = ({ params }: Visit) => versionOf(control, params.name!, parseVersion(params.version!));
  const show = (visit: Visit, form: FormState) =>
    deriveScreen(visit.frame, { head: headOf(control, visit.params.name!), version: sourceOf(visit), form });

  return [
    {
      method: 'GET',
      path,
      action: 'model.write',
      operation: 'deriveVersion',
      answer(visit) {
        const { manifest } = sourceOf(visit);
        return show(visit, { values: valuesOf(manifest, { serving: manifest.serving }), errors: {} });
      },
    },
    {
      method: 'POST',
      path,
      action: 'model.write',
      operation: 'deriveVersion',
      mostFormBytes,
      async answer(visit) {
        const { form, frame } = visit;
        const { model, version } = sourceOf(visit);
        try {
          const change = { ...nothing, ...manifestOf(form) };
          const made = await control.deriveVersion(model, version, change, { load: false });
          visit.note({ target: `${model}:${made.version}`, after: { from: `${model}:${version}` } });
          const text = frame.t('derive.done');
          return seeOther(modelPath(model, `/versions/${made.version}`), { tone: 'good', text });
        } catch (error) {
          return retry(show(visit, withFault(frame.t, stateOf(form, [...form.keys()]), error)));
        }
      },
    },
  ];
}
