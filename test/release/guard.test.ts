import { expect, test } from 'bun:test';

import fc from 'fast-check';

import {
  type Agreement,
  defaultLimits,
  type GuardLimits,
  type GuardMemory,
  lookGuard,
  type SideSamples,
} from '../../src/release/guard.ts';
import { catchesOf, falseAlarmRate, firstBadSeed, seedsFrom } from '../bench/guard.ts';
import { randomFrom } from '../support/random.ts';

/** Latencies whose quantiles are those of 10…20 ms, times a factor. */
const evenly = (count: number, factor = 1) =>
  Array.from({ length: count }, (_, i) => factor * (10 + (10 * (i + 0.5)) / count));

function side(requests: number, changes: Partial<SideSamples> = {}): SideSamples {
  const answered = requests - (changes.errors ?? 0);
  const nothing = { errors: 0, nonFinite: 0, crashes: 0, inspected: answered };
  return { requests, latenciesMs: evenly(Math.min(answered, 4096)), ...nothing, ...changes };
}

const look = (old: SideSamples, candidate: SideSamples, agreement?: Agreement, limits: Partial<GuardLimits> = {}) =>
  lookGuard(undefined, old, candidate, agreement, { ...defaultLimits, ...limits });

test('a candidate like the old one is fine, and one that has hardly begun is too new to say', () => {
  const { breach, checks } = look(side(2000), side(100), { compared: 50, disagreed: 1 });
  expect(breach).toBeUndefined();
  expect(checks).toEqual({ crashes: 'fine', errors: 'fine', nonFinite: 'fine', latency: 'fine', disagreement: 'fine' });
  const early = look(side(2000), side(19, { errors: 19, nonFinite: 19, latenciesMs: evenly(19, 9) }));
  expect(early.breach).toBeUndefined();
  expect(new Set(Object.values(early.checks))).toEqual(new Set(['fine', 'too_few']));
});

test('each check reports its own fault, in words with the numbers of both', () => {
  const old = side(2000, { errors: 10 });
  expect(look(old, side(20, { errors: 8 })).breach).toMatchObject({
    check: 'errors',
    old: 0.005,
    new: 0.4,
    reason:
      '8 of 20 requests to the new version failed (40 %), 10 of 2000 of the old one (0.5 %, of which it may have 1 % more); p = 0.000380',
  });
  expect(look(old, side(100, { nonFinite: 10 })).breach).toMatchObject({
    check: 'nonFinite',
    reason:
      '10 of 100 answers of the new version had values that are not finite (10 %), 0 of 1990 of the old one (0 %); p < 0.000001',
  });
  expect(look(old, side(100, { latenciesMs: evenly(100, 3) })).breach).toMatchObject({
    check: 'latency',
    old: 19.5,
    reason: expect.stringMatching(
      /^p95 of the new version is 58.3 ms, of the old one 19.5 ms; \d+ of 100 answers took/,
    ),
  });
  expect(look(old, side(100), { compared: 40, disagreed: 20 }).breach).toMatchObject({
    check: 'disagreement',
    old: 0.1,
    new: 0.5,
    reason:
      '20 of 40 answers of the new version (50 %) were not those of the old one, at most 10 % may be; p < 0.000001',
  });
  expect(look(side(0), side(1, { crashes: 1 })).breach).toEqual({
    check: 'crashes',
    old: 0,
    new: 1,
    p: 0,
    reason: 'processes of the new version ended unexpectedly once, of the old one 0 times',
  });
});

test('crashes: as many as the old one and what is allowed beyond', () => {
  expect(look(side(9, { crashes: 2 }), side(9, { crashes: 2 })).breach).toBeUndefined();
  expect(look(side(9, { crashes: 2 }), side(9, { crashes: 4 }), undefined, { crashes: 2 }).breach).toBeUndefined();
  expect(look(side(9, { crashes: 2 }), side(9, { crashes: 5 }), undefined, { crashes: 2 }).breach?.new).toBe(5);
});

test('with few of the old one nothing is blamed that it might have as well', () => {
  const bad = side(200, { errors: 100, nonFinite: 60, latenciesMs: evenly(100, 5) });
  for (const old of [side(0), side(3)]) {
    const { breach, checks } = look(old, bad);
    expect(breach).toBeUndefined();
    expect(checks.latency).toBe('too_few');
  }
  expect(look(side(0), bad).checks.errors).toBe('too_few');
  expect(look(side(30), bad).breach?.check).toBe('nonFinite');
  // Below 40, and as long as no value of the sample is an upper bound of its p95.
  const slow = side(200, { latenciesMs: evenly(200, 5) });
  expect(look(side(39), slow).checks.latency).toBe('too_few');
  expect(look(side(100), slow).checks.latency).toBe('too_few');
  expect(look(side(200), slow).checks.latency).toBe('breach');
});

test('of very fast answers nobody minds a few times as slow', () => {
  const fast = side(2000, { latenciesMs: evenly(2000, 0.01) });
  expect(look(fast, side(500, { latenciesMs: evenly(500, 0.03) })).breach).toBeUndefined();
  const limits = { latencyFloorMs: 0.01 };
  expect(look(fast, side(500, { latenciesMs: evenly(500, 0.03) }), undefined, limits).breach?.check).toBe('latency');
});

test('looks are taken when the sample has grown, not at each call, and a breach stays one', () => {
  let memory: GuardMemory | undefined;
  const takenAt: number[] = [];
  for (let requests = 1; requests <= 100; requests++) {
    const before = memory?.looks.errors.taken ?? 0;
    ({ memory } = lookGuard(memory, side(requests * 20), side(requests), undefined, defaultLimits));
    memory = JSON.parse(JSON.stringify(memory)) as GuardMemory;
    if (memory.looks.errors.taken > before) takenAt.push(requests);
  }
  expect(takenAt).toEqual([20, 26, 34, 45, 59, 77]);
  const worse = lookGuard(memory, side(2100), side(105, { errors: 60 }), undefined, defaultLimits);
  expect(worse.breach?.check).toBe('errors');
  const after = lookGuard(worse.memory, side(4000), side(4000), undefined, defaultLimits);
  expect(after.breach).toEqual(worse.breach);
  expect(after.checks.errors).toBe('breach');
});

test('samples that begin anew are looked at anew, at the price of further looks', () => {
  const first = look(side(2000), side(500));
  const second = lookGuard(first.memory, side(400), side(30, { errors: 20 }), undefined, defaultLimits);
  expect(second.breach?.check).toBe('errors');
  expect(second.memory.looks.errors).toEqual({ taken: 2, at: 30 });
});

test('latency is not judged once the old one has stopped answering', () => {
  const first = look(side(2000), side(500));
  const old = side(2000);
  const { memory, breach, checks } = lookGuard(
    first.memory,
    old,
    side(800, { latenciesMs: evenly(800, 4) }),
    undefined,
    defaultLimits,
  );
  expect([breach, checks.latency]).toEqual([undefined, 'too_few']);
  const goesOn = lookGuard(memory, side(2010), side(1300, { latenciesMs: evenly(1300, 4) }), undefined, defaultLimits);
  expect(goesOn.breach?.check).toBe('latency');
});

test('a bad minute for both is not blamed on the one that gets more of the traffic by then', () => {
  // 5 % of the requests, then half of them; in the last minute two of five fail on either side.
  const steps: [old: SideSamples, candidate: SideSamples][] = [
    [side(19_000), side(1000)],
    [side(22_000), side(4000)],
    [side(23_000, { errors: 400 }), side(5000, { errors: 400 })],
  ];
  let memory: GuardMemory | undefined;
  for (const [old, candidate] of steps) {
    const seen = lookGuard(memory, old, candidate, undefined, defaultLimits);
    expect(seen.breach).toBeUndefined();
    memory = seen.memory;
  }
  const [old, candidate] = steps[2]!;
  expect(look(old, candidate).breach?.check).toBe('errors');
});

const someSide = fc
  .record({ requests: fc.integer({ min: 0, max: 3000 }), failed: fc.nat(200), broken: fc.nat(100), seed: fc.nat() })
  .map(({ requests, failed, broken, seed }) => {
    const errors = Math.min(requests, failed);
    const answered = requests - errors;
    const random = randomFrom(seed);
    const latenciesMs = Array.from({ length: answered }, () => 5 / (0.02 + random()));
    return side(requests, { errors, nonFinite: Math.min(answered, broken), latenciesMs });
  });
const someAgreement = fc
  .tuple(fc.nat(500), fc.nat(500))
  .map(([a, b]) => ({ compared: Math.max(a, b), disagreed: Math.min(a, b) }));

test('doing worse never makes a breach go away', () => {
  fc.assert(
    fc.property(someSide, someSide, someAgreement, fc.integer({ min: 1, max: 50 }), (old, candidate, both, more) => {
      const { checks } = look(old, candidate, both);
      const { requests, errors, inspected, nonFinite } = candidate;
      const worse = {
        ...candidate,
        requests: requests + more,
        errors: errors + more,
        nonFinite: Math.min(inspected, nonFinite + more),
        latenciesMs: Array.from(candidate.latenciesMs, (ms) => ms * (1 + more / 10)),
        crashes: more,
      };
      const disagreed = Math.min(both.compared, both.disagreed + more);
      const after = look(old, worse, { compared: both.compared, disagreed });
      for (const [check, state] of Object.entries(checks)) {
        if (state === 'breach') expect([check, after.checks[check as keyof typeof checks]]).toEqual([check, 'breach']);
      }
      expect(after.checks.crashes).toBe('breach');
    }),
    { numRuns: 500 },
  );
});

test('the order of latencies does not matter, nor is anything changed that was given', () => {
  fc.assert(
    fc.property(someSide, someSide, fc.nat(), (old, candidate, seed) => {
      const random = randomFrom(seed);
      const shuffled = (given: SideSamples) => ({
        ...given,
        latenciesMs: Array.from(given.latenciesMs)
          .map((ms) => ({ ms, at: random() }))
          .sort((a, b) => a.at - b.at)
          .map(({ ms }) => ms),
      });
      const before = structuredClone([old, candidate]);
      expect(look(shuffled(old), shuffled(candidate))).toEqual(look(old, candidate));
      expect([old, candidate]).toEqual(before);
    }),
    { numRuns: 100 },
  );
});

test('at the very limits at most one rollout in a hundred is taken back by chance', () => {
  // Worse than in any good rollout: exactly as bad as is allowed, and looked at with each request.
  const limits = { ...defaultLimits, errorMargin: 0.02 };
  const rollouts = 300;
  let alarms = 0;
  for (let seed = 1; seed <= rollouts; seed++) {
    const random = randomFrom(seed);
    const [old, candidate] = [side(0), side(0)];
    const [oldMs, newMs]: [number[], number[]] = [[], []];
    const agreement = { compared: 0, disagreed: 0 };
    let memory: GuardMemory | undefined;
    let caught = false;
    for (let count = 0; count < 600 && !caught; count++) {
      for (let i = 0; i < 4; i++) {
        old.requests++;
        old.inspected++;
        if (random() < 0.01) old.errors++;
        if (random() < 0.03) old.nonFinite++;
        oldMs.push(10 - 10 * Math.log(random()));
      }
      candidate.requests++;
      candidate.inspected++;
      agreement.compared++;
      if (random() < 0.03) candidate.errors++;
      if (random() < 0.03) candidate.nonFinite++;
      if (random() < 0.1) agreement.disagreed++;
      newMs.push(1.5 * (10 - 10 * Math.log(random())));
      const sides = [old, candidate].map((given, i) => ({ ...given, latenciesMs: [oldMs, newMs][i]! }));
      const seen = lookGuard(memory, sides[0]!, sides[1]!, agreement, limits);
      memory = seen.memory;
      caught = seen.breach !== undefined;
    }
    if (caught) alarms++;
  }
  expect(alarms / rollouts).toBeLessThanOrEqual(0.01);
});

test('200 simulated rollouts of good versions: none is taken back', () => {
  expect(falseAlarmRate(seedsFrom(1, 200))).toBe(0);
}, 120_000);

test('simulated bad versions are all caught, most of them soon', () => {
  const seeds = seedsFrom(firstBadSeed, 50);
  const most = { crash: 52, slow: 60, nan: 25, nan_tenth: 80, errors: 800 } as const;
  for (const [fault, bound] of Object.entries(most)) {
    const { share, median } = catchesOf(fault as keyof typeof most, seeds);
    expect([fault, share]).toEqual([fault, 1]);
    expect(median).toBeLessThanOrEqual(bound);
  }
});
