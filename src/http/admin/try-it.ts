// The page on which a person tries a model. It only tells the browser what the model takes: the browser then calls the
// same addresses as any other client.
import { modelPath } from '../../../web/screens/models.ts';
import { tryScreen } from '../../../web/screens/try-it.ts';
import { parseVersion } from '../api/context.ts';
import type { AdminContext } from './context.ts';
import { findShown, headOf, versionOf } from './model-view.ts';
import { type AdminRoute, seeOther } from './visit.ts';

export function tryRoutes({ control }: AdminContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/models/:name/try',
      action: 'model.predict',
      operation: 'predict',
      answer({ frame, params, url }) {
        const name = params.name!;
        const wanted = url.searchParams.get('version');
        const shown = wanted === null ? findShown(control, name) : versionOf(control, name, parseVersion(wanted));
        if (!shown) return seeOther(modelPath(name));
        const { manifest, signature, version, state } = shown;
        return tryScreen(frame, {
          head: headOf(control, name),
          version,
          state,
          task: manifest.task,
          inputs: signature.inputs,
          versions: control.registry.getModel(name).versions.toReversed(),
          ...(manifest.preprocess?.kind === 'table' && { columns: manifest.preprocess.columns }),
        });
      },
    },
  ];
}
