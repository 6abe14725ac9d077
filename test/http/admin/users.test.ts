// The pages about users, through a real appliance: one-time links, changes, conflicts, sessions, and what markup in a
// name or a browser's name of itself does (nothing).
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { userRoles } from '../../../src/access/roles.ts';
import { html } from '../../../web/html.ts';
import { attacks, expectText, expectUnharmed } from './markup.ts';
import { openSignedIn, password, type Shown, type SignedIn, type Visitor } from './session.ts';

let box: SignedIn;
let ada: Visitor;
beforeAll(async () => {
  box = await openSignedIn();
  ada = box.administrator;
});
afterAll(async () => await box[Symbol.asyncDispose]());

const linkIn = ({ text }: Shown) => /http:\/\/[^<"]+\/reset\?token=[\w-]+/.exec(text)?.[0];
const revisionIn = ({ text }: Shown) => /name="revision" value="(\d+)"/.exec(text)![1]!;

async function create(name: string, role = 'viewer'): Promise<{ id: string; path: string }> {
  const made = await ada.post('/admin/users', { name, role });
  expect(made.status).toBe(200);
  const link = linkIn(made)!;
  return {
    id: idOf(name, await ada.get(`/admin/users?q=${encodeURIComponent(name)}`)),
    path: link.slice(box.url.length),
  };
}

function idOf(name: string, { text }: Shown): string {
  return new RegExp(`/admin/users/([\\w-]{36})">${html`${name}`.text}<`).exec(text)![1]!;
}

describe('who may see users', () => {
  test.each([...userRoles])('%s', async (role) => {
    const visitor = role === 'administrator' ? ada : box.as(role);
    const status = role === 'administrator' ? 200 : 403;
    for (const path of ['/admin/users', '/admin/users/new', `/admin/users/${ada.id}`]) {
      const shown = await visitor.get(path);
      expect([path, shown.status]).toEqual([path, status]);
      if (status === 403) expect(shown.text).not.toContain('>ada<');
    }
    if (status === 403)
      expect((await visitor.post('/admin/users', { name: 'eve', role: 'administrator' })).status).toBe(403);
  });

  test('nobody is led to the sign-in, and back', async () => {
    const { status, location } = await box.stranger().get('/admin/users?q=a');
    expect([status, location]).toEqual([303, '/sign-in?next=%2Fadmin%2Fusers%3Fq%3Da']);
  });

  test('a form without its token does nothing', async () => {
    expect((await ada.post('/admin/users', { name: 'forged', role: 'viewer', csrf: 'x' })).status).toBe(403);
    expect((await ada.get('/admin/users?q=forged')).text).toContain('No user has such a name.');
  });
});

describe('a new user', () => {
  test('chooses a password by a link that works once', async () => {
    const made = await ada.post('/admin/users', { name: 'Grace', role: 'owner' });
    expect(made.headers.get('cache-control')).toBe('no-store');
    const path = linkIn(made)!.slice(box.url.length);
    expect((await ada.get('/admin/users?q=grace')).text).toContain('Password not chosen yet');

    const grace = box.stranger();
    const asked = await grace.get(path);
    expect(asked.status).toBe(200);
    expect(asked.text).toContain('Grace');
    const token = new URL(path, box.url).searchParams.get('token')!;
    const send = (again: string, secret = password) => grace.post('/reset', { token, password: secret, again });
    const differs = await send('another password altogether');
    expect([differs.status, differs.text.includes('The two are not the same.')]).toEqual([422, true]);
    const short = await send('short', 'short');
    expect([short.status, short.text.includes('it needs 12 or more')]).toEqual([422, true]);
    expect((await send(password)).location).toBe('/admin');
    expect((await grace.get('/admin/sessions')).text).toContain('this one');

    const late = box.stranger();
    expect((await late.get(path)).text).toContain('no longer valid');
    const again = await late.post('/reset', {
      token,
      password: 'some other long words',
      again: 'some other long words',
    });
    expect([again.status, again.text.includes('no longer valid'), late.cookies.size]).toEqual([422, true, 0]);

    const signed = box.stranger();
    expect((await signed.post('/sign-in', { name: 'grace', password, next: '/admin/keys' })).location).toBe(
      '/admin/keys',
    );
    const log = await ada.get('/admin/sign-ins?name=Grace');
    expect(log.text).toContain('Reset link');
    expect((await ada.get('/admin/audit?action=completePasswordReset')).text).toContain('Grace');
  });

  test('whoever is signed in in the same browser no longer is', async () => {
    const { path, id } = await create('Heidi');
    const viewer = box.as('viewer', 'before');
    const { token } = Object.fromEntries(new URL(path, box.url).searchParams) as { token: string };
    expect((await viewer.post('/reset', { token, password, again: password })).location).toBe('/admin');
    expect((await viewer.get('/admin/sessions')).text).toContain('Heidi');
    expect((await ada.get(`/admin/users/${viewer.id}`)).text).toContain('Not signed in anywhere.');
    expect((await ada.get(`/admin/users/${id}`)).text).not.toContain('Not signed in anywhere.');
  });

  test.each([
    ['', 'cannot be called'],
    ['<b>', 'cannot be called &quot;&lt;b&gt;'],
    ['ADA', 'There is a user &#39;ada&#39; already.'],
  ])('called %p is refused at the field', async (name, words) => {
    const { status, text } = await ada.post('/admin/users', { name, role: 'owner' });
    expect(status).toBe(422);
    expect(/id="field-name-fault">.*?<\/p>/s.exec(text)?.[0]).toContain(words);
    expect(text).toMatch(/value="owner"[^>]*checked|checked[^>]*value="owner"/);
  });

  test('of a role that there is not is refused', async () => {
    expect((await ada.post('/admin/users', { name: 'root', role: 'root' })).status).toBe(422);
  });
});

describe('a change', () => {
  test('of name, role and whether one may sign in is one', async () => {
    const { id, path } = await create('Ivan');
    const { token } = Object.fromEntries(new URL(path, box.url).searchParams) as { token: string };
    const ivan = box.stranger();
    await ivan.post('/reset', { token, password, again: password });
    const revision = revisionIn(await ada.get(`/admin/users/${id}`));
    const saved = await ada.post(`/admin/users/${id}`, { name: 'Ivana', role: 'reviewer', revision });
    expect(saved.location).toBe('/admin/users');
    const list = await ada.get('/admin/users?q=ivana');
    expect(list.text).toContain('Ivana is saved.');
    expect(list.text).toContain('Disabled');
    expect((await ivan.get('/admin/sessions')).location).toStartWith('/sign-in');
    const { text } = await ada.get('/admin/audit?target=Ivan&action=changeUser');
    expect(text).toContain('&quot;role&quot;: &quot;viewer&quot;');
    expect(text).toContain('&quot;role&quot;: &quot;reviewer&quot;');
  });

  test('on what another administrator changed meanwhile is not made, and says so', async () => {
    const bob = box.as('administrator', 'bob');
    const { id } = await create('Judy');
    const seen = revisionIn(await ada.get(`/admin/users/${id}`));
    expect(revisionIn(await bob.get(`/admin/users/${id}`))).toBe(seen);
    const first = await bob.post(`/admin/users/${id}`, { name: 'Judy', role: 'owner', enabled: 'on', revision: seen });
    expect(first.status).toBe(303);
    const mine = { name: 'Judith', role: 'viewer', enabled: 'on' };
    const second = await ada.post(`/admin/users/${id}`, { ...mine, revision: seen });
    expect(second.status).toBe(422);
    expect(second.text).toContain('bob changed this user');
    expect(second.text).toContain('Saved meanwhile: Model owner');
    expect(second.text).toContain('value="Judith"');
    expect((await ada.get('/admin/users?q=judy')).text).toContain('Model owner');
    // Now it is decided knowingly.
    expect((await ada.post(`/admin/users/${id}`, { ...mine, revision: revisionIn(second) })).status).toBe(303);
    const trail = (await ada.get('/admin/audit?action=changeUser&target=Judy')).text;
    expect(trail).toContain('Failed');
  });

  test('that cannot be made whole is not made at all', async () => {
    // The only administrator who can sign in: bob has no password.
    const revision = revisionIn(await ada.get(`/admin/users/${ada.id}`));
    const { status, text } = await ada.post(`/admin/users/${ada.id}`, {
      name: 'ada2',
      role: 'administrator',
      revision,
    });
    expect(status).toBe(422);
    expect(text).toContain('is the last administrator who can sign in');
    expect((await ada.get('/admin/users?q=ada2')).text).toContain('No user has such a name.');
  });
});

describe('what is done to a user', () => {
  test('a reset makes a new link, and the one before ends', async () => {
    const { id, path } = await create('Mallory');
    const reset = await ada.post(`/admin/users/${id}/reset`);
    expect(linkIn(reset)).not.toContain(path);
    expect((await box.stranger().get(path)).text).toContain('no longer valid');
    expect((await box.stranger().get(linkIn(reset)!.slice(box.url.length))).text).toContain('Mallory');
  });

  test('an unlock ends the wait', async () => {
    const { id } = await create('Niaj');
    const guess = () => box.stranger().post('/sign-in', { name: 'niaj', password: 'a wrong password' });
    for (let i = 0; i < 5; i++) expect((await guess()).text).toContain('wrong');
    expect((await guess()).text).toContain('Too many sign-ins have failed.');
    expect((await ada.get(`/admin/users?q=niaj`)).text).toContain('Failed sign-ins');
    expect((await ada.get(`/admin/users/${id}`)).text).toContain(`action="/admin/users/${id}/unlock"`);
    expect((await ada.post(`/admin/users/${id}/unlock`)).location).toBe(`/admin/users/${id}`);
    expect((await ada.get(`/admin/users?q=niaj`)).text).not.toContain('Failed sign-ins');
    expect((await guess()).text).toContain('wrong');
  });

  test('sessions are ended one by one and all at once', async () => {
    const olga = [1, 2, 3].map(() => box.as('viewer', 'olga'));
    const path = `/admin/users/${olga[0]!.id}`;
    const sessions = [...(await ada.get(path)).text.matchAll(/name="session" value="([^"]+)"/g)].map(([, id]) => id!);
    expect(sessions).toHaveLength(3);
    await ada.post(`${path}/sessions/end`, { session: sessions[0]! });
    const alive = async () =>
      (await Promise.all(olga.map((each) => each.get('/admin/sessions')))).filter(({ status }) => status === 200)
        .length;
    expect(await alive()).toBe(2);
    // A session of somebody else is not this user's.
    expect((await ada.post(`/admin/users/${ada.id}/sessions/end`, { session: sessions[1]! })).status).toBe(404);
    expect(await alive()).toBe(2);
    await ada.post(`${path}/sessions/end`);
    expect(await alive()).toBe(0);
  });

  test('one who owns keys stays, one who owns none can be deleted', async () => {
    const { id } = await create('Peggy');
    const peggy = box.as('viewer', 'Peggy');
    const made = await peggy.post('/admin/keys', { name: 'line 3', 'actions.predict': 'on' });
    expect(made.status).toBe(200);
    expect((await ada.post(`/admin/users/${id}/remove`)).status).toBe(409);
    const key = /am_(\w{12})_\w{43}/.exec(made.text)![1]!;
    await peggy.post(`/admin/keys/${key}/revoke`);
    expect((await ada.post(`/admin/users/${id}/remove`)).location).toBe('/admin/users');
    expect((await ada.get(`/admin/users/${id}`)).status).toBe(404);
    expect((await peggy.get('/admin/sessions')).status).toBe(303);
  });
});

describe('one’s own sessions', () => {
  test('others can be ended, and this one, which signs out', async () => {
    const [here, there] = [box.as('reviewer', 'rupert'), box.as('reviewer', 'rupert')];
    const stranger = box.as('reviewer', 'sybil');
    const ids = (text: string) => [...text.matchAll(/name="session" value="([^"]+)"/g)].map(([, id]) => id!);
    const [foreign] = ids((await stranger.get('/admin/sessions')).text);
    expect((await here.post('/admin/sessions/end', { session: foreign! })).status).toBe(404);
    expect(ids((await here.get('/admin/sessions')).text)).toHaveLength(2);
    await here.post('/admin/sessions/end');
    expect((await there.get('/admin/sessions')).location).toBe('/sign-in?next=%2Fadmin%2Fsessions');
    const [own] = ids((await here.get('/admin/sessions')).text);
    expect((await here.post('/admin/sessions/end', { session: own! })).location).toBe('/sign-in');
    expect(here.cookies.has('aimass_session')).toBeFalse();
  });

  test('the sign-in says that a session has ended, and not to somebody new', async () => {
    const here = box.as('viewer', 'trent');
    const path = `/admin/users/${here.id}`;
    await ada.post(`${path}/sessions/end`);
    expect((await here.get('/sign-in')).text).toContain('Your session has ended.');
    expect((await box.stranger().get('/sign-in')).text).not.toContain('Your session has ended.');
  });
});

describe('markup stays text', () => {
  test('in names, searches and browsers’ names of themselves', async () => {
    const name = "O'Brien & Co";
    const refused = await ada.post('/admin/users', { name, role: 'viewer' });
    expect(refused.status).toBe(422);
    const { id } = await create("d'Arc");
    expect((await ada.get(`/admin/users/${id}`)).text).toContain('d&#39;Arc');
    for (const attack of attacks) {
      const victim = box.stranger();
      await victim.post('/sign-in', { name: 'grace', password }, { 'user-agent': attack });
      await box.stranger().post('/sign-in', { name: attack, password: attack });
      const failed = await ada.post('/admin/users', { name: attack, role: attack });
      expectText(failed, attack);
      expectText(await victim.get('/admin/sessions'), attack);
      expectText(await ada.get(`/admin/users?q=${encodeURIComponent(attack)}`), attack);
      expectText(await ada.get('/admin/sign-ins'), attack.slice(0, 64));
      expectUnharmed(await victim.get(`/reset?token=${encodeURIComponent(attack)}`));
      expectUnharmed(await box.stranger().get(`/sign-in?next=${encodeURIComponent(attack)}`));
    }
  });
});
