// From a posted event to what receivers get: signed, in order, again after a failure, once after a success, and what
// becomes of it when receivers do not do as they should.
import { describe, expect, test } from 'bun:test';
import { createHmac, timingSafeEqual } from 'node:crypto';

import type { DeliveryRecord } from '../../src/notify/outbox.ts';
import { day, eventOf, hour, minute, openReceiver, openRoom, second, until, webhookSettings } from './opened.ts';

const short = ({ state, attempts, status, answer }: DeliveryRecord) => ({ state, attempts, status, answer });

test('an event arrives as JSON, signed with the secret that was shown once', async () => {
  await using receiver = openReceiver();
  await using room = openRoom();
  const { notifier, clock } = room;
  const { webhook, secret } = notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  notifier.post(eventOf());
  expect(receiver.received).toEqual([]);
  await clock.pass(0);
  await until(() => notifier.deliveries()[0]!.state !== 'pending');
  const [{ headers, body }] = receiver.received as [(typeof receiver.received)[0]];
  const [delivery] = notifier.deliveries();
  expect(short(delivery!)).toEqual({ state: 'delivered', attempts: 1, status: 200, answer: 'ok' });
  expect(delivery).toMatchObject({ webhook: webhook.id, receiverName: 'ticket system', kind: 'release.submitted' });
  expect(JSON.parse(body)).toEqual({
    type: 'release.submitted',
    timestamp: '2026-05-17T09:30:00.000Z',
    id: 1,
    title: { en: 'digits:3 is to go live', zh: 'digits:3 申请上线' },
    text: { en: 'Ada asks for it.', zh: 'Ada 提交了申请。' },
    url: 'https://gpu-box.corp:8700/admin/releases/12',
    data: { release: 12, environment: 'production', endpoint: 'digits' },
  });
  expect(headers.get('content-type')).toBe('application/json');
  expect(headers.get('user-agent')).toBe('aimass/0.0.0');
  expect(headers.get('webhook-id')).toBe(delivery!.id);
  expect(headers.get('webhook-timestamp')).toBe(String(clock.now() / 1000));
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const content = `${headers.get('webhook-id')}.${headers.get('webhook-timestamp')}.${body}`;
  const wanted = createHmac('sha256', key).update(content).digest();
  const given = Buffer.from(headers.get('webhook-signature')!.replace(/^v1,/, ''), 'base64');
  expect(timingSafeEqual(given, wanted)).toBeTrue();
  expect(notifier.statistics()).toEqual({
    attempts: [{ channel: 'webhook', result: 'delivered', count: 1 }],
    pending: { webhook: 0, mail: 0 },
  });
});

test('what fails is tried again, under the same id, until it arrives', async () => {
  await using receiver = openReceiver((_, count) => new Response('busy', { status: count < 4 ? 503 : 204 }));
  await using room = openRoom();
  const { notifier, clock } = room;
  notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  notifier.post(eventOf());
  for (const [i, waitMs] of [1, 10 * second, 20 * second, 40 * second].entries()) {
    if (i > 0) await clock.pass(waitMs - 1);
    expect(receiver.received).toHaveLength(i);
    await clock.pass(i > 0 ? 1 : 0);
    await until(() => notifier.deliveries()[0]!.attempts === i + 1);
  }
  expect(short(notifier.deliveries()[0]!)).toEqual({ state: 'delivered', attempts: 4, status: 204, answer: '' });
  expect(new Set(receiver.received.map(({ headers }) => headers.get('webhook-id'))).size).toBe(1);
  await clock.pass(2 * day);
  expect(receiver.received).toHaveLength(4);
});

test('after a day it is given up; who asks for it has it tried again', async () => {
  let isUp = false;
  await using receiver = openReceiver(() => new Response(isUp ? 'welcome' : 'not now', { status: isUp ? 200 : 500 }));
  await using room = openRoom();
  const { notifier, clock } = room;
  notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  notifier.post(eventOf());
  for (let i = 0; i < 40 && (i === 0 || notifier.deliveries()[0]!.state === 'pending'); i++) {
    const { attempts } = notifier.deliveries()[0]!;
    await clock.pass(i === 0 ? 0 : notifier.deliveries()[0]!.dueMs - clock.now());
    await until(() => notifier.deliveries()[0]!.attempts === attempts + 1);
  }
  expect(short(notifier.deliveries()[0]!)).toEqual({ state: 'failed', attempts: 15, status: 500, answer: 'not now' });
  const [{ id }] = notifier.deliveries() as [DeliveryRecord];
  isUp = true;
  expect(notifier.retry(id)).toMatchObject({ state: 'pending', failures: 0 });
  await clock.pass(0);
  await until(() => notifier.deliveries()[0]!.state === 'delivered');
  expect(() => notifier.retry(id)).toThrow('delivered already');
  expect(() => notifier.retry('msg_0')).toThrow('no such delivery');
});

describe('not taken for a success', () => {
  test.each([301, 302, 307, 308, 400, 404, 429, 500])('%p', async (status) => {
    await using elsewhere = openReceiver();
    const headers = { location: elsewhere.url };
    await using receiver = openReceiver(() => new Response('no', { status, headers }));
    await using room = openRoom();
    const { webhook } = room.notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
    expect(await room.notifier.testWebhook(webhook.id)).toMatchObject({ isDelivered: false, status });
    expect(elsewhere.received).toEqual([]);
  });

  test('an answer that does not come in time', async () => {
    await using receiver = openReceiver(() => new Promise(() => {}));
    await using room = openRoom({ webhookTimeoutMs: 50 });
    const { webhook } = room.notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
    const outcome = await room.notifier.testWebhook(webhook.id);
    expect(outcome).toEqual({ isDelivered: false, answer: 'No answer within 50 ms.' });
  });

  test('nobody who listens', async () => {
    const { url } = await (async () => {
      await using receiver = openReceiver();
      return receiver;
    })();
    await using room = openRoom();
    const { webhook } = room.notifier.webhooks.create({ ...webhookSettings, url }, 'Ada');
    expect((await room.notifier.testWebhook(webhook.id)).answer).toContain('ECONNREFUSED');
  });
});

test('who says Gone is not asked again', async () => {
  await using receiver = openReceiver(() => new Response('', { status: 410 }));
  await using room = openRoom();
  const { notifier, clock } = room;
  notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  notifier.post(eventOf());
  await clock.pass(0);
  await until(() => notifier.deliveries()[0]!.state === 'failed');
  await clock.pass(2 * day);
  expect(receiver.received).toHaveLength(1);
});

test('of an endless answer only the start is read, and what is kept of it is one short line', async () => {
  let isCut = false;
  const endless = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(Buffer.from('x\u0007\n'.repeat(1000))),
        cancel: () => void (isCut = true),
      }),
    );
  await using receiver = openReceiver(endless);
  await using room = openRoom();
  const { webhook } = room.notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  expect(await room.notifier.testWebhook(webhook.id)).toMatchObject({ isDelivered: true, status: 200 });
  await until(() => isCut);
  const { answer } = room.notifier.deliveries()[0]!;
  expect(answer!.length).toBeLessThanOrEqual(500);
  expect(answer).toMatch(/^(x )+x?$/);
});

test('one receiver that hangs holds up no other; each gets its events one after the other', async () => {
  const hanging: (() => void)[] = [];
  await using slow = openReceiver(() => new Promise((resolve) => hanging.push(() => resolve(new Response('at last')))));
  await using quick = openReceiver();
  await using room = openRoom();
  const { notifier, clock } = room;
  notifier.webhooks.create({ ...webhookSettings, name: 'slow', url: slow.url }, 'Ada');
  notifier.webhooks.create({ ...webhookSettings, name: 'quick', url: quick.url }, 'Ada');
  for (let i = 0; i < 10; i++) notifier.post(eventOf({ data: { release: i } }));
  while (notifier.statistics().pending.webhook > 10) await clock.pass(0);
  const releases = quick.received.map(({ body }) => (JSON.parse(body) as { data: { release: number } }).data.release);
  expect(releases).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(slow.received).toHaveLength(1);
  hanging[0]!();
  await until(() => notifier.statistics().pending.webhook === 9);
  await clock.pass(0);
  await until(() => slow.received.length === 2);
});

test('an event goes to the webhooks that take it', async () => {
  await using receiver = openReceiver();
  await using room = openRoom();
  const { webhooks } = room.notifier;
  const add = (name: string, given: object) =>
    webhooks.create({ ...webhookSettings, ...given, name, url: receiver.url }, 'Ada').webhook.id;
  add('all', {});
  add('live', { kinds: ['release.live'] });
  add('production', { environment: 'production' });
  add('staging', { environment: 'staging' });
  add('digits in production', { environment: 'production', endpoint: 'digits' });
  add('faces', { endpoint: 'faces' });
  add('off', { isEnabled: false });
  room.notifier.post(eventOf());
  const names = room.notifier.deliveries().map(({ receiverName }) => receiverName);
  expect(names.sort()).toEqual(['all', 'digits in production', 'production']);
});

test('one that is turned off gets nothing of what waits for it; one that is removed leaves nothing', async () => {
  await using receiver = openReceiver(() => new Response('', { status: 500 }));
  await using room = openRoom();
  const { notifier, clock } = room;
  const { webhook } = notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  notifier.post(eventOf());
  await clock.pass(0);
  await until(() => notifier.deliveries()[0]!.attempts === 1);
  notifier.webhooks.change(webhook.id, { isEnabled: false });
  expect(notifier.deliveries()[0]).toMatchObject({ state: 'failed', answer: 'The webhook was turned off.' });
  await clock.pass(day);
  expect(receiver.received).toHaveLength(1);
  // A person who tries it out wants to know before it is on.
  expect(await notifier.testWebhook(webhook.id)).toMatchObject({ status: 500 });
  notifier.retry(notifier.deliveries().at(-1)!.id);
  await clock.pass(0);
  await until(() => notifier.deliveries().at(-1)!.state === 'failed');
  expect(receiver.received).toHaveLength(2);
  notifier.webhooks.remove(webhook.id);
  expect(notifier.deliveries()).toEqual([]);
});

test('what was posted in a transaction that is rolled back was never posted', async () => {
  await using receiver = openReceiver();
  await using room = openRoom();
  const { notifier, db, clock } = room;
  const user = room.addUser('Bob');
  notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  const post = db.transaction((fails: boolean) => {
    notifier.post(eventOf({ recipients: [user.id] }));
    if (fails) throw new Error('no');
  });
  expect(() => post(true)).toThrow('no');
  await clock.pass(minute);
  expect([notifier.unreadCount(user.id), receiver.received.length]).toEqual([0, 0]);
  post(false);
  await clock.pass(0);
  await until(() => receiver.received.length === 1);
  expect(notifier.unreadCount(user.id)).toBe(1);
});

test('old deliveries and events are removed, whatever waits is not', async () => {
  await using receiver = openReceiver();
  await using room = openRoom();
  const { notifier, clock, db } = room;
  const user = room.addUser('Bob');
  notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  notifier.post(eventOf({ recipients: [user.id] }));
  await clock.pass(0);
  await until(() => notifier.deliveries()[0]!.state === 'delivered');
  await clock.pass(29 * day);
  expect(notifier.deliveries()).toHaveLength(1);
  await clock.pass(3 * day);
  expect([notifier.deliveries().length, notifier.unreadCount(user.id)]).toEqual([0, 1]);
  await clock.pass(150 * day);
  expect(notifier.unreadCount(user.id)).toBe(0);
  expect(db.query('SELECT count(*) AS count FROM events').get()).toEqual({ count: 0 });
});

test('the end breaks off what is on its way, which is then still in line', async () => {
  await using receiver = openReceiver(() => new Promise(() => {}));
  await using room = openRoom();
  const { notifier, clock } = room;
  notifier.webhooks.create({ ...webhookSettings, url: receiver.url }, 'Ada');
  notifier.post(eventOf());
  await clock.pass(0);
  await until(() => receiver.received.length === 1);
  await notifier.close();
  expect(notifier.deliveries()[0]).toMatchObject({ state: 'pending', attempts: 0 });
  await clock.pass(hour);
  expect(receiver.received).toHaveLength(1);
});
