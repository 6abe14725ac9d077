// Made-up inputs that a model may accept, so that it can be run without anybody's data. Sizes that a model leaves open
// are guessed; knows nothing of files.
import { AppError, messageOf } from '../error.ts';
import { type Datatype, datatypeBytes, type Signature, type TensorSpec } from '../types.ts';
import { readableMessage } from './runtime-message.ts';
import { elementCount, type OrtTensors, type Session, toOrt } from './session.ts';

const maxElements = 64 * 1024 * 1024;

export interface TrialRun {
  feeds: OrtTensors;
  outputs: OrtTensors;
  /** What every variable dimension other than the batch was taken to be; absent when there is none. */
  assumedSize?: number;
}

/**
 * Runs the model on made-up inputs of `batch` rows, with each guess for the variable dimensions until one is accepted.
 * @throws AppError model_failed when none is
 */
export function runOnRandomInputs(session: Session, batch: number, guesses: readonly number[]): TrialRun {
  const { inputs } = session.signature;
  const isOpen = inputs.some((input) => input.shape.some((size, axis) => size === -1 && axis > 0));
  let failure = 'every size that was tried is too large';
  for (const guess of isOpen ? guesses : guesses.slice(0, 1)) {
    const shapes = inputs.map((input) => guessShape(input, session.signature, batch, guess));
    if (shapes.some((shape) => elementCount(shape) > maxElements)) continue;
    const random = randomNumbers(1);
    const feeds = Object.fromEntries(
      inputs.map(({ name, datatype }, i) => {
        const values = makeValues(datatype, elementCount(shapes[i]!), random);
        return [name, toOrt(datatype, shapes[i]!, values)];
      }),
    );
    try {
      return { feeds, outputs: runAll(session, feeds), assumedSize: isOpen ? guess : undefined };
    } catch (error) {
      failure = readableMessage(messageOf(error));
    }
  }
  throw new AppError('model_failed', `The model could not be run on made-up inputs: ${failure}`);
}

/** Every output, in memory that ONNX Runtime allocates. */
export function runAll(session: Session, feeds: OrtTensors): OrtTensors {
  return session.run(feeds, Object.fromEntries(session.signature.outputs.map(({ name }) => [name, null])));
}

/** Dimension 0 is the batch where it varies, and so is any that the model gives the same name. */
export function guessShape({ shape, dimNames = [] }: TensorSpec, { inputs }: Signature, batch: number, guess: number) {
  const batchNames = new Set(inputs.map((input) => input.shape[0] === -1 && input.dimNames?.[0]).filter(Boolean));
  return shape.map((size, axis) => {
    if (size !== -1) return size;
    return axis === 0 || batchNames.has(dimNames[axis] ?? '') ? Math.max(1, batch) : guess;
  });
}

/** Floats in 0…1; whole numbers 0 or 1, which are valid as indices, flags and lengths; text "0". */
export function makeValues(datatype: Datatype, count: number, random: () => number): Uint8Array {
  if (datatype === 'BYTES') {
    const bytes = new Uint8Array(5 * count);
    for (let at = 0; at < bytes.length; at += 5) bytes.set([1, 0, 0, 0, 48], at);
    return bytes;
  }
  if (datatype === 'FP32') return bytesOf(new Float32Array(count), random);
  if (datatype === 'FP64') return bytesOf(new Float64Array(count), random);
  if (datatype === 'FP16') return bytesOf(new Float16Array(count), random);
  const width = datatypeBytes[datatype];
  const bytes = new Uint8Array(count * width);
  for (let at = 0; at < bytes.length; at += width) bytes[at] = random() < 0.5 ? 0 : 1;
  return bytes;
}

function bytesOf(values: Float32Array | Float64Array | Float16Array, random: () => number): Uint8Array {
  for (let i = 0; i < values.length; i++) values[i] = random();
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Numbers in 0…1, the same for the same seed, so that trying a model twice gives the same answer. */
export function randomNumbers(seed: number): () => number {
  let state = seed * 0x9e3779b1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) / 0x1000000;
  };
}
