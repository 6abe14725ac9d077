import { describe, expect, test } from 'bun:test';

import fc from 'fast-check';

import { openDatabase } from '../../src/db/open.ts';
import {
  createPlacementStore,
  defaultPlacement,
  parsePlacement,
  placementProviders,
  placementRanges,
  type PlacementSettings,
  placementStrategies,
} from '../../src/device/placement-settings.ts';
import { AppError } from '../../src/error.ts';

function refusal(value: unknown, base?: PlacementSettings): AppError {
  try {
    parsePlacement(value, base);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(value)} was taken`);
}

const full: PlacementSettings = {
  minInstances: 1,
  maxInstances: 4,
  deviceIds: ['GPU-0', 'GPU-1'],
  deviceClass: 'NVIDIA H100',
  provider: 'cuda',
  onePerDevice: true,
  strategy: 'pack',
  priority: 90,
  pinned: true,
  minFreeBytes: 1024,
  keepAliveMs: 60_000,
};

describe('a patch', () => {
  test('changes what it names and nothing else', () => {
    expect(parsePlacement({})).toEqual(defaultPlacement);
    expect(parsePlacement({ priority: 7, pinned: true })).toEqual({ ...defaultPlacement, priority: 7, pinned: true });
    expect(parsePlacement({ strategy: 'spread' }, full)).toEqual({ ...full, strategy: 'spread' });
    expect(parsePlacement(full)).toEqual(full);
    expect(defaultPlacement.priority).toBe(50);
  });

  test('null takes away what may be absent, and only that', () => {
    const rest = parsePlacement({ deviceIds: null, deviceClass: null, provider: null, keepAliveMs: null }, full);
    expect(Object.keys(rest).sort()).toEqual(Object.keys(defaultPlacement).sort());
    for (const name of Object.keys(defaultPlacement)) {
      expect(refusal({ [name]: null }).message).toStartWith(`${name} must be `);
    }
  });

  test('the same device named twice counts once', () => {
    expect(parsePlacement({ deviceIds: ['b', 'a', 'b'] }).deviceIds).toEqual(['b', 'a']);
  });

  test('the minimum must not exceed the maximum, whichever of them changed', () => {
    expect(refusal({ minInstances: 2 }).message).toBe('minInstances (2) is more than maxInstances (1).');
    expect(refusal({ maxInstances: 1 }, { ...full, minInstances: 2 }).message).toContain('minInstances (2)');
    expect(parsePlacement({ minInstances: 2, maxInstances: 2 })).toMatchObject({ minInstances: 2, maxInstances: 2 });
  });
});

describe('a refusal names the setting and what it may be', () => {
  test.each(Object.entries(placementRanges))('%s', (name, [least, most]) => {
    const base = { ...defaultPlacement, maxInstances: 256 };
    for (const value of [least, most]) expect(parsePlacement({ [name]: value }, base)).toMatchObject({ [name]: value });
    for (const value of [least - 1, most + 1, least + 0.5, `${least}`, NaN, Infinity, true, [least]]) {
      expect(refusal({ [name]: value }, base)).toMatchObject({
        code: 'invalid',
        message: expect.stringContaining(`${name} must be a whole number from ${least} to ${most}, not `),
      });
    }
  });

  test.each([
    [{ provider: 'tensorflow' }, 'provider must be one of tensorrt, cuda, webgpu, cpu, not "tensorflow".'],
    [{ strategy: 'random' }, 'strategy must be one of spread, pack, not "random".'],
    [{ pinned: 'yes' }, 'pinned must be true or false, not "yes".'],
    [{ onePerDevice: 1 }, 'onePerDevice must be true or false, not 1.'],
    [{ deviceIds: 'GPU-0' }, 'deviceIds must be a list of 1 to 64 ids of devices, not "GPU-0".'],
    [{ deviceIds: [] }, 'deviceIds must be a list of 1 to 64 ids of devices, not [].'],
    [{ deviceIds: ['a', ''] }, 'deviceIds must be a text of 1 to 128 characters, not "".'],
    [{ deviceClass: 'x'.repeat(129) }, 'deviceClass must be a text of 1 to 128 characters, not "xxx'],
    [{ deviceClass: 'a\u001bb' }, 'deviceClass must be a text of 1 to 128 characters, not "a'],
    [{ prioritty: 1 }, "Placement has no setting 'prioritty'."],
    [{ constructor: 1 }, "Placement has no setting 'constructor'."],
    [null, 'Settings of placement must be an object.'],
    [[full], 'Settings of placement must be an object.'],
    ['pinned', 'Settings of placement must be an object.'],
  ])('%j', (value, message) => {
    const error = refusal(value);
    expect(error).toMatchObject({ code: 'invalid', message: expect.stringContaining(message) });
  });

  test('a setting that was misspelt is guessed', () => {
    expect(refusal({ prioritty: 1 }).hint).toBe("Did you mean 'priority'?");
    expect(refusal({ keepalivems: 1 }).hint).toBe("Did you mean 'keepAliveMs'?");
  });
});

test('whatever is sent, it is taken whole and in its range, or refused as invalid', () => {
  const odd = fc.oneof(
    fc.integer({ min: -1, max: 300 }),
    fc.constantFrom(null, true, 'cuda', 'pack', ['GPU-0'], [1], {}, '', 1e300),
    fc.jsonValue(),
  );
  const key = fc.oneof(fc.constantFrom(...Object.keys(full), '__proto__'), fc.string());
  const inRange = (name: keyof typeof placementRanges, value: number) => {
    const [least, most] = placementRanges[name];
    return Number.isInteger(value) && value >= least && value <= most;
  };
  const whatever = fc.oneof(fc.dictionary(key, odd, { maxKeys: 4 }), fc.jsonValue());
  fc.assert(
    fc.property(whatever, fc.constantFrom(defaultPlacement, full), (value, base) => {
      let settings: PlacementSettings;
      try {
        settings = parsePlacement(value, base);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        expect(error).toMatchObject({ code: 'invalid' });
        return;
      }
      const { provider, keepAliveMs = 1, minInstances, maxInstances } = settings;
      expect(Object.keys(full)).toEqual(expect.arrayContaining(Object.keys(settings)));
      expect(minInstances).toBeLessThanOrEqual(maxInstances);
      for (const name of ['minInstances', 'maxInstances', 'priority', 'minFreeBytes'] as const) {
        expect(inRange(name, settings[name])).toBeTrue();
      }
      expect(inRange('keepAliveMs', keepAliveMs)).toBeTrue();
      expect(placementStrategies).toContain(settings.strategy);
      if (provider !== undefined) expect(placementProviders).toContain(provider);
      expect(parsePlacement(JSON.parse(JSON.stringify(settings)))).toEqual(settings);
    }),
  );
});

describe('the store', () => {
  const open = () => {
    const db = openDatabase(':memory:');
    for (const name of ['a', 'b']) db.run('INSERT INTO models (name, created_at) VALUES (?, ?)', [name, '']);
    return { db, store: createPlacementStore(db) };
  };

  test('keeps the settings of a model, and forgets them', () => {
    const { db, store } = open();
    expect(store.find('a')).toBeUndefined();
    store.put('a', full);
    store.put('b', defaultPlacement);
    store.put('a', { ...full, priority: 1 });
    expect(store.find('a')).toEqual({ ...full, priority: 1 });
    store.remove('a');
    expect(store.find('a')).toBeUndefined();
    expect(store.find('b')).toEqual(defaultPlacement);
    db.close();
  });

  test('a removed model takes its settings with it; one that is not there has none', () => {
    const { db, store } = open();
    store.put('a', full);
    db.run("DELETE FROM models WHERE name = 'a'");
    expect(store.find('a')).toBeUndefined();
    expect(() => store.put('a', full)).toThrow('FOREIGN KEY');
    db.close();
  });

  test('a row from before a setting existed has its default', () => {
    const { db, store } = open();
    db.run("INSERT INTO placement_settings VALUES ('a', ?, '')", [JSON.stringify({ priority: 3, deviceIds: ['x'] })]);
    expect(store.find('a')).toEqual({ ...defaultPlacement, priority: 3, deviceIds: ['x'] });
    db.close();
  });
});
