// Looks at a model file: facts from its graph, signature from ONNX Runtime, and whether its rows can be batched. Runs
// in a child process, because loading a stranger's model may crash or take all memory.
import { AppError, messageOf } from '../error.ts';
import { modelFacts } from '../onnx/facts.ts';
import type { Graph } from '../onnx/model.ts';
import type { Inspection, Signature, TensorSpec } from '../types.ts';
import { type BatchTrial, tryBatches } from './batch-trial.ts';
import { newestSupported, readCheckedModel } from './model-check.ts';
import { readableMessage } from './runtime-message.ts';
import { openSession, type Session } from './session.ts';

export interface InspectOptions {
  /** Folder with ONNX Runtime's native libraries. */
  nativeFolder: string;
  /** Intra-op threads; 1 if absent. */
  threads?: number;
}

/** @throws AppError invalid with a reason and a hint that a person can act on; unavailable if it is the machine's fault */
export async function inspectModel(path: string, options: InspectOptions): Promise<Inspection> {
  const model = await readCheckedModel(path);
  const facts = modelFacts(model);
  const session = open(path, options);
  try {
    const unshaped = unshapedOutputs(model.graph, session.signature);
    const trial = tryBatches(session, unshaped.size > 0);
    return {
      signature: withRanks(session.signature, unshaped, trial),
      facts,
      batchable: trial.batchable,
      warnings: trial.warning === undefined ? [] : [trial.warning],
    };
  } finally {
    session.dispose();
  }
}

function open(path: string, { nativeFolder, threads = 1 }: InspectOptions): Session {
  try {
    return openSession(path, { threads, nativeFolder });
  } catch (error) {
    if (error instanceof AppError) throw error;
    const message = messageOf(error);
    // The child's own end explains these; they say nothing about the model.
    if (/bad_alloc|out of memory|Failed to allocate/i.test(message)) throw error;
    throw explainLoadError(message);
  }
}

const standardHint = `Check the file with onnx.checker.check_model and export it again (opset ${newestSupported.opsets.get('ai.onnx')} or lower).`;

const knownReasons: { pattern: RegExp; explain: (match: RegExpExecArray) => string; hint: string }[] = [
  {
    pattern: /No Op registered for (\S{1,200}) with domain_version of (\d+)/,
    explain: ([, op, version]) => `Operator '${op}' does not exist in operator set ${version}.`,
    hint: 'Export the model again with an operator set that has it.',
  },
  {
    pattern: /Fatal error: (\S{1,300}) is not a registered function\/op/,
    explain: ([, op]) => `Operator '${op}' does not exist in ONNX Runtime.`,
    hint: 'Export the model with standard ONNX operators only.',
  },
  {
    pattern: /Could not find an implementation for (\w{1,200})\((\d+)\) node/,
    explain: ([, op, version]) => `ONNX Runtime cannot compute '${op}' of version ${version} with the types used here.`,
    hint: 'Export the model in float32 with a newer operator set (13 or later), or without this operator.',
  },
];

function explainLoadError(message: string): AppError {
  const text = message.slice(0, 4000);
  for (const { pattern, explain, hint } of knownReasons) {
    const match = pattern.exec(text);
    if (match) return new AppError('invalid', explain(match), hint);
  }
  return new AppError('invalid', `ONNX Runtime cannot load the model: ${readableMessage(message)}`, standardHint);
}

/** Outputs that declare no shape and got none by inference: the session shows them like scalars. */
function unshapedOutputs(graph: Graph, { outputs }: Signature): Set<string> {
  const declared = new Set(graph.output.filter(({ type }) => type?.tensorType?.shape).map(({ name }) => name));
  return new Set(
    outputs.filter(({ name, shape }) => shape.length === 0 && !declared.has(name)).map(({ name }) => name),
  );
}

function withRanks(signature: Signature, unshaped: Set<string>, { ranks }: BatchTrial): Signature {
  const shaped = (output: TensorSpec): TensorSpec => {
    if (!unshaped.has(output.name)) return output;
    const rank = ranks?.get(output.name);
    if (rank !== undefined) return { ...output, shape: Array(rank).fill(-1), dimNames: Array(rank).fill('') };
    throw new AppError(
      'invalid',
      `Output '${output.name}' declares no shape, and the model could not be run to find it out.`,
      'Run onnx.shape_inference.infer_shapes on the model, save it and upload that.',
    );
  };
  return { inputs: signature.inputs, outputs: signature.outputs.map(shaped) };
}
