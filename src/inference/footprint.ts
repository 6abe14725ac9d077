// Measures what one instance of a model takes: loads it, runs it at its largest batch, and reads the memory of this process
// and of the device. For a child process that does nothing else and ends afterwards.
import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

import type { Device } from '../device/device.ts';
import type { ModelSize } from '../device/footprint.ts';
import { createProbe } from '../device/probe.ts';
import { AppError } from '../error.ts';
import { datatypeBytes, type ModelFacts, type Signature, type TensorSpec } from '../types.ts';
import { runAll, runOnRandomInputs } from './random-inputs.ts';
import { elementCount, loadRuntime, openSession, type ProviderName } from './session.ts';

export interface FootprintRequest {
  path: string;
  provider: ProviderName;
  /** Largest batch; 0 for a model without a batch dimension. */
  batch: number;
  nativeFolder: string;
  threads: number;
  deviceIndex?: number;
  /** The device as the probe names it; without one, or with one that has no memory of its own, the host's counts. */
  deviceId?: string;
  /** NVIDIA's library; by default as the dynamic loader finds it. */
  nvmlPath?: string;
  /** This process gives way to all others: nobody waits for the outcome. */
  isPatient?: boolean;
}

export interface MeasuredFootprint {
  /** Memory of the device that one instance needs: of the GPU's as its driver tells, of the host's on a CPU. */
  bytes: number;
  /** Memory of the host that one instance needs, the process itself included, at its peak. */
  hostBytes: number;
  /** The part of `hostBytes` that came with the model; the rest is the process and ONNX Runtime. */
  modelBytes: number;
  /** What variable dimensions other than the batch were taken to be. Real requests may be larger, and need more. */
  assumedSize?: number;
  loadMs: number;
  /** Of a run after the first. */
  runMs: number;
}

/** Large first: what is promised too little is missing later. */
const guesses = [224, 64, 8, 1];

/** @throws AppError model_failed when it cannot be run; unavailable when the memory of its GPU cannot be read */
export async function measureFootprint(request: FootprintRequest): Promise<MeasuredFootprint> {
  if (request.isPatient) setPriority(constants.priority.PRIORITY_LOW);
  loadRuntime(request.nativeFolder);
  const device = openDevice(request);
  try {
    const deviceBefore = device.read();
    resetPeak();
    const before = await readOwnMemory();
    const started = performance.now();
    const session = openSession(request.path, request);
    const loadMs = performance.now() - started;
    const { feeds, assumedSize } = runOnRandomInputs(session, request.batch, guesses);
    const warm = performance.now();
    runAll(session, feeds);
    const runMs = performance.now() - warm;
    const { peakBytes } = await readOwnMemory();
    const deviceAfter = device.read();
    session.dispose();
    const modelBytes = Math.max(0, peakBytes - before.residentBytes);
    // Pages of the executable and its libraries are in memory once, however many processes map them.
    const hostBytes = before.privateBytes + modelBytes;
    const taken = deviceBefore && deviceAfter && bytesTaken(deviceBefore, deviceAfter, process.pid);
    return { bytes: taken ?? hostBytes, hostBytes, modelBytes, assumedSize, loadMs, runMs };
  } finally {
    device.close();
  }
}

/** The device with memory of its own on which the model runs, if it is one. */
function openDevice({ provider, deviceId, nvmlPath }: FootprintRequest) {
  const isOnHost = deviceId === undefined || deviceId === 'cpu';
  const probe = isOnHost ? undefined : createProbe({ nvmlPath, ownPids: () => new Set([process.pid]) });
  const needsDevice = provider === 'cuda' || provider === 'tensorrt';
  return {
    read(): Device | undefined {
      const device = probe?.devices().find(({ id, state }) => id === deviceId && state === 'ready');
      if (device || !needsDevice) return device;
      throw new AppError(
        'unavailable',
        `The memory of ${deviceId ?? 'the GPU'} cannot be read: ${probe?.nvmlProblem?.message ?? 'it is not there.'}`,
        "Look at 'aimass doctor'.",
      );
    },
    close: () => probe?.close(),
  };
}

/** What the driver tells of the process; where it does not, what came to be used meanwhile, by whomever. */
export function bytesTaken(before: Device, after: Device, pid: number): number {
  const told = after.reading.processes.find((each) => each.pid === pid)?.usedBytes;
  // 0 stands for "the driver does not tell", as in a container with process numbers of its own.
  return told || Math.max(0, after.reading.usedBytes - before.reading.usedBytes);
}

interface OwnMemory {
  residentBytes: number;
  /** Of it, what belongs to no file. */
  privateBytes: number;
  /** The most that was resident since `resetPeak`. */
  peakBytes: number;
}

async function readOwnMemory(): Promise<OwnMemory> {
  const status = await Bun.file('/proc/self/status').text();
  const bytesOf = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return { residentBytes: bytesOf('VmRSS'), privateBytes: bytesOf('RssAnon'), peakBytes: bytesOf('VmHWM') };
}

function resetPeak(): void {
  Bun.gc(true);
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Where it is forbidden the peak of the start-up counts too, which is more rather than less.
  }
}

/** What an estimate is made from (`estimateBytes`, `footprintOf`). Variable dimensions are taken to be the largest guess. */
export function modelSize({ weightBytes, generatedBytes = 0 }: ModelFacts, { inputs, outputs }: Signature): ModelSize {
  const rowBytes = [...inputs, ...outputs].reduce((sum, spec) => sum + bytesOfRow(spec), 0);
  return { weightBytes: weightBytes + generatedBytes, rowBytes };
}

const usualTextBytes = 32;

function bytesOfRow({ datatype, shape }: TensorSpec): number {
  const sizes = shape.map((size, axis) => (size !== -1 ? size : axis === 0 ? 1 : guesses[0]!));
  return elementCount(sizes) * (datatypeBytes[datatype] || usualTextBytes);
}
