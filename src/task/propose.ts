// What a model seems to be for, read off its inputs and outputs, as a manifest that a person may look at and change. Says
// nothing where more than one thing fits.
import type { ModelFacts, Postprocess, Preprocess, Signature, TaskName, TensorSpec } from '../types.ts';
import { guessImagePreprocess } from './guess.ts';

export interface Proposal {
  task: Exclude<TaskName, 'tensor'>;
  preprocess: Preprocess;
  postprocess: Postprocess;
  /** What it was read off. */
  input: TensorSpec;
  output: TensorSpec;
}

/** A vector of more numbers than anybody has columns for is no table. */
const mostColumns = 512;
/** Sides of a picture where the model leaves them open. */
const usualSide = 224;

export function proposeTask(
  { inputs, outputs }: Signature,
  facts: Pick<ModelFacts, 'outputOperators'>,
): Proposal | undefined {
  const [input] = inputs;
  if (!input || inputs.length > 1 || input.datatype === 'BYTES' || input.datatype === 'BOOL') return undefined;
  if (input.shape.length === 4) return proposePicture(input, outputs, facts);
  return input.shape.length === 2 ? proposeTable(input, outputs, facts) : undefined;
}

function proposePicture(
  input: TensorSpec,
  outputs: readonly TensorSpec[],
  facts: Pick<ModelFacts, 'outputOperators'>,
): Proposal | undefined {
  const preprocess = picture(input);
  if (!preprocess) return undefined;
  const scores = onlyScores(outputs);
  if (scores) {
    const postprocess = { kind: 'classes' as const, activation: activationOf(scores, facts), top: 5 };
    return { task: 'image-classification', preprocess, postprocess, input, output: scores };
  }
  const boxes = outputs.filter(({ shape }) => shape.length >= 2 && shape.at(-1) === 4);
  const others = outputs.filter((output) => output !== boxes[0] && output.datatype.startsWith('FP'));
  if (boxes.length !== 1 || others.length !== 1) return undefined;
  return {
    task: 'object-detection',
    preprocess: { ...preprocess, fit: 'letterbox', resizeTo: undefined },
    postprocess: {
      kind: 'boxes',
      boxes: boxes[0]!.name,
      scores: others[0]!.name,
      format: 'xyxy',
      units: 'pixels',
      activation: 'none',
      minScore: 0.5,
      maxOverlap: 0.45,
      maxBoxes: 100,
    },
    input,
    output: boxes[0]!,
  };
}

/** The one output with a row of scores for each picture; a single number is none. */
function onlyScores(outputs: readonly TensorSpec[]): TensorSpec | undefined {
  const [output] = outputs;
  const isRow = output?.shape.length === 2 && output.datatype.startsWith('FP');
  return outputs.length === 1 && isRow && output.shape[1] !== 1 ? output : undefined;
}

/** Undefined where the input is no picture. Sides that are open become the usual ones. */
function picture(input: TensorSpec): (Preprocess & { kind: 'image' }) | undefined {
  const [rows, ...rest] = input.shape;
  const shape = [rows!, ...rest.map((size) => (size === -1 ? usualSide : size))];
  try {
    const { resizeTo, ...guessed } = guessImagePreprocess({ ...input, shape });
    return guessed.fit === 'crop' ? { ...guessed, resizeTo } : guessed;
  } catch {
    // It says why a picture cannot go in.
    return undefined;
  }
}

function activationOf(
  { name }: TensorSpec,
  { outputOperators = {} }: Pick<ModelFacts, 'outputOperators'>,
): 'none' | 'softmax' | 'sigmoid' {
  const last = outputOperators[name];
  if (last === 'Softmax' || last === 'Sigmoid') return 'none';
  return /prob|softmax|sigmoid/i.test(name) ? 'none' : 'softmax';
}

function proposeTable(
  input: TensorSpec,
  outputs: readonly TensorSpec[],
  facts: Pick<ModelFacts, 'outputOperators'>,
): Proposal | undefined {
  const count = input.shape[1]!;
  if (count < 1 || count > mostColumns || !input.datatype.startsWith('FP')) return undefined;
  const columns = Array.from({ length: count }, (_, i) => ({ name: `column${i + 1}`, kind: 'number' as const }));
  const preprocess = { kind: 'table' as const, columns };
  // Classifiers of scikit-learn give the class itself beside the probabilities.
  const numbers = outputs.filter(
    ({ datatype, shape }) => datatype.startsWith('FP') && shape.length >= 1 && shape.length <= 2,
  );
  const [output] = numbers;
  if (!output || numbers.length > 1 || outputs.length > 2) return undefined;
  const name = outputs.length > 1 ? { output: output.name } : {};
  const width = output.shape.length === 1 ? 1 : output.shape[1]!;
  if (width === 1) {
    return { task: 'tabular-regression', preprocess, postprocess: { kind: 'numbers', ...name }, input, output };
  }
  const activation = outputs.length > 1 ? 'none' : activationOf(output, facts);
  const postprocess = { kind: 'classes' as const, ...name, activation, top: 5 };
  return { task: 'tabular-classification', preprocess, postprocess, input, output };
}
