// Buttons and links that look like buttons.
import { attributes, type AttributeValue } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { icon, type IconName } from '../icons.ts';

export interface ButtonProps {
  label: string;
  icon?: IconName;
  /** primary: the one thing to do here. danger: it destroys something. */
  kind?: 'primary' | 'plain' | 'quiet' | 'danger';
  /** Makes it a link. */
  href?: string;
  /** Without it a button does nothing by itself: give it `attributes` (htmx, popovertarget, commandfor). */
  submit?: boolean;
  attributes?: Record<string, AttributeValue>;
}

export function button(props: ButtonProps): Html {
  const { label, icon: name, kind = 'plain', href, submit, attributes: more = {} } = props;
  const content = html`${name && icon(name)}<span>${label}</span>`;
  if (href !== undefined) return html`<a class="button ${kind}" href="${href}" ${attributes(more)}>${content}</a>`;
  return html`<button class="button ${kind}" type="${submit ? 'submit' : 'button'}" ${attributes(more)}>
    ${content}
  </button>`;
}

export interface ToolButtonProps {
  icon: IconName;
  /** What it does: its name for a screen reader and its tooltip. */
  label: string;
  href?: string;
  submit?: boolean;
  class?: string;
  attributes?: Record<string, AttributeValue>;
}

/** An icon alone. */
export function toolButton({
  icon: name,
  label,
  href,
  submit,
  class: more = '',
  attributes: rest = {},
}: ToolButtonProps): Html {
  const shared = attributes({ class: `tool ${more}`.trim(), 'aria-label': label, title: label, ...rest });
  return href === undefined
    ? html`<button type="${submit ? 'submit' : 'button'}" ${shared}>${icon(name)}</button>`
    : html`<a href="${href}" ${shared}>${icon(name)}</a>`;
}
