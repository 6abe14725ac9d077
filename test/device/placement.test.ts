import { describe, expect, test } from 'bun:test';

import type { World } from '../../src/device/placement-types.ts';
import { plan } from '../../src/device/placement.ts';
import { cpu, cuda, footprint, gib, gpu, instance, nowMs, tensorrt, wish } from './worlds.ts';

const world = (fields: Partial<World>): World => ({ nowMs, devices: [], running: [], footprints: [], ...fields });
const placesOf = ({ placements }: ReturnType<typeof plan>) => placements.map(({ deviceId }) => deviceId);
const evictedBy = ({ evictions }: ReturnType<typeof plan>) => evictions.map(({ instanceId }) => instanceId);

describe('where', () => {
  test('spread takes different devices, pack fills one', () => {
    const running = [instance('x', 'other/1', 'GPU-1', { bytes: 30 * gib })];
    const here = world({ devices: [gpu(0), gpu(1), gpu(2)], running, footprints: [footprint('a/1', 10)] });
    expect(placesOf(plan(here, [wish('a/1', { minInstances: 3 })])).sort()).toEqual(['GPU-0', 'GPU-1', 'GPU-2']);
    const packed = plan(here, [wish('a/1', { minInstances: 3, strategy: 'pack' })]);
    expect(placesOf(packed)).toEqual(['GPU-1', 'GPU-1', 'GPU-1']);
  });

  test('a GPU is worth the eviction of an idle instance before the processor is taken', () => {
    const devices = [gpu(0), gpu(0, { id: 'cpu', kind: 'cpu', name: 'AMD EPYC 9354' })];
    const footprints = [footprint('a/1', 20), footprint('a/1', 25, cpu)];
    const wished = [wish('a/1', { targets: [cuda, cpu] })];
    const idle = instance('x', 'other/1', 'GPU-0', { bytes: 70 * gib });
    const onGpu = plan(world({ devices, footprints, running: [idle] }), wished);
    expect(placesOf(onGpu)).toEqual(['GPU-0']);
    expect(onGpu.placements[0]!.after).toEqual(['x']);
    const onCpu = plan(world({ devices, footprints, running: [{ ...idle, leases: 1 }] }), wished);
    expect(placesOf(onCpu)).toEqual(['cpu']);
    expect(onCpu.evictions).toEqual([]);
  });

  test('a needed instance of lower priority is displaced only when nothing else helps, and moves', () => {
    const devices = [gpu(0), gpu(1, { capacityBytes: 40 * gib })];
    const running = [instance('low', 'low/1', 'GPU-0', { bytes: 30 * gib })];
    const footprints = [footprint('high/1', 60), footprint('low/1', 30)];
    const result = plan(world({ devices, running, footprints }), [wish('low/1'), wish('high/1', { priority: 5 })]);
    expect(evictedBy(result)).toEqual(['low']);
    expect(result.evictions[0]!.reason).toContain('high/1, which has a higher priority');
    expect(result.placements.map(({ version, deviceId }) => `${version} ${deviceId}`)).toEqual([
      'high/1 GPU-0',
      'low/1 GPU-1',
    ]);
  });

  test('each version gets its first instance before any gets its second', () => {
    const footprints = [footprint('a/1', 40), footprint('b/1', 40)];
    const wishes = [wish('a/1', { minInstances: 2 }), wish('b/1', { minInstances: 2 })];
    const result = plan(world({ devices: [gpu(0)], footprints }), wishes);
    expect(result.placements.map(({ version }) => version)).toEqual(['a/1', 'b/1']);
    expect(result.refusals.map(({ version, missing }) => [version, missing])).toEqual([
      ['a/1', 1],
      ['b/1', 1],
    ]);
  });

  test('a measured footprint counts before an estimated one', () => {
    const footprints = [footprint('a/1', 10), { ...footprint('a/1', 90), measured: false }];
    expect(plan(world({ devices: [gpu(0)], footprints }), [wish('a/1')]).placements[0]!.bytes).toBe(10 * gib);
  });
});

describe('what goes', () => {
  test('the instance that is least used for its size', () => {
    const running = [
      instance('big', 'big/1', 'GPU-0', { bytes: 40 * gib, loss: 2 }),
      instance('small', 'small/1', 'GPU-0', { bytes: 10 * gib, loss: 1 }),
      instance('busy', 'busy/1', 'GPU-0', { bytes: 30 * gib, loss: 9 }),
    ];
    const here = world({ devices: [gpu(0)], running, footprints: [footprint('a/1', 10)] });
    expect(evictedBy(plan(here, [wish('a/1')]))).toEqual(['big']);
  });

  test('an idle instance above the minimum after its keep-alive, the rest stays', () => {
    const running = [0, 1, 2].map((index) =>
      instance(`i${index}`, 'a/1', 'GPU-0', { lastUsedMs: nowMs - 1000 * index, leases: index === 2 ? 1 : 0 }),
    );
    const wished = wish('a/1', { minInstances: 1, maxInstances: 3, keepAliveMs: 1000 });
    const result = plan(world({ devices: [gpu(0)], running }), [wished]);
    expect(evictedBy(result)).toEqual(['i1']);
    expect(result.evictions[0]!.reason).toBe('idle for 1 s, kept for 1 s');
    expect(evictedBy(plan(world({ devices: [gpu(0)], running }), [{ ...wished, pinned: true }]))).toEqual([]);
  });

  test('more than the maximum, idle ones first', () => {
    const running = ['a', 'b', 'c'].map((id) => instance(id, 'm/1', 'GPU-0', { leases: id === 'c' ? 1 : 0 }));
    expect(evictedBy(plan(world({ devices: [gpu(0)], running }), [wish('m/1')]))).toEqual(['a', 'b']);
  });

  test('an instance that no longer fits its wish goes once it is replaced, and serves until then', () => {
    const running = [instance('old', 'a/1', 'GPU-0')];
    const wished = [wish('a/1', { targets: [tensorrt] })];
    const devices = [gpu(0)];
    const replaced = plan(world({ devices, running, footprints: [footprint('a/1', 10, tensorrt)] }), wished);
    expect(evictedBy(replaced)).toEqual(['old']);
    expect(replaced.placements[0]).toMatchObject({ provider: 'tensorrt', after: [] });
    const tooBig = plan(world({ devices, running, footprints: [footprint('a/1', 90, tensorrt)] }), wished);
    expect(evictedBy(tooBig)).toEqual([]);
    expect(tooBig.refusals[0]!.missing).toBe(1);
  });

  test('all on a lost device, in use or pinned, and it is placed anew', () => {
    const devices = [gpu(0, { state: 'lost', stateReason: 'fell off the bus' }), gpu(1)];
    const running = [instance('x', 'a/1', 'GPU-0', { leases: 3, pinned: true })];
    const result = plan(world({ devices, running, footprints: [footprint('a/1', 10)] }), [wish('a/1')]);
    expect(result.lost.map(({ instanceId, reason }) => [instanceId, reason])).toEqual([
      ['x', 'NVIDIA H100 #0 is lost: fell off the bus'],
    ]);
    expect(placesOf(result)).toEqual(['GPU-1']);
  });
});

describe('why not', () => {
  const refusal = (fields: Partial<World>, wished = wish('a/1')) => plan(world(fields), [wished]).refusals[0];
  const python = { pid: 4711, name: 'python', usedBytes: 60 * gib };

  test('memory: who holds it on the freest device', () => {
    const devices = [0, 1, 2].map((index) =>
      gpu(index, {
        capacityBytes: index === 2 ? 80 * gib : 70 * gib,
        usedByOthersBytes: 60 * gib,
        others: [python],
        reserveBytes: gib,
      }),
    );
    const running = [instance('r', 'bert/3', 'GPU-2', { pinned: true, bytes: 9.9 * gib })];
    expect(refusal({ devices, running, footprints: [footprint('a/1', 12.36)] })).toEqual({
      version: 'a/1',
      missing: 1,
      reason:
        'needs 12.4 GiB; the freest CUDA GPU, NVIDIA H100 #2, has 9.1 GiB, because 60 GiB are held by other programs ' +
        '(python, pid 4711) and 9.9 GiB are held by instances that must stay (bert/3: pinned) and 1 GiB must stay free',
      hint: 'End the other programs.',
    });
  });

  test('memory: what is in use, an estimate, and a device that is too small altogether', () => {
    const running = [instance('r', 'bert/3', 'GPU-0', { leases: 1, bytes: 70 * gib })];
    const estimated = { ...footprint('a/1', 20), measured: false };
    expect(refusal({ devices: [gpu(0)], running, footprints: [estimated] })).toMatchObject({
      reason:
        'needs 20 GiB (estimated); NVIDIA H100 #0 has 10 GiB, because 70 GiB are held by instances that must stay ' +
        '(bert/3: in use)',
      hint: 'Try again when they are idle, or unload one of them.',
    });
    expect(refusal({ devices: [gpu(0)], footprints: [footprint('a/1', 90)] })).toMatchObject({
      reason: 'needs 90 GiB; NVIDIA H100 #0 has 80 GiB in all',
      hint: 'Use a smaller batch or a device with more memory.',
    });
  });

  test('no such device, a lost one, one for each taken, an unknown footprint', () => {
    const footprints = [footprint('a/1', 10)];
    expect(refusal({ footprints })!.reason).toBe('there is no CUDA GPU');
    const elsewhere = wish('a/1', { deviceIds: ['GPU-7'], deviceClass: 'A100' });
    expect(refusal({ devices: [gpu(0)], footprints }, elsewhere)!.reason).toBe(
      'there is no CUDA GPU with the id GPU-7 of the class A100',
    );
    const lost = gpu(0, { state: 'lost', stateReason: 'XID 79' });
    expect(refusal({ devices: [lost], footprints })!.reason).toBe('lost: NVIDIA H100 #0 (XID 79)');
    const replicas = wish('a/1', { minInstances: 3, onePerDevice: true });
    expect(refusal({ devices: [gpu(0), gpu(1)], footprints }, replicas)).toMatchObject({ missing: 1 });
    expect(refusal({ devices: [gpu(0), gpu(1)], footprints }, replicas)!.reason).toContain('one instance for each');
    expect(refusal({ devices: [gpu(0)] })!.reason).toContain('with cuda at batch 8 is not known');
  });

  test('contradictory wishes are an error', () => {
    expect(() => plan(world({}), [wish('a/1'), wish('a/1')])).toThrow('Two wishes for a/1');
    expect(() => plan(world({}), [wish('a/1', { minInstances: 2, maxInstances: 1 })])).toThrow('at least 2');
  });
});
