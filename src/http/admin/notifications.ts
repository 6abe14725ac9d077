// The pages of those who manage notifications: webhooks, mail, and the log of what was sent.
import type { DeliveryRow, ShownState, WebhookRow } from '../../../web/notify-views.ts';
import { deliveriesScreen } from '../../../web/screens/deliveries.ts';
import { receiversScreen, webhookFormScreen, webhookShownScreen } from '../../../web/screens/notifications.ts';
import type { FormState, Frame } from '../../../web/view-types.ts';
import { AppError } from '../../error.ts';
import { eventKinds } from '../../notify/event.ts';
import type { DeliveryRecord, DeliveryState, Outcome } from '../../notify/outbox.ts';
import { checkWebhook, type WebhookSettings } from '../../notify/webhook-settings.ts';
import type { WebhookRecord } from '../../notify/webhooks.ts';
import { summariseWebhook } from '../api/webhooks.ts';
import type { AdminContext } from './context.ts';
import { empty, stateOf, withError } from './entry.ts';
import { cutLog, readBefore } from './paging.ts';
import { type AdminRoute, ownPath, pageOf, retry, seeOther, userOf, type Visit } from './visit.ts';

const home = '/admin/notifications';
const shownDeliveries = 50;

const read = { method: 'GET', action: 'notification.manage' } as const;
const change = { method: 'POST', action: 'notification.manage' } as const;

export function notificationRoutes(context: AdminContext): AdminRoute[] {
  return [...receiverRoutes(context), ...webhookRoutes(context), ...deliveryRoutes(context)];
}

function receiverRoutes({ control, access }: AdminContext): AdminRoute[] {
  const { notifier } = control;
  return [
    {
      ...read,
      path: home,
      operation: 'getNotifications',
      answer(visit) {
        const last = notifier.lastDeliveries();
        const { email } = access.users.get(userOf(visit).id);
        return receiversScreen(visit.frame, {
          webhooks: notifier.webhooks.list().map((webhook) => rowOf(webhook, last.get(webhook.id))),
          isOn: notifier.channels.webhook,
          ...(notifier.channels.mail && { mailFrom: notifier.mailFrom }),
          ...(email !== null && { ownAddress: email }),
        });
      },
    },
    {
      ...change,
      path: `${home}/test-mail`,
      operation: 'testMail',
      async answer(visit) {
        const { t } = visit.frame;
        const { id, name } = userOf(visit);
        const outcome = await notifier.testMail(id);
        visit.note({ target: name, after: resultOf(outcome) });
        const address = access.users.get(id).email ?? '';
        const text = outcome.isDelivered
          ? t('mail.testGood', { address })
          : t('mail.testBad', { answer: said(outcome) });
        return seeOther(home, { tone: outcome.isDelivered ? 'good' : 'bad', text });
      },
    },
  ];
}

function webhookRoutes(context: AdminContext): AdminRoute[] {
  const { notifier } = context.control;
  /** @throws AppError not_found */
  const target = ({ params, note }: Visit) => {
    const webhook = notifier.webhooks.get(params.id!);
    note({ target: webhook.name });
    return webhook;
  };
  return [
    {
      ...read,
      path: `${home}/webhooks/new`,
      operation: 'createWebhook',
      answer: (visit) => formPage(context, visit, empty),
    },
    {
      ...read,
      path: `${home}/webhooks/:id`,
      operation: 'getWebhook',
      answer: (visit) => formPage(context, visit, empty, target(visit)),
    },
    {
      ...change,
      path: `${home}/webhooks`,
      operation: 'createWebhook',
      answer(visit) {
        const state = stateOf(visit.form, fieldNames);
        try {
          const settings = readSettings(visit, state, true);
          const { webhook, secret } = notifier.webhooks.create(settings, userOf(visit).name);
          visit.note({ target: webhook.name, after: summariseWebhook(webhook) });
          return pageOf(webhookShownScreen(visit.frame, { name: webhook.name, secret }));
        } catch (error) {
          return retry(formPage(context, visit, withFault(state, error)));
        }
      },
    },
    {
      ...change,
      path: `${home}/webhooks/:id`,
      operation: 'changeWebhook',
      answer(visit) {
        const before = target(visit);
        const state = stateOf(visit.form, [...fieldNames, 'enabled']);
        try {
          const after = notifier.webhooks.change(
            before.id,
            readSettings(visit, state, visit.form.get('enabled') === 'on'),
          );
          visit.note({ before: summariseWebhook(before), after: summariseWebhook(after) });
          return seeOther(home, { tone: 'good', text: visit.frame.t('webhook.saved', { name: after.name }) });
        } catch (error) {
          return retry(formPage(context, visit, withFault(state, error), before));
        }
      },
    },
    {
      ...change,
      path: `${home}/webhooks/:id/test`,
      operation: 'testWebhook',
      async answer(visit) {
        const { t } = visit.frame;
        const { id, name } = target(visit);
        const outcome = await notifier.testWebhook(id);
        visit.note({ after: resultOf(outcome) });
        const values = { name, answer: said(outcome) };
        return seeOther(home, {
          tone: outcome.isDelivered ? 'good' : 'bad',
          text: outcome.isDelivered ? t('webhook.testGood', values) : t('webhook.testBad', values),
        });
      },
    },
    {
      ...change,
      path: `${home}/webhooks/:id/secret`,
      operation: 'renewWebhookSecret',
      answer(visit) {
        const { webhook, secret } = notifier.webhooks.renewSecret(target(visit).id);
        return pageOf(webhookShownScreen(visit.frame, { name: webhook.name, secret }));
      },
    },
    {
      ...change,
      path: `${home}/webhooks/:id/remove`,
      operation: 'removeWebhook',
      answer(visit) {
        const webhook = target(visit);
        visit.note({ before: summariseWebhook(webhook) });
        notifier.webhooks.remove(webhook.id);
        return seeOther(home, { tone: 'good', text: visit.frame.t('webhook.removed', { name: webhook.name }) });
      },
    },
  ];
}

function deliveryRoutes({ control: { notifier } }: AdminContext): AdminRoute[] {
  const path = `${home}/deliveries`;
  return [
    {
      ...read,
      path,
      operation: 'listDeliveries',
      answer({ frame, url }) {
        const filter = {
          webhook: url.searchParams.get('webhook')?.slice(0, 100) ?? '',
          state: states.find((state) => state === url.searchParams.get('state')) ?? '',
        } as const;
        const before = readBefore(url);
        const found = notifier.deliveries(
          { ...(filter.webhook && { webhook: filter.webhook }), ...(filter.state && { state: filter.state }) },
          { before, limit: shownDeliveries + 1 },
        );
        const { rows, isLast } = cutLog(found, shownDeliveries);
        return deliveriesScreen(frame, {
          rows: rows.map((delivery) => deliveryRow(frame, delivery)),
          filter,
          webhooks: notifier.webhooks.list().map(({ id, name }) => ({ id, name })),
          ...(!isLast && { before: rows.at(-1)!.seq }),
          isFirstPage: before === undefined,
        });
      },
    },
    {
      ...change,
      path: `${path}/:id/retry`,
      operation: 'retryDelivery',
      answer({ params, form, frame, note }) {
        const { receiverName, kind } = notifier.retry(params.id!);
        note({ after: { receiver: receiverName, kind } });
        return seeOther(ownPath(form.get('back'), path), { tone: 'good', text: frame.t('delivery.retried') });
      },
    },
  ];
}

const states: DeliveryState[] = ['pending', 'delivered', 'failed'];
const fieldNames = ['name', 'url', 'environment', 'endpoint', ...eventKinds.map((kind) => `kinds.${kind}`)];

function formPage({ control: { notifier } }: AdminContext, { frame }: Visit, form: FormState, webhook?: WebhookRecord) {
  return webhookFormScreen(frame, {
    ...(webhook && { webhook: rowOf(webhook) }),
    form,
    kinds: eventKinds,
    isOn: notifier.channels.webhook,
  });
}

/** What is wrong is put beside its field, each tried among others that are fine. @throws AppError invalid */
function readSettings({ form }: Visit, state: FormState, isEnabled: boolean): WebhookSettings {
  const kinds = eventKinds.filter((kind) => form.get(`kinds.${kind}`) === 'on');
  const settings: WebhookSettings = {
    name: form.get('name') ?? '',
    url: form.get('url') ?? '',
    kinds: kinds.length === 0 ? '*' : kinds,
    environment: form.get('environment') ?? '',
    endpoint: form.get('endpoint') ?? '',
    isEnabled,
  };
  for (const field of ['name', 'url', 'environment', 'endpoint'] as const) {
    try {
      checkWebhook({ ...harmless, [field]: settings[field] });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      state.errors[field] = `${error.message} ${error.hint ?? ''}`.trim();
    }
  }
  if (Object.keys(state.errors).length > 0) throw new AppError('invalid', 'The webhook cannot be like this.');
  return settings;
}

const harmless: WebhookSettings = {
  name: 'x',
  url: 'http://host/',
  kinds: '*',
  environment: null,
  endpoint: null,
  isEnabled: true,
};

/** An address outside of the networks is a matter of the form too. */
function withFault(state: FormState, error: unknown): FormState {
  if (!(error instanceof AppError) || error.code !== 'forbidden') return withError(state, error);
  return { ...state, errors: { url: `${error.message} ${error.hint ?? ''}`.trim() } };
}

function rowOf(webhook: WebhookRecord, last?: DeliveryRecord): WebhookRow {
  const { id, name, url, kinds, environment, endpoint, isEnabled } = webhook;
  return {
    id,
    name,
    url,
    kinds,
    isEnabled,
    ...(environment !== null && { environment }),
    ...(endpoint !== null && { endpoint }),
    ...(last && { last: { state: shownState(last), atMs: last.triedMs! } }),
  };
}

function deliveryRow({ t }: Frame, delivery: DeliveryRecord): DeliveryRow {
  const { id, kind, title, webhook, receiverName, attempts, queuedMs, triedMs, dueMs, status, answer, state } =
    delivery;
  return {
    id,
    kind,
    title: title[t.language],
    channel: webhook === null ? 'mail' : 'webhook',
    receiver: receiverName,
    state: shownState(delivery),
    attempts,
    queuedMs,
    ...(triedMs !== null && { triedMs }),
    ...(state === 'pending' && { nextMs: dueMs }),
    ...(status !== null && { status }),
    ...(answer !== null && { answer }),
  };
}

const shownState = ({ state, failures }: DeliveryRecord): ShownState =>
  state === 'pending' && failures > 0 ? 'retrying' : state;

const resultOf = ({ isDelivered, status }: Outcome) => ({ isDelivered, status });

/** Short enough for a message. */
const said = ({ status, answer }: Outcome) =>
  [
    status,
    answer
      .replaceAll(/[\p{C}\s]+/gu, ' ')
      .trim()
      .slice(0, 200),
  ]
    .filter(Boolean)
    .join(' ') || '–';
