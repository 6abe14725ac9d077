// Runs a model on made-up rows, one by one and together, to see whether a batch gives every row what it would get
// alone. Knows nothing of files.
import { messageOf } from '../error.ts';
import type { Datatype, Signature, TensorSpec } from '../types.ts';
import { makeValues, randomNumbers, runAll } from './random-inputs.ts';
import { readableMessage } from './runtime-message.ts';
import { elementCount, type OrtTensor, type OrtTensors, type Session, toOrt } from './session.ts';

export interface BatchTrial {
  batchable: boolean;
  /** Rank of each output as a run gave it; absent when no run succeeded or none was needed. */
  ranks?: Map<string, number>;
  /** Why nothing is known, for a person. */
  warning?: string;
}

// Sizes for the variable dimensions other than the batch. Eight first: with one, a mistake about which dimension is
// which may not show. Then what image models tend to need.
const guesses = [8, 1, 64, 224];
const maxElements = 64 * 1024 * 1024;
const maxMs = 10_000;

/** @param needsRanks true to run the model in any case, because some outputs declare no shape */
export function tryBatches(session: Session, needsRanks: boolean): BatchTrial {
  const { signature } = session;
  const hopeful = couldBatch(signature, needsRanks);
  if (!hopeful && !needsRanks) return { batchable: false };
  const deadline = performance.now() + maxMs;
  let failure = 'every size that was tried is too large';
  for (const guess of sizesToTry(signature)) {
    if (performance.now() > deadline) return { batchable: false, warning: cannotTell('the trial took too long') };
    const rows = [1, 2, 3].map((seed) => signature.inputs.map((input) => makeRow(input, guess, seed)));
    if (rows.flat().some(({ shape }) => 3 * elementCount(shape) > maxElements)) continue;
    let first: OrtTensors;
    try {
      first = run(session, [rows[0]!]);
    } catch (error) {
      failure = readableMessage(messageOf(error));
      continue;
    }
    const ranks = new Map(Object.entries(first).map(([name, { dims }]) => [name, dims.length]));
    if (!hopeful) return { batchable: false, ranks };
    const isOver = () => performance.now() > deadline;
    const verdict = compareBatches(session, rows, first, isOver);
    if (verdict === 'late') return { batchable: false, ranks, warning: cannotTell('the trial took too long') };
    return { batchable: verdict, ranks };
  }
  return { batchable: false, warning: cannotTell(failure) };
}

function cannotTell(reason: string): string {
  return (
    `Whether requests can share a batch could not be tried (${reason}), so each is computed alone. ` +
    'If the rows of dimension 0 are independent of each other, set maxBatchSize by hand.'
  );
}

/** True if dimension 0 of everything varies, and no other dimension must be as large as it. */
function couldBatch({ inputs, outputs }: Signature, mayLackShape: boolean): boolean {
  if (inputs.length === 0) return false;
  const batchNames = new Set(inputs.map(({ dimNames }) => dimNames?.[0]).filter(Boolean));
  return (
    inputs.every(({ shape }) => shape[0] === -1) &&
    outputs.every(({ shape }) => shape[0] === -1 || (mayLackShape && shape.length === 0)) &&
    inputs.every(({ dimNames = [] }) => !dimNames.slice(1).some((name) => batchNames.has(name)))
  );
}

/** Without variable dimensions beside the batch all guesses are the same. */
function sizesToTry({ inputs }: Signature): number[] {
  return inputs.some(({ shape }) => shape.slice(1).includes(-1)) ? guesses : guesses.slice(0, 1);
}

interface Row {
  name: string;
  datatype: Datatype;
  /** Dimension 0 is 1 where it varies. */
  shape: number[];
  bytes: Uint8Array;
}

function makeRow({ name, datatype, shape }: TensorSpec, guess: number, seed: number): Row {
  const sizes = shape.map((size, axis) => (size !== -1 ? size : axis === 0 ? 1 : guess));
  const count = elementCount(sizes);
  if (3 * count > maxElements) return { name, datatype, shape: sizes, bytes: new Uint8Array(0) };
  return { name, datatype, shape: sizes, bytes: makeValues(datatype, count, randomNumbers(seed)) };
}

function run(session: Session, rows: Row[][]): OrtTensors {
  const feeds: OrtTensors = {};
  for (const [i, first] of rows[0]!.entries()) {
    const bytes = Buffer.concat(rows.map((row) => row[i]!.bytes));
    // A copy of its own: Buffer.concat may hand out unaligned parts of a shared pool.
    const aligned = new Uint8Array(bytes);
    const shape = first.shape.length === 0 ? [] : [first.shape[0]! * rows.length, ...first.shape.slice(1)];
    feeds[first.name] = toOrt(first.datatype, shape, aligned);
  }
  return runAll(session, feeds);
}

/** @param first outputs of rows[0] alone */
function compareBatches(session: Session, rows: Row[][], first: OrtTensors, isOver: () => boolean): boolean | 'late' {
  try {
    const alone = [first];
    for (const row of rows.slice(1)) {
      if (isOver()) return 'late';
      alone.push(run(session, [row]));
    }
    for (const order of [
      [0, 1],
      [2, 1, 0],
    ]) {
      if (isOver()) return 'late';
      const together = run(
        session,
        order.map((i) => rows[i]!),
      );
      const asAlone = order.every((row, at) => isRowEqual(together, alone[row]!, at, order.length));
      if (!asAlone) return false;
    }
    return true;
  } catch {
    // It computes one row and not several: dimension 0 says that it varies, but something inside is fixed.
    return false;
  }
}

function isRowEqual(together: OrtTensors, alone: OrtTensors, at: number, count: number): boolean {
  return Object.entries(alone).every(([name, expected]) => {
    const given = together[name]!;
    const [rows, ...rest] = expected.dims;
    const fits = rows === 1 && given.dims[0] === count && rest.join() === given.dims.slice(1).join();
    return fits && isSliceEqual(given, expected, at * expected.size);
  });
}

function isSliceEqual(given: OrtTensor, expected: OrtTensor, offset: number): boolean {
  const actual = given.data as ArrayLike<unknown>;
  const wanted = expected.data as ArrayLike<unknown>;
  const isFloat = expected.type.startsWith('float');
  // Half precision rounds after about three digits, and a batch may sum in another order.
  const [relative, absolute] = expected.type === 'float16' ? [1e-2, 1e-3] : [1e-3, 1e-5];
  const slack = isFloat ? absolute * largest(wanted as ArrayLike<number>) : 0;
  for (let i = 0; i < wanted.length; i++) {
    if (Object.is(wanted[i], actual[offset + i])) continue;
    if (!isFloat) return false;
    const a = wanted[i] as number;
    const b = actual[offset + i] as number;
    if (a !== b && !(Math.abs(a - b) <= relative * Math.abs(a) + slack)) return false;
  }
  return true;
}

function largest(values: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!);
    if (size > max && Number.isFinite(size)) max = size;
  }
  return max;
}
