// Instances with real runner processes: where and in which environment they run, what happens when they end.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parseCpuList } from '../../src/device/system-files.ts';
import { Instance, type InstanceEnd, type InstanceOptions } from '../../src/inference/instance.ts';
import { type BatchSpec, Link } from '../../src/inference/link.ts';
import { openRunFolder } from '../../src/inference/shared-memory.ts';
import { prepareNative } from '../../src/native.ts';
import { addScalar, build, floats, int64s, node, slow, smallCnn, value } from '../support/graphs.ts';
import { hasSoftwareGpu, withVulkan } from '../support/software-gpu.ts';

let folder: string;
let nativeFolder: string;
let runFolder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aimass-instance-'));
  nativeFolder = await prepareNative(join(folder, 'native'));
  runFolder = openRunFolder();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(runFolder, { recursive: true });
});

/** @param decide what its owner answers to an end */
function start(
  bytes: Uint8Array,
  more: Partial<InstanceOptions> = {},
  decide: (end: InstanceEnd) => boolean | void = () => {},
) {
  const modelPath = join(folder, `${crypto.randomUUID()}.onnx`);
  writeFileSync(modelPath, bytes);
  const ends: InstanceEnd[] = [];
  const pids: number[] = [];
  let wake = () => {};
  const instance = new Instance({
    id: crypto.randomUUID().slice(0, 8),
    model: 'm',
    version: 1,
    modelPath,
    threads: 2,
    device: 'cpu',
    nativeFolder,
    runFolder,
    loadTimeoutMs: 60_000,
    onChange: () => wake(),
    onSpawn: (pid) => pids.push(pid),
    onEnd(end) {
      ends.push(end);
      return decide(end);
    },
    ...more,
  });
  return {
    instance,
    ends,
    pids,
    async until(reached: () => boolean): Promise<void> {
      while (!reached()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    [Symbol.asyncDispose]: () => instance.stop(),
  };
}

type Started = ReturnType<typeof start>;

const isReady = ({ instance }: Started) => instance.state === 'ready';
const isFailed = ({ instance }: Started) => instance.state === 'failed';

/** Has the instance's runner compute batches at once. @returns the floats of each one's only output, or why there are none */
async function compute({ instance }: Started, ...specs: BatchSpec[]): Promise<(number[] | string)[]> {
  const given: (number[] | string)[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const take = (...results: (number[] | string)[]) => {
    given.push(...results);
    if (given.length === specs.length) resolve();
  };
  const { id, socketPath } = instance.address;
  const link = await Link.open(id, socketPath, runFolder, {
    onDone: (_, { tensors }) => take([...new Float32Array([...tensors.values()][0]!.bytes.slice().buffer)]),
    onFailed: (_, message) => take(message),
    onClosed: (computing, waiting) => take(...[computing, ...waiting].filter(Boolean).map(() => 'closed')),
  });
  try {
    for (const spec of specs) link.start({}, spec);
    await promise;
    return given;
  } finally {
    link.close();
  }
}

const floatInput = (name: string, shape: number[], values: ArrayLike<number>) => ({
  name,
  datatype: 'FP32' as const,
  shape,
  parts: [new Uint8Array(Float32Array.from(values).buffer)],
});

describe('the process', () => {
  test('runs on its cores only, with all its threads', async () => {
    const allowed = parseCpuList(/Cpus_allowed_list:\s+(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]!);
    const core = allowed.at(-1)!;
    await using started = start(smallCnn(), { cores: [core] });
    await started.until(() => isReady(started));
    const tasks = `/proc/${started.instance.pid}/task`;
    const lists = readdirSync(tasks).map(
      (id) => /Cpus_allowed_list:\s+(\S+)/.exec(readFileSync(`${tasks}/${id}/status`, 'utf8'))![1],
    );
    expect(lists.length).toBeGreaterThan(2);
    expect(new Set(lists)).toEqual(new Set([String(core)]));
  });

  test('leaves its cores to the server first', async () => {
    await using started = start(smallCnn(), { threads: 2 });
    await started.until(() => isReady(started));
    const tasks = `/proc/${started.instance.pid}/task`;
    // proc(5): the 19th field of stat; the second, in brackets, may hold spaces.
    const nice = readdirSync(tasks).map(
      (id) => readFileSync(`${tasks}/${id}/stat`, 'utf8').split(') ')[1]!.split(' ')[16],
    );
    const own = Number(readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ')[16]);
    expect(own).toBeLessThan(10);
    // Those of the JavaScript engine that were there before may stay as they are: they compute nothing of the model's.
    expect(nice.filter((value) => value === '10').length).toBeGreaterThanOrEqual(2);
  });

  test('serves on any core, and says so, when it may use none of those', async () => {
    await using started = start(smallCnn(), { cores: [4000] });
    await started.until(() => isReady(started));
    expect(started.instance.logLines).toEqual([expect.stringContaining('not bound to the cores 4000')]);
  });

  test('sees its GPU only, and no secrets', async () => {
    process.env.AIMASS_TEST_SECRET = 'hidden';
    try {
      await using shown = start(addScalar(1), { visibleDevice: 'GPU-0a1b' });
      await using plain = start(addScalar(1));
      await Promise.all([shown, plain].map((started) => started.until(() => isReady(started))));
      const [ofShown, ofPlain] = [shown, plain].map(({ instance }) =>
        readFileSync(`/proc/${instance.pid}/environ`, 'utf8').split('\0'),
      );
      expect(ofShown).toContain('CUDA_VISIBLE_DEVICES=GPU-0a1b');
      expect(ofShown).toContain('CUDA_DEVICE_ORDER=PCI_BUS_ID');
      expect(ofShown).toContain('ORT_DISABLE_TELEMETRY=1');
      expect(ofShown!.join()).not.toContain('hidden');
      expect(ofPlain!.join()).not.toContain('CUDA');
    } finally {
      delete process.env.AIMASS_TEST_SECRET;
    }
  });

  test('is told of as soon as it is there, and its uptime counts from when it is ready', async () => {
    await using started = start(addScalar(1));
    expect(started.instance.uptimeMs).toBe(0);
    await started.until(() => isReady(started));
    expect(started.pids).toEqual([started.instance.pid!]);
    const first = started.instance.uptimeMs;
    await Bun.sleep(1);
    expect(started.instance.uptimeMs).toBeGreaterThan(first);
  });
});

describe('warm-up', () => {
  test('has happened before it is ready, at one row and at the largest batch', async () => {
    await using started = start(smallCnn(), { warmUp: { batch: 8 } });
    await started.until(() => isReady(started));
    expect(started.instance.logLines).toEqual([expect.stringMatching(/^warmed up in \d+ ms \(batch 1 and 8\)$/)]);
  });

  test('a model that takes no made-up input serves all the same', async () => {
    const reshape = build({
      input: [value('input', 'FP32', ['N'])],
      output: [value('output', 'FP32', [7])],
      initializer: [int64s('seven', [1], [7])],
      node: [node('Reshape', ['input', 'seven'], ['output'])],
    });
    await using started = start(reshape, { warmUp: { batch: 0 } });
    await started.until(() => isReady(started));
    expect(started.instance.logLines[0]).toContain('not warmed up: The model could not be run on made-up inputs');
    const values = [1, 2, 3, 4, 5, 6, 7];
    const spec: BatchSpec = {
      key: '',
      inputs: [floatInput('input', [7], values)],
      outputs: [{ name: 'output', datatype: 'FP32' }],
    };
    expect(await compute(started, spec)).toEqual([values]);
  });

  test('memory that does not suffice for the largest batch ends it, and its owner decides', async () => {
    // N⁵ numbers: one for one row, and more than an address can reach for 1024.
    const hungry = build({
      input: [value('input', 'FP32', ['N', 1])],
      output: [value('output', 'FP32', ['N', 1])],
      node: [
        node('Shape', ['input'], ['n'], { start: 0n, end: 1n }),
        node('Mul', ['n', 'n'], ['n2']),
        node('Mul', ['n2', 'n2'], ['n4']),
        node('Mul', ['n4', 'n'], ['n5']),
        node('ConstantOfShape', ['n5'], ['zeros']),
        node('ReduceMax', ['zeros'], ['zero'], { keepdims: 0n }),
        node('Add', ['input', 'zero'], ['output']),
      ],
    });
    await using started = start(hungry, { warmUp: { batch: 1024 } }, () => false);
    await started.until(() => isFailed(started));
    expect(started.ends).toMatchObject([{ cause: 'out_of_memory', wasReady: false, failedStarts: 1, givenUp: false }]);
    expect(started.instance.reason).toStartWith('The memory of this machine ran out');
    await using smaller = start(hungry, { warmUp: { batch: 8 } });
    await smaller.until(() => isReady(smaller));
    expect(smaller.ends).toEqual([]);
  });

  test('is left out after it has taken longer than loading may', async () => {
    await using started = start(slow(10_000_000), { warmUp: { batch: 1 }, loadTimeoutMs: 4000 });
    await started.until(() => isReady(started));
    expect(started.ends).toMatchObject([{ cause: 'load_failed', exit: 'SIGKILL' }]);
    expect(started.ends[0]!.diagnosis).toStartWith('The first run did not end in the time that loadTimeoutMs allows.');
  }, 20_000);
});

describe('an end', () => {
  test('by kill -9: it is started again, and what was logged before is kept', async () => {
    await using started = start(addScalar(1), { warmUp: { batch: 2 } });
    const { instance, ends, pids } = started;
    await started.until(() => isReady(started));
    const { id } = instance.address;
    process.kill(instance.pid!, 'SIGKILL');
    await started.until(() => ends.length === 1 && isReady(started));
    expect(ends).toMatchObject([{ cause: 'crash', exit: 'SIGKILL', wasReady: true, failedStarts: 0, recentEnds: 1 }]);
    expect(ends[0]!.lastLines).toEqual([expect.stringContaining('warmed up')]);
    expect(instance.logLines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'warmed up',
      'ended (SIGKILL):',
      'warmed up',
    ]);
    expect([pids.length, instance.restarts, instance.reason]).toEqual([2, 1, '']);
    expect(instance.address.id).not.toBe(id);
  });

  test('because it did not answer is a hang', async () => {
    await using started = start(addScalar(1));
    await started.until(() => isReady(started));
    started.instance.kill('hung');
    await started.until(() => started.ends.length === 1);
    expect(started.ends).toMatchObject([{ cause: 'hang', wasReady: true }]);
    await started.until(() => isReady(started));
  });

  test('again and again soon after it was ready: it is given up, with its last lines and a diagnosis', async () => {
    await using started = start(addScalar(1));
    const { instance, ends, pids } = started;
    while (!isFailed(started)) {
      await started.until(() => isReady(started));
      process.kill(instance.pid!, 'SIGSEGV');
      await started.until(() => !isReady(started));
      await started.until(() => isReady(started) || isFailed(started));
    }
    expect(ends.map(({ recentEnds, givenUp, failedStarts }) => [recentEnds, givenUp, failedStarts])).toEqual(
      [1, 2, 3, 4, 5].map((count) => [count, count === 5, 0]),
    );
    expect(ends.at(-1)!.lastLines.join('\n')).toContain('Segmentation fault');
    expect(instance.logLines.at(-1)).toContain('ended (SIGSEGV): It crashed (SIGSEGV) in ONNX Runtime.');
    expect(instance.reason).toStartWith('It crashed (SIGSEGV) in ONNX Runtime.');
    expect(instance.reason).toEndWith('It ended 5 times in a row.');
    expect(pids.length).toBe(5);
    expect(instance.pid).toBeUndefined();
  }, 30_000);

  test('before it is ready, three times: a file that is no model', async () => {
    await using started = start(new TextEncoder().encode('not a model'));
    await started.until(() => isFailed(started));
    expect(started.ends).toHaveLength(3);
    expect(started.ends.at(-1)).toMatchObject({
      cause: 'load_failed',
      failedStarts: 3,
      givenUp: true,
      wasReady: false,
    });
    expect(started.instance.reason).toStartWith('The model could not be loaded: Protobuf parsing failed.');
    expect(started.instance.reason).not.toContain(folder);
  });

  test('at the deadline for loading, with the setting that allows more', async () => {
    await using started = start(addScalar(1), { loadTimeoutMs: 1 });
    await started.until(() => isFailed(started));
    expect(started.ends.at(-1)).toMatchObject({ cause: 'load_failed', exit: 'SIGKILL', failedStarts: 3 });
    expect(started.instance.reason).toStartWith('The model was not loaded in the time that loadTimeoutMs allows.');
  });

  test('of a process that cannot be started is the fault of the machine and does not count', async () => {
    // Linux passes no string of 128 KiB or more to a new process.
    await using started = start(addScalar(1), { visibleDevice: 'x'.repeat(128 * 1024) });
    await started.until(() => started.ends.length === 4);
    for (const end of started.ends) expect(end).toMatchObject({ cause: 'machine', failedStarts: 0, recentEnds: 0 });
    expect(started.ends[0]!.exit).toContain('E2BIG');
    expect(started.instance.state).toBe('waiting');
    expect(started.pids).toEqual([]);
  });

  test('that its owner asked for is not told; nor is it started again when its owner stops it in answer to one', async () => {
    const quiet = start(addScalar(1));
    await quiet.until(() => isReady(quiet));
    await quiet.instance.stop();
    expect(quiet.ends).toEqual([]);
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    const started: Started = start(addScalar(1), {}, () => resolve(started.instance.stop()));
    await started.until(() => isReady(started));
    process.kill(started.instance.pid!, 'SIGKILL');
    await stopped;
    expect([started.instance.state, started.instance.pid, started.pids.length]).toEqual(['stopped', undefined, 1]);
  });
});

describe('a GPU that lacks what it needs', () => {
  test('is named', async () => {
    await using started = start(addScalar(1), { provider: 'cuda', device: 'GPU-0' }, () => false);
    await started.until(() => isFailed(started));
    expect(started.ends).toMatchObject([{ cause: 'load_failed' }]);
    expect(started.instance.reason).toContain('The GPU pack is not installed');
  });
});

describe.skipIf(!hasSoftwareGpu)('WebGPU on a software GPU (chromium, libvulkan1)', () => {
  test('answers as the CPU does, and really on the GPU', async () => {
    const image = Float32Array.from({ length: 2 * 784 }, (_, i) => Math.sin(i));
    const spec: BatchSpec = {
      key: '',
      inputs: [floatInput('image', [2, 1, 28, 28], image)],
      outputs: [{ name: 'scores', datatype: 'FP32', bytes: 80, shape: [2, 10] }],
    };
    await withVulkan('software', async () => {
      await using onGpu = start(smallCnn(), { provider: 'webgpu', device: 'gpu', warmUp: { batch: 2 } });
      await using onCpu = start(smallCnn());
      await Promise.all([onGpu, onCpu].map((started) => started.until(() => isReady(started))));
      const [[given], [expected]] = await Promise.all([compute(onGpu, spec), compute(onCpu, spec)]);
      expect(given).toHaveLength(20);
      for (const [i, score] of (given as number[]).entries()) expect(score).toBeCloseTo(expected![i] as number, 4);
      const maps = ({ instance }: Started) => readFileSync(`/proc/${instance.pid}/maps`, 'utf8');
      expect(maps(onGpu)).toContain('vk_swiftshader');
      expect(maps(onCpu)).not.toContain('vk_swiftshader');
    });
  });

  test('memory that does not suffice for a request: it is answered, and a new process has its memory afresh', async () => {
    const tile = build({
      input: [value('input', 'FP32', [1, 4]), value('repeats', 'INT64', [2])],
      output: [value('output', 'FP32', [4])],
      initializer: [floats('one', [], [1])],
      node: [
        node('Tile', ['input', 'repeats'], ['wide']),
        node('ReduceMax', ['wide'], ['highest'], { axes: [0], keepdims: 0n }),
        node('Add', ['highest', 'one'], ['output']),
      ],
    });
    const request = (repeats: number): BatchSpec => ({
      key: '',
      inputs: [
        floatInput('input', [1, 4], [1, 2, 3, 4]),
        {
          name: 'repeats',
          datatype: 'INT64',
          shape: [2],
          parts: [new Uint8Array(BigInt64Array.of(BigInt(repeats), 1n).buffer)],
        },
      ],
      outputs: [{ name: 'output', datatype: 'FP32', bytes: 16, shape: [4] }],
    });
    await withVulkan('software', async () => {
      await using started = start(tile, { provider: 'webgpu', device: 'gpu' });
      await started.until(() => isReady(started));
      expect(await compute(started, request(3))).toEqual([[2, 3, 4, 5]]);
      // The one behind it can be computed by another process.
      expect(await compute(started, request(2 ** 27), request(3))).toEqual([
        expect.stringContaining('WebGPU validation failed'),
        'closed',
      ]);
      await started.until(() => started.ends.length === 1 && isReady(started));
      expect(started.ends).toMatchObject([{ cause: 'out_of_memory', wasReady: true }]);
      expect(started.ends[0]!.diagnosis).toStartWith('The memory of the GPU ran out');
      expect(await compute(started, request(3))).toEqual([[2, 3, 4, 5]]);
    });
  });
});
