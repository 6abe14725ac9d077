// The catalogue of ready models: what there is, and a form on each card that makes a model from it.
import { type Html, html } from '../html.ts';
import type { TemplatesView } from '../model-views.ts';
import { chip } from '../parts/chip.ts';
import { field, form } from '../parts/form.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import type { Frame } from '../view-types.ts';

/** Posts name-TEMPLATE to `/admin/templates/TEMPLATE/install`. */
export function templatesScreen(frame: Frame, { templates, tried }: TemplatesView): Html {
  const { t, viewer } = frame;
  return page(frame, {
    title: t('templates.title'),
    lead: t('templates.lead'),
    trail: [{ label: t('models.title'), href: '/admin/models' }],
    body: html`<div class="columns">
      ${templates.map(({ name, title, description, licence, task, suggestion }) => {
        const state = tried?.template === name ? tried.form : undefined;
        return card({
          title: t.said(title),
          actions: chip({ tone: 'idle', label: t(`task.${task}`) }),
          body: html`<div class="stack">
            <p>${t.said(description)}</p>
            <p class="quiet">${t('templates.licence', { licence })}</p>
            ${
              viewer?.may('template.install') &&
              form(frame, {
                action: `/admin/templates/${encodeURIComponent(name)}/install`,
                submit: t('templates.install'),
                state,
                fields: field(frame, {
                  name: `name-${name}`,
                  label: t('templates.name'),
                  hint: t('templates.nameHint'),
                  state,
                  value: suggestion,
                  required: true,
                  attributes: { maxlength: 128, autocomplete: 'off', spellcheck: 'false' },
                }),
              })
            }
          </div>`,
        });
      })}
    </div>`,
  });
}
