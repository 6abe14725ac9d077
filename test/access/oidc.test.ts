import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { Oidc } from '../../src/access/oidc.ts';
import { codeOf, errorOf, openTemporary } from './opened.ts';
import { clientId, clientSecret, type OidcProvider, redirectUrl, startProvider } from './provider.ts';

let provider: OidcProvider;
beforeAll(async () => {
  provider = await startProvider({ grace: ['ml-owners', 'staff'], bob: ['staff'] });
});
afterAll(() => provider.close());

const open = (settings = {}) =>
  new Oidc({ issuer: provider.issuer, clientId, clientSecret, allowHttp: true, ...settings });

describe('single sign-on with a real provider', () => {
  test('says who came, with name, address and groups', async () => {
    const oidc = open();
    const { url, pending } = await oidc.begin(redirectUrl);
    const asked = new URL(url).searchParams;
    expect(asked.get('code_challenge_method')).toBe('S256');
    expect(url).not.toContain(pending.verifier);
    const identity = await oidc.finish(await provider.signIn(url, 'grace'), JSON.parse(JSON.stringify(pending)));
    expect(identity).toEqual({
      issuer: provider.issuer,
      subject: 'grace',
      name: 'grace',
      email: 'grace@corp.test',
      groups: ['ml-owners', 'staff'],
    });
  });

  test('makes a user with the role of the group, or none', async () => {
    const it = await openTemporary();
    const roles = new Map([['ml-owners', 'owner']] as const);
    const oidc = open();
    const enter = async (login: string) => {
      const { url, pending } = await oidc.begin(redirectUrl);
      return it.signIn.withIdentity(await oidc.finish(await provider.signIn(url, login), pending), roles, '10.0.0.9');
    };
    expect(await enter('grace')).toMatchObject({ name: 'grace', role: 'owner', isLinked: true });
    expect(await codeOf(() => enter('bob'))).toBe('forbidden');
    it.close();
    it.db.close();
  });

  test('takes an answer for its own question alone, and once', async () => {
    const oidc = open();
    const mine = await oidc.begin(redirectUrl);
    const other = await oidc.begin(redirectUrl);
    const back = await provider.signIn(mine.url, 'grace');
    const refused = [
      [back, other.pending],
      [back, { ...mine.pending, state: 'guess' }],
      [
        `${redirectUrl}?code=guess&state=${mine.pending.state}&iss=${encodeURIComponent(provider.issuer)}`,
        mine.pending,
      ],
      [back.replace(/iss=[^&]*/, 'iss=https%3A%2F%2Fevil.test'), mine.pending],
      [redirectUrl, mine.pending],
      ['', mine.pending],
    ] as const;
    for (const [url, pending] of refused) expect(await codeOf(() => oidc.finish(url, pending))).toBe('unauthenticated');
    expect((await oidc.finish(back, mine.pending)).subject).toBe('grace');
    expect(await codeOf(() => oidc.finish(back, mine.pending))).toBe('unauthenticated');
  });

  test('needs the verifier and the nonce that it began with', async () => {
    const oidc = open();
    for (const stolen of [{ verifier: 'x'.repeat(43) }, { nonce: 'guess' }]) {
      const { url, pending } = await oidc.begin(redirectUrl);
      const back = await provider.signIn(url, 'grace');
      expect(await codeOf(() => oidc.finish(back, { ...pending, ...stolen }))).toBe('unauthenticated');
    }
  });

  test('passes on that somebody turned back', async () => {
    const oidc = open();
    const { url, pending } = await oidc.begin(redirectUrl);
    const error = await errorOf(async () => oidc.finish(await provider.refuse(url), pending));
    expect(error.code).toBe('unauthenticated');
    expect(error.message).toContain('refused');
  });

  test('a wrong secret of ours is told as such, not as a person who is wrong', async () => {
    const oidc = open({ clientSecret: 'wrong' });
    const { url, pending } = await oidc.begin(redirectUrl);
    const error = await errorOf(async () => oidc.finish(await provider.signIn(url, 'grace'), pending));
    expect(error.code).toBe('unavailable');
    expect(error.hint).toContain('client id and secret');
  });
});

describe('a provider', () => {
  test('without TLS is taken only when that was allowed', async () => {
    expect(await codeOf(() => open({ allowHttp: false }))).toBe('invalid');
    expect(await codeOf(() => open({ issuer: 'not a url' }))).toBe('invalid');
    expect(await codeOf(() => open({ issuer: 'file:///etc/passwd' }))).toBe('invalid');
  });

  test('that sends us to another machine is not followed', async () => {
    let calls = 0;
    const other = Bun.serve({ port: 0, fetch: () => new Response(String(calls++), { status: 500 }) });
    const away = `http://127.0.0.1:${other.port}/`;
    let told: Record<string, string> = {};
    const front = Bun.serve({
      port: 0,
      async fetch({ url }) {
        const own = url.slice(0, url.indexOf('/', 8));
        const page = await fetch(`${provider.issuer}/.well-known/openid-configuration`);
        return Response.json({
          ...((await page.json()) as object),
          issuer: own,
          token_endpoint: own,
          jwks_uri: own,
          ...told,
        });
      },
    });
    for (const name of ['token_endpoint', 'jwks_uri']) {
      told = { [name]: away };
      const oidc = open({ issuer: `http://127.0.0.1:${front.port}` });
      expect((await errorOf(() => oidc.begin(redirectUrl))).message).toContain(away);
    }
    told = {};
    const { url } = await open({ issuer: `http://127.0.0.1:${front.port}` }).begin(redirectUrl);
    expect(url).toStartWith(provider.issuer);
    expect(calls).toBe(0);
    await Promise.all([front.stop(true), other.stop(true)]);
  });

  test('that does not answer is asked again the next time', async () => {
    const gone = await startProvider({});
    gone.close();
    const oidc = open({ issuer: gone.issuer });
    expect(await codeOf(() => oidc.begin(redirectUrl))).toBe('unavailable');
    expect(await codeOf(() => open({ issuer: `${provider.issuer}/elsewhere` }).begin(redirectUrl))).toBe('unavailable');
  });
});
