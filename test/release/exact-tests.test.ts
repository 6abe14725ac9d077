// Tails against exact arithmetic and against scipy, both run by the system's Python.
import { expect, test } from 'bun:test';

import fc from 'fast-check';

import {
  exceedancesOfQuantileBound,
  logBinomialLower,
  logBinomialUpper,
  logHypergeometricUpper,
  shareUpperBound,
} from '../../src/release/exact-tests.ts';
import { hasPython, runPython } from '../task/python.ts';

const [hasScipy, hasMath] = [hasPython('scipy.stats'), hasPython('math')];
if (!hasMath) console.error('skipping comparisons with exact arithmetic: apt-get install python3');
if (!hasScipy) console.error('skipping comparisons with scipy: apt-get install python3-sklearn');

/** Of two logarithms: their difference is the relative error of the probabilities. */
function expectClose(ours: number[], theirs: number[], tolerance: number): void {
  expect(ours.length).toBe(theirs.length);
  const worst = Math.max(...ours.map((value, index) => Math.abs(value - theirs[index]!)));
  expect(worst).toBeLessThan(tolerance);
}

test.skipIf(!hasMath)('binomial tails are those of exact arithmetic, however deep', async () => {
  const cases: [k: number, n: number, p: number][] = [];
  for (const n of [1, 2, 20, 157, 700]) {
    for (const p of [1 / 512, 3 / 64, 0.5, 0.875]) {
      for (const share of [0, 0.01, 0.05, 0.3, 0.6, 0.9, 1]) cases.push([Math.round(n * share), n, p]);
    }
  }
  const script = `
from math import comb, log
def tails(k, n, p):
    hit, whole = p.as_integer_ratio()
    miss = whole - hit
    def ways(i): return comb(n, i) * hit**i * miss**(n - i)
    lower = sum(ways(i) for i in range(k))
    at, all = ways(k), whole**n
    return [log(all - lower) - log(all), log(lower + at) - log(all)]
print(json.dumps([tails(*case) for case in given]))`;
  const exact = await runPython<[upper: number, lower: number][]>(script, cases);
  const upper = cases.map(([k, n, p]) => logBinomialUpper(k, n, p));
  const lower = cases.map(([k, n, p]) => logBinomialLower(k, n, p));
  expectClose(
    upper,
    exact.map(([value]) => value),
    1e-10,
  );
  expectClose(
    lower,
    exact.map(([, value]) => value),
    1e-10,
  );
  expect(Math.min(...upper)).toBeLessThan(-4000);
});

test.skipIf(!hasMath)('hypergeometric tails are those of exact arithmetic', async () => {
  const cases: [k: number, all: number, marked: number, drawn: number][] = [];
  for (const all of [2, 21, 400, 3000]) {
    for (const marked of [1, Math.ceil(all * 0.02), Math.ceil(all * 0.4), all - 1]) {
      for (const drawn of [1, Math.ceil(all * 0.05), Math.ceil(all * 0.5)]) {
        for (const share of [0, 0.1, 0.5, 1])
          cases.push([Math.round(Math.min(marked, drawn) * share), all, marked, drawn]);
      }
    }
  }
  const script = `
from math import comb, log
def upper(k, all, marked, drawn):
    ways = sum(comb(marked, i) * comb(all - marked, drawn - i) for i in range(k, min(marked, drawn) + 1))
    return log(ways) - log(comb(all, drawn))
print(json.dumps([upper(*case) for case in given]))`;
  const exact = await runPython<number[]>(script, cases);
  const ours = cases.map(([k, all, marked, drawn]) => logHypergeometricUpper(k, { all, marked, drawn }));
  expectClose(ours, exact, 1e-9);
});

test.skipIf(!hasScipy)('tails and bounds of samples of a million are those of scipy', async () => {
  const tails: [k: number, n: number, p: number][] = [
    [50_000, 1_000_000, 0.05],
    [51_200, 1_000_000, 0.05],
    [53_000, 1_000_000, 0.05],
    [10, 1_000_000, 1e-6],
    [300, 100_000, 0.002],
  ];
  const draws: [k: number, all: number, marked: number, drawn: number][] = [
    [560, 1_000_000, 10_000, 50_000],
    [700, 1_000_000, 10_000, 50_000],
    [12, 2_000_000, 12, 1_000_000],
  ];
  const bounds: [k: number, n: number, beta: number][] = [
    [0, 20, 1e-4],
    [3, 500, 1e-3],
    [10_000, 1_000_000, 1e-6],
    [0, 1_000_000, 1e-7],
    [499, 500, 0.01],
  ];
  const script = `
from scipy.special import bdtr, bdtrc
from scipy.stats import beta, hypergeom
from math import log
print(json.dumps({
  'upper': [log(bdtrc(k - 1, n, p)) for k, n, p in given['tails']],
  'lower': [log(bdtr(k, n, p)) for k, n, p in given['tails']],
  'draws': [float(hypergeom.logsf(k - 1, all, marked, drawn)) for k, all, marked, drawn in given['draws']],
  'bounds': [float(beta.isf(b, k + 1, n - k)) for k, n, b in given['bounds']],
}))`;
  type Answer = Record<'upper' | 'lower' | 'draws' | 'bounds', number[]>;
  const theirs = await runPython<Answer>(script, { tails, draws, bounds });
  const upper = tails.map((args) => logBinomialUpper(...args));
  const lower = tails.map((args) => logBinomialLower(...args));
  expectClose(upper, theirs.upper, 1e-8);
  expectClose(lower, theirs.lower, 1e-8);
  const ours = draws.map(([k, all, marked, drawn]) => logHypergeometricUpper(k, { all, marked, drawn }));
  // scipy takes differences of log-factorials here, which is what loses the digits.
  expectClose(ours, theirs.draws, 1e-5);
  const shares = bounds.map((args) => shareUpperBound(...args));
  expectClose(shares.map(Math.log), theirs.bounds.map(Math.log), 1e-8);
});

const trials = fc.integer({ min: 1, max: 1_000_000 });
const share = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 1e-12, max: 1, noNaN: true }));
const hits = (n: number) => fc.integer({ min: 0, max: n });

test('the two tails of a binomial share one value, and tails never grow with k', () => {
  const counted = trials.chain((n) => fc.record({ n: fc.constant(n), k: hits(n), p: share }));
  fc.assert(
    fc.property(counted, ({ n, k, p }) => {
      const sum = Math.exp(logBinomialUpper(k, n, p)) + Math.exp(logBinomialLower(k - 1, n, p));
      expect(Math.abs(sum - 1)).toBeLessThan(1e-9);
      expect(logBinomialUpper(k + 1, n, p)).toBeLessThanOrEqual(logBinomialUpper(k, n, p) + 1e-9);
    }),
  );
});

test('a bound of a share is one: at it, so few hits have the probability beta', () => {
  const betas = fc.double({ min: 1e-9, max: 0.4, noNaN: true });
  const counted = trials.chain((n) => fc.record({ n: fc.constant(n), k: hits(n - 1), beta: betas }));
  fc.assert(
    fc.property(counted, ({ n, k, beta }) => {
      const bound = shareUpperBound(k, n, beta);
      expect(bound).toBeGreaterThanOrEqual(k / n);
      // A bound of nearly 1 has few digits left to say how nearly.
      expect(logBinomialLower(k, n, bound)).toBeLessThanOrEqual(Math.log(beta) + 1e-6);
      expect(logBinomialLower(k, n, bound * (1 - 1e-10))).toBeGreaterThan(Math.log(beta) - 1e-9);
    }),
    { numRuns: 50 },
  );
  expect(shareUpperBound(0, 0, 0.01)).toBe(1);
  expect(shareUpperBound(7, 7, 0.01)).toBe(1);
});

test('of 59 values the largest bounds the 95th percentile at 5 %, of 58 none does', () => {
  expect(exceedancesOfQuantileBound(58, 0.05, 0.05)).toBe(-1);
  expect(exceedancesOfQuantileBound(59, 0.05, 0.05)).toBe(0);
  expect(exceedancesOfQuantileBound(93, 0.05, 0.05)).toBe(1);
  const many = exceedancesOfQuantileBound(1_000_000, 0.05, 1e-6);
  expect(many).toBeGreaterThan(48_900);
  expect(many).toBeLessThan(49_000);
});
