// Routes for those who manage notifications: webhooks, what was sent, and tests of both ways.
import { Elysia } from 'elysia';

import { type EventKind, eventKinds } from '../../notify/event.ts';
import type { DeliveryRecord, DeliveryState, Outcome } from '../../notify/outbox.ts';
import { checkKinds, type WebhookSettings } from '../../notify/webhook-settings.ts';
import type { WebhookRecord } from '../../notify/webhooks.ts';
import { oneOf, whole } from '../../setting-text.ts';
import { answerOnce, done, formatTime, formatTimeOrNull, nameOf, readSmallJson, userOf } from './access-request.ts';
import { type ApiContext, describe } from './context.ts';
import { deliveriesQuery, webhookBody, webhookPatch } from './notify-schemas.ts';

const readState = oneOf<DeliveryState>(['pending', 'delivered', 'failed']);
const readLimit = whole(1, 200);
const readNumber = whole(1, Number.MAX_SAFE_INTEGER);

export function webhookRoutes(context: ApiContext) {
  const { control, limits, asker, note } = context;
  const parse = ({ request }: { request: Request }) => readSmallJson(request, limits);
  /** @throws AppError not_found */
  const target = (request: Request, id: string) => {
    const webhook = control.notifier.webhooks.get(id);
    note(request, { target: webhook.name });
    return webhook;
  };
  return new Elysia({ normalize: false })
    .use(readingRoutes(context))
    .use(sendingRoutes(context))
    .post(
      '/api/v1/webhooks',
      ({ request, body: { kinds = '*', environment = null, endpoint = null, isEnabled = true, ...body } }) => {
        const settings = { ...body, kinds: readKinds(kinds), environment, endpoint, isEnabled };
        const { webhook, secret } = control.notifier.webhooks.create(settings, nameOf(asker(request).actor));
        note(request, { target: webhook.name, after: summariseWebhook(webhook) });
        return answerOnce({ webhook: viewWebhook(webhook), secret }, 201);
      },
      {
        parse,
        body: webhookBody,
        detail: describe({
          id: 'createWebhook',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'Make a webhook',
          description: 'Its secret is in this answer only.',
          answer: { status: 201, schema: 'NewWebhook' },
          errors: ['invalid', 'forbidden', 'conflict'],
        }),
      },
    )
    .patch(
      '/api/v1/webhooks/:webhook',
      ({ request, params, body: { kinds, ...body } }) => {
        const before = target(request, params.webhook);
        const changes: Partial<WebhookSettings> = { ...body, ...(kinds !== undefined && { kinds: readKinds(kinds) }) };
        const after = control.notifier.webhooks.change(before.id, changes);
        note(request, { before: summariseWebhook(before), after: summariseWebhook(after) });
        return viewWebhook(after);
      },
      {
        parse,
        body: webhookPatch,
        detail: describe({
          id: 'changeWebhook',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'Change a webhook',
          description: 'Send what is to change.',
          answer: { schema: 'Webhook' },
          errors: ['invalid', 'forbidden', 'not_found', 'conflict'],
        }),
      },
    )
    .delete(
      '/api/v1/webhooks/:webhook',
      ({ request, params }) => {
        const webhook = target(request, params.webhook);
        note(request, { before: summariseWebhook(webhook) });
        control.notifier.webhooks.remove(webhook.id);
        return done();
      },
      {
        detail: describe({
          id: 'removeWebhook',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'Remove a webhook, with what was and would be sent to it',
          errors: ['not_found'],
        }),
      },
    )
    .post(
      '/api/v1/webhooks/:webhook/secret',
      ({ request, params }) => {
        const { webhook, secret } = control.notifier.webhooks.renewSecret(target(request, params.webhook).id);
        return answerOnce({ webhook: viewWebhook(webhook), secret });
      },
      {
        detail: describe({
          id: 'renewWebhookSecret',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'Give a webhook a new secret; the old one ends at once',
          answer: { schema: 'NewWebhook' },
          errors: ['not_found'],
        }),
      },
    );
}

function readingRoutes({ control }: ApiContext) {
  return new Elysia({ normalize: false })
    .get(
      '/api/v1/notifications',
      () => {
        const { channels } = control.notifier;
        return { webhooksOn: channels.webhook, mailOn: channels.mail, kinds: [...eventKinds] };
      },
      {
        detail: describe({
          id: 'getNotifications',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'Which ways there are to tell of events, and which kinds of events',
          answer: { schema: 'Notifications' },
        }),
      },
    )
    .get(
      '/api/v1/webhooks',
      () => {
        const last = control.notifier.lastDeliveries();
        return {
          webhooks: control.notifier.webhooks.list().map((webhook) => viewWebhook(webhook, last.get(webhook.id))),
        };
      },
      {
        detail: describe({
          id: 'listWebhooks',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'All webhooks, each with the last that was sent to it',
          answer: { schema: 'WebhookList' },
        }),
      },
    )
    .get(
      '/api/v1/webhooks/:webhook',
      ({ params }) => {
        const { notifier } = control;
        return viewWebhook(notifier.webhooks.get(params.webhook), notifier.lastDeliveries().get(params.webhook));
      },
      {
        detail: describe({
          id: 'getWebhook',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'One webhook',
          answer: { schema: 'Webhook' },
          errors: ['not_found'],
        }),
      },
    )
    .get(
      '/api/v1/deliveries',
      ({ query: { webhook, state, before, limit } }) => {
        const found = control.notifier.deliveries(
          { webhook, ...(state !== undefined && { state: readState(state) }) },
          {
            ...(before !== undefined && { before: readNumber(before) }),
            ...(limit !== undefined && { limit: readLimit(limit) }),
          },
        );
        return { deliveries: found.map(viewDelivery) };
      },
      {
        query: deliveriesQuery,
        detail: describe({
          id: 'listDeliveries',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'What was sent to webhooks and by mail, newest first',
          description: 'For those before them, ask again with the lowest `seq` as `before`.',
          answer: { schema: 'DeliveryList' },
          errors: ['invalid'],
        }),
      },
    );
}

function sendingRoutes({ control, asker, note, keepOpen }: ApiContext) {
  return new Elysia({ normalize: false })
    .post(
      '/api/v1/webhooks/:webhook/test',
      async ({ request, params }) => {
        keepOpen(request);
        const { id, name } = control.notifier.webhooks.get(params.webhook);
        const outcome = await control.notifier.testWebhook(id);
        note(request, { target: name, after: { isDelivered: outcome.isDelivered, status: outcome.status } });
        return viewOutcome(outcome);
      },
      {
        detail: describe({
          id: 'testWebhook',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'Send a test to a webhook, once, and wait for what comes of it',
          answer: { schema: 'TestResult' },
          errors: ['not_found'],
        }),
      },
    )
    .post(
      '/api/v1/notifications/test-mail',
      async ({ request }) => {
        keepOpen(request);
        const { id, name } = userOf(asker(request));
        const outcome = await control.notifier.testMail(id);
        note(request, { target: name, after: { isDelivered: outcome.isDelivered, status: outcome.status } });
        return viewOutcome(outcome);
      },
      {
        detail: describe({
          id: 'testMail',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'Send yourself a mail, and wait for what the mail server says',
          answer: { schema: 'TestResult' },
          errors: ['conflict'],
        }),
      },
    )
    .post(
      '/api/v1/deliveries/:delivery/retry',
      ({ request, params }) => {
        const delivery = control.notifier.retry(params.delivery);
        note(request, { after: { receiver: delivery.receiverName, kind: delivery.kind } });
        return viewDelivery(delivery);
      },
      {
        detail: describe({
          id: 'retryDelivery',
          action: 'notification.manage',
          tag: 'Notifications',
          summary: 'Try a delivery again, now and for a day',
          answer: { schema: 'Delivery' },
          errors: ['not_found', 'conflict'],
        }),
      },
    );
}

/** @throws AppError invalid */
const readKinds = (kinds: readonly string[] | '*'): readonly EventKind[] | '*' =>
  kinds === '*' ? '*' : checkKinds(kinds);

function viewWebhook({ createdMs, ...webhook }: WebhookRecord, last?: DeliveryRecord) {
  return { ...webhook, createdAt: formatTime(createdMs), ...(last && { last: viewDelivery(last) }) };
}

function viewDelivery(delivery: DeliveryRecord) {
  const { webhook, user, queuedMs, dueMs, triedMs, state } = delivery;
  const { seq, id, event, kind, title, receiverName, attempts, status, answer } = delivery;
  return {
    seq,
    id,
    event,
    kind,
    title,
    channel: webhook === null ? 'mail' : 'webhook',
    receiver: webhook ?? user!,
    receiverName,
    state,
    attempts,
    queuedAt: formatTime(queuedMs),
    nextAt: state === 'pending' ? formatTime(dueMs) : null,
    triedAt: formatTimeOrNull(triedMs),
    status,
    answer,
  };
}

const viewOutcome = ({ isDelivered, status, answer }: Outcome) => ({
  isDelivered,
  ...(status !== undefined && { status }),
  answer,
});

/** What the audit trail keeps: paths of webhooks often are secrets. */
export function summariseWebhook({ name, url, kinds, environment, endpoint, isEnabled }: WebhookRecord) {
  return { name, origin: new URL(url).origin, kinds, environment, endpoint, isEnabled };
}
