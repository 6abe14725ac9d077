// Whether two versions gave the same answer to the same request. Pure.
import type { TensorData } from '../types.ts';

/** Numbers this close, relative to the larger one, are the same: other hardware and other kernels round differently. */
const tolerance = 0.01;
const floor = 1e-3;

/**
 * The same outputs, shapes and values. Rows of scores (a last dimension of 2 to 100,000 floats) need only agree in which
 * one is the largest: that is the answer that people see.
 */
export function agree(a: readonly TensorData[], b: readonly TensorData[]): boolean {
  return a.every((left) => {
    const right = b.find(({ name }) => name === left.name);
    return right !== undefined && sameTensor(left, right);
  });
}

function sameTensor(a: TensorData, b: TensorData): boolean {
  if (a.datatype !== b.datatype || a.shape.join() !== b.shape.join()) return false;
  const [left, right] = [valuesOf(a), valuesOf(b)];
  if (!left || !right) return Buffer.from(a.bytes).equals(Buffer.from(b.bytes));
  const columns = a.shape.at(-1) ?? 1;
  if (a.shape.length === 2 && columns > 1 && columns <= 100_000) return sameWinners(left, right, columns);
  return left.every((value, i) => isNear(value, right[i]!));
}

type Floats = Float16Array | Float32Array | Float64Array;

function valuesOf({ datatype, bytes }: TensorData): Floats | undefined {
  const { buffer } = bytes.slice();
  if (datatype === 'FP16') return new Float16Array(buffer);
  if (datatype === 'FP32') return new Float32Array(buffer);
  return datatype === 'FP64' ? new Float64Array(buffer) : undefined;
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
