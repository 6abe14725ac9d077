// Another version with the same files: the form with everything that a person says about a model, filled with what the
// version has.
import { type Html, html } from '../html.ts';
import type { DeriveView } from '../model-views.ts';
import { form } from '../parts/form.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import type { Frame } from '../view-types.ts';
import { faultNotice, manifestFields } from './manifest-fields.ts';
import { modelPath } from './models.ts';
import { signatureCard } from './version.ts';

/** Posts to `…/versions/N/derive`. */
export function deriveScreen(frame: Frame, { head, version, form: state }: DeriveView): Html {
  const { t } = frame;
  const number = String(version.version);
  const path = modelPath(head.name, `/versions/${number}`);
  return page(frame, {
    title: t('derive.title', { version: number }),
    lead: t('derive.lead'),
    trail: [
      { label: t('models.title'), href: '/admin/models' },
      { label: head.name, href: modelPath(head.name) },
      { label: t('version.number', { version: number }), href: path },
    ],
    body: html`${card({
      body: form(frame, {
        action: `${path}/derive`,
        submit: t('derive.do'),
        cancel: path,
        attributes: { 'data-by-task': true, novalidate: true },
        fields: html`${faultNotice(frame, state, t('derive.refused'))} ${manifestFields(frame, state)}`,
      }),
    })}
    ${signatureCard(frame, version)}`,
  });
}
