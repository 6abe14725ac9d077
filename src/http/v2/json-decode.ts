// The `data` of one JSON tensor, flat or nested, to the bytes of the tensor. Knows nothing of requests.
import { AppError } from '../../error.ts';
import { type Datatype, datatypeBytes } from '../../types.ts';
import { packStrings } from './bytes-tensor.ts';
import { borrowFloats, type PooledFloats } from './float-pool.ts';
import type { ScannedNumbers } from './number-scan.ts';

export interface JsonTensor {
  /** For errors: "input 'x' for model 'm'". */
  label: string;
  datatype: Datatype;
  shape: readonly number[];
  /** Product of the shape. */
  count: number;
}

/** Writes one row of JSON values into the tensor, from element `at` on. @returns the index of a value that is wrong, or −1 */
type RowWriter = (row: readonly unknown[], at: number) => number;
type Numbers = Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array | Float64Array;

const deepest = 100;
const exactArrays = {
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  FP64: Float64Array,
};

const wanted: Record<Datatype, string> = {
  BOOL: 'true or false',
  UINT8: 'an integer in 0…255',
  UINT16: 'an integer in 0…65535',
  UINT32: 'an integer in 0…4294967295',
  UINT64: 'an integer in 0…18446744073709551615',
  INT8: 'an integer in -128…127',
  INT16: 'an integer in -32768…32767',
  INT32: 'an integer in -2147483648…2147483647',
  INT64: 'an integer in -9223372036854775808…9223372036854775807',
  FP16: '',
  FP32: 'a number that fits FP32',
  FP64: 'a number that fits FP64',
  BF16: '',
  BYTES: 'a string of well-formed Unicode',
};

/**
 * @param borrowed is added to when the tensor lies in memory that is to be given back
 * @throws AppError invalid
 */
export function decodeScannedTensor(tensor: JsonTensor, numbers: ScannedNumbers, borrowed: PooledFloats[]): Uint8Array {
  const { datatype, count } = tensor;
  if (datatype !== 'FP32') return decodeJsonTensor(tensor, numbers.toArray());
  if (numbers.count !== count) throw wrongCount(tensor, `${numbers.count}`);
  const pooled = borrowFloats(count);
  // None is too large for FP32: what is taken out of the text stays below 10^37.
  numbers.copyTo(pooled.floats);
  borrowed.push(pooled);
  return pooled.bytes;
}

/**
 * @param data parsed JSON; integers beyond 2^53 for the 64-bit types as bigint
 * @throws AppError invalid
 */
export function decodeJsonTensor(tensor: JsonTensor, data: unknown): Uint8Array {
  const { label, datatype, count } = tensor;
  if (!Array.isArray(data)) throw invalid(`data of ${label} must be an array`);
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw invalid(`${label} has datatype ${datatype}, which has no JSON form`, 'Send it with binary_data_size.');
  }
  if (datatype === 'BYTES') return decodeStrings(tensor, data);
  const buffer = new ArrayBuffer(count * datatypeBytes[datatype]);
  writeRows(tensor, data, writerOf(datatype, buffer));
  return new Uint8Array(buffer);
}

function decodeStrings(tensor: JsonTensor, data: unknown[]): Uint8Array {
  const strings: string[] = [];
  writeRows(tensor, data, (row) => {
    for (const [i, value] of row.entries()) {
      if (typeof value !== 'string') return i;
      strings.push(value);
    }
    return -1;
  });
  const bytes = packStrings(strings);
  if (bytes) return bytes;
  throw wrongValue(
    tensor,
    strings.findIndex((text) => !text.isWellFormed()),
  );
}

function writeRows(tensor: JsonTensor, data: unknown[], write: RowWriter): void {
  const { count } = tensor;
  let at = 0;
  const visit = (values: unknown[], depth: number): void => {
    if (Array.isArray(values[0])) {
      if (depth === deepest) throw invalid(`data of ${tensor.label} is nested too deeply`);
      for (const value of values) {
        if (!Array.isArray(value)) throw wrongValue(tensor, at);
        visit(value, depth + 1);
      }
      return;
    }
    if (at + values.length > count) throw wrongCount(tensor, `more than ${count}`);
    const wrong = write(values, at);
    if (wrong >= 0) throw wrongValue(tensor, at + wrong);
    at += values.length;
  };
  visit(data, 1);
  if (at !== count) throw wrongCount(tensor, `${at}`);
}

function writerOf(datatype: Exclude<Datatype, 'FP16' | 'BF16' | 'BYTES'>, buffer: ArrayBuffer): RowWriter {
  switch (datatype) {
    case 'FP32': {
      const target = new Float32Array(buffer);
      return (row, at) => writeFloats(target, row, at);
    }
    case 'BOOL': {
      const target = new Uint8Array(buffer);
      return (row, at) => writeBooleans(target, row, at);
    }
    case 'INT64':
      return longWriter(buffer, -(2n ** 63n), 2n ** 63n - 1n);
    case 'UINT64':
      return longWriter(buffer, 0n, 2n ** 64n - 1n);
    default: {
      const target = new exactArrays[datatype](buffer);
      return (row, at) => writeExactly(target, row, at);
    }
  }
}

/** One loop over a fresh array of numbers: with the checks in it, it is still cheaper than a call for each value. */
function writeFloats(target: Float32Array, row: readonly unknown[], at: number): number {
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    if (typeof value !== 'number') return i;
    const stored = Math.fround(value);
    // Too large for FP32 became infinity.
    if (stored === Infinity || stored === -Infinity) return i;
    target[at + i] = stored;
  }
  return -1;
}

/** What is stored differs from what was given exactly when that is no number, no integer or out of range. */
function writeExactly(target: Numbers, row: readonly unknown[], at: number): number {
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    if (typeof value !== 'number') return i;
    target[at + i] = value;
    if (target[at + i] !== value || value === Infinity || value === -Infinity) return i;
  }
  return -1;
}

/** 0 and 1 are taken for false and true: clients that hold booleans as bytes send them so. */
function writeBooleans(target: Uint8Array, row: readonly unknown[], at: number): number {
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    if (value === true || value === 1) target[at + i] = 1;
    else if (value !== false && value !== 0) return i;
  }
  return -1;
}

function longWriter(buffer: ArrayBuffer, lowest: bigint, highest: bigint): RowWriter {
  const longs = new BigInt64Array(buffer);
  const words = new Int32Array(buffer);
  return (row, at) => {
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      if (Number.isSafeInteger(value) && (lowest < 0n || (value as number) >= 0)) {
        // Two words: several times as fast as making a bigint.
        words[2 * (at + i)] = (value as number) | 0;
        words[2 * (at + i) + 1] = Math.floor((value as number) / 2 ** 32);
        continue;
      }
      const long = typeof value === 'bigint' ? value : Number.isInteger(value) ? BigInt(value as number) : undefined;
      if (long === undefined || long < lowest || long > highest) return i;
      longs[at + i] = BigInt.asIntN(64, long);
    }
    return -1;
  };
}

function wrongCount({ label, shape, count }: JsonTensor, found: string): AppError {
  return invalid(`data of ${label} has ${found} elements, its shape [${shape.join(',')}] needs ${count}`);
}

function wrongValue({ label, datatype }: JsonTensor, index: number): AppError {
  return invalid(`element ${index} of the data of ${label} must be ${wanted[datatype]} (${datatype})`);
}

function invalid(message: string, hint?: string): AppError {
  return new AppError('invalid', message, hint);
}
