// What the routing table is told of endpoints, from the rows of their releases. Pure.
import type { PlacementSettings } from '../device/placement-settings.ts';
import { type EndpointPlan, keyOfRelease, type ReleasedVersion } from '../inference/released.ts';
import type { RoutingTable, VersionRoute } from '../inference/routing.ts';
import type { EndpointRow } from './release-rows.ts';
import type { Release } from './types.ts';

/** An endpoint with the releases that matter to its traffic. */
export interface EndpointReleases {
  endpoint: EndpointRow;
  live?: Release;
  rollout?: Release;
  /** Kept for going back. */
  warm: Release[];
}

export function toEndpointPlan(
  { endpoint, live, rollout, warm }: EndpointReleases,
  settingsOf: (release: Release) => PlacementSettings,
): EndpointPlan {
  const toReleased = (release: Release) => releasedVersion(release, settingsOf(release));
  const stage = rollout?.stage;
  const percent = stage?.percent ?? 0;
  const isShared = live && rollout && stage?.kind === 'step';
  const isShadow = live && rollout && stage?.kind === 'shadow';
  const shares = [
    ...(live ? [{ release: toReleased(live), share: isShared ? 1 - percent / 100 : 1 }] : []),
    ...(isShared ? [{ release: toReleased(rollout), share: percent / 100 }] : []),
  ];
  const standby = [...(rollout && !isShared && !isShadow ? [rollout] : []), ...warm].map(toReleased);
  const { stickyHeader } = (rollout ?? live)?.request.rollout ?? { stickyHeader: null };
  const trialKeys = rollout?.request.rollout.trialKeys ?? [];
  const { ratePerSecond = null } = live?.request ?? {};
  return {
    name: endpoint.name,
    environment: endpoint.environment,
    shares,
    ...(isShadow && { shadow: { release: toReleased(rollout), share: percent / 100 } }),
    standby,
    ...(stickyHeader !== null && { stickyHeader }),
    ...(trialKeys.length > 0 && { trialKeys }),
    ...(ratePerSecond !== null && { ratePerSecond }),
    ...(rollout && { beside: rollout.id }),
    stretch: stage ? `${stage.kind} ${stage.index}` : 'live',
  };
}

export function releasedVersion({ id, request }: Release, settings: PlacementSettings): ReleasedVersion {
  const { endpoint, model, version, inferenceTimeoutMs, maxQueueSize } = request;
  return { id, endpoint, model, version, settings, inferenceTimeoutMs, maxQueueSize };
}

/** Of its deployment. */
export function keyOf({ id, request: { model, version } }: Release): string {
  return keyOfRelease({ id, model, version });
}

/** Where a release is reached, with a share of the requests or without. */
export function findRoute(table: RoutingTable, release: Release): VersionRoute | undefined {
  const traffic = table.get(release.request.endpoint)?.traffic;
  const all = [...(traffic?.shares.map(({ route }) => route) ?? []), ...(traffic?.standby ?? [])];
  return all.find(({ key }) => key === keyOf(release));
}
