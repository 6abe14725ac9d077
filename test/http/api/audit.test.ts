import { expect, test } from 'bun:test';

import { loadConfig } from '../../../src/config.ts';
import { viewSettings } from '../../../src/http/api/settings.ts';
import type { Asker } from '../../../src/http/gate.ts';
import { minute, password } from '../../access/opened.ts';
import { type AccessApi, openAccessApi } from './access-api.ts';

interface Trail {
  entries: { seq: number; at: string; action: string; target: string; actor: { name: string } }[];
}

/** One entry a minute. */
function fill(box: AccessApi, count: number): void {
  for (let i = 1; i <= count; i++) {
    box.clock.nowMs += minute;
    box.audit.record({
      actor: { kind: 'system', name: i % 2 ? 'odd' : 'even' },
      action: 'loadModel',
      target: `model-${i}`,
      result: 'ok',
      from: 'socket',
      requestId: String(i),
    });
  }
}

test('entries are found by who, what, on what and when, a page at a time', async () => {
  using box = await openAccessApi();
  const startMs = box.clock.nowMs;
  fill(box, 9);
  const search = async (query: Record<string, string>) => {
    const path = `/api/v1/audit?${new URLSearchParams(query).toString()}`;
    const { status, body } = await box.ask<Trail>(box.adminBrowser, 'GET', path);
    expect(status).toBe(200);
    expect(box.complain(body, 'AuditTrail')).toEqual([]);
    return body.entries.map(({ seq }) => seq);
  };
  expect(await search({})).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
  expect(await search({ actor: 'even', limit: '2' })).toEqual([8, 6]);
  expect(await search({ actor: 'even', limit: '2', before: '6' })).toEqual([4, 2]);
  expect(await search({ target: 'model-3' })).toEqual([3]);
  expect(await search({ action: 'removeModel' })).toEqual([]);
  const at = (minutes: number) => new Date(startMs + minutes * minute).toISOString();
  expect(await search({ from: at(3), to: at(5) })).toEqual([4, 3]);
  for (const query of ['limit=0', 'limit=1001', 'before=x', 'from=yesterday', 'unknown=1']) {
    expect((await box.ask(box.adminBrowser, 'GET', `/api/v1/audit?${query}`)).status).toBe(400);
  }
});

test('a refused look is an entry for somebody known, once; a guest and nobody cannot make it grow', async () => {
  using box = await openAccessApi();
  const bob = box.signedIn(await box.addUser('Bob', 'viewer'));
  for (let i = 0; i < 3; i++) {
    expect((await box.ask(bob, 'GET', '/api/v1/audit')).status).toBe(403);
    expect((await box.ask({}, 'GET', '/api/v1/audit')).status).toBe(401);
  }
  expect((await box.ask(bob, 'GET', '/api/v1/users')).status).toBe(403);
  const entries = () => box.audit.search().map(({ actor, action, result }) => [actor.name, action, result]);
  expect(entries()).toEqual([
    ['Bob', 'listUsers', 'refused'],
    ['Bob', 'searchAudit', 'refused'],
  ]);
  const guest: Asker = { actor: { kind: 'guest', name: 'guest' }, address: '10.9.0.1', isSecure: false };
  for (let i = 0; i < 40; i++) expect((await box.ask(guest, 'GET', `/api/v1/models/m${i}`)).status).toBe(403);
  for (let i = 0; i < 40; i++) expect((await box.ask(guest, 'DELETE', `/api/v1/models/n${i}`)).status).toBe(403);
  expect(entries().filter(([name]) => name === 'guest')).toHaveLength(5);
});

test('verify finds what was tampered with', async () => {
  using box = await openAccessApi();
  fill(box, 5);
  const verify = async () => (await box.asSystem<object>('GET', '/api/v1/audit/verify')).body;
  expect(await verify()).toMatchObject({ ok: true, count: 5 });
  expect(box.complain(await verify(), 'AuditVerification')).toEqual([]);
  box.db.run('DROP TRIGGER audit_not_changed');
  box.db.run("UPDATE audit SET entry = replace(entry, 'model-3', 'model-x') WHERE seq = 3");
  expect(await verify()).toEqual({ ok: false, seq: 3, why: 'changed' });
  expect(box.complain(await verify(), 'AuditVerification')).toEqual([]);
});

test('the export has every entry in order, and its chain can be followed elsewhere', async () => {
  using box = await openAccessApi();
  fill(box, 1201);
  const answer = await box.asSystem<string>('GET', '/api/v1/audit/export');
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
  expect(answer.body).toEndWith('}\n');
  const lines = answer.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { seq: number; hash: string });
  expect(lines.map(({ seq }) => seq)).toEqual(Array.from({ length: 1201 }, (_, i) => i + 1));
  const { head } = (await box.audit.verify()) as { head: string };
  expect(lines.at(-1)!.hash).toBe(head);
  const odd = await box.asSystem<string>('GET', '/api/v1/audit/export?target=model-7');
  expect(odd.body.trimEnd().split('\n')).toHaveLength(1);
  expect((await box.asSystem<string>('GET', '/api/v1/audit/export?target=none')).body).toBe('');
});

test('the log of sign-ins says who tried, from where and how it went', async () => {
  using box = await openAccessApi();
  await box.ask({}, 'POST', '/api/v1/session', { name: 'Ada', password });
  await box.ask({}, 'POST', '/api/v1/session', { name: 'Eve', password });
  const { body } = await box.ask<{ signOns: object[] }>(box.adminBrowser, 'GET', '/api/v1/sign-ons');
  expect(body.signOns).toMatchObject([
    { name: 'Eve', result: 'refused', address: '10.0.0.7', way: 'password' },
    { name: 'Ada', result: 'ok' },
  ]);
  expect(box.complain(body, 'SignOnList')).toEqual([]);
  const one = await box.ask<{ signOns: object[] }>(box.adminBrowser, 'GET', '/api/v1/sign-ons?name=Ada');
  expect(one.body.signOns).toHaveLength(1);
  // Of sign-ins there may be any number, and the trail is for ever.
  expect(box.audit.search()).toEqual([]);
});

test('settings are shown with their source; a secret is not', async () => {
  const argv = ['--key', 'am_secret', '--data', '/srv/aimass'];
  const loaded = loadConfig({
    argv,
    env: { AIMASS_MAX_QUEUE_SIZE: '7' },
    isRoot: false,
    readFile: () => undefined,
  });
  using box = await openAccessApi({ settings: () => viewSettings(loaded) });
  const { body } = await box.ask<{ settings: { name: string }[] }>(box.adminBrowser, 'GET', '/api/v1/settings');
  expect(box.complain(body, 'SettingList')).toEqual([]);
  const find = (name: string) => body.settings.find((each) => each.name === name);
  expect(find('data')).toMatchObject({ value: '/srv/aimass', source: 'flag' });
  expect(find('maxQueueSize')).toMatchObject({ value: '7', source: 'variable', default: '1024' });
  expect(find('maxUploadBytes')).toMatchObject({ value: '64GiB', source: 'default' });
  expect(JSON.stringify(body)).not.toContain('am_secret');
  const owner = box.signedIn(await box.addUser('Bob', 'owner'));
  expect((await box.ask(owner, 'GET', '/api/v1/settings')).status).toBe(403);
});
