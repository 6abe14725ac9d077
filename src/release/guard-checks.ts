// The checks of the rollout guard one by one: a sample of each side and a level in, a verdict out. Knows nothing of looks
// and of what came before.
import {
  exceedancesOfQuantileBound,
  logBinomialUpper,
  logHypergeometricUpper,
  shareUpperBound,
} from './exact-tests.ts';
import type { Agreement, Breach } from './guard.ts';
import type { GuardLimits } from './types.ts';

/** Too few: not even the worst candidate would be a breach at this level. It depends on sizes alone, not on results. */
export type Verdict = 'fine' | 'too_few' | Breach;

/** Of each side how many there were and how many of them had the fault. */
export interface SharePair {
  oldSize: number;
  oldHits: number;
  newSize: number;
  newHits: number;
}

/** The part of a level that goes to the bound of the old side's share or quantile. */
const boundPart = 0.25;
const tail = 0.05;

const faults = {
  errors: 'requests to the new version failed',
  nonFinite: 'answers of the new version had values that are not finite',
};

/** How likely chance alone gives the candidate so many, whatever the old one's true share; see `lookGuard`. */
function shareChance({ oldSize, oldHits, newSize, newHits }: SharePair, margin: number, level: number): number {
  if (margin <= 0) {
    const draw = { all: oldSize + newSize, marked: oldHits + newHits, drawn: newSize };
    return Math.exp(logHypergeometricUpper(newHits, draw));
  }
  const allowed = shareUpperBound(oldHits, oldSize, level * boundPart) + margin;
  return Math.min(1, Math.exp(logBinomialUpper(newHits, newSize, allowed)) + level * boundPart);
}

/** @param exceedsMatched asked only when chance alone does not explain the candidate's faults */
export function judgeShare(
  check: 'errors' | 'nonFinite',
  pair: SharePair,
  margin: number,
  level: number,
  exceedsMatched: () => boolean,
): Verdict {
  const { oldSize, oldHits, newSize, newHits } = pair;
  if (margin >= 1) return 'fine';
  if (shareChance({ ...pair, oldHits: 0, newHits: newSize }, margin, level) > level) return 'too_few';
  const p = shareChance(pair, margin, level);
  if (p > level || !exceedsMatched()) return 'fine';
  const [before, now] = [oldHits / oldSize, newHits / newSize];
  const allowance = margin > 0 ? `, of which it may have ${percent(margin)} more` : '';
  const both = `${newHits} of ${newSize} ${faults[check]} (${percent(now)}), ${oldHits} of ${oldSize} of the old one`;
  return { check, reason: `${both} (${percent(before)}${allowance}); ${chance(p)}`, old: before, new: now, p };
}

export function judgeDisagreement({ compared, disagreed }: Agreement, limit: number, level: number): Verdict {
  if (limit >= 1) return 'fine';
  if (logBinomialUpper(compared, compared, limit) > Math.log(level)) return 'too_few';
  const p = Math.exp(logBinomialUpper(disagreed, compared, limit));
  if (p > level) return 'fine';
  const share = disagreed / compared;
  const both = `${disagreed} of ${compared} answers of the new version (${percent(share)}) were not those of the old one`;
  const reason = `${both}, at most ${percent(limit)} may be; ${chance(p)}`;
  return { check: 'disagreement', reason, old: limit, new: share, p };
}

export function judgeLatency(
  oldMs: ArrayLike<number>,
  newMs: ArrayLike<number>,
  { latencyFactor, latencyFloorMs }: GuardLimits,
  level: number,
): Verdict {
  const exceedances = exceedancesOfQuantileBound(oldMs.length, tail, level * boundPart);
  const mayBreach = newMs.length * Math.log(tail) <= Math.log(level * (1 - boundPart));
  if (exceedances < 0 || !mayBreach) return 'too_few';
  const old = Float64Array.from(oldMs).sort();
  const bound = old[old.length - 1 - exceedances]!;
  const allowedMs = Math.max(latencyFactor * bound, bound + latencyFloorMs);
  const candidate = Float64Array.from(newMs).sort();
  const slow = candidate.length - candidate.findLastIndex((ms) => ms <= allowedMs) - 1;
  const p = Math.min(1, Math.exp(logBinomialUpper(slow, candidate.length, tail)) + level * boundPart);
  if (p > level) return 'fine';
  const [before, now] = [percentile95(old), percentile95(candidate)];
  const both = `p95 of the new version is ${milliseconds(now)}, of the old one ${milliseconds(before)}`;
  const count = `${slow} of ${candidate.length} answers took longer than the ${milliseconds(allowedMs)} allowed for 95 %`;
  return { check: 'latency', reason: `${both}; ${count}; ${chance(p)}`, old: before, new: now, p };
}

export function crashBreach(old: number, candidate: number, limit: number): Breach | undefined {
  if (candidate <= old + limit) return undefined;
  const allowance = limit > 0 ? `, and it may have ${limit} more` : '';
  const reason = `processes of the new version ended unexpectedly ${times(candidate)}, of the old one ${times(old)}${allowance}`;
  return { check: 'crashes', reason, old, new: candidate, p: 0 };
}

const percentile95 = (sorted: Float64Array) => sorted[Math.ceil(sorted.length * (1 - tail)) - 1]!;
const percent = (share: number) => `${Number((share * 100).toPrecision(3))} %`;
const milliseconds = (ms: number) => `${Number(ms.toPrecision(3))} ms`;
const times = (count: number) => (count === 1 ? 'once' : `${count} times`);
const chance = (p: number) => (p < 1e-6 ? 'p < 0.000001' : `p = ${p.toFixed(6)}`);
