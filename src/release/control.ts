// What people and programs may do with releases, endpoints and environments: the promise that the REST API, the commands
// and the screens are built on. releases.ts keeps it.
import type { Actor } from '../access/actor.ts';
import type { PlacementPreview } from '../device/placement-views.ts';
import type {
  Difference,
  Endpoint,
  Environment,
  EnvironmentName,
  Evidence,
  PolicyCheck,
  Release,
  ReleaseEvent,
  ReleaseRequest,
  ReleaseState,
} from './types.ts';

export interface ReleaseFilter {
  state?: ReleaseState;
  endpoint?: string;
  model?: string;
  environment?: EnvironmentName;
  /** Only those with a lower id. */
  before?: number;
  /** At most; 50 if absent. */
  limit?: number;
}

/** All that a reviewer looks at. */
export interface Review {
  release: Release;
  /** Oldest first. */
  events: ReleaseEvent[];
  /** What is live now, if anything. */
  live?: Release;
  differences: Difference[];
  checks: PolicyCheck[];
  /** Where it would run; absent when the version is gone. */
  placement?: PlacementPreview;
  /** Of the version itself, SPDX. */
  modelLicence?: string;
  /** What whoever asks may do now, for buttons. */
  may: Record<'edit' | 'submit' | 'withdraw' | 'approve' | 'override' | 'reject' | 'ask' | 'comment', boolean>;
}

/** One side of a rollout, or of the watch after it, as callers see it. */
export interface TrafficSide {
  role: 'live' | 'candidate' | 'shadow' | 'warm';
  release: number;
  model: string;
  version: number;
  /** Share of the requests, 0…1. */
  share: number;
  state: string;
  instances: number;
  requests: number;
  errors: number;
  nonFinite: number;
  crashes: number;
  p50Ms?: number;
  p95Ms?: number;
}

export interface EndpointShare {
  endpoint: string;
  environment: EnvironmentName;
  release: number;
  model: string;
  version: number;
  /** 0…1. */
  share: number;
}

export interface EndpointStatus {
  endpoint: Endpoint;
  sides: TrafficSide[];
  /** Shadow answers compared, and those that differed. */
  agreement?: { compared: number; disagreed: number };
  /** What the guard says of each check; absent while it does not look. */
  guard?: Record<string, 'fine' | 'too_few' | 'breach'>;
  /** Newest first. */
  history: Release[];
  events: ReleaseEvent[];
  /** Releases that a rollback may lead to, the nearest first. */
  rollbackTargets: number[];
}

export interface VersionNote {
  tags: string[];
  note: string;
  archivedMs?: number;
}

/** What becomes of old versions of a model. */
export interface Retention {
  /** Newest versions to keep; null: all. */
  keepLast: number | null;
  /** Those that were ever live are kept. */
  keepReleased: boolean;
}

export interface LoadTestRequest {
  model: string;
  version: number;
  /** 1…30. */
  seconds: number;
  /** 1…64. */
  connections: number;
}

/** Every function throws AppError: not_found, invalid, conflict, forbidden for what this actor may not do now. */
export interface ReleaseControl {
  environments(): Environment[];
  /** @param revision that the change is based on: conflict when somebody else was quicker */
  setEnvironment(actor: Actor, name: EnvironmentName, patch: unknown, revision?: number): Environment;

  endpoints(): Endpoint[];
  endpoint(name: string): EndpointStatus;
  /** Ends what it serves and forgets the name; its releases stay in the history. */
  removeEndpoint(actor: Actor, name: string): Promise<void>;

  /** Who answers what share of each endpoint now. */
  traffic(): EndpointShare[];
  /** How many releases are in each state, and how many were ever taken back, by whom. */
  counts(): {
    states: { state: ReleaseState; count: number }[];
    takenBack: { endpoint: string; kind: 'rolled-back' | 'failed'; by: 'server' | 'person'; count: number }[];
  };

  releases(filter?: ReleaseFilter): Release[];
  /** How many wait for a decision. */
  waiting(): number;
  get(id: number): Release;
  /** What happened to it, oldest first. */
  events(id: number): ReleaseEvent[];
  review(actor: Actor, id: number): Promise<Review>;
  /** What the form is filled with: the settings of what is live at the endpoint, else defaults. */
  prefill(wish: { model?: string; version?: number; endpoint?: string; environment?: EnvironmentName }): ReleaseRequest;
  /** @param value a ReleaseRequest, checked here; what is left out has the values of `prefill` */
  create(actor: Actor, value: unknown): Release;
  edit(actor: Actor, id: number, patch: unknown, revision?: number): Release;
  /** Sends it to review. Where none is needed and all checks are green it is approved at once. */
  submit(actor: Actor, id: number): Promise<Release>;
  withdraw(actor: Actor, id: number, reason: string): Release;
  comment(actor: Actor, id: number, text: string): ReleaseEvent;
  attach(actor: Actor, id: number, evidence: Evidence): Release;
  askChanges(actor: Actor, id: number, reason: string): Release;
  reject(actor: Actor, id: number, reason: string): Release;
  /**
   * @param options.override why red checks do not matter; needs the right to override
   * @param options.revision that was looked at: conflict when it was changed since
   */
  approve(
    actor: Actor,
    id: number,
    options?: { comment?: string; override?: string; revision?: number },
  ): Promise<Release>;
  /** Ends a rollout, or puts an earlier release back. Resolves when that one answers. @param to its id; absent: the last */
  rollback(actor: Actor, endpoint: string, options?: { to?: number; reason?: string }): Promise<Release>;
  /**
   * Goes to the next step of a rollout now.
   * @param options.sinceMs when the step began that is to end: conflict when another has begun since
   */
  advance(actor: Actor, id: number, options?: { sinceMs?: number }): Promise<Release>;
  /** Sends made-up inputs to a loaded version and measures; its evidence can be attached. One at a time. */
  loadTest(actor: Actor, request: LoadTestRequest, signal?: AbortSignal): Promise<Evidence>;

  /** Any two versions, of one model or of two. */
  compare(a: { model: string; version: number }, b: { model: string; version: number }): Difference[];
  versionNote(model: string, version: number): VersionNote;
  /** @param patch `tags`, `note` and `archived` (true or false), each as far as it is to change */
  setVersionNote(actor: Actor, model: string, version: number, patch: unknown): VersionNote;
  retention(model: string): Retention;
  /** Sets it and removes what it says is not to be kept. @returns the removed versions */
  setRetention(actor: Actor, model: string, patch: unknown): Promise<{ retention: Retention; removed: number[] }>;
}
