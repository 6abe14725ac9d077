// What the control side publishes and a data plane works from: which versions exist, which one answers, and where
// their instances listen. Plain data, so that it can travel to data planes in other processes.
import type { ServingSettings, Signature } from '../types.ts';

export interface InstanceAddress {
  id: string;
  /** Unix socket of the runner. */
  socketPath: string;
  device: string;
}

/**
 * starting: no instance yet, or all are being replaced; requests wait. cold: none, and the first request has one started.
 * failed: given up; requests are refused.
 */
export type VersionState = 'cold' | 'starting' | 'ready' | 'unloading' | 'failed';

export interface VersionRoute {
  model: string;
  version: number;
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
}

export interface ModelRoute {
  name: string;
  /** Version that answers when a client names none; null: none. */
  current: number | null;
  /** Every version that exists, ascending, loaded or not. */
  existing: number[];
  /** The loaded ones. */
  versions: Map<number, VersionRoute>;
}

export type RoutingTable = Map<string, ModelRoute>;
