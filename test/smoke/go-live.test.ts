// Going live on the executable: the whole way by commands, under load, by host name, and with the server killed in every
// state of a rollout.
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { join } from 'node:path';

import { runSwitch } from '../bench/switch.ts';
import { addScalar } from '../support/graphs.ts';
import { Appliance, discard, unpack, until } from './appliance.ts';

let home: string;

beforeEach(async () => {
  home = await unpack();
  for (const term of [1, 2]) await Bun.write(join(home, `${term}.onnx`), addScalar(term));
});

afterEach(() => discard(home));

interface Release {
  id: number;
  state: string;
  reason: string;
  stage?: { kind: string; index: number; percent: number };
}

const body = JSON.stringify({ inputs: [{ name: 'input', datatype: 'FP32', shape: [1, 4], data: [10, 10, 10, 10] }] });
const get = async (appliance: Appliance, id: number) =>
  (await appliance.json<{ release: Release }>(`/api/v1/releases/${id}`)).release;
const reached = (appliance: Appliance, id: number, ...states: string[]) =>
  until(`release ${id} to be ${states.join(' or ')}`, async () => states.includes((await get(appliance, id)).state));

async function ask(appliance: Appliance): Promise<{ status: number; version: number; value: number }> {
  const response = await appliance.fetch('/v2/models/sums/infer', { method: 'POST', body });
  const answer = (await response.json()) as { model_version: string; outputs?: { data: number[] }[] };
  return { status: response.status, version: Number(answer.model_version), value: answer.outputs?.[0]?.data[0] ?? NaN };
}

async function submit(appliance: Appliance, version: number, rollout?: object): Promise<number> {
  const wish = { model: 'sums', endpoint: 'sums', version, environment: 'staging', ...(rollout && { rollout }) };
  const { id } = await appliance.json<Release>('/api/v1/releases', wish);
  await appliance.json(`/api/v1/releases/${id}/submit`, {});
  return id;
}

test('from a file to an address of its own and back, by commands alone', async () => {
  const appliance = await Appliance.start({ home, args: ['--endpoint-domain', 'models.lan'] });
  const key = await appliance.openToPrograms();
  const narrow = (
    await appliance.command<{ text: string }>('keys', 'add', 'app', '--owner', 'admin', '--models', 'sums')
  ).text;
  await appliance.command('push', 'adder', join(home, '1.onnx'));
  await appliance.command('push', 'adder', join(home, '2.onnx'));
  const call = (path: string, token: string, host?: string) =>
    fetch(`${appliance.url}${path}`, { method: 'POST', body, headers: { 'x-api-key': token, ...(host && { host }) } });
  // Nothing of it was released: it is for those who may try.
  expect((await call('/v2/models/adder/infer', key)).status).toBe(200);
  const predictOnly = (await appliance.command<{ text: string }>('keys', 'add', 'all', '--owner', 'admin')).text;
  expect((await call('/v2/models/adder/infer', predictOnly)).status).toBe(403);

  const why = ['--statement', 'first', '--endpoint', 'sums', '--licence', 'MIT', '--environment', 'production'];
  const first = await appliance.command<Release>('release', 'submit', 'adder:1', ...why);
  expect(first.state).toBe('submitted');
  // Four eyes: the one who asked is the one who would approve.
  expect((await appliance.run('release', 'approve', String(first.id))).code).not.toBe(0);
  const rules = await appliance.fetch('/api/v1/environments/production', {
    method: 'PATCH',
    body: JSON.stringify({ fourEyes: false }),
  });
  expect(rules.status).toBe(200);
  await appliance.command('release', 'approve', String(first.id));
  await reached(appliance, first.id, 'live');

  for (const [path, host] of [
    ['/v2/models/sums/infer', undefined],
    ['/infer', 'sums.models.lan'],
  ] as const) {
    const answer = await call(path, narrow, host);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      model_name: 'sums',
      model_version: '1',
      outputs: [{ data: [11, 11, 11, 11] }],
    });
  }
  // On that host there is nothing else, whoever asks.
  expect(
    (await fetch(`${appliance.url}/api/v1/models`, { headers: { host: 'sums.models.lan', 'x-api-key': key } })).status,
  ).toBe(404);
  expect(
    (await fetch(`${appliance.url}/admin`, { headers: { host: 'sums.models.lan' }, redirect: 'manual' })).status,
  ).toBe(404);
  const page = await fetch(`${appliance.url}/docs/endpoints/sums`, { headers: { 'x-api-key': narrow } });
  expect([page.status, (await page.text()).includes('sums.models.lan')]).toEqual([200, true]);
  const metrics = await (await appliance.fetch('/metrics')).text();
  expect(metrics).toContain('nv_inference_request_success{model="sums",version="1"');

  const second = await appliance.command<Release>('release', 'submit', 'adder:2', ...why);
  await appliance.command('release', 'approve', String(second.id));
  await reached(appliance, second.id, 'live');
  expect((await ask(appliance)).version).toBe(2);
  await appliance.command('release', 'rollback', 'sums', '--reason', 'numbers look odd');
  expect(await ask(appliance)).toEqual({ status: 200, version: 1, value: 11 });
  expect(await get(appliance, second.id)).toMatchObject({ state: 'rolled-back', reason: 'numbers look odd' });
  // What a release needs is not removed.
  expect((await appliance.run('rm', 'adder:1')).code).not.toBe(0);
  expect(await appliance.stop()).toBe(0);
});

test('100 switches and 40 changes of shares under load: nothing lost, nothing out of turn', async () => {
  const numbers = await runSwitch({ switches: 100, changes: 40 });
  expect(numbers).toMatchObject({ switch_lost: 0, switch_wrong_version: 0 });
  expect(numbers.switch_requests).toBeGreaterThan(500);
});

const hour = 3_600_000;
const states: Record<string, { rollout?: object; until(release: Release): boolean }> = {
  'while its instances start': { until: ({ stage }) => stage?.kind === 'starting' },
  'in the shadow': {
    rollout: { shadow: { percent: 50, holdMs: hour } },
    until: ({ stage }) => stage?.kind === 'shadow',
  },
  'at its first share': {
    rollout: { steps: [10, 50].map((percent) => ({ percent, holdMs: hour })) },
    until: ({ stage }) => stage?.kind === 'step' && stage.index === 0,
  },
  'at its last share': {
    rollout: {
      steps: [
        { percent: 10, holdMs: 0 },
        { percent: 90, holdMs: hour },
      ],
    },
    until: ({ stage }) => stage?.index === 1,
  },
  'as soon as it is live': { until: ({ state }) => state === 'live' },
};

test('kill -9 in every state of a rollout: it goes on, and the history says what happened', async () => {
  let appliance = await Appliance.start({ home });
  for (const term of [1, 2]) await appliance.command('push', 'sums', join(home, `${term}.onnx`));
  await reached(appliance, await submit(appliance, 1), 'live');
  let version = 2;
  for (const [name, { rollout, until: isThere }] of Object.entries(states)) {
    const id = await submit(appliance, version, rollout);
    // Looked at as often as can be: the first states are short.
    let seen = await get(appliance, id);
    while (!isThere(seen) && ['approved', 'rolling-out'].includes(seen.state)) seen = await get(appliance, id);
    expect([name, seen.reason]).toEqual([name, '']);
    await appliance.kill();
    appliance = await Appliance.start({ home });
    const { endpoint } = await appliance.json<{ endpoint: { live?: Release; rollout?: Release } }>(
      '/api/v1/endpoints/sums',
    );
    // Never half-way: one is live, and the other is live too or on its way.
    expect([name, endpoint.live?.state]).toEqual([name, 'live']);
    const found = await get(appliance, id);
    expect([name, ['approved', 'rolling-out', 'live'].includes(found.state)]).toEqual([name, true]);
    for (let i = 0; i < 20; i++) {
      const answer = await ask(appliance);
      expect([name, answer.status, answer.value - answer.version]).toEqual([name, 200, 10]);
    }
    while ((await get(appliance, id)).state !== 'live') {
      await until('it to be at a share or in the shadow', async () => {
        const { state, stage } = await get(appliance, id);
        return state === 'live' || stage?.kind === 'step' || stage?.kind === 'shadow';
      });
      if ((await get(appliance, id)).state !== 'live') await appliance.json(`/api/v1/releases/${id}/advance`, {});
    }
    expect(await ask(appliance)).toMatchObject({ status: 200, version });
    const { events } = await appliance.json<{ events: { kind: string }[] }>(`/api/v1/releases/${id}`);
    expect([name, events.at(-1)?.kind]).toEqual([name, 'live']);
    version = 3 - version;
  }
  // And on the way back, at any moment of it.
  for (let pauseMs = 0; pauseMs < 20; pauseMs += 4) {
    const before = (await ask(appliance)).version;
    const back = appliance.json('/api/v1/endpoints/sums/rollback', {}).catch(() => {});
    await Bun.sleep(pauseMs);
    await appliance.kill();
    await back;
    appliance = await Appliance.start({ home });
    const { endpoint, history } = await appliance.json<{ endpoint: { live: Release }; history: Release[] }>(
      '/api/v1/endpoints/sums',
    );
    expect(history.filter(({ state }) => state === 'live').map(({ id }) => id)).toEqual([endpoint.live.id]);
    const after = await ask(appliance);
    expect(after.status).toBe(200);
    expect([before, 3 - before]).toContain(after.version);
  }
  expect(await appliance.stop()).toBe(0);
});
