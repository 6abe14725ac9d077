// What of releases a person should look at: those that wait for a decision, rollouts on their way, and what was taken off
// or never answered and has had no successor since.
import type { Attention } from '../../../web/machine-views.ts';
import { type Actor, mayDo } from '../../access/actor.ts';
import type { Release } from '../../release/types.ts';
import type { Control } from '../api/control.ts';
import { waitingFor } from './releases.ts';

/** For so long what went wrong is told of. */
const recentMs = 24 * 3_600_000;
const most = 5;

type ReleaseAttention = Extract<Attention, { kind: `release-${string}` }>;

/** Worst first. @param actor who looks: what is not that one's to decide is left out */
export function releaseAttention(control: Control, actor: Actor, nowMs: number): ReleaseAttention[] {
  if (!mayDo(actor, 'release.read')) return [];
  const { release } = control;
  const told = (kind: ReleaseAttention['kind'], found: Release[]): ReleaseAttention[] =>
    found.slice(0, most).map(({ id, request, requester, reason, stage }) => ({
      kind,
      id,
      endpoint: request.endpoint,
      environment: request.environment,
      version: `${request.model}:${request.version}`,
      who: requester.name,
      reason,
      share: stage?.kind === 'step' ? stage.percent / 100 : 0,
    }));
  const isOwn = ({ requester }: Release) => actor.kind === 'user' && requester.id === actor.id;
  return [
    ...told('release-off', troubled(control, nowMs)),
    ...told('release-waiting', waitingFor(control, actor)),
    ...told('release-changes', release.releases({ state: 'changes-asked', limit: 50 }).filter(isOwn)),
    ...told('release-rolling', release.releases({ state: 'rolling-out', limit: most })),
  ];
}

/** Taken off by the guard, or never answered. */
function troubled({ release }: Control, nowMs: number): Release[] {
  const ended = [
    ...release.releases({ state: 'rolled-back', limit: 20 }),
    ...release.releases({ state: 'failed', limit: 20 }),
  ].filter(({ endedMs, changedMs }) => nowMs - (endedMs ?? changedMs) < recentMs);
  if (ended.length === 0) return [];
  const endpoints = new Map(release.endpoints().map((endpoint) => [endpoint.name, endpoint]));
  return ended.filter(({ id, state, request }) => {
    const endpoint = endpoints.get(request.endpoint);
    if (!endpoint) return state === 'failed';
    const isFollowed = Math.max(endpoint.live?.id ?? 0, endpoint.rollout?.id ?? 0) > id;
    if (isFollowed || state === 'failed') return !isFollowed;
    // What a person rolled back is known to somebody.
    return release.endpoint(endpoint.name).events.some((event) => event.release === id && event.kind === 'guard');
  });
}
