// How much memory a version needs on a kind of device: measured once it was, estimated until then, and how far off the
// estimate turned out to be. Measures nothing and keeps nothing on disk.
import type { DeviceKind } from './device.ts';
import type { Footprint, Target } from './placement-types.ts';

export interface ModelSize {
  weightBytes: number;
  /** Inputs and outputs of one row together. */
  rowBytes: number;
}

/**
 * First guesses, each replaced by the first measurement. Runtime: the process with its libraries and, on a GPU, its
 * context. Weights: copies that the provider makes, packed or in another layout.
 */
const guesses: Record<DeviceKind, { runtimeBytes: number; weightFactor: number }> = {
  cuda: { runtimeBytes: 600e6, weightFactor: 1.3 },
  rocm: { runtimeBytes: 600e6, weightFactor: 1.3 },
  webgpu: { runtimeBytes: 300e6, weightFactor: 1.5 },
  cpu: { runtimeBytes: 30e6, weightFactor: 2 },
};

/** The values between the layers that live at once, in sizes of input and output together. */
const activationFactor = 32;

export function estimateBytes({ weightBytes, rowBytes }: ModelSize, { kind, batch }: Target): number {
  const { runtimeBytes, weightFactor } = guesses[kind];
  return Math.ceil(runtimeBytes + weightBytes * weightFactor + Math.max(1, batch) * rowBytes * activationFactor);
}

export interface KnownFootprint extends Footprint {
  estimatedBytes: number;
  /** (estimated − measured) / measured; absent until it is measured. */
  estimateError?: number;
}

export function footprintOf(version: string, target: Target, size: ModelSize, measuredBytes?: number): KnownFootprint {
  const estimatedBytes = estimateBytes(size, target);
  const { kind, provider, batch } = target;
  const base = { version, kind, provider, batch, estimatedBytes };
  if (measuredBytes === undefined) return { ...base, bytes: estimatedBytes, measured: false };
  const estimateError = (estimatedBytes - measuredBytes) / measuredBytes;
  return { ...base, bytes: measuredBytes, measured: true, estimateError };
}
