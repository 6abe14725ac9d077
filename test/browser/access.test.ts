// Access in a real browser: from the set-up link to a colleague with a key, each role's menu, two administrators at
// once, a session that has ended; each screen looked at by axe-core in both languages and themes, on a phone too.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { roleMay, userRoles } from '../../src/access/roles.ts';
import { openSignedIn, password, type SignedIn } from '../http/admin/session.ts';
import { startAppliance } from '../http/api/appliance.ts';
import { browserProblem, type Person, sitDown } from './driving.ts';

const it = browserProblem ? test.skip : test;
if (browserProblem) console.warn(`browser tests are skipped: ${browserProblem}`);

const desk = { width: 1280 };
const phone = { width: 360, height: 780, dark: true };
const clean = { findings: [], excess: 0 };
/** Another host to the browser, with cookies of its own. */
const elsewhere = (url: string) => url.replace('127.0.0.1', 'localhost');

it('from the set-up link to a colleague with a key of her own', async () => {
  await using box = await startAppliance();
  const ada = await sitDown(box.url, desk);
  const grace = await sitDown(elsewhere(box.url), phone);
  try {
    await ada.open(box.setupUrl!.slice(box.url.length));
    expect(await ada.inspect()).toEqual(clean);
    await ada.enter({ name: 'ada', password, again: `${password}!` });
    await ada.follow('main [type="submit"]');
    expect(await ada.text()).toContain('The two are not the same.');
    await ada.enter({ password, again: password });
    await ada.follow('main [type="submit"]');
    expect(await ada.at()).toBe('/admin');

    await ada.follow('a[href="/admin/users"]');
    await ada.follow('a[href="/admin/users/new"]');
    await ada.enter({ name: 'grace', 'role=owner': 'on' });
    await ada.follow('main [type="submit"]');
    expect(await ada.inspect()).toEqual(clean);
    const link = await ada.view.evaluate<string>(`document.querySelector('main pre').textContent`);

    await grace.open(link.slice(box.url.length));
    expect(await grace.inspect()).toEqual(clean);
    await grace.enter({ password, again: password });
    await grace.follow('main [type="submit"]');
    expect(await grace.at()).toBe('/admin');
    await grace.open('/admin/keys');
    await grace.follow('main a[href="/admin/keys/new"]');
    await grace.enter({ name: 'line 3', ratePerSecond: '0.5' });
    await grace.follow('main [type="submit"]');
    expect(await grace.inspect()).toEqual(clean);
    const key = await grace.view.evaluate<string>(`document.querySelector('main pre').textContent`);
    expect((await fetch(`${box.url}/api/v1/models`, { headers: { 'x-api-key': key } })).status).toBe(200);

    // A dialog asks first, and its choices are within reach on a phone.
    await grace.open('/admin/keys');
    const id = key.split('_')[1]!;
    await grace.view.evaluate(`document.querySelector('[commandfor="rotate-${id}"]').click()`);
    expect(await grace.view.evaluate(`document.querySelector('#rotate-${id}').open`)).toBeTrue();
    expect(await grace.inspect()).toEqual(clean);
    await grace.follow(`#rotate-${id} [type="submit"]`);
    expect(await grace.view.evaluate<string>(`document.querySelector('main pre').textContent`)).toStartWith(
      `am_${id}_`,
    );

    await ada.open('/admin/audit');
    const trail = await ada.text();
    for (const words of ['createUser', 'completePasswordReset', 'createKey', 'rotateKey'])
      expect(trail).toContain(words);
  } finally {
    ada.close();
    grace.close();
  }
});

describe('on an appliance with people', () => {
  let box: SignedIn;
  let near: Person;
  let far: Person;
  beforeAll(async () => {
    box = await openSignedIn();
    if (browserProblem) return;
    near = await sitDown(box.url, desk);
    far = await sitDown(elsewhere(box.url), phone);
  });
  afterAll(async () => {
    near?.close();
    far?.close();
    await box[Symbol.asyncDispose]();
  });

  for (const role of userRoles) {
    it(`the menu of a ${role} leads only where the role may go`, async () => {
      await near.be(box.as(role, `a ${role}`).cookies);
      await near.open('/admin');
      const menu = await near.view.evaluate<[path: string, status: number][]>(
        `Promise.all([...document.querySelectorAll('nav.side a')].map(async (link) => {
          const { status } = await fetch(link.href);
          return [link.pathname, status];
        }))`,
      );
      expect(menu.filter(([, status]) => status !== 200)).toEqual([]);
      const paths = menu.map(([path]) => path);
      const guarded = {
        '/admin/users': 'user.read',
        '/admin/keys': 'key.own',
        '/admin/audit': 'audit.read',
        '/admin/sign-ins': 'sign-on.read',
        '/admin/settings': 'settings.read',
      } as const;
      for (const [path, action] of Object.entries(guarded)) {
        expect([path, paths.includes(path)]).toEqual([path, roleMay(role, action)]);
      }
    });
  }

  it('of two administrators who edit a user at once the second is told', async () => {
    const { id } = box.as('viewer', 'judy');
    await near.be(box.administrator.cookies);
    await far.be(box.as('administrator', 'bob').cookies);
    await near.open(`/admin/users/${id}`);
    await far.open(`/admin/users/${id}`);
    await far.enter({ 'role=reviewer': 'on' });
    await far.follow('main .card form [type="submit"]');
    await near.enter({ name: 'judith' });
    await near.follow('main .card form [type="submit"]');
    const told = await near.text();
    expect(told).toContain('bob changed this user');
    expect(told).toContain('Saved meanwhile: Reviewer');
    expect(await near.inspect()).toEqual(clean);
    expect(await near.view.evaluate(`document.querySelector('[name="name"]').value`)).toBe('judith');
    await near.enter({ 'role=reviewer': 'on' });
    await near.follow('main .card form [type="submit"]');
    expect(await near.text()).toContain('judith is saved.');
  });

  it('whose session has ended signs in again and comes back to where the way led', async () => {
    const nina = box.stranger();
    const made = await box.administrator.post('/admin/users', { name: 'nina', role: 'owner' });
    const [, token] = /token=([\w-]+)/.exec(made.text)!;
    await nina.post('/reset', { token: token!, password, again: password });
    await near.be(nina.cookies);
    await near.open('/admin/keys?q=camera');
    await box.administrator.post(`${/\/admin\/users\/[\w-]{36}/.exec(made.text)![0]}/sessions/end`);
    await near.view.evaluate(`document.querySelector('[data-search]')?.blur()`);
    await near.open('/admin/sessions');
    expect(await near.at()).toBe('/sign-in?next=%2Fadmin%2Fsessions');
    expect(await near.text()).toContain('Your session has ended.');
    expect(await near.inspect()).toEqual(clean);
    await near.enter({ name: 'nina', password });
    await near.follow('main [type="submit"]');
    expect(await near.at()).toBe('/admin/sessions');
  });

  it('axe-core finds nothing on any screen, and none is wider than a phone', async () => {
    const ada = box.administrator;
    await ada.post('/admin/keys', { name: 'camera', 'actions.predict': 'on', models: 'faces', dailyQuota: '1000' });
    await box.stranger().post('/sign-in', { name: 'judy', password: 'not this one' });
    const paths = [
      '/admin/users',
      '/admin/users/new',
      `/admin/users/${ada.id}`,
      '/admin/users?q=nobody+such',
      '/admin/keys',
      '/admin/keys/new',
      '/admin/audit?verify=1',
      '/admin/audit?actor=nobody',
      '/admin/sign-ins',
      '/admin/settings',
      '/admin/about',
      '/admin/sessions',
      '/admin/password',
      '/reset?token=x',
      '/admin/none',
    ];
    for (const [person, language] of [
      [near, 'en'],
      [far, 'zh-CN'],
    ] as const) {
      await person.be(ada.cookies);
      await ada.post('/admin/preferences', { language });
      for (const path of paths) {
        await person.open(path);
        expect([path, await person.view.evaluate('document.documentElement.lang')]).toEqual([path, language]);
        expect([path, await person.inspect()]).toEqual([path, clean]);
      }
    }
    await ada.post('/admin/preferences', { language: 'en' });
  }, 90_000);
});
