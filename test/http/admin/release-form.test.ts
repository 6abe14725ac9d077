// The forms of releases and environments: what they are filled with comes back as it was, what is wrong stands beside its
// field, and what a person changed is kept when another endpoint is named.
import { describe, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { AppError } from '../../../src/error.ts';
import {
  fieldOfEnvironment,
  readEnvironmentForm,
  valuesOfEnvironment,
} from '../../../src/http/admin/environment-form.ts';
import { withFault } from '../../../src/http/admin/faults.ts';
import {
  fieldOfRequest,
  readEvidence,
  readPiece,
  readReleaseForm,
  refill,
  valuesOf,
} from '../../../src/http/admin/release-form.ts';
import { allAtOnce, defaultEnvironments, type ReleaseRequest } from '../../../src/release/types.ts';
import { translate } from '../../../web/text/text.ts';
import { sampleEnvironments, sampleEvidence, sampleRequest } from '../../web/release-samples.ts';

const t = translate('en', 'UTC');
const formOf = (values: Record<string, string>) => new Map(Object.entries(values));
const filled = (request: ReleaseRequest) =>
  formOf({
    ...valuesOf(request),
    model: request.model,
    version: String(request.version),
    ...Object.fromEntries(request.evidence.map((piece, i) => [`evidence.${i}`, JSON.stringify(piece)])),
  });

describe('the form of a release', () => {
  test.each([
    ['a canary with a shadow', sampleRequest('wang.fang')],
    ['all at once', sampleRequest('wang.fang', { rollout: allAtOnce, notBeforeMs: null, ratePerSecond: null })],
    ['every device', sampleRequest('<b>"x"', { deviceIds: null, domain: '' })],
  ])('brings back what it was filled with: %s', (_name, request) => {
    const { request: back, state } = readReleaseForm(filled(request), t);
    expect(state.errors).toEqual({});
    expect(back).toEqual({ ...request, statement: request.statement.trim() } as unknown as Record<string, unknown>);
  });

  test('any hold and share', () => {
    const step = fc.record({ percent: fc.integer({ min: 1, max: 100 }), holdMs: fc.integer({ min: 1, max: 1e8 }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
        const rollout = { ...allAtOnce, steps };
        const { request } = readReleaseForm(filled(sampleRequest('x', { rollout })), t);
        expect(request.rollout).toEqual(rollout);
      }),
    );
  });

  test.each<[field: string, change: Record<string, string>]>([
    ['minInstances', { minInstances: 'one' }],
    ['maxInstances', { maxInstances: '1.5' }],
    ['inferenceTimeoutMs', { inferenceTimeoutMs: '' }],
    ['ratePerSecond', { ratePerSecond: '-1' }],
    ['step.1.percent', { 'step.1.minutes': '' }],
    ['step.0.percent', { 'step.0.percent': 'x' }],
    ['shadow.percent', { 'shadow.percent': '' }],
    ['notBefore', { notBefore: 'tomorrow' }],
  ])('a fault of %s', (field, change) => {
    const form = new Map([...filled(sampleRequest('x')), ...Object.entries(change)]);
    const { state } = readReleaseForm(form, t);
    expect(Object.keys(state.errors)).toEqual([field]);
    expect(state.values[Object.keys(change)[0]!]).toBe(Object.values(change)[0]);
  });

  test('a plan that is not chosen is not looked at', () => {
    const form = new Map([
      ...filled(sampleRequest('x')),
      ['plan', 'all'],
      ['step.0.percent', 'x'],
      ['minRequests', ''],
    ]);
    form.delete('shadow');
    const { request, state } = readReleaseForm(form, t);
    expect(state.errors).toEqual({});
    expect(request.rollout).toEqual(allAtOnce);
  });

  test('another endpoint fills in again what nobody changed', () => {
    const before = valuesOf(sampleRequest('x', { domain: 'old.lan', deviceIds: ['GPU-0'] }));
    const fresh = valuesOf(sampleRequest('x', { domain: 'new.lan', deviceIds: null, maxInstances: 2 }));
    const sent = formOf({ ...before, endpoint: 'b', inferenceTimeoutMs: '77', basis: JSON.stringify(before) });
    const values = refill(sent, fresh, ['endpoint']);
    expect(values).toMatchObject({ endpoint: 'b', domain: 'new.lan', maxInstances: '2', inferenceTimeoutMs: '77' });
    expect(values).not.toHaveProperty('device.GPU-0');
    expect(refill(formOf({ basis: '{' }), fresh, []).domain).toBe('new.lan');
  });

  test('evidence: only pieces that are ticked and can be read', () => {
    const [first] = sampleEvidence('x');
    const form = formOf({ 'evidence.1': JSON.stringify(first), 'evidence.2': '{"kind":"x"}', 'evidence.x': '{}' });
    expect(readEvidence(new Map([...form, ['evidence.3', '{']]))).toEqual([first!]);
    expect(readPiece(formOf({}), 5)).toBe('evidence.empty');
    expect(readPiece(formOf({ evidenceTitle: 'a' }), 5)).toBe('evidence.empty');
    expect(readPiece(formOf({ evidenceTitle: 'a', evidenceUrl: 'javascript:alert(1)' }), 5)).toBe('evidence.badUrl');
    expect(readPiece(formOf({ evidenceUrl: '//evil' }), 5)).toBe('evidence.badUrl');
    expect(readPiece(formOf({ evidenceTitle: 'a', evidenceUrl: '/docs', evidenceText: ' b ' }), 5)).toEqual({
      kind: 'link',
      title: 'a',
      url: '/docs',
      text: 'b',
      atMs: 5,
    });
  });
});

describe('the form of an environment', () => {
  test.each([
    ['the usual one', defaultEnvironments.production],
    ['one that was changed', sampleEnvironments('wang.fang')[1]!.settings],
  ])('brings back what it was filled with: %s', (_name, settings) => {
    const { patch, state } = readEnvironmentForm(formOf(valuesOfEnvironment(settings)), t, settings);
    expect(state.errors).toEqual({});
    expect(patch).toEqual(settings as unknown as Record<string, unknown>);
  });

  test('half a freeze, and what is no number, is a fault', () => {
    const { production } = defaultEnvironments;
    const values = { ...valuesOfEnvironment(production), 'freeze.2.name': 'Night', errorMargin: 'x', watchMinutes: '' };
    const { state } = readEnvironmentForm(formOf(values), t, production);
    expect(Object.keys(state.errors).sort()).toEqual(['errorMargin', 'freeze.2.cron', 'watchMinutes']);
  });
});

describe('what a room refuses stands beside its field', () => {
  const state = { values: { a: '1' }, errors: {} };
  test.each<[path: string, field: string | undefined]>([
    ['domain', 'domain'],
    ['rollout.steps[2].percent', 'step.2.percent'],
    ['rollout.steps[0].holdMs', 'step.0.minutes'],
    ['rollout.shadow.percent', 'shadow.percent'],
    ['rollout.stickyHeader', 'stickyHeader'],
    ['evidence[1].url', 'evidence'],
    ['deviceIds', 'device'],
    ['notBeforeMs', 'notBefore'],
    ['colour', undefined],
  ])('%s', (path, field) => {
    const { errors } = withFault(state, new AppError('invalid', `${path} must be better.`, 'Try.'), fieldOfRequest, t);
    expect(errors).toEqual(field ? { [field]: 'Must be better. Try.' } : { '': `${path} must be better. Try.` });
  });

  test.each<[path: string, field: string]>([
    ['guard.errorMargin', 'errorMargin'],
    ['policy.maxP95Ms', 'maxP95Ms'],
    ['freezes[1].durationMs', 'freeze.1.hours'],
    ['keepWarmMs', 'keepWarmMinutes'],
  ])('of an environment: %s', (path, field) => {
    expect(fieldOfEnvironment(path)).toBe(field);
  });

  test('the name of a field is left out where words follow it; other errors are of the form, or none of its own', () => {
    const fieldOf = () => 'reason';
    expect(withFault(state, new AppError('invalid', 'reason: Say why.'), fieldOf, t).errors).toEqual({
      reason: 'Say why.',
    });
    const other = withFault(state, new AppError('invalid', "environment of 'a' is staging."), fieldOf, t);
    expect(other.errors).toEqual({ reason: "environment of 'a' is staging." });
    expect(withFault(state, new AppError('conflict', 'domain is taken'), fieldOf, t).errors).toEqual({
      '': 'domain is taken',
    });
    expect(() => withFault(state, new Error('broken'), fieldOf, t)).toThrow('broken');
  });
});
