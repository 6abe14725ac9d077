// The pages about notifications, through a real appliance: the bell and the inbox of everybody, webhooks and the log of
// those who manage them, and the address of each.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';

import { parseNetworks } from '../../../src/access/networks.ts';
import { Users } from '../../../src/access/users.ts';
import { openDatabase } from '../../../src/db/open.ts';
import type { NotifyEvent } from '../../../src/notify/event.ts';
import { openNotifier } from '../../../src/notify/notifier.ts';
import { eventOf, openReceiver } from '../../notify/opened.ts';
import { attacks, expectText, expectUnharmed } from './markup.ts';
import { openSignedIn, type SignedIn, type Visitor } from './session.ts';

let box: SignedIn;
let ada: Visitor;
let receiver: ReturnType<typeof openReceiver>;
let status = 200;
/** As another room of the appliance does. */
let post: (event: Partial<NotifyEvent>) => void;

beforeAll(async () => {
  receiver = openReceiver(() => new Response('thank you', { status }));
  box = await openSignedIn({ notifyTo: '127.0.0.0/8' });
  ada = box.administrator;
  const db = openDatabase(join(box.data, 'aimass.db'));
  const other = openNotifier({
    db,
    users: new Users(db, Date.now),
    keyPath: join(box.data, 'secrets.key'),
    networks: parseNetworks([]),
    smtpUrl: '',
    mailFrom: '',
    baseUrl: () => '',
    version: '0',
    // It only writes down.
    clock: { now: Date.now, after: () => () => {} },
  });
  post = (event) => other.post(eventOf(event));
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await box[Symbol.asyncDispose]();
});

const badge = (text: string) => /data-live-key="inbox\.unread">([^<]*)</.exec(text)?.[1];
const home = '/admin/notifications';

async function makeWebhook(name: string, fields: Record<string, string> = {}): Promise<string> {
  const made = await ada.post(`${home}/webhooks`, { name, url: receiver.url, ...fields });
  expect(made.status).toBe(200);
  const { text } = await ada.get(home);
  return new RegExp(`href="${home}/webhooks/([\\w-]+)">${name}<`).exec(text)![1]!;
}

describe('the inbox', () => {
  test('of everybody: the bell counts, what is unread comes first, a link leads on and marks it', async () => {
    const bob = box.as('viewer', 'bob');
    expect(badge((await bob.get('/admin')).text)).toBe('');
    expect((await bob.get('/admin/inbox')).text).toContain('Nothing yet');
    for (const number of [1, 2, 3]) {
      const title = { en: `request ${number}`, zh: `申请 ${number}` };
      post({ recipients: [bob.id], title, path: `/admin/models?n=${number}` });
    }
    expect(badge((await bob.get('/admin')).text)).toBe('3');
    const list = (await bob.get('/admin/inbox')).text;
    const second = /href="(\/admin\/inbox\/\d+)">request 2</.exec(list)![1]!;
    expect((await bob.get(second)).location).toBe('/admin/models?n=2');
    const after = (await bob.get('/admin/inbox')).text;
    expect(badge(after)).toBe('2');
    expect([...after.matchAll(/>(request \d)</g)].map(([, title]) => title)).toEqual([
      'request 3',
      'request 1',
      'request 2',
    ]);
    expect(after.split('class="unread"')).toHaveLength(3);
    await bob.post('/admin/preferences', { language: 'zh-CN', back: '/admin' });
    expect((await bob.get('/admin/inbox')).text).toContain('>申请 1<');
    const third = /name="id" value="(\d+)"/.exec(after)![1]!;
    expect((await bob.post('/admin/inbox/read', { id: third })).location).toBe('/admin/inbox');
    expect(badge((await bob.get('/admin')).text)).toBe('1');
    await bob.post('/admin/inbox/read');
    expect(badge((await bob.get('/admin')).text)).toBe('');
    expect((await ada.get(second)).status).toBe(404);
    const trail = (await ada.get('/admin/audit?actor=bob')).text;
    expect([...trail.matchAll(/<td[^>]*><code>(\w+)</g)].map(([, action]) => action)).toEqual(['setPreferences']);
  });

  test('has pages', async () => {
    const eve = box.as('viewer', 'eve');
    for (let i = 0; i < 51; i++) post({ recipients: [eve.id], title: { en: `number ${i}.`, zh: '' } });
    expect((await eve.get('/admin/inbox')).text).toContain('1–50 of 51');
    const last = (await eve.get('/admin/inbox?page=2')).text;
    expect([...last.matchAll(/>number (\d+)\.</g)].map(([, number]) => number)).toEqual(['0']);
    for (const page of ['9', '-1', 'x', '1e99']) expect((await eve.get(`/admin/inbox?page=${page}`)).status).toBe(200);
    expect(badge(last)).toBe('51');
  });

  test('the bell moves with the stream of any page', async () => {
    const cyd = box.as('viewer', 'cyd');
    const response = await cyd.fetch('/admin/live?topics=overview');
    const reader = response.body!.getReader();
    let text = '';
    const readUntil = async (wanted: string) => {
      while (!text.includes(wanted)) text += new TextDecoder().decode((await reader.read()).value);
    };
    await readUntil('"inbox.unread":""');
    post({ recipients: [cyd.id] });
    await readUntil('"inbox.unread":"1"');
    await reader.cancel();
  });

  test('leads nowhere else, whatever was posted', async () => {
    const dan = box.as('viewer', 'dan');
    post({ recipients: [dan.id], path: '//evil.example/', title: { en: 'away', zh: '' } });
    const link = /href="(\/admin\/inbox\/\d+)">away</.exec((await dan.get('/admin/inbox')).text)![1]!;
    expect((await dan.get(link)).location).toBe('/admin');
  });
});

describe('a webhook', () => {
  test('is made with its secret, tried, changed and removed', async () => {
    const made = await ada.post(`${home}/webhooks`, {
      name: 'chat',
      url: receiver.url,
      'kinds.release.live': 'on',
      environment: 'production',
    });
    expect([made.status, made.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const secret = /whsec_[\w+/]{43}=/.exec(made.text)![0];
    expect(made.text).toContain('hmac.compare_digest');
    const list = (await ada.get(home)).text;
    expect(list).not.toContain(secret);
    for (const words of ['chat', receiver.url, 'Live', 'production', 'Never']) expect(list).toContain(words);
    const id = new RegExp(`${home}/webhooks/([\\w-]+)">chat<`).exec(list)![1]!;
    const path = `${home}/webhooks/${id}`;
    expect((await ada.post(`${path}/test`)).location).toBe(home);
    expect((await ada.get(home)).text).toContain('chat took the test: 200 thank you');
    const form = (await ada.get(path)).text;
    expect(form).toMatch(/name="kinds\.release\.live"[^>]*checked|checked[^>]*name="kinds\.release\.live"/);
    const saved = await ada.post(path, { name: 'chat 2', url: receiver.url });
    expect(saved.location).toBe(home);
    const changed = (await ada.get(home)).text;
    for (const words of ['chat 2 is saved.', 'All events', 'Off']) expect(changed).toContain(words);
    const renewed = await ada.post(`${path}/secret`);
    expect(/whsec_[\w+/]{43}=/.exec(renewed.text)![0]).not.toBe(secret);
    expect((await ada.post(`${path}/remove`)).location).toBe(home);
    expect((await ada.get(path)).status).toBe(404);
    const trail = (await ada.get('/admin/audit?target=chat')).text;
    for (const words of ['createWebhook', 'testWebhook', 'changeWebhook']) expect(trail).toContain(words);
    expect(trail).not.toContain('whsec_');
    expect(trail).not.toContain('/hook');
  });

  test.each([
    ['name', { name: '' }, 'must have 1 to 80 characters'],
    ['url', { url: 'nowhere' }, 'is no address of a webhook'],
    ['url', { url: 'http://10.0.0.1/' }, 'in no network that webhooks may reach'],
    ['url', { url: 'http://a:b@127.0.0.1/' }, 'must not have a name or password'],
    ['endpoint', { endpoint: 'x'.repeat(200) }, 'This is no name.'],
  ] as [string, Record<string, string>, string][])('says at %s what is wrong with %o', async (field, fields, words) => {
    const { status, text } = await ada.post(`${home}/webhooks`, { name: 'wrong', url: receiver.url, ...fields });
    expect(status).toBe(422);
    const faults = [...text.matchAll(/id="field-([\w]+)-fault">.*?<\/svg>(.*?)<\/p>/gs)].map(([, at, said]) => [
      at,
      said,
    ]);
    expect(faults).toEqual([[field, expect.stringContaining(words)]]);
    expect((await ada.get(home)).text).not.toContain('>wrong<');
  });

  test('of a name that is taken is not made', async () => {
    await makeWebhook('taken');
    const again = await ada.post(`${home}/webhooks`, { name: 'taken', url: receiver.url });
    expect([again.status, again.text.includes('There is a webhook &#39;taken&#39; already.')]).toEqual([422, true]);
  });

  test('is nobody’s matter but an administrator’s', async () => {
    for (const role of ['reviewer', 'owner', 'viewer'] as const) {
      const visitor = box.as(role);
      for (const path of [home, `${home}/webhooks/new`, `${home}/deliveries`]) {
        expect((await visitor.get(path)).status).toBe(403);
      }
      expect((await visitor.post(`${home}/webhooks`, { name: 'x', url: receiver.url })).status).toBe(403);
      expect((await visitor.get('/admin')).text).not.toContain(`href="${home}"`);
    }
  });

  test('markup in what was entered and answered stays text', async () => {
    for (const attack of attacks) {
      const made = await ada.post(`${home}/webhooks`, {
        name: attack,
        url: `${receiver.url}?${attack}`,
        endpoint: attack,
      });
      expectText(made, attack);
      const list = await ada.get(home);
      expectText(list, attack);
      for (const [, id] of list.text.matchAll(/webhooks\/([\w-]+)\/test/g))
        await ada.post(`${home}/webhooks/${id}/test`);
      expectText(await ada.get(`${home}/deliveries`), attack);
      post({ recipients: [ada.id], title: { en: attack, zh: attack }, text: { en: attack, zh: attack } });
      expectText(await ada.get('/admin/inbox'), attack);
      expectUnharmed(await ada.post(`${home}/webhooks`, { name: attack, url: attack, environment: attack }));
    }
  });
});

test('the log tells what was sent and what was answered, and tries again', async () => {
  status = 410;
  const id = await makeWebhook('ticketing');
  await ada.post(`${home}/webhooks/${id}/test`);
  expect((await ada.get(home)).text).toContain('The test did not arrive at ticketing: 410 thank you');
  const { text } = await ada.get(`${home}/deliveries?webhook=${id}&state=failed`);
  for (const words of ['A test of notifications', 'ticketing', 'Not delivered', '410', 'thank you']) {
    expect(text).toContain(words);
  }
  const path = new RegExp(`${home}/deliveries/msg_\\w+/retry`).exec(text)![0];
  status = 200;
  const back = `${home}/deliveries?webhook=${id}`;
  expect((await ada.post(path, { back })).location).toBe(back);
  while (!(await ada.get(back)).text.includes('Delivered</span>')) await Bun.sleep(20);
  expect((await ada.post(path, { back })).status).toBe(409);
  expect((await ada.get(`${home}/deliveries?state=pending&webhook=${id}`)).text).toContain('No delivery matches.');
  expect(await (await fetch(`${box.url}/metrics`, { unix: join(box.data, 'aimass.sock') })).text()).toMatch(
    /aimass_notifications_total\{channel="webhook",result="delivered"\} \d+\n/,
  );
});

describe('the mail address', () => {
  test('is set on one’s own account', async () => {
    const fay = box.as('owner', 'fay');
    const page = (await fay.get('/admin/account')).text;
    for (const words of ['Signed in as fay, Model owner.', 'No mail server is set up yet'])
      expect(page).toContain(words);
    expect((await fay.post('/admin/account', { email: ' fay@corp.example ', mailMe: 'on' })).location).toBe(
      '/admin/account',
    );
    const saved = (await fay.get('/admin/account')).text;
    for (const words of ['Your account is saved.', 'value="fay@corp.example"', 'checked'])
      expect(saved).toContain(words);
    await fay.post('/admin/account', { email: 'fay@corp.example' });
    expect((await fay.get('/admin/account')).text).not.toContain('checked');
    const wrong = await fay.post('/admin/account', { email: 'fay@corp.example, eve@corp.example' });
    expect([wrong.status, wrong.text.includes('is no mail address')]).toEqual([422, true]);
  });

  test('is set by administrators, with all that they decide on', async () => {
    const gus = box.as('viewer', 'gus');
    const path = `/admin/users/${gus.id}`;
    const revision = /name="revision" value="(\d+)"/.exec((await ada.get(path)).text)![1]!;
    const fields = { name: 'gus', role: 'viewer', enabled: 'on', revision };
    const wrong = await ada.post(path, { ...fields, email: 'gus' });
    expect([wrong.status, wrong.text.includes('id="field-email-fault"')]).toEqual([422, true]);
    expect((await ada.post(path, { ...fields, email: 'gus@corp.example' })).status).toBe(303);
    expect((await ada.get(path)).text).toContain('value="gus@corp.example"');
    const stale = await ada.post(path, { ...fields, email: 'other@corp.example' });
    expect([stale.status, stale.text.includes('Saved meanwhile: gus@corp.example')]).toEqual([422, true]);
  });
});

test('without a mail server the page says what to do, and a test is refused', async () => {
  expect((await ada.get(home)).text).toContain('Name a mail server with the settings smtp_url and mail_from');
  expect((await ada.post(`${home}/test-mail`)).status).toBe(409);
});
