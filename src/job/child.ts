// Starts this same executable again as a child, and runs one piece of work in such a child under a deadline and a
// memory limit. Knows nothing of what the work is.
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AppError, type ErrorCode, messageOf } from '../error.ts';
import { dieFirst, dieWithParent, limitMemory } from '../libc.ts';
import { isCompiled } from '../native.ts';

const mainFile = join(import.meta.dir, '..', 'main.ts');

/** The command line that starts this executable with a hidden verb, compiled or from source. */
export function selfCommand(...args: string[]): string[] {
  return isCompiled ? [process.execPath, ...args] : [process.execPath, mainFile, ...args];
}

let libraryPath = '';

/** @param folders separated by colons, in which children look for shared libraries before the system's folders */
export function setLibraryPath(folders: string): void {
  libraryPath = folders;
}

/** Environment of a child: what programs need to run at all, and nothing that could hold a secret. */
export function childEnvironment(): Record<string, string> {
  const environment: Record<string, string> = { ORT_DISABLE_TELEMETRY: '1', TMPDIR: tmpdir() };
  for (const name of ['PATH', 'HOME', 'LANG', 'LC_ALL', 'LD_LIBRARY_PATH', 'VK_DRIVER_FILES']) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  if (libraryPath) environment.LD_LIBRARY_PATH = libraryPath;
  return environment;
}

/** What makes a GPU, or a MIG instance of one, the only one that CUDA shows to a child: number 0. */
export function gpuEnvironment(uuid: string): Record<string, string> {
  return { CUDA_VISIBLE_DEVICES: uuid, CUDA_DEVICE_ORDER: 'PCI_BUS_ID' };
}

export interface ChildLimits {
  timeoutMs: number;
  /** Writable memory the child may take beyond what it starts with. */
  memoryBytes: number;
  signal?: AbortSignal;
  /** Beside what every child gets. */
  env?: Record<string, string>;
}

interface Failure {
  code: ErrorCode;
  message: string;
  hint?: string;
}

type Outcome = { result: unknown } | { failure: Failure } | { unexpected: string };

/**
 * Runs `verb` in a child: `request` goes in as JSON, the result comes back as JSON.
 * @throws AppError the child's own; `too_large` when it ran out of memory; `invalid` when it crashed; `unavailable` when
 * something else killed it; `internal` when its work failed in a way that was not foreseen; or `timeout`
 */
export async function runChild<T>(verb: string, request: unknown, limits: ChildLimits): Promise<T> {
  if (limits.signal?.aborted) throw new AppError('conflict', 'The work was cancelled.');
  const child = Bun.spawn(selfCommand('job', verb, String(process.pid)), {
    stdin: new Blob([JSON.stringify({ request, memoryBytes: limits.memoryBytes })]),
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...childEnvironment(), ...limits.env },
  });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, limits.timeoutMs);
  const cancel = () => child.kill('SIGKILL');
  limits.signal?.addEventListener('abort', cancel);
  try {
    const [text, complaints] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    if (limits.signal?.aborted) throw new AppError('conflict', 'The work was cancelled.');
    if (timedOut) {
      throw new AppError('timeout', `The ${verb} step took longer than ${Math.round(limits.timeoutMs / 1000)} s.`);
    }
    return readOutcome<T>(verb, text, complaints, child.signalCode ?? child.exitCode);
  } finally {
    clearTimeout(timer);
    limits.signal?.removeEventListener('abort', cancel);
  }
}

function readOutcome<T>(verb: string, text: string, complaints: string, exit: string | number | null): T {
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  let outcome: Outcome | undefined;
  try {
    outcome = JSON.parse(line) as Outcome;
  } catch {
    // The child ended without an outcome: it crashed.
  }
  if (outcome && 'result' in outcome) return outcome.result as T;
  if (outcome && 'failure' in outcome) {
    throw new AppError(outcome.failure.code, outcome.failure.message, outcome.failure.hint);
  }
  if (outcome) throw new AppError('internal', `The ${verb} step failed: ${outcome.unexpected}`);
  // Nothing crashes by this signal: somebody sent it.
  if (exit === 'SIGKILL') {
    throw new AppError(
      'unavailable',
      `The ${verb} step was killed, most likely because the machine ran out of memory.`,
      'Free memory on the machine, for example by unloading models, then try again.',
    );
  }
  const last = complaints.trim().split('\n').slice(-3).join(' ').slice(-300);
  throw new AppError('invalid', `The ${verb} step ended unexpectedly (${String(exit)}). ${last}`.trim());
}

/** The child's side of runChild. Ends the process. @param parent pid that the child must not outlive */
export async function serveChild(parent: number, handler: (request: unknown) => Promise<unknown>): Promise<never> {
  dieWithParent(parent);
  dieFirst();
  let outcome: Outcome;
  try {
    const { request, memoryBytes } = (await Bun.stdin.json()) as { request: unknown; memoryBytes: number };
    await limitMemory(memoryBytes);
    outcome = { result: await handler(request) };
  } catch (thrown) {
    outcome = describe(thrown);
  }
  // The native library may have printed to standard output too: the outcome is the last line.
  await Bun.write(Bun.stdout, `\n${JSON.stringify(outcome)}\n`);
  process.exit(0);
}

function describe(thrown: unknown): Outcome {
  if (thrown instanceof AppError) {
    return { failure: { code: thrown.code, message: thrown.message, hint: thrown.hint } };
  }
  const message = messageOf(thrown);
  if (/out of memory|bad_alloc|Failed to allocate/i.test(message)) {
    return {
      failure: {
        code: 'too_large',
        message: 'Not enough memory for this step.',
        hint: 'Raise the memory limit in the settings.',
      },
    };
  }
  // Not the fault of what was worked on, as far as anybody knows.
  return { unexpected: message };
}
