// How the tensors of a batch are made of its requests' and taken apart again. Pure; knows neither queues nor links.
import { AppError } from '../error.ts';
import { datatypeBytes, type TensorData, type TensorSpec } from '../types.ts';
import type { CheckedCall } from './check.ts';
import type { BatchSpec } from './link.ts';

/**
 * What a link needs to know of a batch.
 * @param calls that share it: with equal keys, and one alone when they are not `batched`
 */
export function planBatch(calls: readonly CheckedCall[], rows: number, batched: boolean): BatchSpec {
  const { inputs: specs, outputs, key } = calls[0]!;
  const inputs = specs.map(({ name, datatype, shape }, i) => ({
    name,
    datatype,
    shape: batched ? [rows, ...shape.slice(1)] : [...shape],
    parts: calls.map((call) => call.inputs[i]!.bytes),
  }));
  const shapes = batched ? String(rows) : specs.map(({ shape }) => shape.join('x')).join(';');
  return { key: `${shapes}/${key}`, inputs, outputs: outputs.map((spec) => planOutput(spec, batched, rows)) };
}

/** What can be known of an output before the run. @param rows of the batch */
function planOutput(spec: TensorSpec, batched: boolean, rows: number): BatchSpec['outputs'][number] {
  const { name, datatype } = spec;
  const shape = batched && spec.shape[0] === -1 ? [rows, ...spec.shape.slice(1)] : spec.shape;
  // ONNX Runtime reports an output of unknown rank like a scalar, and strings have no size before the run.
  if (datatype === 'BYTES' || shape.length === 0 || shape.some((size) => size <= 0)) return { name, datatype };
  return { name, datatype, shape, bytes: shape.reduce((count, size) => count * size, datatypeBytes[datatype]) };
}

/**
 * One request's rows of a batch's output, as a view.
 * @throws AppError model_failed when the output does not have a row for each of the batch
 */
export function sliceRows(tensor: TensorData, row: number, rows: number, allRows: number): TensorData {
  const { name, datatype, shape, bytes } = tensor;
  if (shape[0] !== allRows) {
    throw new AppError(
      'model_failed',
      `output '${name}' has ${shape[0] ?? 'no'} rows for a batch of ${allRows}`,
      'The model does not compute rows independently: set maxBatchSize to 0.',
    );
  }
  const sliced = shape.slice();
  sliced[0] = rows;
  if (datatype === 'BYTES') return { name, datatype, shape: sliced, bytes: sliceStrings(tensor, row, rows) };
  const rowBytes = bytes.length / allRows;
  return { name, datatype, shape: sliced, bytes: bytes.subarray(row * rowBytes, (row + rows) * rowBytes) };
}

function sliceStrings({ shape, bytes }: TensorData, row: number, rows: number): Uint8Array {
  const perRow = shape.slice(1).reduce((count, size) => count * size, 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const skip = (from: number, strings: number): number => {
    let at = from;
    for (let i = 0; i < strings; i++) at += 4 + view.getUint32(at, true);
    return at;
  };
  const start = skip(0, row * perRow);
  return bytes.subarray(start, skip(start, rows * perRow));
}
