// How many instances a version should have, from how long its requests wait and how busy its instances are. Pure: told the
// time and what was counted, remembers only what it is given back.

export interface ScaleSample {
  nowMs: number;
  /** Ready or starting. */
  instances: number;
  minInstances: number;
  maxInstances: number;
  /** How long the request that waits longest has waited. */
  oldestWaitMs: number;
  /** Nanoseconds that the instances computed since the start, together. */
  busyNs: number;
}

/** Between two samples of one version. */
export interface ScaleMemory {
  /** Since when requests have waited too long; since when one instance less would do. */
  strainedSinceMs?: number;
  idleSinceMs?: number;
  changedMs: number;
  busyNs: number;
  sampledMs: number;
}

export interface ScaleRules {
  /** Requests that wait longer are a sign that instances are missing. */
  targetWaitMs: number;
  /** For so long before one is added. */
  upAfterMs: number;
  /** For so long before one is taken away: much longer, because a start costs more than an idle instance. */
  downAfterMs: number;
  /** Pause after a change: its effect must show first. */
  restMs: number;
}

export const defaultScaleRules: ScaleRules = {
  targetWaitMs: 100,
  upAfterMs: 3000,
  downAfterMs: 120_000,
  restMs: 10_000,
};

/** The others must not be busier than this once one is taken away. */
const calmShare = 0.5;

export interface ScaleAdvice {
  instances: number;
  /** Absent when nothing changes. */
  reason?: string;
  memory: ScaleMemory;
}

/** @param before undefined for the first sample of a version */
export function adviseScale(
  sample: ScaleSample,
  before: ScaleMemory | undefined,
  rules = defaultScaleRules,
): ScaleAdvice {
  const { nowMs, instances, minInstances, maxInstances, oldestWaitMs, busyNs } = sample;
  const memory: ScaleMemory = {
    ...(before ?? { changedMs: -Infinity }),
    busyNs,
    sampledMs: nowMs,
  };
  const passedNs = before ? (nowMs - before.sampledMs) * 1e6 : 0;
  const busyInstances = before && passedNs > 0 ? Math.max(0, busyNs - before.busyNs) / passedNs : instances;
  const isStrained = oldestWaitMs > rules.targetWaitMs;
  const isCalm = !isStrained && instances > 1 && busyInstances <= (instances - 1) * calmShare;
  memory.strainedSinceMs = isStrained ? (before?.strainedSinceMs ?? nowMs) : undefined;
  memory.idleSinceMs = isCalm ? (before?.idleSinceMs ?? nowMs) : undefined;

  const stay = { instances, memory };
  if (instances === 0 || nowMs - memory.changedMs < rules.restMs) return stay;
  const change = (to: number, reason: string): ScaleAdvice => ({
    instances: to,
    reason,
    memory: { ...memory, changedMs: nowMs, strainedSinceMs: undefined, idleSinceMs: undefined },
  });
  if (
    memory.strainedSinceMs !== undefined &&
    instances < maxInstances &&
    nowMs - memory.strainedSinceMs >= rules.upAfterMs
  ) {
    return change(instances + 1, `requests have waited ${Math.round(oldestWaitMs)} ms`);
  }
  if (
    memory.idleSinceMs !== undefined &&
    instances > Math.max(1, minInstances) &&
    nowMs - memory.idleSinceMs >= rules.downAfterMs
  ) {
    const percent = Math.round((busyInstances / instances) * 100);
    return change(instances - 1, `its ${instances} instances were ${percent} % busy`);
  }
  return stay;
}
