// The settings of a model's placement as a form, its preview, what happens to wrong input and to whom somebody else was
// faster; and the log of decisions.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { userRoles } from '../../../src/access/roles.ts';
import { defaultPlacement, type PlacementSettings } from '../../../src/device/placement-settings.ts';
import { addScalar } from '../../support/graphs.ts';
import { attacks, expectUnharmed } from './markup.ts';
import { openSignedIn, type Shown, type SignedIn } from './session.ts';

let box: SignedIn;
beforeAll(async () => {
  box = await openSignedIn();
  const headers = { 'content-type': 'application/octet-stream' };
  await box.ask('POST', '/api/v1/models/m/versions?filename=m.onnx', addScalar(1), headers);
});
afterAll(() => box[Symbol.asyncDispose]());

const path = '/admin/placement/m';
const show = () => box.administrator.get(path);
const settings = async () => (await box.ask<PlacementSettings>('GET', '/api/v1/models/m/placement')).body;
const basisIn = ({ text }: Shown) => /name="basis" value="([^"]*)"/.exec(text)![1]!;

/** The form as it is shown at first, with some changes. */
async function filled(changes: Record<string, string> = {}): Promise<Record<string, string>> {
  const usual = { minInstances: '0', maxInstances: '1', strategy: 'spread', priority: '50', minFreeMib: '0' };
  return {
    ...usual,
    deviceClass: '',
    provider: '',
    keepAlive: '',
    keepAliveUnit: 'minutes',
    basis: basisIn(await show()),
    ...changes,
  };
}

test.each([...userRoles])('%s sees the settings, those who may change them a form', async (role) => {
  const visitor = box.as(role);
  const { status, text } = await visitor.get(path);
  expect(status).toBe(200);
  expect(text).toContain('Until its room is needed');
  expect(text).toContain('<b>Loaded</b>');
  const mayWrite = role === 'administrator' || role === 'owner';
  expect(text.includes('name="minInstances"')).toBe(mayWrite);
  if (!mayWrite) {
    for (const target of [path, `${path}/preview`]) {
      expect((await visitor.post(target, await filled({ pinned: 'on' }))).status).toBe(403);
    }
    expect(await settings()).toEqual(defaultPlacement);
  }
});

test('the form sets what it says, and shows it again', async () => {
  const changes = {
    minInstances: '1',
    maxInstances: '3',
    'device.cpu': 'on',
    provider: 'cpu',
    strategy: 'pack',
    onePerDevice: 'on',
    pinned: 'on',
    priority: '70',
    minFreeMib: '1.5',
    keepAlive: '2.5',
  };
  const done = await box.as('owner').post(path, await filled(changes));
  expect([done.status, done.location]).toEqual([303, path]);
  const after = {
    minInstances: 1,
    maxInstances: 3,
    deviceIds: ['cpu'],
    provider: 'cpu' as const,
    onePerDevice: true,
    strategy: 'pack' as const,
    priority: 70,
    pinned: true,
    minFreeBytes: 1.5 * 1024 ** 2,
    keepAliveMs: 150_000,
  };
  expect(await settings()).toEqual(after);
  const { text } = await show();
  for (const words of ['value="1.5"', 'value="150"', '>1–3<', '>Pack<', '>70<']) expect(text).toContain(words);
  expect(text).toMatch(/<input[^>]* checked[^>]*name="device.cpu"/);
  const back = await box.administrator.post(path, await filled());
  expect(back.status).toBe(303);
  expect(await settings()).toEqual(defaultPlacement);
});

test.each([
  ['minInstances', { minInstances: '-1' }, 'A whole number from 0 to 256.'],
  ['minInstances', { minInstances: '2' }, 'This is more than the most instances.'],
  ['maxInstances', { maxInstances: '0' }, 'A whole number from 1 to 256.'],
  ['maxInstances', { maxInstances: '' }, 'A whole number from 1 to 256.'],
  ['priority', { priority: '1e1' }, 'A whole number from 0 to 100.'],
  ['minFreeMib', { minFreeMib: 'much' }, 'A number from 0 to '],
  ['keepAlive', { keepAlive: '-5' }, 'A number from 1 to 525,600.'],
  ['keepAlive', { keepAlive: '900', keepAliveUnit: 'days' }, 'A number from 1 to 365.'],
] as [string, Record<string, string>, string][])('says at %s what is wrong with %o', async (name, changes, words) => {
  for (const target of [path, `${path}/preview`]) {
    const { status, text } = await box.administrator.post(target, await filled({ ...changes, pinned: 'on' }));
    expect(status).toBe(422);
    const faults = [...text.matchAll(/id="field-(\w+)-fault">.*?<\/svg>(.*?)<\/p>/gs)].map(([, ...found]) => found);
    expect(faults).toEqual([[name, expect.stringContaining(words)]]);
    expect(text).toMatch(/name="pinned" checked/);
  }
  expect(await settings()).toEqual(defaultPlacement);
});

test('a device that is not there is named above the form', async () => {
  const { status, text } = await box.administrator.post(path, await filled({ 'device.GPU-9': 'on' }));
  expect(status).toBe(422);
  expect(text).toContain('there is no device &#39;GPU-9&#39;');
});

test('of two who change the settings the second is told, and keeps what was entered', async () => {
  const [first, second] = [await filled({ priority: '60' }), await filled({ priority: '80' })];
  expect((await box.as('owner').post(path, first)).status).toBe(303);
  const late = await box.administrator.post(path, second);
  expect(late.status).toBe(422);
  expect(late.text).toContain('Somebody changed these settings meanwhile');
  expect(late.text).toContain('value="80"');
  expect((await settings()).priority).toBe(60);
  expect((await box.administrator.post(path, { ...second, basis: basisIn(late) })).status).toBe(303);
  expect((await settings()).priority).toBe(80);
  await box.administrator.post(path, await filled());
});

test('the preview says what would come of it and changes nothing', async () => {
  const { status, text } = await box.administrator.post(
    `${path}/preview`,
    await filled({ minInstances: '2', maxInstances: '2' }),
  );
  expect(status).toBe(200);
  expect(text).toContain('m:1 would start on');
  expect(text).toContain('value="2"');
  const none = await box.administrator.post(`${path}/preview`, await filled({ provider: 'cuda' }));
  expect(none.text).toContain('would find no room');
  expect(await settings()).toEqual(defaultPlacement);
});

test('a model that is not there has no placement', async () => {
  for (const name of ['nothing', '%3Cscript%3E']) {
    expect((await box.administrator.get(`/admin/placement/${name}`)).status).toBe(404);
    expect((await box.administrator.post(`/admin/placement/${name}`, { minInstances: '1' })).status).toBe(404);
  }
});

test.each(attacks)('what is sent stays text: %s', async (attack) => {
  const fields = { minInstances: attack, provider: attack, deviceClass: attack, minFreeMib: attack };
  const shown = await box.administrator.post(path, await filled(fields));
  expect(shown.status).toBe(422);
  expectUnharmed(shown);
  expectUnharmed(
    await box.administrator.get(`/admin/decisions?${new URLSearchParams({ model: attack, kind: attack }).toString()}`),
  );
});

describe('the log of decisions', () => {
  /** Kind and reason of each row. */
  const rowsIn = ({ text }: Shown) => text.match(/<tr role="row" [^]*?<\/tr>/g) ?? [];
  const log = (query = '') => box.administrator.get(`/admin/decisions${query}`);

  test('is filtered by kind and by model', async () => {
    const loaded = await log('?kind=loaded&model=m');
    expect(rowsIn(loaded).length).toBeGreaterThan(0);
    expect(rowsIn(loaded).every((row) => row.includes('>Loaded<'))).toBe(true);
    expect((await log('?kind=lost')).text).toContain('No decision fits');
    expect((await log('?model=nothing')).text).toContain('No decision fits');
    expect((await log('?model=m')).text).toContain('value="m"');
  });

  test('has pages', async () => {
    while ((await box.ask<{ decisions: unknown[] }>('GET', '/api/v1/placement/decisions')).body.decisions.length < 60) {
      await box.ask('POST', '/v2/repository/models/m/unload', {});
      await box.ask('POST', '/v2/repository/models/m/load', {});
    }
    const newest = await log();
    expect(rowsIn(newest)).toHaveLength(50);
    const older = /href="(\/admin\/decisions\?before=\d+)"/.exec(newest.text)![1]!;
    const next = await box.administrator.get(older);
    expect(rowsIn(next).length).toBeGreaterThanOrEqual(10);
    expect(next.text).toContain('>Newest<');
    expect((await log('?before=x')).status).toBe(400);
  });

  test('is for those who are signed in', async () => {
    for (const role of userRoles) expect((await box.as(role).get('/admin/decisions')).status).toBe(200);
    expect((await box.stranger().get('/admin/decisions')).status).toBe(303);
  });
});
