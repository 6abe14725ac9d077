// Tensors in the three forms that the smoke tests meet: ONNX's TensorProto files, the protocol's bytes, and those of
// onnxruntime-node's public interface, which serves as the reference.
import { InferenceSession, Tensor } from 'onnxruntime-node';

import type { Tensor as OnnxTensor } from '../../src/onnx/model.ts';
import { readTensor } from '../../src/onnx/read.ts';
import type { Datatype, TensorData } from '../../src/types.ts';

type Numbers = Exclude<Tensor.DataType, string[]>;
type NumbersClass = new (buffer: ArrayBufferLike) => Numbers;

interface Form {
  onnx: number;
  datatype: Datatype;
  ort: Tensor.Type;
  array: NumbersClass;
}

const forms: Form[] = [
  { onnx: 1, datatype: 'FP32', ort: 'float32', array: Float32Array },
  { onnx: 2, datatype: 'UINT8', ort: 'uint8', array: Uint8Array },
  { onnx: 3, datatype: 'INT8', ort: 'int8', array: Int8Array },
  { onnx: 4, datatype: 'UINT16', ort: 'uint16', array: Uint16Array },
  { onnx: 5, datatype: 'INT16', ort: 'int16', array: Int16Array },
  { onnx: 6, datatype: 'INT32', ort: 'int32', array: Int32Array },
  { onnx: 7, datatype: 'INT64', ort: 'int64', array: BigInt64Array },
  { onnx: 8, datatype: 'BYTES', ort: 'string', array: Uint8Array },
  { onnx: 9, datatype: 'BOOL', ort: 'bool', array: Uint8Array },
  { onnx: 10, datatype: 'FP16', ort: 'float16', array: Float16Array as unknown as NumbersClass },
  { onnx: 11, datatype: 'FP64', ort: 'float64', array: Float64Array },
  { onnx: 12, datatype: 'UINT32', ort: 'uint32', array: Uint32Array },
  { onnx: 13, datatype: 'UINT64', ort: 'uint64', array: BigUint64Array },
];

function formOf(key: 'onnx' | 'datatype' | 'ort', value: number | string): Form {
  const form = forms.find((candidate) => candidate[key] === value);
  if (!form) throw new Error(`no form for ${key} ${value}`);
  return form;
}

/** The typed array of a tensor in wire form (not for BYTES). */
export function numbersOf({ datatype, bytes }: TensorData): Numbers {
  return new (formOf('datatype', datatype).array)(bytes.slice().buffer);
}

export function stringsToBytes(strings: (string | Uint8Array)[]): Uint8Array {
  const parts = strings.flatMap((text) => {
    const data = Buffer.from(text);
    return [new Uint8Array(Uint32Array.of(data.length).buffer), data];
  });
  return Buffer.concat(parts);
}

export function bytesToStrings({ bytes }: TensorData): string[] {
  const buffer = Buffer.from(bytes);
  const strings: string[] = [];
  for (let at = 0; at < buffer.length;) {
    const length = buffer.readUInt32LE(at);
    strings.push(buffer.toString('utf8', at + 4, at + 4 + length));
    at += 4 + length;
  }
  return strings;
}

/** Reads a TensorProto file. @throws Error for types that the protocol has no word for */
export async function readTensorFile(path: string, name: string): Promise<TensorData> {
  const tensor = readTensor(await Bun.file(path).bytes());
  const { datatype, array } = formOf('onnx', tensor.dataType);
  return { name, datatype, shape: tensor.dims, bytes: bytesOf(tensor, datatype, array) };
}

function bytesOf(tensor: OnnxTensor, datatype: Datatype, array: NumbersClass): Uint8Array {
  if (datatype === 'BYTES') return stringsToBytes(tensor.stringData ?? []);
  if (tensor.rawData?.length) return tensor.rawData.slice();
  if (datatype === 'FP16') return new Uint8Array(Uint16Array.from(tensor.int32Data ?? []).buffer);
  const lists = [tensor.floatData, tensor.int32Data, tensor.int64Data, tensor.doubleData, tensor.uint64Data];
  const list = lists.find((numbers) => numbers !== undefined && numbers.length > 0) ?? [];
  const target = array as unknown as { from(values: unknown): Numbers };
  const fits = list instanceof BigUint64Array && datatype === 'UINT32' ? Array.from(list, Number) : list;
  return new Uint8Array(target.from(fits).buffer);
}

export function toOrt(tensor: TensorData): Tensor {
  const { ort } = formOf('datatype', tensor.datatype);
  const data = ort === 'string' ? bytesToStrings(tensor) : numbersOf(tensor);
  const made = new Tensor(ort as 'float32', data as Float32Array, tensor.shape);
  // The native side takes no Float16Array under Bun: it sees no bytes in it.
  if (ort === 'float16') Object.assign(made, { cpuData: new Uint16Array((data as Float32Array).buffer) });
  return made;
}

export function fromOrt(name: string, tensor: Tensor): TensorData {
  const { datatype } = formOf('ort', tensor.type);
  const shape = [...tensor.dims];
  if (datatype === 'BYTES') return { name, datatype, shape, bytes: stringsToBytes(tensor.data as string[]) };
  const { buffer, byteOffset, byteLength } = tensor.data as Float32Array;
  return { name, datatype, shape, bytes: new Uint8Array(buffer.slice(byteOffset, byteOffset + byteLength)) };
}

/** Opens a model as the appliance does, but through the library's public interface. */
export function openDirect(path: string): Promise<InferenceSession> {
  return InferenceSession.create(path, {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
}

export async function runDirect(session: InferenceSession, inputs: TensorData[]): Promise<TensorData[]> {
  const results = await session.run(Object.fromEntries(inputs.map((input) => [input.name, toOrt(input)])));
  return session.outputNames.map((name) => fromOrt(name, results[name] as Tensor));
}
