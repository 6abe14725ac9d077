// The pages of the instances: the list, one with its log, restarting it, and one that was given up.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { userRoles } from '../../../src/access/roles.ts';
import type { InstanceStatus } from '../../../src/inference/instance-status.ts';
import { instanceScreen } from '../../../web/screens/instances.ts';
import { addScalar } from '../../support/graphs.ts';
import { nowMs, sampleFrame } from '../../web/samples.ts';
import { until } from './machine-box.ts';
import { attacks, expectText } from './markup.ts';
import { openSignedIn, type SignedIn } from './session.ts';

let box: SignedIn;
beforeAll(async () => {
  box = await openSignedIn();
  const headers = { 'content-type': 'application/octet-stream' };
  await box.ask('POST', '/api/v1/models/m/versions?filename=m.onnx', addScalar(1), headers);
});
afterAll(() => box[Symbol.asyncDispose]());

const list = async () => (await box.ask<{ instances: InstanceStatus[] }>('GET', '/api/v1/instances')).body.instances;
const ready = (wanted: (instance: InstanceStatus) => boolean = () => true) =>
  until(list, (all) => all.some((each) => each.state === 'ready' && wanted(each)));

describe('the list and one of it', () => {
  test.each([...userRoles])('are shown to %s, the button to those who may', async (role) => {
    const [instance] = await ready();
    const visitor = box.as(role);
    const { status, text } = await visitor.get('/admin/instances');
    expect(status).toBe(200);
    for (const words of [
      'm:1',
      `pid ${instance!.pid}`,
      '>Ready<',
      'data-live="/admin/live?topics=instances&amp;seen=',
    ]) {
      expect(text).toContain(words);
    }
    const one = await visitor.get(`/admin/instances/${instance!.id}`);
    expect(one.status).toBe(200);
    expect(one.text).toContain('data-live-key="log"');
    expect(one.text).toContain('warmed up in');
    const mayRestart = role === 'administrator' || role === 'owner';
    expect(text.includes('/restart"')).toBe(mayRestart);
    expect(one.text.includes('/restart"')).toBe(mayRestart);
  });

  test('of nobody who is not there', async () => {
    for (const path of ['/admin/instances/999', '/admin/instances/%3Cscript%3E']) {
      expect((await box.administrator.get(path)).status).toBe(404);
    }
    expect((await box.stranger().get('/admin/instances')).status).toBe(303);
  });

  test.each(attacks)('what a process prints stays text: %s', (attack) => {
    const row = {
      id: '7',
      model: 'm',
      version: 1,
      state: 'waiting' as const,
      reason: attack,
      device: { id: attack, label: attack },
      provider: attack,
      heldBytes: 1,
      measured: false,
      threads: 1,
      restarts: 2,
      rssBytes: 0,
      startedMs: nowMs - 1000,
    };
    const { text } = instanceScreen(sampleFrame('en'), { row, log: ['first', attack] });
    expectText({ status: 200, headers: new Headers(), text }, `first\n${attack}`);
  });
});

describe('restarting', () => {
  test('is refused to those who may not', async () => {
    const [instance] = await ready();
    for (const role of ['viewer', 'reviewer'] as const) {
      expect((await box.as(role).post(`/admin/instances/${instance!.id}/restart`)).status).toBe(403);
    }
    expect((await list())[0]!.pid).toBe(instance!.pid);
  });

  test('puts another process in its stead, and says by whom', async () => {
    const [instance] = await ready();
    const done = await box.as('owner', 'wendy').post(`/admin/instances/${instance!.id}/restart`);
    expect([done.status, done.location]).toEqual([303, '/admin/instances']);
    const [next] = await ready(({ id }) => id !== instance!.id);
    expect(next!.pid).not.toBe(instance!.pid);
    expect((await box.administrator.get('/admin/decisions?kind=restarted')).text).toContain('by request of wendy');
    expect((await box.administrator.get(`/admin/instances/${instance!.id}`)).status).toBe(404);
    expect((await box.administrator.post(`/admin/instances/${instance!.id}/restart`)).status).toBe(404);
  });

  test('brings back one that was given up; until then the overview asks for somebody', async () => {
    // Every process of it is killed, until it is not replaced any more.
    await until(list, ([instance]) => {
      if (instance?.pid !== undefined && instance.state === 'ready') process.kill(instance.pid, 'SIGKILL');
      return instance?.state === 'failed';
    });
    const [failed] = await list();
    const overview = await box.as('viewer').get('/admin');
    expect(overview.text).toContain('m:1 has failed');
    expect((await box.administrator.get('/admin/instances')).text).toContain('>Failed<');
    await box.administrator.post(`/admin/instances/${failed!.id}/restart`);
    await ready();
    expect((await box.as('viewer').get('/admin')).text).not.toContain('m:1 has failed');
  });
});
