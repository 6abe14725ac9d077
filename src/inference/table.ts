// The routing table, made from what there is: models with their loaded versions, and endpoints with what they serve.
import type { VersionRecord } from '../types.ts';
import { type Deployment, keyOf, routeOf, toRoute } from './deployment.ts';
import { type EndpointPlan, keyOfRelease, type Released, type ReleasedVersion, withQueue } from './released.ts';
import type { ModelRoute, RoutingTable, Traffic, VersionRoute } from './routing.ts';

export interface TableParts {
  models: readonly { name: string; versions: number[]; current: number | null }[];
  /** Loaded to be tried, by "model:version". */
  deployments: ReadonlyMap<string, Deployment>;
  /** Keys of those that will be there in a moment. */
  restoring: ReadonlySet<string>;
  endpoints: readonly EndpointPlan[];
  released: Pick<Released, 'find' | 'failureOf'>;
  /** @throws AppError not_found */
  getVersion(model: string, version: number): VersionRecord;
}

const justStarted = 'The server has just started.';

export function makeTable(parts: TableParts): RoutingTable {
  const table: RoutingTable = new Map();
  for (const model of parts.models) table.set(model.name, modelRoute(model, parts));
  for (const endpoint of parts.endpoints) {
    const { name } = endpoint;
    table.set(name, withTraffic(table.get(name) ?? emptyRoute(name), trafficOf(endpoint, parts)));
  }
  return table;
}

function modelRoute({ name, versions, current }: TableParts['models'][number], parts: TableParts): ModelRoute {
  const model: ModelRoute = { ...emptyRoute(name), current, existing: versions };
  for (const version of versions) {
    const key = keyOf({ model: name, version });
    const deployment = parts.deployments.get(key);
    if (deployment) model.versions.set(version, toRoute(deployment));
    else if (parts.restoring.has(key)) {
      const route = routeOf(parts.getVersion(name, version), key);
      model.versions.set(version, { ...route, state: 'starting', reason: justStarted });
    }
  }
  return model;
}

function emptyRoute(name: string): ModelRoute {
  return { name, current: null, existing: [], versions: new Map() };
}

/** What the endpoint serves goes before what is there to be tried under the same name. */
function withTraffic(model: ModelRoute, traffic: Traffic): ModelRoute {
  const versions = new Map(model.versions);
  // Backwards, so that of two releases of one version the stable one is named.
  for (const { route } of traffic.shares.toReversed()) versions.set(route.version, route);
  const served = traffic.shares.map(({ route }) => route.version);
  // What is loaded to be tried under the same number is still there, for those who know it by its key.
  const hidden = [...model.versions.values()].filter(({ version }) => served.includes(version));
  const existing = [...new Set([...model.existing, ...served])].sort((a, b) => a - b);
  return {
    ...model,
    current: served[0] ?? null,
    existing,
    versions,
    traffic: { ...traffic, standby: [...traffic.standby, ...hidden] },
  };
}

function trafficOf(plan: EndpointPlan, parts: TableParts): Traffic {
  const { environment, stickyHeader, trialKeys, ratePerSecond } = plan;
  const [stable] = plan.shares;
  const routeFor = (release: ReleasedVersion, own: Partial<VersionRoute> = {}) =>
    releasedRoute(plan, release, own, parts);
  const shadow = plan.shadow && { key: keyOfRelease(plan.shadow.release), share: plan.shadow.share };
  const onTrial = (release: ReleasedVersion) => ({ id: `trial of ${release.id}`, stretch: plan.stretch });
  // A rollout compares with what the stable one does meanwhile, not with what it did long ago.
  const watched = (release: ReleasedVersion) => ({ id: `${release.id} ${plan.beside ?? ''}`, stretch: plan.stretch });
  const shares = plan.shares.map(({ release, share }, i) => ({
    share,
    route:
      i === 0
        ? routeFor(release, { watch: watched(release), ...(shadow && { shadow }) })
        : routeFor(release, { watch: onTrial(release), fallback: keyOfRelease(stable!.release) }),
  }));
  const shadowed = plan.shadow ? [routeFor(plan.shadow.release, { watch: onTrial(plan.shadow.release) })] : [];
  const standby = [...shadowed, ...plan.standby.map((release) => routeFor(release))];
  return {
    environment,
    shares,
    standby,
    ...(stickyHeader !== undefined && { stickyHeader }),
    ...(trialKeys && { trialKeys }),
    ...(ratePerSecond !== undefined && { ratePerSecond }),
  };
}

function releasedRoute(
  { name }: EndpointPlan,
  release: ReleasedVersion,
  own: Partial<VersionRoute>,
  { released, getVersion }: TableParts,
): VersionRoute {
  const deployment = released.find(release.id);
  const failure = released.failureOf(release.id);
  const route: VersionRoute = deployment
    ? toRoute(deployment)
    : {
        ...routeOf(withQueue(getVersion(release.model, release.version), release.maxQueueSize), keyOfRelease(release)),
        state: failure === undefined ? 'starting' : 'failed',
        reason: failure ?? justStarted,
      };
  return {
    ...route,
    model: name,
    timeoutMs: release.inferenceTimeoutMs,
    ...own,
  };
}
