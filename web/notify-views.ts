// What the screens of notifications are given: plain data, made by http.
import type { EventKind, testKind } from '../src/notify/event.ts';
import type { FormState, Page, Role } from './view-types.ts';

export type ShownKind = EventKind | typeof testKind;

export interface InboxRow {
  id: number;
  atMs: number;
  kind: ShownKind;
  /** In the language of who looks, as the text is. */
  title: string;
  text: string;
  isRead: boolean;
}

export interface InboxView {
  rows: InboxRow[];
  unread: number;
  page: Page;
}

export type ShownState = 'pending' | 'retrying' | 'delivered' | 'failed';

export interface WebhookRow {
  id: string;
  name: string;
  url: string;
  kinds: readonly EventKind[] | '*';
  environment?: string;
  endpoint?: string;
  isEnabled: boolean;
  last?: { state: ShownState; atMs: number };
}

export interface ReceiversView {
  webhooks: WebhookRow[];
  /** Whether a setting names networks that webhooks may reach. */
  isOn: boolean;
  /** Sender of mails; absent without a mail server. */
  mailFrom?: string;
  /** Address of who looks. */
  ownAddress?: string;
}

export interface WebhookFormView {
  /** Absent: a new one. */
  webhook?: WebhookRow;
  form: FormState;
  kinds: readonly EventKind[];
  isOn: boolean;
}

export interface WebhookShownView {
  name: string;
  secret: string;
}

export interface DeliveryRow {
  id: string;
  kind: ShownKind;
  title: string;
  channel: 'webhook' | 'mail';
  receiver: string;
  state: ShownState;
  attempts: number;
  queuedMs: number;
  triedMs?: number;
  nextMs?: number;
  status?: number;
  answer?: string;
}

export interface DeliveriesView {
  rows: DeliveryRow[];
  /** Id of a webhook, and pending, delivered or failed; empty: any. */
  filter: { webhook: string; state: string };
  webhooks: { id: string; name: string }[];
  /** As in AuditView. */
  before?: number;
  isFirstPage: boolean;
}

export interface AccountView {
  name: string;
  role: Role;
  email?: string;
  mailMe: boolean;
  /** Whether there is a mail server. */
  isMailOn: boolean;
  form: FormState;
}
