// Worlds and wishes for the placement tests: plain ones to vary by hand, and arbitrary ones.
import fc from 'fast-check';

import type { PlacementDevice, Plan, RunningInstance, Target, Wish, World } from '../../src/device/placement-types.ts';

export const gib = 1024 ** 3;
export const nowMs = 1_000_000;
export const cuda: Target = { kind: 'cuda', provider: 'cuda', batch: 8 };
export const tensorrt: Target = { kind: 'cuda', provider: 'tensorrt', batch: 8 };
export const cpu: Target = { kind: 'cpu', provider: 'cpu', batch: 8 };

export function gpu(index: number, fields: Partial<PlacementDevice> = {}): PlacementDevice {
  return {
    id: `GPU-${index}`,
    kind: 'cuda',
    index,
    name: 'NVIDIA H100',
    deviceClass: 'H100',
    state: 'ready',
    capacityBytes: 80 * gib,
    usedByOthersBytes: 0,
    others: [],
    reserveBytes: 0,
    ...fields,
  };
}

export function instance(id: string, version: string, deviceId: string, fields: Partial<RunningInstance> = {}) {
  return {
    id,
    version,
    deviceId,
    ...cuda,
    bytes: 10 * gib,
    leases: 0,
    lastUsedMs: nowMs - 1000,
    loss: 1,
    minFreeBytes: 0,
    pinned: false,
    priority: 0,
    ...fields,
  };
}

export function wish(version: string, fields: Partial<Wish> = {}): Wish {
  return {
    version,
    minInstances: 1,
    maxInstances: Math.max(1, fields.minInstances ?? 1),
    targets: [cuda],
    onePerDevice: false,
    strategy: 'spread',
    priority: 0,
    pinned: false,
    minFreeBytes: 0,
    ...fields,
  };
}

export const footprint = (version: string, sizeGib: number, target: Target = cuda) => ({
  ...target,
  version,
  bytes: sizeGib * gib,
  measured: true,
});

/** The world after the plan was carried out. */
export function carryOut(world: World, plan: Plan, wishes: Wish[]): World {
  const gone = new Set([...plan.evictions, ...plan.lost].map(({ instanceId }) => instanceId));
  const placed = plan.placements.map((placement, index) => {
    const { version, deviceId, bytes, kind, provider, batch } = placement;
    const { priority, pinned, minFreeBytes } = wishes.find((item) => item.version === version)!;
    const fields = { kind, provider, batch, bytes, lastUsedMs: world.nowMs, loss: 0, minFreeBytes, pinned, priority };
    return instance(`new-${index}`, version, deviceId, fields);
  });
  return { ...world, running: [...world.running.filter(({ id }) => !gone.has(id)), ...placed] };
}

const targets = [cuda, tensorrt, cpu];
const versions = ['a/1', 'b/1', 'c/1', 'd/2', 'e/1', 'f/3'];
const small = (max: number) => fc.integer({ min: 0, max });

const devices = fc
  .array(
    fc.record({
      isGpu: fc.integer({ min: 0, max: 3 }).map((value) => value > 0),
      isLost: fc.integer({ min: 0, max: 7 }).map((value) => value === 0),
      capacityBytes: fc.integer({ min: 4, max: 40 }),
      usedByOthersBytes: small(10),
      reserveBytes: small(3),
      deviceClass: fc.constantFrom('big', 'small'),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((list) =>
    list.map(({ isGpu, isLost, ...fields }, index) =>
      gpu(index, { ...fields, kind: isGpu ? 'cuda' : 'cpu', state: isLost ? 'lost' : 'ready' }),
    ),
  );

const running = fc.array(
  fc.record({
    version: fc.constantFrom(...versions),
    place: small(4),
    isTensorrt: fc.boolean(),
    bytes: fc.integer({ min: 1, max: 12 }),
    leases: small(2).map((value) => Math.max(0, value - 1)),
    lastUsedMs: fc.integer({ min: nowMs - 20, max: nowMs }),
    loss: small(6),
    minFreeBytes: small(3),
    pinned: small(4).map((value) => value === 0),
    priority: small(2),
  }),
  { maxLength: 9 },
);

const wishes = fc.uniqueArray(
  fc.record({
    version: fc.constantFrom(...versions),
    minInstances: small(3),
    extra: small(2),
    targets: fc.uniqueArray(fc.constantFrom(...targets), { minLength: 1, maxLength: 3 }),
    deviceIds: fc.option(fc.subarray(['GPU-0', 'GPU-1', 'GPU-9'], { minLength: 1 }), { nil: undefined, freq: 4 }),
    deviceClass: fc.option(fc.constantFrom('big', 'small'), { nil: undefined, freq: 4 }),
    onePerDevice: fc.boolean(),
    strategy: fc.constantFrom('spread' as const, 'pack' as const),
    priority: small(2),
    pinned: small(4).map((value) => value === 0),
    minFreeBytes: small(3),
    keepAliveMs: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
  }),
  { selector: ({ version }) => version, minLength: 1, maxLength: 6 },
);

const footprints = fc.array(
  fc.record({
    version: fc.constantFrom(...versions),
    target: fc.constantFrom(...targets),
    bytes: fc.integer({ min: 1, max: 15 }),
    measured: fc.boolean(),
  }),
  { minLength: 4, maxLength: 30 },
);

/** Sizes are a few bytes, so that devices fill up. */
export const anyCase = fc
  .record({ devices, running, wishes, footprints })
  .map((made): { world: World; wishes: Wish[] } => ({
    world: {
      nowMs,
      devices: made.devices,
      footprints: made.footprints.map(({ target, ...fields }) => ({ ...target, ...fields })),
      running: made.running.map(({ place, isTensorrt, ...fields }, index) => {
        const device = made.devices[place % (made.devices.length + 1)];
        const target = device?.kind === 'cpu' ? cpu : isTensorrt ? tensorrt : cuda;
        return instance(`i${index}`, fields.version, device?.id ?? 'GPU-gone', { ...target, ...fields });
      }),
    },
    wishes: made.wishes.map(({ extra, ...fields }) => ({ ...fields, maxInstances: fields.minInstances + extra })),
  }));
