// Releases carried out with real runner processes: traffic moves as planned, a bad version is taken back, nothing is lost.
import { describe, expect, test } from 'bun:test';

import { openDatabase } from '../../src/db/open.ts';
import { AppError } from '../../src/error.ts';
import { build, floats, node, slow, value } from '../support/graphs.ts';
import { adder, openMachine, until } from '../support/machine.ts';
import { type GivenVersion, spec } from '../support/serving.ts';
import { adam, failureOf, olga, openReleasing, type Releasing, rita } from './opened.ts';

const signature = { inputs: [spec('input', 'FP32', [-1, 4])], outputs: [spec('output', 'FP32', [-1, 4])] };
const serving = { maxBatchSize: 1 };

/** NaN for numbers below zero. */
const root: GivenVersion = {
  bytes: build({
    input: [value('input', 'FP32', ['N', 4])],
    output: [value('output', 'FP32', ['N', 4])],
    initializer: [floats('none', [], [0])],
    node: [node('Sqrt', ['input'], ['root']), node('Add', ['root', 'none'], ['output'])],
  }),
  signature,
  serving,
};

const delayed = (iterations: number): GivenVersion => ({ bytes: slow(iterations), signature, serving });

/** Callers that ask one after the other until they are stopped. */
function askSteadily(releasing: Releasing, endpoint: string, number = 1, callers = 4) {
  const seen: { value: number; version: number }[] = [];
  const errors: unknown[] = [];
  let isStopped = false;
  async function caller(): Promise<void> {
    while (!isStopped) {
      await releasing.ask(endpoint, number).then(
        (answer) => seen.push(answer),
        (error) => errors.push(error),
      );
    }
  }
  const all = Promise.all(Array.from({ length: callers }, caller));
  return {
    seen,
    errors,
    async stop() {
      isStopped = true;
      await all;
    },
  };
}

const quick = { watchMs: 60_000, keepWarmMs: 60_000 };

test('the first release of an endpoint goes live by itself, the next takes its place, and a rollback takes it back', async () => {
  await using releasing = await openReleasing({ m: [adder(1), adder(2)] });
  const { releases, ask } = releasing;
  expect(await failureOf(ask('m'))).toMatchObject({ code: 'unavailable' });
  const first = await releasing.approve({ model: 'm', version: 1 });
  await releasing.settled(first.id, 'live');
  expect(await ask('m', 10)).toEqual({ value: 11, version: 1, model: 'm' });

  const clients = askSteadily(releasing, 'm', 10);
  const second = await releasing.approve({ model: 'm', version: 2 });
  await releasing.settled(second.id, 'live');
  await until(() => clients.seen.at(-1)?.version === 2);
  expect(releases.get(first.id)).toMatchObject({ state: 'superseded', reason: `Release ${second.id} took its place.` });

  // What waits for its turn must not undo it.
  const queued = await releasing.approve({ model: 'm', version: 2, notBeforeMs: Date.now() + 3_600_000 });
  const startedMs = performance.now();
  const back = await releases.rollback(olga, 'm', { reason: 'numbers look odd' });
  // The old instances are warm: nothing is started.
  expect(performance.now() - startedMs).toBeLessThan(1000);
  expect(back).toMatchObject({ id: first.id, state: 'live' });
  expect((await ask('m', 10)).version).toBe(1);
  expect(releases.get(queued.id).state).toBe('withdrawn');
  await clients.stop();
  expect(clients.errors).toEqual([]);
  expect(clients.seen.every(({ value, version }) => value === 10 + version)).toBe(true);
  // First 1, then 2, then 1 again, and nothing in between.
  const order = clients.seen.map(({ version }) => version).filter((each, i, all) => each !== all[i - 1]);
  expect(order.length).toBeLessThanOrEqual(9);
  expect(releases.get(second.id)).toMatchObject({ state: 'rolled-back', reason: 'numbers look odd' });
  const kinds = releases.endpoint('m').events.map(({ kind }) => kind);
  expect(kinds).toContain('rolled-back');
  expect(releases.endpoint('m').history.map(({ id }) => id)).toEqual([queued.id, second.id, first.id]);
});

describe('a canary', () => {
  const steps = [
    { percent: 10, holdMs: 0 },
    { percent: 50, holdMs: 0 },
  ];

  test('gets its shares step by step, to the request', async () => {
    await using releasing = await openReleasing({ m: [adder(1), adder(2)] });
    const { releases, ask } = releasing;
    await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
    const rollout = { steps: steps.map((step) => ({ ...step, holdMs: 3_600_000 })) };
    const { id } = await releasing.approve({ model: 'm', version: 2, rollout });
    for (const [index, percent] of [10, 50].entries()) {
      await until(() => releases.get(id).stage?.kind === 'step' && releases.get(id).stage?.index === index);
      const answers = [];
      for (let i = 0; i < 200; i++) answers.push(await ask('m'));
      const share = answers.filter(({ version }) => version === 2).length / 2;
      expect(Math.abs(share - percent)).toBeLessThanOrEqual(1);
      expect(releases.endpoint('m').sides).toMatchObject([
        { role: 'live', share: 1 - percent / 100, version: 1 },
        { role: 'candidate', share: percent / 100, version: 2, errors: 0 },
      ]);
      const sinceMs = releases.get(id).stage!.startedMs;
      // Two clicks are one step.
      const clicks = [releases.advance(olga, id, { sinceMs }), releases.advance(olga, id, { sinceMs })];
      const outcomes = await Promise.allSettled(clicks);
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    }
    expect(releases.get(id).state).toBe('live');
    expect((await ask('m')).version).toBe(2);
  });

  test('lets a caller choose a version, has keys that get it, and keeps callers with the same header together', async () => {
    await using releasing = await openReleasing({ m: [adder(1), adder(2)] });
    const { releases, ask } = releasing;
    await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
    const rollout = { steps: [{ percent: 50, holdMs: 3_600_000 }], stickyHeader: 'X-User-Id', trialKeys: ['beta'] };
    const { id } = await releasing.approve({ model: 'm', version: 2, rollout });
    await until(() => releases.get(id).stage?.kind === 'step');
    for (const version of [1, 2]) {
      expect((await ask('m', 1, { 'x-aimass-version': String(version) })).version).toBe(version);
    }
    for (let i = 0; i < 10; i++) expect((await ask('m', 1, {}, 'beta')).version).toBe(2);
    const byUser = new Map<string, Set<number>>();
    for (let i = 0; i < 120; i++) {
      const user = `user-${i % 40}`;
      const { version } = await ask('m', 1, { 'x-user-id': user });
      byUser.set(user, (byUser.get(user) ?? new Set()).add(version));
    }
    expect([...byUser.values()].every(({ size }) => size === 1)).toBe(true);
    expect(new Set([...byUser.values()].flatMap((each) => [...each])).size).toBe(2);
  });

  test('waits for as many requests as were asked for', async () => {
    await using releasing = await openReleasing({ m: [adder(1), adder(2)] });
    const { releases, ask } = releasing;
    await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
    const rollout = { steps: [{ percent: 50, holdMs: 0 }], minRequests: 20 };
    const { id } = await releasing.approve({ model: 'm', version: 2, rollout });
    await until(() => releases.get(id).stage?.kind === 'step');
    await Bun.sleep(100);
    expect(releases.get(id).state).toBe('rolling-out');
    while (releases.get(id).state === 'rolling-out') await ask('m');
    expect(releases.get(id).state).toBe('live');
  });
});

describe('the guard', () => {
  async function openCanary(old: GivenVersion, fresh: GivenVersion, percent = 50) {
    const rollout = { steps: [{ percent, holdMs: 3_600_000 }] };
    const releasing = await openReleasing({ m: [old, fresh] });
    await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
    const { id } = await releasing.approve({ model: 'm', version: 2, rollout });
    await until(() => releasing.releases.get(id).stage?.kind === 'step');
    return { releasing, id };
  }

  test('takes back a version that crashes, and its callers are answered by the other', async () => {
    const { releasing, id } = await openCanary(adder(1), adder(2));
    await using _ = releasing;
    const clients = askSteadily(releasing, 'm', 10);
    await until(() => clients.seen.filter(({ version }) => version === 2).length >= 50);
    const { pid, servedFor } = releasing.supervisor.instances().find(({ version }) => version === 2)!;
    expect(servedFor).toEqual({ endpoint: 'm', release: id });
    process.kill(pid!, 'SIGKILL');
    const taken = await releasing.settled(id, 'rolled-back');
    expect(taken.reason).toContain('ended unexpectedly');
    await clients.stop();
    expect(clients.errors).toEqual([]);
    expect(clients.seen.every(({ value, version }) => value === 10 + version)).toBe(true);
    expect(releasing.news.map(({ kind }) => kind)).toContain('release.rolled-back');
    // Its memory is given back.
    await until(() => releasing.supervisor.instances().every(({ version }) => version === 1));
  });

  test('takes back a version whose answers are not finite', async () => {
    const { releasing, id } = await openCanary(adder(1), root);
    await using _ = releasing;
    const clients = askSteadily(releasing, 'm', -4);
    const taken = await releasing.settled(id, 'rolled-back');
    expect(taken.reason).toMatch(/finite/);
    await clients.stop();
    expect(clients.errors).toEqual([]);
  });

  // Three times is enough where nothing else runs (docs/guard.md); here other tests may.
  test('takes back a version that is much slower', async () => {
    const { releasing, id } = await openCanary(delayed(2), delayed(1500), 10);
    await using _ = releasing;
    const clients = askSteadily(releasing, 'm', 1, 2);
    const taken = await releasing.settled(id, 'rolled-back');
    expect(taken.reason).toMatch(/p95/);
    await clients.stop();
    expect(clients.errors).toEqual([]);
  });

  test('goes on looking after it is live, and goes back by itself', async () => {
    await using releasing = await openReleasing({ m: [adder(1), root] });
    const { releases } = releasing;
    releases.setEnvironment(adam, 'staging', quick);
    await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
    const clients = askSteadily(releasing, 'm', -4);
    await until(() => clients.seen.length > 300);
    const { id } = await releasing.approve({ model: 'm', version: 2 });
    const taken = await releasing.settled(id, 'rolled-back');
    await clients.stop();
    expect(taken.liveMs).toBeNumber();
    expect(taken.reason).toMatch(/finite/);
    expect((await releasing.ask('m')).version).toBe(1);
  });

  test('compares answers in the shadow, and their callers never see them', async () => {
    await using releasing = await openReleasing({ m: [adder(1), adder(100), adder(1.0001)] });
    const { releases } = releasing;
    await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
    const clients = askSteadily(releasing, 'm', 1, 2);
    const shadow = { percent: 100, holdMs: 3_600_000 };
    const other = await releasing.approve({ model: 'm', version: 2, rollout: { shadow } });
    const taken = await releasing.settled(other.id, 'rolled-back');
    expect(taken.reason).toMatch(/not those of the old one/);
    const alike = await releasing.approve({ model: 'm', version: 3, rollout: { shadow } });
    await until(() => (releases.endpoint('m').agreement?.compared ?? 0) > 100);
    expect(releases.endpoint('m').agreement!.disagreed).toBe(0);
    expect(releases.get(alike.id).state).toBe('rolling-out');
    await clients.stop();
    expect(clients.errors).toEqual([]);
    expect(new Set(clients.seen.map(({ version }) => version))).toEqual(new Set([1]));
  });
});

test('a version that fails its first request never gets any other', async () => {
  await using releasing = await openReleasing({ m: [adder(1), adder(NaN)] });
  await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
  const { id } = await releasing.approve({ model: 'm', version: 2 });
  const failed = await releasing.settled(id, 'failed');
  expect(failed.reason).toContain('NaN');
  expect((await releasing.ask('m')).version).toBe(1);
});

test('what is only kept for going back makes room for what is to serve, and comes back when it is needed', async () => {
  const { devices } = openMachine({ cpu: 2 });
  await using releasing = await openReleasing({ m: [adder(1), adder(2)], other: [adder(3)] }, { devices });
  const { releases, supervisor } = releasing;
  releases.setEnvironment(adam, 'staging', { keepWarmMs: 3_600_000 });
  for (const version of [1, 2]) await releasing.settled((await releasing.approve({ model: 'm', version })).id, 'live');
  const running = () =>
    supervisor
      .instances()
      .map(({ model, version }) => `${model}:${version}`)
      .sort();
  expect(running()).toEqual(['m:1', 'm:2']);
  await releasing.settled((await releasing.approve({ model: 'other', version: 1 })).id, 'live');
  expect(running()).toEqual(['m:2', 'other:1']);
  await releases.removeEndpoint(adam, 'other');
  await releases.rollback(olga, 'm');
  expect((await releasing.ask('m')).version).toBe(1);
});

test('where there is room for one only, an override lets the old one make room, and callers wait', async () => {
  const { devices } = openMachine({ cpu: 1 });
  await using releasing = await openReleasing({ m: [adder(1), adder(2)] }, { devices });
  const { releases } = releasing;
  await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
  const clients = askSteadily(releasing, 'm', 10);
  const { id } = releases.create(olga, { model: 'm', version: 2, environment: 'staging' });
  // Not by itself: a check is red.
  expect((await releases.submit(olga, id)).state).toBe('submitted');
  const { checks } = await releases.review(rita, id);
  expect(checks.find(({ name }) => name === 'room')).toMatchObject({ state: 'red', mayOverride: true });
  expect((await failureOf(releases.approve(rita, id))).message).toContain('Not all checks are green');
  expect(await failureOf(releases.approve(rita, id, { override: 'try it' }))).toMatchObject({ code: 'forbidden' });
  await releases.approve(adam, id, { override: 'a short wait does not matter' });
  await releasing.settled(id, 'live');
  await until(() => clients.seen.at(-1)?.version === 2);
  // And back, the same way.
  expect((await releases.rollback(olga, 'm')).request.version).toBe(1);
  await until(() => clients.seen.at(-1)?.version === 1);
  await clients.stop();
  expect(clients.errors).toEqual([]);
  // What was taken off is not put back by somebody who only pressed twice.
  expect(await failureOf(releases.rollback(olga, 'm'))).toMatchObject({ code: 'conflict' });
});

test('rollouts and what is live go on after a restart', async () => {
  const db = openDatabase(':memory:');
  const models = { m: [adder(1), adder(2)] };
  let id = 0;
  {
    await using releasing = await openReleasing(models, { db });
    await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
    const rollout = { steps: [{ percent: 50, holdMs: 3_600_000 }] };
    ({ id } = await releasing.approve({ model: 'm', version: 2, rollout }));
    await until(() => releasing.releases.get(id).stage?.kind === 'step');
  }
  {
    await using releasing = await openReleasing(models, { db });
    const { releases, ask } = releasing;
    expect(releases.get(id)).toMatchObject({ state: 'rolling-out', stage: { kind: 'step', percent: 50 } });
    const versions = new Set<number>();
    while (versions.size < 2) versions.add((await ask('m')).version);
    await releases.advance(olga, id);
    expect(releases.get(id).state).toBe('live');
  }
  {
    await using releasing = await openReleasing(models, { db });
    expect((await releasing.ask('m')).version).toBe(2);
    await releasing.releases.rollback(olga, 'm');
    expect((await releasing.ask('m')).version).toBe(1);
  }
  db.close();
});

test('an endpoint keeps to its own limit of its queue', async () => {
  await using releasing = await openReleasing({ m: [delayed(3000)] });
  await releasing.settled((await releasing.approve({ model: 'm', version: 1, maxQueueSize: 2 })).id, 'live');
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, () =>
      releasing.ask('m').then(
        () => 'answered',
        (error: AppError) => error.code,
      ),
    ),
  );
  // Two are computed or about to be, two wait.
  expect(outcomes.filter((each) => each === 'overloaded').length).toBe(6);
});

test('an endpoint keeps to its rate and its timeout', async () => {
  await using releasing = await openReleasing({ m: [delayed(6000)] });
  const { id } = await releasing.approve({ model: 'm', version: 1, ratePerSecond: 5, inferenceTimeoutMs: 100 });
  await releasing.settled(id, 'live');
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () =>
      releasing.ask('m').then(
        () => 'answered',
        (error: AppError) => error.code,
      ),
    ),
  );
  expect(outcomes.filter((each) => each === 'throttled').length).toBeGreaterThanOrEqual(14);
  expect(outcomes).toContain('timeout');
  // Also for those who name the version.
  const { gateway } = releasing;
  expect(
    await failureOf(
      (async () => {
        for (let i = 0; i < 6; i++) gateway.choose('m', 1, () => null);
      })(),
    ),
  ).toMatchObject({ code: 'throttled' });
});
