// Made-up requests: tensors that fit a signature, for asking a version that answers over the data plane.
import type { Signature, TensorData } from '../types.ts';
import { guessShape, makeValues, randomNumbers } from './random-inputs.ts';
import { elementCount } from './session.ts';

const maxElements = 16 * 1024 * 1024;

/**
 * @param guess size of every variable dimension but the batch
 * @returns undefined when that would be too large
 */
export function makeInputs(signature: Signature, batch: number, guess: number): TensorData[] | undefined {
  const random = randomNumbers(1);
  const shaped = signature.inputs.map((spec) => ({ spec, shape: guessShape(spec, signature, batch, guess) }));
  if (shaped.some(({ shape }) => elementCount(shape) > maxElements)) return undefined;
  return shaped.map(({ spec: { name, datatype }, shape }) => {
    return { name, datatype, shape, bytes: makeValues(datatype, elementCount(shape), random) };
  });
}
