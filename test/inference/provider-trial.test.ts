// Trials with real providers in child processes: WebGPU on a software GPU, CUDA that lacks its libraries; and the choice.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  chooseProvider,
  compareOutputs,
  type ProviderTrial,
  type TrialRequest,
} from '../../src/inference/provider-trial.ts';
import { type ProviderName, providerNames, toOrt } from '../../src/inference/session.ts';
import { runChild } from '../../src/job/child.ts';
import { prepareNative } from '../../src/native.ts';
import { addScalar, build, node, nonZero, smallCnn, value } from '../support/graphs.ts';
import { hasSoftwareGpu, withVulkan } from '../support/software-gpu.ts';

const squeezenet = join(import.meta.dir, '../../../shared/data/light/light_squeezenet.onnx');

let folder: string;
let nativeFolder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aimass-provider-'));
  nativeFolder = await prepareNative(join(folder, 'native'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function lay(bytes: Uint8Array): string {
  const path = join(folder, `${crypto.randomUUID()}.onnx`);
  writeFileSync(path, bytes);
  return path;
}

function trial(path: string, provider: ProviderName, more: Partial<TrialRequest> = {}): Promise<ProviderTrial> {
  const request = { path, provider, nativeFolder, threads: 1, ...more };
  return runChild('try-provider', request, { timeoutMs: 60_000, memoryBytes: 4 * 1024 ** 3 });
}

function passed(tried: ProviderTrial) {
  if (!tried.ok) throw new Error(tried.reason);
  return { ...tried, assignment: tried.assignment! };
}

function reasonOf(tried: ProviderTrial): string {
  if (tried.ok) throw new Error(`${tried.provider} works here`);
  return tried.reason;
}

/** "in" FP32 [N,8] → Exp → Hardmax → Neg → "out"; the WebGPU provider has no Hardmax. */
function halfSupported(): Uint8Array {
  return build({
    input: [value('in', 'FP32', ['N', 8])],
    output: [value('out', 'FP32', ['N', 8])],
    node: [node('Exp', ['in'], ['a']), node('Hardmax', ['a'], ['b']), node('Neg', ['b'], ['out'])],
  });
}

describe.skipIf(!hasSoftwareGpu)('WebGPU on a software GPU (chromium, libvulkan1)', () => {
  test('all nodes run on it, and the results are those of the CPU', async () => {
    const tried = passed(await withVulkan('software', () => trial(lay(smallCnn()), 'webgpu')));
    expect(tried.assignment).toMatchObject({ cpuNodes: 0, cpuOperators: [], fallbackByNodes: 0, fallbackByTime: 0 });
    // ONNX Runtime fuses Conv and Relu and adds transpositions, but these five must be left.
    expect(tried.assignment.allNodes).toBeGreaterThanOrEqual(5);
    expect(tried).toMatchObject({ provider: 'webgpu', agrees: true });
    // Another order of summing shows; the same numbers to the last bit would mean that it was the CPU after all.
    expect(tried.difference).toBeGreaterThan(0);
    expect(tried.difference).toBeLessThan(1e-4);
    expect(chooseProvider([tried])).toMatchObject({ provider: 'webgpu' });
  });

  test('nodes that fall back to the CPU are found and named', async () => {
    const { assignment, agrees } = passed(await withVulkan('software', () => trial(lay(halfSupported()), 'webgpu')));
    expect(agrees).toBeTrue();
    expect(assignment).toMatchObject({ cpuNodes: 1, allNodes: 3, cpuOperators: ['Hardmax'] });
    expect(assignment.fallbackByNodes).toBeCloseTo(1 / 3, 9);
    expect(assignment.fallbackByTime).toBeGreaterThan(0);
    expect(assignment.fallbackByTime).toBeLessThan(1);
  });

  test('a model of which it computes nothing is left to the CPU, and that is said', async () => {
    const path = lay(nonZero());
    const tried = passed(await withVulkan('software', () => trial(path, 'webgpu')));
    expect(tried.assignment).toMatchObject({ cpuOperators: ['NonZero'], fallbackByNodes: 1 });
    const choice = chooseProvider([tried, await trial(path, 'cpu')]);
    expect(choice.provider).toBe('cpu');
    expect(choice.passedOver.at(-1)!.reason).toContain('all ran on the CPU');
  });
});

test('without a Vulkan driver the reason names what is missing', async () => {
  const reason = reasonOf(await withVulkan('none', () => trial(lay(addScalar(1)), 'webgpu')));
  expect(reason).toContain('no WebGPU adapter');
  expect(reason).toContain('Vulkan driver');
});

test('the CPU passes its own trial, with nothing left behind', async () => {
  const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('aimass-trial-'));
  const before = leftovers();
  const tried = passed(await trial(lay(smallCnn()), 'cpu'));
  expect(tried).toMatchObject({ difference: 0, agrees: true });
  expect(tried.assignment.fallbackByNodes).toBe(1);
  expect(tried.assignment.fallbackByTime).toBeGreaterThan(0);
  expect(chooseProvider([tried])).toMatchObject({ provider: 'cpu', problem: undefined });
  expect(leftovers().filter((name) => !before.includes(name))).toEqual([]);
});

test.skipIf(!existsSync(squeezenet))('SqueezeNet: every node of the real graph is counted', async () => {
  const { assignment } = passed(await trial(squeezenet, 'cpu'));
  // 26 convolutions, the activations of most fused into them.
  expect(assignment.allNodes).toBeGreaterThan(26);
  expect(assignment.cpuNodes).toBe(assignment.allNodes);
});

test('a model that not even the CPU can run is an error', async () => {
  const unknown = build({
    input: [value('in', 'FP32', [1])],
    output: [value('out', 'FP32', [1])],
    node: [node('NoSuchOperator', ['in'], ['out'])],
  });
  const error = await trial(lay(unknown), 'cpu').catch((thrown: unknown) => thrown);
  expect(String(error)).toContain('NoSuchOperator');
});

describe('CUDA without what it needs', () => {
  test.each(['cuda', 'tensorrt'] as const)('%s: without the GPU pack', async (provider) => {
    expect(reasonOf(await trial(lay(addScalar(1)), provider))).toContain('GPU pack is not installed');
  });

  test.skipIf(Bun.which('cc') === null)(
    'with a pack, but without a CUDA library: it is named with its package',
    async () => {
      const packed = join(folder, 'packed');
      mkdirSync(packed);
      for (const name of readdirSync(nativeFolder)) symlinkSync(join(nativeFolder, name), join(packed, name));
      // Of a release that no machine has.
      const cudart = join(folder, 'libcudart.so.99');
      const compile = (target: string, ...more: string[]) =>
        Bun.$`echo 'void Provider_SetHost(void *host) { (void)host; }' | cc -shared -fPIC -x c - -x none -Wl,--no-as-needed -o ${target} ${more}`.quiet();
      await compile(cudart, '-Wl,-soname,libcudart.so.99');
      await compile(join(packed, 'libonnxruntime_providers_shared.so'));
      await compile(join(packed, 'libonnxruntime_providers_cuda.so'), cudart);
      rmSync(cudart);
      const reason = reasonOf(await trial(lay(addScalar(1)), 'cuda', { nativeFolder: packed }));
      expect(reason).toStartWith('The library libcudart.so.99 (in cuda-cudart-99-0');
    },
  );
});

describe('choice', () => {
  const good = (provider: ProviderName): ProviderTrial => ({
    provider,
    ok: true,
    assignment: { cpuNodes: 0, allNodes: 9, cpuOperators: [], fallbackByNodes: 0, fallbackByTime: 0 },
    loadMs: 1,
    runMs: 1,
    difference: 0.001,
    agrees: true,
  });
  const bad = (provider: ProviderName): ProviderTrial => ({ provider, ok: false, reason: `no ${provider}.` });

  test('the best that works, with a reason for each better one', () => {
    for (const [at, provider] of providerNames.entries()) {
      const trials = providerNames.map((name, i) => (i < at ? bad(name) : good(name)));
      expect(chooseProvider(trials.toReversed())).toEqual({
        provider,
        passedOver: providerNames.slice(0, at).map((name) => ({ provider: name, reason: `no ${name}.` })),
        problem: undefined,
      });
    }
  });

  test('one that gives other results is passed over; so is one that was not tried', () => {
    const wrong: ProviderTrial = { ...good('cuda'), ok: true, difference: 0.3, agrees: false } as ProviderTrial;
    const { provider, passedOver } = chooseProvider([wrong, good('webgpu')]);
    expect(provider).toBe('webgpu');
    expect(passedOver.map(({ reason }) => reason)).toEqual([
      'It was not tried.',
      expect.stringContaining('differ by 30 %'),
    ]);
  });

  test('a pin wins, and its failure is said', () => {
    expect(chooseProvider([good('cuda'), good('cpu')], 'cpu')).toEqual({ provider: 'cpu', passedOver: [] });
    expect(chooseProvider([bad('cuda'), good('cpu')], 'cuda')).toMatchObject({ provider: 'cuda', problem: 'no cuda.' });
  });

  test('when nothing works the CPU is left, and its problem is said', () => {
    const choice = chooseProvider(providerNames.map(bad));
    expect(choice).toMatchObject({ provider: 'cpu', problem: 'no cpu.' });
    expect(choice.passedOver).toHaveLength(3);
  });
});

describe('comparing outputs', () => {
  const floats = (...values: number[]) =>
    toOrt('FP32', [values.length], new Uint8Array(Float32Array.of(...values).buffer));
  const longs = (...values: bigint[]) =>
    toOrt('INT64', [values.length], new Uint8Array(BigInt64Array.of(...values).buffer));
  const compare = (actual: ReturnType<typeof floats>, expected: ReturnType<typeof floats>) =>
    compareOutputs({ out: actual }, { out: expected });

  test('differences are in parts of the largest value', () => {
    expect(compare(floats(0, 100), floats(0.5, 100))).toEqual({ difference: 0.005, agrees: true });
    expect(compare(floats(0, 97), floats(0, 100))).toMatchObject({ difference: 0.03, agrees: false });
  });

  test('not a number agrees with itself only', () => {
    expect(compare(floats(NaN, Infinity), floats(NaN, Infinity))).toEqual({ difference: 0, agrees: true });
    expect(compare(floats(NaN, 1), floats(1, 1))).toEqual({ difference: 1, agrees: false });
    expect(compare(floats(1, 1), floats(NaN, 1))).toEqual({ difference: 1, agrees: false });
    expect(compare(floats(Infinity), floats(1))).toEqual({ difference: 1, agrees: false });
  });

  test('whole numbers are the same or not; other shapes are all different', () => {
    expect(compare(longs(1n, 2n, 3n, 4n), longs(1n, 2n, 3n, 5n))).toEqual({ difference: 0.25, agrees: false });
    expect(compare(floats(1, 1), floats(1))).toEqual({ difference: 1, agrees: false });
  });
});
