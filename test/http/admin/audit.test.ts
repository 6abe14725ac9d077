// The pages about what happened: the audit trail with its filters, pages, check and export, and the log of sign-ins.
import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { userRoles } from '../../../src/access/roles.ts';
import { attacks, expectText } from './markup.ts';
import { openSignedIn, password, type SignedIn, type Visitor } from './session.ts';

let box: SignedIn;
let ada: Visitor;
beforeAll(async () => {
  box = await openSignedIn();
  ada = box.administrator;
});
afterAll(async () => await box[Symbol.asyncDispose]());

const numbersIn = (text: string) => [...text.matchAll(/data-label="#">([\d,]+)</g)].map(([, number]) => Number(number));
const olderIn = (text: string) => /href="([^"]*[?&;]before=\d+[^"]*)"/.exec(text)?.[1]?.replaceAll('&amp;', '&');
const today = () => new Date().toLocaleDateString('sv');

test.each([...userRoles])('who may see them: %s', async (role) => {
  const visitor = role === 'administrator' ? ada : box.as(role);
  for (const path of ['/admin/audit', '/admin/audit?verify=1', '/admin/audit/export', '/admin/sign-ins']) {
    const { status, text } = await visitor.get(path);
    expect([path, status]).toEqual([path, role === 'administrator' ? 200 : 403]);
    if (status === 403) expect(text).not.toContain('completeSetup');
  }
});

describe('the audit trail', () => {
  test('tells what was done, refused and in vain', async () => {
    const nina = box.as('viewer', 'nina');
    await nina.post('/admin/users', { name: 'x', role: 'viewer' });
    await ada.post('/admin/users', { name: '', role: 'viewer' });
    await ada.post('/admin/users', { name: 'Oscar', role: 'viewer' });
    const results = async (query: string) =>
      [...(await ada.get(`/admin/audit?${query}`)).text.matchAll(/<span class="chip \w+"[^>]*>(\w+)</g)].map(
        ([, word]) => word,
      );
    expect(await results('actor=nina')).toEqual(['Refused']);
    expect(await results('actor=ada&action=createUser')).toEqual(['Done', 'Failed']);
    expect(await results('target=Oscar')).toEqual(['Done']);
    expect(await results(`target=Oscar&since=${today()}&until=${today()}`)).toEqual(['Done']);
    expect(await results('target=Oscar&until=2001-01-01')).toEqual([]);
    expect(await results('target=Oscar&since=2999-01-01')).toEqual([]);
    expect((await ada.get('/admin/audit?actor=nobody+such')).text).toContain('No entry matches.');
  });

  test('names what a page did as the API names it', async () => {
    const olga = box.as('owner', 'olga');
    await olga.get('/admin/users');
    await olga.get('/admin/users');
    await box.as('viewer', 'vic').post('/admin/sessions/end');
    const actions = async (name: string) =>
      [...(await ada.get(`/admin/audit?actor=${name}`)).text.matchAll(/data-label="Action"><code>(\w+)</g)].map(
        ([, word]) => word,
      );
    expect(await actions('olga')).toEqual(['listUsers']);
    expect(await actions('vic')).toEqual(['endOtherSessions']);
  });

  test('is paged from the newest on, filters included', async () => {
    for (let i = 0; i < 60; i++) await ada.post('/admin/preferences', { theme: 'dark' });
    let path: string | undefined = '/admin/audit?action=setPreferences';
    const seen: number[] = [];
    const sizes: number[] = [];
    while (path !== undefined) {
      const { text } = await ada.get(path);
      const numbers = numbersIn(text);
      sizes.push(numbers.length);
      seen.push(...numbers);
      path = olderIn(text);
    }
    expect(sizes).toEqual([50, 10]);
    expect(seen).toEqual(seen.toSorted((a, b) => b - a));
    expect(new Set(seen).size).toBe(60);
  });

  test.each(['before=-1', 'before=x', 'before=1e99', 'since=yesterday', 'until=2026-99-99'])(
    'nonsense such as %s is as if it were not there',
    async (query) => {
      const { status, text } = await ada.get(`/admin/audit?${query}`);
      expect(status).toBe(200);
      expect(numbersIn(text)).toHaveLength(50);
    },
  );

  test('is taken away as JSON lines, whose hashes anybody can follow', async () => {
    const { headers, text } = await ada.get('/admin/audit/export');
    expect(headers.get('content-disposition')).toMatch(/^attachment; filename="audit-[\d-]+\.jsonl"$/);
    const lines = text.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(60);
    let previous = '';
    for (const [i, line] of lines.entries()) {
      const { hash, ...entry } = JSON.parse(line) as { hash: string; seq: number };
      expect(entry.seq).toBe(i + 1);
      previous = createHash('sha256')
        .update(`${previous}\n${JSON.stringify(entry)}`)
        .digest('hex');
      expect(previous).toBe(hash);
    }
    const some = await ada.get('/admin/audit/export?target=Oscar');
    expect(some.text.trimEnd().split('\n')).toHaveLength(1);
    expect((await ada.get('/admin/audit/export?actor=nobody')).text).toBe('');
  });

  test('an export of thousands of entries is whole', async () => {
    await using large = await openSignedIn();
    using db = new Database(join(large.data, 'aimass.db'));
    const { openAccess } = await import('../../../src/access/access.ts');
    const access = openAccess(db);
    const event = {
      actor: { kind: 'system', name: 'test' },
      target: '',
      result: 'ok',
      from: '',
      requestId: '',
    } as const;
    db.transaction(() => {
      for (let i = 0; i < 2400; i++) access.audit.record({ ...event, action: `many.${i}` });
    })();
    access.close();
    const lines = (await large.administrator.get('/admin/audit/export')).text.trimEnd().split('\n');
    expect(lines.filter((line) => line.includes('"many.'))).toHaveLength(2400);
  });

  test('is checked when asked, and a changed entry is found', async () => {
    expect((await ada.get('/admin/audit')).text).not.toContain('Chain intact');
    expect((await ada.get('/admin/audit?verify=1')).text).toContain('Chain intact');
    await using forged = await openSignedIn();
    await forged.administrator.post('/admin/users', { name: 'Eve', role: 'viewer' });
    using db = new Database(join(forged.data, 'aimass.db'));
    db.run('DROP TRIGGER IF EXISTS audit_update');
    const triggers = db.query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'trigger'").all();
    for (const { name } of triggers) if (name.includes('audit')) db.run(`DROP TRIGGER "${name}"`);
    db.run(`UPDATE audit SET entry = replace(entry, 'Eve', 'Bob') WHERE seq = 2`);
    expect((await forged.administrator.get('/admin/audit?verify=1')).text).toContain('Chain broken at entry 2');
  });
});

describe('the log of sign-ins', () => {
  test('has the set-up, sign-ins, and those that failed', async () => {
    await box.stranger().post('/sign-in', { name: 'ada', password });
    await box.stranger().post('/sign-in', { name: 'ada', password: 'wrong' });
    const { text } = await ada.get('/admin/sign-ins');
    for (const words of ['Set-up link', 'Signed in', 'Refused', '127.0.0.1']) expect(text).toContain(words);
    expect((await ada.get('/admin/sign-ins?name=nobody')).text).toContain('Nobody has signed in yet.');
  });
});

test('markup stays text in filters, targets and what changed', async () => {
  for (const attack of attacks) {
    const query = new URLSearchParams({ actor: attack, action: attack, target: attack, since: attack });
    expectText(await ada.get(`/admin/audit?${query.toString()}`), attack);
    expectText(await ada.get(`/admin/sign-ins?name=${encodeURIComponent(attack)}`), attack);
    await ada.post(`/admin/users/${encodeURIComponent(attack)}/reset`);
    expectText(await ada.get('/admin/audit?action=resetPassword'), attack);
  }
});
