// An inference request in wire form (JSON, JSON with binary tensors behind it, or raw) to a call of the data plane.
// Checks everything that can be told without the model's signature; names, shapes and datatypes are the data plane's.
import { AppError } from '../../error.ts';
import type { VersionRoute } from '../../inference/routing.ts';
import { type Datatype, datatypeBytes, type TensorData } from '../../types.ts';
import { countElements, packOne } from './bytes-tensor.ts';
import type { PooledFloats } from './float-pool.ts';
import { decodeJsonTensor, decodeScannedTensor } from './json-decode.ts';
import { findTaken, type Scan, type ScannedNumbers, takeNumbers } from './number-scan.ts';
import { decodeUtf8, isObject, type JsonObject, mayHoldLong, parseJson, parseJsonExactly } from './parse-json.ts';

export interface WantedOutput {
  name: string;
  binary: boolean;
  /** The N highest values with their classes instead of the tensor; 0: the tensor. */
  classification: number;
}

export interface InferRequest {
  id?: string;
  inputs: TensorData[];
  /** Memory of the inputs that is to be given back when the request has been answered. */
  borrowed: PooledFloats[];
  /** All of the signature if absent. */
  outputs?: WantedOutput[];
  /** How outputs that are not listed are sent. */
  binaryOutput: boolean;
  priority: number;
  timeoutUs: number;
}

/** Where decoding stands in the binary part of the body. */
interface Reader {
  model: string;
  json: Uint8Array;
  /** Arrays of numbers that were taken out of the JSON before it was parsed. */
  taken: readonly ScannedNumbers[];
  binary: Uint8Array;
  at: number;
  borrowed: PooledFloats[];
  maxJsonTensorBytes: number;
  /** The JSON part with all digits of its integers; made when the first input needs it. */
  exact?: { inputs: { data: unknown }[] };
}

const highestRank = 32;
/** Of a request that says nothing about its outputs. */
const emptyObject: JsonObject = {};

/**
 * @param json JSON part of the body
 * @param binary what follows it; the tensors of the result are views of it where they can be
 * @throws AppError invalid, too_large
 */
export function decodeRequest(
  model: string,
  json: Uint8Array,
  binary: Uint8Array,
  maxJsonTensorBytes: number,
): InferRequest {
  const scan = takeNumbers(json);
  const { arrays } = scan;
  const body = parseAround(scan);
  if (!isObject(body)) throw invalid('the request must be a JSON object');
  if (body.id !== undefined && typeof body.id !== 'string') throw invalid("'id' must be a string");
  if (!Array.isArray(body.inputs)) throw invalid("'inputs' must be an array");
  const parameters = parametersOf(body, 'the request');
  checkReserved(parameters);

  const reader: Reader = { model, json, taken: arrays, binary, at: 0, borrowed: [], maxJsonTensorBytes };
  const inputs = body.inputs.map((input: unknown, i) => decodeInput(reader, input, i));
  if (reader.at !== binary.length) throw invalid(`unexpected additional input data for model '${model}'`);

  const binaryOutput = booleanOf(parameters, 'binary_data_output') ?? false;
  return {
    id: body.id,
    inputs,
    borrowed: reader.borrowed,
    outputs: decodeOutputs(body.outputs, binaryOutput),
    binaryOutput,
    priority: countOf(parameters, 'priority') ?? 0,
    timeoutUs: countOf(parameters, 'timeout') ?? 0,
  };
}

/** Larger ones are not kept. */
const keptTextBytes = 16 * 1024;
let lastText = Buffer.alloc(0);
let lastBody: unknown;

/**
 * What is left when the numbers are taken out. Programs send the same again and again, so that the last one is kept.
 * @returns to be read only
 */
function parseAround({ text, arrays }: Scan): unknown {
  if (arrays.length === 0) return parseJson(decodeUtf8(text));
  if (lastText.equals(text)) return lastBody;
  const body = parseJson(decodeUtf8(text));
  if (text.length > keptTextBytes) return body;
  lastText = Buffer.from(text);
  lastBody = body;
  return body;
}

/** A request whose whole body is the one input of a one-input model. @throws AppError invalid */
export function decodeRawRequest(route: VersionRoute, body: Uint8Array): InferRequest {
  const { model, signature, serving } = route;
  const spec = signature.inputs[0];
  if (!spec || signature.inputs.length !== 1) {
    throw invalid(
      `Raw request must only have 1 input to be deduced but got ${signature.inputs.length} inputs for model '${model}'`,
    );
  }
  const { name, datatype } = spec;
  const shape = [...spec.shape];
  if (serving.maxBatchSize > 0) shape[0] = 1;
  const variable = shape.indexOf(-1);
  if (variable !== shape.lastIndexOf(-1)) {
    throw invalid(
      `The shape of the raw input '${name}' can not be deduced because there are more than one variable-sized dimension`,
    );
  }
  if (variable >= 0) shape[variable] = 1;
  const bytes = datatype === 'BYTES' ? packOne(body) : body;
  const unit = productOf(shape) * datatypeBytes[datatype];
  if (variable >= 0 && unit > 0) shape[variable] = Math.floor(body.length / unit);
  checkContent(`input '${name}' for model '${model}'`, datatype, shape, bytes);
  return { inputs: [{ name, datatype, shape, bytes }], borrowed: [], binaryOutput: true, priority: 0, timeoutUs: 0 };
}

function decodeInput(reader: Reader, input: unknown, index: number): TensorData {
  if (!isObject(input)) throw invalid(`inputs[${index}] must be an object`);
  const { name, datatype, data } = input;
  if (typeof name !== 'string') throw invalid(`inputs[${index}] must have a name`);
  const label = `input '${name}' for model '${reader.model}'`;
  if (typeof datatype !== 'string' || !Object.hasOwn(datatypeBytes, datatype)) {
    throw invalid(`${label} has an unknown datatype`, `The datatypes are: ${Object.keys(datatypeBytes).join(', ')}.`);
  }
  const shape = shapeOf(input.shape, label);
  const parameters = parametersOf(input, label);
  if (parameters.shared_memory_region !== undefined) throw invalid('shared memory regions are not offered');
  const size = countOf(parameters, 'binary_data_size');
  if ((size === undefined) === (data === undefined)) {
    throw invalid(`${label} must have exactly one of 'data' and 'binary_data_size'`);
  }
  const bytes =
    size === undefined
      ? decodeJsonInput(reader, label, datatype as Datatype, shape, data, index)
      : takeBinary(reader, name, size);
  if (size !== undefined) checkContent(label, datatype as Datatype, shape, bytes);
  return { name, datatype: datatype as Datatype, shape, bytes };
}

function decodeJsonInput(
  reader: Reader,
  label: string,
  datatype: Datatype,
  shape: number[],
  data: unknown,
  index: number,
): Uint8Array {
  const count = productOf(shape);
  const size = count * (datatypeBytes[datatype] || 4);
  // Every element takes a character of text: a shape that asks for more must not make us allocate.
  if (count > reader.json.length) {
    throw invalid(`data of ${label} has too few elements, its shape [${shape.join(',')}] needs ${count}`);
  }
  if (size > reader.maxJsonTensorBytes) {
    throw new AppError(
      'too_large',
      `${label} has ${size} bytes, a JSON tensor may have ${reader.maxJsonTensorBytes}`,
      'Send it as binary data.',
    );
  }
  const numbers = findTaken(reader.taken, data);
  if (numbers) return decodeScannedTensor({ label, datatype, shape, count }, numbers, reader.borrowed);
  const isLong = datatype === 'INT64' || datatype === 'UINT64';
  return decodeJsonTensor({ label, datatype, shape, count }, isLong ? exactData(reader, index, data) : data);
}

function exactData(reader: Reader, index: number, data: unknown): unknown {
  if (!reader.exact) {
    const text = decodeUtf8(reader.json);
    if (!mayHoldLong(text)) return data;
    reader.exact = parseJsonExactly(text) as { inputs: { data: unknown }[] };
  }
  return reader.exact.inputs[index]!.data;
}

function takeBinary(reader: Reader, name: string, size: number): Uint8Array {
  const left = reader.binary.length - reader.at;
  if (size > left) {
    throw invalid(
      `unexpected size for input '${name}', expecting ${size - left} additional bytes for model '${reader.model}'`,
    );
  }
  reader.at += size;
  return reader.binary.subarray(reader.at - size, reader.at);
}

function checkContent(label: string, datatype: Datatype, shape: number[], bytes: Uint8Array): void {
  const count = productOf(shape);
  if (datatype === 'BYTES') {
    const found = countElements(bytes);
    if (found === undefined) throw invalid(`incomplete string data for ${label}`);
    if (found !== count) {
      throw invalid(
        `unexpected number of string elements ${found} for ${label}, its shape [${shape.join(',')}] needs ${count}`,
      );
    }
    return;
  }
  const expected = count * datatypeBytes[datatype];
  if (bytes.length !== expected) {
    throw invalid(
      `unexpected size for ${label}: its shape [${shape.join(',')}] needs ${expected} bytes, got ${bytes.length}`,
    );
  }
  if (datatype === 'BOOL' && bytes.some((byte) => byte > 1)) throw invalid(`BOOL bytes of ${label} must be 0 or 1`);
}

function decodeOutputs(outputs: unknown, binaryOutput: boolean): WantedOutput[] | undefined {
  if (outputs === undefined) return undefined;
  if (!Array.isArray(outputs)) throw invalid("'outputs' must be an array");
  if (outputs.length === 0) return undefined;
  return outputs.map((output: unknown, i) => {
    if (!isObject(output) || typeof output.name !== 'string') throw invalid(`outputs[${i}] must have a name`);
    const parameters = parametersOf(output, `output '${output.name}'`);
    if (parameters.shared_memory_region !== undefined) throw invalid('shared memory regions are not offered');
    return {
      name: output.name,
      binary: booleanOf(parameters, 'binary_data') ?? binaryOutput,
      classification: countOf(parameters, 'classification') ?? 0,
    };
  });
}

function checkReserved(parameters: JsonObject): void {
  for (const name in parameters) {
    if (name.startsWith('triton_'))
      throw invalid(`parameter '${name}' is reserved: names may not start with 'triton_'`);
  }
  const sequence = parameters.sequence_id;
  if (sequence !== undefined && typeof sequence !== 'number' && typeof sequence !== 'string') {
    throw invalid("'sequence_id' must be a number or a string");
  }
  if (sequence !== undefined && sequence !== 0 && sequence !== '') {
    throw invalid('sequence_id: sequence batching is not offered', 'Send each request by itself, without sequence_id.');
  }
}

function parametersOf(owner: JsonObject, label: string): JsonObject {
  const { parameters } = owner;
  if (parameters === undefined) return emptyObject;
  if (!isObject(parameters)) throw invalid(`'parameters' of ${label} must be an object`);
  return parameters;
}

function booleanOf(parameters: JsonObject, name: string): boolean | undefined {
  const value = parameters[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalid(`parameter '${name}' must be true or false`);
}

function countOf(parameters: JsonObject, name: string): number | undefined {
  const value = parameters[name];
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw invalid(`parameter '${name}' must be an integer of 0 or more`);
}

function shapeOf(shape: unknown, label: string): number[] {
  if (!Array.isArray(shape) || shape.length > highestRank) {
    throw invalid(`'shape' of ${label} must be an array of at most ${highestRank} dimensions`);
  }
  for (const size of shape as unknown[]) {
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw invalid(`'shape' of ${label} must hold integers of 0 or more`);
    }
  }
  return shape as number[];
}

function productOf(shape: readonly number[]): number {
  let product = 1;
  for (const size of shape) product *= size;
  return product;
}

function invalid(message: string, hint?: string): AppError {
  return new AppError('invalid', message, hint);
}
