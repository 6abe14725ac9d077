// The first page: the way to a first model, what needs somebody and who is told, and that all is well when it is.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { openAccess } from '../../../src/access/access.ts';
import { userRoles } from '../../../src/access/roles.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { driver, gib, gpu, hasCompiler } from '../../support/nvml.ts';
import { calm, modelName, openMachineBox, until } from './machine-box.ts';
import { attacks, expectText, expectUnharmed } from './markup.ts';

describe.skipIf(!hasCompiler)('the overview (needs cc)', () => {
  let box: Awaited<ReturnType<typeof openMachineBox>>;
  beforeAll(async () => void (box = await openMachineBox()));
  afterAll(() => box[Symbol.asyncDispose]());
  const show = (role = box.administrator) => role.get('/admin');

  test('leads to a first model those who may add one', async () => {
    const { status, text } = await show(box.as('owner'));
    expect(status).toBe(200);
    expect(text).toContain('No model yet');
    expect(text).toContain('href="/admin/upload"');
    expect(text).toContain('href="/admin/templates"');
    const seen = (await show(box.as('viewer'))).text;
    expect(seen).toContain('A model owner or an administrator can add one.');
    expect(seen).not.toContain('href="/admin/upload"');
  });

  test.each([...userRoles])('%s sees what answers, the memory and the latest decisions', async (role) => {
    if (role === 'administrator') await box.push(modelName);
    const { status, text } = await show(box.as(role));
    expect(status).toBe(200);
    expect(text).toMatch(/data-live-key="overview.answering">1<\/span> <small>of 1</);
    expect(text).toMatch(/data-live-key="overview.memory">20 GiB</);
    expect(text).toMatch(/of 160 GiB; host [\d.]+ [GM]iB of/);
    expect(text).toContain('<b>Loaded</b>');
    expect(text).toContain('data-live="/admin/live?topics=overview,traffic,decisions"');
    expect(text).not.toContain('No model yet');
  });

  test('is for those who are signed in', async () => {
    expect(await show(box.stranger())).toMatchObject({ status: 303, location: '/sign-in?next=%2Fadmin' });
  });

  test('tells of a full and of a lost GPU, and stops when they are well again', async () => {
    box.play(driver, gpu('GPU-0', { lost: 15 }), gpu('GPU-1', { reserved: 0, used: 79 * gib }));
    const { text } = await until(
      () => show(box.as('viewer')),
      (shown) => shown.text.includes('is lost'),
    );
    expect(text).toContain('NVIDIA H100 80GB HBM3 #0 is lost');
    expect(text).toContain('fallen off the bus');
    expect(text).toContain('NVIDIA H100 80GB HBM3 #1 is full');
    expect(text).toContain('2 things need you');
    box.play(...calm);
    await until(
      () => show(box.as('viewer')),
      (shown) => shown.text.includes('All is well'),
    );
  });

  test('tells what the doctor found to those who may know it', async () => {
    const found = await until(
      () => show(box.as('owner')),
      ({ text }) => text.includes('so models cannot use CUDA'),
    );
    expect(found.text).toContain('aimass gpu-pack install');
    expect((await show(box.as('viewer'))).text).not.toContain('so models cannot use CUDA');
    const fragment = await box.as('owner').get('/admin/findings');
    expect(fragment.status).toBe(200);
    expect(fragment.text).toContain('so models cannot use CUDA');
    expect((await box.as('viewer').get('/admin/findings')).status).toBe(403);
  });

  test('tells of a key that expires soon its owner and who manages keys, as text', async () => {
    const db = openDatabase(`${box.data}/aimass.db`);
    const { keys } = openAccess(db);
    const owner = box.as('owner');
    const limits = { ratePerSecond: null, burst: null, dailyQuota: null };
    const scope = { models: '*', actions: ['predict'] } as const;
    const day = 24 * 3_600_000;
    const names = [...attacks, 'distant'].map((name) => name.slice(0, 80));
    for (const name of names) {
      const expiresMs = Date.now() + (name === 'distant' ? 100 : 3) * day;
      keys.create({ name, scope, expiresMs, ...limits }, owner.id, 'test');
    }
    db.close();
    for (const shown of [await show(owner), await show()]) {
      for (const attack of attacks) expectText(shown, `The API key ${attack} expires soon`);
      expect(shown.text).not.toContain('distant');
    }
    const other = await show(box.as('reviewer'));
    expect(other.text).not.toContain('expires soon');
    expectUnharmed(other);
  });

  test('speaks Chinese', async () => {
    const { text } = await box.as('viewer').get('/admin', { 'accept-language': 'zh-CN' });
    expect(text).toContain('<html lang="zh-CN"');
    expect(text).toContain('可用模型');
    expect(text).toContain('加载完成');
  });
});
