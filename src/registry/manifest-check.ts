// Compares a manifest with the model's signature: what it names must exist, and sizes that are fixed must agree.
import type {
  ImagePreprocess,
  Manifest,
  Postprocess,
  Preprocess,
  Signature,
  TabularPreprocess,
  TensorSpec,
} from '../types.ts';
import { Field, suggest } from './fields.ts';
import { channelCount } from './processing.ts';

/** @throws AppError invalid, naming the field of the manifest */
export function checkManifest(manifest: Manifest, signature: Signature): void {
  checkBatch(manifest, signature);
  if (manifest.preprocess) checkPreprocess(manifest.preprocess, signature.inputs);
  if (manifest.postprocess) checkPostprocess(manifest.postprocess, manifest.labels, signature.outputs);
}

const at = (path: string): Field => new Field(undefined, path);
const showShape = (spec: TensorSpec): string => `[${spec.shape.join(',')}]`;

function checkBatch(manifest: Manifest, { inputs, outputs }: Signature): void {
  if (manifest.serving.maxBatchSize === 0) return;
  // An output without dimensions may also be one whose rank the model does not tell.
  const fixed = [...inputs, ...outputs.filter((output) => output.shape.length > 0)].find(
    (spec) => spec.shape[0] !== -1,
  );
  if (!fixed) return;
  at('serving.maxBatchSize').fail(
    `is ${manifest.serving.maxBatchSize}, but '${fixed.name}' has the shape ${showShape(fixed)} without a variable first dimension`,
    'Set it to 0, or export the model with a variable batch dimension.',
  );
}

/** The tensor called `name`, or the only one there is. */
function pick(specs: TensorSpec[], name: string | undefined, path: string, what: 'input' | 'output'): TensorSpec {
  if (name === undefined) {
    if (specs.length === 1) return specs[0]!;
    return at(path).fail(
      `is missing, and the model has ${specs.length} ${what}s`,
      `Name one of: ${specs.map((spec) => spec.name).join(', ')}.`,
    );
  }
  const found = specs.find((spec) => spec.name === name);
  if (found) return found;
  return at(path).fail(
    `is '${name}', but the model has no such ${what}`,
    suggest(
      name,
      specs.map((spec) => spec.name),
    ),
  );
}

function checkPreprocess(preprocess: Preprocess, inputs: TensorSpec[]): void {
  const input = pick(inputs, preprocess.input, 'preprocess.input', 'input');
  if (preprocess.kind === 'image') checkImage(preprocess, input);
  else checkTable(preprocess, input);
}

function checkImage(image: ImagePreprocess, input: TensorSpec): void {
  const { width, height, layout } = image;
  const wanted = layout === 'NCHW' ? [channelCount(image), height, width] : [height, width, channelCount(image)];
  const given = input.shape.slice(-3);
  const agrees =
    (input.shape.length === 4 || input.shape.length === 3) &&
    given.every((size, index) => size === -1 || size === wanted[index]);
  if (agrees) return;
  at('preprocess').fail(
    `gives pictures of ${layout} shape [${[-1, ...wanted].join(',')}], but the input '${input.name}' takes ${showShape(input)}`,
    'Correct width, height, layout or colour.',
  );
}

function checkTable({ columns }: TabularPreprocess, input: TensorSpec): void {
  const taken = input.shape.at(-1) ?? 1;
  if (taken === -1 || taken === columns.length || (input.shape.length < 2 && columns.length === 1)) return;
  at('preprocess.columns').fail(
    `has ${columns.length} columns, but the input '${input.name}' takes ${showShape(input)}`,
    "List the columns in the order of the model's last dimension.",
  );
}

function checkPostprocess(postprocess: Postprocess, labels: string[] | undefined, outputs: TensorSpec[]): void {
  switch (postprocess.kind) {
    case 'classes': {
      const output = pick(outputs, postprocess.output, 'postprocess.output', 'output');
      checkCount('labels', labels, output);
      return;
    }
    case 'numbers': {
      const output = pick(outputs, postprocess.output, 'postprocess.output', 'output');
      checkCount('postprocess.names', postprocess.names, output);
      return;
    }
    case 'anchors':
      for (const key of ['scores', 'boxes'] as const) {
        for (const [index, name] of postprocess[key].entries())
          pick(outputs, name, `postprocess.${key}[${index}]`, 'output');
      }
      return;
    case 'boxes':
      pick(outputs, postprocess.boxes, 'postprocess.boxes', 'output');
      pick(outputs, postprocess.scores, 'postprocess.scores', 'output');
      if (postprocess.classes !== undefined) pick(outputs, postprocess.classes, 'postprocess.classes', 'output');
  }
}

function checkCount(path: string, names: string[] | undefined, output: TensorSpec): void {
  const size = output.shape.at(-1);
  // A vector's only dimension may be the batch: one value for each row.
  if (names === undefined || size === undefined || size === -1 || output.shape.length < 2) return;
  if (names.length !== size) {
    at(path).fail(
      `has ${names.length} entries, but the output '${output.name}' has the shape ${showShape(output)}: ${size} values`,
      "Give one for each value, in the model's order.",
    );
  }
}
