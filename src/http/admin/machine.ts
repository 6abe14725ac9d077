// What the pages of the machine show, read from the appliance: devices with who holds them, instances, decisions, and what
// a preview came to. Knows nothing of HTML.
import type {
  DecisionRow,
  DeviceMemory,
  DeviceView,
  InstanceRow,
  MemoryUse,
  NamedDevice,
  Outcome,
  Share,
} from '../../../web/machine-views.ts';
import type { Decision, DecisionFilter } from '../../device/decisions.ts';
import type { Device } from '../../device/device.ts';
import type { Account } from '../../device/ledger.ts';
import type { InstanceHolding, PlacementPreview } from '../../device/placement-views.ts';
import { AppError } from '../../error.ts';
import type { InstanceStatus } from '../../inference/instance-status.ts';
import type { Control } from '../api/control.ts';

/** Programs that are named before the rest is only summed up. */
const mostPrograms = 4;

export function nameDevice({ id, kind, name, index }: Device): NamedDevice {
  return { id, label: kind === 'cpu' ? name : `${name} #${index}` };
}

export function readDevices(control: Control): DeviceView[] {
  const { devices, host } = control.machine();
  const { accounts, holdings } = control.placement.overview();
  const instances = control.instances();
  const dealtThreads = instances.reduce((sum, { threads }) => sum + threads, 0);
  // The processor stands last.
  const sorted = devices.toSorted((a, b) => Number(a.kind === 'cpu') - Number(b.kind === 'cpu'));
  return sorted.map((device) => {
    const account = accounts.find(({ deviceId }) => deviceId === device.id);
    const here = holdings.filter(({ deviceId }) => deviceId === device.id);
    return {
      ...nameDevice(device),
      device,
      ...(account && { memory: memoryOf(device, account, here, instances) }),
      ...(device.kind === 'cpu' && { host: { ...host, dealtThreads } }),
    };
  });
}

function memoryOf(
  { reading }: Device,
  { capacityBytes, usedByOthersBytes, others, reserveBytes, availableBytes }: Account,
  holdings: readonly InstanceHolding[],
  instances: readonly InstanceStatus[],
): DeviceMemory {
  const usedByPid = new Map(reading.processes.map(({ pid, usedBytes }) => [pid, usedBytes]));
  const pids = new Map(instances.map(({ id, pid }) => [id, pid]));
  const shares = new Map<string, Share>();
  for (const { instance, model, version, bytes, measured } of holdings) {
    const share = shares.get(`${model}:${version}`) ?? { model, version, instances: 0, bytes: 0, measured: true };
    shares.set(`${model}:${version}`, {
      ...share,
      instances: share.instances + 1,
      // As the books do: what the driver sees, when that is more.
      bytes: share.bytes + Math.max(bytes, usedByPid.get(pids.get(instance) ?? 0) ?? 0),
      measured: share.measured && measured,
    });
  }
  const programs = others
    .filter(({ own, usedBytes }) => !own && usedBytes > 0)
    .map(({ pid, name, usedBytes }) => ({ pid, name, bytes: usedBytes }))
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, mostPrograms);
  return {
    capacityBytes,
    held: [...shares.values()].toSorted((a, b) => b.bytes - a.bytes),
    programs,
    othersBytes: Math.max(0, usedByOthersBytes - programs.reduce((sum, { bytes }) => sum + bytes, 0)),
    // Where others took more than was left, they took it from what is kept free.
    reserveBytes: Math.max(0, reserveBytes + Math.min(0, availableBytes)),
    freeBytes: Math.max(0, availableBytes),
  };
}

/** Of all GPUs together; a part of a GPU is counted with its GPU. */
export function gpuMemoryOf(devices: readonly DeviceView[]): MemoryUse | undefined {
  const gpus = devices.filter(({ device }) => device.kind !== 'cpu' && device.state === 'ready');
  const whole = gpus.filter(({ device: { parentId } }) => !gpus.some(({ id }) => id === parentId));
  return whole.length === 0 ? undefined : sumOf(whole);
}

export function hostMemoryOf(devices: readonly DeviceView[]): MemoryUse {
  return sumOf(devices.filter(({ device }) => device.kind === 'cpu'));
}

function sumOf(devices: readonly DeviceView[]): MemoryUse {
  return {
    usedBytes: devices.reduce((sum, { device }) => sum + device.reading.usedBytes, 0),
    totalBytes: devices.reduce((sum, { device }) => sum + device.reading.totalBytes, 0),
  };
}

export function readInstances(control: Control): InstanceRow[] {
  const labels = labelsOf(control);
  return control.instances().map(({ device, startedAt, ...rest }) => ({
    ...rest,
    device: { id: device, label: labels.get(device) ?? device },
    startedMs: Date.parse(startedAt),
  }));
}

/** @throws AppError not_found */
export function getInstance(control: Control, id: string): InstanceRow {
  const found = readInstances(control).find((row) => row.id === id);
  if (found) return found;
  throw new AppError('not_found', 'There is no such instance.', 'It has ended; the list shows those that run.');
}

/** Newest first. */
export function readDecisions(control: Control, filter: DecisionFilter): DecisionRow[] {
  const labels = labelsOf(control);
  return control.placement.decisions(filter).map((decision) => rowOf(decision, labels));
}

function rowOf({ at, deviceId, ...rest }: Decision, labels: ReadonlyMap<string, string>): DecisionRow {
  return {
    ...rest,
    atMs: Date.parse(at),
    ...(deviceId !== undefined && { device: labels.get(deviceId) ?? deviceId }),
  };
}

function labelsOf(control: Control): ReadonlyMap<string, string> {
  return new Map(control.machine().devices.map((device) => [device.id, nameDevice(device).label]));
}

/** What would happen if the model were started now. What a person can put right is a problem in words, not an error. */
export async function previewOf(control: Control, model: string, patch?: unknown, version?: number): Promise<Outcome> {
  try {
    return outcomeOf(control, await control.placement.preview(model, version, patch));
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'internal') throw error;
    return { problem: `${error.message} ${error.hint ?? ''}`.trim() };
  }
}

/** With the names of devices, and how many instances there are already. */
export function outcomeOf(control: Control, { placements, evictions, ...rest }: PlacementPreview): Outcome {
  const labels = labelsOf(control);
  const labelled = <T extends { deviceId: string }>(each: T) => ({
    ...each,
    device: labels.get(each.deviceId) ?? each.deviceId,
  });
  const isSame = ({ model, version }: InstanceStatus) => model === rest.model && version === rest.version;
  return {
    ...rest,
    placements: placements.map(labelled),
    evictions: evictions.map(labelled),
    instances: control.instances().filter(isSame).length,
  };
}
