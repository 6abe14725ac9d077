// What people are shown of one instance. Reads the memory of its process; changes nothing.
import { readFileSync } from 'node:fs';

import type { Member, ServedFor } from './deployment.ts';
import type { InstanceState } from './instance.ts';

export interface InstanceStatus {
  id: string;
  model: string;
  version: number;
  servedFor?: ServedFor;
  /** Absent while the process is being replaced, or not started yet. */
  pid?: number;
  state: InstanceState;
  /** Why it is not ready; empty when it is. */
  reason: string;
  device: string;
  provider: string;
  /** Of its device's memory: promised, or measured. */
  heldBytes: number;
  measured: boolean;
  threads: number;
  /** How often the process was replaced after it ended unexpectedly. */
  restarts: number;
  startedAt: string;
  rssBytes: number;
}

export function statusOf({
  id,
  deployment,
  placement,
  instance,
  bytes,
  measured,
  state,
  orderedAtMs,
}: Member): InstanceStatus {
  const { model, version } = deployment.record;
  const { servedFor } = deployment;
  const startedAt = instance?.startedAt ?? new Date(performance.timeOrigin + orderedAtMs);
  return {
    id,
    model,
    version,
    ...(servedFor && { servedFor }),
    pid: instance?.pid,
    state: state === 'ending' ? 'stopped' : (instance?.state ?? 'starting'),
    reason: instance ? instance.reason : 'It waits for its place.',
    device: placement.deviceId,
    provider: placement.provider,
    heldBytes: bytes,
    measured,
    threads: instance?.options.threads ?? 0,
    restarts: instance?.restarts ?? 0,
    startedAt: startedAt.toISOString(),
    rssBytes: residentBytes(instance?.pid),
  };
}

function residentBytes(pid: number | undefined): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
