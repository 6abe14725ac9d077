// A model's scores as named classes, best first. It knows output tensors and labels, not where they come from.
import { AppError } from '../error.ts';
import type { ClassificationPostprocess, TensorData, TensorSpec } from '../types.ts';
import { decodeNumbers, decodeStrings, isFloat, quoted } from './numbers.ts';

export interface ClassScore {
  label: string;
  index: number;
  /** Probability in 0…1 after the activation. */
  score: number;
}

export type Activation = 'none' | 'softmax' | 'sigmoid';

export function labelOf(labels: readonly string[] | undefined, index: number): string {
  return labels?.[index] ?? `class ${index}`;
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** The largest score is taken off first, so that the exponential cannot overflow. */
export function softmax(scores: Float64Array): Float64Array {
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

export function activate(scores: Float64Array, activation: Activation): Float64Array {
  if (activation === 'softmax') return softmax(scores);
  return activation === 'sigmoid' ? scores.map(sigmoid) : scores;
}

/** Top classes when a manifest does not say how many. */
const defaultTop = 5;

function isDistribution(row: Float64Array): boolean {
  return row.every((score) => score >= 0 && score <= 1) && Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-2;
}

/**
 * Post-processing for a manifest that has none: five classes; scores that already are probabilities in every row stay
 * as they are, others go through a softmax.
 */
function guessPostprocess(rows: Float64Array[]): ClassificationPostprocess {
  return { kind: 'classes', activation: rows.every(isDistribution) ? 'none' : 'softmax', top: defaultTop };
}

/**
 * Scores of each row, or a predicted class of each row: whole numbers are class indices and strings are labels, both
 * with the score 1. A single score a row is the probability of the second class of two.
 * @param output all rows along dimension 0
 * @param rowCount rows that went in
 * @throws AppError model_failed when the shape does not go with rowCount or a score is not finite
 */
export function readClasses(
  output: TensorData,
  rowCount: number,
  labels: readonly string[] | undefined,
  postprocess: ClassificationPostprocess | undefined,
): ClassScore[][] {
  if (output.datatype === 'BYTES') {
    return decodeStrings(output).map((label) => [{ label, index: labels?.indexOf(label) ?? -1, score: 1 }]);
  }
  const values = decodeNumbers(output);
  const width = values.length / rowCount;
  // [N, C], [C], or [N, C, 1, 1] as older image models give it: but never two real dimensions beside the rows.
  const long = output.shape.slice(output.shape[0] === rowCount ? 1 : 0).filter((size) => size !== 1).length;
  if (!Number.isInteger(width) || width === 0 || long > 1) {
    throw new AppError(
      'model_failed',
      `Output '${output.name}' has the shape [${output.shape.join(',')}]; expected one score for each class of ${rowCount} row(s).`,
      'Name the output that holds the scores in postprocess.output of the manifest.',
    );
  }
  if (!isFloat(output.datatype) && width === 1) {
    return Array.from(values, (index) => [{ label: labelOf(labels, index), index, score: 1 }]);
  }
  if (!values.every(Number.isFinite)) {
    throw new AppError('model_failed', `Output '${output.name}' holds scores that are not finite numbers.`);
  }
  const rows = Array.from({ length: rowCount }, (_, i) => values.subarray(i * width, (i + 1) * width));
  const single = width === 1 && (labels?.length ?? 2) === 2;
  if (single) {
    const activation = postprocess?.activation === 'sigmoid' ? 'sigmoid' : 'none';
    return rows.map((row) => {
      const score = activate(row, activation)[0]!;
      return topClasses(Float64Array.of(1 - score, score), labels, postprocess?.top ?? 2);
    });
  }
  const { activation, top } = postprocess ?? guessPostprocess(rows);
  return rows.map((row) => topClasses(activate(row, activation), labels, top));
}

function topClasses(scores: Float64Array, labels: readonly string[] | undefined, top: number): ClassScore[] {
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.slice(0, top).map((index) => ({ label: labelOf(labels, index), index, score: scores[index]! }));
}

/**
 * The output to read: the named one, the only one, or the only one with floating-point numbers (classifiers exported
 * from scikit-learn give the predicted label beside the probabilities).
 * @throws AppError invalid when that leaves more than one
 */
export function chooseOutput(outputs: TensorSpec[], name: string | undefined): string {
  if (name !== undefined) return name;
  const floats = outputs.filter(({ datatype }) => isFloat(datatype));
  const [only, ...others] = outputs.length === 1 ? outputs : floats;
  if (!only || others.length > 0) {
    throw new AppError(
      'invalid',
      `The model has ${outputs.length} outputs: ${quoted(outputs)}.`,
      'Name the one to read in postprocess.output of the manifest.',
    );
  }
  return only.name;
}
