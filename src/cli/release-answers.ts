// What the server's API answers about going live, as far as the commands read it: as the release room has it, with times
// as text.
import type { EndpointStatus, Review } from '../release/control.ts';
import type { Endpoint, Environment, Evidence, Release, ReleaseEvent, ReleaseRequest } from '../release/types.ts';

export type EvidenceAnswer = Omit<Evidence, 'atMs'> & { at: string };

export type RequestAnswer = Omit<ReleaseRequest, 'notBeforeMs' | 'evidence'> & {
  notBefore: string | null;
  evidence: EvidenceAnswer[];
};

export interface ReleaseAnswer extends Pick<
  Release,
  'id' | 'state' | 'reason' | 'requester' | 'revision' | 'decidedBy' | 'replaced'
> {
  request: RequestAnswer;
  createdAt: string;
  changedAt: string;
  submittedAt?: string;
  decidedAt?: string;
  liveAt?: string;
  endedAt?: string;
  warmUntil?: string;
  watchUntil?: string;
  stage?: Omit<NonNullable<Release['stage']>, 'startedMs'> & { startedAt: string };
}

export type EventAnswer = Omit<ReleaseEvent, 'atMs'> & { at: string };

export interface DetailAnswer {
  release: ReleaseAnswer;
  events: EventAnswer[];
}

export type ReviewAnswer = Omit<Review, 'release' | 'events' | 'live'> & DetailAnswer & { live?: ReleaseAnswer };

export type EndpointAnswer = Omit<Endpoint, 'createdMs' | 'live' | 'rollout'> & {
  createdAt: string;
  live?: ReleaseAnswer;
  rollout?: ReleaseAnswer;
};

export type EndpointStatusAnswer = Omit<EndpointStatus, 'endpoint' | 'history' | 'events'> & {
  endpoint: EndpointAnswer;
  history: ReleaseAnswer[];
  events: EventAnswer[];
};

export type EnvironmentAnswer = Omit<Environment, 'changedMs'> & { changedAt: string };

export interface NoteAnswer {
  tags: string[];
  note: string;
  archivedAt: string | null;
}
