// Tabs: links between pages that belong together, and panels that are switched without the server (and without script).
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import type { Text } from '../text/text.ts';
import { codeBlock } from './text-block.ts';

export interface Tab {
  label: string;
  href: string;
  count?: number;
}

/** @param current href of the tab that is shown */
export function tabs(t: Text, label: string, entries: Tab[], current: string): Html {
  return html`<nav class="tabs" aria-label="${label}">
    ${entries.map(
      ({ label, href, count }) =>
        html`<a href="${href}" ${attributes({ 'aria-current': href === current && 'page' })}>
          ${label}${count !== undefined && html`<span class="count">${t.number(count)}</span>`}
        </a>`,
    )}
  </nav>`;
}

/**
 * The same example in several languages, at most four.
 * @param id unique on the page
 */
export function codeTabs(t: Text, id: string, label: string, blocks: { title: string; text: string }[]): Html {
  return html`<fieldset class="code-tabs">
    <legend class="unseen">${label}</legend>
    <div class="code-tabs-row">
      ${blocks.map(
        ({ title }, i) =>
          html`<label
            ><input type="radio" name="${id}" ${attributes({ checked: i === 0 })} /><span>${title}</span></label
          >`,
      )}
    </div>
    ${blocks.map(({ text }) => codeBlock(t, { text }))}
  </fieldset>`;
}

/** A part of a page with a heading of its own. */
export interface CardProps {
  title?: string;
  /** At the right of the title. */
  actions?: Html;
  body: Html | Html[];
  /** Without padding: a table fills it. */
  flush?: boolean;
}

export function card({ title, actions, body, flush }: CardProps): Html {
  return html`<section class="card ${flush && 'flush'}">
    ${
      title &&
      html`<header>
        <h2>${title}</h2>
        ${actions}
      </header>`
    }
    ${body}
  </section>`;
}
