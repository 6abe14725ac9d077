// The machine, its instances and this process in Prometheus' text format. NVIDIA's GPUs have the names that people already
// graph; the other names are ours.
import type { DecisionKind } from '../device/decisions.ts';
import type { Device } from '../device/device.ts';
import type { Account } from '../device/ledger.ts';
import type { InstanceStatus } from '../inference/instance-status.ts';

export interface MachineSample {
  devices: readonly Device[];
  accounts: readonly Account[];
  instances: readonly InstanceStatus[];
  /** Since the server started. */
  decisions: Readonly<Record<DecisionKind, number>>;
  residentBytes: number;
  startedSeconds: number;
  version: string;
  runtimeVersion: string;
}

type Labels = Record<string, string | number>;
/** Without a value where the device does not tell it. */
type Sample = [labels: Labels, value: number | undefined];

/** Families of metrics, each line ended; a family without values is left out. */
export function renderDeviceMetrics(sample: MachineSample): string {
  const lines: string[] = [];
  const family = (name: string, type: 'gauge' | 'counter', help: string, samples: Sample[]) => {
    const told = samples.filter(([, value]) => value !== undefined);
    if (told.length === 0) return;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of told) lines.push(`${name}${renderLabels(labels)} ${value}`);
  };
  addGpus(sample, family);
  addDevices(sample, family);
  addAccounts(sample, family);
  addInstances(sample, family);
  addDecisions(sample, family);
  addProcess(sample, family);
  return `${lines.join('\n')}\n`;
}

type AddFamily = (name: string, type: 'gauge' | 'counter', help: string, samples: Sample[]) => void;

function addGpus({ devices }: MachineSample, family: AddFamily): void {
  const gpus = devices.filter(({ kind, state }) => kind === 'cuda' && state === 'ready');
  const each = (value: (device: Device) => number | undefined) =>
    gpus.map((device): Sample => [{ gpu_uuid: device.id }, value(device)]);
  // Power is that of the whole GPU, of which several MIG instances may be listed.
  const whole = [...new Map(gpus.map((device) => [device.parentId ?? device.id, device])).entries()];
  const power = (value: (device: Device) => number | undefined) =>
    whole.map(([id, device]): Sample => [{ gpu_uuid: id }, value(device)]);
  family(
    'nv_gpu_utilization',
    'gauge',
    'Share of time in which the GPU computed, from 0 to 1.',
    each(({ reading }) => reading.utilisation),
  );
  family(
    'nv_gpu_memory_total_bytes',
    'gauge',
    'Memory of the GPU.',
    each(({ reading }) => reading.totalBytes),
  );
  family(
    'nv_gpu_memory_used_bytes',
    'gauge',
    'Memory of the GPU in use by all processes.',
    each(({ reading }) => reading.usedBytes),
  );
  family(
    'nv_gpu_power_usage',
    'gauge',
    'Power that the GPU draws, in watts.',
    power(({ reading }) => reading.powerW),
  );
  family(
    'nv_gpu_power_limit',
    'gauge',
    'Power that the GPU may draw, in watts.',
    power(({ reading }) => reading.powerLimitW),
  );
}

function addDevices({ devices }: MachineSample, family: AddFamily): void {
  const known = devices.filter(({ reading }) => reading.totalBytes > 0);
  const each = (value: (device: Device) => number) =>
    known.map((device): Sample => [{ device: device.id, kind: device.kind }, value(device)]);
  family(
    'aimass_device_memory_total_bytes',
    'gauge',
    'Memory of the device.',
    each(({ reading }) => reading.totalBytes),
  );
  family(
    'aimass_device_memory_used_bytes',
    'gauge',
    'Memory of the device in use by all processes.',
    each(({ reading }) => reading.usedBytes),
  );
  family(
    'aimass_device_memory_free_bytes',
    'gauge',
    'Memory of the device that is free; none when the device is lost.',
    each(({ reading }) => reading.freeBytes),
  );
}

function addAccounts({ accounts }: MachineSample, family: AddFamily): void {
  const each = (value: (account: Account) => number) =>
    accounts.map((account): Sample => [{ device: account.deviceId }, value(account)]);
  family(
    'aimass_device_held_bytes',
    'gauge',
    'Memory of the device that instances hold or are promised.',
    each(({ heldBytes }) => heldBytes),
  );
  family(
    'aimass_device_others_bytes',
    'gauge',
    'Memory of the device that is used by what is not an instance.',
    each(({ usedByOthersBytes }) => usedByOthersBytes),
  );
  family(
    'aimass_device_reserved_bytes',
    'gauge',
    'Memory of the device that a setting keeps free.',
    each(({ reserveBytes }) => reserveBytes),
  );
  family(
    'aimass_device_available_bytes',
    'gauge',
    'Memory of the device that is left for new instances; negative when others took more than was left.',
    each(({ availableBytes }) => availableBytes),
  );
}

function addInstances({ instances }: MachineSample, family: AddFamily): void {
  const each = (value: (instance: InstanceStatus) => number) =>
    instances.map((one): Sample => [{ model: one.model, version: one.version, instance: one.id }, value(one)]);
  family(
    'aimass_instance_resident_bytes',
    'gauge',
    "Resident memory of the instance's process.",
    each(({ rssBytes }) => rssBytes),
  );
  family(
    'aimass_instance_footprint_bytes',
    'gauge',
    'Memory of its device that the instance holds: promised, or measured.',
    instances.map(({ model, version, id, device, provider, heldBytes }): Sample => [
      { model, version, instance: id, device, provider },
      heldBytes,
    ]),
  );
  family(
    'aimass_instance_restarts_total',
    'counter',
    'How often the process was replaced after it ended unexpectedly.',
    each(({ restarts }) => restarts),
  );
}

function addDecisions({ decisions }: MachineSample, family: AddFamily): void {
  family(
    'aimass_decisions_total',
    'counter',
    'Decisions about instances.',
    Object.entries(decisions).map(([kind, total]): Sample => [{ kind }, total]),
  );
}

function addProcess(sample: MachineSample, family: AddFamily): void {
  const { residentBytes, startedSeconds, version, runtimeVersion } = sample;
  family('process_resident_memory_bytes', 'gauge', 'Resident memory of the server.', [[{}, residentBytes]]);
  family('process_start_time_seconds', 'gauge', 'Unix time at which the server started.', [[{}, startedSeconds]]);
  family('aimass_build_info', 'gauge', 'Always 1; the labels say what runs.', [
    [{ version, onnxruntime: runtimeVersion }, 1],
  ]);
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(String(value))}"`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
