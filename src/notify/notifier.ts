// What other rooms know of notifications, and how its parts are tied together on one database.
import type { Database } from 'bun:sqlite';

import type { Networks } from '../access/networks.ts';
import { takeSealKey } from '../access/seal-key.ts';
import type { Users } from '../access/users.ts';
import { AppError } from '../error.ts';
import { type Resolve, resolveHost } from '../net/target.ts';
import { type Clock, systemClock } from './clock.ts';
import { type AttemptResult, type Channel, Dispatcher } from './dispatcher.ts';
import { type NotifyEvent, testKind } from './event.ts';
import { Inbox, type InboxEntry } from './inbox.ts';
import { sendByMail, takesMail } from './mail-channel.ts';
import { openMailServer, parseMailServer, type SendMail } from './mail-server.ts';
import { type DeliveryFilter, type DeliveryRecord, Outbox, type Outcome, type Receiver } from './outbox.ts';
import { sendToWebhook, type WebhookChannelParts } from './webhook-channel.ts';
import { Webhooks } from './webhooks.ts';

export interface Notifier {
  /**
   * Written down at once, in the surrounding transaction if there is one, and delivered later, at least once: to the
   * inboxes of its recipients, by mail to those who wish it, and to the webhooks that take its kind.
   */
  post(event: NotifyEvent): void;
  /**
   * Newest first.
   * @param page.before id of the last entry of the page before
   * @param page.limit 1 to 200; 50 if absent
   */
  inbox(user: string, page?: { before?: number; limit?: number; isUnread?: boolean }): InboxEntry[];
  /** What is not read comes first. @returns one page, and how many there are in all */
  inboxPage(user: string, page: { offset: number; limit: number }): { entries: InboxEntry[]; all: number };
  findInInbox(user: string, id: number): InboxEntry | undefined;
  unreadCount(user: string): number;
  /** What is not in this user's inbox is left alone. */
  markRead(user: string, ids: readonly number[] | 'all'): void;
  webhooks: Webhooks;
  /** Sends one event about nothing to a webhook and waits for what comes of it. @throws AppError not_found */
  testWebhook(id: string): Promise<Outcome>;
  /** As `testWebhook`, to a user. @throws AppError conflict when there is no mail server, or no address */
  testMail(user: string): Promise<Outcome>;
  /** Newest first; see Outbox.search. */
  deliveries(filter?: DeliveryFilter, page?: { before?: number; limit?: number }): DeliveryRecord[];
  /** By webhook: the last that was tried. */
  lastDeliveries(): ReadonlyMap<string, DeliveryRecord>;
  /** Puts a delivery in line again. @throws AppError not_found, conflict for one that arrived */
  retry(delivery: string): DeliveryRecord;
  channels: {
    /** Whether the settings let anything be sent there. */
    webhook: boolean;
    mail: boolean;
  };
  /** Sender of mails; "" without a mail server. */
  mailFrom: string;
  /** Attempts since the start, and what is in line. */
  statistics(): {
    attempts: { channel: Channel; result: AttemptResult; count: number }[];
    pending: Record<Channel, number>;
  };
  /** What is on its way stays in line and is delivered after the next start. */
  close(): Promise<void>;
}

export interface NotifierParts {
  db: Database;
  users: Pick<Users, 'find' | 'get'>;
  /** File of the key with which secrets are sealed; made if need be. */
  keyPath: string;
  /** Where webhooks may lead. */
  networks: Networks;
  /** "" for no mail; see parseMailServer. */
  smtpUrl: string;
  mailFrom: string;
  /** Origin that people's browsers use. */
  baseUrl: () => string;
  version: string;
  clock?: Clock;
  random?: () => number;
  resolve?: Resolve;
  webhookTimeoutMs?: number;
  /** Authorities besides the system's, as PEM. */
  ca?: string;
  /** In place of the mail server. */
  sendMail?: SendMail;
}

const pruneEveryMs = 24 * 3_600_000;

/** @throws AppError invalid for settings of mail that make no sense, unavailable for a key file that cannot be used */
export function openNotifier(parts: NotifierParts): Notifier {
  const { db, users, networks, clock = systemClock, random = Math.random } = parts;
  const now = () => clock.now();
  const send = parts.sendMail ?? openMail(parts);
  const outbox = new Outbox(db, now);
  const inbox = new Inbox(db, now);
  const webhooks = new Webhooks(db, {
    now,
    networks,
    key: takeSealKey(parts.keyPath),
    onDisabled: (id) => outbox.cancel(id, 'The webhook was turned off.'),
  });
  const toWebhook: WebhookChannelParts = {
    ...parts,
    outbox,
    webhooks,
    now,
    resolve: parts.resolve ?? resolveHost,
    timeoutMs: parts.webhookTimeoutMs,
  };
  const byMail = { outbox, findUser: (id: string) => users.find(id), send, baseUrl: parts.baseUrl };
  const dispatcher = new Dispatcher({
    outbox,
    clock,
    random,
    deliver: (delivery, signal) =>
      delivery.webhook === null
        ? sendByMail(byMail, delivery.user!, delivery, signal)
        : sendToWebhook(toWebhook, delivery.webhook, delivery, signal),
  });

  let cancelPruning = () => {};
  function prune(): void {
    outbox.prune();
    cancelPruning = clock.after(pruneEveryMs, prune);
  }
  prune();
  // What an earlier process left in line.
  dispatcher.wake();

  const tryOnce = (receiver: Receiver) => dispatcher.tryOnce(outbox.addOnce(testEvent, receiver));

  return {
    post({ recipients, ...event }) {
      const people = [...new Set(recipients)].flatMap((id) => users.find(id) ?? []).filter((user) => !user.isDisabled);
      const receivers: Receiver[] = [
        ...webhooks.listFor(event).map(({ id }) => ({ webhook: id })),
        ...(send ? people.filter(takesMail).map(({ id }) => ({ user: id })) : []),
      ];
      outbox.add(
        event,
        people.map(({ id }) => id),
        receivers,
      );
      dispatcher.wake();
    },
    inbox: (user, page) => inbox.list(user, page),
    inboxPage: (user, page) => ({ entries: inbox.listUnreadFirst(user, page), all: inbox.count(user) }),
    findInInbox: (user, id) => inbox.find(user, id),
    unreadCount: (user) => inbox.countUnread(user),
    markRead: (user, ids) => inbox.markRead(user, ids),
    webhooks,
    testWebhook: (id) => tryOnce({ webhook: webhooks.get(id).id }),
    async testMail(id) {
      if (!send) throw new AppError('conflict', 'No mail server is set.', 'Name it with the setting smtp_url.');
      if (users.get(id).email === null) throw new AppError('conflict', 'You have no mail address.', 'Enter one first.');
      return await tryOnce({ user: id });
    },
    deliveries: (filter, page) => outbox.search(filter, page),
    lastDeliveries: () => outbox.lastOfWebhooks(),
    retry(id) {
      const delivery = outbox.requeue(id);
      dispatcher.wake();
      return delivery;
    },
    channels: { webhook: !networks.isEmpty, mail: send !== undefined },
    mailFrom: send ? parts.mailFrom : '',
    statistics: () => ({ attempts: dispatcher.totals(), pending: outbox.countPending() }),
    async close() {
      cancelPruning();
      await dispatcher.close();
    },
  };
}

function openMail({ smtpUrl, mailFrom, ca }: NotifierParts): SendMail | undefined {
  if (smtpUrl === '') return undefined;
  if (mailFrom !== '') return openMailServer(parseMailServer(smtpUrl), mailFrom, ca);
  throw new AppError('invalid', 'smtp_url is set, but mail_from is not.', 'Say who the mails are from.');
}

const testEvent = {
  kind: testKind,
  title: { en: 'A test of notifications', zh: '通知测试' },
  text: { en: 'It arrives: nothing else has happened.', zh: '通知可以送达，此外没有发生任何事情。' },
  path: '/admin/notifications',
  data: {},
} as const;
