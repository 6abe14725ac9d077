// What clients notice when processes die or stop: the server, a runner, by signal or by hanging, under load.
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { join } from 'node:path';

import { addSub, loop, smallCnn } from '../support/graphs.ts';
import { Appliance, discard, processesOf, unpack, until } from './appliance.ts';

let home: string;

beforeEach(async () => {
  home = await unpack();
  await Bun.write(join(home, 'cnn.onnx'), smallCnn());
  await Bun.write(join(home, 'sum.onnx'), addSub());
  await Bun.write(join(home, 'loop.onnx'), loop());
});

afterEach(() => discard(home));

const image = { name: 'image', datatype: 'FP32', shape: [1, 1, 28, 28], data: Array.from({ length: 784 }, () => 0.5) };
const row = { datatype: 'INT32', shape: [1, 16], data: Array.from({ length: 16 }, (_, index) => index) };
const requests: Record<string, object> = {
  cnn: { inputs: [image] },
  sum: { inputs: ['INPUT0', 'INPUT1'].map((name) => ({ name, ...row })) },
};
const loopRequest = (iterations: number) => ({
  inputs: [{ name: 'iterations', datatype: 'INT64', shape: [1, 1], data: [iterations] }],
});

const infer = (appliance: Appliance, model: string, body = requests[model]) =>
  appliance.fetch(`/v2/models/${model}/infer`, { method: 'POST', body: JSON.stringify(body) });

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

/** Seconds of processor time that a process has used. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await Bun.file(`/proc/${pid}/stat`).text()).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

test('SIGTERM lets requests in flight finish and refuses new ones', async () => {
  const appliance = await Appliance.start({ home });
  await appliance.command('push', 'loop', join(home, 'loop.onnx'));
  const [runner] = await appliance.runners('loop');
  const startedMs = performance.now();
  await infer(appliance, 'loop', loopRequest(1000));
  const iterations = Math.ceil(2_500_000 / (performance.now() - startedMs));

  const before = await cpuSeconds(runner!);
  const inFlight = infer(appliance, 'loop', loopRequest(iterations));
  await until('the request to be computed', async () => (await cpuSeconds(runner!)) > before + 0.1);
  const ended = appliance.stop();
  await until('new requests to be refused', async () => {
    const refused = await infer(appliance, 'loop', loopRequest(1));
    return refused.status === 503 && refused.headers.get('connection')?.toLowerCase() === 'close';
  });
  expect((await inFlight).status).toBe(200);
  expect(await ended).toBe(0);
  expect(processesOf(home)).toEqual([]);
});
