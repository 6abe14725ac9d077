// What the screens of going live are given: plain data, made by http/admin. Knows the rooms of the server by their types
// alone.
import type { EndpointStatus, Review, VersionNote } from '../src/release/control.ts';
import type {
  Difference,
  Endpoint,
  Environment,
  EnvironmentName,
  Evidence,
  Release,
  ReleaseState,
} from '../src/release/types.ts';
import type { Callee } from './call-examples.ts';
import type { NamedDevice, Outcome, TrafficPoint } from './machine-views.ts';
import type { FormState } from './view-types.ts';

export type * from '../src/release/control.ts';
export type * from '../src/release/types.ts';

export interface ReleasesView {
  /** Newest first. */
  rows: Release[];
  /** Those that whoever looks may decide, the oldest first; empty on further pages and when filtered. */
  waiting: Release[];
  /** Empty: any. */
  filter: { state: string; endpoint: string; environment: string };
  /** Where the next page begins; absent on the last page. */
  before?: number;
  isFirstPage: boolean;
}

export interface ReviewView {
  review: Review;
  /** Where it would run; absent when its version is gone. */
  outcome?: Outcome;
  devices: NamedDevice[];
  /** What was sent from one of the page's forms and was refused. */
  form: FormState;
  /** Whoever looks is who asked. */
  isOwn: boolean;
}

/** A model and one of its versions, to choose from. */
export interface Subject {
  model: string;
  /** Newest first. */
  versions: number[];
}

export interface ChooseView {
  subjects: Subject[];
  endpoint: string;
  environment: string;
}

export interface ReleaseFormView {
  /** Absent: a new request. */
  release?: Release;
  model: string;
  version: number;
  /** Names by which endpoints are known already, with the environment of each. */
  endpoints: { name: string; environment: EnvironmentName }[];
  environments: Environment[];
  devices: NamedDevice[];
  /** Of the version itself, SPDX. */
  modelLicence?: string;
  /** Every field has its value there. */
  form: FormState;
  /** What the fields were filled with, as JSON, to tell what a person changed. */
  basis: string;
  evidence: Evidence[];
  /** IANA name of the zone that times are entered in. */
  timeZone: string;
}

/** Beside the form: what the request would come to as it stands. */
export interface ReleasePreviewView {
  outcome: Outcome;
  /** What it would take the place of. */
  live?: { model: string; version: number };
  differences: Difference[];
}

export interface EndpointsView {
  rows: { endpoint: Endpoint; now?: TrafficPoint }[];
}

export interface EndpointView {
  status: EndpointStatus;
  /** Of each side but the warm one, in their order. */
  histories: { label: string; points: TrafficPoint[] }[];
  /** Of the charts: when other versions are in them, the live stream sends them anew. */
  seen: string;
  /** Absent while nothing is live. */
  callee?: Callee;
  /** Address of this server in the network, for the names of hosts. */
  address: string;
  /** Why what was asked for was not done. */
  problem?: string;
}

export interface EnvironmentsView {
  environments: { environment: Environment; freezes: FreezeTimes[]; endpoints: number; instances: number }[];
  devices: NamedDevice[];
}

/** When a freeze begins next; `now` while it lasts. Absent: never, or not known. */
export interface FreezeTimes {
  nextMs?: number;
  untilMs?: number;
}

export interface EnvironmentFormView {
  environment: Environment;
  form: FormState;
  devices: NamedDevice[];
  freezes: FreezeTimes[];
  /** Somebody else saved in between. */
  isStale?: boolean;
}

export interface CompareView {
  subjects: Subject[];
  a?: { model: string; version: number };
  b?: { model: string; version: number };
  differences?: Difference[];
  problem?: string;
}

/** What people say of a version beside its manifest, and where it is live. */
export interface VersionStanding {
  note: VersionNote;
  releases: Release[];
  form: FormState;
}

/** Which of a model's versions endpoints serve. */
export interface ServedBy {
  endpoint: string;
  environment: EnvironmentName;
  version: number;
  state: ReleaseState;
}
