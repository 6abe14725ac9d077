// Parts of the screens of going live: fragments keep what a person wrote as text, only pages are links, steps of a rollout
// say where it is, and what moves live has the keys that the stream sends.
import { describe, expect, test } from 'bun:test';

import { allAtOnce } from '../../src/release/types.ts';
import { endpointScreen, sideCells, sideCharts } from '../../web/screens/endpoint.ts';
import { evidenceAdded, evidenceList } from '../../web/screens/release-evidence.ts';
import { planText, rolloutProgress } from '../../web/screens/release-history.ts';
import { releaseMoved, releaseProgress } from '../../web/screens/release.ts';
import { retentionCard, servedCard, standingCard, tagChips } from '../../web/screens/version-standing.ts';
import { sampleEvidence, samplePoints, sampleRelease, sampleRequest, sampleStatus } from './release-samples.ts';
import { releasePreview, releaseScreens } from './release-screens.ts';
import { nowMs, sampleFrame } from './samples.ts';

const frame = sampleFrame('en');
const attack = '"><img src=x onerror=alert(1)><script>';

test('fragments keep what a person wrote as text', () => {
  const [piece] = sampleEvidence(attack);
  const form = { values: { tags: attack, note: attack, keepLast: attack }, errors: { tags: attack, keepLast: attack } };
  const note = { tags: [attack], note: attack, archivedMs: nowMs };
  const of = { model: attack, version: 1 };
  const served = [{ endpoint: attack, environment: 'staging' as const, version: 1, state: 'live' as const }];
  const viewer = { ...frame.viewer!, may: () => false };
  const standing = { note, releases: [sampleRelease(attack, 'live')], form };
  const parts = [
    releasePreview(attack)(frame),
    evidenceAdded(frame, piece!, 1, true),
    standingCard(frame, of, standing),
    standingCard({ ...frame, viewer }, of, standing),
    servedCard(frame, served)!,
    retentionCard(frame, attack, { keepLast: 3, keepReleased: true }, form),
    tagChips(note),
    releaseMoved(frame, sampleRelease(attack, 'failed')),
  ];
  for (const { text } of parts) {
    expect(text).not.toContain('<img');
    expect(text).not.toContain('<script');
  }
});

test.each([
  ['https://wiki.corp.lan/a?b=c', true],
  ['/docs/endpoints/x', true],
  ['javascript:alert(1)', false],
  ['//evil.example', false],
  ['/\\evil.example', false],
  ['data:text/html,x', false],
])('a piece of evidence leads to %s: %p', (url, isLink) => {
  const { text } = evidenceList(frame, [{ kind: 'link', title: 'x', url, atMs: nowMs }]);
  expect(text.includes('<a ')).toBe(isLink);
});

describe('the steps of a rollout', () => {
  const states = (more: Parameters<typeof sampleRelease>[2]) =>
    [...rolloutProgress(frame, sampleRelease('x', 'rolling-out', more)).text.matchAll(/<li class="(\w+)"/g)]
      .map(([, state]) => state![0])
      .join('');
  const stage = (kind: 'starting' | 'smoke' | 'shadow' | 'step', index = 0) => ({
    stage: { kind, index, startedMs: nowMs, percent: 5 },
  });

  test('are done, now and ahead', () => {
    expect(states(stage('starting'))).toBe('naaaaaa');
    expect(states(stage('smoke'))).toBe('dnaaaaa');
    expect(states(stage('shadow'))).toBe('ddnaaaa');
    expect(states(stage('step'))).toBe('dddnaaa');
    expect(states(stage('step', 2))).toBe('dddddna');
    expect(states({ ...stage('smoke'), request: sampleRequest('x', { rollout: allAtOnce }) })).toBe('dna');
  });

  test('a step that is over and has had too few requests says so', () => {
    const over = sampleRelease('x', 'rolling-out', {
      stage: { kind: 'step', index: 0, startedMs: nowMs - 3_600_000, percent: 5 },
    });
    expect(rolloutProgress(frame, over).text).toContain('waits for more requests');
  });

  test('a plan in a sentence', () => {
    expect(planText(frame.t, allAtOnce)).toBe('All at once');
    expect(planText(frame.t, sampleRequest('x').rollout)).toBe(
      'shadow 20% for 10 min, then canary 5% for 10 min → 25% for 30 min → 50% for 1 hr',
    );
  });

  test('an approved one says what it waits for', () => {
    expect(releaseProgress(frame, sampleRelease('x', 'approved')).text).toContain('Jan 31, 2026');
    const soon = sampleRelease('x', 'approved', { request: sampleRequest('x', { notBeforeMs: null }) });
    expect(releaseProgress(frame, soon).text).toContain('another rollout');
  });
});

describe('the page of an endpoint', () => {
  const screens = releaseScreens('x');

  test('says what will serve afterwards before it rolls back', () => {
    const during = screens.endpoint!(frame).text;
    expect(during).toContain('Afterwards x:3 serves every request.');
    // To what is live, so that a rollout that has ended meanwhile takes nothing else back.
    expect(during).toContain('type="hidden" name="to" value="8"');
    const live = screens['endpoint-live']!(frame).text;
    expect(live).toContain('x:2 serves every request');
    expect(live).toMatch(/name="to" value="5"[^>]*required/);
  });

  test('offers nothing to somebody who may only look', () => {
    const viewer = { name: 'v', role: 'viewer' as const, may: () => false };
    const { text } = screens.endpoint!({ ...frame, viewer });
    expect(text).not.toContain('/rollback"');
    expect(text).not.toContain('/remove"');
    expect(text).not.toContain('/advance"');
  });

  test('has the keys that the stream sends', () => {
    const status = sampleStatus('x');
    const histories = [{ label: 'x:3', points: samplePoints(1) }];
    const { text } = endpointScreen(frame, { status, histories, seen: 's', address: '10.0.0.5' });
    const keys = ['endpoint.state', 'endpoint.serving', 'endpoint.guard', 'endpoint.charts', 'endpoint.progress'];
    const cells = Object.keys(sideCells(frame, status.sides[0]!)).map((cell) => `side:8:${cell}`);
    for (const key of [...keys, 'endpoint.events', ...cells]) expect(text).toContain(`data-live-key="${key}"`);
    expect(sideCharts(frame, histories, 's').text).toContain('data-live-key="endpoint.rate:s"');
  });
});

test('a review shows what breaks callers first, and no way around what cannot be overridden', () => {
  const { text } = releaseScreens('x')['release-review']!(frame);
  const weights = [...text.matchAll(/<tr role="row"\s+class="(\w+)"/g)].map(([, weight]) => weight);
  expect(weights.slice(0, 2)).toEqual(['breaking', 'breaking']);
  expect(text).toContain('action="/admin/releases/12/override"');
  expect(text).not.toContain('>Approve<');
  expect(releaseScreens('x')['release-green']!(frame).text).toContain('>Approve<');
});
