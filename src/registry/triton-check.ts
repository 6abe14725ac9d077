// Compares what a Triton configuration declares with what the model's inspection found, and turns both into a
// manifest's serving settings.
import { AppError } from '../error.ts';
import type { Inspection, TensorSpec } from '../types.ts';
import { suggest } from './fields.ts';
import type { TritonConfig, TritonTensor } from './triton-config.ts';

/** @throws AppError invalid, naming what the configuration says and what the model says */
export function checkTensors(config: TritonConfig, { signature }: Inspection): void {
  const batched = (config.maxBatchSize ?? 0) > 0;
  for (const tensor of config.inputs) compare(tensor, signature.inputs, 'input', batched);
  for (const tensor of config.outputs) compare(tensor, signature.outputs, 'output', batched);
}

function compare(tensor: TritonTensor, specs: TensorSpec[], what: 'input' | 'output', batched: boolean): void {
  const spec = specs.find((candidate) => candidate.name === tensor.name);
  if (!spec) {
    throw new AppError(
      'invalid',
      `config.pbtxt declares the ${what} '${tensor.name}', which the model does not have.`,
      suggest(
        tensor.name,
        specs.map(({ name }) => name),
      ),
    );
  }
  if (spec.datatype !== tensor.datatype) {
    contradict(tensor.name, `the type ${tensor.datatype}`, spec.datatype);
  }
  const shape = batched ? [-1, ...tensor.dims] : tensor.dims;
  // A model that does not tell an output's rank gives no dimensions.
  if (what === 'output' && spec.shape.length === 0) return;
  const agrees =
    shape.length === spec.shape.length &&
    shape.every((size, index) => size === -1 || spec.shape[index] === -1 || size === spec.shape[index]);
  if (!agrees) {
    const note = batched ? ' (the batch dimension first, because max_batch_size is not 0)' : '';
    contradict(tensor.name, `the shape [${shape.join(',')}]${note}`, `[${spec.shape.join(',')}]`);
  }
}

function contradict(name: string, declared: string, found: string): never {
  throw new AppError(
    'invalid',
    `config.pbtxt gives '${name}' ${declared}, but the model has ${found}.`,
    "Correct config.pbtxt, or leave the tensor out of it: the model's own signature is used then.",
  );
}

/** Serving settings in the form that parseManifest takes, and what a person should know about them. */
export function servingOf(config: TritonConfig, { batchable }: Inspection): { serving: object; warnings: string[] } {
  const warnings = [...config.warnings];
  let { maxBatchSize } = config;
  if (maxBatchSize !== undefined && maxBatchSize > 0 && !batchable && !config.hasDynamicBatching) {
    warnings.push(
      'Requests are not combined: a trial did not show that rows are computed independently of each other. Batches made by clients work.',
    );
    maxBatchSize = 0;
  } else if (maxBatchSize !== undefined && maxBatchSize > 1 && !config.hasDynamicBatching) {
    warnings.push(
      'config.pbtxt has no dynamic_batching: Triton would run each request by itself; here requests that wait are combined.',
    );
  }
  return { serving: { ...config.serving, ...(maxBatchSize !== undefined && { maxBatchSize }) }, warnings };
}
