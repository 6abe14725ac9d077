// The words of going live: environments, endpoints, releases, their states and what is asked for in one. Types, defaults
// and the lists that schemas and screens are made of.
import type { UserRole } from '../access/roles.ts';

export const environmentNames = ['staging', 'production'] as const;
export type EnvironmentName = (typeof environmentNames)[number];

/** A time in which nothing goes live. */
export interface Freeze {
  name: string;
  /** When it begins: a cron line of five fields. */
  cron: string;
  durationMs: number;
  /** IANA name; absent: the server's. */
  timeZone?: string;
}

/** What must be green before a release may be approved. */
export interface Policy {
  /** An answer to made-up inputs, without an error and without values that are not finite, before traffic moves. */
  smoke: boolean;
  /** Evidence of kind 'load-test' with a p95 of at most so many milliseconds; null: no matter. */
  maxP95Ms: number | null;
  /** Evidence of kind 'report'. */
  evaluation: boolean;
  /** Evidence of kind 'load-test'. */
  loadTest: boolean;
  /** A licence is named. */
  licence: boolean;
}

/** How much worse than the old version the new one may be; see guard.ts. */
export interface GuardLimits {
  /** p95 of the new one may be so many times the old one's … */
  latencyFactor: number;
  /** … and so many milliseconds more, at least. */
  latencyFloorMs: number;
  /** Share of errors beyond the old one's. */
  errorMargin: number;
  /** Share of answers with values that are not finite, beyond the old one's. */
  nonFiniteMargin: number;
  /** Processes that ended unexpectedly, beyond the old one's. */
  crashes: number;
  /** Share of shadow answers that differ. */
  disagreement: number;
  /** Of the new one, before anything but crashes is judged. */
  minRequests: number;
}

export const defaultGuard: GuardLimits = {
  latencyFactor: 1.5,
  latencyFloorMs: 2,
  errorMargin: 0.01,
  nonFiniteMargin: 0,
  crashes: 0,
  disagreement: 0.1,
  minRequests: 20,
};

export interface EnvironmentSettings {
  /** Devices that its instances may use; null: all. */
  deviceIds: string[] | null;
  /** Of all its releases together, counted by their maximum; null: no limit. */
  maxInstances: number | null;
  maxEndpoints: number | null;
  /** Roles that may ask for a release here. */
  requesters: UserRole[];
  /** false: a request is approved as soon as its checks are green. */
  needsReview: boolean;
  /** Nobody approves a request of one's own. */
  fourEyes: boolean;
  policy: Policy;
  /** How long the instances of the release before are kept, so that going back takes no time. */
  keepWarmMs: number;
  /** How long the guard goes on looking once a release is live. */
  watchMs: number;
  guard: GuardLimits;
  freezes: Freeze[];
}

export interface Environment {
  name: EnvironmentName;
  settings: EnvironmentSettings;
  revision: number;
  changedMs: number;
  changedBy: string;
}

const minute = 60_000;

export const defaultEnvironments: Record<EnvironmentName, EnvironmentSettings> = {
  staging: {
    deviceIds: null,
    maxInstances: null,
    maxEndpoints: null,
    requesters: ['administrator', 'owner'],
    needsReview: false,
    fourEyes: false,
    policy: { smoke: true, maxP95Ms: null, evaluation: false, loadTest: false, licence: false },
    keepWarmMs: 5 * minute,
    watchMs: 5 * minute,
    guard: defaultGuard,
    freezes: [],
  },
  production: {
    deviceIds: null,
    maxInstances: null,
    maxEndpoints: null,
    requesters: ['administrator', 'owner'],
    needsReview: true,
    fourEyes: true,
    policy: { smoke: true, maxP95Ms: null, evaluation: false, loadTest: false, licence: true },
    keepWarmMs: 30 * minute,
    watchMs: 30 * minute,
    guard: defaultGuard,
    freezes: [],
  },
};

export const releaseStates = [
  'draft',
  'submitted',
  'changes-asked',
  'rejected',
  'withdrawn',
  'approved',
  'rolling-out',
  'live',
  'superseded',
  'rolled-back',
  'failed',
] as const;

/**
 * draft, changes-asked: may be edited. approved: waits for its time, a freeze to end, or another rollout of its endpoint.
 * superseded: was live until another was. rolled-back: was taken off, by somebody or by the guard. failed: never answered.
 */
export type ReleaseState = (typeof releaseStates)[number];

export interface RolloutPlan {
  /** Before callers get its answers, so long a share of the requests is sent to it as well; null: not at all. */
  shadow: { percent: number; holdMs: number } | null;
  /** Shares that it gets before it gets all; empty: all at once. */
  steps: { percent: number; holdMs: number }[];
  /** Callers with the same value in this header get the same version; null: each request is its own. */
  stickyHeader: string | null;
  /** Names of API keys that get the new version in every step. */
  trialKeys: string[];
  /** A step lasts until the new version has answered so many requests, if need be longer than its time. */
  minRequests: number;
}

export const allAtOnce: RolloutPlan = { shadow: null, steps: [], stickyHeader: null, trialKeys: [], minRequests: 0 };

export const evidenceKinds = ['report', 'load-test', 'link', 'text'] as const;

/** What speaks for a release. */
export interface Evidence {
  kind: (typeof evidenceKinds)[number];
  title: string;
  text?: string;
  /** A page, of this server or another. */
  url?: string;
  /** Measured numbers, such as `p95Ms`, `perSecond`, `accuracy`. */
  numbers?: Record<string, number>;
  /** Milliseconds since 1970. */
  atMs: number;
}

/** What somebody asks for. */
export interface ReleaseRequest {
  /** Name that clients call; one that does not exist yet is made. */
  endpoint: string;
  environment: EnvironmentName;
  model: string;
  version: number;
  /** SPDX expression under which the model is offered; empty: not said. */
  licence: string;
  minInstances: number;
  maxInstances: number;
  /** null: those of the environment. */
  deviceIds: string[] | null;
  /** Host name of the endpoint's own; empty: none but that of the wildcard. */
  domain: string;
  inferenceTimeoutMs: number;
  /** Requests that may wait; 0: the version's own setting. */
  maxQueueSize: number;
  /** Of all callers together; null: no limit. */
  ratePerSecond: number | null;
  /** What it is for, what is new. */
  statement: string;
  /** Whom to ask. */
  contact: string;
  evidence: Evidence[];
  rollout: RolloutPlan;
  /** Not before; null: as soon as it is approved. */
  notBeforeMs: number | null;
}

/** Where a rollout is. */
export interface Stage {
  kind: 'starting' | 'smoke' | 'shadow' | 'step';
  /** Of the plan's steps; 0 for the others. */
  index: number;
  startedMs: number;
  /** Share of callers that get the new version. */
  percent: number;
}

export interface Release {
  id: number;
  state: ReleaseState;
  reason: string;
  request: ReleaseRequest;
  requester: { id: string; name: string };
  revision: number;
  createdMs: number;
  changedMs: number;
  submittedMs?: number;
  decidedMs?: number;
  decidedBy?: string;
  stage?: Stage;
  liveMs?: number;
  endedMs?: number;
  warmUntilMs?: number;
  watchUntilMs?: number;
  /** Id of the release whose place it took. */
  replaced?: number;
}

export const releaseEventKinds = [
  'created',
  'edited',
  'submitted',
  'commented',
  'changes-asked',
  'rejected',
  'withdrawn',
  'approved',
  'overridden',
  'started',
  'stage',
  'live',
  'superseded',
  'rolled-back',
  'failed',
  'guard',
] as const;

export interface ReleaseEvent {
  id: number;
  release: number;
  atMs: number;
  kind: (typeof releaseEventKinds)[number];
  /** Who did it; the server itself is 'system'. */
  actor: { id: string; name: string };
  text: string;
  data: Record<string, unknown>;
}

export interface Endpoint {
  name: string;
  environment: EnvironmentName;
  /** Host names under which it is reached, its own first, then that of the wildcard. */
  hosts: string[];
  createdMs: number;
  createdBy: string;
  live?: Release;
  rollout?: Release;
}

/** One check that a release must pass. */
export interface PolicyCheck {
  name:
    'version' | 'room' | 'signature' | 'quota' | 'licence' | 'evaluation' | 'load-test' | 'p95' | 'domain' | 'smoke';
  /** pending: can be told only later. */
  state: 'green' | 'red' | 'pending';
  text: string;
  /** A red one can be overridden by who may, with a reason. */
  mayOverride: boolean;
}

/** One difference between what is live and what is asked for. */
export interface Difference {
  /** signature differences first: those are what breaks clients. */
  group: 'signature' | 'settings' | 'files' | 'size' | 'footprint' | 'speed' | 'licence' | 'manifest';
  what: string;
  before: string;
  after: string;
  /** breaking: callers of the old one get errors. */
  weight: 'breaking' | 'notable' | 'plain';
}
