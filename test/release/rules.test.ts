// The pure rules of going live: what may be asked for, what differs, what must be green, when nothing goes live.
import { describe, expect, test } from 'bun:test';

import { mayDo } from '../../src/access/actor.ts';
import { AppError } from '../../src/error.ts';
import { findFreeze, nextBegin, whyWait } from '../../src/release/calendar.ts';
import { compareRequests, compareVersions } from '../../src/release/differences.ts';
import { parseEnvironment } from '../../src/release/environments.ts';
import { hostsOf, labelOf } from '../../src/release/hosts.ts';
import { checkRelease, type PolicyFacts } from '../../src/release/policy.ts';
import { parseRequest, usualRequest } from '../../src/release/request.ts';
import { stageAfter } from '../../src/release/stages.ts';
import { mayFollow, requireFollow } from '../../src/release/states.ts';
import { allAtOnce, defaultEnvironments, type Freeze, releaseStates } from '../../src/release/types.ts';
import { pickRemovable } from '../../src/release/version-notes.ts';
import { defaultServing, type TensorSpec, type VersionRecord } from '../../src/types.ts';
import { adam, olga, rita, vera } from './opened.ts';

const usual = usualRequest('fraud', 3);

function problemOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
  return '';
}

describe('a request', () => {
  test('takes what it leaves out from what it is based on', () => {
    const request = parseRequest({ endpoint: 'fraud-eu', rollout: { steps: [{ percent: 5, holdMs: 1000 }] } }, usual);
    expect(request).toEqual({
      ...usual,
      endpoint: 'fraud-eu',
      rollout: { ...allAtOnce, steps: [{ percent: 5, holdMs: 1000 }] },
    });
  });

  test.each<[object, string]>([
    [{ endpoint: '../x' }, 'endpoint must be'],
    [{ endpoint: 'stats' }, "endpoint cannot be 'stats'"],
    [{ environment: 'prod' }, 'environment must be one of staging, production'],
    [{ version: 0 }, 'version must be'],
    [{ minInstances: 3, maxInstances: 2 }, 'minInstances must not be more than maxInstances'],
    [{ domain: 'http://x' }, 'domain must be a host name'],
    [{ domain: 'a b' }, 'domain must be a host name'],
    [{ domain: '10.0.0.1' }, 'domain must be a host name'],
    [{ inferenceTimeoutMs: 0.5 }, 'inferenceTimeoutMs must be'],
    [{ ratePerSecond: 0 }, 'ratePerSecond must be'],
    [{ contact: 'a\nb' }, 'contact must be one line'],
    [{ evidence: [{ kind: 'link', title: 'x', url: 'javascript:alert(1)' }] }, 'evidence[0].url must be'],
    [{ evidence: [{ kind: 'link', title: 'x', url: '//evil.example' }] }, 'evidence[0].url must be'],
    [{ evidence: [{ kind: 'text', title: 'x', numbers: { p: NaN } }] }, 'evidence[0].numbers.p must be'],
    [
      { rollout: { steps: [50, 20].map((percent) => ({ percent, holdMs: 0 })) } },
      'rollout.steps[1].percent must be more',
    ],
    [{ rollout: { stickyHeader: 'cookie' } }, 'rollout.stickyHeader must not'],
    [{ rollout: { stickyHeader: 'a b' } }, 'rollout.stickyHeader must be'],
    [{ deviceIds: [] }, 'deviceIds must name'],
    [{ statment: 'x' }, 'release has no field "statment"'],
  ])('is refused where it makes no sense: %j', (wish, problem) => {
    expect(problemOf(() => parseRequest(wish, usual))).toStartWith(problem);
  });
});

test('an environment is refused what makes no sense, and keeps the rest', () => {
  const base = defaultEnvironments.production;
  expect(parseEnvironment({ guard: { latencyFactor: 2 } }, base)).toEqual({
    ...base,
    guard: { ...base.guard, latencyFactor: 2 },
  });
  for (const [wish, problem] of [
    [{ guard: { latencyFactor: 0.5 } }, 'guard.latencyFactor must be'],
    [{ requesters: ['owner', 'king'] }, 'requesters[1] must be one of'],
    [{ freezes: [{ name: 'x', cron: 'never', durationMs: 3_600_000 }] }, 'freezes[0].cron must have five fields'],
    [{ freezes: [{ name: 'x', cron: '0 0 30 2 *', durationMs: 3_600_000 }] }, 'freezes[0].cron never comes'],
    [{ deviceIds: [] }, 'deviceIds must name'],
  ] as const) {
    expect(problemOf(() => parseEnvironment(wish, base))).toStartWith(problem);
  }
});

describe('freezes', () => {
  const weekend: Freeze = {
    name: 'weekend',
    cron: '0 18 * * 5',
    durationMs: 62 * 3_600_000,
    timeZone: 'Europe/Berlin',
  };
  const at = (text: string) => Date.parse(text);

  test.each([
    ['2026-11-27T16:59:59Z', undefined],
    ['2026-11-27T17:00:00Z', '2026-11-30T07:00:00.000Z'],
    ['2026-11-29T12:00:00Z', '2026-11-30T07:00:00.000Z'],
    ['2026-11-30T06:59:59Z', '2026-11-30T07:00:00.000Z'],
    ['2026-11-30T07:00:00Z', undefined],
  ])('at %s holds until %s', (now, until) => {
    const found = findFreeze([weekend], at(now));
    expect(found && new Date(found.untilMs).toISOString()).toBe(until);
  });

  test('of several the one that ends last counts, and they may overlap themselves', () => {
    const always: Freeze = { name: 'always', cron: '* * * * *', durationMs: 3_600_000 };
    const now = at('2026-11-29T12:00:30Z');
    expect(findFreeze([always], now)).toMatchObject({ untilMs: at('2026-11-29T13:00:00Z') });
    expect(findFreeze([always, weekend], now)?.freeze.name).toBe('weekend');
    expect(nextBegin(weekend, now)).toBe(at('2026-12-04T17:00:00Z'));
  });

  test('a release waits for its time, for a freeze, and for another rollout, and says so', () => {
    const now = at('2026-11-29T12:00:00Z');
    expect(whyWait({ notBeforeMs: now + 1 }, [], undefined, now)).toContain('2026-11-29T12:00:00.001Z');
    expect(whyWait({ notBeforeMs: now }, [weekend], undefined, now)).toContain("'weekend'");
    expect(whyWait({ notBeforeMs: null }, [], 7, now)).toContain('release 7');
    expect(whyWait({ notBeforeMs: null }, [], undefined, now)).toBeUndefined();
  });
});

function record(version: number, more: Partial<VersionRecord> = {}): VersionRecord {
  return {
    model: 'fraud',
    version,
    manifest: { task: 'tensor', serving: { ...defaultServing, maxBatchSize: 8 }, origin: { kind: 'upload' } },
    signature: { inputs: [tensor('x', [-1, 4])], outputs: [tensor('y', [-1, 2])] },
    facts: { format: 'onnx', irVersion: 8, opsets: {}, producer: '', parameters: 8, weightBytes: 32, operators: {} },
    warnings: [],
    files: [{ path: 'model.onnx', sha256: 'a'.repeat(64), bytes: 100 }],
    entry: 'model.onnx',
    bytes: 1_000_000,
    createdAt: '',
    ...more,
  };
}

function tensor(name: string, shape: number[]): TensorSpec {
  return { name, datatype: 'FP32', shape };
}

describe('differences', () => {
  const weights = (inputs: TensorSpec[], outputs: TensorSpec[]) =>
    compareVersions(record(1), record(2, { signature: { inputs, outputs } })).map(({ what, weight }) => [what, weight]);
  const [x, y] = [tensor('x', [-1, 4]), tensor('y', [-1, 2])];

  test('nothing differs between equal versions', () => {
    expect(compareVersions(record(1), record(2))).toEqual([]);
  });

  test.each<[string, TensorSpec[], TensorSpec[], [string, string][]]>([
    ['one more output', [x], [y, tensor('z', [-1])], [['output z', 'notable']]],
    ['one output less', [x], [], [['output y', 'breaking']]],
    ['one more input', [x, tensor('w', [1])], [y], [['input w', 'breaking']]],
    [
      'another name',
      [tensor('X', [-1, 4])],
      [y],
      [
        ['input x', 'breaking'],
        ['input X', 'breaking'],
      ],
    ],
    ['a wider input', [tensor('x', [-1, -1])], [y], [['input x', 'notable']]],
    ['a narrower input', [tensor('x', [1, 4])], [y], [['input x', 'breaking']]],
    ['a fixed output', [x], [tensor('y', [1, 2])], [['output y', 'notable']]],
    ['an output of any size', [x], [tensor('y', [-1, -1])], [['output y', 'breaking']]],
    ['another type', [{ ...x, datatype: 'FP64' }], [y], [['input x', 'breaking']]],
  ])('%s', (_, inputs, outputs, expected) => {
    expect(weights(inputs, outputs)).toEqual(expected);
  });

  test('labels may be added at the end, and nowhere else', () => {
    const labelled = (labels: string[]) => record(1, { manifest: { ...record(1).manifest, labels } });
    const weightOf = (labels: string[]) => compareVersions(labelled(['a', 'b']), labelled(labels))[0]?.weight;
    expect(weightOf(['a', 'b', 'c'])).toBe('notable');
    expect(weightOf(['b', 'a'])).toBe('breaking');
  });

  test('what breaks clients comes first, and measurements that are nearly equal are', () => {
    const other = record(2, {
      signature: { inputs: [x], outputs: [] },
      manifest: { ...record(1).manifest, description: 'new' },
      bytes: 10_000_000,
    });
    const a = { footprintBytes: 100 * 1024 ** 2, runMs: 10 };
    const b = { footprintBytes: 102 * 1024 ** 2, runMs: 30 };
    const found = compareVersions(record(1), other, { a, b });
    expect(found.map(({ what, weight }) => `${weight} ${what}`)).toEqual([
      'breaking output y',
      'notable files',
      'notable one run',
      'plain description',
    ]);
    const settings = compareRequests(usual, { ...usual, maxInstances: 4, licence: 'MIT' });
    expect(settings.map(({ what, before, after }) => [what, before, after])).toEqual([
      ['licence', '', 'MIT'],
      ['instances', '1 – 1', '1 – 4'],
    ]);
  });
});

test('every check is green, red or to come, as the facts are', () => {
  const policy = { smoke: true, maxP95Ms: 20, evaluation: true, loadTest: true, licence: true };
  const facts: PolicyFacts = {
    request: {
      ...usual,
      licence: 'MIT',
      domain: 'fraud.lan',
      evidence: [
        { kind: 'report', title: 'r', atMs: 0 },
        { kind: 'load-test', title: 'old', numbers: { p95Ms: 50 }, atMs: 0 },
        { kind: 'load-test', title: 'new', numbers: { p95Ms: 12 }, atMs: 1 },
      ],
    },
    environment: { ...defaultEnvironments.production, policy, maxInstances: 2, maxEndpoints: 1 },
    exists: true,
    isArchived: false,
    differences: [],
    refusals: [],
    instancesInUse: 1,
    endpointsInUse: 1,
    isNewEndpoint: false,
  };
  const reds = (more: Partial<PolicyFacts> = {}) =>
    checkRelease({ ...facts, ...more })
      .filter(({ state }) => state === 'red')
      .map(({ name }) => name);
  expect(checkRelease(facts).map(({ name, state }) => `${name} ${state}`)).toEqual([
    'version green',
    'signature green',
    'room green',
    'quota green',
    'domain green',
    'licence green',
    'evaluation green',
    'load-test green',
    'p95 green',
    'smoke pending',
  ]);
  expect(reds({ exists: false })).toEqual(['version']);
  expect(reds({ isArchived: true })).toEqual(['version']);
  expect(reds({ refusals: [{ reason: 'full' }] })).toEqual(['room']);
  expect(reds({ instancesInUse: 2 })).toEqual(['quota']);
  expect(reds({ isNewEndpoint: true })).toEqual(['quota']);
  expect(reds({ taken: { host: 'fraud.lan', endpoint: 'other' } })).toEqual(['domain']);
  expect(reds({ request: { ...facts.request, evidence: [], licence: '' } })).toEqual([
    'licence',
    'evaluation',
    'load-test',
    'p95',
  ]);
  const breaking = [{ group: 'signature', what: 'input x', before: '', after: '', weight: 'breaking' }] as const;
  expect(reds({ differences: breaking })).toEqual(['signature']);
});

test('a rollout goes through its stages, and skips what needs somebody to compare with', () => {
  const plan = {
    ...allAtOnce,
    shadow: { percent: 10, holdMs: 1 },
    steps: [5, 50].map((percent) => ({ percent, holdMs: 1 })),
  };
  const walk = (hasLive: boolean, hasSmoke: boolean) => {
    const seen: string[] = [];
    let at: ReturnType<typeof stageAfter> = { kind: 'starting', index: 0, percent: 0 };
    while (at !== 'live') {
      seen.push(`${at.kind} ${at.percent}`);
      at = stageAfter(at, plan, { hasLive, hasSmoke });
    }
    return seen;
  };
  expect(walk(true, true)).toEqual(['starting 0', 'smoke 0', 'shadow 10', 'step 5', 'step 50']);
  expect(walk(true, false)).toEqual(['starting 0', 'shadow 10', 'step 5', 'step 50']);
  expect(walk(false, true)).toEqual(['starting 0', 'smoke 0']);
});

test('states follow each other as they should: what is over stays so, but for a rollback', () => {
  const after = (state: (typeof releaseStates)[number]) => releaseStates.filter((next) => mayFollow(state, next));
  expect(after('draft')).toEqual(['submitted', 'withdrawn']);
  expect(after('submitted')).toEqual(['changes-asked', 'rejected', 'withdrawn', 'approved']);
  expect(after('superseded')).toEqual(['live']);
  for (const state of ['rejected', 'withdrawn', 'failed'] as const) expect(after(state)).toEqual([]);
  expect(problemOf(() => requireFollow('rejected', 'approved'))).toBe(
    'A release that is rejected cannot become approved.',
  );
});

test('hosts of endpoints: their own win, names become labels', () => {
  const endpoint = (name: string, domain: string | null = null) =>
    ({ name, domain, environment: 'staging', created_ms: 0, created_by: '' }) as const;
  const hosts = hostsOf(
    [endpoint('Fraud_v2.x', 'fraud.corp.lan'), endpoint('b'), endpoint('a', 'b.models.lan')],
    'models.lan',
  );
  expect([...hosts]).toEqual([
    ['fraud.corp.lan', 'Fraud_v2.x'],
    ['b.models.lan', 'a'],
    ['fraud-v2-x.models.lan', 'Fraud_v2.x'],
    ['a.models.lan', 'a'],
  ]);
  expect(labelOf('-a-')).toBe('a');
});

test('retention keeps the newest, what is in use, and what was live', () => {
  const rules = { isNeeded: (version: number) => version === 2, wasLive: (version: number) => version === 3 };
  const all = [1, 2, 3, 4, 5, 6];
  expect(pickRemovable(all, { keepLast: null, keepReleased: true }, rules)).toEqual([]);
  expect(pickRemovable(all, { keepLast: 2, keepReleased: true }, rules)).toEqual([1, 4]);
  expect(pickRemovable(all, { keepLast: 2, keepReleased: false }, rules)).toEqual([1, 3, 4]);
  expect(pickRemovable(all, { keepLast: 10, keepReleased: false }, rules)).toEqual([]);
});

test('roles: owners ask, reviewers decide, only administrators override', () => {
  const may = (action: Parameters<typeof mayDo>[1]) => [adam, rita, olga, vera].map((actor) => mayDo(actor, action));
  expect(may('release.request')).toEqual([true, false, true, false]);
  expect(may('release.review')).toEqual([true, true, false, false]);
  expect(may('release.override')).toEqual([true, false, false, false]);
  expect(may('release.rollback')).toEqual([true, true, true, false]);
  expect(may('environment.write')).toEqual([true, false, false, false]);
  expect(may('model.try')).toEqual([true, true, true, false]);
});
