// How many instances a version gets: the advice as arithmetic, and once with a slow model and real clients.
import { describe, expect, test } from 'bun:test';

import fc from 'fast-check';

import { adviseScale, defaultScaleRules, type ScaleMemory, type ScaleSample } from '../../src/inference/autoscale.ts';
import { decided, looper, openMachine, spin, until } from '../support/machine.ts';
import { openServing } from '../support/serving.ts';

const rules = { targetWaitMs: 100, upAfterMs: 3000, downAfterMs: 20_000, restMs: 5000 };
const bounds = { minInstances: 1, maxInstances: 4 };

interface Load {
  /** In each second. */
  waitMs: number;
  /** Instances that are kept busy, on average. */
  busy: number;
}

/** Follows the advice, second after second. @returns instances after each */
function follow(loads: readonly Load[], limits = bounds, start = 1): number[] {
  let memory: ScaleMemory | undefined;
  let instances = start;
  let busyNs = 0;
  return loads.map(({ waitMs, busy }, second) => {
    busyNs += Math.min(busy, instances) * 1e9;
    const sample: ScaleSample = { nowMs: second * 1000, instances, ...limits, oldestWaitMs: waitMs, busyNs };
    const advice = adviseScale(sample, memory, rules);
    memory = advice.memory;
    expect(advice.reason !== undefined).toBe(advice.instances !== instances);
    instances = advice.instances;
    return instances;
  });
}

const seconds = (count: number, load: Load) => Array.from({ length: count }, () => load);
const strained = { waitMs: 500, busy: 9 };
const idle = { waitMs: 0, busy: 0 };
const changes = (counts: readonly number[]) => counts.filter((count, i) => i > 0 && count !== counts[i - 1]).length;

describe('advice', () => {
  test('one more after a while of waiting, then the next after a rest, up to the maximum', () => {
    const counts = follow(seconds(30, strained));
    expect([0, 3, 7, 8, 12, 13, 29].map((second) => counts[second])).toEqual([1, 2, 2, 3, 3, 4, 4]);
  });

  test('one less after a long time of little to do, down to the minimum, and never to none', () => {
    const counts = follow(seconds(90, idle), { minInstances: 0, maxInstances: 4 }, 3);
    expect([0, 20, 21, 41, 42, 89].map((second) => counts[second])).toEqual([3, 3, 2, 2, 1, 1]);
    expect(follow(seconds(90, idle), { minInstances: 2, maxInstances: 4 }, 3).at(-1)).toBe(2);
  });

  test('a short rush changes nothing, nor does load that comes and goes', () => {
    expect(changes(follow([...seconds(2, strained), ...seconds(10, idle), ...seconds(2, strained)]))).toBe(0);
    const swinging = Array.from({ length: 300 }, (_, second) => (Math.floor(second / 8) % 2 === 0 ? strained : idle));
    const counts = follow(swinging);
    // Up to what the rushes need, and there it stays.
    expect(changes(counts)).toBe(3);
    expect(counts.at(-1)).toBe(4);
  });

  test('none is taken away while the others would be busier than half of the time', () => {
    expect(follow(seconds(100, { waitMs: 0, busy: 0.6 }), bounds, 2).at(-1)).toBe(2);
    expect(follow(seconds(100, { waitMs: 0, busy: 0.4 }), bounds, 2).at(-1)).toBe(1);
  });

  test('whatever happens, it stays between minimum and maximum, by steps of one, with a rest after each', () => {
    const load = fc.record({ waitMs: fc.nat(400), busy: fc.double({ min: 0, max: 5, noNaN: true }) });
    const limits = fc
      .tuple(fc.integer({ min: 0, max: 4 }), fc.nat(4))
      .map(([minInstances, more]) => ({ minInstances, maxInstances: Math.max(1, minInstances + more) }));
    fc.assert(
      fc.property(fc.array(load, { maxLength: 120 }), limits, fc.nat(10), (loads, given, offset) => {
        const least = Math.max(1, given.minInstances);
        const start = least + (offset % (given.maxInstances - least + 1));
        const counts = [start, ...follow(loads, given, start)];
        let changedAt = -Infinity;
        counts.forEach((count, i) => {
          expect(count).toBeGreaterThanOrEqual(least);
          expect(count).toBeLessThanOrEqual(given.maxInstances);
          if (i === 0 || count === counts[i - 1]) return;
          expect(Math.abs(count - counts[i - 1]!)).toBe(1);
          expect(i - changedAt).toBeGreaterThanOrEqual(rules.restMs / 1000);
          changedAt = i;
        });
      }),
    );
  });

  test('the usual rules are slower to take away than to add', () => {
    expect(defaultScaleRules.downAfterMs).toBeGreaterThan(10 * defaultScaleRules.upAfterMs);
  });
});

describe('with real processes', () => {
  const quick = { targetWaitMs: 20, upAfterMs: 0, downAfterMs: 0, restMs: 0 };
  const placement = { m: { minInstances: 0, maxInstances: 2 } };

  test('a slow model gets a second instance while its requests wait, and loses it when they do not', async () => {
    const { devices } = openMachine({ cpu: 2 });
    await using serving = await openServing({ m: [looper()] }, { devices, placement, scaleRules: quick });
    const { supervisor } = serving;
    await supervisor.load('m');
    expect(supervisor.instances()).toHaveLength(1);
    let isAsking = true;
    // Two clients: one request is computed, the other waits behind it in the same instance.
    const clients = Promise.all(
      [2500, 2501].map(async (count) => {
        while (isAsking) expect(await spin(serving, 'm', count)).toBe(count);
      }),
    );
    await until(() => supervisor.instances().length === 2);
    await until(() => serving.gateway.getRoute('m').instances.length === 2);
    isAsking = false;
    await clients;
    await until(() => supervisor.instances().length === 1);
    const [up, down] = decided(serving, 'scaled');
    expect(up).toMatch(/^m:1: from 1 to 2 instances: requests have waited \d+ ms$/);
    expect(down).toMatch(/^m:1: from 2 to 1 instances: its 2 instances were \d+ % busy$/);
    expect(serving.gateway.statistics('m')[0]!.fail.count).toBe(0);
  });

  test('without room for a second it goes on with one, and the log says why once', async () => {
    const { devices } = openMachine({ cpu: 1 });
    await using serving = await openServing({ m: [looper()] }, { devices, placement, scaleRules: quick });
    const { supervisor } = serving;
    await supervisor.load('m');
    const answers = [2500, 2501, 2502].map((count) => spin(serving, 'm', count));
    for (let i = 0; i < 4; i++) {
      await Bun.sleep(30);
      supervisor.fleet.tick();
    }
    expect(await Promise.all(answers)).toEqual([2500, 2501, 2502]);
    expect(decided(serving, 'scaled')).toEqual([]);
    expect(decided(serving, 'refused')).toEqual([expect.stringContaining('m:1: in use')]);
  });
});
