// The task API's core: a picture or rows in, the task's own answer out. It is handed the model as a function and knows
// neither HTTP nor the registry.
import { AppError } from '../error.ts';
import type { Manifest, RegressionPostprocess, Signature, TaskName, TensorData, TensorSpec } from '../types.ts';
import { chooseOutput, type ClassScore, readClasses } from './classes.ts';
import { type DetectedObject, detectionOutputs, readDetections } from './detection.ts';
import { guessImagePreprocess } from './guess.ts';
import { imageShape } from './image-tensor.ts';
import { prepareImage } from './image-threads.ts';
import { decodeNumbers, inputSpec, outputNamed } from './numbers.ts';
import { readTable, tableTensor } from './table.ts';

export type TaskInput = { kind: 'image'; bytes: Uint8Array } | { kind: 'rows'; rows: unknown[] };

interface ClassificationAnswer<T extends TaskName> {
  task: T;
  /** One for each picture or row. */
  predictions: { classes: ClassScore[] }[];
  /** What was assumed because the manifest does not say it. */
  note?: string;
}

export type TaskAnswer =
  | ClassificationAnswer<'image-classification'>
  | ClassificationAnswer<'tabular-classification'>
  | { task: 'object-detection'; image: { width: number; height: number }; objects: DetectedObject[] }
  | { task: 'tabular-regression'; predictions: { values: Record<string, number> }[] };

/**
 * Runs the model once.
 * @param outputs names of the wanted outputs, in order
 * @returns tensors that the receiver may keep
 */
export type Compute = (inputs: TensorData[], outputs?: string[]) => Promise<TensorData[]>;

/**
 * @throws AppError invalid when the input does not fit the task or the manifest does not fit the model; too_large,
 *   unsupported, overloaded from decoding; model_failed when outputs make no sense; and whatever compute throws
 */
export async function predict(
  manifest: Manifest,
  signature: Signature,
  input: TaskInput,
  compute: Compute,
): Promise<TaskAnswer> {
  if (manifest.task === 'tensor') {
    throw new AppError(
      'invalid',
      'This model has no task: it takes and gives tensors only.',
      'Call it at /v2/models/{model}/infer, or give it a task in its manifest.',
    );
  }
  return tasks[manifest.task](manifest, signature, input, compute);
}

const tasks: Record<Exclude<TaskName, 'tensor'>, typeof predict> = {
  'image-classification': (manifest, signature, input, compute) =>
    classifyPicture(manifest, signature, imageOf(input), compute),
  'object-detection': (manifest, signature, input, compute) => detect(manifest, signature, imageOf(input), compute),
  'tabular-classification': (manifest, signature, input, compute) =>
    classifyRows(manifest, signature, rowsOf(input), compute),
  'tabular-regression': (manifest, signature, input, compute) => regress(manifest, signature, rowsOf(input), compute),
};

function imageOf(input: TaskInput): Uint8Array {
  if (input.kind === 'image') return input.bytes;
  throw new AppError('invalid', 'This model looks at pictures, not at rows.', 'Send a JPEG, PNG or WebP.');
}

function rowsOf(input: TaskInput): unknown[] {
  if (input.kind === 'image') {
    throw new AppError('invalid', 'This model takes rows, not pictures.', 'Send JSON like {"rows":[{"column":1.5}]}.');
  }
  if (input.rows.length > 0) return input.rows;
  throw new AppError('invalid', 'There are no rows.', 'Send at least one: {"rows":[{"column":1.5}]}.');
}

async function classifyPicture(manifest: Manifest, signature: Signature, picture: Uint8Array, compute: Compute) {
  const { labels, postprocess } = manifest;
  const given = manifest.preprocess?.kind === 'image' ? manifest.preprocess : undefined;
  const spec = inputSpec(signature.inputs, given?.input);
  const preprocess = given ?? guessImagePreprocess(spec);
  const classes = postprocess?.kind === 'classes' ? postprocess : undefined;
  const output = chooseOutput(signature.outputs, classes?.output);
  const shape = imageShape(preprocess, spec);
  const { bytes } = await prepareImage({ picture, preprocess, datatype: spec.datatype });
  const computed = await compute([{ name: spec.name, datatype: spec.datatype, shape, bytes }], [output]);
  const [found] = readClasses(outputNamed(computed, output), 1, labels, classes);
  const answer: TaskAnswer = { task: 'image-classification', predictions: [{ classes: found! }] };
  if (!given) answer.note = `The manifest has no preprocess; assumed ${JSON.stringify(preprocess)}.`;
  return answer;
}

async function detect(manifest: Manifest, signature: Signature, picture: Uint8Array, compute: Compute) {
  const { labels, preprocess, postprocess } = manifest;
  if (preprocess?.kind !== 'image' || (postprocess?.kind !== 'anchors' && postprocess?.kind !== 'boxes')) {
    throw new AppError(
      'invalid',
      "The manifest does not say how this detector's pictures and boxes are to be read.",
      'Give it preprocess of kind "image" and postprocess of kind "boxes" or "anchors".',
    );
  }
  const spec = inputSpec(signature.inputs, preprocess.input);
  const shape = imageShape(preprocess, spec);
  const { bytes, geometry } = await prepareImage({ picture, preprocess, datatype: spec.datatype });
  const tensor = { name: spec.name, datatype: spec.datatype, shape, bytes };
  const outputs = await compute([tensor], detectionOutputs(postprocess));
  return {
    task: 'object-detection' as const,
    image: { width: geometry.width, height: geometry.height },
    objects: readDetections(outputs, postprocess, labels, preprocess, geometry),
  };
}

async function classifyRows(manifest: Manifest, signature: Signature, rows: unknown[], compute: Compute) {
  const postprocess = manifest.postprocess?.kind === 'classes' ? manifest.postprocess : undefined;
  const output = chooseOutput(signature.outputs, postprocess?.output);
  const predictions: { classes: ClassScore[] }[] = [];
  for await (const { tensor, rowCount } of computeRows(manifest, signature, rows, output, compute)) {
    for (const classes of readClasses(tensor, rowCount, manifest.labels, postprocess)) predictions.push({ classes });
  }
  return { task: 'tabular-classification' as const, predictions };
}

async function regress(manifest: Manifest, signature: Signature, rows: unknown[], compute: Compute) {
  const postprocess = manifest.postprocess?.kind === 'numbers' ? manifest.postprocess : undefined;
  const output = chooseOutput(signature.outputs, postprocess?.output);
  const predictions: { values: Record<string, number> }[] = [];
  for await (const { tensor, rowCount } of computeRows(manifest, signature, rows, output, compute)) {
    for (const values of readNumbers(tensor, rowCount, postprocess)) predictions.push({ values });
  }
  return { task: 'tabular-regression' as const, predictions };
}

function readNumbers(output: TensorData, rowCount: number, postprocess: RegressionPostprocess | undefined) {
  const numbers = decodeNumbers(output);
  const width = numbers.length / rowCount;
  if (!Number.isInteger(width) || width === 0 || !numbers.every(Number.isFinite)) {
    throw new AppError(
      'model_failed',
      `Output '${output.name}' [${output.shape.join(',')}] does not hold finite numbers for each of ${rowCount} row(s).`,
    );
  }
  const nameOf = (i: number) => postprocess?.names?.[i] ?? (width === 1 ? 'value' : `value ${i + 1}`);
  return Array.from({ length: rowCount }, (_, r) =>
    Object.fromEntries(Array.from({ length: width }, (_, i) => [nameOf(i), numbers[r * width + i]!])),
  );
}

/** Gives the model as many rows at once as it takes. */
async function* computeRows(
  { preprocess, serving }: Manifest,
  signature: Signature,
  rows: unknown[],
  output: string,
  compute: Compute,
): AsyncGenerator<{ tensor: TensorData; rowCount: number }> {
  const table = readTable(rows, signature, preprocess?.kind === 'table' ? preprocess : undefined);
  const size = rowsAtOnce(table.spec, serving.maxBatchSize, rows.length);
  for (let start = 0; start < rows.length; start += size) {
    const end = Math.min(start + size, rows.length);
    const computed = await compute([tableTensor(table, start, end)], [output]);
    yield { tensor: outputNamed(computed, output), rowCount: end - start };
  }
}

function rowsAtOnce(spec: TensorSpec, maxBatchSize: number, rowCount: number): number {
  const fixed = spec.shape[0] ?? 1;
  if (fixed > 0 && rowCount % fixed !== 0) {
    throw new AppError('invalid', `This model takes ${fixed} rows at a time.`, `Send a multiple of ${fixed} rows.`);
  }
  return fixed > 0 ? fixed : maxBatchSize || rowCount;
}
