// What people are shown of placement: what is held where and why, and what a plan would do. Types only.
import type { KnownFootprint } from './footprint.ts';
import type { Account } from './ledger.ts';
import type { Plan } from './placement-types.ts';

export interface PlacementPreview {
  model: string;
  version: number;
  /** Best first. */
  ways: Omit<KnownFootprint, 'version'>[];
  /** Better ways that cannot be taken. */
  passedOver: { kind: string; provider: string; reason: string }[];
  placements: Plan['placements'];
  evictions: Plan['evictions'];
  refusals: Plan['refusals'];
}

/** An instance that holds memory of a device, or was promised some. */
export interface InstanceHolding {
  instance: string;
  model: string;
  version: number;
  deviceId: string;
  provider: string;
  bytes: number;
  /** false: estimated. */
  measured: boolean;
  /** Requests and loads in flight. */
  leases: number;
  /** ISO 8601; absent: not used yet. */
  lastUsedAt?: string;
  /** It is never evicted. */
  pinned: boolean;
}

/** A version that is to answer, with or without instances. */
export interface VersionPlacement {
  model: string;
  version: number;
  /** The endpoint and the release that it answers for; absent: it was not released. */
  servedFor?: { endpoint: string; release: number };
  state: 'cold' | 'starting' | 'ready' | 'failed';
  instances: number;
  /** How many it should have now. */
  wanted: number;
  minInstances: number;
  maxInstances: number;
  /** Why it has none, or fewer than wanted. */
  reason?: string;
}

export interface PlacementOverview {
  accounts: Account[];
  holdings: InstanceHolding[];
  versions: VersionPlacement[];
}
