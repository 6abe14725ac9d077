// What administrators make: checked, with a secret that is shown once and kept sealed.
import { describe, expect, test } from 'bun:test';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { AppError } from '../../src/error.ts';
import { openNotifier } from '../../src/notify/notifier.ts';
import type { WebhookSettings } from '../../src/notify/webhook-settings.ts';
import { eventOf, openReceiver, openRoom, webhookSettings } from './opened.ts';

const wanted: WebhookSettings = { ...webhookSettings, url: 'http://127.0.0.1:9/hook' };

function codeOf(work: () => unknown): string {
  try {
    work();
    return '';
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

test('made, changed, listed, removed', async () => {
  await using room = openRoom();
  const { webhooks } = room.notifier;
  const { webhook } = webhooks.create({ ...wanted, name: '  tickets ', environment: ' ', endpoint: ' digits ' }, 'Ada');
  expect(webhook).toEqual({
    id: expect.any(String),
    name: 'tickets',
    url: 'http://127.0.0.1:9/hook',
    kinds: '*',
    environment: null,
    endpoint: 'digits',
    isEnabled: true,
    createdMs: room.clock.now(),
    createdBy: 'Ada',
  });
  const kinds = ['release.live', 'release.approved', 'release.live'] as const;
  expect(webhooks.change(webhook.id, { kinds })).toMatchObject({
    name: 'tickets',
    kinds: ['release.approved', 'release.live'],
  });
  expect(webhooks.list()).toEqual([webhooks.get(webhook.id)]);
  webhooks.remove(webhook.id);
  expect(webhooks.list()).toEqual([]);
  expect(() => webhooks.remove(webhook.id)).toThrow('no such webhook');
  expect(() => webhooks.change(webhook.id, {})).toThrow('no such webhook');
});

describe('refused', () => {
  test.each([
    [{ name: '' }, 'invalid'],
    [{ name: 'x'.repeat(81) }, 'invalid'],
    [{ name: 'a\nb' }, 'invalid'],
    [{ name: 'taken' }, 'conflict'],
    [{ url: 'http://10.0.0.1/' }, 'forbidden'],
    [{ url: 'nowhere' }, 'invalid'],
    [{ kinds: [] }, 'invalid'],
    [{ kinds: ['release.lives'] }, 'invalid'],
    [{ endpoint: 'x'.repeat(200) }, 'invalid'],
  ] as [object, string][])('%o', async (given, code) => {
    await using room = openRoom();
    const { webhooks } = room.notifier;
    webhooks.create({ ...wanted, name: 'taken' }, 'Ada');
    const { webhook } = webhooks.create({ ...wanted, name: 'other' }, 'Ada');
    const settings = { ...wanted, name: 'third', ...given };
    expect(codeOf(() => webhooks.create(settings, 'Ada'))).toBe(code);
    expect(codeOf(() => webhooks.change(webhook.id, given))).toBe(code);
    expect(webhooks.list()).toHaveLength(2);
  });

  test('while no network is named; one that is there can still be turned off', async () => {
    await using room = openRoom();
    const { webhook } = room.notifier.webhooks.create(wanted, 'Ada');
    await using closed = openRoom({ db: room.db, networkList: [], keyPath: join(room.folder, 'secrets.key') });
    const { webhooks } = closed.notifier;
    expect(codeOf(() => webhooks.create({ ...wanted, name: 'x' }, 'Ada'))).toBe('conflict');
    expect(() => webhooks.create({ ...wanted, name: 'x', url: 'http://host/' }, 'Ada')).toThrow('Webhooks are off');
    closed.notifier.post(eventOf());
    expect(closed.notifier.deliveries()).toEqual([]);
    expect(await closed.notifier.testWebhook(webhook.id)).toMatchObject({
      isDelivered: false,
      answer: expect.stringContaining('notify_to'),
    });
    expect(webhooks.change(webhook.id, { isEnabled: false }).isEnabled).toBeFalse();
  });
});

describe('a secret', () => {
  test('is not in the database, and opens with the key file alone', async () => {
    await using receiver = openReceiver();
    await using room = openRoom();
    const { webhooks } = room.notifier;
    const { webhook, secret } = webhooks.create({ ...wanted, url: receiver.url }, 'Ada');
    expect(secret).toMatch(/^whsec_[\w+/]{43}=$/);
    const bytes = Buffer.from(room.db.serialize());
    expect(bytes.includes(secret.slice(6))).toBeFalse();
    expect(bytes.includes(Buffer.from(secret.slice(6), 'base64'))).toBeFalse();
    const path = join(room.folder, 'secrets.key');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(webhooks.openSecret(webhook.id)).toBe(secret);
    writeFileSync(path, `${Buffer.alloc(32, 1).toString('base64')}\n`);
    await using other = openRoom({ db: room.db, keyPath: path });
    const outcome = await other.notifier.testWebhook(webhook.id);
    expect(outcome.answer).toContain('another key file');
    expect(receiver.received).toEqual([]);
    const { secret: fresh } = other.notifier.webhooks.renewSecret(webhook.id);
    expect(fresh).not.toBe(secret);
    expect(await other.notifier.testWebhook(webhook.id)).toMatchObject({ isDelivered: true });
  });

  test('a key file that is none is no reason to make another', async () => {
    await using room = openRoom();
    const path = join(room.folder, 'secrets.key');
    writeFileSync(path, 'x');
    const parts = { db: room.db, users: room.users, keyPath: path, smtpUrl: '', mailFrom: '', version: '0' };
    const networks = { isEmpty: true, has: () => false };
    expect(() => openNotifier({ ...parts, networks, baseUrl: () => '' })).toThrow('it holds no key');
    expect(readFileSync(path, 'utf8')).toBe('x');
  });
});
