// Shapes of what the API takes and answers about notifications: inboxes, webhooks, deliveries.
import { t } from 'elysia';

import { eventKinds, testKind } from '../../notify/event.ts';
import { count, flag, list, object, ref, text, time } from './shapes.ts';

const closed = { additionalProperties: false };
const query = (description: string) => t.Optional(t.String({ maxLength: 256, description }));

export const inboxQuery = t.Object(
  {
    unread: query("'true': only what was not read yet."),
    before: query('Only what is older than the entry with this id.'),
    limit: query('Most entries, 1 to 200; 50 if absent.'),
  },
  closed,
);
export const readBody = t.Object(
  {
    ids: t.Union([t.Array(t.Integer({ minimum: 1 }), { maxItems: 1000 }), t.Literal('*')], {
      description: "Ids of entries, or '*' for all.",
    }),
  },
  closed,
);

const url = t.String({
  maxLength: 4096,
  description: 'http or https, within the networks of the setting notify_to.',
  examples: ['https://tickets.corp/hooks/aimass'],
});
const kinds = t.Union([t.Array(t.String({ maxLength: 64 }), { minItems: 1, maxItems: 64 }), t.Literal('*')], {
  description: "Kinds of events, or '*' for all, also those of later releases.",
});
const name = t.String({ maxLength: 256, description: 'Which program it is.', examples: ['ticket system'] });
const filter = (what: string) =>
  t.Optional(
    t.Union([t.String({ maxLength: 256 }), t.Null()], {
      description: `Only events about this ${what}; null: about any.`,
    }),
  );
const isEnabled = t.Optional(
  t.Boolean({ default: true, description: 'false: nothing is sent, and what waits is dropped.' }),
);
const filters = { environment: filter('environment'), endpoint: filter('endpoint') };

export const webhookBody = t.Object({ name, url, kinds: t.Optional(kinds), ...filters, isEnabled }, closed);
export const webhookPatch = t.Object(
  { name: t.Optional(name), url: t.Optional(url), kinds: t.Optional(kinds), ...filters, isEnabled },
  closed,
);
export const deliveriesQuery = t.Object(
  {
    webhook: query('Id of a webhook.'),
    state: query('pending, delivered or failed.'),
    before: query('Only what is older than the delivery with this `seq`.'),
    limit: query('Most deliveries, 1 to 200; 50 if absent.'),
  },
  closed,
);

const nullable = (schema: { type: string }) => ({ ...schema, type: [schema.type, 'null'] });
const words = object({ en: text, zh: text }, 'In English and in Simplified Chinese.');
const kind = { enum: [...eventKinds, testKind] };

/** JSON Schema (2020-12) by name. */
export const notifySchemas = {
  Inbox: object({
    unread: { ...count, description: 'How many of all were not read yet.' },
    entries: list(
      object({
        id: count,
        at: time,
        kind,
        title: words,
        text: words,
        path: { type: 'string', description: 'Of the page about it, on this server.' },
        isRead: flag,
      }),
    ),
  }),
  Notifications: object({
    webhooksOn: { type: 'boolean', description: 'Whether the setting notify_to names networks.' },
    mailOn: { type: 'boolean', description: 'Whether the setting smtp_url names a mail server.' },
    kinds: { ...list(text), description: 'Kinds of events that webhooks may take.' },
  }),
  Webhook: object({
    id: text,
    name: text,
    url: text,
    kinds: { anyOf: [list(text), { enum: ['*'] }] },
    environment: nullable(text),
    endpoint: nullable(text),
    isEnabled: flag,
    createdAt: time,
    createdBy: text,
    'last?': ref('Delivery'),
  }),
  WebhookList: object({ webhooks: list(ref('Webhook')) }),
  NewWebhook: object({
    webhook: ref('Webhook'),
    secret: {
      type: 'string',
      description: 'Signs what is sent, as the Standard Webhooks specification says. It is shown this once.',
      examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    },
  }),
  Delivery: object({
    seq: count,
    id: { type: 'string', description: 'The header webhook-id, or the beginning of a Message-ID.' },
    event: count,
    kind,
    title: words,
    channel: { enum: ['webhook', 'mail'] },
    receiver: { type: 'string', description: 'Id of the webhook or of the user.' },
    receiverName: text,
    state: { enum: ['pending', 'delivered', 'failed'] },
    attempts: count,
    queuedAt: time,
    nextAt: { ...nullable(time), description: 'When it is tried next, while it is pending.' },
    triedAt: nullable(time),
    status: { ...nullable({ type: 'integer' }), description: 'Of HTTP or SMTP, at the last attempt.' },
    answer: { ...nullable(text), description: 'What was answered, or why nothing was; cut.' },
  }),
  DeliveryList: object({ deliveries: list(ref('Delivery')) }),
  TestResult: object({
    isDelivered: flag,
    'status?': { type: 'integer', description: 'Of HTTP or SMTP.' },
    answer: text,
  }),
} as const;
