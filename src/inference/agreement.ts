// Whether two versions gave the same answer to the same request. Pure.
import type { TensorData } from '../types.ts';

/** Numbers this close, relative to the larger one, are the same: other hardware and other kernels round differently. */
const tolerance = 0.01;
const floor = 1e-3;

/**
 * The same outputs, shapes and values. Rows of probabilities, and of scores, need only agree in which one is the largest:
 * that is the answer that people see, and a version that was trained anew gives no number quite as the one before.
 * @param hasScores the model sorts into classes: rows of floats are scores
 */
export function agree(a: readonly TensorData[], b: readonly TensorData[], hasScores: boolean): boolean {
  return a.every((left) => {
    const right = b.find(({ name }) => name === left.name);
    return right !== undefined && sameTensor(left, right, hasScores);
  });
}

function sameTensor(a: TensorData, b: TensorData, hasScores: boolean): boolean {
  if (a.datatype !== b.datatype || a.shape.join() !== b.shape.join()) return false;
  const [left, right] = [valuesOf(a), valuesOf(b)];
  if (!left || !right) return Buffer.from(a.bytes).equals(Buffer.from(b.bytes));
  const columns = a.shape.at(-1) ?? 1;
  const areScores = hasScores || [left, right].every((values) => areProbabilities(values, columns));
  if (a.shape.length === 2 && columns > 1 && areScores) return sameWinners(left, right, columns);
  return left.every((value, i) => isNear(value, right[i]!));
}

type Floats = Float16Array | Float32Array | Float64Array;

function valuesOf({ datatype, bytes }: TensorData): Floats | undefined {
  const { buffer } = bytes.slice();
  if (datatype === 'FP16') return new Float16Array(buffer);
  if (datatype === 'FP32') return new Float32Array(buffer);
  return datatype === 'FP64' ? new Float64Array(buffer) : undefined;
}

/** No row has a number below zero, and each adds up to one. */
function areProbabilities(values: Floats, columns: number): boolean {
  for (let start = 0; start < values.length; start += columns) {
    let sum = 0;
    for (const value of values.subarray(start, start + columns)) {
      if (!(value >= 0)) return false;
      sum += value;
    }
    if (Math.abs(sum - 1) > floor) return false;
  }
  return true;
}

function sameWinners(a: Floats, b: Floats, columns: number): boolean {
  for (let start = 0; start < a.length; start += columns) {
    const [left, right] = [a.subarray(start, start + columns), b.subarray(start, start + columns)];
    if (winnerOf(left) !== winnerOf(right)) return false;
  }
  return true;
}

/** −1 when a value is not a number: that is nobody's answer. */
function winnerOf(row: Floats): number {
  let best = 0;
  for (let i = 0; i < row.length; i++) {
    if (Number.isNaN(row[i])) return -1;
    if (row[i]! > row[best]!) best = i;
  }
  return best;
}

function isNear(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= floor + tolerance * Math.max(Math.abs(a), Math.abs(b));
}
