// Single sign-on through a whole appliance behind a proxy that ends TLS, with a real provider and browsers that keep
// cookies. The appliance's public address exists in the texts alone: browsers are taken to the real one.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { parseGroupRoles } from '../../src/http/admin/sso.ts';
import { errorOf } from '../access/opened.ts';
import { clientId, clientSecret, type OidcProvider, redirectUrl, startProvider } from '../access/provider.ts';
import { openSignedIn, type Shown, type SignedIn, type Visitor } from './admin/session.ts';
import { startAppliance } from './api/appliance.ts';

const groups: Record<string, string[]> = { grace: ['ml-team'], bob: ['guests'], tess: ['ml-team'], eve: ['ml-team'] };
const proxied = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '10.0.0.9' };

let provider: OidcProvider;
let box: SignedIn;
const settings = () => ({
  publicUrl: new URL(redirectUrl).origin,
  trustedProxies: '127.0.0.1',
  oidcIssuer: provider.issuer,
  oidcClientId: clientId,
  oidcClientSecret: clientSecret,
  oidcRoles: 'ml-admins=administrator,ml-team=owner,staff=viewer',
  oidcName: 'Corp & Co',
  oidcAllowHttp: 'on' as const,
});

beforeAll(async () => {
  provider = await startProvider(groups);
  box = await openSignedIn(settings());
});
afterAll(async () => {
  await box[Symbol.asyncDispose]();
  provider.close();
});

const pathOf = (url: string) => url.slice(new URL(url).origin.length);

async function begin(visitor: Visitor, path = '/sign-in/sso'): Promise<string> {
  const { status, location } = await visitor.get(path, proxied);
  expect(status).toBe(303);
  expect(location).toStartWith(`${provider.issuer}/`);
  return location!;
}

async function enter(visitor: Visitor, login: string, path?: string): Promise<Shown> {
  const back = await provider.signIn(await begin(visitor, path), login);
  return await visitor.get(pathOf(back), proxied);
}

interface Account {
  id: string;
  name: string;
  role: string;
  revision: number;
}

const findUser = async (name: string) => {
  const { body } = await box.ask<{ users: Account[] }>('GET', '/api/v1/users');
  return body.users.find((user) => user.name === name);
};

const lastSignOn = async () => {
  const { body } = await box.ask<{ signOns: object[] }>('GET', '/api/v1/sign-ons');
  return body.signOns[0];
};

describe('somebody whom the provider knows', () => {
  test('finds the way on the sign-in page and comes to the page that was asked for', async () => {
    const grace = box.stranger();
    const page = await grace.get('/sign-in?next=%2Fadmin%2Fpassword', proxied);
    expect(page.text).toContain('Corp &amp; Co');
    const path = /href="(\/sign-in\/sso[^"]*)"/.exec(page.text)![1]!.replaceAll('&amp;', '&');
    const entered = await enter(grace, 'grace', path);
    expect(entered).toMatchObject({ status: 303, location: '/admin/password' });
    const session = entered.headers.getSetCookie().find((text) => text.startsWith('aimass_session='));
    expect(session).toMatch(/HttpOnly.*Secure/);
    expect([...grace.cookies.keys()]).toEqual(['aimass_session']);
    expect((await grace.get('/admin/password', proxied)).status).toBe(200);
    expect(await findUser('grace')).toMatchObject({ role: 'owner', isLinked: true, hasPassword: false });
    expect(await lastSignOn()).toMatchObject({ name: 'grace', way: 'oidc', result: 'ok', address: '10.0.0.9' });
  });

  test('is not led to another site afterwards', async () => {
    const path = '/sign-in/sso?next=https%3A%2F%2Fevil.test%2F';
    expect((await enter(box.stranger(), 'grace', path)).location).toBe('/admin');
  });

  test('has the role of the groups at each sign-in, which the audit trail tells', async () => {
    expect((await enter(box.stranger(), 'tess')).status).toBe(303);
    groups.tess = ['ml-team', 'ml-admins'];
    expect((await enter(box.stranger(), 'tess')).status).toBe(303);
    expect(await findUser('tess')).toMatchObject({ role: 'administrator' });
    groups.tess = ['staff'];
    expect((await enter(box.stranger(), 'tess')).status).toBe(303);
    expect(await findUser('tess')).toMatchObject({ role: 'viewer' });
    const { body } = await box.ask<string>('GET', '/api/v1/audit/export');
    const told = body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { target?: string; after?: { role: string } })
      .filter(({ target }) => target === 'tess');
    expect(told.map(({ after }) => after?.role)).toEqual(['owner', 'administrator', 'viewer']);
  });

  test('in no group that has a role is refused, and loses the sessions of before', async () => {
    const refused = await enter(box.stranger(), 'bob');
    expect(refused.status).toBe(403);
    expect(refused.text).toContain('Ask an administrator which group it takes');
    expect(refused.headers.getSetCookie().join()).not.toContain('aimass_session');
    expect(await findUser('bob')).toBeUndefined();
    expect(await lastSignOn()).toMatchObject({ name: 'bob', result: 'no-role' });

    groups.bob = ['staff'];
    const bob = box.stranger();
    expect((await enter(bob, 'bob')).status).toBe(303);
    expect((await bob.get('/admin/password', proxied)).status).toBe(200);
    groups.bob = [];
    expect((await enter(box.stranger(), 'bob')).status).toBe(403);
    expect((await bob.get('/admin/password', proxied)).location).toStartWith('/sign-in');
  });

  test('but who is disabled here is refused', async () => {
    expect((await enter(box.stranger(), 'eve')).status).toBe(303);
    const { id, revision } = (await findUser('eve'))!;
    const disabled = await box.ask('PATCH', `/api/v1/users/${id}`, { isDisabled: true, revision });
    expect(disabled.status).toBe(200);
    const refused = await enter(box.stranger(), 'eve');
    expect(refused.status).toBe(403);
    expect(refused.text).toContain('disabled');
    expect(await lastSignOn()).toMatchObject({ name: 'eve', way: 'oidc', result: 'disabled' });
  });
});

describe('an answer of the provider', () => {
  test('is for the browser that asked, for its question, and once', async () => {
    const [mine, other] = [box.stranger(), box.stranger()];
    const back = pathOf(await provider.signIn(await begin(mine), 'grace'));
    const query = new URLSearchParams(back.slice(back.indexOf('?')));
    expect((await box.stranger().get(back, proxied)).status).toBe(401);

    await begin(other);
    const foreign = await other.get(back, proxied);
    expect(foreign.status).toBe(401);
    expect(foreign.text).toContain('Begin the sign-in again');
    expect(await lastSignOn()).toMatchObject({ way: 'oidc', result: 'refused' });
    expect([...other.cookies.keys()]).toEqual([]);

    const cookie = mine.cookies.get('aimass_sso')!;
    expect(Buffer.from(cookie, 'base64url').toString('latin1')).not.toContain(query.get('state')!);
    expect((await mine.get(back, proxied)).status).toBe(303);
    const replayed = { ...proxied, cookie: `aimass_sso=${cookie}` };
    const again = await fetch(box.url + back, { headers: replayed, redirect: 'manual' });
    expect(again.status).toBe(401);
  });

  test('with a state that was guessed is refused', async () => {
    const visitor = box.stranger();
    const back = pathOf(await provider.signIn(await begin(visitor), 'grace'));
    const guessed = await visitor.get(back.replace(/state=[^&]*/, 'state=guess'), proxied);
    expect(guessed.status).toBe(401);
    expect([...visitor.cookies.keys()]).toEqual([]);
  });

  test('that somebody turned back leads to the sign-in page', async () => {
    const visitor = box.stranger();
    const back = await provider.refuse(await begin(visitor));
    const page = await visitor.get(pathOf(back), proxied);
    expect(page.status).toBe(401);
    expect(page.text).toContain('href="/sign-in/sso');
  });
});

test('a provider that is away is told, and passwords still work', async () => {
  const gone = await startProvider({});
  gone.close();
  await using alone = await openSignedIn({ ...settings(), oidcIssuer: gone.issuer });
  const page = await alone.stranger().get('/sign-in/sso');
  expect(page.status).toBe(503);
  expect(page.text).toContain('Check the issuer in the settings');
  expect((await alone.administrator.get('/admin/password')).status).toBe(200);
});

test('nobody comes by single sign-on before the first administrator has come by the link', async () => {
  await using unowned = await startAppliance(settings());
  for (const path of ['/sign-in/sso', '/sign-in/callback?code=x&state=y']) {
    const response = await fetch(unowned.url + path, { redirect: 'manual' });
    expect(response.headers.get('location')).toBe('/setup');
  }
});

test('groups are given roles by name, also by names that contain commas', () => {
  expect([...parseGroupRoles('a=owner, b c=viewer,')]).toEqual([
    ['a', 'owner'],
    ['b c', 'viewer'],
  ]);
  expect([...parseGroupRoles('cn=ml,ou=x=owner; cn=all=viewer;')]).toEqual([
    ['cn=ml,ou=x', 'owner'],
    ['cn=all', 'viewer'],
  ]);
  expect([...parseGroupRoles('cn=ml,ou=x=reviewer;').keys()]).toEqual(['cn=ml,ou=x']);
});

test.each(['admins=adminstrator,staff=viewer', '=owner', 'owner', 'a=', 'key=key:read', 'g=guest'])(
  'the mapping %p is refused',
  async (text) => {
    expect((await errorOf(() => parseGroupRoles(text))).code).toBe('invalid');
  },
);
