// Dialogs, opened by buttons without script, and the question before something is destroyed.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import type { IconName } from '../icons.ts';
import type { Frame } from '../view-types.ts';
import { button, type ButtonProps, toolButton } from './button.ts';
import { hiddenFields } from './form.ts';

export interface DialogProps {
  id: string;
  title: string;
  body: Html | Html[];
}

/** Opened by a button with `opens(id)` among its attributes. */
export function dialog({ t }: Frame, { id, title, body }: DialogProps): Html {
  return html`<dialog id="${id}" aria-labelledby="${id}-title">
    <header>
      <h2 id="${id}-title">${title}</h2>
      ${toolButton({ icon: 'cross', label: t('do.close'), attributes: { command: 'close', commandfor: id } })}
    </header>
    ${body}
  </dialog>`;
}

/** Attributes of the button that opens a dialog. */
export function opens(id: string): Record<string, string> {
  return { command: 'show-modal', commandfor: id, 'aria-haspopup': 'dialog' };
}

export interface ConfirmProps {
  /** Of the dialog; unique on the page. */
  id: string;
  label: string;
  icon?: IconName;
  kind?: ButtonProps['kind'];
  /** What will happen, and to what. */
  what: string | Html;
  /** Where it is posted to. */
  action: string;
  hidden?: Record<string, string | number | undefined>;
  /** What is to be chosen first. */
  fields?: Html;
  /** A name to be typed first, where much would be lost. */
  typed?: string;
  /** It destroys nothing. */
  harmless?: boolean;
}

/** A button that asks first and then posts. */
export function confirmButton(frame: Frame, props: ConfirmProps): Html {
  const { id, label, icon, kind = 'plain', what, action, hidden = {}, fields, typed, harmless } = props;
  const { t, csrf } = frame;
  const body = html`<form class="form" method="post" action="${action}">
    ${hiddenFields({ csrf, ...hidden })}
    <p>${what}</p>
    ${fields}
    ${
      typed !== undefined &&
      html`<div class="field">
        <label for="${id}-typed">${t('confirm.type', { name: typed })}</label>
        <input
          ${attributes({ id: `${id}-typed`, autofocus: true, required: true, autocomplete: 'off', spellcheck: 'false', pattern: exactly(typed) })}
        />
      </div>`
    }
    <div class="form-foot">
      ${button({ label, kind: harmless ? 'primary' : 'danger', submit: true })}
      ${button({ label: t('do.cancel'), kind: 'quiet', attributes: { command: 'close', commandfor: id, autofocus: typed === undefined } })}
    </div>
  </form>`;
  return html`${button({ label, icon, kind, attributes: opens(id) })} ${dialog(frame, { id, title: label, body })}`;
}

/** A pattern that only this text fits. */
function exactly(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
