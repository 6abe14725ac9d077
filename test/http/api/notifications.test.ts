// Inboxes, webhooks and deliveries over REST: each as it is described, for those who may, with a trail that holds no secret.
import { expect, test } from 'bun:test';

import { eventKinds } from '../../../src/notify/event.ts';
import type { DeliveryState } from '../../../src/notify/outbox.ts';
import { eventOf, openReceiver, until } from '../../notify/opened.ts';
import { openNotifyApi } from './notify-api.ts';

interface Webhook {
  id: string;
  name: string;
  isEnabled: boolean;
  last?: Delivery;
}
interface Delivery {
  seq: number;
  id: string;
  state: DeliveryState;
  receiverName: string;
}

test('an inbox is listed, page by page, and read', async () => {
  await using box = await openNotifyApi();
  const bob = await box.addUser('Bob', 'viewer');
  const browser = box.signedIn(bob);
  for (let i = 0; i < 3; i++) box.notifier.post(eventOf({ recipients: [bob.id, box.admin.id] }));
  type Inbox = { unread: number; entries: { id: number; isRead: boolean }[] };
  const list = async (query = '') => (await box.ask<Inbox>(browser, 'GET', `/api/v1/inbox${query}`)).body;
  const first = await list('?limit=2');
  expect(box.complain(first, 'Inbox')).toEqual([]);
  expect(first).toMatchObject({
    unread: 3,
    entries: [{ id: 3, path: '/admin/releases/12', isRead: false }, { id: 2 }],
  });
  expect((await list('?before=2')).entries.map(({ id }) => id)).toEqual([1]);
  expect((await box.ask(browser, 'POST', '/api/v1/inbox/read', { ids: [3, 1] })).status).toBe(204);
  expect((await list('?unread=true')).entries.map(({ id }) => id)).toEqual([2]);
  expect((await box.ask(browser, 'POST', '/api/v1/inbox/read', { ids: '*' })).status).toBe(204);
  expect((await list()).unread).toBe(0);
  expect(box.notifier.unreadCount(box.admin.id)).toBe(3);
  for (const query of ['?limit=0', '?limit=201', '?before=x']) {
    expect((await box.ask(browser, 'GET', `/api/v1/inbox${query}`)).status).toBe(400);
  }
  for (const ids of [[0], [1.5], [null], 'all', undefined]) {
    expect((await box.ask(browser, 'POST', '/api/v1/inbox/read', { ids })).status).toBe(400);
  }
  expect((await box.asSystem('GET', '/api/v1/inbox')).status).toBe(403);
  // To read is nothing that was done to the appliance.
  expect(box.audit.search()).toEqual([]);
});

test('a webhook is made with its secret, changed, tested, given another secret and removed', async () => {
  await using receiver = openReceiver();
  await using box = await openNotifyApi();
  const ask = <T>(method: string, path: string, body?: unknown) => box.ask<T>(box.browser, method, path, body);
  const url = `${receiver.url}/TOKEN-IN-PATH?token=IN-QUERY`;
  const made = await ask<{ webhook: Webhook; secret: string }>('POST', '/api/v1/webhooks', { name: 'tickets', url });
  expect(made.status).toBe(201);
  expect(made.headers.get('cache-control')).toBe('no-store');
  expect(box.complain(made.body, 'NewWebhook')).toEqual([]);
  const path = `/api/v1/webhooks/${made.body.webhook.id}`;
  const result = await ask<{ isDelivered: boolean }>('POST', `${path}/test`);
  expect(result.body).toEqual({ isDelivered: true, status: 200, answer: 'ok' } as typeof result.body);
  expect(box.complain(result.body, 'TestResult')).toEqual([]);
  const list = await ask<{ webhooks: Webhook[] }>('GET', '/api/v1/webhooks');
  expect(box.complain(list.body, 'WebhookList')).toEqual([]);
  expect(list.body.webhooks[0]).toMatchObject({ name: 'tickets', kinds: '*', last: { state: 'delivered' } });
  const changes = { name: 'chat', kinds: ['release.live'], environment: 'production', isEnabled: false };
  const changed = await ask<Webhook>('PATCH', path, changes);
  expect(changed.body).toMatchObject({ ...changes, url, endpoint: null });
  expect((await ask<Webhook>('PATCH', path, { environment: null })).body).toMatchObject({ environment: null });
  const renewed = await ask<{ secret: string }>('POST', `${path}/secret`);
  expect(renewed.body.secret).not.toBe(made.body.secret);
  expect((await ask<Webhook>('GET', path)).body).toMatchObject({ name: 'chat' });
  expect((await ask('DELETE', path)).status).toBe(204);
  for (const [method, rest] of [
    ['GET', ''],
    ['DELETE', ''],
    ['PATCH', ''],
    ['POST', '/test'],
    ['POST', '/secret'],
  ]) {
    expect((await ask(method!, path + rest, method === 'PATCH' ? {} : undefined)).status).toBe(404);
  }
  const trail = box.audit.search();
  expect(trail.filter(({ result }) => result === 'ok').map(({ action, target }) => `${action} ${target}`)).toEqual([
    'removeWebhook chat',
    'renewWebhookSecret chat',
    'changeWebhook chat',
    'changeWebhook tickets',
    'testWebhook tickets',
    'createWebhook tickets',
  ]);
  const told = JSON.stringify(trail);
  for (const secret of [made.body.secret, renewed.body.secret, 'TOKEN-IN-PATH', 'IN-QUERY'])
    expect(told).not.toContain(secret);
});

test('what is wrong is said', async () => {
  await using box = await openNotifyApi();
  const good = { name: 'x', url: 'http://127.0.0.1:9/' };
  const statusOf = async (body: object) => (await box.ask(box.browser, 'POST', '/api/v1/webhooks', body)).status;
  const wrong: [object, number][] = [
    [{}, 400],
    [{ ...good, name: '' }, 400],
    [{ ...good, url: 'file:///etc/passwd' }, 400],
    [{ ...good, url: 'http://10.0.0.1/' }, 403],
    [{ ...good, kinds: ['release.lives'] }, 400],
    [{ ...good, kinds: [] }, 400],
    [{ ...good, secret: 'mine' }, 400],
  ];
  for (const [body, status] of wrong) expect(await statusOf(body)).toBe(status);
  expect(box.notifier.webhooks.list()).toEqual([]);
  await using closed = await openNotifyApi([]);
  const refused = await closed.ask(closed.browser, 'POST', '/api/v1/webhooks', good);
  expect(refused).toMatchObject({ status: 409, body: { error: { hint: expect.stringContaining('notify_to') } } });
  const { body } = await closed.ask<object>(closed.browser, 'GET', '/api/v1/notifications');
  expect(closed.complain(body, 'Notifications')).toEqual([]);
  expect(body).toMatchObject({ webhooksOn: false, mailOn: false, kinds: [...eventKinds] });
  expect((await closed.ask(closed.browser, 'POST', '/api/v1/notifications/test-mail')).status).toBe(409);
});

test('deliveries are listed, filtered, paged and tried again', async () => {
  await using receiver = openReceiver(() => new Response('no', { status: 410 }));
  await using box = await openNotifyApi();
  const settings = {
    name: 'a',
    url: receiver.url,
    kinds: '*' as const,
    environment: null,
    endpoint: null,
    isEnabled: true,
  };
  const { webhook } = box.notifier.webhooks.create(settings, 'Ada');
  box.notifier.webhooks.create({ ...settings, name: 'b' }, 'Ada');
  box.notifier.post(eventOf());
  while (box.notifier.statistics().pending.webhook > 0) await box.roomClock.pass(0);
  const list = async (query = '') => {
    const { body } = await box.ask<{ deliveries: Delivery[] }>(box.browser, 'GET', `/api/v1/deliveries${query}`);
    expect(box.complain(body, 'DeliveryList')).toEqual([]);
    return body.deliveries;
  };
  expect((await list()).map(({ receiverName, state }) => [receiverName, state])).toEqual([
    ['b', 'failed'],
    ['a', 'failed'],
  ]);
  expect(await list('?state=pending')).toEqual([]);
  const [own] = await list(`?webhook=${webhook.id}&state=failed&limit=1`);
  expect(own).toMatchObject({ receiverName: 'a', attempts: 1, status: 410, answer: 'no', nextAt: null });
  expect(await list(`?before=${own!.seq}`)).toEqual([]);
  const again = await box.ask<Delivery>(box.browser, 'POST', `/api/v1/deliveries/${own!.id}/retry`);
  expect(again).toMatchObject({ status: 200, body: { state: 'pending', nextAt: expect.any(String) } });
  await box.roomClock.pass(0);
  await until(() => box.notifier.statistics().pending.webhook === 0);
  expect(receiver.received).toHaveLength(3);
  expect((await box.ask(box.browser, 'POST', '/api/v1/deliveries/msg_0/retry')).status).toBe(404);
  for (const query of ['?state=x', '?limit=0', '?before=-1']) {
    expect((await box.ask(box.browser, 'GET', `/api/v1/deliveries${query}`)).status).toBe(400);
  }
});
