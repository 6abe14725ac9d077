// The bytes of one tensor to the flat JSON array of its elements. Knows nothing of responses.
import { AppError } from '../../error.ts';
import { type Datatype, datatypeBytes, type TensorData } from '../../types.ts';
import { unpackStrings } from './bytes-tensor.ts';
import { joinFloats } from './shortest-float.ts';

const hint = 'Ask for it as binary data: "parameters": {"binary_data": true}.';

/**
 * Floats are printed as the shortest text that reads back to the same value, 64-bit integers with all their digits.
 * @throws AppError invalid when the tensor has no JSON form: FP16, BF16, NaN, infinities, bytes that are not UTF-8
 */
export function encodeJsonTensor(tensor: TensorData): string {
  const { name, datatype, bytes } = tensor;
  switch (datatype) {
    case 'FP32': {
      const text = joinFloats(new Float32Array(...aligned(bytes, datatype)));
      if (text === undefined) throw noJson(name, 'holds NaN or an infinity');
      return `[${text}]`;
    }
    case 'FP64':
      return `[${joinDoubles(name, new Float64Array(...aligned(bytes, datatype)))}]`;
    case 'BYTES': {
      const strings = unpackStrings(bytes);
      if (!strings) throw noJson(name, 'holds bytes that are not UTF-8');
      return JSON.stringify(strings);
    }
    case 'BOOL':
      return `[${Array.from(bytes, (byte) => byte !== 0).join(',')}]`;
    case 'FP16':
    case 'BF16':
      throw noJson(name, `has datatype ${datatype}`);
    default:
      return `[${new integerArrays[datatype](...aligned(bytes, datatype)).join(',')}]`;
  }
}

const integerArrays = {
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
};

/** The arguments of a typed array over these bytes; a row sliced out of a batch may start anywhere. */
export function aligned(bytes: Uint8Array, datatype: Datatype): [ArrayBuffer, number, number] {
  const size = datatypeBytes[datatype];
  const source = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return [source.buffer as ArrayBuffer, source.byteOffset, source.byteLength / size];
}

function joinDoubles(name: string, values: Float64Array): string {
  let hasNegativeZero = false;
  for (const value of values) {
    if (!Number.isFinite(value)) throw noJson(name, 'holds NaN or an infinity');
    if (Object.is(value, -0)) hasNegativeZero = true;
  }
  if (!hasNegativeZero) return values.join(',');
  return Array.from(values, (value) => (Object.is(value, -0) ? '-0.0' : String(value))).join(',');
}

function noJson(name: string, why: string): AppError {
  return new AppError('invalid', `output '${name}' ${why}, which has no JSON form`, hint);
}
