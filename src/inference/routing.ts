// What the control side publishes and a data plane works from: which versions exist, which one answers, and where
// their instances listen. Plain data, so that it can travel to data planes in other processes.
import type { ServingSettings, Signature } from '../types.ts';

export interface InstanceAddress {
  id: string;
  /** Unix socket of the runner. */
  socketPath: string;
  device: string;
  /** Execution provider, e.g. "cpu". */
  provider: string;
}

/**
 * starting: no instance yet, or all are being replaced; requests wait. cold: none, and the first request has one started.
 * failed: given up; requests are refused.
 */
export type VersionState = 'cold' | 'starting' | 'ready' | 'unloading' | 'failed';

export interface VersionRoute {
  /** Names the deployment that it leads to: one version may have several, each with instances of its own. */
  key: string;
  /** Name that callers use: an endpoint's, or the model's own. */
  model: string;
  version: number;
  /** The model's name in the registry. */
  registered: string;
  signature: Signature;
  serving: ServingSettings;
  /** Class names, for the classification extension. */
  labels?: string[];
  state: VersionState;
  /** Why it is not ready; empty when it is. */
  reason: string;
  /** How long a start takes, as far as that is known. */
  loadMs?: number;
  instances: InstanceAddress[];
  /** Longest time that a request may take when it names no timeout itself; absent: the appliance's. */
  timeoutMs?: number;
  /** While somebody compares it with another: notes are taken of each request. Another id starts them anew, another
   * stretch only what depends on the split of traffic. */
  watch?: { id: string; stretch: string };
  /** Key of the deployment that answers instead when this one cannot: for one that is on trial. */
  fallback?: string;
  /** Gets a share (0…1) of its requests too; the answers are compared and thrown away. */
  shadow?: { key: string; share: number };
}

/** How the requests of an endpoint are dealt out. */
export interface Traffic {
  environment: string;
  /** The stable one first; shares add up to 1. Empty: nothing is live. */
  shares: { route: VersionRoute; share: number }[];
  /** Ready, but without requests of their own: on trial in the shadow, or kept for going back. */
  standby: VersionRoute[];
  /** Requests with the same value of this header reach the same version. */
  stickyHeader?: string;
  /** Names of API keys whose requests always reach the one that is on trial. */
  trialKeys?: string[];
  /** Of all callers together; absent: no limit. */
  ratePerSecond?: number;
}

export interface ModelRoute {
  name: string;
  /** Version that answers when a client names none; null: none. */
  current: number | null;
  /** Every version that exists, ascending, loaded or not. */
  existing: number[];
  /** The loaded ones. */
  versions: Map<number, VersionRoute>;
  /** Of an endpoint of this name; absent: there is none, and its versions are there to be tried alone. */
  traffic?: Traffic;
}

export type RoutingTable = Map<string, ModelRoute>;
