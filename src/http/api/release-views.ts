// Releases, endpoints and environments as the API shows them: what the release room knows, with times as text.
import type { EndpointStatus, Review, VersionNote } from '../../release/control.ts';
import type {
  Endpoint,
  Environment,
  Evidence,
  Release,
  ReleaseEvent,
  ReleaseRequest,
  Stage,
} from '../../release/types.ts';
import { formatTime, formatTimeOrNull } from './access-request.ts';

export interface EvidenceView extends Omit<Evidence, 'atMs'> {
  at: string;
}

export interface ReleaseRequestView extends Omit<ReleaseRequest, 'notBeforeMs' | 'evidence'> {
  notBefore: string | null;
  evidence: EvidenceView[];
}

type Times = 'createdMs' | 'changedMs' | 'submittedMs' | 'decidedMs' | 'liveMs' | 'endedMs' | 'warmUntilMs';

export interface ReleaseView extends Omit<Release, Times | 'watchUntilMs' | 'request' | 'stage'> {
  request: ReleaseRequestView;
  createdAt: string;
  changedAt: string;
  submittedAt?: string;
  decidedAt?: string;
  liveAt?: string;
  endedAt?: string;
  /** How long its instances are kept for a way back. */
  warmUntil?: string;
  /** How long the guard goes on looking. */
  watchUntil?: string;
  stage?: Omit<Stage, 'startedMs'> & { startedAt: string };
}

export interface ReleaseEventView extends Omit<ReleaseEvent, 'atMs'> {
  at: string;
}

export interface EndpointView extends Omit<Endpoint, 'createdMs' | 'live' | 'rollout'> {
  createdAt: string;
  live?: ReleaseView;
  rollout?: ReleaseView;
}

export interface EndpointStatusView extends Omit<EndpointStatus, 'endpoint' | 'history' | 'events'> {
  endpoint: EndpointView;
  history: ReleaseView[];
  events: ReleaseEventView[];
}

export interface EnvironmentView extends Omit<Environment, 'changedMs'> {
  changedAt: string;
}

export interface ReviewView extends Omit<Review, 'release' | 'live' | 'events'> {
  release: ReleaseView;
  live?: ReleaseView;
  events: ReleaseEventView[];
}

export interface VersionNoteView extends Omit<VersionNote, 'archivedMs'> {
  archivedAt: string | null;
}

export function viewEvidence({ atMs, ...evidence }: Evidence): EvidenceView {
  return { ...evidence, at: formatTime(atMs) };
}

export function viewRequest({ notBeforeMs, evidence, ...request }: ReleaseRequest): ReleaseRequestView {
  return { ...request, notBefore: formatTimeOrNull(notBeforeMs), evidence: evidence.map(viewEvidence) };
}

export function viewRelease(release: Release): ReleaseView {
  const { createdMs, changedMs, submittedMs, decidedMs, liveMs, endedMs, warmUntilMs, watchUntilMs, ...rest } = release;
  const { request, stage, ...plain } = rest;
  return {
    ...plain,
    request: viewRequest(request),
    createdAt: formatTime(createdMs),
    changedAt: formatTime(changedMs),
    ...timeIfAny('submittedAt', submittedMs),
    ...timeIfAny('decidedAt', decidedMs),
    ...timeIfAny('liveAt', liveMs),
    ...timeIfAny('endedAt', endedMs),
    ...timeIfAny('warmUntil', warmUntilMs),
    ...timeIfAny('watchUntil', watchUntilMs),
    ...(stage && { stage: viewStage(stage) }),
  };
}

function viewStage({ startedMs, ...stage }: Stage) {
  return { ...stage, startedAt: formatTime(startedMs) };
}

function timeIfAny<Name extends string>(name: Name, ms: number | undefined): { [Each in Name]?: string } {
  return ms === undefined ? {} : ({ [name]: formatTime(ms) } as { [Each in Name]: string });
}

export function viewEvent({ atMs, ...event }: ReleaseEvent): ReleaseEventView {
  return { ...event, at: formatTime(atMs) };
}

export function viewEndpoint({ createdMs, live, rollout, ...endpoint }: Endpoint): EndpointView {
  return {
    ...endpoint,
    createdAt: formatTime(createdMs),
    ...(live && { live: viewRelease(live) }),
    ...(rollout && { rollout: viewRelease(rollout) }),
  };
}

export function viewStatus({ endpoint, history, events, ...status }: EndpointStatus): EndpointStatusView {
  return {
    ...status,
    endpoint: viewEndpoint(endpoint),
    history: history.map(viewRelease),
    events: events.map(viewEvent),
  };
}

export function viewEnvironment({ changedMs, ...environment }: Environment): EnvironmentView {
  return { ...environment, changedAt: formatTime(changedMs) };
}

export function viewReview({ release, live, events, ...review }: Review): ReviewView {
  return {
    ...review,
    release: viewRelease(release),
    ...(live && { live: viewRelease(live) }),
    events: events.map(viewEvent),
  };
}

export function viewNote({ archivedMs, ...note }: VersionNote): VersionNoteView {
  return { ...note, archivedAt: formatTimeOrNull(archivedMs ?? null) };
}
