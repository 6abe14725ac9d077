// What happened: the audit trail and the sign-on log.
import { address } from '../address.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { field } from '../parts/form.ts';
import { emptyState } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { filterForm, logPages, table } from '../parts/table.ts';
import { instant } from '../parts/text-block.ts';
import type { AuditRow, AuditView, Frame, SignInRow, SignInsView, Tone } from '../view-types.ts';

const auditTones: Record<AuditRow['result'], Tone> = { ok: 'good', refused: 'warn', failed: 'bad' };

/**
 * Takes actor, action, target, since, until, before, and verify=1; `/admin/audit/export` takes the filters too and answers
 * JSON lines.
 */
export function auditScreen(frame: Frame, { rows, filter, before, isFirstPage, chain }: AuditView): Html {
  const { t } = frame;
  const path = '/admin/audit';
  const state = { values: filter, errors: {} };
  return page(frame, {
    title: t('audit.title'),
    lead: t('audit.lead'),
    state: chain && chainChip(frame, chain),
    actions: html`${button({ label: t('audit.verify'), icon: 'good', href: address(path, { ...filter, verify: 1 }) })}
    ${button({ label: t('audit.export'), icon: 'download', href: address(`${path}/export`, filter) })}`,
    body: [
      filterForm(t, {
        action: path,
        fields: [
          field(frame, { name: 'actor', label: t('audit.who'), state }),
          field(frame, { name: 'action', label: t('audit.action'), state }),
          field(frame, { name: 'target', label: t('audit.target'), state }),
          field(frame, { name: 'since', label: t('audit.since'), type: 'date', state }),
          field(frame, { name: 'until', label: t('audit.until'), type: 'date', state }),
        ],
      }),
      auditTable(frame, rows),
      html`${logPages(t, {
        newest: isFirstPage ? undefined : address(path, filter),
        older: before === undefined ? undefined : address(path, { ...filter, before }),
      })}`,
    ],
  });
}

function chainChip({ t }: Frame, { isIntact, brokenAt = 0 }: NonNullable<AuditView['chain']>): Html {
  return isIntact
    ? chip({ tone: 'good', label: t('audit.intact') })
    : chip({ tone: 'bad', label: t('audit.broken', { row: brokenAt }) });
}

function auditTable({ t }: Frame, rows: AuditRow[]): Html {
  return table<AuditRow>({
    caption: t('audit.title'),
    rows,
    empty: emptyState({ icon: 'audit', title: t('audit.none') }),
    columns: [
      { label: '#', cell: ({ number }) => t.number(number) },
      { label: t('audit.when'), cell: ({ atMs }) => instant(t, atMs) },
      { label: t('audit.who'), cell: ({ who }) => who },
      { label: t('audit.action'), cell: ({ action }) => html`<code>${action}</code>` },
      {
        label: t('audit.target'),
        cell: ({ target, before, after }) =>
          html`<div>
            ${target} ${(before !== undefined || after !== undefined) && change(t('audit.change'), before, after)}
          </div>`,
      },
      {
        label: t('audit.result'),
        cell: ({ result }) => chip({ tone: auditTones[result], label: t(`audit.result.${result}`) }),
      },
      { label: t('audit.from'), cell: ({ from }) => from },
    ],
  });
}

function change(label: string, before: string | undefined, after: string | undefined): Html {
  return html`<details class="change">
    <summary class="quiet">${label}</summary>
    ${before !== undefined && html`<pre><del>${before}</del></pre>`}
    ${after !== undefined && html`<pre><ins>${after}</ins></pre>`}
  </details>`;
}

const signInTones: Record<SignInRow['result'], Tone> = {
  ok: 'good',
  refused: 'warn',
  locked: 'bad',
  disabled: 'bad',
  'no-role': 'bad',
};

/** Takes name and before. */
export function signInsScreen(frame: Frame, { rows, name, before, isFirstPage }: SignInsView): Html {
  const { t } = frame;
  const path = '/admin/sign-ins';
  const state = { values: { name }, errors: {} };
  return page(frame, {
    title: t('signIns.title'),
    lead: t('signIns.lead'),
    body: [
      filterForm(t, { action: path, fields: [field(frame, { name: 'name', label: t('signIns.who'), state })] }),
      table<SignInRow>({
        caption: t('signIns.title'),
        rows,
        empty: emptyState({ icon: 'door', title: t('signIns.none') }),
        columns: [
          { label: t('signIns.when'), cell: ({ atMs }) => instant(t, atMs) },
          { label: t('signIns.who'), cell: ({ name }) => name },
          {
            label: t('signIns.result'),
            cell: ({ result, attempts }) =>
              html`<span>
                ${chip({ tone: signInTones[result], label: t(`signIns.result.${result}`) })}
                ${attempts > 1 && html`<small class="quiet">${t('signIns.attempts', { count: attempts })}</small>`}
              </span>`,
          },
          { label: t('signIns.way'), cell: ({ way }) => t(`signIns.way.${way}`) },
          { label: t('signIns.from'), cell: ({ from }) => from },
        ],
      }),
      html`${logPages(t, {
        newest: isFirstPage ? undefined : address(path, { name }),
        older: before === undefined ? undefined : address(path, { name, before }),
      })}`,
    ],
  });
}
