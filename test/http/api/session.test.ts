import { describe, expect, test } from 'bun:test';

import { parseNetworks } from '../../../src/access/networks.ts';
import { Gate } from '../../../src/http/gate.ts';
import { hour, password } from '../../access/opened.ts';
import { browserOf, cookieOf, openAccessApi, type Opening } from './access-api.ts';

const nobody = {};
const other = 'nine purple elephants dance';

interface Sessions {
  sessions: { id: string; user: string; userName: string; isCurrent: boolean }[];
}

describe('sign-in', () => {
  test('opens a session whose cookie and token work, and sign-out ends it', async () => {
    using box = await openAccessApi();
    const answer = await box.ask<Opening>(nobody, 'POST', '/api/v1/session', { name: 'ADA', password });
    expect(answer.status).toBe(201);
    expect(box.complain(answer.body, 'OpenedSession')).toEqual([]);
    expect(answer.body.mustChangePassword).toBe(false);
    const browser = browserOf(answer);
    const me = await box.ask<object>(browser, 'GET', '/api/v1/session');
    expect(me.body).toMatchObject({ kind: 'user', name: 'Ada', role: 'administrator' });
    expect(box.complain(me.body, 'Asker')).toEqual([]);

    const { status, headers } = await box.ask(browser, 'DELETE', '/api/v1/session');
    expect(status).toBe(204);
    expect(headers.get('set-cookie')).toContain('aimass_session=; ');
    expect((await box.ask<object>(browser, 'GET', '/api/v1/session')).body).toEqual({ kind: 'nobody', name: '' });
  });

  test('the same refusal for a wrong password and an unknown name; then a wait with Retry-After', async () => {
    using box = await openAccessApi();
    const attempt = (name: string) => box.ask(nobody, 'POST', '/api/v1/session', { name, password: other });
    const [wrong, unknown] = [await attempt('Ada'), await attempt('Nemo')];
    expect([wrong.status, unknown.status]).toEqual([401, 401]);
    expect(unknown.body).toEqual(wrong.body);
    for (let i = 1; i < 5; i++) await attempt('Ada');
    const locked = await attempt('Ada');
    expect(locked.status).toBe(429);
    expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(locked.headers.get('set-cookie')).toBeNull();
    expect((await box.ask(nobody, 'POST', '/api/v1/session', { name: 'Ada', password })).status).toBe(429);

    expect((await box.asSystem('POST', `/api/v1/users/${box.admin.id}/unlock`)).status).toBe(204);
    expect((await box.ask(nobody, 'POST', '/api/v1/session', { name: 'Ada', password })).status).toBe(201);
  });

  test('a browser in which somebody signed in before is not shut out by others at its address', async () => {
    using box = await openAccessApi();
    const enter = (headers: Record<string, string>, text: string) =>
      box.ask<Opening>(headers, 'POST', '/api/v1/session', { name: 'Ada', password: text });
    const cookies = (await enter(nobody, password)).headers.getSetCookie();
    expect(cookies[1]).toMatch(/^aimass_device=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=15552000$/);
    const device = { cookie: cookies[1]!.split(';')[0]! };
    for (let i = 0; i < 5; i++) await enter(nobody, other);
    expect((await enter(nobody, password)).status).toBe(429);
    const answer = await enter(device, password);
    expect(answer.status).toBe(201);
    expect(answer.headers.getSetCookie()[1]).toBe(cookies[1]);
  });

  test('a session that was opened in the clear ends where TLS has come', async () => {
    using box = await openAccessApi();
    const networks = parseNetworks([]);
    const gate = new Gate({ access: box, openTo: networks, trustedProxies: networks });
    const look = (isSecure: boolean, wasSecure: boolean) => {
      const visitor = { address: '10.0.0.7', agent: '', way: 'password' as const, isSecure: wasSecure };
      const { token } = box.sessions.create(box.admin.id, visitor);
      const request = new Request('https://box.lan/admin', { headers: { cookie: `aimass_session=${token}` } });
      const { kind } = gate.identify(request, { address: '10.0.0.7', isSecure }, '/admin').actor;
      return [kind, box.sessions.find(token) !== undefined];
    };
    expect(look(false, false)).toEqual(['user', true]);
    expect(look(true, true)).toEqual(['user', true]);
    expect(look(true, false)).toEqual(['nobody', false]);
  });

  test('a large body of nobody known is refused', async () => {
    using box = await openAccessApi();
    const body = { name: 'Ada', password: 'x'.repeat(100_000) };
    expect((await box.ask(nobody, 'POST', '/api/v1/session', body)).status).toBe(413);
  });

  test('who must change the password may do that and sign out, and nothing else', async () => {
    using box = await openAccessApi();
    await box.asSystem('POST', '/api/v1/users', { name: 'Bob', role: 'viewer', password });
    const answer = await box.ask<Opening>(nobody, 'POST', '/api/v1/session', { name: 'Bob', password });
    expect(answer.body.mustChangePassword).toBe(true);
    const browser = browserOf(answer);
    const refusal = await box.ask(browser, 'GET', '/api/v1/keys').catch((error: Error) => error);
    expect(refusal).toMatchObject({ code: 'forbidden', message: 'Choose a new password first.' });
    const change = (from: string, to: string, as = browser) =>
      box.ask(as, 'PUT', '/api/v1/account/password', { current: from, password: to });
    expect((await change(password, password)).status).toBe(400);
    const changed = await change(password, other);
    expect(changed.status).toBe(204);
    const renewed = { ...browser, cookie: cookieOf(changed) };
    expect(renewed.cookie).not.toBe(browser.cookie);
    expect((await box.ask(renewed, 'GET', '/api/v1/keys')).status).toBe(200);
  });
});

describe('the account', () => {
  test('the password changes with the current one only, and other sessions end', async () => {
    using box = await openAccessApi();
    const elsewhere = box.signedIn(box.admin);
    const change = (current: string, next: string) =>
      box.ask(box.adminBrowser, 'PUT', '/api/v1/account/password', { current, password: next });
    const wrong = await change('not the right one', other);
    expect(wrong.body.error).toMatchObject({ code: 'invalid', message: 'The current password is wrong.' });
    expect((await change(password, 'ada')).status).toBe(400);
    const changed = await change(password, other);
    expect(changed.status).toBe(204);
    expect((await box.ask<object>(elsewhere, 'GET', '/api/v1/session')).body).toMatchObject({ kind: 'nobody' });
    const here = { ...box.adminBrowser, cookie: cookieOf(changed) };
    expect((await box.ask<object>(here, 'GET', '/api/v1/session')).body).toMatchObject({ name: 'Ada' });
    expect((await box.ask(nobody, 'POST', '/api/v1/session', { name: 'Ada', password: other })).status).toBe(201);
    expect([...box.audit.export()].join()).not.toContain(other);
  });

  test('guesses at the current password are as limited as sign-ins', async () => {
    using box = await openAccessApi();
    const guess = () => box.ask(box.adminBrowser, 'PUT', '/api/v1/account/password', { current: 'x', password: other });
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await guess()).status);
    expect(statuses).toEqual([400, 400, 400, 400, 400, 429]);
  });

  test('preferences are kept, null takes one back, nonsense is refused', async () => {
    using box = await openAccessApi();
    const set = (body: object) => box.ask<object>(box.adminBrowser, 'PATCH', '/api/v1/account', body);
    expect((await set({ language: 'zh-CN', theme: 'dark' })).body).toMatchObject({ language: 'zh-CN', theme: 'dark' });
    const back = await set({ language: null });
    expect(back.body).toMatchObject({ language: null, theme: 'dark' });
    expect(box.complain(back.body, 'User')).toEqual([]);
    expect((await set({ theme: 'pink' })).status).toBe(400);
    expect((await box.asSystem('PATCH', '/api/v1/account', {})).status).toBe(403);
  });

  test('a reset link lets its user in once', async () => {
    using box = await openAccessApi();
    const bob = await box.addUser('Bob', 'owner');
    const browser = box.signedIn(bob);
    const { body } = await box.asSystem<{ path: string }>('POST', `/api/v1/users/${bob.id}/reset`);
    const token = new URL(body.path, 'http://box.lan').searchParams.get('token')!;
    const use = (password: string) => box.ask(nobody, 'POST', '/api/v1/password-reset', { token, password });
    expect((await use('short')).status).toBe(400);
    expect((await use(other)).status).toBe(204);
    expect((await use(password)).status).toBe(401);
    expect((await box.ask<object>(browser, 'GET', '/api/v1/session')).body).toMatchObject({ kind: 'nobody' });
    expect((await box.ask(nobody, 'POST', '/api/v1/session', { name: 'Bob', password: other })).status).toBe(201);
    const [entry] = box.audit.search({ action: 'completePasswordReset', actor: 'Bob' });
    expect(entry).toMatchObject({ target: 'Bob', result: 'ok' });

    const late = await box.asSystem<{ path: string }>('POST', `/api/v1/users/${bob.id}/reset`);
    box.clock.nowMs += 25 * hour;
    const old = { token: late.body.path.split('=')[1], password };
    expect((await box.ask(nobody, 'POST', '/api/v1/password-reset', old)).status).toBe(401);
  });
});

describe('sessions', () => {
  test('everybody sees and ends their own; administrators those of all', async () => {
    using box = await openAccessApi();
    const bob = await box.addUser('Bob', 'owner');
    const [here, there] = [box.signedIn(bob), box.signedIn(bob)];
    const list = async (as: Record<string, string>, query = '') => {
      const answer = await box.ask<Sessions>(as, 'GET', `/api/v1/sessions${query}`);
      if (answer.status === 200) expect(box.complain(answer.body, 'SessionList')).toEqual([]);
      return answer;
    };
    const mine = (await list(here)).body.sessions;
    expect(mine.map(({ userName }) => userName)).toEqual(['Bob', 'Bob']);
    expect(mine.filter(({ isCurrent }) => isCurrent)).toHaveLength(1);
    expect((await list(here, `?user=${box.admin.id}`)).status).toBe(403);
    expect((await list(here, '?user=all')).status).toBe(403);
    const all = (await list(box.adminBrowser, '?user=all')).body.sessions;
    expect(all).toHaveLength(3);
    expect((await list(box.adminBrowser, `?user=${bob.id}`)).body.sessions).toHaveLength(2);

    const admins = all.find(({ userName }) => userName === 'Ada')!.id;
    expect((await box.ask(here, 'DELETE', `/api/v1/sessions/${admins}`)).status).toBe(404);
    expect((await box.ask<object>(here, 'DELETE', '/api/v1/sessions')).body).toEqual({ ended: 1 });
    expect((await box.ask<object>(there, 'GET', '/api/v1/session')).body).toMatchObject({ kind: 'nobody' });
    const [last] = (await list(here)).body.sessions;
    expect((await box.ask(box.adminBrowser, 'DELETE', `/api/v1/sessions/${last!.id}`)).status).toBe(204);
    expect((await box.ask<object>(here, 'GET', '/api/v1/session')).body).toMatchObject({ kind: 'nobody' });
  });

  test('a new token of the hour is sent along, unless the session has just ended', async () => {
    using box = await openAccessApi();
    box.clock.nowMs += hour;
    const answer = await box.ask(box.adminBrowser, 'GET', '/api/v1/users');
    const renewed = { ...box.adminBrowser, cookie: cookieOf(answer) };
    expect(renewed.cookie).toStartWith('aimass_session=');
    expect(renewed.cookie).not.toBe(box.adminBrowser.cookie);
    expect((await box.ask(renewed, 'GET', '/api/v1/users')).headers.get('set-cookie')).toBeNull();
    box.clock.nowMs += hour;
    const out = await box.ask(renewed, 'DELETE', '/api/v1/session');
    expect(out.headers.getSetCookie()).toEqual([expect.stringContaining('aimass_session=; ')]);
    expect((await box.ask(renewed, 'GET', '/api/v1/users')).status).toBe(401);
  });

  test('a cookie without the form token changes nothing', async () => {
    using box = await openAccessApi();
    const { cookie } = box.adminBrowser as { cookie: string };
    const refusal = await box.ask({ cookie }, 'DELETE', '/api/v1/sessions').catch((error: Error) => error);
    expect(refusal).toMatchObject({ code: 'forbidden' });
    const foreign = { cookie, 'x-csrf-token': box.formTokens.issue('another session') };
    expect(await box.ask(foreign, 'DELETE', '/api/v1/sessions').catch((error: Error) => error)).toMatchObject({
      code: 'forbidden',
    });
  });
});
