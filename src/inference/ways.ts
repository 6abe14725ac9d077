// The ways in which a version may run on this machine, best first: which execution provider on which kind of device, what
// it takes there, and why others are passed over. Reads what was tried and measured; tries and measures on request.
import type { Device, DeviceKind } from '../device/device.ts';
import type { FootprintRow, FootprintStore } from '../device/footprint-rows.ts';
import { footprintOf, type KnownFootprint } from '../device/footprint.ts';
import type { Target } from '../device/placement-types.ts';
import { AppError, messageOf } from '../error.ts';
import type { VersionRecord } from '../types.ts';
import { type FootprintRequest, type MeasuredFootprint, modelSize } from './footprint.ts';
import { chooseProvider, type ProviderTrial, type TrialRequest } from './provider-trial.ts';
import type { ProviderName } from './session.ts';
import type { TrialKey, TrialStore } from './trial-rows.ts';

/** Libraries that runners load. */
export interface Runtime {
  folder: string;
  /** Changes when ONNX Runtime or the GPU pack does. */
  version: string;
}

export interface WaysOptions {
  trials: TrialStore;
  footprints: FootprintStore;
  /** @param visibleDevice UUID of the only GPU that the child may see */
  tryProvider(request: TrialRequest, visibleDevice?: string): Promise<ProviderTrial>;
  measure(request: FootprintRequest, visibleDevice?: string): Promise<MeasuredFootprint>;
}

export interface Way extends Target {
  provider: ProviderName;
  footprint: KnownFootprint;
  /** Undefined: not tried yet. */
  trial?: ProviderTrial;
  /** Of a measurement. */
  loadMs?: number;
}

export interface MeasureRequest {
  way: Target;
  device: Device;
  modelPath: string;
  runtime: Runtime;
  /** Nobody waits for it: whatever else wants the processor goes first. */
  isPatient: boolean;
}

export interface Ways {
  ways: Way[];
  passedOver: { kind: DeviceKind; provider: ProviderName; reason: string }[];
}

const kindsBestFirst: readonly DeviceKind[] = ['cuda', 'rocm', 'webgpu', 'cpu'];

/** The GPU that a child is shown, so that it is number 0 there. */
export function visibleDeviceOf({ kind, id }: Device): string | undefined {
  return kind === 'cuda' ? id : undefined;
}

/** WebGPU takes the first adapter there is: with several GPUs nobody knows which. */
function providersOf(kind: DeviceKind, count: number): ProviderName[] {
  if (kind === 'cpu') return ['cpu'];
  if (kind === 'cuda') return count === 1 ? ['tensorrt', 'cuda', 'webgpu'] : ['tensorrt', 'cuda'];
  return ['webgpu'];
}

/** A way that the machine did not allow is tried again after so long: its administrator may have seen to it. */
const ofMachineMs = 10 * 60_000;

export class WayBook {
  private readonly ofMachine = new Map<string, { trial: ProviderTrial; untilMs: number }>();

  /** @param now milliseconds of any clock that does not jump */
  constructor(
    private readonly options: WaysOptions,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * @param batch largest batch; 0 for a version without a batch dimension
   * @param pin a person's choice of provider: it is taken whatever its trial said
   */
  list(record: VersionRecord, batch: number, devices: readonly Device[], runtime: Runtime, pin?: ProviderName): Ways {
    const result: Ways = { ways: [], passedOver: [] };
    for (const kind of kindsBestFirst) {
      const ready = devices.filter((device) => device.kind === kind && device.state === 'ready');
      if (!ready[0]) continue;
      const providers = providersOf(kind, ready.length);
      if (pin) {
        if (providers.includes(pin))
          result.ways.push(this.way(record, { kind, provider: pin, batch }, ready[0], runtime));
        continue;
      }
      for (const provider of providers) {
        const way = this.way(record, { kind, provider, batch }, ready[0], runtime);
        const reason = provider === 'cpu' ? undefined : problemOf(way.trial);
        if (reason === undefined) result.ways.push(way);
        else result.passedOver.push({ kind, provider, reason });
        // What was tried and does well needs no other behind it on the same device.
        if (reason === undefined && way.trial) break;
      }
    }
    if (pin && result.ways.length === 0) {
      const reason = 'It is wished for, and there is no device that it runs on.';
      result.passedOver.push({ kind: pin === 'webgpu' ? 'webgpu' : 'cuda', provider: pin, reason });
    }
    return result;
  }

  /** Tries a way on a device, and remembers how it went. @returns why it is not to be taken; undefined: it does well */
  async try(
    record: VersionRecord,
    way: Way,
    device: Device,
    modelPath: string,
    runtime: Runtime,
    searchPath: readonly string[],
  ) {
    const { provider } = way;
    const request: TrialRequest = { path: modelPath, provider, threads: 1, nativeFolder: runtime.folder, searchPath };
    let trial: ProviderTrial;
    try {
      trial = await this.options.tryProvider(request, visibleDeviceOf(device));
    } catch (error) {
      trial = { provider, ok: false, reason: messageOf(error) };
    }
    // Another time there may be more room, and a machine without time may have some.
    const isPassing = !trial.ok && /memory|took longer/.test(trial.reason);
    if (!isPassing) this.keep({ ...keyOf(record), provider, stack: stackOf(device, runtime) }, trial);
    return { trial, reason: problemOf(trial) };
  }

  /** True when a trial of this way has an outcome that will not change by itself. */
  remembers(record: VersionRecord, { provider }: Target, device: Device, runtime: Runtime): boolean {
    const stack = stackOf(device, runtime);
    return this.find({ ...keyOf(record), provider: provider as ProviderName, stack }) !== undefined;
  }

  /** What the machine is to blame for is forgotten after a while, and when the server ends. */
  private keep(key: TrialKey, trial: ProviderTrial): void {
    if (trial.ok || !trial.ofMachine) this.options.trials.put(key, trial);
    else this.ofMachine.set(nameOf(key), { trial, untilMs: this.now() + ofMachineMs });
  }

  private find(key: TrialKey): ProviderTrial | undefined {
    const kept = this.ofMachine.get(nameOf(key));
    return kept && kept.untilMs > this.now() ? kept.trial : this.options.trials.find(key);
  }

  /** Measures a way on a device and remembers it. @throws AppError */
  async measure(
    record: VersionRecord,
    { way, device, modelPath, runtime, isPatient }: MeasureRequest,
  ): Promise<FootprintRow> {
    const { provider, batch, kind } = way;
    const measured = await this.options.measure(
      {
        path: modelPath,
        provider: provider as ProviderName,
        batch,
        nativeFolder: runtime.folder,
        threads: 1,
        deviceId: device.id,
        isPatient,
      },
      visibleDeviceOf(device),
    );
    if (!(measured.bytes > 0)) throw new AppError('unavailable', `${device.name} does not tell what a model takes.`);
    const { bytes, hostBytes, loadMs, runMs } = measured;
    const row: FootprintRow = {
      bytes: Math.ceil(bytes),
      hostBytes: Math.ceil(hostBytes),
      loadMs,
      runMs,
      measuredAt: new Date().toISOString(),
    };
    this.options.footprints.put({ ...keyOf(record), kind, provider, batch }, row);
    return row;
  }

  private way(
    record: VersionRecord,
    target: Target & { provider: ProviderName },
    device: Device,
    runtime: Runtime,
  ): Way {
    const key = keyOf(record);
    const row = this.options.footprints.find({ ...key, ...target });
    const version = `${record.model}:${record.version}`;
    const trial = this.find({ ...key, provider: target.provider, stack: stackOf(device, runtime) });
    return {
      ...target,
      footprint: footprintOf(version, target, modelSize(record.facts, record.signature), row?.bytes),
      trial,
      loadMs: row?.loadMs,
    };
  }
}

function keyOf({ files, entry, model, version }: VersionRecord): { sha256: string } {
  return { sha256: files.find(({ path }) => path === entry)?.sha256 ?? `${model}:${version}` };
}

const nameOf = ({ sha256, provider, stack }: TrialKey) => `${sha256}/${provider}/${stack}`;

function stackOf({ name, driverVersion = '' }: Device, { version }: Runtime): string {
  return [version, driverVersion, name].join('/');
}

function problemOf(trial: ProviderTrial | undefined): string | undefined {
  if (!trial) return undefined;
  const choice = chooseProvider([trial], undefined);
  return choice.provider === trial.provider
    ? undefined
    : choice.passedOver.find(({ provider }) => provider === trial.provider)?.reason;
}
