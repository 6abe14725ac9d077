// The pages of going live against the real thing: who may do what, what the audit trail calls it, two who edit at once,
// what is said of versions, and what the live stream says of an endpoint.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { addScalar } from '../../support/graphs.ts';
import { openSignedIn, type Shown, type SignedIn, type Visitor } from './session.ts';

let box: SignedIn;
beforeAll(async () => {
  box = await openSignedIn();
  for (const term of [1, 2, 3]) await box.ask('POST', '/api/v1/models/credit/versions', addScalar(term));
});
afterAll(() => box[Symbol.asyncDispose]());

const numbers = {
  minInstances: '1',
  maxInstances: '1',
  inferenceTimeoutMs: '1000',
  maxQueueSize: '0',
  plan: 'all',
  licence: 'MIT',
};
const wish = (endpoint: string, more: Record<string, string> = {}) => ({
  ...numbers,
  model: 'credit',
  version: '1',
  endpoint,
  environment: 'production',
  ...more,
});

/** @returns the address of the release */
async function ask(visitor: Visitor, fields: Record<string, string>, submits = true): Promise<string> {
  const answer = await visitor.post(submits ? '/admin/releases/submit' : '/admin/releases', fields);
  expect(answer.location).toMatch(/^\/admin\/releases\/\d+$/);
  return answer.location!;
}

async function untilState(visitor: Visitor, path: string, state: string): Promise<void> {
  while (!stateOf(await visitor.get(path)).includes(state)) await Bun.sleep(50);
}

const stateOf = ({ text }: Shown) => /<h1>[^]*?<\/h1>/.exec(text)![0].replace(/<[^>]*>|\s+/g, ' ');

const valueOf = (page: string, name: string) => {
  const input = page.match(/<input[^>]*>/g)!.find((each) => each.includes(`name="${name}"`))!;
  return /value="([^"]*)"/.exec(input)?.[1];
};

async function lastOf(action: string) {
  const { body } = await box.ask<{ entries: { action: string; target: string; result: string; actor: string }[] }>(
    'GET',
    `/api/v1/audit?action=${action}&limit=1`,
  );
  return body.entries[0];
}

describe('who may do what', () => {
  test('a viewer looks and asks for nothing', async () => {
    const viewer = box.as('viewer');
    for (const path of ['/admin/releases', '/admin/endpoints', '/admin/environments', '/admin/compare']) {
      expect([path, (await viewer.get(path)).status]).toEqual([path, 200]);
    }
    expect((await viewer.get('/admin/releases/new')).status).toBe(403);
    expect((await viewer.post('/admin/releases/submit', wish('x'))).status).toBe(403);
    expect((await viewer.get('/admin/environments/production')).status).toBe(403);
    expect((await viewer.get('/admin/releases')).text).not.toContain('href="/admin/releases/new"');
  });

  test('nobody approves a request of their own, and the page says why', async () => {
    const administrator = box.administrator;
    const path = await ask(administrator, wish('own'));
    expect((await administrator.get(path)).text).toContain('somebody else has to decide');
    const refused = await administrator.post(`${path}/approve`);
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('Nobody approves a request of their own here.');
    expect((await administrator.post(`${path}/withdraw`, { reason: 'A mistake.' })).status).toBe(303);
    expect(stateOf(await administrator.get(path))).toContain('Withdrawn');
    expect(await lastOf('withdrawRelease')).toMatchObject({ target: path.split('/').at(-1), result: 'ok' });
  });

  test('an owner does not decide, a reviewer does not edit', async () => {
    const [owner, reviewer] = [box.as('owner'), box.as('reviewer')];
    const path = await ask(owner, wish('decide'));
    for (const verb of ['approve', 'reject', 'ask-changes', 'override']) {
      expect([verb, (await owner.post(`${path}/${verb}`, { reason: 'x' })).status]).toEqual([verb, 403]);
    }
    expect((await reviewer.post(`${path}/edit`, wish('decide'))).status).toBe(403);
    const nothingSaid = await reviewer.post(`${path}/ask-changes`, { reason: ' ' });
    expect(nothingSaid.status).toBe(422);
    expect(nothingSaid.text).toContain('Say why.');
    expect((await reviewer.post(`${path}/ask-changes`, { reason: 'Name a contact.' })).status).toBe(303);
    expect(await lastOf('askChanges')).toMatchObject({ result: 'ok' });
    const overview = (await owner.get('/admin')).text;
    expect(overview).toContain('Your release of credit:1 needs changes');
    expect(overview).toContain('Name a contact.');
  });
});

describe('a draft', () => {
  test('is edited by two at once: the second is told, and loses nothing', async () => {
    const owner = box.as('owner');
    const path = await ask(owner, wish('drafts', { contact: 'first' }), false);
    const revision = /name="revision" value="(\d+)"/.exec((await owner.get(`${path}/edit`)).text)![1]!;
    const edit = (contact: string) => owner.post(`${path}/edit`, wish('drafts', { contact, revision }));
    expect((await edit('second')).status).toBe(303);
    const late = await edit('third');
    expect(late.status).toBe(422);
    expect(late.text).toContain('Somebody changed this request meanwhile');
    expect(late.text).toContain('value="third"');
    expect((await owner.get(path)).text).toContain('second');
    expect(await lastOf('changeRelease')).toMatchObject({ result: 'failed' });
  });

  test('takes comments and evidence', async () => {
    const owner = box.as('owner');
    const path = await ask(owner, wish('evident', { version: '3' }), false);
    expect((await owner.post(`${path}/comment`, { text: '' })).status).toBe(422);
    expect((await owner.post(`${path}/comment`, { text: 'Look at <b>this</b>.' })).status).toBe(303);
    const bad = await owner.post(`${path}/evidence`, { evidenceTitle: 'x', evidenceUrl: 'javascript:alert(1)' });
    expect(bad.status).toBe(422);
    expect(bad.text).toContain('A link begins with');
    const url = 'https://wiki.corp.lan/report';
    expect((await owner.post(`${path}/evidence`, { evidenceTitle: 'Report', evidenceUrl: url })).status).toBe(303);
    expect((await owner.post(`${path}/load-test`, { seconds: '1', connections: '2' })).status).toBe(303);
    const { text } = await owner.get(path);
    expect(text).toContain('Look at &lt;b&gt;this&lt;/b&gt;.');
    expect(text).toContain(`href="${url}"`);
    expect(text).toContain('throughput');
    expect(await lastOf('testLoad')).toMatchObject({ result: 'ok' });
    expect(await lastOf('attachEvidence')).toMatchObject({ result: 'ok' });
  });

  test('is filled from what is live at its endpoint', async () => {
    const owner = box.as('owner');
    const path = await ask(owner, wish('filled', { environment: 'staging', maxInstances: '2', domain: 'filled.lan' }));
    await untilState(owner, path, 'Live');
    const { text } = await owner.get('/admin/releases/new?model=credit&version=2&endpoint=filled');
    expect(valueOf(text, 'domain')).toBe('filled.lan');
    expect(valueOf(text, 'maxInstances')).toBe('2');
    const preview = await owner.get(
      '/admin/releases/preview?model=credit&version=2&endpoint=filled&minInstances=1&maxInstances=2',
    );
    expect(preview.text).toContain('It takes the place of credit:1.');
    const asIs = await owner.get('/admin/releases/preview?model=credit&version=2&endpoint=filled&minInstances=x');
    expect(asIs.status).toBe(200);
  });
});

describe('an environment', () => {
  const fields = async () => {
    const { text } = await box.administrator.get('/admin/environments/staging');
    const form = /<form class="form"[^]*?<\/form>/.exec(text)![0];
    const inputs = [...form.matchAll(/<input([^>]*)>/g)].map(([, attributes]) => attributes!);
    const read = (of: string, name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(of)?.[1] ?? '';
    const sent = inputs.filter((of) => !of.includes('checkbox') || / checked\b/.test(of));
    return Object.fromEntries(
      sent
        .map((of) => [read(of, 'name'), of.includes('checkbox') ? 'on' : read(of, 'value')])
        .filter(([name]) => name !== 'csrf'),
    ) as Record<string, string>;
  };

  test('is saved as it is shown, and the second of two who edit is told', async () => {
    const { administrator } = box;
    const before = await fields();
    const path = '/admin/environments/staging';
    const freeze = { 'freeze.0.name': 'Year end', 'freeze.0.cron': '0 0 24 12 *', 'freeze.0.hours': '240' };
    expect((await administrator.post(path, { ...before, ...freeze, maxEndpoints: '40' })).status).toBe(303);
    const shown = (await administrator.get('/admin/environments')).text;
    expect(shown).toContain('Year end');
    expect(shown).toMatch(/next: Dec 24, \d{4}|now, until/);
    expect(shown).toMatch(/of 40/);
    const late = await administrator.post(path, { ...before, maxEndpoints: '7' });
    expect(late.status).toBe(422);
    expect(late.text).toMatch(/ada changed these settings/);
    expect(late.text).toMatch(/value="7"/);
    const bad = await administrator.post(path, { ...(await fields()), 'freeze.1.name': 'x', 'freeze.1.cron': 'never' });
    expect(bad.status).toBe(422);
    expect(bad.text).toContain('freeze.1.name');
    expect(await lastOf('setEnvironment')).toMatchObject({ target: 'staging', result: 'failed' });
  });
});

describe('versions', () => {
  test('have tags and a note, are archived and restored', async () => {
    const owner = box.as('owner');
    const path = '/admin/models/credit/versions/3';
    const saved = await owner.post(`${path}/note`, { tags: 'gold, <i>q3</i>，gold', note: 'Keep.' });
    expect(saved.status).toBe(303);
    const { text } = await owner.get('/admin/models/credit/versions');
    expect(text).toContain('&lt;i&gt;q3&lt;/i&gt;');
    expect((await owner.post(`${path}/archive`)).status).toBe(303);
    expect((await owner.get(path)).text).toContain('This version is archived.');
    expect((await owner.get('/admin/releases/new')).text).not.toContain('value="credit:3"');
    expect((await owner.post(`${path}/restore`)).status).toBe(303);
    expect((await owner.get('/admin/releases/new')).text).toContain('value="credit:3"');
    expect((await owner.post(`${path}/note`, { tags: 'x'.repeat(200) })).status).toBe(422);
    expect(await lastOf('setVersionNote')).toMatchObject({ result: 'failed' });
    expect((await box.as('viewer').post(`${path}/archive`)).status).toBe(403);
  });

  test('are compared', async () => {
    const viewer = box.as('viewer');
    expect((await viewer.get('/admin/compare?a=credit:1&b=credit:2')).status).toBe(200);
    const none = await viewer.get('/admin/compare?a=credit:1&b=credit:99');
    expect(none.status).toBe(200);
    expect(none.text).toContain('notice bad');
    expect((await viewer.get('/admin/compare?a=%22%3E&b=')).status).toBe(200);
  });

  test('old ones go by what is to be kept, and never what is live', async () => {
    const owner = box.as('owner');
    expect((await owner.post('/admin/models/credit/retention', { keepLast: 'x' })).status).toBe(422);
    expect((await owner.post('/admin/models/credit/retention', { keepLast: '0' })).status).toBe(422);
    expect((await owner.post('/admin/models/credit/retention', { keepLast: '5' })).status).toBe(303);
    expect((await owner.get('/admin/models/credit/versions')).text).toContain('value="5"');
    expect((await owner.get('/admin/models/credit')).text).toContain('href="/admin/endpoints/filled"');
  });
});

describe('an endpoint', () => {
  test('is watched live', async () => {
    const viewer = box.as('viewer');
    const response = await viewer.fetch('/admin/live?topics=endpoint&endpoint=filled&seen=x');
    const reader = response.body!.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    const updates = JSON.parse(new TextDecoder().decode(value).replace(/^data: /, '')) as Record<string, unknown>;
    expect(Object.keys(updates)).toEqual(
      expect.arrayContaining(['endpoint.state', 'endpoint.serving', 'endpoint.charts', 'endpoint.guard']),
    );
    const gone = await viewer.fetch('/admin/live?topics=endpoint,release,endpoints&endpoint=none&release=999');
    expect(gone.status).toBe(200);
    await gone.body!.cancel();
  });

  test('leads back, and is removed', async () => {
    const owner = box.as('owner');
    const second = await ask(owner, wish('filled', { environment: 'staging', version: '2', domain: 'filled.lan' }));
    await untilState(owner, second, 'Live');
    const shown = (await owner.get('/admin/endpoints/filled')).text;
    expect(shown).toContain('credit:1 serves every request');
    expect(shown).toContain('filled.lan');
    const to = /name="to" value="(\d+)"/.exec(shown)![1]!;
    const back = await owner.post('/admin/endpoints/filled/rollback', { to, reason: 'Worse.' });
    expect(back).toMatchObject({ status: 303, location: '/admin/endpoints/filled' });
    expect(await lastOf('rollBack')).toMatchObject({ target: 'filled', result: 'ok' });
    expect(stateOf(await owner.get(second))).toContain('Rolled back');
    const wrong = await owner.post('/admin/endpoints/filled/rollback', { to: '9999' });
    expect(wrong.status).toBe(422);
    expect((await box.as('reviewer').post('/admin/endpoints/filled/remove')).status).toBe(403);
    expect((await owner.post('/admin/endpoints/filled/remove')).status).toBe(303);
    expect((await owner.get('/admin/endpoints/filled')).status).toBe(404);
    expect((await owner.get(second)).status).toBe(200);
  }, 30_000);
});
