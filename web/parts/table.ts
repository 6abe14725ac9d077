// Tables, which become a list of cards where there is no room; the search field above and the pages below them.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { icon } from '../icons.ts';
import type { Text } from '../text/text.ts';
import type { Page } from '../view-types.ts';
import { button, toolButton } from './button.ts';

export interface Column<Row> {
  label: string;
  /** end: numbers. */
  align?: 'end';
  /** main: the name of the row, set in bold and first on a card. actions: buttons, without a label on a card. */
  role?: 'main' | 'actions';
  cell(row: Row): Html | string | number | undefined | false;
}

export interface TableProps<Row> {
  /** What the table lists; for screen readers. */
  caption: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  /** In place of a table without rows. */
  empty: Html;
  /** Target of htmx requests: replaced as a whole. */
  id?: string;
  rowAttributes?(row: Row): Record<string, string | undefined>;
}

export function table<Row>(props: TableProps<Row>): Html {
  const { caption, columns, rows, empty, id, rowAttributes } = props;
  if (rows.length === 0) return html`<div${attributes({ id })}>${empty}</div>`;
  // The roles are said again because a card layout takes them from the elements.
  return html`<div class="table-box" ${attributes({ id })}>
    <table role="table">
      <caption class="unseen">
        ${caption}
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          ${columns.map(
            ({ label, align, role }) =>
              html`<th role="columnheader" scope="col" ${attributes({ class: align })}>
                ${role === 'actions' ? html`<span class="unseen">${label}</span>` : label}
              </th>`,
          )}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map(
          (row) =>
            html`<tr role="row" ${attributes(rowAttributes?.(row) ?? {})}>
              ${columns.map(({ label, align, role, cell }) => {
                const classes = [align, role].filter(Boolean).join(' ') || undefined;
                return html`<td${attributes({ role: 'cell', class: classes, 'data-label': label })}>${cell(row)}</td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

export interface SearchProps {
  /** The page itself: it answers `?q=` with the same page, of which the target is taken. */
  action: string;
  label: string;
  value: string;
  /** Id of the element that holds the results. */
  target: string;
  /** Further fields of the same form. */
  fields?: Html;
}

/** Searches while one types; `/` focuses it. Works without script too. */
export function searchField(t: Text, { action, label, value, target, fields }: SearchProps): Html {
  const live = {
    'hx-get': action,
    'hx-trigger': 'input delay:250ms, submit',
    'hx-select': `#${target}`,
    'hx-target': `#${target}`,
    'hx-swap': 'outerHTML',
    'hx-replace-url': 'true',
    'hx-sync': 'this:replace',
  };
  return html`<form class="search" role="search" method="get" action="${action}" ${attributes(live)}>
    <label class="search-box">
      <span class="unseen">${label}</span>
      ${icon('search')}
      <input type="search" name="q" value="${value}" placeholder="${label}" autocomplete="off" data-search />
      <kbd aria-hidden="true">/</kbd>
    </label>
    ${fields}
    <noscript>${button({ label: t('do.search'), submit: true })}</noscript>
  </form>`;
}

/** @param href the address of a page, by its number from 1 */
export function pagination(t: Text, { number, size, total }: Page, href: (page: number) => string): Html | undefined {
  const last = Math.max(1, Math.ceil(total / size));
  if (last === 1) return undefined;
  const from = (number - 1) * size + 1;
  return html`<nav class="pages" aria-label="${t('list.pages')}">
    <span>${t('list.range', { from, to: Math.min(total, from + size - 1), total })}</span>
    ${pageButton('left', t('list.previous'), number > 1 ? href(number - 1) : undefined)}
    ${pageButton('right', t('list.next'), number < last ? href(number + 1) : undefined)}
  </nav>`;
}

export interface FilterProps {
  action: string;
  fields: Html[];
}

/** Filters that are applied by a button. */
export function filterForm(t: Text, { action, fields }: FilterProps): Html {
  return html`<form class="filters" role="search" method="get" action="${action}">
    ${fields}
    <div class="actions">
      ${button({ label: t('do.filter'), submit: true })}
      ${button({ label: t('do.clear'), kind: 'quiet', href: action })}
    </div>
  </form>`;
}

/** Pages of a log that grows: from the newest on. Absent: there is nothing that way. */
export function logPages(t: Text, { newest, older }: { newest?: string; older?: string }): Html | undefined {
  if (newest === undefined && older === undefined) return undefined;
  return html`<nav class="pages" aria-label="${t('list.pages')}">
    ${newest !== undefined && button({ label: t('list.newest'), kind: 'quiet', icon: 'left', href: newest })}
    ${older !== undefined && button({ label: t('list.older'), href: older })}
  </nav>`;
}

function pageButton(name: 'left' | 'right', label: string, href: string | undefined): Html {
  return toolButton({ icon: name, label, href, attributes: { disabled: href === undefined } });
}
