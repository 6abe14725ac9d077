// One ONNX Runtime session. The only file that touches the native binding; it runs in child processes only.
import { join } from 'node:path';

import { Tensor } from 'onnxruntime-common';

import { AppError, messageOf } from '../error.ts';
import { bindingName } from '../native.ts';
import { type Datatype, datatypeBytes, type Signature, type TensorSpec } from '../types.ts';
import { readableMessage } from './runtime-message.ts';

/** A tensor as ONNX Runtime takes and gives it: `data` is a typed array, or string[] for strings. */
export type OrtTensor = Tensor;
export type OrtTensors = Record<string, OrtTensor>;

interface ValueMetadata {
  name: string;
  isTensor: boolean;
  symbolicDimensions: string[];
  shape: number[];
  type: number;
}

interface NativeSession {
  loadModel(path: string, options: object): void;
  readonly inputMetadata: ValueMetadata[];
  readonly outputMetadata: ValueMetadata[];
  run(feeds: OrtTensors, fetches: Record<string, OrtTensor | null>, options: object): OrtTensors;
  endProfiling(): void;
  dispose(): void;
}

interface Binding {
  InferenceSession: new () => NativeSession;
  initOrtOnce(logLevel: number, tensor: typeof Tensor, isMainThread: boolean): void;
  listSupportedBackends(): { name: string; bundled: boolean }[];
}

interface TypePair {
  datatype: Datatype;
  ort: Tensor.Type;
  view: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => Exclude<Tensor.DataType, string[]>;
}

// The numbers are ONNX's TensorProto.DataType.
const types: Record<number, TypePair | undefined> = {
  1: { datatype: 'FP32', ort: 'float32', view: Float32Array },
  2: { datatype: 'UINT8', ort: 'uint8', view: Uint8Array },
  3: { datatype: 'INT8', ort: 'int8', view: Int8Array },
  4: { datatype: 'UINT16', ort: 'uint16', view: Uint16Array },
  5: { datatype: 'INT16', ort: 'int16', view: Int16Array },
  6: { datatype: 'INT32', ort: 'int32', view: Int32Array },
  7: { datatype: 'INT64', ort: 'int64', view: BigInt64Array },
  8: { datatype: 'BYTES', ort: 'string', view: Uint8Array },
  9: { datatype: 'BOOL', ort: 'bool', view: Uint8Array },
  10: { datatype: 'FP16', ort: 'float16', view: Uint16Array },
  11: { datatype: 'FP64', ort: 'float64', view: Float64Array },
  12: { datatype: 'UINT32', ort: 'uint32', view: Uint32Array },
  13: { datatype: 'UINT64', ort: 'uint64', view: BigUint64Array },
};
const byDatatype = new Map(Object.values(types).map((pair) => [pair!.datatype, pair!]));
const byOrt = new Map(Object.values(types).map((pair) => [pair!.ort, pair!]));

/** Errors are thrown as well; printed, a client could fill the log with them. */
const severityFatal = 4;
let binding: Binding | undefined;

/** @param folder where `prepareNative` put the libraries */
function loadBinding(folder: string): Binding {
  if (binding) return binding;
  // Set before the library is loaded: official builds since 1.29 report home otherwise.
  process.env.ORT_DISABLE_TELEMETRY = '1';
  const module = { exports: {} as Binding };
  try {
    process.dlopen(module, join(folder, bindingName));
    module.exports.initOrtOnce(severityFatal, Tensor, true);
  } catch (error) {
    throw new AppError(
      'unavailable',
      `ONNX Runtime cannot be loaded on this machine: ${readableMessage(messageOf(error))}`,
      'Check that the data folder can be read and is not mounted noexec, then start the server again.',
    );
  }
  return (binding = module.exports);
}

/**
 * Loads the libraries without a model, so that what they take themselves can be told apart.
 * @throws AppError unavailable when this machine cannot load them
 */
export function loadRuntime(nativeFolder: string): void {
  loadBinding(nativeFolder);
}

/** What computes a model's nodes, fastest first. */
export const providerNames = ['tensorrt', 'cuda', 'webgpu', 'cpu'] as const;
export type ProviderName = (typeof providerNames)[number];

export interface SessionOptions {
  /** Intra-op threads; 0: one for each core. */
  threads: number;
  nativeFolder: string;
  /** The CPU computes what this one cannot; "cpu" if absent. */
  provider?: ProviderName;
  /** Which GPU among those that CUDA shows to this process; 0 if absent. */
  deviceIndex?: number;
  /** Path and beginning of the name of a JSON file in which every run of a node is recorded until `endProfile`. */
  profilePrefix?: string;
}

export interface Session {
  signature: Signature;
  /** Blocks the thread. A fetch of null lets ONNX Runtime allocate; a tensor is written in place. */
  run(feeds: OrtTensors, fetches: Record<string, OrtTensor | null>): OrtTensors;
  /** Completes the file that `profilePrefix` asked for. */
  endProfile(): void;
  dispose(): void;
}

/**
 * @throws AppError invalid when an input or output has a type that the protocol or the binding cannot carry;
 * unavailable when this machine cannot load ONNX Runtime
 */
export function openSession(path: string, options: SessionOptions): Session {
  const { InferenceSession } = loadBinding(options.nativeFolder);
  const native = new InferenceSession();
  native.loadModel(path, {
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: severityFatal,
    executionProviders: providerList(options),
    enableProfiling: options.profilePrefix !== undefined,
    profileFilePrefix: options.profilePrefix ?? '',
    // Waiting threads sleep: several instances share the cores, and spinning ones would steal from each other.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  return {
    signature: { inputs: native.inputMetadata.map(toSpec), outputs: native.outputMetadata.map(toSpec) },
    run: (feeds, fetches) => native.run(feeds, fetches, {}),
    endProfile: () => native.endProfiling(),
    dispose: () => native.dispose(),
  };
}

/** As the binding spells them, best first. What TensorRT cannot compute is left to CUDA before the CPU. */
function providerList({ provider = 'cpu', deviceIndex: deviceId = 0 }: SessionOptions): object[] {
  const names = provider === 'tensorrt' ? ['tensorrt', 'cuda'] : [provider];
  return names.map((name) => (name === 'tensorrt' || name === 'cuda' ? { name, deviceId } : { name }));
}

function toSpec(value: ValueMetadata): TensorSpec {
  const pair = value.isTensor ? types[value.type] : undefined;
  if (!pair) {
    throw new AppError(
      'invalid',
      value.isTensor
        ? `'${value.name}' has a tensor type (ONNX type ${value.type}) that cannot be served.`
        : `'${value.name}' is a map or a sequence, not a tensor.`,
      value.isTensor
        ? 'Cast it to a standard type such as float32 inside the model and export it again.'
        : 'Export the model without its ZipMap node (in skl2onnx: options={"zipmap": False}).',
    );
  }
  return { name: value.name, datatype: pair.datatype, shape: value.shape, dimNames: value.symbolicDimensions };
}

export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/**
 * A tensor over `bytes`, without a copy (BYTES is decoded to strings).
 * @param bytes aligned to the element size
 */
export function toOrt(datatype: Datatype, shape: readonly number[], bytes: Uint8Array): OrtTensor {
  const pair = byDatatype.get(datatype);
  if (!pair) throw new AppError('invalid', `Datatype ${datatype} cannot be computed by ONNX Runtime here.`);
  if (datatype === 'BYTES') return new Tensor('string', readStrings(bytes, elementCount(shape)), shape);
  const data = new pair.view(bytes.buffer, bytes.byteOffset, bytes.byteLength / datatypeBytes[datatype]);
  return makeTensor(pair.ort, data, shape);
}

function makeTensor(type: Tensor.Type, data: Tensor.DataType, shape: readonly number[]): OrtTensor {
  if (type !== 'float16') return new Tensor(type as 'float32', data as Float32Array, shape);
  // The native binding takes float16 as a Uint16Array only (of a Float16Array it sees no bytes), but onnxruntime-common
  // would make a Float16Array of it.
  const tensor = new Tensor('uint16', data as Uint16Array, shape);
  return Object.assign(tensor, { type: 'float16' });
}

/** The bytes of a computed tensor in wire form; a view of its data where possible. */
export function fromOrt(tensor: OrtTensor): { datatype: Datatype; shape: readonly number[]; bytes: Uint8Array } {
  const pair = byOrt.get(tensor.type);
  if (!pair) throw new AppError('model_failed', `The model returned a tensor of type ${tensor.type}.`);
  if (pair.datatype === 'BYTES') {
    return { datatype: 'BYTES', shape: tensor.dims, bytes: writeStrings(tensor.data as string[]) };
  }
  const data = tensor.data as Float32Array;
  return {
    datatype: pair.datatype,
    shape: tensor.dims,
    bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function readStrings(bytes: Uint8Array, count: number): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const strings: string[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(at, true);
    strings.push(decoder.decode(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return strings;
}

function writeStrings(strings: readonly string[]): Uint8Array {
  const parts = strings.map((text) => Buffer.from(text, 'utf8'));
  const bytes = Buffer.alloc(parts.reduce((sum, part) => sum + 4 + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.writeUInt32LE(part.length, at);
    part.copy(bytes, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}
