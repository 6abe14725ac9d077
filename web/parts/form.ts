// Forms: a form with its token and its errors, fields with label, hint and error in place. They post as any form does;
// the server answers 303 when it is done and the page again, with 422, when something is wrong.
import { attributes, type AttributeValue } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { icon } from '../icons.ts';
import type { FormState, Frame } from '../view-types.ts';
import { button } from './button.ts';
import { notice } from './notice.ts';

export interface FormProps {
  action: string;
  state?: FormState;
  /** The text of the submit button. */
  submit: string;
  /** danger: it destroys something. plain: not what the page is for. */
  kind?: 'primary' | 'plain' | 'danger';
  /** Where "Cancel" leads. */
  cancel?: string;
  fields: Html | Html[];
  hidden?: Record<string, string | number | undefined>;
  attributes?: Record<string, AttributeValue>;
}

export function form({ t, csrf }: Frame, props: FormProps): Html {
  const { action, state, submit, kind = 'primary', cancel, fields, hidden = {}, attributes: more = {} } = props;
  const faults = Object.keys(state?.errors ?? {}).filter((name) => name !== '').length;
  const fault = state?.errors[''];
  const general =
    (fault === undefined ? undefined : t.said(fault)) ??
    (faults > 0 ? t('field.faults', { count: faults }) : undefined);
  return html`<form class="form" method="post" action="${action}" ${attributes(more)}>
    ${hiddenFields({ csrf, ...hidden })} ${general && notice({ tone: 'bad', text: general })} ${fields}
    <div class="form-foot">
      ${button({ label: submit, kind, submit: true })}
      ${cancel !== undefined && button({ label: t('do.cancel'), kind: 'quiet', href: cancel })}
    </div>
  </form>`;
}

export function hiddenFields(values: Record<string, string | number | undefined>): Html[] {
  return Object.entries(values)
    .filter((entry): entry is [string, string | number] => entry[1] !== undefined)
    .map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`);
}

interface Labelled {
  name: string;
  label: string;
  hint?: string;
  /** Where its value and its error come from. */
  state?: FormState;
  required?: boolean;
}

export interface FieldProps extends Labelled {
  type?: 'text' | 'password' | 'number' | 'email' | 'url' | 'date' | 'datetime-local' | 'search';
  /** When the state has none. */
  value?: string | number;
  /** More lines than one. */
  rows?: number;
  /** Words after the input, e.g. a unit. */
  unit?: string;
  /** autocomplete, min, max, step, minlength, pattern, placeholder, spellcheck … */
  attributes?: Record<string, AttributeValue>;
}

export function field(frame: Frame, props: FieldProps): Html {
  const { name, type = 'text', value, rows, unit, state, required, attributes: more = {} } = props;
  // A password is never sent back.
  const current = type === 'password' ? '' : (state?.values[name] ?? value ?? '');
  const shared = attributes({ id: idOf(name), name, required, ...described(props), ...more });
  const input = rows
    ? html`<textarea rows="${rows}" ${shared}>${current}</textarea>`
    : html`<input type="${type}" value="${current}" ${shared} />`;
  return labelled(frame, props, unit ? html`<span class="with-unit">${input}<span>${unit}</span></span>` : input);
}

export interface Option {
  value: string;
  label: string;
  /** A sentence below it; radio buttons and checkboxes only. */
  hint?: string;
}

export interface SelectProps extends Labelled {
  options: Option[];
  value?: string;
}

export function select(frame: Frame, props: SelectProps): Html {
  const { name, options, state, required } = props;
  const current = state?.values[name] ?? props.value;
  return labelled(
    frame,
    props,
    html`<select${attributes({ id: idOf(name), name, required, ...described(props) })}>
      ${options.map(
        ({ value, label }) =>
          html`<option value="${value}" ${attributes({ selected: value === current })}>${label}</option>`,
      )}
    </select>`,
  );
}

export interface ChoicesProps extends Labelled {
  options: Option[];
  /** radio: one, sent under the name. checkbox: any number, each sent as "NAME.VALUE" with "on". */
  type: 'radio' | 'checkbox';
  /** What is chosen at first. */
  chosen: readonly string[];
}

/** A few options, all in sight. */
export function choices(props: ChoicesProps): Html {
  const { name, label, hint, options, type, state, required } = props;
  const isRadio = type === 'radio';
  return html`<fieldset
    class="field choices"
    ${attributes({ 'aria-describedby': described(props)['aria-describedby'] })}
  >
    <legend>${label}</legend>
    ${hint && html`<p class="hint" id="${idOf(name)}-hint">${hint}</p>`}
    ${options.map((option) => {
      const { value } = option;
      const sent = sentValues(state);
      const isChosen = isRadio ? sent?.[name] === value : sent?.[`${name}.${value}`] === 'on';
      const checked = sent ? isChosen : props.chosen.includes(value);
      const shared = isRadio ? { name, value, required } : { name: `${name}.${value}` };
      return html`<label class="tick">
        <input ${attributes({ type, checked, ...shared })} />
        <span>${option.label}${option.hint && html`<small>${option.hint}</small>`}</span>
      </label>`;
    })}
    ${fault(name, state)}
  </fieldset>`;
}

export interface CheckboxProps extends Labelled {
  /** Sent as "on" when ticked. */
  checked?: boolean;
}

export function checkbox(props: CheckboxProps): Html {
  const { name, label, hint, state } = props;
  const sent = sentValues(state);
  const checked = sent ? sent[name] === 'on' : props.checked;
  return html`<div class="field">
    <label class="tick">
      <input ${attributes({ type: 'checkbox', id: idOf(name), name, checked, ...described(props) })} />
      <span>${label}</span>
    </label>
    ${hint && html`<p class="hint" id="${idOf(name)}-hint">${hint}</p>`} ${fault(name, state)}
  </div>`;
}

function labelled({ t }: Frame, { name, label, hint, state, required }: Labelled, input: Html): Html {
  return html`<div class="field">
    <label for="${idOf(name)}">${label}${!required && html` <i>${t('field.optional')}</i>`}</label>
    ${input} ${hint && html`<p class="hint" id="${idOf(name)}-hint">${hint}</p>`} ${fault(name, state, t)}
  </div>`;
}

function described({ name, hint, state }: Labelled): Record<string, AttributeValue> {
  const isWrong = state?.errors[name] !== undefined;
  const ids = [isWrong && `${idOf(name)}-fault`, hint && `${idOf(name)}-hint`].filter(Boolean).join(' ');
  return { 'aria-invalid': isWrong && 'true', 'aria-describedby': ids || undefined };
}

function fault(name: string, state: FormState | undefined, t?: Frame['t']): Html | undefined {
  const message = state?.errors[name];
  if (message === undefined) return undefined;
  return html`<p class="fault" id="${idOf(name)}-fault">${icon('bad')}${t ? t.said(message) : message}</p>`;
}

/** An empty box is not sent, so what was sent can only be told apart from a form that was never filled in as a whole. */
function sentValues(state: FormState | undefined): Record<string, string> | undefined {
  return state && Object.keys(state.values).length > 0 ? state.values : undefined;
}

function idOf(name: string): string {
  return `field-${name}`;
}
