// The screens of notifications with sample data, by name: for tests and screenshots only.
import { eventKinds } from '../../src/notify/event.ts';
import type { Html } from '../../web/html.ts';
import type { DeliveryRow, InboxRow, WebhookRow } from '../../web/notify-views.ts';
import { accountScreen } from '../../web/screens/account-settings.ts';
import { deliveriesScreen } from '../../web/screens/deliveries.ts';
import { inboxScreen } from '../../web/screens/inbox.ts';
import { receiversScreen, webhookFormScreen, webhookShownScreen } from '../../web/screens/notifications.ts';
import type { Frame } from '../../web/view-types.ts';
import { nowMs } from './samples.ts';

const minute = 60_000;
const blank = { values: {}, errors: {} };

/** @param text put wherever a person or a program could have entered something */
export function notifyScreens(text: string): Record<string, (frame: Frame) => Html> {
  const webhooks = sampleWebhooks(text);
  const wrong = { values: { name: text, url: text }, errors: { url: text } };
  return {
    inbox: (frame) =>
      inboxScreen(withUnread(frame, 3), {
        rows: sampleInbox(text),
        unread: 3,
        page: { number: 1, size: 8, total: 19 },
      }),
    'inbox-none': (frame) => inboxScreen(frame, { rows: [], unread: 0, page: { number: 1, size: 50, total: 0 } }),
    account: (frame) =>
      accountScreen(frame, {
        name: text,
        role: 'owner',
        email: 'li.wei@corp.example',
        mailMe: true,
        isMailOn: false,
        form: { values: { email: text }, errors: { email: text } },
      }),
    notifications: (frame) =>
      receiversScreen(frame, { webhooks, isOn: true, mailFrom: text, ownAddress: 'li.wei@corp.example' }),
    'notifications-off': (frame) => receiversScreen(frame, { webhooks: [], isOn: false }),
    'webhook-new': (frame) => webhookFormScreen(frame, { form: wrong, kinds: eventKinds, isOn: true }),
    webhook: (frame) => webhookFormScreen(frame, { webhook: webhooks[0], form: blank, kinds: eventKinds, isOn: false }),
    'webhook-shown': (frame) =>
      webhookShownScreen(frame, { name: text, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwnT0pXqHy1cE=' }),
    deliveries: (frame) =>
      deliveriesScreen(frame, {
        rows: sampleDeliveries(text),
        filter: { webhook: 'w1', state: '' },
        webhooks: webhooks.map(({ id, name }) => ({ id, name })),
        before: 12,
        isFirstPage: false,
      }),
    'deliveries-none': (frame) =>
      deliveriesScreen(frame, { rows: [], filter: { webhook: '', state: '' }, webhooks: [], isFirstPage: true }),
  };
}

const withUnread = (frame: Frame, unread: number): Frame => ({
  ...frame,
  ...(frame.viewer && { viewer: { ...frame.viewer, unread } }),
});

function sampleInbox(text: string): InboxRow[] {
  return eventKinds.map((kind, i) => ({
    id: 40 - i,
    atMs: nowMs - (i + 1) ** 3 * 7 * minute,
    kind,
    title: i === 0 ? `weld-defects:4 → production, ${text}` : 'digits:3 → production',
    text:
      i === 0
        ? `${text} asks for it: “Recall on line 3 rises from 94 % to 97 % with the new camera; the report is attached.”`
        : text,
    isRead: i > 2,
  }));
}

function sampleWebhooks(text: string): WebhookRow[] {
  return [
    {
      id: 'w1',
      name: text,
      url: 'https://tickets.corp.example/hooks/aimass/production-requests',
      kinds: '*',
      isEnabled: true,
      last: { state: 'delivered', atMs: nowMs - 3 * minute },
    },
    {
      id: 'w2',
      name: 'chat of line 3',
      url: 'http://10.1.4.20:8065/hooks/x7tq',
      kinds: ['release.live', 'release.rolled-back', 'release.failed'],
      environment: 'production',
      endpoint: text,
      isEnabled: true,
      last: { state: 'retrying', atMs: nowMs - 14 * minute },
    },
    { id: 'w3', name: 'old', url: 'http://10.1.4.7/', kinds: ['release.live'], isEnabled: false },
  ];
}

function sampleDeliveries(text: string): DeliveryRow[] {
  const shared = { title: 'digits:3 → production', kind: 'release.submitted', attempts: 1 } as const;
  return [
    {
      ...shared,
      id: 'd1',
      channel: 'webhook',
      receiver: text,
      state: 'retrying',
      attempts: 4,
      queuedMs: nowMs - 3 * minute,
      triedMs: nowMs - 30_000,
      nextMs: nowMs + 80_000,
      status: 503,
      answer: `${text} upstream connect error or disconnect/reset before headers. reset reason: connection failure`,
    },
    {
      ...shared,
      id: 'd2',
      channel: 'mail',
      receiver: text,
      state: 'delivered',
      queuedMs: nowMs - 60 * minute,
      triedMs: nowMs - 60 * minute,
      status: 250,
      answer: '2.0.0 Ok: queued as 4F1B2A',
    },
    {
      ...shared,
      id: 'd3',
      kind: 'notification.test',
      title: text,
      channel: 'webhook',
      receiver: 'chat of line 3',
      state: 'failed',
      queuedMs: nowMs - 90 * minute,
      triedMs: nowMs - 90 * minute,
      answer: 'hooks.corp (127.0.0.1) is in no network that webhooks may reach.',
    },
    {
      ...shared,
      id: 'd4',
      channel: 'webhook',
      receiver: text,
      state: 'pending',
      attempts: 0,
      queuedMs: nowMs,
      nextMs: nowMs,
    },
  ];
}
