// What clients notice when processes die or stop: the server, a runner, by signal or by hanging, under load.
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { join } from 'node:path';

import { fewSlots } from '../../src/inference/pacing.ts';
import { addSub, noBatch, smallCnn } from '../support/graphs.ts';
import { Appliance, discard, processesOf, unpack, until } from './appliance.ts';

let home: string;

beforeEach(async () => {
  home = await unpack();
  await Bun.write(join(home, 'cnn.onnx'), smallCnn());
  await Bun.write(join(home, 'sum.onnx'), addSub());
  await Bun.write(join(home, 'twice.onnx'), noBatch());
});

afterEach(() => discard(home));

const image = { name: 'image', datatype: 'FP32', shape: [1, 1, 28, 28], data: Array.from({ length: 784 }, () => 0.5) };
const row = { datatype: 'INT32', shape: [1, 16], data: Array.from({ length: 16 }, (_, index) => index) };
const requests: Record<string, object> = {
  cnn: { inputs: [image] },
  twice: { inputs: [{ name: 'input', datatype: 'FP32', shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }] },
  sum: { inputs: ['INPUT0', 'INPUT1'].map((name) => ({ name, ...row })) },
};
const infer = (appliance: Appliance, model: string) =>
  appliance.fetch(`/v2/models/${model}/infer`, { method: 'POST', body: JSON.stringify(requests[model]) });

interface Load {
  /** How often each status was answered; 0 is a broken connection. */
  statuses: Map<number, number>;
  /** Answers by model version. */
  versions: Map<string, number>;
  stop(): Promise<void>;
}

const add = <K>(map: Map<K, number>, key: K) => map.set(key, (map.get(key) ?? 0) + 1);

/** Four clients that ask again and again until they are stopped. */
function startLoad(appliance: Appliance, model: string): Load {
  const stopped = new AbortController();
  const statuses = new Map<number, number>();
  const versions = new Map<string, number>();
  const client = async () => {
    while (!stopped.signal.aborted) {
      try {
        const response = await infer(appliance, model);
        const body = (await response.json()) as { model_version?: string };
        add(statuses, response.status);
        if (response.ok) add(versions, body.model_version!);
      } catch {
        add(statuses, 0);
      }
    }
  };
  const clients = Promise.all(Array.from({ length: 4 }, client));
  const stop = async () => {
    stopped.abort();
    await clients;
  };
  return { statuses, versions, stop };
}

const answered = (load: Load) => load.statuses.get(200) ?? 0;

async function progress(load: Load, more = 50): Promise<void> {
  const before = answered(load);
  await until(`${more} more answers`, () => answered(load) >= before + more);
}

test('kill -9 of the server leaves no process, and a restart serves the same', async () => {
  const first = await Appliance.start({ home });
  await first.command('push', 'cnn', join(home, 'cnn.onnx'));
  const before = await (await infer(first, 'cnn')).text();
  expect(await first.runners()).toHaveLength(1);
  await first.kill();
  expect(processesOf(home)).toEqual([]);

  const second = await Appliance.start({ home });
  await until('the model to be ready again', async () => (await second.fetch('/v2/models/cnn/ready')).status === 200);
  expect(await (await infer(second, 'cnn')).text()).toBe(before);
  expect(await second.stop()).toBe(0);
});

test('a runner that is killed is replaced, and others never notice', async () => {
  const appliance = await Appliance.start({ home });
  await appliance.command('push', 'cnn', join(home, 'cnn.onnx'));
  await appliance.command('push', 'sum', join(home, 'sum.onnx'));
  const loads = { hit: startLoad(appliance, 'cnn'), other: startLoad(appliance, 'sum') };
  await progress(loads.hit);
  const [victim] = await appliance.runners('cnn');
  process.kill(victim!, 'SIGKILL');
  await until('a new runner', async () => {
    const [now] = await appliance.runners('cnn');
    return now !== undefined && now !== victim;
  });
  await progress(loads.hit);
  await progress(loads.other);
  await loads.hit.stop();
  await loads.other.stop();
  expect([...loads.other.statuses.keys()]).toEqual([200]);
  expect([200, 503]).toEqual(expect.arrayContaining([...loads.hit.statuses.keys()]));
  expect(await appliance.stop()).toBe(0);
});

test('a runner that hangs is replaced after its deadline', async () => {
  const appliance = await Appliance.start({ home, args: ['--run-timeout-ms', '1s'] });
  await appliance.command('push', 'cnn', join(home, 'cnn.onnx'));
  const [victim] = await appliance.runners('cnn');
  process.kill(victim!, 'SIGSTOP');
  const stuck = await infer(appliance, 'cnn');
  expect([200, 503]).toContain(stuck.status);
  await until('answers again', async () => (await infer(appliance, 'cnn')).status === 200);
  expect(await appliance.runners('cnn')).not.toContain(victim!);
  expect(await appliance.stop()).toBe(0);
});

test('a new version takes over under load without losing a request', async () => {
  const appliance = await Appliance.start({ home });
  await appliance.command('push', 'sum', join(home, 'sum.onnx'));
  const load = startLoad(appliance, 'sum');
  await progress(load);
  await appliance.command('push', 'sum', join(home, 'sum.onnx'));
  await until('answers of version 2', () => (load.versions.get('2') ?? 0) > 50);
  await load.stop();
  expect([...load.statuses.keys()]).toEqual([200]);
  expect([...load.versions.keys()]).toEqual(['1', '2']);
  expect(await appliance.stop()).toBe(0);
});

test('SIGTERM lets requests in flight finish and refuses new ones', async () => {
  const appliance = await Appliance.start({ home });
  await appliance.command('push', 'twice', join(home, 'twice.onnx'));
  // While the runner is stopped nothing can finish: each slot holds one request, the others wait.
  const [runner] = await appliance.runners('twice');
  process.kill(runner!, 'SIGSTOP');
  const inFlight = Array.from({ length: fewSlots + 3 }, () => infer(appliance, 'twice'));
  await until('all requests to be there', async () => {
    const text = await (await appliance.fetch('/metrics')).text();
    return /^nv_inference_pending_request_count\{[^}]*model="twice"[^}]*\} 3$/m.test(text);
  });
  const ended = appliance.stop();
  await until('it to be stopping', async () => (await appliance.fetch('/v2/models/twice')).status === 503);
  const refused = await infer(appliance, 'twice');
  expect(refused.status).toBe(503);
  expect(refused.headers.get('connection')?.toLowerCase()).toBe('close');
  process.kill(runner!, 'SIGCONT');
  expect((await Promise.all(inFlight)).map(({ status }) => status)).toEqual(inFlight.map(() => 200));
  expect(await ended).toBe(0);
  expect(processesOf(home)).toEqual([]);
});
