// What administrators set about notifications: webhooks and mail, the form of a webhook, its secret, shown once.
import { type Html, html } from '../html.ts';
import type { ReceiversView, ShownState, WebhookFormView, WebhookRow, WebhookShownView } from '../notify-views.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { confirmButton } from '../parts/dialog.ts';
import { checkbox, choices, field, form, hiddenFields } from '../parts/form.ts';
import { emptyState, notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { table } from '../parts/table.ts';
import { card, codeTabs, tabs } from '../parts/tabs.ts';
import { codeBlock, moment } from '../parts/text-block.ts';
import { pythonCheck, typescriptCheck } from '../signature-examples.ts';
import type { Frame, Tone } from '../view-types.ts';

const home = '/admin/notifications';

export const stateTones: Record<ShownState, Tone> = {
  pending: 'idle',
  retrying: 'warn',
  delivered: 'good',
  failed: 'bad',
};

export function notifyTabs({ t }: Frame, current: string): Html {
  const entries = [
    { label: t('notify.receivers'), href: home },
    { label: t('notify.log'), href: `${home}/deliveries` },
  ];
  return tabs(t, t('notify.tabs'), entries, current);
}

/** Posts nothing to `/admin/notifications/test-mail`, and to `/admin/notifications/webhooks/ID/test`. */
export function receiversScreen(frame: Frame, view: ReceiversView): Html {
  const { t } = frame;
  const { webhooks, isOn } = view;
  return page(frame, {
    title: t('notify.title'),
    lead: t('notify.lead'),
    actions: isOn && webhooks.length > 0 ? addButton(frame) : undefined,
    body: [
      notifyTabs(frame, home),
      ...(isOn ? [] : [notice({ tone: 'info', title: t('notify.off'), text: t('notify.offWhat') })]),
      webhooks.length === 0
        ? webhookTable(frame, view)
        : card({ title: t('webhooks.title'), flush: true, body: webhookTable(frame, view) }),
      mailCard(frame, view),
    ],
  });
}

const addButton = ({ t }: Frame) =>
  button({ label: t('webhooks.add'), icon: 'plus', kind: 'primary', href: `${home}/webhooks/new` });

function webhookTable(frame: Frame, { webhooks, isOn }: ReceiversView): Html {
  const { t } = frame;
  return table<WebhookRow>({
    caption: t('webhooks.title'),
    rows: webhooks,
    empty: emptyState({
      icon: 'bell',
      title: t('webhooks.none'),
      text: t('webhooks.noneWhat'),
      action: isOn ? addButton(frame) : undefined,
    }),
    columns: [
      {
        label: t('webhook.name'),
        role: 'main',
        cell: (row) => html`<a href="${pathOf(row)}">${row.name}</a><small class="one-line">${row.url}</small>`,
      },
      { label: t('webhook.kinds'), cell: ({ kinds }) => kindsText(frame, kinds) },
      {
        label: t('webhook.about'),
        cell: ({ environment, endpoint }) => [environment, endpoint].filter(Boolean).join(' · ') || t('webhook.any'),
      },
      {
        label: t('webhook.state'),
        cell: ({ isEnabled }) =>
          chip({ tone: isEnabled ? 'good' : 'idle', label: t(isEnabled ? 'webhook.on' : 'webhook.off') }),
      },
      {
        label: t('webhook.last'),
        cell: ({ last }) =>
          last
            ? html`<div>
                ${chip({ tone: stateTones[last.state], label: t(`delivery.state.${last.state}`) })}
                <p class="hint">${moment(frame, last.atMs)}</p>
              </div>`
            : html`<span class="quiet">${t('value.never')}</span>`,
      },
      { label: t('table.actions'), role: 'actions', cell: (row) => testForm(frame, row) },
    ],
  });
}

function kindsText({ t }: Frame, kinds: WebhookRow['kinds']): string {
  return kinds === '*' ? t('webhook.allKinds') : kinds.map((kind) => t(`event.${kind}`)).join(t('value.comma'));
}

function testForm({ t, csrf }: Frame, row: WebhookRow): Html {
  return html`<form method="post" action="${pathOf(row)}/test">
    ${hiddenFields({ csrf })}${button({ label: t('webhook.test'), submit: true })}
  </form>`;
}

function mailCard({ t, csrf }: Frame, { mailFrom, ownAddress }: ReceiversView): Html {
  const isOn = mailFrom !== undefined;
  const test =
    ownAddress === undefined
      ? html`<p class="hint">${t('mail.noAddress')} <a href="/admin/account">${t('account.title')}</a></p>`
      : html`<form method="post" action="${home}/test-mail">
          ${hiddenFields({ csrf })}${button({ label: t('mail.test'), submit: true })}
        </form>`;
  return card({
    title: t('mail.title'),
    actions: chip({ tone: isOn ? 'good' : 'idle', label: t(isOn ? 'mail.on' : 'mail.off') }),
    body: html`<div class="mail-state">
      <p>${isOn ? t('mail.onWhat', { from: mailFrom }) : t('mail.offWhat')}</p>
      ${isOn && test}
    </div>`,
  });
}

/**
 * Posts name, url, kinds.KIND, environment, endpoint and, for one that is there, enabled to
 * `/admin/notifications/webhooks` or `…/ID`; below it `/test`, `/secret` and `/remove`.
 */
export function webhookFormScreen(frame: Frame, view: WebhookFormView): Html {
  const { t } = frame;
  const { webhook, isOn } = view;
  return page(frame, {
    title: webhook ? t('webhook.edit', { name: webhook.name }) : t('webhooks.add'),
    trail: [{ label: t('notify.title'), href: home }],
    actions: webhook && webhookActions(frame, webhook),
    body: [
      ...(isOn ? [] : [notice({ tone: 'warn', title: t('notify.off'), text: t('notify.offWhat') })]),
      card({ body: webhookForm(frame, view) }),
    ],
  });
}

function webhookForm(frame: Frame, { webhook, form: state, kinds }: WebhookFormView): Html {
  const { t } = frame;
  const plain = { autocomplete: 'off', spellcheck: 'false' };
  return form(frame, {
    action: webhook ? pathOf(webhook) : `${home}/webhooks`,
    state,
    submit: webhook ? t('do.save') : t('webhook.make'),
    cancel: home,
    fields: [
      field(frame, {
        name: 'name',
        label: t('webhook.name'),
        hint: t('webhook.nameHint'),
        state,
        value: webhook?.name,
        required: true,
        attributes: { ...plain, maxlength: 80 },
      }),
      field(frame, {
        name: 'url',
        label: t('webhook.url'),
        hint: t('webhook.urlHint'),
        type: 'url',
        state,
        value: webhook?.url,
        required: true,
        attributes: { ...plain, maxlength: 2000 },
      }),
      choices({
        name: 'kinds',
        label: t('webhook.kinds'),
        hint: t('webhook.kindsHint'),
        type: 'checkbox',
        state,
        chosen: webhook && webhook.kinds !== '*' ? webhook.kinds : [],
        options: kinds.map((value) => ({ value, label: t(`event.${value}`) })),
      }),
      html`<div class="fields">
        ${(['environment', 'endpoint'] as const).map((name) =>
          field(frame, {
            name,
            label: t(`webhook.${name}`),
            hint: t('webhook.anyHint'),
            state,
            value: webhook?.[name],
            attributes: { ...plain, maxlength: 128 },
          }),
        )}
      </div>`,
      ...(webhook
        ? [
            checkbox({
              name: 'enabled',
              label: t('webhook.enabled'),
              hint: t('webhook.enabledHint'),
              state,
              checked: webhook.isEnabled,
            }),
          ]
        : []),
    ],
  });
}

function webhookActions(frame: Frame, webhook: WebhookRow): Html {
  const { t } = frame;
  return html`${testForm(frame, webhook)}
  ${confirmButton(frame, {
    id: 'renew',
    label: t('webhook.renew'),
    icon: 'key',
    what: t('webhook.renewWhat'),
    action: `${pathOf(webhook)}/secret`,
  })}
  ${confirmButton(frame, {
    id: 'remove',
    label: t('webhook.remove'),
    icon: 'trash',
    kind: 'danger',
    what: t('webhook.removeWhat', { name: webhook.name }),
    action: `${pathOf(webhook)}/remove`,
  })}`;
}

/** Never to be cached. */
export function webhookShownScreen(frame: Frame, { name, secret }: WebhookShownView): Html {
  const { t } = frame;
  const checks = [
    { title: 'Python', text: pythonCheck },
    { title: 'TypeScript', text: typescriptCheck },
  ];
  return page(frame, {
    title: t('webhookShown.title', { name }),
    trail: [{ label: t('notify.title'), href: home }],
    body: html`${notice({ tone: 'warn', text: t('webhookShown.what') })}
      ${card({ title: name, body: codeBlock(t, { text: secret }) })}
      ${card({ title: t('webhookShown.how'), body: codeTabs(t, 'check', t('webhookShown.how'), checks) })}
      <div class="actions">${button({ label: t('webhookShown.done'), kind: 'primary', href: home })}</div>`,
  });
}

const pathOf = ({ id }: { id: string }) => `${home}/webhooks/${encodeURIComponent(id)}`;
