// Going live: keeps what control.ts promises. Ties rows, rules, rollouts and news together; each of those is in a file of
// its own.
import type { Database } from 'bun:sqlite';

import type { UserRole } from '../access/roles.ts';
import type { PlacementSettings } from '../device/placement-settings.ts';
import { AppError } from '../error.ts';
import type { VersionRoute } from '../inference/routing.ts';
import type { EndpointStatus, ReleaseControl, Review } from './control.ts';
import { compareVersions } from './differences.ts';
import { statusOf } from './endpoint-status.ts';
import { Environments } from './environments.ts';
import { hostsOf, labelOf } from './hosts.ts';
import { loadTest } from './load-test.ts';
import { type By, ReleaseRows } from './release-rows.ts';
import { createRequests } from './requests.ts';
import { gather, type ReviewingParts } from './reviewing.ts';
import { type RolloutParts, Rollouts } from './rollout.ts';
import { isOver } from './states.ts';
import { newsOf, type ReleaseNews } from './telling.ts';
import type { Endpoint, Environment, EnvironmentName, Release, ReleaseEvent } from './types.ts';
import { pickRemovable, VersionNotes } from './version-notes.ts';
import { authorsOf, byOf, mayNow } from './who.ts';

export interface ReleasesParts extends Pick<RolloutParts, 'released' | 'plane' | 'publish'> {
  db: Database;
  /** Wildcard: "models.corp.lan" gives each endpoint the host "NAME.models.corp.lan"; "": none. */
  endpointDomain: string;
  /** Whether a host name is the server's own. */
  isOwnHost(host: string): boolean;
  getVersion: ReviewingParts['getVersion'];
  measured: ReviewingParts['measured'];
  preview: ReviewingParts['preview'];
  /** Versions of a model, ascending. @throws AppError not_found */
  versionsOf(model: string): number[];
  /** Loaded, or current. */
  isInUse(model: string, version: number): boolean;
  removeVersion(model: string, version: number): Promise<void>;
  /** Of the version as it is loaded to be tried. @throws AppError unavailable, not_found */
  routeToTry(model: string, version: number): VersionRoute;
  /** What the model's owner wished of where it runs. */
  baseSettings(model: string): PlacementSettings;
  people(): { id: string; role: UserRole; isDisabled: boolean }[];
  post(news: ReleaseNews): void;
  now?: () => number;
  tickMs?: number;
}

export interface Releases extends ReleaseControl {
  rollouts: Rollouts;
  /** Endpoint of a host name, without port and in lower case. */
  endpointOfHost(host: string): string | undefined;
  /** Whether any endpoint has a host name. */
  hasHosts(): boolean;
  /** @throws AppError conflict for a version that a release serves or may serve again soon */
  requireRemovable(model: string, version: number): void;
  /** Removes what the model's retention says is not to be kept. @returns removed versions */
  retain(model: string): Promise<number[]>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

const usualTickMs = 500;

export function openReleases(parts: ReleasesParts): Releases {
  const { db, plane, now = Date.now } = parts;
  const rows = new ReleaseRows(db, now);
  const environments = new Environments(db, now);
  const notes = new VersionNotes(db, now);
  environments.seed();

  const settingsOf = ({ request, state }: Release): PlacementSettings => {
    const { deviceClass: _, deviceIds: __, ...base } = parts.baseSettings(request.model);
    const deviceIds = request.deviceIds ?? environments.get(request.environment).settings.deviceIds;
    // What is only kept for going back makes room for what serves.
    const minInstances = isOver(state) ? 0 : request.minInstances;
    const { maxInstances } = request;
    return { ...base, minInstances, maxInstances, ...(deviceIds && { deviceIds }) };
  };

  function tell(release: Release, kind: ReleaseEvent['kind'], by: By, text: string): void {
    const people = parts.people().filter(({ isDisabled }) => !isDisabled);
    const news = newsOf(release, kind, by, text, { people, earlier: rows.events(release.id) });
    if (news) parts.post(news);
  }

  let hosts: Map<string, string> | undefined;
  const publish = () => {
    hosts = undefined;
    parts.publish();
  };
  const endpointHosts = () => (hosts ??= hostsOf(rows.endpoints(), parts.endpointDomain, parts.isOwnHost));
  const hasVersion = (model: string, version: number) => {
    try {
      return parts.versionsOf(model).includes(version);
    } catch {
      return false;
    }
  };
  const rollouts = new Rollouts({ ...parts, publish, rows, environments, settingsOf, tell, now, hasVersion });
  const reviewing: ReviewingParts = {
    ...parts,
    rows,
    environments,
    notes,
    settingsOf,
    findTaken({ endpoint, domain }) {
      const wildcard = parts.endpointDomain && `${labelOf(endpoint)}.${parts.endpointDomain}`;
      // Also those that will have it once they are live.
      const coming = rows.inState('approved', 'rolling-out').map(({ request }) => request);
      const ownerOf = (host: string) =>
        parts.isOwnHost(host)
          ? ''
          : (endpointHosts().get(host) ?? coming.find((each) => each.domain === host)?.endpoint ?? endpoint);
      return [domain, wildcard]
        .filter(Boolean)
        .map((host) => ({ host, endpoint: ownerOf(host) }))
        .find((each) => each.endpoint !== endpoint);
    },
  };
  let timer: Timer | undefined;
  let isTesting = false;

  const endpoints = (): Endpoint[] =>
    rollouts.standing.list().map(({ endpoint, live, rollout }) => ({
      name: endpoint.name,
      environment: endpoint.environment,
      hosts: [...endpointHosts()].filter(([, name]) => name === endpoint.name).map(([host]) => host),
      createdMs: endpoint.created_ms,
      createdBy: endpoint.created_by,
      ...(live && { live }),
      ...(rollout && { rollout }),
    }));

  async function retain(model: string): Promise<number[]> {
    const removed = pickRemovable(parts.versionsOf(model), notes.retention(model), {
      isNeeded: (version) => rows.isNeeded(model, version) || parts.isInUse(model, version),
      wasLive: (version) => rows.wasLive(model, version),
    });
    const gone: number[] = [];
    for (const version of removed) {
      try {
        await parts.removeVersion(model, version);
        gone.push(version);
      } catch (error) {
        // It was taken into use since.
        if (!(error instanceof AppError && error.code === 'conflict')) throw error;
      }
    }
    return gone;
  }

  return {
    rollouts,
    endpointOfHost: (host) => endpointHosts().get(host),
    hasHosts: () => endpointHosts().size > 0,
    requireRemovable(model, version) {
      if (!rows.isNeeded(model, version)) return;
      throw new AppError(
        'conflict',
        `Version ${version} of '${model}' is part of a release.`,
        'Withdraw or replace the release first; one that was replaced keeps its version until its instances end.',
      );
    },
    retain,
    async restore() {
      const restored = rollouts.restore();
      // Not after it: one that is slow to start must not keep the guard from looking at the others.
      timer = setInterval(() => rollouts.tick(), parts.tickMs ?? usualTickMs);
      await restored;
    },
    async close() {
      clearInterval(timer);
      await rollouts.close();
    },

    environments: () => environments.list(),
    setEnvironment: (actor, name, patch, revision): Environment =>
      environments.set(name, patch, byOf(actor).name, revision),

    endpoints,
    endpoint(name): EndpointStatus {
      const endpoint = endpoints().find((each) => each.name === name);
      if (!endpoint) throw new AppError('not_found', `There is no endpoint '${name}'.`, 'List the endpoints.');
      return statusOf(endpoint, { ...parts, rows, rollouts });
    },
    async removeEndpoint(actor, name) {
      if (!rows.findEndpoint(name)) throw new AppError('not_found', `There is no endpoint '${name}'.`);
      await rollouts.empty(name, byOf(actor));
    },

    traffic: () =>
      rollouts.plans().flatMap(({ name, environment, shares }) =>
        shares.map(({ release: { id, model, version }, share }) => {
          return { endpoint: name, environment: environment as EnvironmentName, release: id, model, version, share };
        }),
      ),
    counts: () => ({ states: rows.countStates(), takenBack: rows.countTakenBack() }),

    releases: (filter) => rows.list(filter),
    waiting: () => rows.count('submitted'),
    get: (id) => rows.get(id),
    events: (id) => rows.events(rows.get(id).id),
    ...createRequests({ ...parts, rows, environments, reviewing, rollouts, publish, tell, now }),
    async review(actor, id): Promise<Review> {
      const release = rows.get(id);
      const { settings } = environments.get(release.request.environment);
      const gathered = await gather(release, reviewing);
      const events = rows.events(id);
      return { release, events, ...gathered, may: mayNow(actor, release, authorsOf(release, events), settings) };
    },
    rollback: (actor, endpoint, { to, reason = '' } = {}) =>
      rollouts.rollBack(endpoint, byOf(actor), reason.trim() || `${byOf(actor).name} rolled it back.`, to),
    async advance(actor, id, { sinceMs } = {}) {
      await rollouts.advance(rows.get(id), byOf(actor), sinceMs);
      return rows.get(id);
    },
    async loadTest(_actor, { model, version, seconds, connections }, signal) {
      if (isTesting) throw new AppError('conflict', 'Another load test is under way.', 'Two would measure each other.');
      isTesting = true;
      try {
        return await loadTest(plane, parts.routeToTry(model, version), { seconds, connections }, signal);
      } finally {
        isTesting = false;
      }
    },

    compare(a, b) {
      const [left, right] = [parts.getVersion(a.model, a.version), parts.getVersion(b.model, b.version)];
      return compareVersions(left, right, { a: parts.measured(left), b: parts.measured(right) });
    },
    versionNote(model, version) {
      parts.getVersion(model, version);
      return notes.get(model, version);
    },
    setVersionNote(actor, model, version, patch) {
      parts.getVersion(model, version);
      return notes.set(model, version, patch, byOf(actor).name);
    },
    retention(model) {
      parts.versionsOf(model);
      return notes.retention(model);
    },
    async setRetention(actor, model, patch) {
      parts.versionsOf(model);
      const retention = notes.setRetention(model, patch, byOf(actor).name);
      return { retention, removed: await retain(model) };
    },
  };
}
