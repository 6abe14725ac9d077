// Tries a model with one execution provider and compares it with the CPU, and chooses a provider from such trials. A trial
// belongs into a child process: a provider's library may crash, and a GPU's memory comes back only when a process ends.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AppError, messageOf } from '../error.ts';
import { explainProviderError, findLibraryProblem, type ProviderPlace } from './provider-problem.ts';
import { runAll, runOnRandomInputs, type TrialRun } from './random-inputs.ts';
import { type NodeAssignment, readAssignment } from './run-profile.ts';
import { openSession, type OrtTensor, type OrtTensors, type ProviderName, providerNames } from './session.ts';

export interface TrialRequest extends ProviderPlace {
  path: string;
  threads: number;
  deviceIndex?: number;
}

interface PassedTrial {
  provider: ProviderName;
  ok: true;
  /** Absent when the model has too many nodes for its profile to be read. */
  assignment?: NodeAssignment;
  loadMs: number;
  /** Of a run after the first, in which providers still prepare their kernels; with the profile's overhead. */
  runMs: number;
  /** Largest difference from the CPU's outputs, in parts of the largest value of an output; 0…1. */
  difference: number;
  agrees: boolean;
}

interface FailedTrial {
  provider: ProviderName;
  ok: false;
  /** One sentence. */
  reason: string;
  /** It is the machine's doing, which somebody may put right. */
  ofMachine?: true;
}

export type ProviderTrial = PassedTrial | FailedTrial;

/** Small first: a software adapter is slow. */
const guesses = [8, 1, 64, 224];
const mostProfileBytes = 64 * 1024 * 1024;

/** TF32 and other orders of summing change the third digit; half precision has no more than three. */
const tolerances = { half: 0.05, other: 0.01 };

/** What the provider cannot do is a failed trial, not an error. @throws when not even the CPU can run the model */
export async function tryProvider(request: TrialRequest): Promise<ProviderTrial> {
  const { provider } = request;
  const missing = await findLibraryProblem(request);
  if (missing !== undefined) return { provider, ok: false, reason: missing };
  const reference = runOnCpu(request);
  const folder = await mkdtemp(join(tmpdir(), 'aimass-trial-'));
  try {
    return { provider, ok: true, ...(await runOnProvider(request, reference, folder)) };
  } catch (error) {
    return { provider, ok: false, ...(await explainProviderError(messageOf(error), request)) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function runOnCpu({ path, threads, nativeFolder }: TrialRequest): TrialRun {
  const session = openSession(path, { threads, nativeFolder });
  try {
    return runOnRandomInputs(session, 1, guesses);
  } finally {
    session.dispose();
  }
}

async function runOnProvider(request: TrialRequest, { feeds, outputs: expected }: TrialRun, folder: string) {
  const started = performance.now();
  const session = openSession(request.path, { ...request, profilePrefix: join(folder, 'run') });
  try {
    const loadMs = performance.now() - started;
    const outputs = runAll(session, feeds);
    const warm = performance.now();
    runAll(session, feeds);
    const runMs = performance.now() - warm;
    session.endProfile();
    return { loadMs, runMs, ...compareOutputs(outputs, expected), assignment: await readProfile(folder) };
  } finally {
    session.dispose();
  }
}

async function readProfile(folder: string): Promise<NodeAssignment | undefined> {
  const [name] = await readdir(folder);
  if (name === undefined) throw new AppError('internal', 'ONNX Runtime wrote no profile.');
  const path = join(folder, name);
  if ((await stat(path)).size > mostProfileBytes) return undefined;
  return readAssignment(await Bun.file(path).text());
}

export function compareOutputs(actual: OrtTensors, expected: OrtTensors): { difference: number; agrees: boolean } {
  const each = Object.entries(expected).map(([name, tensor]) => ({
    difference: differenceOf(actual[name]!, tensor),
    tolerance: tensor.type === 'float16' ? tolerances.half : tolerances.other,
  }));
  return {
    difference: Math.max(0, ...each.map(({ difference }) => difference)),
    agrees: each.every(({ difference, tolerance }) => difference <= tolerance),
  };
}

/** For numbers with a fraction max|a − b| / max|b|, for all others the part of the elements that differ; 1 at most. */
function differenceOf(actual: OrtTensor, expected: OrtTensor): number {
  if (actual.dims.join() !== expected.dims.join()) return 1;
  const given = actual.data as ArrayLike<unknown>;
  const wanted = expected.data as ArrayLike<unknown>;
  const isFloat = expected.type.startsWith('float');
  let largest = 0;
  let furthest = 0;
  let differing = 0;
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [given[i], wanted[i]];
    if (isFloat && Number.isFinite(b)) largest = Math.max(largest, Math.abs(b as number));
    // Infinities and NaN are equal to themselves.
    if (Object.is(a, b) || a === b) continue;
    differing += 1;
    if (isFloat) furthest = Math.max(furthest, distance(a as number, b as number));
  }
  if (differing === 0) return 0;
  return Math.min(1, isFloat ? furthest / largest : differing / wanted.length);
}

function distance(a: number, b: number): number {
  return Number.isNaN(a) || Number.isNaN(b) ? Infinity : Math.abs(a - b);
}

export interface ProviderChoice {
  provider: ProviderName;
  /** Better providers that were not taken. */
  passedOver: { provider: ProviderName; reason: string }[];
  /** Why the chosen one does not do well either: a person insists on it, or nothing else is left. */
  problem?: string;
}

/**
 * The first of TensorRT, CUDA, WebGPU and CPU that computes the model rightly.
 * @param pin a person's choice: it is taken whatever its trial said
 */
export function chooseProvider(trials: readonly ProviderTrial[], pin?: ProviderName): ProviderChoice {
  const problemOf = (name: ProviderName) => findProblem(trials.find(({ provider }) => provider === name));
  if (pin) return { provider: pin, passedOver: [], problem: problemOf(pin) };
  const passedOver: ProviderChoice['passedOver'] = [];
  for (const provider of providerNames.filter((name) => name !== 'cpu')) {
    const reason = problemOf(provider);
    if (reason === undefined) return { provider, passedOver };
    passedOver.push({ provider, reason });
  }
  return { provider: 'cpu', passedOver, problem: problemOf('cpu') };
}

function findProblem(trial: ProviderTrial | undefined): string | undefined {
  if (!trial) return 'It was not tried.';
  if (!trial.ok) return trial.reason;
  if (!trial.agrees) {
    return `Its results are not those of the CPU: they differ by ${(trial.difference * 100).toPrecision(2)} %.`;
  }
  const { cpuNodes, allNodes } = trial.assignment ?? { cpuNodes: 0, allNodes: 0 };
  const leavesAll = trial.provider !== 'cpu' && allNodes > 0 && cpuNodes === allNodes;
  return leavesAll ? 'It computes none of the nodes of this model: all ran on the CPU.' : undefined;
}
