// What is measured, one function for each part. Every part starts an appliance of its own from the built executable.
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { Appliance, sharedData, unpack } from '../smoke/appliance.ts';
import { binaryBody } from '../smoke/oip.ts';
import { smallCnn } from '../support/graphs.ts';
import { run as runEviction } from './eviction.ts';
import { run as runGuard } from './guard.ts';
import { median, residentMb, runBare, runWrk, startPlainPeer, takeTurns } from './measure.ts';
import { runSwitch } from './switch.ts';

export interface Effort {
  /** Before anything counts. */
  warmUpRounds: number;
  rounds: number;
  /** Length of one round. */
  seconds: number;
}

/** Keys stay the same from release to release; what cannot be measured here is left out. */
export type Numbers = Record<string, number>;

interface Stage extends AsyncDisposable {
  home: string;
  appliance: Appliance;
  /** An API key: what is measured is what programs on the network get. */
  key: string;
  /** URL of a model's inference. */
  infer(model: string): string;
  push(model: string, file: string, serving?: object): Promise<void>;
}

async function openStage(): Promise<Stage> {
  const home = await unpack();
  const appliance = await Appliance.start({ home });
  const key = await appliance.openToPrograms();
  return {
    home,
    appliance,
    key,
    infer: (model) => `${appliance.url}/v2/models/${model}/infer`,
    async push(model, file, serving = {}) {
      const manifest = join(home, `${model}.json`);
      await Bun.write(manifest, JSON.stringify({ serving: { instances: 1, threads: 1, ...serving } }));
      await appliance.command('push', model, file, '--manifest', manifest);
    },
    async [Symbol.asyncDispose]() {
      await appliance.stop();
      await Bun.$`rm -rf ${home}`;
    },
  };
}

async function writeCnn(home: string): Promise<{ model: string; body: string }> {
  const model = join(home, 'cnn.onnx');
  const body = join(home, 'cnn.request');
  const data = Array.from({ length: 784 }, (_, index) => Math.round(((index * 37) % 256) * (1e4 / 255)) / 1e4);
  await Bun.write(model, smallCnn());
  await Bun.write(body, JSON.stringify({ inputs: [{ name: 'image', datatype: 'FP32', shape: [1, 1, 28, 28], data }] }));
  return { model, body };
}

/** 784 floats as JSON to a small CNN, against node:http with the same library and thread count. */
async function json({ warmUpRounds, rounds, seconds }: Effort): Promise<Numbers> {
  await using stage = await openStage();
  const { model, body } = await writeCnn(stage.home);
  await stage.push('cnn', model);
  const plain = await startPlainPeer(model);
  try {
    const load = (url: string, connections: number) => () =>
      runWrk({ url, connections, seconds, body, key: stage.key });
    await load(stage.infer('cnn'), 8)();
    await load(plain.url, 8)();
    // Servers run for weeks: both get the time that their engines take to compile what is used most.
    for (let i = 0; i < warmUpRounds; i++) {
      await load(stage.infer('cnn'), 32)();
      await load(plain.url, 32)();
    }
    const one = await takeTurns(rounds, {
      ours: load(stage.infer('cnn'), 1),
      plain: load(plain.url, 1),
      bare: () => runBare(model, seconds),
    });
    const many = await takeTurns(rounds, { ours: load(stage.infer('cnn'), 32), plain: load(plain.url, 32) });
    return {
      json_c32_vs_plain: many.ours.perSecond / many.plain.perSecond,
      json_c1_vs_plain: one.ours.perSecond / one.plain.perSecond,
      json_c32_per_second: many.ours.perSecond,
      json_c1_per_second: one.ours.perSecond,
      plain_c32_per_second: many.plain.perSecond,
      plain_c1_per_second: one.plain.perSecond,
      overhead_c1_us: one.ours.p50Us - one.bare.p50Us,
      bare_cnn_us: one.bare.p50Us,
    };
  } finally {
    await plain.stop();
  }
}

/** SqueezeNet with binary tensors at 4 connections, against session.run in a loop. */
async function compute({ rounds, seconds }: Effort): Promise<Numbers> {
  const model = join(sharedData, 'light/light_squeezenet.onnx');
  if (!existsSync(model)) return {};
  await using stage = await openStage();
  await stage.push('squeezenet', model);
  const { inputs } = await stage.appliance.json<{ inputs: { name: string; shape: number[] }[] }>(
    '/v2/models/squeezenet',
  );
  const { name, shape } = inputs[0]!;
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, (_, index) => index / count);
  const request = binaryBody([{ name, shape, datatype: 'FP32', bytes: new Uint8Array(values.buffer) }]);
  const body = join(stage.home, 'squeezenet.request');
  await Bun.write(body, request.body);
  const headerLength = Number(Object.values(request.headers)[0]);
  const url = stage.infer('squeezenet');
  const served = () => runWrk({ url, connections: 4, seconds, body, headerLength, key: stage.key });
  await served();
  const { ours, bare } = await takeTurns(rounds, { ours: served, bare: () => runBare(model, seconds) });
  return {
    compute_vs_bare: ours.perSecond / bare.perSecond,
    compute_per_second: ours.perSecond,
    bare_compute_per_second: bare.perSecond,
  };
}

/** The small CNN at 32 connections, with batching and without. */
async function batching({ rounds, seconds }: Effort): Promise<Numbers> {
  await using stage = await openStage();
  const { model, body } = await writeCnn(stage.home);
  await stage.push('cnn', model);
  await stage.push('single', model, { maxBatchSize: 1 });
  const load = (name: string) => () =>
    runWrk({ url: stage.infer(name), connections: 32, seconds, body, key: stage.key });
  await load('cnn')();
  await load('single')();
  const before = await countsOf(stage.appliance);
  const rates = await takeTurns(rounds, { batched: load('cnn'), single: load('single') });
  const after = await countsOf(stage.appliance);
  return {
    batching_gain: rates.batched.perSecond / rates.single.perSecond,
    batch_average: (after.rows - before.rows) / (after.runs - before.runs),
    unbatched_c32_per_second: rates.single.perSecond,
  };
}

async function countsOf(appliance: Appliance): Promise<{ rows: number; runs: number }> {
  interface Stats {
    model_stats: { inference_count: number; execution_count: number }[];
  }
  const stats = (await appliance.json<Stats>('/v2/models/cnn/stats')).model_stats[0]!;
  return { rows: stats.inference_count, runs: stats.execution_count };
}

/** Start-up with an empty registry, memory and size. */
async function footprint({ rounds, seconds }: Effort): Promise<Numbers> {
  await using stage = await openStage();
  const starts: number[] = [];
  const idle: number[] = [];
  for (let round = 0; round < rounds + 2; round++) {
    const appliance = await Appliance.start({ home: stage.home, data: join(stage.home, 'empty') });
    starts.push(appliance.readyMs);
    await Bun.sleep(500);
    idle.push(await residentMb(appliance.pid));
    await appliance.stop();
  }
  const { model, body } = await writeCnn(stage.home);
  await stage.push('cnn', model);
  await runWrk({ url: stage.infer('cnn'), connections: 8, seconds, body, key: stage.key });
  const [runner] = await stage.appliance.runners('cnn');
  return {
    startup_ms: median(starts),
    first_startup_ms: stage.appliance.readyMs,
    idle_rss_mb: median(idle),
    runner_rss_mb: await residentMb(runner!),
    loaded_rss_mb: await residentMb(stage.appliance.pid),
    binary_mb: (await stat(join(stage.home, 'aimass'))).size / 1e6,
  };
}

/** A simulated box of 8 large GPUs; the effort does not change what is simulated. */
async function eviction(): Promise<Numbers> {
  return { ...runEviction() };
}

/** Simulated rollouts; the effort does not change what is simulated. */
async function guard(): Promise<Numbers> {
  return runGuard();
}

/** Versions of an endpoint take each other's place under load. */
async function switching({ rounds }: Effort): Promise<Numbers> {
  const isQuick = rounds < 3;
  return { ...(await runSwitch(isQuick ? { switches: 100, changes: 40 } : { switches: 1000, changes: 200 })) };
}

export const parts: Record<string, (effort: Effort) => Promise<Numbers>> = {
  json,
  compute,
  batching,
  footprint,
  switch: switching,
  eviction,
  guard,
};
