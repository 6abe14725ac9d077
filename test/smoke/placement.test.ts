// The executable places versions: eight GPUs played by a stub driver, a software GPU that really computes, versions that end
// when idle and come back when asked for, and an explanation of each decision.
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { dirname, join } from 'node:path';

import type { PlacementPreview } from '../../src/device/placement-views.ts';
import { smallCnn } from '../support/graphs.ts';
import { buildNvmlStub, driver, gib, gpu, hasCompiler } from '../support/nvml.ts';
import { hasSoftwareGpu, softwareDriver } from '../support/software-gpu.ts';
import { Appliance, discard, unpack, until } from './appliance.ts';

interface Listed {
  instances: { model: string; state: string; provider: string; device: string; measured: boolean; pid?: number }[];
}
interface Decisions {
  decisions: { kind: string; model?: string; reason: string }[];
}

let home: string;
const request = JSON.stringify({
  inputs: [{ name: 'image', datatype: 'FP32', shape: [1, 1, 28, 28], data: Array.from({ length: 784 }, () => 0.5) }],
});

beforeAll(async () => {
  home = await unpack();
  await Bun.write(join(home, 'cnn.onnx'), smallCnn());
});

afterAll(() => discard(home));

async function ask(appliance: Appliance, model: string): Promise<number[]> {
  const response = await appliance.fetch(`/v2/models/${model}/infer`, { method: 'POST', body: request });
  expect(response.status).toBe(200);
  return ((await response.json()) as { outputs: { data: number[] }[] }).outputs[0]!.data;
}

const kindsOf = async (appliance: Appliance, model: string) =>
  (await appliance.command<Decisions>('decisions', model)).decisions.map(({ kind }) => kind);

test('an idle version ends after its time, and the next request brings it back', async () => {
  const appliance = await Appliance.start({ home, data: join(home, 'idle') });
  await appliance.command('push', 'cnn', join(home, 'cnn.onnx'));
  const expected = await ask(appliance, 'cnn');
  await appliance.command('place', 'cnn', '--keep-alive', '500ms');
  await until('the instance to end', async () => (await appliance.command<Listed>('ps')).instances.length === 0);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(appliance, 'cnn')));
  for (const answer of answers) expect(answer).toEqual(expected);
  // However many asked, it was started once for all of them.
  const kinds = await kindsOf(appliance, 'cnn');
  expect(kinds.filter((kind) => kind === 'placed')).toHaveLength(2);
  expect(kinds).toContain('evicted');
  expect(await appliance.stop()).toBe(0);
});

test.skipIf(!hasCompiler)(
  'eight GPUs are seen, and without a pack each says why it is passed over (needs cc)',
  async () => {
    const stub = await buildNvmlStub();
    const foreign = { used: 60 * gib };
    stub.play(driver, ...Array.from({ length: 8 }, (_, index) => gpu(`GPU-${index}`, index === 0 ? foreign : {})));
    try {
      const env = { LD_LIBRARY_PATH: dirname(stub.path) };
      const appliance = await Appliance.start({ home, data: join(home, 'gpus'), env });
      const { devices } = await appliance.command<{ devices: { id: string; kind: string }[] }>('devices');
      expect(devices.filter(({ kind }) => kind === 'cuda')).toHaveLength(8);
      await appliance.command('push', 'cnn', join(home, 'cnn.onnx'));
      const [instance] = (await appliance.command<Listed>('ps')).instances;
      expect(instance).toMatchObject({ provider: 'cpu', device: 'cpu', state: 'ready' });
      const preview = await appliance.command<PlacementPreview>('place', 'cnn', '--preview');
      const reasons = preview.passedOver.map(({ reason }) => reason).join(' ');
      expect(preview.passedOver.map(({ provider }) => provider)).toEqual(['tensorrt', 'cuda']);
      expect(reasons).toContain('GPU pack');
      expect(await appliance.stop()).toBe(0);
    } finally {
      stub.remove();
    }
  },
);

test.skipIf(!hasSoftwareGpu)('a version runs on a software GPU as it does on the CPU (needs chromium)', async () => {
  const env = { VK_DRIVER_FILES: softwareDriver };
  const appliance = await Appliance.start({ home, data: join(home, 'webgpu'), args: ['--webgpu', 'on'], env });
  await appliance.command('push', 'cnn', join(home, 'cnn.onnx'));
  const [instance] = (await appliance.command<Listed>('ps')).instances;
  expect(instance).toMatchObject({ provider: 'webgpu', device: 'webgpu:0', state: 'ready', measured: true });
  const onGpu = await ask(appliance, 'cnn');
  await appliance.command('place', 'cnn', '--provider', 'cpu');
  await until('it to move', async () => {
    const { instances } = await appliance.command<Listed>('ps');
    return instances.length === 1 && instances[0]!.provider === 'cpu' && instances[0]!.state === 'ready';
  });
  const onCpu = await ask(appliance, 'cnn');
  onGpu.forEach((value, index) => expect(value).toBeCloseTo(onCpu[index]!, 3));
  expect(await kindsOf(appliance, 'cnn')).toEqual(expect.arrayContaining(['provider', 'measured', 'placed', 'loaded']));
  expect(await appliance.stop()).toBe(0);
});
