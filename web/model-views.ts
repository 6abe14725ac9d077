// What the screens of models are given: plain data, made by http/admin. Knows the rooms of the server by their types alone.
import type { VersionState } from '../src/inference/routing.ts';
import type { TableColumn, TaskName, TensorSpec, VersionRecord } from '../src/types.ts';
import type { DecisionRow, InstanceRow, Outcome, TrafficPoint } from './machine-views.ts';
import type { Retention, ServedBy, VersionNote, VersionStanding } from './release-views.ts';
import type { FormState, Page } from './view-types.ts';

export type ModelState = VersionState | 'unloaded';

export interface ModelRow {
  name: string;
  current: number | null;
  versions: number;
  state: ModelState;
  task: TaskName;
  bytes: number;
  licence?: string;
  /** Of the last moments; absent while nothing of it is loaded. */
  requestsPerSecond?: number;
  /** Names of the devices that it has instances on. */
  devices: string[];
}

export interface ModelsView {
  models: ModelRow[];
  search: string;
  page: Page;
  /** There is not a single model. */
  isEmpty: boolean;
}

/** What stands above each page of one model. */
export interface ModelHead {
  name: string;
  state: ModelState;
  current: number | null;
  versions: number;
}

export interface VersionView extends VersionRecord {
  state: ModelState;
  /** Why it is not ready. */
  reason?: string;
}

export interface TrafficView {
  /** Of the last moments. */
  now: TrafficPoint;
  /** Oldest first. */
  history: TrafficPoint[];
  totals: TrafficTotals;
}

/** Since it was loaded. */
export interface TrafficTotals {
  /** Of whole requests. */
  p50Ms?: number;
  p95Ms?: number;
  answered: number;
  failed: number;
}

export interface ModelView {
  head: ModelHead;
  /** Where clients call it, e.g. "http://gpu-box:8700". */
  origin: string;
  /** The current version, or the newest. */
  shown: VersionView;
  traffic?: TrafficView;
  instances: InstanceRow[];
  /** What a start would do. */
  outcome: Outcome;
  /** What went wrong last, unless it went well afterwards. */
  trouble?: { atMs: number; text: string };
  /** Endpoints that serve one of its versions. */
  served: ServedBy[];
}

export interface VersionsView {
  head: ModelHead;
  /** Newest first. */
  versions: (VersionView & { note: VersionNote })[];
  served: ServedBy[];
  retention: Retention;
  form: FormState;
}

export interface VersionPageView {
  head: ModelHead;
  version: VersionView;
  /** What a start would do. */
  outcome: Outcome;
  /** It was imported just now. */
  isNew: boolean;
  /** Why it could not be loaded or removed. */
  problem?: string;
  standing: VersionStanding;
}

export interface CallView {
  head: ModelHead;
  origin: string;
  shown: VersionView;
}

export interface LogView {
  head: ModelHead;
  logs: { instance: InstanceRow; lines: readonly string[] }[];
  /** Newest first. */
  decisions: DecisionRow[];
}

export interface UploadView {
  form: FormState;
  /** What an address may be that the server fetches a model from; absent where it may be none. */
  from?: 'url' | 'path' | 'both';
  /** What the form was filled with is only a guess, read off these. */
  proposal?: { task: TaskName; input: TensorSpec; output: TensorSpec };
  /** Models that there are already: another version is added to one of these. */
  known: string[];
}

export interface DeriveView {
  head: ModelHead;
  /** Whose files the next one has. */
  version: VersionView;
  form: FormState;
}

export interface TemplatesView {
  templates: {
    name: string;
    title: string;
    description: string;
    licence: string;
    task: TaskName;
    suggestion: string;
  }[];
  /** What was sent for the template of this name. */
  tried?: { template: string; form: FormState };
}

export interface TryView {
  head: ModelHead;
  version: number;
  versions: number[];
  /** Of the version. */
  state: ModelState;
  task: TaskName;
  /** Of a model that takes rows. */
  columns?: TableColumn[];
  inputs: TensorSpec[];
}
