// The catalogue of ready models, and making a model from one.
import { modelPath } from '../../../web/screens/models.ts';
import { templatesScreen } from '../../../web/screens/templates.ts';
import type { FormState } from '../../../web/view-types.ts';
import { checkModelName } from '../../registry/model-name.ts';
import type { AdminContext } from './context.ts';
import { stateOf, withError } from './entry.ts';
import { type AdminRoute, retry, seeOther, type Visit } from './visit.ts';

export function templateRoutes({ control, keepOpen }: AdminContext): AdminRoute[] {
  function screen({ frame }: Visit, tried?: { template: string; form: FormState }) {
    const taken = new Set(control.registry.listModels().map(({ name }) => name));
    const templates = control
      .templates()
      .map((template) => ({ ...template, suggestion: freeName(template.name, taken) }));
    return templatesScreen(frame, { templates, tried });
  }

  return [
    {
      method: 'GET',
      path: '/admin/templates',
      action: 'template.read',
      operation: 'listTemplates',
      answer: (visit) => screen(visit),
    },
    {
      method: 'POST',
      path: '/admin/templates/:template/install',
      action: 'template.install',
      operation: 'installTemplate',
      async answer(visit) {
        const { frame, form, params, request } = visit;
        const template = params.template!;
        const field = `name-${template}`;
        const name = form.get(field)?.trim() ?? '';
        try {
          checkModelName(name);
          keepOpen(request);
          const { model, version } = await control.installTemplate(template, name);
          visit.note({ target: `${model}:${version}`, after: { template } });
          return seeOther(modelPath(model), { tone: 'good', text: frame.t('templates.installed', { name: model }) });
        } catch (error) {
          const shown = withError(stateOf(form, [field]), error);
          return retry(screen(visit, { template, form: { ...shown, errors: { [field]: shown.errors['']! } } }));
        }
      },
    },
  ];
}

/** The template's own name where it is free, so that nobody adds a version to something by accident. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number++) {
    if (!taken.has(`${name}-${number}`)) return `${name}-${number}`;
  }
}
