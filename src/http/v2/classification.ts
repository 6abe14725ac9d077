// The classification extension: instead of an output, its N highest values with their class index and label.
// Values look as C's printf writes them, because that is what clients of this extension parse.
import { AppError } from '../../error.ts';
import type { TensorData } from '../../types.ts';
import { packStrings } from './bytes-tensor.ts';
import { aligned } from './json-encode.ts';

const arrays = {
  FP16: Float16Array,
  FP32: Float32Array,
  FP64: Float64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
};

type Values = InstanceType<(typeof arrays)[keyof typeof arrays]>;

/** Each is a string of its own: millions of them would hold up everyone else for seconds. */
const maxEntries = 100_000;

/**
 * @param count how many classes; at most as many as there are
 * @param batched dimension 0 is the batch, and each of its rows has its own classes
 * @returns BYTES "value:index" or "value:index:label", shape [rows, count], or [count] when not batched
 * @throws AppError invalid when the output does not hold numbers, or the answer would have too many entries
 */
export function classify(
  output: TensorData,
  count: number,
  batched: boolean,
  labels: readonly string[] = [],
): TensorData {
  const { name, datatype, bytes, shape } = output;
  if (!(datatype in arrays)) {
    throw new AppError(
      'invalid',
      `class result not available for output '${name}' due to unsupported type '${datatype}'`,
    );
  }
  const values = new arrays[datatype as keyof typeof arrays](...aligned(bytes, datatype));
  const hasRows = batched && shape.length > 0;
  const rows = hasRows ? shape[0]! : 1;
  const width = rows === 0 ? 0 : values.length / rows;
  const top = Math.min(count, width);
  if (rows * top > maxEntries) {
    throw new AppError(
      'invalid',
      `class result for output '${name}' would have ${rows * top} entries, at most ${maxEntries} are given`,
      'Ask for fewer classes, or take the tensor itself: leave out the classification parameter.',
    );
  }
  const texts: string[] = [];
  for (let row = 0; row < rows; row++) {
    const scores = values.subarray(row * width, (row + 1) * width);
    for (const index of highest(scores, top)) {
      const label = labels[index];
      const text = `${printed(scores[index]!, datatype)}:${index}`;
      texts.push(label === undefined ? text : `${text}:${label.toWellFormed()}`);
    }
  }
  return { name, datatype: 'BYTES', shape: hasRows ? [rows, top] : [top], bytes: packStrings(texts)! };
}

/** Indexes of the highest values, highest first, the lower index first among equals; NaN counts as lowest. */
function highest(values: Values, top: number): number[] {
  if (top === 0) return [];
  // The native sort of a typed array is as fast as a selection written here.
  const sorted = values.slice().sort();
  let numbers = sorted.length;
  while (numbers > 0 && Number.isNaN(sorted[numbers - 1])) numbers--;
  const lowest = sorted[Math.max(0, numbers - top)]!;
  const above: number[] = [];
  const equal: number[] = [];
  const rest: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value > lowest) above.push(i);
    else if (value === lowest) {
      if (equal.length < top) equal.push(i);
    } else if (Number.isNaN(value) && rest.length < top) rest.push(i);
  }
  above.sort((a, b) => (values[a]! > values[b]! ? -1 : values[a]! < values[b]! ? 1 : a - b));
  return [...above, ...equal, ...rest].slice(0, top);
}

function printed(value: number | bigint, datatype: string): string {
  return typeof value === 'bigint' || !datatype.startsWith('FP') ? String(value) : sixDecimals(value);
}

/** As C's "%f": exact ties go to the even digit, and no exponent however large the number. */
function sixDecimals(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const size = Math.abs(value);
  if (size === Infinity) return `${sign}inf`;
  if (size >= 1e21) return `${sign}${BigInt(size)}.000000`;
  const millionths = size * 1e6;
  if (millionths % 1 !== 0.5) return sign + size.toFixed(6);
  const below = Math.floor(millionths);
  return sign + ((below + (below % 2)) / 1e6).toFixed(6);
}
