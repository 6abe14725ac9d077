// What an endpoint does now, for a person: who serves what share and how well, and what the guard says. Reads only.
import type { Notes } from '../inference/notes.ts';
import type { DataPlane } from '../inference/plane.ts';
import type { Released } from '../inference/released.ts';
import type { EndpointStatus, TrafficSide } from './control.ts';
import type { ReleaseRows } from './release-rows.ts';
import type { Rollouts } from './rollout.ts';
import { keyOf } from './traffic-plan.ts';
import type { Endpoint, Release } from './types.ts';

interface Parts {
  plane: DataPlane & { noted(key: string): Notes | undefined };
  released: Pick<Released, 'status'>;
  rows: ReleaseRows;
  rollouts: Rollouts;
}

const mostShown = 100;

export function statusOf(endpoint: Endpoint, parts: Parts): EndpointStatus {
  const { rows, rollouts } = parts;
  const { name, live, rollout } = endpoint;
  const warm = rollouts.standing.list().find((each) => each.endpoint.name === name)?.warm ?? [];
  const isShadow = rollout?.stage?.kind === 'shadow';
  const sides = [
    ...(live ? [sideOf(live, 'live', parts)] : []),
    ...(rollout ? [sideOf(rollout, isShadow ? 'shadow' : 'candidate', parts)] : []),
    ...warm.map((release) => sideOf(release, 'warm', parts)),
  ];
  const judged = rollout ?? live;
  const guard = judged && rollouts.guarding.checks(judged);
  const notes = rollout && notesOf(rollout, parts);
  return {
    endpoint,
    sides,
    ...(notes && notes.compared > 0 && { agreement: { compared: notes.compared, disagreed: notes.disagreed } }),
    ...(guard && { guard }),
    history: rows.list({ endpoint: name, limit: mostShown }),
    events: rows.eventsOf(name, mostShown),
    rollbackTargets: rollouts.rollbackTargets(name).map(({ id }) => id),
  };
}

function sideOf(release: Release, role: TrafficSide['role'], parts: Parts): TrafficSide {
  const { model, version, endpoint } = release.request;
  const { state, instances, crashes } = parts.released.status(release.id);
  const notes = notesOf(release, parts);
  const share = parts.plane.table
    .get(endpoint)
    ?.traffic?.shares.find(({ route }) => route.key === keyOf(release))?.share;
  const sorted = notes ? Array.from(notes.latencies.values).sort((a, b) => a - b) : [];
  const quantile = (part: number) => sorted[Math.ceil(part * sorted.length) - 1];
  return {
    role,
    release: release.id,
    model,
    version,
    share: share ?? 0,
    state,
    instances,
    requests: notes?.requests ?? 0,
    errors: notes?.errors ?? 0,
    nonFinite: notes?.nonFinite ?? 0,
    crashes,
    ...(sorted.length > 0 && { p50Ms: quantile(0.5), p95Ms: quantile(0.95) }),
  };
}

function notesOf(release: Release, { plane }: Parts): Notes | undefined {
  return plane.noted(keyOf(release));
}
