// What a child process is given of the environment, and who is blamed when its work fails.
import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AppError } from '../../src/error.ts';
import { childEnvironment, gpuEnvironment, runChild, setLibraryPath } from '../../src/job/child.ts';
import { prepareNative } from '../../src/native.ts';
import { slow, smallCnn } from '../support/graphs.ts';

afterEach(() => setLibraryPath(''));

test('children look for libraries where the setting says, and get no secrets', () => {
  setLibraryPath('/opt/cuda/lib64:/opt/cudnn/lib');
  process.env.AIMASS_TEST_SECRET = 'x';
  try {
    const environment = childEnvironment();
    expect(environment.LD_LIBRARY_PATH).toBe('/opt/cuda/lib64:/opt/cudnn/lib');
    expect(environment.ORT_DISABLE_TELEMETRY).toBe('1');
    expect(Object.values(environment)).not.toContain('x');
  } finally {
    delete process.env.AIMASS_TEST_SECRET;
  }
});

const limits = { timeoutMs: 60_000, memoryBytes: 2 * 1024 ** 3 };

test('a child may be given more, such as the only GPU that it sees', async () => {
  const others = new Set(childrenHere());
  const work = runChild(
    'inspect',
    { path: '/nonexistent', nativeFolder: '/nonexistent' },
    { ...limits, env: gpuEnvironment('GPU-7') },
  );
  const [started] = childrenHere().filter((pid) => !others.has(pid));
  const environment = readFileSync(`/proc/${started}/environ`, 'utf8').split('\0');
  await work.catch(() => {});
  expect(environment).toContain('CUDA_VISIBLE_DEVICES=GPU-7');
  expect(environment).toContain('CUDA_DEVICE_ORDER=PCI_BUS_ID');
  expect(environment).toContain('ORT_DISABLE_TELEMETRY=1');
});

describe('a failing child', () => {
  async function failureOf(work: Promise<unknown>): Promise<AppError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error instanceof AppError) return error;
    throw new Error(`no AppError but ${String(error)}`);
  }

  test('is not the fault of the model when the system killed it', async () => {
    const others = new Set(childrenHere());
    const work = failureOf(runChild('inspect', { path: '/nonexistent', nativeFolder: '/nonexistent' }, limits));
    const [started, ...more] = childrenHere().filter((pid) => !others.has(pid));
    expect(more).toEqual([]);
    process.kill(started!, 'SIGKILL');
    const { code, message, hint } = await work;
    expect(code).toBe('unavailable');
    expect(message).toContain('The inspect step was killed');
    expect(hint).toContain('Free memory');
  });

  test('is when it crashed while it computed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'aimass-child-'));
    try {
      const path = join(folder, 'model.onnx');
      await Bun.write(path, slow(100_000_000));
      const nativeFolder = await prepareNative(join(folder, 'native'));
      for (const signal of ['SIGSEGV', 'SIGABRT'] as const) {
        const others = new Set(childrenHere());
        const work = failureOf(runChild('inspect', { path, nativeFolder }, limits));
        const [started] = childrenHere().filter((pid) => !others.has(pid));
        // Loading takes less. A crash before that may catch the crash handler itself half ready.
        while (usedTicks(started!) < 60) await Bun.sleep(10);
        process.kill(started!, signal);
        const { code, message } = await work;
        expect([code, message]).toEqual(['invalid', expect.stringContaining(signal)]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 20_000);

  test('is not when the deadline ended it', async () => {
    const work = runChild(
      'inspect',
      { path: '/nonexistent', nativeFolder: '/nonexistent' },
      { ...limits, timeoutMs: 1 },
    );
    expect((await failureOf(work)).code).toBe('timeout');
  });

  test('is not when nobody foresaw the failure, which is told with its step', async () => {
    const { code, message } = await failureOf(runChild('inspect', null, limits));
    expect(code).toBe('internal');
    expect(message).toStartWith('The inspect step failed: ');
    const missing = await failureOf(runChild('inspect', { path: '/nonexistent.onnx', nativeFolder: '' }, limits));
    expect([missing.code, missing.message]).toEqual(['internal', expect.stringContaining('ENOENT')]);
  });

  test('is not when ONNX Runtime cannot be loaded; a damaged model still is the model', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'aimass-child-'));
    try {
      const path = join(folder, 'model.onnx');
      await Bun.write(path, smallCnn());
      const missing = await failureOf(runChild('inspect', { path, nativeFolder: folder }, limits));
      expect([missing.code, missing.message]).toEqual(['unavailable', expect.stringContaining('ONNX Runtime')]);
      expect(missing.message).not.toContain(folder);
      expect(missing.hint).toContain('noexec');
      await Bun.write(path, smallCnn().subarray(0, 5000));
      const nativeFolder = await prepareNative(join(folder, 'native'));
      expect((await failureOf(runChild('inspect', { path, nativeFolder }, limits))).code).toBe('invalid');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function childrenHere(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && parentOf(pid) === process.pid);
}

/** Processor time in hundredths of a second, of all threads (proc_pid_stat(5), utime and stime). */
function usedTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** @returns undefined if there is no such process any more */
function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
