import { describe, expect, test } from 'bun:test';

import fc from 'fast-check';

import type { Device, DeviceProcess } from '../../src/device/device.ts';
import { Ledger } from '../../src/device/ledger.ts';

function gpu(usedBytes: number, processes: DeviceProcess[] = [], fields: Partial<Device> = {}): Device {
  const totalBytes = 100;
  const reading = { totalBytes, usedBytes, freeBytes: totalBytes - usedBytes, throttle: [], processes };
  return { id: 'g', kind: 'cuda', index: 0, name: 'GPU', state: 'ready', reading, ...fields };
}

const process = (pid: number, usedBytes: number, own = true) => ({
  pid,
  name: own ? 'aimass' : 'python',
  usedBytes,
  own,
});

function ledgerOf(device: Device, reserveBytes = 0): Ledger {
  const ledger = new Ledger();
  ledger.read(device, reserveBytes);
  return ledger;
}

test('a promise counts at once: of two loads for the same room one is refused', () => {
  const ledger = ledgerOf(gpu(10), 5);
  expect(ledger.available('g')).toBe(85);
  ledger.reserve('a', 'g', 50);
  expect(() => ledger.reserve('b', 'g', 50)).toThrow('g has 35 bytes left, b needs 50');
  expect(() => ledger.reserve('a', 'g', 1)).toThrow('holds memory already');
  ledger.commit('a', 30);
  ledger.reserve('b', 'g', 50);
  expect(ledger.available('g')).toBe(5);
  ledger.release('a');
  expect(ledger.available('g')).toBe(35);
  ledger.release('a');
  expect(ledger.find('a')).toBeUndefined();
});

test('a measurement above the promise counts in full', () => {
  const ledger = ledgerOf(gpu(0));
  ledger.reserve('a', 'g', 50);
  ledger.commit('a', 110);
  expect(ledger.available('g')).toBe(-10);
});

test('unknown devices and instances, and a lost device', () => {
  const ledger = ledgerOf(gpu(0));
  expect(() => ledger.available('h')).toThrow('No device h');
  expect(() => ledger.commit('a', 1)).toThrow('holds no memory');
  expect(() => ledger.attach('a', 1)).toThrow('holds no memory');
  ledger.read(gpu(0, [], { state: 'lost' }), 0);
  expect(ledger.available('g')).toBe(0);
  expect(() => ledger.reserve('a', 'g', 1)).toThrow('0 bytes left');
});

describe('memory of others', () => {
  test('is what no holding explains, process by process where the driver tells', () => {
    const ledger = ledgerOf(gpu(30, [process(9, 30, false)]));
    ledger.reserve('a', 'g', 40);
    ledger.attach('a', 1);
    // Half loaded: the promise still counts in full, and what it has so far is not taken for someone else's.
    ledger.read(gpu(50, [process(1, 20), process(9, 30, false)]), 0);
    expect(ledger.account('g')).toMatchObject({ usedByOthersBytes: 30, heldBytes: 40, availableBytes: 30 });
    expect(ledger.account('g').others.map(({ pid }) => pid)).toEqual([9]);
    ledger.commit('a', 36);
    ledger.read(gpu(86, [process(1, 36), process(9, 50, false)]), 0);
    expect(ledger.account('g')).toMatchObject({ usedByOthersBytes: 50, heldBytes: 36, availableBytes: 14 });
  });

  test('an instance that grows beyond its measurement counts with what it has', () => {
    const ledger = ledgerOf(gpu(0));
    ledger.reserve('a', 'g', 40);
    ledger.attach('a', 1);
    ledger.commit('a', 40);
    ledger.read(gpu(55, [process(1, 55)]), 0);
    expect(ledger.account('g')).toMatchObject({ usedByOthersBytes: 0, heldBytes: 55, availableBytes: 45 });
  });

  test('where the driver does not tell, a load in progress is not taken for others', () => {
    const ledger = ledgerOf(gpu(10));
    ledger.reserve('a', 'g', 40);
    ledger.attach('a', 1);
    ledger.read(gpu(35, [process(1, 0)]), 0);
    expect(ledger.account('g')).toMatchObject({ usedByOthersBytes: 10, availableBytes: 50 });
    // More than the promise explains must be someone else's.
    ledger.read(gpu(75, [process(1, 0)]), 0);
    expect(ledger.account('g')).toMatchObject({ usedByOthersBytes: 35, availableBytes: 25 });
    ledger.commit('a', 40);
    ledger.read(gpu(50, [process(1, 0)]), 0);
    expect(ledger.account('g')).toMatchObject({ usedByOthersBytes: 10, availableBytes: 50 });
  });

  test('a reading that is older than the end of an instance does not make its memory that of others', () => {
    for (const told of [30, 0]) {
      let nowMs = 0;
      const ledger = new Ledger(() => nowMs);
      const before = gpu(40, [process(1, told), process(9, 10, false)]);
      ledger.read(gpu(10, [process(9, 10, false)]), 0);
      ledger.reserve('a', 'g', 30);
      ledger.attach('a', 1);
      ledger.commit('a', 30);
      ledger.read(before, 0);
      ledger.release('a');
      ledger.read(before, 0);
      expect(ledger.account('g')).toMatchObject({ usedByOthersBytes: 10, availableBytes: 90 });
      expect(ledger.account('g').others.map(({ pid }) => pid)).toEqual([9]);
      // What another program has taken meanwhile is seen all the same.
      ledger.read(gpu(75, [process(1, told), process(9, 45, false)]), 0);
      expect(ledger.account('g')).toMatchObject({ usedByOthersBytes: 45, availableBytes: 55 });
      // Much later it must be somebody's.
      nowMs = 60_000;
      ledger.read(before, 0);
      expect(ledger.account('g')).toMatchObject({ usedByOthersBytes: 40, availableBytes: 60 });
    }
  });
});

test('whatever is reserved, committed within its promise and released, the promises never exceed the device', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('reserve' as const), id: fc.nat(5), bytes: fc.nat(60) }),
    fc.record({
      kind: fc.constant('commit' as const),
      id: fc.nat(5),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    fc.record({ kind: fc.constant('release' as const), id: fc.nat(5) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const ledger = ledgerOf(gpu(12), 3);
      const expected = new Map<string, number>();
      const sum = () => [...expected.values()].reduce((total, bytes) => total + bytes, 0);
      for (const item of steps) {
        const id = String(item.id);
        if (item.kind === 'reserve') {
          const isFree = !expected.has(id) && item.bytes <= 85 - sum();
          if (isFree) expected.set(id, ledger.reserve(id, 'g', item.bytes).bytes);
          else expect(() => ledger.reserve(id, 'g', item.bytes)).toThrow();
        } else if (item.kind === 'commit' && expected.has(id)) {
          const bytes = Math.floor(expected.get(id)! * item.share);
          ledger.commit(id, bytes);
          expected.set(id, bytes);
        } else if (item.kind === 'release') {
          ledger.release(id);
          expected.delete(id);
        }
        expect(ledger.available('g')).toBe(85 - sum());
        expect(ledger.available('g')).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});
