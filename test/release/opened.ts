// Releases over real runner processes, without registry and HTTP: whoever is needed is there, and time runs faster where a
// test says so.
import type { Actor } from '../../src/access/actor.ts';
import type { UserRole } from '../../src/access/roles.ts';
import { openDatabase } from '../../src/db/open.ts';
import { defaultPlacement } from '../../src/device/placement-settings.ts';
import type { AppError } from '../../src/error.ts';
import { startCount } from '../../src/inference/deployment.ts';
import { openReleases, type Releases } from '../../src/release/releases.ts';
import { isOver } from '../../src/release/states.ts';
import type { ReleaseNews } from '../../src/release/telling.ts';
import type { Release, ReleaseState } from '../../src/release/types.ts';
import { until } from '../support/machine.ts';
import { floatTensor, type GivenVersion, openServing, readFloats } from '../support/serving.ts';

export const person = (name: string, role: UserRole): Actor => ({ kind: 'user', id: `id-${name}`, name, role });
export const olga = person('olga', 'owner');
export const rita = person('rita', 'reviewer');
export const adam = person('adam', 'administrator');
export const vera = person('vera', 'viewer');
export const everybody = [olga, rita, adam, vera];

export interface OpenOptions {
  devices?: Parameters<typeof openServing>[1] extends infer T ? (T extends { devices?: infer D } ? D : never) : never;
  db?: ReturnType<typeof openDatabase>;
  now?: () => number;
  endpointDomain?: string;
  /** Versions that are not loaded, by model; all of them otherwise. */
  isInUse?: (model: string, version: number) => boolean;
}

export async function openReleasing(models: Record<string, GivenVersion[]>, options: OpenOptions = {}) {
  const db = options.db ?? openDatabase(':memory:');
  const news: ReleaseNews[] = [];
  const removed: string[] = [];
  const releases: { current?: Releases } = {};
  const serving = await openServing(models, {
    ...(options.devices && { devices: options.devices }),
    endpoints: () => releases.current?.rollouts.plans() ?? [],
  });
  const { supervisor, gateway, source } = serving;
  releases.current = openReleases({
    db,
    plane: gateway,
    released: supervisor.released,
    publish: () => supervisor.publish(),
    endpointDomain: options.endpointDomain ?? '',
    isOwnHost: (host) => host === 'box.lan',
    getVersion: (model, version) => source.getVersion(model, version),
    versionsOf: (model) => source.getModel(model).versions,
    isInUse: options.isInUse ?? (() => false),
    removeVersion: async (model, version) => void removed.push(`${model}:${version}`),
    routeToTry: (model, version) => supervisor.routeToTry(model, version),
    baseSettings: () => defaultPlacement,
    measured: () => ({}),
    async preview(record, settings) {
      const deployment = {
        ...supervisor.standingOf(record.model, record.version),
        key: 'preview',
        settings,
        members: [],
      };
      const { plan } = await supervisor.fleet.preview(deployment, startCount(deployment, settings), settings);
      const refusals = plan.refusals.filter(({ version }) => version === 'preview');
      return { model: record.model, version: record.version, ways: [], passedOver: [], ...plan, refusals };
    },
    people: () => everybody.map((each) => ({ ...(each as Extract<Actor, { kind: 'user' }>), isDisabled: false })),
    post: (each) => void news.push(each),
    ...(options.now && { now: options.now }),
    tickMs: 20,
  });
  const control = releases.current;
  await control.restore();
  return {
    ...serving,
    releases: control,
    db,
    news,
    removed,
    /** Asks an endpoint, as a client does. @returns the first number, and the version that answered */
    async ask(endpoint: string, value = 1, headers: Record<string, string> = {}, key?: string) {
      const route = gateway.choose(endpoint, undefined, (name) => headers[name] ?? null, key);
      const inputs = [floatTensor('input', [1, 4], [value, value, value, value])];
      return gateway.infer(route, { inputs }, (outputs, _times, served = route) => ({
        value: readFloats(outputs)[0]![0]!,
        version: served.version,
        model: served.model,
      }));
    },
    /** Asks for a release and has it approved. */
    async approve(request: Record<string, unknown>): Promise<Release> {
      const { id } = control.create(olga, { environment: 'staging', ...request });
      const submitted = await control.submit(olga, id);
      return submitted.state === 'submitted' ? control.approve(rita, id) : submitted;
    },
    /** Resolves when a release is in that state, or in one from which it will never be. */
    async settled(id: number, ...states: ReleaseState[]): Promise<Release> {
      await until(() => states.includes(control.get(id).state) || isOver(control.get(id).state));
      const release = control.get(id);
      if (!states.includes(release.state)) throw new Error(`release ${id} is ${release.state}: ${release.reason}`);
      return release;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([control.close(), serving.supervisor.stop()]);
      await serving[Symbol.asyncDispose]();
      if (!options.db) db.close();
    },
  };
}

export type Releasing = Awaited<ReturnType<typeof openReleasing>>;

/** What a promise is rejected with. @throws Error when it is not */
export async function failureOf(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    return error as AppError;
  }
  throw new Error('it did not fail');
}
