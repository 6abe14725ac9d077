// The pages about API keys, through a real appliance: what is made there works as it says, for its owner and those who
// manage keys, and for nobody else.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { userRoles } from '../../../src/access/roles.ts';
import { attacks, expectText, expectUnharmed } from './markup.ts';
import { openSignedIn, type Shown, type SignedIn, type Visitor } from './session.ts';

let box: SignedIn;
let ada: Visitor;
beforeAll(async () => {
  box = await openSignedIn();
  ada = box.administrator;
});
afterAll(async () => await box[Symbol.asyncDispose]());

const keyIn = ({ text }: Shown) => /am_\w{12}_\w{43}/.exec(text)?.[0];
const idIn = (key: string) => key.split('_')[1]!;
const call = (key: string, path = '/api/v1/models') => fetch(box.url + path, { headers: { 'x-api-key': key } });

async function make(visitor: Visitor, fields: Record<string, string>): Promise<string> {
  const made = await visitor.post('/admin/keys', { 'actions.predict': 'on', ...fields });
  expect(made.status).toBe(200);
  return keyIn(made)!;
}

test.each([...userRoles])('a %s makes a key, uses it, and sees it in the list', async (role) => {
  const visitor = role === 'administrator' ? ada : box.as(role);
  expect((await visitor.get('/admin/keys/new')).status).toBe(200);
  const made = await visitor.post('/admin/keys', { name: `of ${role}`, 'actions.predict': 'on' });
  const key = keyIn(made)!;
  expect(made.headers.get('cache-control')).toBe('no-store');
  expect(made.text).toContain(`export AIMASS_KEY=&#39;${key}&#39;`);
  expect((await call(key)).status).toBe(200);
  const list = await visitor.get('/admin/keys');
  expect(list.text).toContain(`of ${role}`);
  expect(list.text).toContain(`am_${idIn(key)}_…`);
  expect(list.text).not.toContain(key);
  const trail = await ada.get(`/admin/audit?target=${idIn(key)}`);
  expect(trail.text).toContain('createKey');
  expect(trail.text).not.toContain(key);
});

test('a stranger is led to the sign-in', async () => {
  expect((await box.stranger().get('/admin/keys')).location).toBe('/sign-in?next=%2Fadmin%2Fkeys');
  expect((await box.stranger().post('/admin/keys', { name: 'x', 'actions.predict': 'on' })).status).toBe(303);
});

test('a key of somebody else is not there, but for who manages keys', async () => {
  const [wendy, walter] = [box.as('viewer', 'wendy'), box.as('owner', 'walter')];
  const key = await make(wendy, { name: 'the door camera' });
  expect((await walter.get('/admin/keys')).text).not.toContain('the door camera');
  for (const [what, fields] of [
    ['rotate', { overlap: '0' }],
    ['revoke', {}],
  ] as const) {
    const refused = await walter.post(`/admin/keys/${idIn(key)}/${what}`, fields);
    expect([refused.status, keyIn(refused)]).toEqual([404, undefined]);
  }
  expect((await call(key)).status).toBe(200);
  expect((await ada.get('/admin/keys?q=WENDY')).text).toContain('the door camera');
  expect((await ada.post(`/admin/keys/${idIn(key)}/revoke`)).location).toBe('/admin/keys');
  expect((await ada.get('/admin/keys')).text).toContain('the door camera is revoked.');
  expect((await call(key)).status).toBe(401);
  // Twice makes no difference, and says so.
  expect((await wendy.post(`/admin/keys/${idIn(key)}/revoke`)).status).toBe(409);
});

describe('a rotated key', () => {
  test('works beside the old one for as long as was chosen', async () => {
    const old = await make(ada, { name: 'rotating' });
    const fresh = keyIn(await ada.post(`/admin/keys/${idIn(old)}/rotate`, { overlap: '24' }))!;
    expect(fresh).not.toBe(old);
    expect([(await call(old)).status, (await call(fresh)).status]).toEqual([200, 200]);
    expect((await ada.get('/admin/keys?q=rotating')).text).toContain('old one until');
    const last = keyIn(await ada.post(`/admin/keys/${idIn(old)}/rotate`, { overlap: '0' }))!;
    expect([(await call(fresh)).status, (await call(last)).status]).toEqual([401, 200]);
  });

  test.each(['', '-1', '1e9', 'x'])('is not made for an overlap of %p', async (overlap) => {
    const key = await make(ada, { name: 'kept' });
    expect((await ada.post(`/admin/keys/${idIn(key)}/rotate`, { overlap })).status).toBe(400);
    expect((await call(key)).status).toBe(200);
  });
});

describe('the form', () => {
  test('makes what it says', async () => {
    const fields = {
      models: 'faces, credit',
      ratePerSecond: '0.5',
      burst: '3',
      dailyQuota: '2',
      expires: '2999-01-31',
    };
    const key = await make(ada, { name: 'limited', 'actions.read': 'on', ...fields });
    const { text } = await ada.get('/admin/keys?q=limited');
    for (const words of ['faces, credit', '0.5/s', '0 of 2 today', 'Jan 31, 2999', 'Call models, See models']) {
      expect(text).toContain(words);
    }
    expect([(await call(key)).status, (await call(key)).status, (await call(key)).status]).toEqual([200, 200, 429]);
    expect((await call(key, '/api/v1/users')).status).toBe(429);
    expect((await ada.get('/admin/keys?q=limited')).text).toContain('2 of 2 today');
  });

  test.each([
    ['name', { name: '' }, 'must have 1 to 80 characters'],
    ['name', { name: 'x'.repeat(500) }, 'must have 1 to 80 characters'],
    ['models', { models: '../etc' }, 'is no model&#39;s name'],
    ['expires', { expires: '2001-01-31' }, 'cannot expire in the past'],
    ['expires', { expires: 'soon' }, 'Enter a date.'],
    ['expires', { expires: '2999-13-31' }, 'Enter a date.'],
    ['ratePerSecond', { ratePerSecond: '-1' }, 'The rate must be'],
    ['ratePerSecond', { ratePerSecond: 'fast' }, 'Enter a number.'],
    ['burst', { burst: '5' }, 'A burst without a rate'],
    ['burst', { burst: '1.5', ratePerSecond: '1' }, 'The burst must be a whole number'],
    ['dailyQuota', { dailyQuota: '0' }, 'The daily quota must be'],
  ] as [string, Record<string, string>, string][])('says at %s what is wrong with %o', async (field, fields, words) => {
    const { status, text } = await ada.post('/admin/keys', { name: 'wrong', 'actions.predict': 'on', ...fields });
    expect(status).toBe(422);
    const faults = [...text.matchAll(/id="field-([\w]+)-fault">.*?<\/svg>(.*?)<\/p>/gs)].map(([, name, words]) => [
      name,
      words,
    ]);
    expect(faults).toEqual([[field, expect.stringContaining(words)]]);
    expect(text).toContain('One entry needs your attention.');
    if (field !== 'name') expect(text).toContain('value="wrong"');
    expect((await ada.get('/admin/keys?q=wrong')).text).toContain('No key has such a name.');
  });

  test('without a right says so, and offers none that the role has not', async () => {
    const { status, text } = await ada.post('/admin/keys', { name: 'nothing' });
    expect([status, text.includes('A key needs at least one action.')]).toEqual([422, true]);
    expect((await ada.get('/admin/keys/new')).text).toContain('actions.load');
    const viewer = box.as('viewer');
    expect((await viewer.get('/admin/keys/new')).text).not.toContain('actions.load');
    const forged = await viewer.post('/admin/keys', { name: 'forged', 'actions.load': 'on' });
    expect([forged.status, keyIn(forged)]).toEqual([403, undefined]);
  });
});

describe('the page of a key', () => {
  const fields = { name: 'edited', models: 'faces', ratePerSecond: '2', dailyQuota: '9', expires: '2999-01-31' };
  const shownValue = (text: string, name: string) =>
    new RegExp(`name="${name}"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="${name}"`)
      .exec(text)
      ?.slice(1)
      .find(Boolean);

  test('is filled with what the key has, and changes what is said there', async () => {
    const key = await make(ada, fields);
    const path = `/admin/keys/${idIn(key)}`;
    expect((await ada.get('/admin/keys?q=edited')).text).toContain(`href="${path}"`);
    const { text } = await ada.get(path);
    for (const [name, value] of Object.entries(fields)) expect([name, shownValue(text, name)]).toEqual([name, value]);
    const done = await ada.post(path, { ...fields, name: 'renamed', ratePerSecond: '', 'actions.read': 'on' });
    expect(done.location).toBe('/admin/keys');
    const list = (await ada.get('/admin/keys?q=renamed')).text;
    for (const words of ['renamed is saved.', 'faces', '0 of 9 today', 'Jan 31, 2999']) expect(list).toContain(words);
    expect(list).not.toContain('2/s');
    const wrong = await ada.post(path, { ...fields, dailyQuota: 'x', 'actions.read': 'on' });
    expect([wrong.status, wrong.text.includes('Enter a number.')]).toEqual([422, true]);
    expect((await ada.get(`/admin/audit?target=${idIn(key)}&action=changeKey`)).text).toContain('renamed');
  });

  test('gives it to somebody else who may have it, for those who manage keys', async () => {
    const [wim, willa] = [box.as('viewer', 'wim'), box.as('owner', 'willa')];
    const key = await make(willa, { name: 'handed over', 'actions.load': 'on' });
    const path = `/admin/keys/${idIn(key)}`;
    expect((await willa.get(path)).text).not.toContain('/owner"');
    expect((await willa.post(`${path}/owner`, { owner: wim.id })).status).toBe(403);
    expect((await wim.get(path)).status).toBe(404);
    const { text } = await ada.get(path);
    expect(text).toContain(`action="${path}/owner"`);
    const refused = await ada.post(`${path}/owner`, { owner: wim.id });
    expect([refused.status, /id="field-owner-fault"/.test(refused.text)]).toEqual([422, true]);
    expect((await ada.post(`${path}/owner`, { owner: ada.id })).location).toBe('/admin/keys');
    expect((await ada.get('/admin/keys?q=handed')).text).toContain('handed over belongs to ada now.');
    expect((await willa.get(path)).status).toBe(404);
    expect((await call(key)).status).toBe(200);
    await ada.post(`${path}/revoke`);
    expect((await ada.get(path)).location).toBe('/admin/keys');
  });
});

test('an empty list says what a key is for', async () => {
  const { text } = await box.as('reviewer', 'newcomer').get('/admin/keys');
  expect(text).toContain('No key yet');
  expect(text).not.toContain('data-search');
});

test('markup in a name stays text', async () => {
  for (const attack of attacks) {
    const made = await ada.post('/admin/keys', { name: attack, 'actions.predict': 'on' });
    expectText(made, attack);
    expectText(await ada.get(`/admin/keys?q=${encodeURIComponent(attack)}`), attack);
    expectText(await ada.post(`/admin/keys/${idIn(keyIn(made)!)}/rotate`, { overlap: '0' }), attack);
    await ada.post(`/admin/keys/${idIn(keyIn(made)!)}/revoke`);
    expectText(await ada.get('/admin/audit?action=createKey'), attack);
    const wrong = { 'actions.predict': 'on', models: attack, ratePerSecond: attack, expires: attack };
    expectUnharmed(await ada.post('/admin/keys', { name: attack, ...wrong }));
  }
});
