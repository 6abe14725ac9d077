// The log of what was decided about instances, and why: its latest entries, and all of it with a filter.
import { address } from '../address.ts';
import { type Html, html } from '../html.ts';
import type { DecisionKind, DecisionRow, DecisionsView } from '../machine-views.ts';
import { chip } from '../parts/chip.ts';
import { field, select } from '../parts/form.ts';
import { emptyState } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { filterForm, logPages, table } from '../parts/table.ts';
import { moment, timeline } from '../parts/text-block.ts';
import type { Frame, Tone } from '../view-types.ts';
import { said } from './devices.ts';
import { instanceTabs } from './instances.ts';

const kindTones: Record<DecisionKind, Tone> = {
  placed: 'info',
  evicted: 'warn',
  refused: 'warn',
  moved: 'warn',
  lost: 'bad',
  scaled: 'info',
  failed: 'bad',
  restarted: 'warn',
  provider: 'info',
  measured: 'idle',
  shrunk: 'warn',
  loaded: 'good',
  unloaded: 'idle',
};

/** Newest first. */
export function decisionTimeline(frame: Frame, decisions: DecisionRow[]): Html {
  const { t } = frame;
  if (decisions.length === 0) {
    return emptyState({ icon: 'clock', title: t('decisions.noneYet'), text: t('decisions.noneWhat') });
  }
  return timeline(
    frame,
    decisions.map(({ atMs, kind, model, version, device, reason }) => ({
      atMs,
      tone: kindTones[kind],
      title: html`<b>${t(`decision.kind.${kind}`)}</b> ${model !== undefined && nameOf(model, version)}
        ${device !== undefined && html`<span class="quiet">${device}</span>`}`,
      text: said(t, reason),
    })),
  );
}

function nameOf(model: string, version: number | undefined): Html {
  const name = version === undefined ? model : `${model}:${version}`;
  return html`<a href="/admin/models/${encodeURIComponent(model)}">${name}</a>`;
}

/** Takes model, kind and before. */
export function decisionsScreen(frame: Frame, { rows, filter, before, isFirstPage }: DecisionsView): Html {
  const { t } = frame;
  const path = '/admin/decisions';
  const state = { values: filter, errors: {} };
  const kinds = Object.keys(kindTones) as DecisionKind[];
  return page(frame, {
    title: t('decisions.title'),
    lead: t('decisions.lead'),
    trail: [{ label: t('instances.title'), href: '/admin/instances' }],
    body: [
      instanceTabs(t, path),
      filterForm(t, {
        action: path,
        fields: [
          select(frame, {
            name: 'kind',
            label: t('decision.kind'),
            state,
            options: [
              { value: '', label: t('decision.anyKind') },
              ...kinds.map((kind) => ({ value: kind, label: t(`decision.kind.${kind}`) })),
            ],
          }),
          field(frame, { name: 'model', label: t('decision.model'), state, attributes: { autocomplete: 'off' } }),
        ],
      }),
      table<DecisionRow>({
        caption: t('decisions.title'),
        rows,
        empty:
          filter.model === '' && filter.kind === ''
            ? emptyState({ icon: 'clock', title: t('decisions.noneYet'), text: t('decisions.noneWhat') })
            : emptyState({ icon: 'clock', title: t('decisions.none') }),
        columns: [
          { label: t('decision.when'), cell: ({ atMs }) => moment(frame, atMs) },
          {
            label: t('decision.kind'),
            cell: ({ kind }) => chip({ tone: kindTones[kind], label: t(`decision.kind.${kind}`) }),
          },
          {
            label: t('decision.model'),
            cell: ({ model, version }) => model !== undefined && nameOf(model, version),
          },
          { label: t('decision.device'), cell: ({ device }) => device },
          { label: t('decision.reason'), cell: ({ reason }) => said(t, reason) },
        ],
      }),
      html`${logPages(t, {
        newest: isFirstPage ? undefined : address(path, filter),
        older: before === undefined ? undefined : address(path, { ...filter, before }),
      })}`,
    ],
  });
}
