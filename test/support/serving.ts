// A supervisor and a gateway over models that are given as bytes: real runner processes, without registry and HTTP.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openDatabase } from '../../src/db/open.ts';
import { readCpuDevice, readTopology } from '../../src/device/cpu.ts';
import { createDecisionLog, type Decision } from '../../src/device/decisions.ts';
import type { Device } from '../../src/device/device.ts';
import { createFootprintStore } from '../../src/device/footprint-rows.ts';
import { defaultPlacement, type PlacementSettings } from '../../src/device/placement-settings.ts';
import type { ScaleRules } from '../../src/inference/autoscale.ts';
import { Gateway } from '../../src/inference/gateway.ts';
import type { LaneOptions } from '../../src/inference/lane.ts';
import type { EndpointPlan } from '../../src/inference/released.ts';
import { openRunFolder } from '../../src/inference/shared-memory.ts';
import { Supervisor, type VersionSource } from '../../src/inference/supervisor.ts';
import { createTrialStore } from '../../src/inference/trial-rows.ts';
import { WayBook } from '../../src/inference/ways.ts';
import { runChild } from '../../src/job/child.ts';
import { prepareNative } from '../../src/native.ts';
import {
  type Datatype,
  defaultServing,
  type ServingSettings,
  type Signature,
  type TensorData,
  type VersionRecord,
} from '../../src/types.ts';

export interface GivenVersion {
  bytes: Uint8Array;
  signature: Signature;
  serving?: Partial<ServingSettings>;
  /** What an estimate of its memory is made from. */
  weightBytes?: number;
}

export interface ServingOptions {
  runTimeoutMs?: number;
  requestTimeoutMs?: number;
  maxQueueSize?: number;
  loadTimeoutMs?: number;
  coldWaitMs?: number;
  /** The host's processor if absent. */
  devices?: () => Device[];
  /** By model. */
  placement?: Record<string, Partial<PlacementSettings>>;
  scaleRules?: ScaleRules;
  measureAfterQuietMs?: number;
  /** Versions that were loaded when the server last ended, such as "m:1". */
  loaded?: string[];
  /** What endpoints serve. */
  endpoints?(): EndpointPlan[];
  /** Called after each decision. */
  onDecision?(decision: Omit<Decision, 'id' | 'at'>): void;
}

const childLimits = (visibleDevice?: string) => ({
  timeoutMs: 60_000,
  memoryBytes: 2 ** 40,
  ...(visibleDevice && { env: { CUDA_VISIBLE_DEVICES: visibleDevice } }),
});

export async function openServing(models: Record<string, GivenVersion[]>, options: ServingOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-serving-'));
  const runFolder = openRunFolder();
  const native = await prepareNative(join(folder, 'native'));
  const loaded = new Set(options.loaded);
  const current = new Map<string, number | null>(
    [...loaded].map((key) => [key.split(':')[0]!, Number(key.split(':')[1])]),
  );
  const get = (name: string) => ({
    name,
    versions: models[name]!.map((_, i) => i + 1),
    current: current.get(name) ?? null,
  });
  const source: VersionSource = {
    listModels: () => Object.keys(models).map(get),
    getModel: get,
    getVersion: (name, version) => recordOf(name, version, models[name]![version - 1]!),
    listLoaded: () => [...loaded].map((key) => ({ name: key.split(':')[0]!, version: Number(key.split(':')[1]) })),
    setLoaded: (name, version, on) =>
      void (on ? loaded.add(`${name}:${version}`) : loaded.delete(`${name}:${version}`)),
    setCurrent: (name, version) => void current.set(name, version),
    async layOut(record, into) {
      mkdirSync(into, { recursive: true });
      const path = join(into, 'model.onnx');
      writeFileSync(path, models[record.model]![record.version - 1]!.bytes);
      return path;
    },
  };
  const db = openDatabase(':memory:');
  const kept = createDecisionLog(db);
  const decisions: typeof kept = {
    ...kept,
    add(decision) {
      kept.add(decision);
      options.onDecision?.(decision);
    },
  };
  const devices = options.devices ?? (() => [readCpuDevice(readTopology())]);
  const laneOptions: LaneOptions = {
    folder: runFolder,
    requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
    maxQueueSize: options.maxQueueSize ?? 1024,
    runTimeoutMs: options.runTimeoutMs ?? 60_000,
    onHung: (id) => supervisor.killInstance(id, 'hung'),
    coldWaitMs: options.coldWaitMs ?? 30_000,
    onWanted: (key) => supervisor.wake(key),
  };
  const gateway = new Gateway(laneOptions);
  const supervisor = new Supervisor({
    source,
    folder: join(folder, 'run'),
    runFolder,
    runtime: async () => ({ folder: native, version: 'test' }),
    loadTimeoutMs: options.loadTimeoutMs ?? 60_000,
    drainTimeoutMs: 10_000,
    coldWaitMs: options.coldWaitMs ?? 30_000,
    cores: 1,
    topology: () => readTopology(),
    devices,
    ways: new WayBook({
      trials: createTrialStore(db),
      footprints: createFootprintStore(db),
      tryProvider: (request, visible) => runChild('try-provider', request, childLimits(visible)),
      measure: (request, visible) => runChild('footprint', request, childLimits(visible)),
    }),
    settingsOf: ({ record: { model, manifest }, settings }) =>
      settings ?? {
        ...defaultPlacement,
        maxInstances: Math.max(1, manifest.serving.instances),
        ...options.placement?.[model],
      },
    reserveOf: () => 0,
    decisions,
    searchPath: [],
    scaleRules: options.scaleRules,
    measureAfterQuietMs: options.measureAfterQuietMs,
    activity: () => gateway.activity(),
    publish: (table) => gateway.apply(table),
    drained: (key) => gateway.drained(key),
    released: (key, address) => gateway.released(key, address),
    endpoints: options.endpoints,
  });
  supervisor.publish();
  return {
    gateway,
    supervisor,
    decisions,
    source,
    runFolder,
    options: laneOptions,
    async [Symbol.asyncDispose]() {
      await supervisor.stop();
      gateway.close();
      db.close();
      rmSync(folder, { recursive: true, force: true });
      rmSync(runFolder, { recursive: true, force: true });
    },
  };
}

function recordOf(model: string, version: number, given: GivenVersion): VersionRecord {
  return {
    model,
    version,
    manifest: { task: 'tensor', serving: { ...defaultServing, ...given.serving }, origin: { kind: 'upload' } },
    signature: given.signature,
    facts: {
      format: 'onnx',
      irVersion: 8,
      opsets: {},
      producer: '',
      parameters: 0,
      weightBytes: given.weightBytes ?? 0,
      operators: {},
    },
    warnings: [],
    files: [],
    entry: 'model.onnx',
    bytes: given.bytes.length,
    createdAt: new Date(0).toISOString(),
  };
}

export function spec(name: string, datatype: Datatype, shape: number[]) {
  return { name, datatype, shape };
}

export function floatTensor(name: string, shape: number[], values: ArrayLike<number>): TensorData {
  return { name, datatype: 'FP32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

export function int64Tensor(name: string, shape: number[], values: number[]): TensorData {
  return { name, datatype: 'INT64', shape, bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) };
}

/** An encoder for infer that copies the floats of each output. */
export function readFloats(outputs: TensorData[]): number[][] {
  return outputs.map(({ bytes }) => [...new Float32Array(bytes.slice().buffer)]);
}
