// Placement through a whole appliance: on a GPU in software, and on GPUs that a stand-in for NVIDIA's library plays.
import { describe, expect, test } from 'bun:test';

import type { Decision } from '../src/device/decisions.ts';
import type { PlacementOverview, PlacementPreview } from '../src/device/placement-views.ts';
import type { InstanceStatus } from '../src/inference/instance-status.ts';
import { startAppliance } from './http/api/appliance.ts';
import { addScalar, build, floats, node, value } from './support/graphs.ts';
import { until } from './support/machine.ts';
import { buildNvmlStub, driver, gib, gpu, hasCompiler } from './support/nvml.ts';
import { hasSoftwareGpu, withVulkan } from './support/software-gpu.ts';
import { hasPython, runPython } from './task/python.ts';

type Appliance = Awaited<ReturnType<typeof startAppliance>>;

const octets = { 'content-type': 'application/octet-stream' };

/** @param placement wishes that hold before it is loaded */
async function push(appliance: Appliance, model: string, bytes: Uint8Array, placement = {}): Promise<void> {
  const stored = await appliance.ask('POST', `/api/v1/models/${model}/versions?load=false`, bytes, octets);
  expect(stored.status).toBe(201);
  expect((await appliance.ask('PATCH', `/api/v1/models/${model}/placement`, placement)).status).toBe(200);
  expect(await appliance.ask('POST', `/v2/repository/models/${model}/load`)).toMatchObject({ status: 200 });
}

async function infer(appliance: Appliance, model: string, shape: number[], data: number[]): Promise<number[]> {
  const inputs = [{ name: 'input', datatype: 'FP32', shape, data }];
  const { body } = await appliance.ask<{ outputs?: { data: number[] }[] }>('POST', `/v2/models/${model}/infer`, {
    inputs,
  });
  expect(body).toHaveProperty('outputs');
  return body.outputs![0]!.data;
}

async function decisionsOf({ ask }: Appliance, query: string): Promise<string[]> {
  const { body } = await ask<{ decisions: Decision[] }>('GET', `/api/v1/placement/decisions?${query}`);
  return body.decisions
    .toReversed()
    .map(({ kind, model, deviceId, reason }) => `${kind} ${model} ${deviceId}: ${reason}`);
}

const instancesOf = async ({ ask }: Appliance) =>
  (await ask<{ instances: InstanceStatus[] }>('GET', '/api/v1/instances')).body.instances;
const overviewOf = async ({ ask }: Appliance) => (await ask<PlacementOverview>('GET', '/api/v1/placement')).body;

interface Digits {
  layers: { weights: number[][]; bias: number[] }[];
  /** 8 × 8 pixels each, not seen in training. */
  images: number[][];
  digits: number[];
}

/** A classifier of handwritten digits, trained by scikit-learn. */
const trainDigits = () =>
  runPython<Digits>(`
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
images, digits = load_digits(return_X_y=True)
images = images / 16
model = MLPClassifier((32,), max_iter=60, random_state=0).fit(images[:1500], digits[:1500])
layers = [{'weights': w.tolist(), 'bias': b.tolist()} for w, b in zip(model.coefs_, model.intercepts_)]
print(json.dumps({'layers': layers, 'images': images[1500:1600].tolist(), 'digits': model.predict(images[1500:1600]).tolist()}))
`);

function digitsModel({ layers: [hidden, last] }: Digits): Uint8Array {
  return build({
    input: [value('input', 'FP32', ['N', 64])],
    output: [value('scores', 'FP32', ['N', 10])],
    initializer: [
      floats('hidden.weights', [64, 32], hidden!.weights.flat()),
      floats('hidden.bias', [32], hidden!.bias),
      floats('last.weights', [32, 10], last!.weights.flat()),
      floats('last.bias', [10], last!.bias),
    ],
    node: [
      node('Gemm', ['input', 'hidden.weights', 'hidden.bias'], ['hidden']),
      node('Relu', ['hidden'], ['active']),
      node('Gemm', ['active', 'last.weights', 'last.bias'], ['scores']),
    ],
  });
}

const largestOf = (scores: number[]) => scores.indexOf(Math.max(...scores));

describe.skipIf(!hasSoftwareGpu || !hasPython('sklearn'))(
  'on a GPU in software (chromium, libvulkan1, python3-sklearn)',
  () => {
    test(
      'a real model is tried, measured, placed, answers as on the processor, and makes room for another',
      () =>
        withVulkan('software', async () => {
          await using appliance = await startAppliance({ webgpu: 'on' });
          const trained = await trainDigits();
          const model = digitsModel(trained);
          await push(appliance, 'onGpu', model);
          await push(appliance, 'onCpu', model, { provider: 'cpu' });
          for (const [i, image] of trained.images.entries()) {
            const [given, expected] = await Promise.all(
              ['onGpu', 'onCpu'].map((name) => infer(appliance, name, [1, 64], image)),
            );
            expect(largestOf(given!)).toBe(trained.digits[i]!);
            for (const [at, score] of given!.entries()) expect(score).toBeCloseTo(expected![at]!, 3);
          }

          expect(await instancesOf(appliance)).toMatchObject([
            { model: 'onGpu', device: 'webgpu:0', provider: 'webgpu', measured: true },
            { model: 'onCpu', device: 'cpu', provider: 'cpu' },
          ]);
          expect(await decisionsOf(appliance, 'model=onGpu')).toEqual([
            expect.stringContaining('placed onGpu webgpu:0: on WebGPU adapter'),
            expect.stringMatching(/^provider onGpu webgpu:0: webgpu on WebGPU adapter computes it rightly/),
            expect.stringMatching(/^measured onGpu webgpu:0: takes \d+ MiB on WebGPU adapter at batch \d+/),
            expect.stringContaining('loaded onGpu webgpu:0: ready after'),
          ]);
          const { accounts, holdings } = await overviewOf(appliance);
          const adapter = accounts.find(({ deviceId }) => deviceId === 'webgpu:0')!;
          const held = holdings.find((each) => each.model === 'onGpu')!;
          expect(held.bytes).toBeGreaterThan(10e6);
          expect(adapter.heldBytes).toBe(held.bytes);

          // So much must stay free beside the next one that the first has to go.
          const minFreeBytes = adapter.availableBytes + adapter.reserveBytes - held.bytes / 2;
          await push(appliance, 'add', addScalar(1), { minFreeBytes, provider: 'webgpu' });
          expect(await infer(appliance, 'add', [1, 4], [1, 2, 3, 4])).toEqual([2, 3, 4, 5]);
          expect((await instancesOf(appliance)).map(({ model: name, device }) => [name, device])).toEqual([
            ['onCpu', 'cpu'],
            ['add', 'webgpu:0'],
          ]);
          expect(await decisionsOf(appliance, 'kind=evicted')).toEqual([
            expect.stringContaining(
              'evicted onGpu webgpu:0: makes room for add:1, the least used for its size on WebGPU',
            ),
          ]);
        }),
      60_000,
    );
  },
);

describe.skipIf(!hasCompiler)('on GPUs that are played (need cc)', () => {
  test(
    'without the GPU pack a model is served from the processor, and the reason is told',
    () =>
      withVulkan('none', async () => {
        const stub = await buildNvmlStub();
        try {
          stub.play(driver, gpu('GPU-0', { name: 'NVIDIA_T4', total: 16 * gib }));
          await using appliance = await startAppliance({}, { nvmlPath: stub.path });
          await push(appliance, 'add', addScalar(1));
          expect(await infer(appliance, 'add', [1, 4], [1, 2, 3, 4])).toEqual([2, 3, 4, 5]);
          expect(await instancesOf(appliance)).toMatchObject([{ device: 'cpu', provider: 'cpu' }]);
          const tried = await decisionsOf(appliance, 'kind=provider');
          for (const provider of ['tensorrt', 'cuda']) {
            const line = tried.find((each) =>
              each.startsWith(`provider add GPU-0: ${provider} on NVIDIA T4 is passed over`),
            );
            expect(line).toContain('The GPU pack is not installed');
          }
          const { body } = await appliance.ask<PlacementPreview>('POST', '/api/v1/placement/preview', { model: 'add' });
          expect(body.ways.map(({ provider }) => provider)).toEqual(['cpu']);
          expect(body.passedOver.map(({ provider }) => provider)).toEqual(['tensorrt', 'cuda', 'webgpu']);
          const { accounts } = await overviewOf(appliance);
          expect(accounts.find(({ deviceId }) => deviceId === 'GPU-0')).toMatchObject({ heldBytes: 0 });
        } finally {
          stub.remove();
        }
      }),
    60_000,
  );

  test('one that vanishes is reported, and nothing is planned on it', async () => {
    const stub = await buildNvmlStub();
    try {
      stub.play(driver, gpu('GPU-0'), gpu('GPU-1'));
      await using appliance = await startAppliance({}, { nvmlPath: stub.path });
      await push(appliance, 'add', addScalar(1), { provider: 'cpu' });
      stub.play(driver, gpu('GPU-0'), gpu('GPU-1', { lost: 15 }));
      const states = async () => {
        const { body } = await appliance.ask<{ devices: { id: string; state: string }[] }>('GET', '/api/v1/devices');
        return new Map(body.devices.map(({ id, state }) => [id, state]));
      };
      await until(async () => (await states()).get('GPU-1') === 'lost');
      expect((await states()).get('GPU-0')).toBe('ready');
      const settings = { provider: 'cuda', deviceIds: ['GPU-1'] };
      const { body } = await appliance.ask<PlacementPreview>('POST', '/api/v1/placement/preview', {
        model: 'add',
        settings,
      });
      expect(body.placements).toEqual([]);
      expect(body.refusals).toMatchObject([{ reason: expect.stringMatching(/^lost: NVIDIA H100.* #1/) }]);
      const { accounts } = await overviewOf(appliance);
      expect(accounts.find(({ deviceId }) => deviceId === 'GPU-1')).toMatchObject({ availableBytes: 0 });
      expect(await infer(appliance, 'add', [1, 4], [1, 2, 3, 4])).toEqual([2, 3, 4, 5]);
    } finally {
      stub.remove();
    }
  }, 60_000);
});
