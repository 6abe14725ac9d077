// Counters read at a steady pace become rates and latencies: against counters that the data plane's own functions keep.
import { afterEach, beforeEach, describe, expect, jest, test } from 'bun:test';

import { latencyBucketsSeconds, type VersionStatistics } from '../../src/inference/plane.ts';
import { countFailure, countSuccess, emptyStatistics } from '../../src/inference/statistics.ts';
import { createTraffic, quantileMs } from '../../src/monitor/traffic.ts';

const times = { queueNs: 0, computeInputNs: 0, computeInferNs: 1, computeOutputNs: 0 };

/** Answers `count` requests, each after so many milliseconds. */
function answer(stats: VersionStatistics, count: number, ms: number): void {
  for (let i = 0; i < count; i++) countSuccess(stats, 1, times, ms * 1e6);
}

describe('traffic', () => {
  let nowMs = 0;
  let versions: VersionStatistics[];
  let traffic: ReturnType<typeof createTraffic>;
  beforeEach(() => {
    jest.useFakeTimers();
    nowMs = 1_000_000;
    versions = [emptyStatistics('a', 1), emptyStatistics('a', 2), emptyStatistics('b', 1)];
    traffic = createTraffic(() => versions, { now: () => nowMs, paceMs: 5000, keep: 3 });
  });
  afterEach(() => {
    traffic.close();
    jest.useRealTimers();
  });

  function pass(seconds: number): void {
    nowMs += seconds * 1000;
    jest.advanceTimersByTime(seconds * 1000);
  }

  test('is nothing at first', () => {
    expect(traffic.history()).toEqual([]);
    expect(traffic.latest()).toBeUndefined();
    expect(traffic.now()).toMatchObject({ perSecond: 0, failuresPerSecond: 0, pending: 0 });
    expect(traffic.now().p95Ms).toBeUndefined();
  });

  test('is counted by interval: of all, of a model, of a version', () => {
    answer(versions[0]!, 10, 4);
    answer(versions[1]!, 5, 4);
    countFailure(versions[2]!, 1e6);
    versions[2]!.pending = 7;
    pass(5);
    answer(versions[2]!, 20, 100);
    pass(5);
    expect(traffic.history().map(({ perSecond, failuresPerSecond }) => [perSecond, failuresPerSecond])).toEqual([
      [3.2, 0.2],
      [4, 0],
    ]);
    expect(traffic.history('a').map(({ perSecond }) => perSecond)).toEqual([3, 0]);
    expect(traffic.history('a', 2).map(({ perSecond }) => perSecond)).toEqual([1, 0]);
    expect(traffic.latest('b')).toMatchObject({ perSecond: 4, pending: 7, atMs: nowMs });
    expect(traffic.latest('a')!.p50Ms).toBeUndefined();
    // 100 ms is in the bucket from 50 to 100 ms.
    expect(traffic.latest('b')!.p95Ms).toBeWithin(50, 100.001);
  });

  test('of this moment covers the last interval too', () => {
    pass(5);
    answer(versions[0]!, 30, 1);
    pass(5);
    nowMs += 1000;
    answer(versions[0]!, 6, 1);
    expect(traffic.now().perSecond).toBe(6);
  });

  test('of a version that was loaded anew is what it did since', () => {
    answer(versions[0]!, 100, 1);
    pass(5);
    versions[0] = emptyStatistics('a', 1);
    answer(versions[0], 5, 1);
    pass(5);
    expect(traffic.history('a', 1).map(({ perSecond }) => perSecond)).toEqual([20, 1]);
  });

  test('is forgotten after a while', () => {
    answer(versions[0]!, 5, 1);
    pass(5);
    for (let i = 0; i < 3; i++) pass(5);
    expect(traffic.history().map(({ perSecond }) => perSecond)).toEqual([0, 0, 0]);
  });

  test('whole requests are counted beside the model’s part, and anew with the model', () => {
    for (let i = 0; i < 20; i++) traffic.observe('a', 30);
    answer(versions[0]!, 20, 4);
    traffic.observe('b', 700);
    pass(5);
    expect(traffic.latest('a')!.wholeP95Ms).toBeWithin(20, 50.001);
    expect(traffic.latest('a')!.p95Ms).toBeWithin(2, 5.001);
    expect(traffic.latest('b')!.wholeP50Ms).toBeWithin(500, 1000.001);
    expect(traffic.latest('b')!.p50Ms).toBeUndefined();
    expect(traffic.latest()!.wholeP50Ms).toBeWithin(20, 50.001);
    expect(traffic.latest('a', 1)!.wholeP50Ms).toBeUndefined();
    pass(5);
    expect(traffic.latest('a')!.wholeP95Ms).toBeUndefined();
    const sum = (model: string) => traffic.wholeCounts(model).reduce((total, count) => total + count, 0);
    expect([sum('a'), sum('b'), sum('absent')]).toEqual([20, 1, 0]);
    versions = versions.filter(({ model }) => model !== 'a');
    pass(5);
    traffic.observe('a', 1);
    expect([sum('a'), sum('b')]).toEqual([1, 1]);
    expect(traffic.now('a').wholeP95Ms).toBeLessThan(1.001);
  });

  test('is no longer read when it is closed', () => {
    traffic.close();
    pass(5);
    expect(traffic.history()).toEqual([]);
  });
});

test('quantiles lie in the bucket of the true one', () => {
  let seed = 7;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const latencies = Array.from({ length: 2000 }, () => 0.0002 * 10 ** (random() * 4)).sort((a, b) => a - b);
  const counts = new Array<number>(latencyBucketsSeconds.length + 1).fill(0);
  const bucketOf = (seconds: number) => {
    const found = latencyBucketsSeconds.findIndex((upper) => seconds <= upper);
    return found < 0 ? latencyBucketsSeconds.length : found;
  };
  for (const seconds of latencies) counts[bucketOf(seconds)]!++;
  for (const share of [0.1, 0.5, 0.9, 0.95]) {
    const exact = latencies[Math.ceil(share * latencies.length) - 1]!;
    expect(bucketOf(quantileMs(counts, share)! / 1000)).toBe(bucketOf(exact));
  }
  expect(
    quantileMs(
      counts.map(() => 0),
      0.5,
    ),
  ).toBeUndefined();
  expect(quantileMs([...counts.slice(0, -1).map(() => 0), 3], 0.5)).toBe(30_000);
});
