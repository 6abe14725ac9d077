// Checks a call against a version's signature, with the texts that clients of the Open Inference Protocol know, and
// says how it may be batched.
import { isUtf8 } from 'node:buffer';

import { AppError } from '../error.ts';
import { datatypeBytes, type TensorData, type TensorSpec } from '../types.ts';
import type { InferenceCall } from './plane.ts';
import type { VersionRoute } from './routing.ts';

export interface CheckedCall {
  /** In the order of the signature. */
  inputs: TensorData[];
  /** The wanted outputs, in the order asked for. */
  outputs: TensorSpec[];
  /** Size of the batch dimension; 1 when the model has none. */
  rows: number;
  /** Calls with equal keys may share a batch. */
  key: string;
}

/** @throws AppError invalid */
export function checkCall(route: VersionRoute, call: InferenceCall): CheckedCall {
  const { signature, serving, model } = route;
  const given = call.inputs;
  if (given.length !== signature.inputs.length) {
    for (const input of given) findInput(route, input.name);
    throw invalid(
      `expected ${signature.inputs.length} inputs but got ${given.length} inputs for model '${model}'`,
      `The inputs are: ${signature.inputs.map((spec) => spec.name).join(', ')}.`,
    );
  }
  const batched = serving.maxBatchSize > 0;
  const inputs = new Array<TensorData>(given.length);
  let key = '';
  let rows = -1;
  for (const tensor of given) {
    const index = findInput(route, tensor.name);
    const spec = signature.inputs[index]!;
    if (inputs[index]) throw invalid(`input '${tensor.name}' is given twice for model '${model}'`);
    checkTensor(model, spec, tensor);
    inputs[index] = tensor;
    if (!batched) continue;
    const size = tensor.shape[0]!;
    if (rows >= 0 && size !== rows) {
      throw invalid(`input '${tensor.name}' batch size does not match other inputs for '${model}'`);
    }
    rows = size;
  }
  if (batched && rows > serving.maxBatchSize) {
    throw invalid(`inference request batch-size must be <= ${serving.maxBatchSize} for '${model}'`);
  }
  if (batched) {
    for (const [i, tensor] of inputs.entries()) {
      if (signature.inputs[i]!.shape.indexOf(-1, 1) > 0) key += `${i}:${tensor.shape.slice(1).join('x')};`;
    }
  }
  const outputs = wantedOutputs(route, call.outputs);
  if (call.outputs) key += JSON.stringify(call.outputs);
  return { inputs, outputs, rows: batched ? rows : 1, key };
}

function findInput(route: VersionRoute, name: string): number {
  const index = route.signature.inputs.findIndex((spec) => spec.name === name);
  if (index >= 0) return index;
  throw invalid(
    `unexpected inference input '${name}' for model '${route.model}'`,
    `The inputs are: ${route.signature.inputs.map((spec) => spec.name).join(', ')}.`,
  );
}

function wantedOutputs(route: VersionRoute, names: string[] | undefined): TensorSpec[] {
  const all = route.signature.outputs;
  if (!names) return all;
  return names.map((name, i) => {
    if (names.indexOf(name) !== i) throw invalid(`output '${name}' is asked for twice for model '${route.model}'`);
    const spec = all.find((output) => output.name === name);
    if (spec) return spec;
    throw invalid(
      `unexpected inference output '${name}' for model '${route.model}'`,
      `The outputs are: ${all.map((output) => output.name).join(', ')}.`,
    );
  });
}

function checkTensor(model: string, spec: TensorSpec, tensor: TensorData): void {
  const { name, datatype, shape, bytes } = tensor;
  if (datatype !== spec.datatype) {
    throw invalid(
      `inference input '${name}' data-type is '${datatype}', but model '${model}' expects '${spec.datatype}'`,
    );
  }
  if (!fits(spec.shape, shape)) {
    throw invalid(
      `unexpected shape for input '${name}' for model '${model}'. Expected [${spec.shape.join(',')}], got [${shape.join(',')}]`,
    );
  }
  let expected: number = datatypeBytes[datatype];
  for (const size of shape) expected *= size;
  if (datatype === 'BYTES') {
    checkStrings(model, tensor);
  } else if (bytes.length !== expected) {
    throw invalid(`input '${name}' for model '${model}' has ${bytes.length} bytes, its shape needs ${expected}`);
  }
}

/** ONNX Runtime's strings are text: its binding would change other bytes without a word. */
function checkStrings(model: string, { name, bytes }: TensorData): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const start = at + 4;
    at = start + view.getUint32(at, true);
    const element = bytes.subarray(start, at);
    if (isUtf8(element) && !element.includes(0)) continue;
    throw invalid(
      `element ${index} of input '${name}' for model '${model}' is not text: it must be UTF-8 without NUL characters`,
      'Send pictures and other files to the task API, or encode them as base64.',
    );
  }
}

function fits(expected: readonly number[], given: readonly number[]): boolean {
  // ONNX Runtime reports an input of unknown rank like a scalar: it checks those itself.
  if (expected.length === 0) return true;
  if (given.length !== expected.length) return false;
  return given.every((size, i) => size >= 0 && (expected[i] === -1 || expected[i] === size));
}

function invalid(message: string, hint?: string): AppError {
  return new AppError('invalid', message, hint);
}
