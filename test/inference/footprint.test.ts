// What instances take, measured on real models in children of their own, and read from a stand-in for NVIDIA's driver.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Device } from '../../src/device/device.ts';
import { footprintOf } from '../../src/device/footprint.ts';
import {
  bytesTaken,
  type FootprintRequest,
  type MeasuredFootprint,
  measureFootprint,
  modelSize,
} from '../../src/inference/footprint.ts';
import { inspectModel } from '../../src/inference/inspect.ts';
import { runChild } from '../../src/job/child.ts';
import { prepareNative } from '../../src/native.ts';
import type { TensorSpec } from '../../src/types.ts';
import { build, floats, int64s, node, smallCnn, value } from '../support/graphs.ts';
import { buildNvmlStub, driver, gib, gpu, hasCompiler, type NvmlStub } from '../support/nvml.ts';
import { hasSoftwareGpu, withVulkan } from '../support/software-gpu.ts';

const resnet = join(import.meta.dir, '../../../shared/data/light/light_resnet50.onnx');
const mib = 1024 ** 2;

let folder: string;
let nativeFolder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aimass-footprint-'));
  nativeFolder = await prepareNative(join(folder, 'native'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function lay(bytes: Uint8Array): string {
  const path = join(folder, `${crypto.randomUUID()}.onnx`);
  writeFileSync(path, bytes);
  return path;
}

const request = (path: string, more: Partial<FootprintRequest> = {}): FootprintRequest => ({
  path,
  provider: 'cpu',
  batch: 1,
  nativeFolder,
  threads: 1,
  ...more,
});

function measure(path: string, more: Partial<FootprintRequest> = {}): Promise<MeasuredFootprint> {
  return runChild('footprint', request(path, more), { timeoutMs: 60_000, memoryBytes: 4 * 1024 ** 3 });
}

/** "in" FP32 [N,side] times a square matrix of weights. */
function dense(side: number): Uint8Array {
  const weights = new Float32Array(side * side).map((_, i) => (i % 7) / 7);
  return build({
    input: [value('in', 'FP32', ['N', side])],
    output: [value('out', 'FP32', ['N', side])],
    initializer: [floats('weights', [side, side], weights)],
    node: [node('MatMul', ['in', 'weights'], ['out'])],
  });
}

describe('on the CPU', () => {
  test('the weights are in it', async () => {
    const path = lay(dense(4096));
    const one = await measure(path);
    expect(one.modelBytes).toBeGreaterThan(64 * mib);
    // The file, the weights and their packed copy at once; more would be a leak of the measurement itself.
    expect(one.modelBytes).toBeLessThan(4 * 64 * mib);
    expect(one.hostBytes).toBeGreaterThan(one.modelBytes);
    expect(one.bytes).toBe(one.hostBytes);
    expect(one.assumedSize).toBeUndefined();
  });

  test('what the largest batch needs is in it', async () => {
    const path = lay(smallCnn());
    const one = await measure(path);
    const many = await measure(path, { batch: 1024 });
    // The first convolution's output alone.
    expect(many.modelBytes - one.modelBytes).toBeGreaterThan(1024 * 16 * 28 * 28 * 4);
  });

  test('the error of the estimate follows from it', async () => {
    const path = lay(dense(4096));
    const [{ facts, signature }, { bytes }] = await Promise.all([inspectModel(path, { nativeFolder }), measure(path)]);
    const target = { kind: 'cpu', provider: 'cpu', batch: 1 } as const;
    const { estimateError, estimatedBytes } = footprintOf('a', target, modelSize(facts, signature), bytes);
    expect(estimateError!).toBeCloseTo(estimatedBytes / bytes - 1, 9);
    expect(Math.abs(estimateError!)).toBeLessThan(1);
  });

  test('sizes that the model leaves open are guessed large, and told', async () => {
    const free = build({
      input: [value('a', 'FP32', ['N', 'length']), value('b', 'FP32', ['length', 'N'])],
      output: [value('out', 'FP32', ['N', 'N'])],
      node: [node('MatMul', ['a', 'b'], ['out'])],
    });
    expect(await measure(lay(free), { batch: 4 })).toMatchObject({ assumedSize: 224 });
  });

  test.skipIf(!existsSync(resnet))('ResNet-50: at least its 25.5 million weights', async () => {
    const { modelBytes, loadMs, runMs } = await measure(resnet);
    expect(modelBytes).toBeGreaterThan(25.5e6 * 4);
    expect(loadMs).toBeGreaterThan(0);
    expect(runMs).toBeGreaterThan(0);
  });

  test('a model that takes no made-up input is refused with a reason', async () => {
    const reshape = build({
      input: [value('in', 'FP32', ['N', 3])],
      output: [value('out', 'FP32', [7, 5])],
      initializer: [int64s('shape', [2], [7, 5])],
      node: [node('Reshape', ['in', 'shape'], ['out'])],
    });
    const error = await measure(lay(reshape)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'model_failed' });
  });
});

test.skipIf(!hasSoftwareGpu)('WebGPU on a software GPU needs more of the host than the CPU does', async () => {
  const path = lay(smallCnn());
  const [onCpu, onGpu] = await withVulkan('software', async () => [
    await measure(path),
    await measure(path, { provider: 'webgpu' }),
  ]);
  expect(onGpu.hostBytes).toBeGreaterThan(onCpu.hostBytes);
  expect(onGpu.bytes).toBe(onGpu.hostBytes);
});

describe.skipIf(!hasCompiler)('a GPU', () => {
  let stub: NvmlStub;
  beforeAll(async () => {
    stub = await buildNvmlStub();
  });
  afterAll(() => stub.remove());

  test('what its driver tells of the process counts', async () => {
    const fields = { used: 10 * gib };
    const other = `process gpu=1 pid=4711 used=${4 * gib} name=other`;
    stub.play(
      driver,
      gpu('GPU-0'),
      gpu('GPU-1', fields),
      `process gpu=1 pid=${process.pid} used=${3 * gib} name=x`,
      other,
    );
    const model = { deviceId: 'GPU-1', nvmlPath: stub.path };
    const { bytes, hostBytes } = await measureFootprint(request(lay(smallCnn()), model));
    expect(bytes).toBe(3 * gib);
    expect(hostBytes).toBeLessThan(3 * gib);
  });

  test('one that is not there, or lost, is an error before anything is loaded', async () => {
    stub.play(driver, gpu('GPU-0', { lost: 15 }));
    for (const deviceId of ['GPU-0', 'GPU-9', undefined]) {
      const cuda = { provider: 'cuda', deviceId, nvmlPath: stub.path } as const;
      const error = await measureFootprint(request('/nonexistent.onnx', cuda)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'unavailable' });
    }
  });
});

test('where a driver does not tell of the process, what came to be used counts', () => {
  const device = (usedBytes: number, ofProcess?: number): Device => ({
    id: 'GPU-0',
    kind: 'cuda',
    index: 0,
    name: 'GPU',
    state: 'ready',
    reading: {
      totalBytes: 80 * gib,
      usedBytes,
      freeBytes: 80 * gib - usedBytes,
      throttle: [],
      processes: ofProcess === undefined ? [] : [{ pid: 42, name: 'x', usedBytes: ofProcess, own: true }],
    },
  });
  expect(bytesTaken(device(gib), device(5 * gib, 2 * gib), 42)).toBe(2 * gib);
  expect(bytesTaken(device(gib), device(5 * gib, 0), 42)).toBe(4 * gib);
  expect(bytesTaken(device(gib), device(5 * gib, 2 * gib), 43)).toBe(4 * gib);
  expect(bytesTaken(device(5 * gib), device(gib), 42)).toBe(0);
});

test('the size of a model for an estimate: weights, and one row of inputs and outputs', async () => {
  const { facts, signature } = await inspectModel(lay(smallCnn()), { nativeFolder });
  expect(modelSize(facts, signature)).toEqual({ weightBytes: 20_490 * 4, rowBytes: (784 + 10) * 4 });
  const text: TensorSpec = { name: 'text', datatype: 'BYTES', shape: [-1, -1] };
  expect(modelSize(facts, { inputs: [text], outputs: [] }).rowBytes).toBe(224 * 32);
});
