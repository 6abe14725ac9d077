// Bringing a model in: its files, what it is called and for, and what must be known to feed it. The rest is found out when
// the files are looked at; the page of the new version shows it.
import { type Html, html } from '../html.ts';
import type { UploadView } from '../model-views.ts';
import { field, form } from '../parts/form.ts';
import { progress } from '../parts/meter.ts';
import { notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import { upload } from '../parts/upload.ts';
import type { FormState, Frame } from '../view-types.ts';
import { faultNotice, manifestFields } from './manifest-fields.ts';
import { shapeText } from './version.ts';

/**
 * Posts to `/admin/upload`, and to `/admin/upload/proposal` when the files have arrived. Only the part with the id "details" is replaced when something is wrong, so that the files that
 * were chosen stay.
 */
export function uploadScreen(frame: Frame, { form: state, known, from, proposal }: UploadView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('upload.title'),
    lead: t('upload.lead'),
    trail: [{ label: t('models.title'), href: '/admin/models' }],
    body: card({
      body: form(frame, {
        action: '/admin/upload',
        submit: t('upload.submit'),
        cancel: '/admin/models',
        attributes: {
          'data-by-task': true,
          // A field of a task that is not chosen must not hold the form up; the server says what is wrong.
          novalidate: true,
          'hx-post': '/admin/upload',
          'hx-target': '#details',
          'hx-select': '#details',
          'hx-swap': 'outerHTML',
          'hx-disable': 'find [type=submit]',
        },
        fields: [
          // When all have arrived the server looks what the model seems to be for.
          html`<div
            hx-post="/admin/upload/proposal"
            hx-trigger="upload-complete"
            hx-include="closest form"
            hx-target="#details"
            hx-select="#details"
            hx-swap="outerHTML"
            hx-indicator="closest form"
            hx-disable="next [type=submit]"
          >
            ${upload(t, { name: 'files', hint: t('upload.hint'), from })}
          </div>`,
          html`<div class="stack" id="details">
            <div id="verdict">
              ${faultNotice(frame, state, t('upload.refused'))} ${proposal && proposalNotice(frame, proposal)}
            </div>
            ${nameField(frame, state, known)} ${manifestFields(frame, state)}
          </div>`,
          html`<div class="while-sent" role="status">
            ${progress(t('upload.looking'), undefined)}
            <p class="hint">${t('upload.looking')}</p>
          </div>`,
        ],
      }),
    }),
  });
}

function nameField(frame: Frame, state: FormState, known: string[]): Html {
  const { t } = frame;
  const plain = { autocomplete: 'off', spellcheck: 'false' };
  return html`${field(frame, {
      name: 'name',
      label: t('model.name'),
      hint: t('upload.nameHint'),
      state,
      attributes: { ...plain, maxlength: 128, list: 'known-models', 'data-named-by-file': true },
    })} <datalist id="known-models">${known.map((name) => html`<option value="${name}"></option>`)}</datalist>`;
}

/** What it was read off, and that it may be wrong. */
function proposalNotice({ t }: Frame, { task, input, output }: NonNullable<UploadView['proposal']>): Html {
  return notice({
    tone: 'info',
    title: t('upload.proposal', { task: t(`task.${task}`) }),
    text: t('upload.proposalWhat', {
      input: `${input.name} ${shapeText(input)}`,
      output: `${output.name} ${shapeText(output)}`,
    }),
  });
}
