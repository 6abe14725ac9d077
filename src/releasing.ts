// Ties the release room to the rooms that it works with: registry, fleet, data plane, users.
import type { Database } from 'bun:sqlite';
import { hostname } from 'node:os';

import type { Access } from './access/access.ts';
import type { Config } from './config.ts';
import { defaultPlacement } from './device/placement-settings.ts';
import { openDeployment } from './inference/deployment.ts';
import type { Gateway } from './inference/gateway.ts';
import type { Supervisor } from './inference/supervisor.ts';
import type { Notifier } from './notify/notifier.ts';
import { type Placing, previewOf } from './placing.ts';
import type { Registry } from './registry/registry.ts';
import { openReleases, type Releases } from './release/releases.ts';
import { parseListen } from './setting-text.ts';

export interface ReleasingParts {
  config: Config;
  db: Database;
  registry: Registry;
  access: Access;
  gateway: Gateway;
  supervisor: Supervisor;
  placing: Placing;
  notifier: Pick<Notifier, 'post'>;
}

export function createReleases(parts: ReleasingParts): Releases {
  const { config, db, registry, access, gateway, supervisor, placing, notifier } = parts;
  const ownHosts = new Set([
    'localhost',
    hostname().toLowerCase(),
    parseListen(config.listen).hostname.toLowerCase(),
    URL.parse(config.publicUrl)?.hostname ?? '',
  ]);
  const releases: Releases = openReleases({
    db,
    plane: gateway,
    released: supervisor.released,
    publish: () => supervisor.publish(),
    endpointDomain: config.endpointDomain,
    isOwnHost: (host) => ownHosts.has(host),
    getVersion: (model, version) => registry.getVersion(model, version),
    versionsOf: (model) => registry.getModel(model).versions,
    isInUse: (model, version) =>
      registry.getModel(model).current === version ||
      registry.listLoaded().some((loaded) => loaded.name === model && loaded.version === version),
    removeVersion: (model, version) =>
      supervisor.change(model, () => {
        // It may have been asked for since it was found to be old.
        releases.requireRemovable(model, version);
        return registry.removeVersion(model, version);
      }),
    routeToTry: (model, version) => supervisor.routeToTry(model, version),
    baseSettings: (model) => placing.store.find(model) ?? defaultPlacement,
    measured: (record) => placing.measured(record),
    preview(record, settings) {
      const key = `${record.model}:${record.version}@preview`;
      return previewOf(supervisor, openDeployment(record, '', '', { key, settings }), settings);
    },
    people: () => access.users.list(),
    post: (news) => notifier.post(news),
  });
  return releases;
}
