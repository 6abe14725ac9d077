// Machines that are data: processors with as much memory as a test wants, on any of which real runners run, and the
// models that fill them.
import type { Device } from '../../src/device/device.ts';
import { estimateBytes } from '../../src/device/footprint.ts';
import { addScalar, loop } from './graphs.ts';
import { floatTensor, type GivenVersion, int64Tensor, type openServing, readFloats, spec } from './serving.ts';

export const mib = 1024 ** 2;

/** "input" FP32 [N,4] → "output" = input + `term`. */
export function adder(term: number, more: Partial<GivenVersion> = {}): GivenVersion {
  return {
    bytes: addScalar(term),
    signature: { inputs: [spec('input', 'FP32', [-1, 4])], outputs: [spec('output', 'FP32', [-1, 4])] },
    serving: { maxBatchSize: 1 },
    ...more,
  };
}

/** A request chooses how long it takes: about 0.04 ms for each iteration. */
export function looper(more: Partial<GivenVersion> = {}): GivenVersion {
  return {
    bytes: loop(),
    signature: { inputs: [spec('iterations', 'INT64', [-1, 1])], outputs: [spec('output', 'FP32', [-1, 1])] },
    serving: { maxBatchSize: 1 },
    ...more,
  };
}

/** What each of these small models is taken to need before it is measured, with some to spare. */
export const oneRoom = estimateBytes({ weightBytes: 0, rowBytes: 64 }, { kind: 'cpu', provider: 'cpu', batch: 1 });

export function processor(id: string, rooms: number, index = 0): Device {
  const totalBytes = Math.floor((rooms + 0.5) * oneRoom);
  const reading = { totalBytes, usedBytes: 0, freeBytes: totalBytes, throttle: [], processes: [] };
  return { id, kind: 'cpu', index, name: id, state: 'ready', reading };
}

/** @param rooms of each device, in small models */
export function openMachine(rooms: Record<string, number>) {
  const devices = new Map(Object.entries(rooms).map(([id, count], index) => [id, processor(id, count, index)]));
  return {
    devices: () => [...devices.values()],
    /** A program that is none of ours takes so many rooms. */
    useByOthers(id: string, count: number): void {
      const device = devices.get(id)!;
      const usedBytes = count * oneRoom;
      const freeBytes = device.reading.totalBytes - usedBytes;
      devices.set(id, { ...device, reading: { ...device.reading, usedBytes, freeBytes } });
    },
    setState(id: string, state: Device['state'], reason?: string): void {
      devices.set(id, { ...devices.get(id)!, state, reason });
    },
  };
}

type Serving = Awaited<ReturnType<typeof openServing>>;

/** One request to an `adder`. @returns the first number of the answer */
export async function add({ gateway }: Serving, model: string, value: number, version?: number): Promise<number> {
  const inputs = [floatTensor('input', [1, 4], [value, value, value, value])];
  const [[first]] = (await gateway.infer(gateway.getRoute(model, version), { inputs }, readFloats)) as [[number]];
  return first;
}

/** One request to a `looper`. */
export async function spin({ gateway }: Serving, model: string, iterations: number): Promise<number> {
  const inputs = [int64Tensor('iterations', [1, 1], [iterations])];
  const [[first]] = (await gateway.infer(gateway.getRoute(model), { inputs }, readFloats)) as [[number]];
  return first;
}

/** Reasons of the decisions of one kind, oldest first, as "model:version: reason". */
export function decided({ decisions }: Serving, kind: Parameters<Serving['decisions']['list']>[0]['kind']): string[] {
  return decisions
    .list({ kind, limit: 10_000 })
    .toReversed()
    .map(({ model, version, reason }) => `${model}:${version}: ${reason}`);
}

/** Resolves when it holds. Looks often, because nobody tells. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(5);
}
