// Whether a new version does worse than the old one beside it, judged from samples of both with a bounded chance of a false
// alarm. Pure: no clock, nothing random, remembers only what it is given back. docs/guard.md is the long explanation.
import {
  crashBreach,
  judgeDisagreement,
  judgeLatency,
  judgeShare,
  type SharePair,
  type Verdict,
} from './guard-checks.ts';
import type { GuardLimits } from './types.ts';

export { defaultGuard as defaultLimits, type GuardLimits } from './types.ts';

/** What one side did since the rollout (or its watch period) began. */
export interface SideSamples {
  /** Answered and failed requests. */
  requests: number;
  /** Of them those that the server or the model is to blame for (5xx); a client's mistake is none. */
  errors: number;
  /** Answers looked at for values that are not finite, and those that had some. */
  inspected: number;
  nonFinite: number;
  /**
   * Of answered requests, milliseconds, a few thousand at most, in any order. Of both sides from the same stretch of time
   * with one split of traffic, drawn alike from all of it: `createLatencySample`, restarted when the split changes.
   */
  latenciesMs: ArrayLike<number>;
  /** Processes that ended unexpectedly. */
  crashes: number;
}

/** Shadow requests: answers of both compared. */
export interface Agreement {
  compared: number;
  disagreed: number;
}

export type Check = 'errors' | 'latency' | 'crashes' | 'nonFinite' | 'disagreement';

export interface Breach {
  check: Check;
  /** One plain sentence with both sides' numbers and the p-value. */
  reason: string;
  /**
   * Shares for errors, non-finite answers and disagreement (whose `old` is the limit), p95 in milliseconds for latency,
   * the number of crashes.
   */
  old: number;
  new: number;
  /** How likely chance alone does this to a version within its limits; 0 for crashes, which are not judged by chance. */
  p: number;
}

export type CheckState = 'fine' | 'too_few' | 'breach';

type Judged = Exclude<Check, 'crashes'>;

/** Plain JSON, of one rollout from its first call to its last, across all of its steps. */
export interface GuardMemory {
  /** Looks taken so far, which is what the chance of a false alarm was spent on, and the sample size at the last one. */
  looks: Record<Judged, { taken: number; at: number }>;
  errors: MatchedTime;
  nonFinite: MatchedTime;
  /** Of the old side, and of the new one when the old one was last seen to have got some more. */
  oldRequests: number;
  newRequestsThen: number;
  /** Latencies of the new side, and its requests when they were last begun anew. */
  newLatencies: number;
  latenciesSince: number;
  /** A breach stays one, whatever comes after. */
  breach?: Breach;
}

/**
 * How often the candidate would have failed had it been as bad as the old one in each stretch of time: direct
 * standardisation, because a bad minute for both weighs more for the side that gets more of the traffic by then.
 */
interface MatchedTime {
  expected: number;
  variance: number;
  /** Counts that are included so far. */
  oldSize: number;
  oldHits: number;
  newSize: number;
}

/** Chance of a false alarm in a whole rollout, and that of each of the four checks that are judged by chance. */
const falseAlarms = 0.01;
const falseAlarmsPerCheck = falseAlarms / 4;
/** The next look is taken when the candidate's sample has grown so many times. */
const growth = 1.3;
/** Requests of the old side in a stretch of time. */
const stretchSize = 20;
/** Standard deviations by which the candidate must be above what the old one's failures of the same time explain. */
const matchedDeviations = 2;
/** With so few latencies of the old side its p95 is anything. */
const minOldLatencies = 40;

const none: MatchedTime = { expected: 0, variance: 0, oldSize: 0, oldHits: 0, newSize: 0 };

const start: GuardMemory = {
  looks: {
    errors: { taken: 0, at: 0 },
    latency: { taken: 0, at: 0 },
    nonFinite: { taken: 0, at: 0 },
    disagreement: { taken: 0, at: 0 },
  },
  errors: none,
  nonFinite: none,
  oldRequests: -1,
  newRequestsThen: 0,
  newLatencies: 0,
  latenciesSince: 0,
};

/** What the k-th look may spend (alpha spending: K. Lan and D. DeMets, 1983); over all k it adds up to the whole. */
const spending = (look: number) => (falseAlarmsPerCheck * 6) / (Math.PI * look) ** 2;

/** Adds the stretch since the last one, if it is long enough. Counts that went down begin anew. */
function advance(before: MatchedTime, { oldSize, oldHits, newSize }: SharePair): MatchedTime {
  const isRestart = oldSize < before.oldSize || newSize < before.newSize || oldHits < before.oldHits;
  const from = isRestart ? none : before;
  if (oldSize - from.oldSize < stretchSize) return from;
  const weight = (newSize - from.newSize) / (oldSize - from.oldSize);
  const hits = oldHits - from.oldHits;
  const expected = from.expected + weight * hits;
  return { expected, variance: from.variance + weight * weight * hits, oldSize, oldHits, newSize };
}

/** True when more failed than the old one's failures of the same time and the margin explain. */
function exceedsMatched(matched: MatchedTime, pair: SharePair, margin: number): boolean {
  const { oldSize, oldHits, newSize, newHits } = pair;
  // Where the old one answered nothing its whole history stands in for it.
  const weight = oldSize > 0 ? (newSize - matched.newSize) / oldSize : 0;
  const expected = matched.expected + weight * oldHits + margin * newSize;
  const variance = matched.variance + weight * weight * oldHits;
  return newHits - expected > matchedDeviations * Math.sqrt(newHits + variance);
}

/** False when the old side stood still while the candidate went on: what each has seen is of another time. */
function areSideBySide(memory: GuardMemory, candidate: SideSamples): boolean {
  const alone = candidate.requests - memory.newRequestsThen;
  return alone <= Math.max(100, 0.1 * candidate.requests);
}

/**
 * One look at a rollout, about once a second. Tests are taken only when the candidate's sample has grown by 30 % since the
 * last one, the k-th at the level 0.0025 · 6 / (π² k²), so that all looks of the four checks together raise a false alarm in
 * at most 1 % of the rollouts of a good version, however long they run. All tests are one-sided and exact:
 *
 * - Errors, non-finite answers: H₀ p_new ≤ p_old + margin. Without a margin Fisher's test; with one the binomial tail at
 *   the upper Clopper-Pearson bound of p_old plus the margin, the bound's own error added (R. Berger and D. Boos, 1994).
 *   It must also exceed what the old one's failures of the same time explain.
 * - Latency: H₀ the candidate's p95 ≤ max(factor · q, q + floor), q the old one's p95, of which an order statistic is the
 *   upper bound; then the binomial tail of the candidate's slower answers against 5 %, the bound's error added.
 * - Disagreement: H₀ share ≤ limit, the binomial tail. Crashes: one more than allowed is a breach at once.
 *
 * They hold for any distribution, and in moments that are bad for both, as long as chance alone decides which side a
 * request goes to, and for latencies as long as the split of traffic does not change within a sample.
 * @param before the `memory` of the call before, undefined in the first of a rollout
 */
export function lookGuard(
  before: GuardMemory | undefined,
  old: SideSamples,
  candidate: SideSamples,
  agreement: Agreement | undefined,
  limits: GuardLimits,
): { memory: GuardMemory; breach?: Breach; checks: Record<Check, CheckState> } {
  const memory = remember(before ?? start, pairsOf(old, candidate), candidate);
  const judges = judgesOf(memory, old, candidate, agreement, limits);
  const checks: Record<Check, CheckState> = {
    crashes: 'fine',
    nonFinite: 'too_few',
    errors: 'too_few',
    disagreement: 'too_few',
    latency: 'too_few',
  };
  const breaches = [crashBreach(old.crashes, candidate.crashes, limits.crashes)];
  for (const check of judgedChecks) {
    const { state, breach, look } = judge(judges[check], memory.looks[check], limits.minRequests);
    memory.looks[check] = look;
    checks[check] = state;
    breaches.push(breach);
  }
  memory.breach ??= breaches.find((breach) => breach !== undefined);
  for (const breach of [memory.breach, ...breaches]) if (breach) checks[breach.check] = 'breach';
  return { memory, breach: memory.breach, checks };
}

/** In the order in which the reason is given when several are breached: what is plainest first. */
const judgedChecks = ['nonFinite', 'errors', 'disagreement', 'latency'] as const;

type Pairs = Record<'errors' | 'nonFinite', SharePair>;

function pairsOf(old: SideSamples, candidate: SideSamples): Pairs {
  const [{ requests: oldSize, errors: oldHits }, { requests: newSize, errors: newHits }] = [old, candidate];
  return {
    errors: { oldSize, oldHits, newSize, newHits },
    nonFinite: {
      oldSize: old.inspected,
      oldHits: old.nonFinite,
      newSize: candidate.inspected,
      newHits: candidate.nonFinite,
    },
  };
}

function remember(before: GuardMemory, pairs: Pairs, { requests, latenciesMs }: SideSamples): GuardMemory {
  const { oldSize } = pairs.errors;
  const isNewSample = latenciesMs.length < before.newLatencies;
  const stoodStill = oldSize === before.oldRequests && requests >= before.newRequestsThen;
  return {
    ...before,
    looks: { ...before.looks },
    errors: advance(before.errors, pairs.errors),
    nonFinite: advance(before.nonFinite, pairs.nonFinite),
    oldRequests: oldSize,
    newLatencies: latenciesMs.length,
    latenciesSince: isNewSample ? requests - latenciesMs.length : Math.min(before.latenciesSince, requests),
    newRequestsThen: stoodStill ? before.newRequestsThen : requests,
  };
}

interface Judge {
  /** The sample size that looks are timed by. */
  size: number;
  at: (level: number) => Verdict;
}

function judgesOf(
  memory: GuardMemory,
  old: SideSamples,
  candidate: SideSamples,
  agreement: Agreement | undefined,
  limits: GuardLimits,
): Record<Judged, Judge> {
  const pairs = pairsOf(old, candidate);
  const share = (check: keyof Pairs, margin: number): Judge => {
    const exceeds = () => exceedsMatched(memory[check], pairs[check], margin);
    return { size: pairs[check].newSize, at: (level) => judgeShare(check, pairs[check], margin, level, exceeds) };
  };
  const { compared, disagreed } = agreement ?? { compared: 0, disagreed: 0 };
  const isComparable = areSideBySide(memory, candidate) && old.latenciesMs.length >= minOldLatencies;
  const hasLatencies = isComparable && candidate.latenciesMs.length >= limits.minRequests;
  return {
    errors: share('errors', limits.errorMargin),
    nonFinite: share('nonFinite', limits.nonFiniteMargin),
    disagreement: {
      size: compared,
      at: (level) => judgeDisagreement({ compared, disagreed }, limits.disagreement, level),
    },
    latency: {
      // A sample that is full goes on to change.
      size: hasLatencies ? candidate.requests - memory.latenciesSince : 0,
      at: (level) => judgeLatency(old.latenciesMs, candidate.latenciesMs, limits, level),
    },
  };
}

/** Takes a look if one is due. One at which nothing at all could be a breach is not taken, and nothing is spent on it. */
function judge(
  { size, at }: Judge,
  before: { taken: number; at: number },
  minRequests: number,
): { state: CheckState; breach?: Breach; look: { taken: number; at: number } } {
  const isFirst = before.taken === 0 || size < before.at;
  const hasEnough = size >= Math.max(1, minRequests);
  if (!hasEnough || (!isFirst && size < before.at * growth)) {
    return { state: hasEnough && !isFirst ? 'fine' : 'too_few', look: before };
  }
  const verdict = at(spending(before.taken + 1));
  if (verdict === 'too_few') return { state: isFirst ? 'too_few' : 'fine', look: before };
  const look = { taken: before.taken + 1, at: size };
  return verdict === 'fine' ? { state: 'fine', look } : { state: 'breach', breach: verdict, look };
}
