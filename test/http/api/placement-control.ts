// Placement over HTTP without processes: the real routes, settings, log, ledger and planner on a machine that is data.
import { Audit } from '../../../src/access/audit.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { createDecisionLog } from '../../../src/device/decisions.ts';
import type { Device } from '../../../src/device/device.ts';
import { footprintOf } from '../../../src/device/footprint.ts';
import { Ledger } from '../../../src/device/ledger.ts';
import {
  createPlacementStore,
  defaultPlacement,
  parsePlacement,
  type PlacementSettings,
} from '../../../src/device/placement-settings.ts';
import type { RunningInstance, Target, Wish } from '../../../src/device/placement-types.ts';
import { plan } from '../../../src/device/placement.ts';
import { AppError } from '../../../src/error.ts';
import type { Control, PlacementControl } from '../../../src/http/api/control.ts';
import { createApi } from '../../../src/http/api/routes.ts';
import { createDocument } from '../../../src/http/openapi.ts';
import type { InstanceStatus } from '../../../src/inference/instance-status.ts';
import { setLogLevel } from '../../../src/log.ts';

export const gib = 1024 ** 3;
const startedAt = '2026-01-02T03:04:05.000Z';
const reserveBytes = 2 * gib;
const ways: Target[] = [
  { kind: 'cuda', provider: 'cuda', batch: 8 },
  { kind: 'cpu', provider: 'cpu', batch: 8 },
];
const passedOver = [
  { kind: 'cuda', provider: 'tensorrt', reason: 'It computes none of the nodes of this model: all ran on the CPU.' },
];

/** Versions by model: what a GPU must have for one, and whether that was measured. */
export type Models = Record<string, { bytes: number; measured?: boolean }>;

function device(id: string, kind: Device['kind'], name: string, fields: Partial<Device['reading']>): Device {
  const reading = { totalBytes: 80 * gib, usedBytes: 0, freeBytes: 0, throttle: [], processes: [], ...fields };
  return { id, kind, index: 0, name, state: 'ready', reading };
}

/** One GPU with 80 GiB, of which others use 10, and a processor. */
export function openMachine(models: Models) {
  setLogLevel('error');
  const db = openDatabase(':memory:');
  for (const name of Object.keys(models)) db.run('INSERT INTO models (name, created_at) VALUES (?, ?)', [name, '']);
  const store = createPlacementStore(db);
  const log = createDecisionLog(db);
  const python = { pid: 77, name: 'python3', usedBytes: 10 * gib, own: false };
  const devices = [
    device('GPU-0', 'cuda', 'NVIDIA H100', { usedBytes: 10 * gib, processes: [python] }),
    device('cpu', 'cpu', 'A processor', { totalBytes: 64 * gib }),
  ];
  const ledger = new Ledger();
  for (const each of devices) ledger.read(each, reserveBytes);
  const running: RunningInstance[] = [];

  /** Puts an instance on the GPU. */
  function start(id: string, model: string, fields: Partial<RunningInstance> = {}): void {
    const { bytes } = models[model]!;
    ledger.reserve(id, 'GPU-0', bytes);
    ledger.commit(id, bytes);
    const use = { leases: 0, lastUsedMs: 1000, loss: 0, minFreeBytes: 0, pinned: false, priority: 50 };
    running.push({ id, version: `${model}:1`, deviceId: 'GPU-0', ...ways[0]!, bytes, ...use, ...fields });
  }

  function get(model: string) {
    if (!Object.hasOwn(models, model)) throw new AppError('not_found', `There is no model '${model}'.`);
    return models[model]!;
  }

  const waysOf = ({ provider }: PlacementSettings) => ways.filter((way) => (provider ?? way.provider) === way.provider);

  function footprints(model: string, settings: PlacementSettings) {
    const { bytes, measured = false } = get(model);
    return waysOf(settings).map((way) => {
      const size = { weightBytes: bytes / 2, rowBytes: 1024 };
      return footprintOf(`${model}:1`, way, size, measured || way.kind === 'cuda' ? bytes : undefined);
    });
  }

  function wishOf(model: string, settings: PlacementSettings): Wish {
    const needed = Math.max(1, settings.minInstances);
    return { ...settings, version: `${model}:1`, minInstances: needed, targets: waysOf(settings) };
  }

  const settingsOf = (model: string) => (get(model), store.find(model) ?? defaultPlacement);

  const placement: PlacementControl = {
    settings: settingsOf,
    async setSettings(model, patch) {
      store.put(model, parsePlacement(patch, settingsOf(model)));
      return settingsOf(model);
    },
    async preview(model, version = 1, patch = {}) {
      const settings = parsePlacement(patch, settingsOf(model));
      if (version !== 1) throw new AppError('not_found', `Model '${model}' has no version ${version}.`);
      const known = footprints(model, settings);
      const world = {
        nowMs: 2000,
        running,
        footprints: known,
        devices: devices.map(({ id, kind, index, name, state }) => {
          const books = ledger.account(id);
          return { id, kind, index, name, deviceClass: name, state, ...books };
        }),
      };
      const { placements, evictions, refusals } = plan(world, [wishOf(model, settings)]);
      const list = known.map(({ kind, provider, batch, bytes, measured, estimatedBytes, estimateError }) => {
        return { kind, provider, batch, bytes, measured, estimatedBytes, estimateError };
      });
      const skipped = settings.provider ? [] : passedOver;
      return { model, version, ways: list, passedOver: skipped, placements, evictions, refusals };
    },
    overview: () => ({
      accounts: devices.map(({ id }) => ledger.account(id)),
      holdings: running.map(({ id, version, deviceId, provider, bytes, leases, pinned, lastUsedMs }) => {
        const lastUsedAt = new Date(lastUsedMs).toISOString();
        const model = version.split(':')[0]!;
        return {
          instance: id,
          model,
          version: 1,
          deviceId,
          provider,
          bytes,
          measured: true,
          leases,
          lastUsedAt,
          pinned,
        };
      }),
      versions: Object.keys(models).map((model) => {
        const { minInstances, maxInstances } = settingsOf(model);
        const instances = running.filter(({ version }) => version === `${model}:1`).length;
        const reason = 'It is started when it is asked for.';
        const bounds = { minInstances, maxInstances, wanted: Math.max(1, minInstances) };
        if (instances > 0) return { model, version: 1, state: 'ready', instances, ...bounds };
        return { model, version: 1, state: 'cold', instances, ...bounds, reason };
      }),
    }),
    decisions: (filter) => log.list(filter),
  };

  const instances = (): InstanceStatus[] =>
    running.map(({ id, version, deviceId, provider, bytes }) => ({
      id,
      model: version.split(':')[0]!,
      version: 1,
      pid: 100,
      state: 'ready',
      reason: '',
      device: deviceId,
      provider,
      heldBytes: bytes,
      measured: true,
      threads: 1,
      restarts: 0,
      startedAt,
      rssBytes: gib,
    }));
  const node = { id: 0, cpus: [0, 1], memoryBytes: 64 * gib };
  const host = { name: 'A processor', sockets: 1, cores: 2, threads: 2, features: [], nodes: [node] };
  const control: Pick<Control, 'placement' | 'instances' | 'machine'> = {
    placement,
    instances,
    machine: () => ({ devices, host: { ...host, allowedCpus: [0, 1], usableCpus: 2 }, faults: [] }),
  };
  const audit = new Audit(db, Date.now);
  const api = createApi(
    {
      // The other groups of routes take theirs when they are asked.
      control: control as Control,
      limits: { maxBodyBytes: 1e6, maxJsonBytes: 1e6, maxInflatedBytes: 1e6 },
      requestId: () => '',
      keepOpen: () => {},
      hold: (work) => work,
    },
    audit,
  );
  const fetchAs = (request: Request) =>
    api.fetch(request, { actor: { kind: 'system', name: 'socket' }, address: 'socket', isSecure: false });
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: fetchAs });
  return {
    url: server.url.origin,
    document: createDocument(api.routes, '1'),
    log,
    audit,
    start,
    async ask<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
      const response = await fetch(`${server.url.origin}${path}`, {
        method,
        ...(body !== undefined && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      });
      return { status: response.status, body: (await response.json()) as T };
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      db.close();
    },
  };
}
