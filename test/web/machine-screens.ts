// The screens of the machine with sample data, by name: for tests and screenshots only.
import type { Device } from '../../src/device/device.ts';
import { defaultPlacement } from '../../src/device/placement-settings.ts';
import type { Html } from '../../web/html.ts';
import type {
  Attention,
  DecisionRow,
  DeviceView,
  InstanceRow,
  PlacementView,
  PreviewView,
  TrafficPoint,
} from '../../web/machine-views.ts';
import { decisionsScreen } from '../../web/screens/decisions.ts';
import { devicesScreen } from '../../web/screens/devices.ts';
import { instanceScreen, instancesScreen } from '../../web/screens/instances.ts';
import { overviewScreen } from '../../web/screens/overview.ts';
import { placementScreen } from '../../web/screens/placement.ts';
import type { Frame } from '../../web/view-types.ts';
import { nowMs } from './samples.ts';

const gib = 1024 ** 3;
const minute = 60_000;

/** @param text put wherever a person or a program could have entered something */
export function machineScreens(text: string): Record<string, (frame: Frame) => Html> {
  const decisions = sampleDecisions(text);
  const rows = sampleInstances(text);
  const preview: PreviewView = {
    model: text,
    version: 3,
    instances: 0,
    ways: [],
    passedOver: [{ kind: 'cuda', provider: 'tensorrt', reason: text }],
    placements: [{ ...samplePlacement(text), device: text }],
    evictions: [{ instanceId: '4', version: `${text}:2`, deviceId: 'GPU-1', device: text, reason: text }],
    refusals: [{ version: `${text}:3`, missing: 2, reason: text, hint: text }],
  };
  return {
    overview: (frame) =>
      overviewScreen(frame, {
        attention: sampleAttention(text),
        models: { answering: 3, loaded: 4, known: 6 },
        traffic: { now: sampleTraffic(0), history: Array.from({ length: 120 }, (_, i) => sampleTraffic(120 - i)) },
        gpuMemory: { usedBytes: 61 * gib, totalBytes: 160 * gib },
        hostMemory: { usedBytes: 12 * gib, totalBytes: 256 * gib },
        decisions,
      }),
    'overview-first': (frame) =>
      overviewScreen(frame, {
        attention: [],
        models: { answering: 0, loaded: 0, known: 0 },
        traffic: { now: sampleTraffic(0), history: [] },
        hostMemory: { usedBytes: 2 * gib, totalBytes: 16 * gib },
        decisions: [],
      }),
    devices: (frame) =>
      devicesScreen(frame, {
        devices: sampleDevices(text),
        problem: text,
        faults: [text],
        models: [text, 'credit'],
        preview: { model: text, device: 'GPU-0', outcome: preview },
      }),
    instances: (frame) => instancesScreen(frame, { rows, seen: 'k3' }),
    'instances-none': (frame) => instancesScreen(frame, { rows: [], seen: '0' }),
    instance: (frame) => instanceScreen(frame, { row: rows[1]!, log: ['warmed up in 72 ms (batch 1)', text] }),
    placement: (frame) => placementScreen(frame, samplePlacementView(text, decisions)),
    'placement-preview': (frame) =>
      placementScreen(frame, { ...samplePlacementView(text, []), isStale: true, outcome: { problem: text } }),
    decisions: (frame) =>
      decisionsScreen(frame, {
        rows: decisions,
        filter: { model: text, kind: 'placed' },
        before: 7,
        isFirstPage: false,
      }),
  };
}

function sampleAttention(text: string): Attention[] {
  return [
    { kind: 'failed', model: text, version: 2, reason: text },
    { kind: 'lost', label: text, reason: text },
    { kind: 'full', label: text, share: 0.97 },
    { kind: 'trouble', level: 'error', what: text, fix: text },
    { kind: 'refused', model: text, version: 1, reason: text },
    { kind: 'fewer', model: text, version: 1, reason: text },
    { kind: 'key', name: text, expiresMs: nowMs + 3000 * minute },
    ...(['release-off', 'release-waiting', 'release-changes', 'release-rolling'] as const).map((kind) => ({
      kind,
      id: 12,
      endpoint: text,
      environment: 'production' as const,
      version: `${text}:4`,
      who: text,
      reason: text,
      share: 0.25,
    })),
  ];
}

function sampleTraffic(age: number): TrafficPoint {
  const wave = 1 + Math.sin(age / 9) / 2;
  return {
    atMs: nowMs - age * 5000,
    perSecond: 120 * wave,
    failuresPerSecond: age % 40 === 0 ? 3 : 0,
    p50Ms: 6 * wave,
    p95Ms: 14 * wave,
    wholeP50Ms: 21 * wave,
    wholeP95Ms: 38 * wave,
    pending: 3,
  };
}

function sampleDevices(text: string): DeviceView[] {
  const device = (id: string, kind: Device['kind'], fields: Partial<Device>): Device => ({
    id,
    kind,
    index: 0,
    name: text,
    state: 'ready',
    ...fields,
    reading: {
      totalBytes: 80 * gib,
      usedBytes: 41 * gib,
      freeBytes: 39 * gib,
      utilisation: 0.42,
      throttle: [],
      processes: [],
      ...fields.reading,
    },
  });
  const reading = { totalBytes: 80 * gib, usedBytes: 41 * gib, freeBytes: 39 * gib, processes: [] };
  const gpu = device('GPU-0', 'cuda', {
    driverVersion: text,
    cudaVersion: '13.0',
    computeCapability: '9.0',
    pciAddress: '0000:01:00.0',
    numaNode: 1,
    reading: {
      ...reading,
      utilisation: 0.87,
      temperatureC: 81,
      powerW: 640,
      powerLimitW: 700,
      smClockMhz: 1980,
      memoryClockMhz: 2619,
      throttle: [text, 'too hot (slowed by the hardware)'],
      eccErrors: 2,
    },
  });
  const held = [
    { model: text, version: 3, instances: 2, bytes: 18 * gib, measured: true },
    { model: 'credit', version: 1, instances: 1, bytes: 4 * gib, measured: false },
  ];
  const host = {
    name: text,
    sockets: 2,
    cores: 64,
    threads: 128,
    features: ['avx2', 'avx512f', 'amx_int8'],
    nodes: [0, 1].map((id) => ({ id, cpus: Array.from({ length: 64 }, (_, i) => i), memoryBytes: 128 * gib })),
    allowedCpus: [0, 1],
    usableCpus: 128,
    dealtThreads: 9,
  };
  return [
    {
      id: 'GPU-0',
      label: text,
      device: gpu,
      memory: {
        capacityBytes: 80 * gib,
        held,
        programs: [{ pid: 812, name: text, bytes: 19 * gib }],
        othersBytes: gib,
        reserveBytes: 2 * gib,
        freeBytes: 36 * gib,
      },
    },
    { id: 'GPU-1', label: text, device: device('GPU-1', 'cuda', { state: 'lost', reason: text }) },
    { id: 'cpu', label: text, device: device('cpu', 'cpu', {}), host },
  ];
}

function sampleInstances(text: string): InstanceRow[] {
  const states = ['ready', 'waiting', 'starting', 'failed', 'stopped'] as const;
  return states.map((state, i) => ({
    id: String(i + 1),
    model: text,
    version: i + 1,
    ...(state === 'ready' && { pid: 4000 + i }),
    state,
    reason: state === 'ready' ? '' : text,
    device: { id: 'GPU-0', label: text },
    provider: 'cuda',
    heldBytes: 3.4 * gib,
    measured: i % 2 === 0,
    threads: 4,
    restarts: i,
    rssBytes: i === 0 ? 900 * 1024 ** 2 : 0,
    startedMs: nowMs - (i + 1) * 70 * minute,
  }));
}

function sampleDecisions(text: string): DecisionRow[] {
  const kinds = ['loaded', 'placed', 'refused', 'failed', 'measured'] as const;
  return kinds.map((kind, i) => ({
    id: 40 - i,
    atMs: nowMs - i * minute,
    kind,
    model: text,
    version: 3,
    device: text,
    reason: text,
  }));
}

function samplePlacement(text: string): PreviewView['placements'][number] {
  const target = { kind: 'cuda' as const, provider: 'cuda', batch: 32, bytes: 3 * gib, measured: false };
  return { ...target, version: `${text}:3`, deviceId: 'GPU-0', device: text, after: ['4'], reason: text };
}

function samplePlacementView(text: string, decisions: DecisionRow[]): PlacementView {
  return {
    model: text,
    settings: { ...defaultPlacement, deviceIds: ['GPU-0', text], deviceClass: text, keepAliveMs: 150_000 },
    form: { values: { minInstances: text, minFreeMib: text }, errors: { minInstances: text, '': text } },
    basis: 'k3',
    devices: [
      { id: 'GPU-0', label: text },
      { id: 'cpu', label: text },
      { id: text, label: text },
    ],
    classes: [text],
    decisions,
  };
}
