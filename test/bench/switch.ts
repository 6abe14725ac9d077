// Versions of an endpoint take each other's place while clients ask: which answers were lost, which came from a version
// that was not to answer then, and how long callers waited. Runs the built executable.
import { join } from 'node:path';

import { Appliance, unpack, until } from '../smoke/appliance.ts';
import { addScalar } from '../support/graphs.ts';

export interface SwitchEffort {
  /** Times that another version takes the place of the one that is live. */
  switches: number;
  /** Times that the shares of a canary change. */
  changes: number;
}

export interface SwitchNumbers {
  /** Requests that were not answered with 200. */
  switch_lost: number;
  /** Answers of a version that was not live between a request and its answer, or that are not that version's. */
  switch_wrong_version: number;
  switch_requests: number;
  switch_p99_before_ms: number;
  switch_p99_during_ms: number;
  switch_p99_after_ms: number;
  /** From the order to the answer that the other version is live. */
  switch_median_ms: number;
}

interface Answer {
  sentMs: number;
  doneMs: number;
  status: number;
  version: number;
  value: number;
}

/** A version may answer from `fromMs`, when it was ordered, until `untilMs`, when the order of its successor was carried out. */
interface Turn {
  version: number;
  fromMs: number;
  untilMs: number;
}

const clients = 8;
const quietMs = 1500;
const stepsOfARollout = 20;
const given = 10;

export async function runSwitch({ switches, changes }: SwitchEffort): Promise<SwitchNumbers> {
  const home = await unpack();
  const appliance = await Appliance.start({ home });
  try {
    const key = await appliance.openToPrograms();
    const releases = [await goLive(appliance, home, 1), await goLive(appliance, home, 2)];
    const turns: Turn[] = [{ version: 2, fromMs: 0, untilMs: Infinity }];
    const answers: Answer[] = [];
    const load = startClients(`${appliance.url}/v2/models/sums/infer`, key, answers);
    await Bun.sleep(quietMs);
    const beganMs = performance.now();
    const took = await switchBackAndForth(appliance, releases, switches, turns);
    await changeWeights(appliance, changes, turns);
    const endedMs = performance.now();
    await Bun.sleep(quietMs);
    await load.stop();
    const latency = (from: number, until: number) =>
      p99(
        answers.filter(({ sentMs }) => sentMs >= from && sentMs < until).map(({ sentMs, doneMs }) => doneMs - sentMs),
      );
    return {
      switch_lost: answers.filter(({ status }) => status !== 200).length,
      switch_wrong_version: answers.filter((each) => each.status === 200 && !isRight(each, turns)).length,
      switch_requests: answers.length,
      switch_p99_before_ms: latency(0, beganMs),
      switch_p99_during_ms: latency(beganMs, endedMs),
      switch_p99_after_ms: latency(endedMs, Infinity),
      switch_median_ms: took.toSorted((a, b) => a - b)[took.length >> 1] ?? 0,
    };
  } finally {
    await appliance.stop();
    await Bun.$`rm -rf ${home}`;
  }
}

/** Version n adds n. @returns the id of its release */
async function goLive(appliance: Appliance, home: string, version: number): Promise<number> {
  const file = join(home, `${version}.onnx`);
  await Bun.write(file, addScalar(version));
  await appliance.command('push', 'sums', file);
  const { id } = await appliance.command<{ id: number }>('release', 'submit', `sums:${version}`);
  await untilState(appliance, id, 'live');
  return id;
}

async function untilState(appliance: Appliance, id: number, state: string): Promise<void> {
  await until(`release ${id} to be ${state}`, async () => {
    const { release } = await appliance.json<{ release: { state: string } }>(`/api/v1/releases/${id}`);
    return release.state === state;
  });
}

function startClients(url: string, key: string, answers: Answer[]) {
  let isStopped = false;
  const inputs = [{ name: 'input', datatype: 'FP32', shape: [1, 4], data: [given, given, given, given] }];
  const init = { method: 'POST', headers: { 'x-api-key': key }, body: JSON.stringify({ inputs }) };
  async function client(): Promise<void> {
    while (!isStopped) {
      const sentMs = performance.now();
      const response = await fetch(url, init).catch(() => undefined);
      const body = (await response?.json().catch(() => undefined)) as
        { model_version: string; outputs: { data: number[] }[] } | undefined;
      answers.push({
        sentMs,
        doneMs: performance.now(),
        status: response?.status ?? 0,
        version: Number(body?.model_version),
        value: body?.outputs?.[0]?.data[0] ?? NaN,
      });
    }
  }
  const all = Promise.all(Array.from({ length: clients }, client));
  return {
    async stop() {
      isStopped = true;
      await all;
    },
  };
}

/** @returns how long each order took, in milliseconds */
async function switchBackAndForth(appliance: Appliance, releases: number[], count: number, turns: Turn[]) {
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    const version = i % 2 === 0 ? 1 : 2;
    const fromMs = performance.now();
    await appliance.json('/api/v1/endpoints/sums/rollback', { to: releases[version - 1], reason: `switch ${i}` });
    const nowMs = performance.now();
    turns.at(-1)!.untilMs = nowMs;
    turns.push({ version, fromMs, untilMs: Infinity });
    took.push(nowMs - fromMs);
  }
  return took;
}

/** Rollouts of the two versions in turn, each in many steps. */
async function changeWeights(appliance: Appliance, count: number, turns: Turn[]): Promise<void> {
  const steps = Array.from({ length: stepsOfARollout }, (_, i) => ({
    percent: ((i + 1) * 100) / (stepsOfARollout + 1),
    holdMs: 3_600_000,
  }));
  for (let done = 0; done < count;) {
    const version = turns.at(-1)!.version === 1 ? 2 : 1;
    const request = { endpoint: 'sums', model: 'sums', version, environment: 'staging', rollout: { steps } };
    const fromMs = performance.now();
    const { id } = await appliance.json<{ id: number }>('/api/v1/releases', request);
    await appliance.json(`/api/v1/releases/${id}/submit`, {});
    // Its first step is a change of shares already.
    await until('its first step', async () => {
      const { release } = await appliance.json<{ release: { stage?: { kind: string } } }>(`/api/v1/releases/${id}`);
      return release.stage?.kind === 'step';
    });
    for (let step = 1; step <= stepsOfARollout; step++, done++) {
      await appliance.json(`/api/v1/releases/${id}/advance`, {});
    }
    turns.at(-1)!.untilMs = performance.now();
    turns.push({ version, fromMs, untilMs: Infinity });
  }
}

function isRight({ sentMs, doneMs, version, value }: Answer, turns: readonly Turn[]): boolean {
  if (value !== given + version) return false;
  return turns.some((turn) => turn.version === version && turn.fromMs <= doneMs && turn.untilMs >= sentMs);
}

function p99(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[Math.ceil(0.99 * values.length) - 1] ?? 0;
}
