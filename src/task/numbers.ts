// Tensors as plain numbers and back. It knows datatypes and nothing of tasks.
import { AppError } from '../error.ts';
import type { Datatype, TensorData, TensorSpec } from '../types.ts';

const arrayTypes = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  FP16: Float16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};
const bigTypes = { INT64: BigInt64Array, UINT64: BigUint64Array };

export function isFloat(datatype: Datatype): boolean {
  return datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64';
}

/**
 * The values as elements of `datatype`, little-endian; whole-number types round to the nearest.
 * @throws AppError unsupported for BYTES and BF16
 */
export function encodeNumbers(values: ArrayLike<number>, datatype: Datatype): Uint8Array<ArrayBuffer> {
  if (datatype in bigTypes) {
    const big = new bigTypes[datatype as keyof typeof bigTypes](values.length);
    for (let i = 0; i < values.length; i++) big[i] = BigInt(Math.round(values[i]!));
    return new Uint8Array(big.buffer);
  }
  if (!(datatype in arrayTypes)) {
    throw new AppError(
      'unsupported',
      `Numbers cannot be given to an input of datatype ${datatype}.`,
      'Cast the input to float32 inside the model and export it again.',
    );
  }
  const array = new arrayTypes[datatype as keyof typeof arrayTypes](values.length);
  const whole = !isFloat(datatype);
  for (let i = 0; i < values.length; i++) array[i] = whole ? Math.round(values[i]!) : values[i]!;
  return new Uint8Array(array.buffer);
}

/**
 * The elements in row-major order. 64-bit integers beyond 2⁵³ lose their last digits.
 * @throws AppError model_failed for BYTES and BF16
 */
export function decodeNumbers(tensor: TensorData): Float64Array {
  const { datatype } = tensor;
  // A copy, because typed arrays ask for an aligned start (and slice() of a Buffer would not be one).
  const { buffer } = new Uint8Array(tensor.bytes);
  if (datatype in bigTypes) {
    return Float64Array.from(new bigTypes[datatype as keyof typeof bigTypes](buffer), Number);
  }
  if (!(datatype in arrayTypes)) {
    throw new AppError('model_failed', `Output '${tensor.name}' holds ${datatype} elements, not numbers.`);
  }
  return Float64Array.from(new arrayTypes[datatype as keyof typeof arrayTypes](buffer));
}

/** The elements of a BYTES tensor as text. */
export function decodeStrings(tensor: TensorData): string[] {
  const { bytes } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strings: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + view.getUint32(at, true);
    strings.push(new TextDecoder().decode(bytes.subarray(at + 4, end)));
    at = end;
  }
  return strings;
}

/**
 * The input that a picture or a table goes to.
 * @param name from the manifest; the only input if absent
 * @throws AppError invalid when there is no such input, or when the model has inputs that nothing fills
 */
export function inputSpec(inputs: TensorSpec[], name: string | undefined): TensorSpec {
  const spec = name === undefined ? inputs[0] : inputs.find((input) => input.name === name);
  if (!spec || inputs.length > 1) {
    throw new AppError(
      'invalid',
      spec
        ? `The model has ${inputs.length} inputs (${quoted(inputs)}); the task API fills one.`
        : `The model has no input '${name ?? ''}'.`,
      spec
        ? 'Call it with tensors at /v2/models/{model}/infer.'
        : `Correct preprocess.input in the manifest; the model has ${quoted(inputs)}.`,
    );
  }
  return spec;
}

export function outputNamed(outputs: TensorData[], name: string): TensorData {
  const output = outputs.find((tensor) => tensor.name === name);
  if (!output) throw new AppError('model_failed', `The model did not return its output '${name}'.`);
  return output;
}

export function quoted(specs: { name: string }[]): string {
  return specs.map(({ name }) => `'${name}'`).join(', ');
}
