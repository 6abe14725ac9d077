// Endpoints as they stand: with the releases that matter to their traffic, and the settings that hold for them. Reads only.
import { AppError } from '../error.ts';
import type { ReleasedVersion } from '../inference/released.ts';
import type { Environments } from './environments.ts';
import type { ReleaseRows } from './release-rows.ts';
import { type EndpointReleases, releasedVersion, type toEndpointPlan } from './traffic-plan.ts';
import type { EnvironmentSettings, Release } from './types.ts';

export interface StandingParts {
  rows: ReleaseRows;
  environments: Environments;
  settingsOf: Parameters<typeof toEndpointPlan>[1];
}

export class EndpointStanding {
  constructor(private readonly parts: StandingParts) {}

  list(): EndpointReleases[] {
    const { rows } = this.parts;
    const active = rows.inState('live', 'rolling-out');
    const warm = rows.warm().filter(({ state }) => state !== 'live' && state !== 'rolling-out');
    return rows.endpoints().map((endpoint) => {
      const own = active.filter(({ request }) => request.endpoint === endpoint.name);
      return {
        endpoint,
        live: own.find(({ state }) => state === 'live'),
        rollout: own.find(({ state }) => state === 'rolling-out'),
        warm: warm.filter(({ request }) => request.endpoint === endpoint.name),
      };
    });
  }

  /** @throws AppError not_found */
  get(name: string): EndpointReleases {
    const found = this.list().find(({ endpoint }) => endpoint.name === name);
    if (found) return found;
    throw new AppError('not_found', `There is no endpoint '${name}'.`, 'List the endpoints to see what there is.');
  }

  environmentOf({ request }: Release): EnvironmentSettings {
    return this.parts.environments.get(request.environment).settings;
  }

  toReleased(release: Release): ReleasedVersion {
    return releasedVersion(release, this.parts.settingsOf(release));
  }
}
