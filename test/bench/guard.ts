// Simulates rollouts second by second and shows them to the real guard: good candidates, which should be left alone, and
// bad ones, which should be caught. No process is started and no clock read; random numbers are seeded.
import { createLatencySample, type LatencySample } from '../../src/inference/latency-sample.ts';
import { type Check, defaultLimits, type GuardMemory, lookGuard, type SideSamples } from '../../src/release/guard.ts';
import { randomFrom } from '../support/random.ts';

/** crash: at its 50th request. slow: three times. errors: 5 % of its requests fail beside those that would anyway. */
export const faults = ['crash', 'slow', 'nan', 'nan_tenth', 'errors'] as const;
export type Fault = (typeof faults)[number];

export interface Outcome {
  /** What the guard reported; absent: nothing. */
  check?: Check;
  reason?: string;
  /** Of the candidate, until the guard reported it or until the end. */
  requests: number;
}

/** Shares of the traffic that the candidate gets, one after the other; all of it in what follows. */
const steps = [0.05, 0.25, 0.5, 1];
const stepSeconds = 150;
/** For bad candidates: a step lasts longer if need be, and half an hour of watching follows, as in production. */
const stepRequests = 300;
const watchSeconds = 1800;
const mostLatencies = 4096;
/** Of the candidate's answers, with the old one's. */
const comparedShare = 0.2;

/** Marsaglia's polar method. */
function normalFrom(random: () => number): () => number {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const [x, y] = [2 * random() - 1, 2 * random() - 1];
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      spare = y * scale;
      return x * scale;
    }
  };
}

/** What a service is like, whichever version answers. */
interface Service {
  requestsPerSecond: number;
  medianMs: number;
  sigma: number;
  /** Requests that one side computes at a time. */
  lanes: number;
  /** In spells; half of it otherwise. */
  errorShare: number;
  nonFiniteShare: number;
  disagreement: number;
  /** In a spell requests take several times as long and fail twice as often. */
  spellsPerSecond: number;
  spellSeconds: number;
  spellFactor: number;
  /** Seconds in which many requests fail, on both sides; none for most services. */
  incident: { from: number; to: number; share: number };
}

/** @param incidents share of services that have one, while both sides answer */
function drawService(random: () => number, incidents: number): Service {
  const between = (low: number, high: number) => low + (high - low) * random();
  const logBetween = (low: number, high: number) => low * (high / low) ** random();
  const requestsPerSecond = logBetween(5, 500);
  const medianMs = logBetween(2, 200);
  const sigma = between(0.2, 0.6);
  const meanMs = medianMs * Math.exp((sigma * sigma) / 2);
  const from = between(10, 400);
  const hasIncident = random() < incidents;
  return {
    requestsPerSecond,
    medianMs,
    sigma,
    lanes: Math.max(1, (requestsPerSecond * meanMs) / 1000 / between(0.1, 0.6)),
    errorShare: between(0, 0.02),
    nonFiniteShare: random() < 0.2 ? between(0, 0.01) : 0,
    disagreement: between(0, defaultLimits.disagreement),
    spellsPerSecond: 1 / between(60, 300),
    spellSeconds: between(3, 30),
    spellFactor: between(1.3, 3),
    incident: { from, to: hasIncident ? from + between(5, 40) : from, share: between(0.2, 1) },
  };
}

/** One version with a queue of its own. */
class Side implements SideSamples {
  requests = 0;
  errors = 0;
  inspected = 0;
  nonFinite = 0;
  crashes = 0;
  private waitMs = 0;
  private lastMs = 0;

  constructor(
    private readonly sample: LatencySample,
    private readonly fault?: Fault,
  ) {}

  get latenciesMs(): ArrayLike<number> {
    return this.sample.values;
  }

  startStep(): void {
    this.sample.restart();
  }

  /** @param serviceMs of a version without fault */
  answer(atMs: number, serviceMs: number, { errorShare, nonFiniteShare, lanes }: Service, random: () => number): void {
    this.requests++;
    if (this.fault === 'crash' && this.requests === 50) this.crashes++;
    if (random() < errorShare + (this.fault === 'errors' ? 0.05 : 0)) {
      this.errors++;
      return;
    }
    const takesMs = serviceMs * (this.fault === 'slow' ? 3 : 1);
    this.waitMs = Math.max(0, this.waitMs - (atMs - this.lastMs));
    this.lastMs = atMs;
    this.sample.record(this.waitMs + takesMs);
    this.waitMs += takesMs / lanes;
    this.inspected++;
    const broken = this.fault === 'nan' ? 1 : this.fault === 'nan_tenth' ? 0.1 : 0;
    if (random() < nonFiniteShare + broken) this.nonFinite++;
  }
}

/** A ring of the latest, which goes on over all steps: what the guard is not meant to be given. */
function latestSample(): LatencySample {
  const ring: number[] = [];
  let recorded = 0;
  return {
    record: (ms) => void (ring[recorded++ % mostLatencies] = ms),
    get values() {
      return ring;
    },
    restart() {},
  };
}

/** The moments of a service: its spells and its incident change what requests meet, on both sides alike. */
function weatherOf(service: Service, random: () => number): (second: number) => Service {
  let spellEnds = 0;
  return (second) => {
    if (second >= spellEnds && random() < service.spellsPerSecond) {
      spellEnds = second - Math.log(1 - random()) * service.spellSeconds;
    }
    const isSpell = second < spellEnds;
    const { incident } = service;
    const isIncident = second >= incident.from && second < incident.to;
    const medianMs = service.medianMs * (isSpell ? service.spellFactor : 1);
    return { ...service, medianMs, errorShare: isIncident ? incident.share : service.errorShare * (isSpell ? 1 : 0.5) };
  };
}

/** @param sampling 'latest' shows what an unsuitable sample of latencies does; it is not what the guard asks for */
export function simulate(seed: number, fault?: Fault, sampling: 'alike' | 'latest' = 'alike'): Outcome {
  const random = randomFrom(seed);
  const normal = normalFrom(random);
  const weather = weatherOf(drawService(random, fault ? 0 : 0.1), random);
  const sample = () => (sampling === 'alike' ? createLatencySample(mostLatencies, random) : latestSample());
  const old = new Side(sample());
  const candidate = new Side(sample(), fault);
  const agreement = { compared: 0, disagreed: 0 };
  let memory: GuardMemory | undefined;
  let atMs = 0;
  let step = { index: -1, ends: 0, holdsUntil: 0 };
  for (let second = 0; second < step.ends || step.index < steps.length - 1; second++) {
    if (second >= step.ends && candidate.requests >= step.holdsUntil) {
      const index = step.index + 1;
      const seconds = stepSeconds + (fault && index === steps.length - 1 ? watchSeconds : 0);
      step = { index, ends: second + seconds, holdsUntil: candidate.requests + (fault ? stepRequests : 0) };
      for (const side of [old, candidate]) side.startStep();
    }
    const now = weather(second);
    while (atMs < (second + 1) * 1000) {
      const side = random() < steps[step.index]! ? candidate : old;
      side.answer(atMs, now.medianMs * Math.exp(now.sigma * normal()), now, random);
      if (side === candidate && random() < comparedShare) {
        agreement.compared++;
        if (random() < now.disagreement) agreement.disagreed++;
      }
      atMs -= (Math.log(1 - random()) / now.requestsPerSecond) * 1000;
    }
    const look = lookGuard(memory, old, candidate, agreement, defaultLimits);
    if (look.breach) return { ...look.breach, requests: candidate.requests };
    memory = look.memory;
  }
  return { requests: candidate.requests };
}

/** What each fault is to be caught by. */
export const checkOf: Record<Fault, Check> = {
  crash: 'crashes',
  slow: 'latency',
  nan: 'nonFinite',
  nan_tenth: 'nonFinite',
  errors: 'errors',
};

export interface Catches {
  /** Share of the bad candidates that were reported, for what is wrong with them. */
  share: number;
  /** Requests that they got by then: the median and the most. */
  median: number;
  worst: number;
}

/** @param seeds of as many rollouts of candidates with this fault */
export function catchesOf(fault: Fault, seeds: number[]): Catches {
  const outcomes = seeds.map((seed) => simulate(seed, fault));
  const caught = outcomes.filter(({ check }) => check === checkOf[fault]);
  const requests = caught.map(({ requests }) => requests).sort((a, b) => a - b);
  return {
    share: caught.length / seeds.length,
    median: requests[Math.floor(requests.length / 2)] ?? 0,
    worst: requests.at(-1) ?? 0,
  };
}

/** @returns the share of good candidates that were reported all the same */
export function falseAlarmRate(seeds: number[], sampling: 'alike' | 'latest' = 'alike'): number {
  return seeds.filter((seed) => simulate(seed, undefined, sampling).check !== undefined).length / seeds.length;
}

export const seedsFrom = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

/** Seeds of bad candidates are others than those of good ones. */
export const firstBadSeed = 100_001;

export function run({ good = 2000, bad = 500 } = {}): Record<string, number> {
  const bads = seedsFrom(firstBadSeed, bad);
  const catches = faults.map((fault) => [fault, catchesOf(fault, bads)] as const);
  return {
    guard_false_alarm_rate: falseAlarmRate(seedsFrom(1, good)),
    guard_false_alarm_rate_unsuited_sample: falseAlarmRate(seedsFrom(1, good), 'latest'),
    guard_caught_share: Math.min(...catches.map(([, { share }]) => share)),
    ...Object.fromEntries(
      catches.flatMap(([fault, { median, worst }]) => [
        [`guard_requests_to_catch_${fault}`, median],
        [`guard_requests_to_catch_${fault}_worst`, worst],
      ]),
    ),
  };
}
