// The delivery log: what went, or is to go, to webhooks and by mail, and what was answered.
import { address } from '../address.ts';
import { type Html, html } from '../html.ts';
import type { DeliveriesView, DeliveryRow } from '../notify-views.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { hiddenFields, select } from '../parts/form.ts';
import { emptyState } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { filterForm, logPages, table } from '../parts/table.ts';
import { moment } from '../parts/text-block.ts';
import type { Frame } from '../view-types.ts';
import { notifyTabs, stateTones } from './notifications.ts';

const path = '/admin/notifications/deliveries';

/** Takes webhook, state and before; posts `back` to `/admin/notifications/deliveries/ID/retry`. */
export function deliveriesScreen(frame: Frame, view: DeliveriesView): Html {
  const { t } = frame;
  const { rows, filter, webhooks, before, isFirstPage } = view;
  const isFiltered = filter.webhook !== '' || filter.state !== '' || !isFirstPage;
  const isUsed = rows.length > 0 || isFiltered;
  const state = { values: filter, errors: {} };
  return page(frame, {
    title: t('notify.title'),
    lead: t('notify.lead'),
    body: [
      notifyTabs(frame, path),
      ...(isUsed
        ? [
            filterForm(t, {
              action: path,
              fields: [
                select(frame, {
                  name: 'webhook',
                  label: t('delivery.webhook'),
                  state,
                  options: [
                    { value: '', label: t('delivery.anyWebhook') },
                    ...webhooks.map(({ id, name }) => ({ value: id, label: name })),
                  ],
                }),
                select(frame, {
                  name: 'state',
                  label: t('delivery.state'),
                  state,
                  options: [
                    { value: '', label: t('delivery.anyState') },
                    ...(['pending', 'delivered', 'failed'] as const).map((value) => ({
                      value,
                      label: t(`delivery.state.${value}`),
                    })),
                  ],
                }),
              ],
            }),
          ]
        : []),
      deliveryTable(frame, rows, isFiltered),
      html`${logPages(t, {
        newest: isFirstPage ? undefined : address(path, filter),
        older: before === undefined ? undefined : address(path, { ...filter, before }),
      })}`,
    ],
  });
}

function deliveryTable(frame: Frame, rows: DeliveryRow[], isFiltered: boolean): Html {
  const { t } = frame;
  return table<DeliveryRow>({
    caption: t('notify.log'),
    rows,
    empty: isFiltered
      ? emptyState({ icon: 'bell', title: t('delivery.noMatch') })
      : emptyState({ icon: 'bell', title: t('delivery.none'), text: t('delivery.noneWhat') }),
    columns: [
      {
        label: t('delivery.what'),
        role: 'main',
        cell: ({ kind, title, queuedMs }) =>
          html`${title}<small class="one-line">${t(`event.${kind}`)} · ${moment(frame, queuedMs)}</small>`,
      },
      {
        label: t('delivery.to'),
        cell: ({ receiver, channel }) =>
          html`<div>${receiver} ${channel === 'mail' && html`<p class="hint">${t('mail.title')}</p>`}</div>`,
      },
      { label: t('delivery.state'), cell: (row) => stateCell(frame, row) },
      { label: t('delivery.attempts'), align: 'end', cell: ({ attempts }) => t.number(attempts) },
      { label: t('delivery.tried'), cell: ({ triedMs }) => moment(frame, triedMs) },
      {
        label: t('delivery.answer'),
        cell: ({ status, answer }) =>
          html`<span class="answer">${status !== undefined && html`<code>${status}</code>`} ${answer}</span>`,
      },
      { label: t('table.actions'), role: 'actions', cell: (row) => retryForm(frame, row) },
    ],
  });
}

function stateCell({ t, nowMs }: Frame, { state, nextMs }: DeliveryRow): Html {
  return html`<div>
    ${chip({ tone: stateTones[state], label: t(`delivery.state.${state}`) })}
    ${
      state === 'retrying' &&
      nextMs !== undefined &&
      html`<p class="hint">${t('delivery.next', { when: t.relative(Math.max(nextMs, nowMs), nowMs) })}</p>`
    }
  </div>`;
}

function retryForm({ t, csrf, path: back }: Frame, { id, state }: DeliveryRow): Html | undefined {
  if (state === 'delivered' || state === 'pending') return undefined;
  return html`<form method="post" action="${path}/${encodeURIComponent(id)}/retry">
    ${hiddenFields({ csrf, back })}${button({ label: t('delivery.retry'), submit: true })}
  </form>`;
}
