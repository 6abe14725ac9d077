// What must hold for every plan, whatever the world and the wishes.
import { expect, test } from 'bun:test';

import fc from 'fast-check';

import type { RunningInstance, Target, Wish, World } from '../../src/device/placement-types.ts';
import { plan } from '../../src/device/placement.ts';
import { anyCase, carryOut } from './worlds.ts';

const runs = { numRuns: 1500 };

function always(check: (world: World, wishes: Wish[]) => void): void {
  fc.assert(
    fc.property(anyCase, ({ world, wishes }) => check(world, wishes)),
    runs,
  );
}

const same = (a: Target, b: Target) => a.kind === b.kind && a.provider === b.provider && a.batch === b.batch;
const deviceOf = (world: World, id: string) => world.devices.find((device) => device.id === id);
const wishFor = (wishes: Wish[], version: string) => wishes.find((wish) => wish.version === version);

/** Written independently of the planner: is this instance one that the wish asks for? */
function fits(world: World, wish: Wish, { deviceId, ...target }: { deviceId: string } & Target): boolean {
  const device = deviceOf(world, deviceId);
  return (
    device?.state === 'ready' &&
    (!wish.deviceIds || wish.deviceIds.includes(deviceId)) &&
    (!wish.deviceClass || wish.deviceClass === device.deviceClass) &&
    wish.targets.some((wanted) => same(wanted, target))
  );
}

function usable(world: World, deviceId: string, running: RunningInstance[], minFree = 0): number {
  const device = deviceOf(world, deviceId)!;
  const on = running.filter((item) => item.deviceId === deviceId);
  const kept = Math.max(device.reserveBytes, minFree, ...on.map(({ minFreeBytes }) => minFreeBytes));
  return device.capacityBytes - device.usedByOthersBytes - kept - on.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Those of a version that fit its wish, as many as count: one a device where that is wished. */
function held(world: World, wish: Wish): number {
  const fitting = world.running.filter((item) => item.version === wish.version && fits(world, wish, item));
  return wish.onePerDevice ? new Set(fitting.map(({ deviceId }) => deviceId)).size : fitting.length;
}

test('a device that gets an instance is never oversold', () => {
  always((world, wishes) => {
    const result = plan(world, wishes);
    const after = carryOut(world, result, wishes);
    for (const { deviceId } of result.placements) {
      expect(usable(world, deviceId, after.running)).toBeGreaterThanOrEqual(0);
    }
  });
});

test('nothing leased or pinned is evicted, and nothing of higher priority makes room', () => {
  always((world, wishes) => {
    const { evictions, placements } = plan(world, wishes);
    const ids = evictions.map(({ instanceId }) => instanceId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) {
      const item = world.running.find((other) => other.id === id)!;
      const wish = wishFor(wishes, item.version);
      expect(item.leases).toBe(0);
      if (!wish) expect(item.pinned).toBe(false);
      // A pinned wish gives up an instance only when it is one too many or not where it is wished.
      if (wish?.pinned && !wish.onePerDevice && fits(world, wish, item)) {
        expect(held(world, wish)).toBeGreaterThan(wish.maxInstances);
      }
    }
    for (const { version, after } of placements) {
      for (const id of after) {
        expect(ids).toContain(id);
        const item = world.running.find((other) => other.id === id)!;
        const priority = (wishFor(wishes, item.version) ?? item).priority;
        expect(priority).toBeLessThanOrEqual(wishFor(wishes, version)!.priority);
      }
    }
  });
});

test('nothing is evicted when the wished instance fits without', () => {
  always((world, [first]) => {
    const wish = { ...first!, minInstances: 1, maxInstances: 1, onePerDevice: false };
    const others = { ...world, running: world.running.filter(({ version }) => version !== wish.version) };
    const bytes = (target: Target) => {
      const known = world.footprints.filter((item) => item.version === wish.version && same(item, target));
      const certain = known.some(({ measured }) => measured) ? known.filter(({ measured }) => measured) : known;
      return certain.length > 0 ? Math.max(...certain.map((item) => item.bytes)) : undefined;
    };
    const best = wish.targets.find((target) => bytes(target) !== undefined);
    const roomy = world.devices.filter(
      ({ id, kind }) =>
        best?.kind === kind &&
        fits(others, wish, { deviceId: id, ...best }) &&
        usable(others, id, others.running, wish.minFreeBytes) >= bytes(best)!,
    );
    fc.pre(roomy.length > 0);
    const result = plan(others, [wish]);
    expect(result.evictions).toEqual([]);
    expect(roomy.map(({ id }) => id)).toContain(result.placements[0]!.deviceId);
    const rooms = roomy.map(({ id }) => usable(others, id, others.running));
    const chosen = usable(others, result.placements[0]!.deviceId, others.running);
    if (wish.strategy === 'pack') expect(chosen).toBe(Math.min(...rooms));
    else expect(chosen).toBe(Math.max(...rooms));
  });
});

test('an instance that satisfies a wish stays, unless a higher priority needs its room', () => {
  always((world, wishes) => {
    const result = plan(world, wishes);
    for (const wish of wishes) {
      const own = world.running.filter(({ version, ...item }) => version === wish.version && fits(world, wish, item));
      if (wish.onePerDevice || own.length > wish.minInstances) continue;
      const displaced = result.evictions.filter(({ instanceId }) => own.some(({ id }) => id === instanceId));
      for (const { instanceId } of displaced) {
        const taker = result.placements.find(({ after }) => after.includes(instanceId));
        expect(wishFor(wishes, taker!.version)!.priority).toBeGreaterThan(wish.priority);
      }
      const placed = result.placements.filter(({ version }) => version === wish.version).length;
      expect(placed).toBeLessThanOrEqual(wish.minInstances - own.length + displaced.length);
    }
  });
});

test('every wish is met or refused for the rest, with a reason and a hint', () => {
  always((world, wishes) => {
    const result = plan(world, wishes);
    const after = carryOut(world, result, wishes);
    for (const wish of wishes) {
      const refusal = result.refusals.find(({ version }) => version === wish.version);
      expect(Math.min(held(after, wish), wish.minInstances) + (refusal?.missing ?? 0)).toBe(wish.minInstances);
      if (refusal) expect(Math.min(refusal.reason.length, refusal.hint.length, refusal.missing)).toBeGreaterThan(0);
    }
    for (const { reason } of [...result.placements, ...result.evictions, ...result.lost]) {
      expect(reason).not.toBe('');
    }
  });
});

test('pins, classes, kinds and one-per-device are kept; a lost device gets nothing and keeps nothing', () => {
  always((world, wishes) => {
    const result = plan(world, wishes);
    const after = carryOut(world, result, wishes);
    for (const placement of result.placements) {
      const wish = wishFor(wishes, placement.version)!;
      expect(fits(world, wish, placement)).toBe(true);
      expect(deviceOf(world, placement.deviceId)!.kind).toBe(placement.kind);
      const beside = after.running.filter(
        ({ version, deviceId, ...target }) =>
          version === wish.version && deviceId === placement.deviceId && fits(world, wish, { deviceId, ...target }),
      );
      if (wish.onePerDevice) expect(beside.length).toBe(1);
    }
    expect(after.running.filter(({ deviceId }) => deviceOf(world, deviceId)?.state !== 'ready')).toEqual([]);
  });
});

test('planning again on the result changes nothing', () => {
  always((world, wishes) => {
    const first = plan(world, wishes);
    const again = plan(carryOut(world, first, wishes), wishes);
    expect({ ...again, refusals: [] }).toEqual({ placements: [], evictions: [], lost: [], refusals: [] });
    const missing = (refusals: { version: string; missing: number }[]) =>
      refusals.map(({ version, missing }) => `${version} ${missing}`).sort();
    expect(missing(again.refusals)).toEqual(missing(first.refusals));
  });
});

test('the same world gives the same plan in whatever order it is listed', () => {
  const shuffled = anyCase.chain((made) =>
    fc.record({
      made: fc.constant(made),
      devices: fc.shuffledSubarray(made.world.devices, { minLength: made.world.devices.length }),
      running: fc.shuffledSubarray(made.world.running, { minLength: made.world.running.length }),
      footprints: fc.shuffledSubarray(made.world.footprints, { minLength: made.world.footprints.length }),
      wishes: fc.shuffledSubarray(made.wishes, { minLength: made.wishes.length }),
    }),
  );
  fc.assert(
    fc.property(shuffled, ({ made, wishes, ...lists }) => {
      expect(plan({ ...made.world, ...lists }, wishes)).toEqual(plan(made.world, made.wishes));
    }),
    runs,
  );
});
