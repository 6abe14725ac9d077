// Going live in a real browser: an owner asks, a reviewer sees what differs and decides, a canary shows both versions side
// by side, and a button takes it back; with every screen looked at by axe-core.
import { expect, test } from 'bun:test';

import { openSignedIn, type SignedIn } from '../http/admin/session.ts';
import { addScalar, twoInputs } from '../support/graphs.ts';
import { browserProblem, look, type Person, sitDown } from './driving.ts';

const it = browserProblem ? test.skip : test;
const clean = { findings: [], excess: 0 };

const see = <T>({ view }: Person, script: string) => look<T>(view, script);

/** Resolves when the condition holds in the page, looked at frame by frame. */
function until(person: Person, condition: string): Promise<unknown> {
  return see(
    person,
    `new Promise((resolve) => {
      const look = () => ((${condition}) ? resolve(true) : requestAnimationFrame(look));
      look();
    })`,
  );
}

/** Opens the page again until what the selector finds says so. */
async function openUntil(person: Person, path: string, selector: string, words: string): Promise<void> {
  const said = () => see<string>(person, `document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`);
  await person.open(path);
  while (!(await said()).includes(words)) {
    await Bun.sleep(100);
    await person.open(path);
  }
}

const stateChip = 'h1 .chip';

async function upload(box: SignedIn): Promise<void> {
  for (const bytes of [addScalar(1), addScalar(2), twoInputs()]) {
    const { status } = await box.ask('POST', '/api/v1/models/credit/versions', bytes);
    expect(status).toBe(201);
  }
}

async function call(box: SignedIn): Promise<number[]> {
  const inputs = [{ name: 'input', shape: [1, 4], datatype: 'FP32', data: [0, 0, 0, 0] }];
  const { status, body } = await box.ask<{ outputs: { data: number[] }[] }>('POST', '/v2/models/fraud/infer', {
    inputs,
  });
  expect(status).toBe(200);
  return body.outputs[0]!.data;
}

it('an owner asks, a reviewer approves, a canary is watched and taken back', async () => {
  await using box = await openSignedIn();
  await upload(box);
  const people = { owner: box.as('owner', 'olga'), reviewer: box.as('reviewer', 'ravi') };
  // Browsers keep one set of cookies for each host.
  const person = await sitDown(box.url, { width: 1280 });
  const become = (who: keyof typeof people) => person.be(people[who].cookies);
  try {
    await become('owner');
    await person.open('/admin/models/credit/versions/1');
    await person.follow('main .head a[href^="/admin/releases/new"]');
    // Everything but what only she knows is there.
    expect(await see<string>(person, `document.querySelector('[name="endpoint"]').value`)).toBe('credit');
    await until(person, `document.querySelector('aside .notice')`);
    expect(await person.inspect()).toEqual(clean);
    await person.enter({
      endpoint: 'fraud',
      'environment=production': 'on',
      licence: 'MIT',
      domain: 'fraud corp',
      statement: 'The first one.',
    });
    await person.follow('button[formaction$="/submit"]');
    expect(await person.text()).toContain('Must be a host name');
    expect(await see<string>(person, `document.activeElement.name`)).toBe('domain');
    await person.enter({ domain: 'fraud.corp.lan' });
    await person.follow('button[formaction$="/submit"]');
    expect(await person.at()).toBe('/admin/releases/1');
    expect(await person.text()).toContain('The request waits for review.');
    expect(await see(person, `document.querySelector('form[action$="/approve"]')`)).toBeNull();
    expect(await person.inspect()).toEqual(clean);

    await become('reviewer');
    await person.open('/admin');
    expect(await person.text()).toContain('olga wants credit:1 at fraud (Production).');
    expect(await see<string>(person, `document.querySelector('.side .count').textContent`)).toBe('1');
    await person.open('/admin/releases');
    expect(await person.text()).toContain('One request waits for you');
    expect(await person.inspect()).toEqual(clean);
    await person.follow('.waiting a');
    await person.follow('form[action$="/approve"] .primary');
    await openUntil(person, '/admin/releases/1', stateChip, 'Live');
    expect(await call(box)).toEqual([1, 1, 1, 1]);
    await person.open('/admin/endpoints');
    expect(await person.text()).toMatch(/fraud\s+fraud\.corp\.lan/);
    expect(await person.inspect()).toEqual(clean);

    await become('owner');
    await person.open('/admin/releases/new?model=credit&version=2&endpoint=fraud');
    await person.enter({
      inferenceTimeoutMs: '9000',
      'plan=canary': 'on',
      'step.0.percent': '50',
      'step.0.minutes': '30',
      'step.1.percent': '',
      'step.1.minutes': '',
      statement: 'Two.',
    });
    await person.follow('button[formaction$="/submit"]');
    await become('reviewer');
    await person.open('/admin/releases/2');
    expect(await see<number>(person, `document.querySelectorAll('.differences tbody tr').length`)).toBeGreaterThan(0);
    expect(await person.inspect()).toEqual(clean);
    await person.follow('form[action$="/approve"] .primary');

    await openUntil(person, '/admin/endpoints/fraud', '.shares + .table-box tr:nth-child(2)', '50%');
    const requests = (release: number) =>
      `Number(document.querySelector('[data-live-key="side:${release}:requests"]').textContent) > 0`;
    await until(person, `document.getElementById('live-sign').dataset.state === 'on'`);
    const answers = await Promise.all(Array.from({ length: 60 }, () => call(box)));
    expect(new Set(answers.map(([first]) => first))).toEqual(new Set([1, 2]));
    await until(person, `${requests(1)} && ${requests(2)}`);
    await until(person, `document.querySelectorAll('am-chart canvas').length === 3`);
    const legend = await see<string>(person, `document.querySelector('am-chart').innerText`);
    for (const version of ['credit:1', 'credit:2']) expect(legend).toContain(version);
    expect(await person.inspect()).toEqual(clean);

    await see(person, `document.querySelector('[commandfor="rollback"]').click()`);
    await until(person, `document.getElementById('rollback').open`);
    expect(await person.text()).toContain('Afterwards credit:1 serves every request.');
    expect(await person.inspect()).toEqual(clean);
    await person.follow('#rollback [type="submit"]');
    expect(await person.at()).toBe('/admin/endpoints/fraud');
    expect(new Set((await Promise.all(Array.from({ length: 20 }, () => call(box)))).flat())).toEqual(new Set([1]));
    expect(await person.text()).not.toContain('Candidate');
  } finally {
    person.close();
  }
}, 90_000);

it('what breaks callers is not approved: rejected with a reason, or overridden by an administrator', async () => {
  await using box = await openSignedIn();
  await upload(box);
  const make = async (version: number) => {
    const wish = { model: 'credit', version, endpoint: 'fraud', environment: 'production', licence: 'MIT' };
    const fields = {
      minInstances: '1',
      maxInstances: '1',
      inferenceTimeoutMs: '1000',
      maxQueueSize: '0',
      plan: 'all',
      ...wish,
      version: String(version),
    };
    const { status, location } = await box.as('owner').post('/admin/releases/submit', fields);
    expect(status).toBe(303);
    return location!;
  };
  const reviewer = box.as('reviewer');
  const person = await sitDown(box.url, { width: 1280, dark: true });
  try {
    await person.be(reviewer.cookies);
    await reviewer.post(`${await make(1)}/approve`);
    await openUntil(person, '/admin/releases/1', stateChip, 'Live');
    await person.open(await make(3));
    expect(await person.text()).toContain('Breaks callers');
    expect(await see(person, `document.querySelector('form[action$="/approve"] .primary')`)).toBeNull();
    expect(await see(person, `document.getElementById('override')`)).toBeNull();
    await person.follow('[formaction$="/reject"]');
    expect(await person.text()).toContain('Say why.');
    expect(await person.inspect()).toEqual(clean);
    await person.enter({ reason: 'It would break everybody.' });
    await person.follow('[formaction$="/reject"]');
    expect(await person.text()).toMatch(/Rejected[^]*It would break everybody\./);
    expect((await reviewer.post(`${await make(3)}/override`, { reason: 'x' })).status).toBe(403);

    await person.be(box.administrator.cookies);
    await person.open('/admin/releases/3');
    await see(person, `document.querySelector('[commandfor="override"]').click()`);
    expect(await person.text()).toMatch(/go(es)? live all the same[^]*Callers keep working/);
    await see(person, `document.getElementById('override-reason').value = 'All callers are ready.'`);
    await person.follow('#override [type="submit"]');
    expect(await person.text()).toContain('All callers are ready.');
  } finally {
    person.close();
  }
}, 90_000);

it('every screen of going live in Chinese, dark, on a phone', async () => {
  await using box = await openSignedIn();
  await upload(box);
  const { administrator } = box;
  const person = await sitDown(box.url, { width: 360, height: 780, dark: true });
  try {
    await administrator.post('/admin/preferences', { language: 'zh-CN' });
    await person.be(administrator.cookies);
    const fields = { endpoint: 'fraud', environment: 'staging', model: 'credit', version: '1', plan: 'all' };
    const numbers = { minInstances: '1', maxInstances: '1', inferenceTimeoutMs: '1000', maxQueueSize: '0' };
    await administrator.post('/admin/releases/submit', { ...fields, ...numbers });
    await openUntil(person, '/admin/releases/1', stateChip, '已上线');
    await administrator.post('/admin/releases', { ...fields, ...numbers, version: '2' });
    const paths = [
      '/admin/releases/1',
      '/admin/releases/2',
      '/admin/releases',
      '/admin/releases?state=live',
      '/admin/releases/new',
      '/admin/releases/new?model=credit&version=2',
      '/admin/releases/2/edit',
      '/admin/endpoints',
      '/admin/endpoints/fraud',
      '/admin/environments',
      '/admin/environments/production',
      '/admin/compare?a=credit:1&b=credit:3',
      '/admin/models/credit/versions',
      '/admin/models/credit/versions/2',
    ];
    for (const path of paths) {
      await person.open(path);
      expect([path, await person.inspect()]).toEqual([path, clean]);
      expect([path, /\p{Script=Han}/u.test(await person.text())]).toEqual([path, true]);
    }
  } finally {
    person.close();
  }
}, 90_000);
