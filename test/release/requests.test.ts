// The way of a request from draft to decision: who may do what, what is written down, who hears of it.
import { expect, test } from 'bun:test';

import { renderReleaseMetrics } from '../../src/http/release-metrics.ts';
import { adder } from '../support/machine.ts';
import { adam, failureOf, olga, openReleasing, person, rita, vera } from './opened.ts';

const models = () => ({ m: [adder(1), adder(2)], other: [adder(3)] });
const production = { environment: 'production', licence: 'MIT', statement: 'why' } as const;
const fails = (work: () => unknown) => failureOf((async () => work())());

test('a request is drafted, sent, sent back, changed, sent again, approved; all of it is in its history', async () => {
  await using releasing = await openReleasing(models());
  const { releases, news } = releasing;
  const { id } = releases.create(olga, { model: 'm', ...production });
  expect(releases.get(id)).toMatchObject({
    state: 'draft',
    request: { endpoint: 'm', version: 2, inferenceTimeoutMs: 30_000 },
  });
  expect((await releases.submit(olga, id)).state).toBe('submitted');
  expect(releases.waiting()).toBe(1);
  expect(await fails(() => releases.edit(olga, id, { contact: 'x' }))).toMatchObject({ code: 'conflict' });
  expect(await fails(() => releases.askChanges(rita, id, ' '))).toMatchObject({ code: 'invalid' });
  releases.askChanges(rita, id, 'whom to ask?');
  const { revision } = releases.edit(olga, id, { contact: 'olga@corp.lan' });
  expect(await fails(() => releases.edit(olga, id, { contact: 'x' }, revision - 1))).toMatchObject({
    code: 'conflict',
  });
  releases.attach(olga, id, { kind: 'report', title: 'Accuracy', numbers: { accuracy: 0.97 }, atMs: 0 });
  releases.comment(rita, id, 'thanks');
  await releases.submit(olga, id);
  const review = await releases.review(rita, id);
  expect(review.may).toMatchObject({ approve: true, reject: true, edit: false, submit: false, override: false });
  expect(review.checks.every(({ state }) => state !== 'red')).toBe(true);
  expect(review.placement?.placements).toHaveLength(1);
  await releases.approve(rita, id, { comment: 'good' });
  await releasing.settled(id, 'live');
  expect(review.release.request.evidence).toHaveLength(1);
  expect((await releases.review(olga, id)).events.map(({ kind, actor }) => `${kind} by ${actor.name}`)).toEqual([
    'created by olga',
    'submitted by olga',
    'changes-asked by rita',
    'edited by olga',
    'edited by olga',
    'commented by rita',
    'submitted by olga',
    'approved by rita',
    'started by system',
    'stage by system',
    'stage by system',
    'live by system',
  ]);
  expect(news.map(({ kind, recipients }) => `${kind} → ${recipients.join()}`)).toEqual([
    'release.submitted → id-rita,id-adam',
    'release.changes-asked → id-olga',
    'release.commented → id-olga',
    'release.submitted → id-rita,id-adam',
    'release.approved → id-olga',
    'release.live → id-olga',
  ]);
});

test('four eyes: nobody approves a request of their own, whoever they are, unless the environment says so', async () => {
  await using releasing = await openReleasing(models());
  const { releases } = releasing;
  const { id } = releases.create(adam, { model: 'm', ...production });
  await releases.submit(adam, id);
  expect(await failureOf(releases.approve(adam, id))).toMatchObject({ code: 'forbidden' });
  // Nor with a key of theirs.
  const key = {
    kind: 'key',
    id: 'k',
    name: 'ci',
    owner: 'id-adam',
    scope: { models: '*', actions: ['release'] },
  } as const;
  expect(await failureOf(releases.approve(key, id))).toMatchObject({ code: 'forbidden' });
  // Nor what they have made of another's.
  const { id: other } = releases.create(olga, { model: 'm', ...production });
  releases.edit(adam, other, { version: 1 });
  await releases.submit(olga, other);
  expect(await failureOf(releases.approve(adam, other))).toMatchObject({ code: 'forbidden' });
  expect((await releases.review(adam, other)).may.approve).toBe(false);
  // Nor a revision that is not what was looked at.
  const { revision } = releases.get(other);
  expect(await failureOf(releases.approve(rita, other, { revision: revision - 1 }))).toMatchObject({
    code: 'conflict',
  });
  releases.reject(rita, other, 'enough');
  releases.setEnvironment(adam, 'production', { fourEyes: false });
  expect((await releases.approve(adam, id)).state).toBe('approved');
});

test('whoever may not ask is refused, and nobody changes what another asked for', async () => {
  await using releasing = await openReleasing(models());
  const { releases } = releasing;
  expect(await fails(() => releases.create(vera, { model: 'm', ...production }))).toMatchObject({ code: 'forbidden' });
  releases.setEnvironment(adam, 'production', { requesters: ['administrator'] });
  expect(await fails(() => releases.create(olga, { model: 'm', ...production }))).toMatchObject({ code: 'forbidden' });
  const { id } = releases.create(olga, { model: 'm', environment: 'staging' });
  const oscar = person('oscar', 'owner');
  expect(await fails(() => releases.edit(oscar, id, { contact: 'x' }))).toMatchObject({ code: 'forbidden' });
  expect(await fails(() => releases.withdraw(oscar, id, ''))).toMatchObject({ code: 'forbidden' });
  expect(releases.withdraw(olga, id, 'no more').state).toBe('withdrawn');
  expect(await failureOf(releases.submit(olga, id))).toMatchObject({ code: 'conflict' });
});

test('an endpoint stays in its environment; a version and a device must be there', async () => {
  await using releasing = await openReleasing(models());
  const { releases } = releasing;
  await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
  const wish = (more: object) => fails(() => releases.create(olga, { model: 'm', ...production, ...more }));
  expect((await wish({})).message).toContain("environment of 'm' is staging");
  expect((await wish({ version: 99 })).code).not.toBe('internal');
  releases.setEnvironment(adam, 'production', { deviceIds: ['gpu-1'] });
  expect((await wish({ endpoint: 'n', deviceIds: ['gpu-2'] })).message).toStartWith('deviceIds');
  // What is live fills the next request.
  expect(releases.prefill({ endpoint: 'm', model: 'm' })).toMatchObject({
    environment: 'staging',
    version: 2,
    endpoint: 'm',
  });
});

test('a signature that breaks callers is shown first, and needs an override', async () => {
  const wider = adder(2);
  wider.signature = { ...wider.signature, outputs: [{ ...wider.signature.outputs[0]!, name: 'result' }] };
  await using releasing = await openReleasing({ m: [adder(1), wider] });
  const { releases } = releasing;
  await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
  const { id } = releases.create(olga, { model: 'm', version: 2, environment: 'staging' });
  await releases.submit(olga, id);
  const { differences, checks } = await releases.review(rita, id);
  expect(differences.slice(0, 2).map(({ weight }) => weight)).toEqual(['breaking', 'notable']);
  expect(checks.find(({ name }) => name === 'signature')).toMatchObject({ state: 'red' });
  expect(await failureOf(releases.approve(rita, id))).toMatchObject({ code: 'conflict' });
  await releases.approve(adam, id, { override: 'all callers were changed' });
  const overridden = (await releases.review(adam, id)).events.find(({ kind }) => kind === 'overridden');
  expect(overridden).toMatchObject({ text: 'all callers were changed', data: { checks: ['signature'] } });
});

test('what is live and what was taken back is counted', async () => {
  await using releasing = await openReleasing({ m: [adder(1), adder(NaN)] });
  const { releases } = releasing;
  const first = await releasing.approve({ model: 'm', version: 1 });
  await releasing.settled(first.id, 'live');
  await releasing.settled((await releasing.approve({ model: 'm', version: 2 })).id, 'failed');
  expect(releases.counts()).toEqual({
    states: [
      { state: 'failed', count: 1 },
      { state: 'live', count: 1 },
    ],
    takenBack: [{ endpoint: 'm', kind: 'failed', by: 'server', count: 1 }],
  });
  const text = renderReleaseMetrics(releases);
  expect(text).toContain(
    `aimass_endpoint_share{endpoint="m",environment="staging",model="m",version="1",release="${first.id}"} 1`,
  );
  expect(text).toContain('aimass_releases_taken_back_total{endpoint="m",kind="failed",by="server"} 1');
});

test('two domains are never the same, and an endpoint is found by its own', async () => {
  await using releasing = await openReleasing(models(), { endpointDomain: 'models.lan' });
  const { releases } = releasing;
  const first = await releasing.approve({ model: 'm', version: 1, domain: 'Sums.corp.lan' });
  await releasing.settled(first.id, 'live');
  expect(releases.endpoint('m').endpoint.hosts).toEqual(['sums.corp.lan', 'm.models.lan']);
  expect(releases.endpointOfHost('sums.corp.lan')).toBe('m');
  for (const wish of [
    { domain: 'sums.corp.lan' },
    { domain: 'm.models.lan' },
    { endpoint: 'M' },
    { domain: 'box.lan' },
  ]) {
    const { id } = releases.create(olga, { model: 'other', environment: 'staging', ...wish });
    expect(await failureOf(releases.submit(olga, id))).toMatchObject({ code: 'conflict' });
  }
});

test('an endpoint that is removed answers no more, and its history stays', async () => {
  await using releasing = await openReleasing(models());
  const { releases, supervisor } = releasing;
  const { id } = await releasing.approve({ model: 'm', version: 1 });
  await releasing.settled(id, 'live');
  expect(await fails(() => releases.requireRemovable('m', 1))).toMatchObject({ code: 'conflict' });
  const waiting = await releasing.approve({ model: 'm', version: 2, notBeforeMs: Date.now() + 3_600_000 });
  await releases.removeEndpoint(olga, 'm');
  expect(releases.get(waiting.id).state).toBe('withdrawn');
  expect(supervisor.instances()).toEqual([]);
  expect(releases.endpoints()).toEqual([]);
  expect(releases.get(id)).toMatchObject({ state: 'superseded', reason: 'olga removed the endpoint.' });
  releases.requireRemovable('m', 1);
  // The name is free again, in production too; not the other way: what was reviewed there must not come from elsewhere.
  const next = releases.create(olga, { model: 'm', ...production });
  await releases.submit(olga, next.id);
  await releases.approve(rita, next.id);
  await releasing.settled(next.id, 'live');
  await releases.removeEndpoint(adam, 'm');
  expect(await fails(() => releases.create(olga, { model: 'm', environment: 'staging' }))).toMatchObject({
    code: 'invalid',
  });
});

test('nothing goes live in a freeze, nor before its time', async () => {
  let now = Date.parse('2026-11-28T12:00:00Z');
  await using releasing = await openReleasing(models(), { now: () => now });
  const { releases } = releasing;
  const freezes = [{ name: 'weekend', cron: '0 0 * * 6', durationMs: 48 * 3_600_000, timeZone: 'UTC' }];
  releases.setEnvironment(adam, 'staging', { freezes });
  const { id } = await releasing.approve({ model: 'm', version: 1, notBeforeMs: Date.parse('2026-12-01T00:00:00Z') });
  const waits = async (text: string) => {
    while (!releases.get(id).reason.includes(text)) await Bun.sleep(5);
  };
  await waits('2026-12-01');
  now = Date.parse('2026-12-05T01:00:00Z');
  await waits('weekend');
  expect(releases.get(id).state).toBe('approved');
  now = Date.parse('2026-12-07T00:00:00Z');
  await releasing.settled(id, 'live');
});

test('a load test measures a loaded version, and says what it was', async () => {
  await using releasing = await openReleasing(models());
  const { releases, supervisor } = releasing;
  const wish = { model: 'm', version: 1, seconds: 1, connections: 4 };
  expect(await failureOf(releases.loadTest(olga, wish))).toMatchObject({ code: 'unavailable' });
  await supervisor.load('m', 1);
  // Also while the same version is live under the same name.
  await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
  const { kind, numbers } = await releases.loadTest(olga, wish);
  expect(kind).toBe('load-test');
  expect(numbers).toMatchObject({ errors: 0, connections: 4, seconds: 1 });
  expect(numbers!.p50Ms!).toBeLessThanOrEqual(numbers!.p95Ms!);
  expect(numbers!.requests).toBeGreaterThan(10);
  const stopped = releases.loadTest(olga, { ...wish, seconds: 30 }, AbortSignal.timeout(50));
  expect(await failureOf(stopped)).toMatchObject({ code: 'conflict' });
});

test('notes, tags and the archive of versions; retention removes what is not to be kept', async () => {
  await using releasing = await openReleasing({ m: [1, 2, 3, 4].map((term) => adder(term)) });
  const { releases, db, removed } = releasing;
  db.run("INSERT INTO models (name, created_at) VALUES ('m', '')");
  for (const number of [1, 2, 3, 4]) {
    db.run(
      "INSERT INTO versions (model, number, manifest, signature, facts, warnings, entry, bytes, created_at) VALUES ('m', ?, '', '', '', '', '', 0, '')",
      [number],
    );
  }
  await releasing.settled((await releasing.approve({ model: 'm', version: 1 })).id, 'live');
  expect(releases.setVersionNote(olga, 'm', 4, { tags: ['best', 'best'], note: 'n' })).toEqual({
    tags: ['best'],
    note: 'n',
  });
  expect(releases.setVersionNote(olga, 'm', 4, { archived: true })).toMatchObject({
    tags: ['best'],
    archivedMs: expect.any(Number),
  });
  const { id } = releases.create(olga, { model: 'm', version: 4, environment: 'staging' });
  expect((await failureOf(releases.submit(olga, id))).message).toContain('archived');
  releases.withdraw(olga, id, '');
  const { removed: gone } = await releases.setRetention(adam, 'm', { keepLast: 1 });
  expect(gone).toEqual([2, 3]);
  expect(removed).toEqual(['m:2', 'm:3']);
});
