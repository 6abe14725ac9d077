// Metadata, configuration and statistics of models in the forms of the Open Inference Protocol and its extensions.
// Pure: routes and counters in, plain objects for JSON out.
import { version } from '../../../package.json';
import type { DurationStat, VersionStatistics } from '../../inference/plane.ts';
import type { ModelRoute, RoutingTable, VersionRoute } from '../../inference/routing.ts';
import type { ServingSettings, TensorSpec } from '../../types.ts';

export const serverMetadata = {
  name: 'aimass',
  version,
  extensions: [
    'classification',
    'model_repository',
    'schedule_policy',
    'model_configuration',
    'statistics',
    'binary_tensor_data',
    'parameters',
  ],
};

/** Name, loaded versions and signature. */
export function describeModel(model: ModelRoute, route: VersionRoute): object {
  const { signature } = route;
  return {
    name: model.name,
    versions: [...model.versions.keys()].sort((a, b) => a - b).map(String),
    platform: 'onnxruntime_onnx',
    inputs: signature.inputs.map(describeSpec),
    outputs: signature.outputs.map(describeSpec),
  };
}

function describeSpec({ name, datatype, shape }: TensorSpec): TensorSpec {
  return { name, datatype, shape };
}

/** Batching, instance and tensor settings under the names of Triton's ModelConfig. */
export function describeConfig(model: ModelRoute, route: VersionRoute): object {
  const { signature, serving, instances } = route;
  const isBatched = serving.maxBatchSize > 0;
  const onCpu = instances.every(({ device }) => device.startsWith('cpu'));
  return {
    name: model.name,
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    version_policy: { specific: { versions: [...model.versions.keys()].sort((a, b) => a - b) } },
    max_batch_size: serving.maxBatchSize,
    input: signature.inputs.map((spec) => describeTensor(spec, isBatched)),
    output: signature.outputs.map((spec) => describeTensor(spec, isBatched)),
    ...(isBatched ? { dynamic_batching: describeBatching(serving) } : {}),
    instance_group: [
      { name: `${model.name}_0`, kind: onCpu ? 'KIND_CPU' : 'KIND_GPU', count: serving.instances, gpus: [] },
    ],
  };
}

function describeTensor({ name, datatype, shape }: TensorSpec, isBatched: boolean): object {
  const data_type = `TYPE_${datatype === 'BYTES' ? 'STRING' : datatype}`;
  const dims = isBatched ? shape.slice(1) : shape;
  // A ModelConfig has no empty dims: a single value is one element that is reshaped to nothing.
  return dims.length > 0 ? { name, data_type, dims } : { name, data_type, dims: [1], reshape: { shape: [] } };
}

function describeBatching(serving: ServingSettings): object {
  const { queuePolicy } = serving;
  return {
    preferred_batch_size: serving.preferredBatchSizes,
    max_queue_delay_microseconds: serving.maxQueueDelayUs,
    preserve_ordering: false,
    priority_levels: serving.priorityLevels,
    default_priority_level: serving.defaultPriorityLevel,
    default_queue_policy: {
      timeout_action: queuePolicy.timeoutAction,
      default_timeout_microseconds: queuePolicy.defaultTimeoutUs,
      allow_timeout_override: queuePolicy.allowTimeoutOverride,
      max_queue_size: queuePolicy.maxQueueSize,
    },
  };
}

export function describeStatistics(statistics: readonly VersionStatistics[]): object {
  return {
    model_stats: statistics.map((stats) => ({
      name: stats.model,
      version: String(stats.version),
      last_inference: stats.lastInferenceMs,
      inference_count: stats.inferenceCount,
      execution_count: stats.executionCount,
      inference_stats: {
        success: duration(stats.success),
        fail: duration(stats.fail),
        queue: duration(stats.queue),
        compute_input: duration(stats.computeInput),
        compute_infer: duration(stats.computeInfer),
        compute_output: duration(stats.computeOutput),
      },
      batch_stats: stats.batches.map((batch) => ({
        batch_size: batch.batchSize,
        compute_input: duration(batch.computeInput),
        compute_infer: duration(batch.computeInfer),
        compute_output: duration(batch.computeOutput),
      })),
      memory_usage: [],
    })),
  };
}

function duration({ count, ns }: DurationStat): DurationStat {
  return { count, ns: Math.round(ns) };
}

/** Every version that exists. @param readyOnly leaves out those that would not answer now */
export function describeRepository(table: RoutingTable, readyOnly: boolean): object[] {
  const entries: object[] = [];
  for (const model of table.values()) {
    for (const number of model.existing) {
      const route = model.versions.get(number);
      const state = route ? repositoryState[route.state] : 'UNAVAILABLE';
      if (readyOnly && state !== 'READY') continue;
      entries.push({ name: model.name, version: String(number), state, reason: route ? route.reason : 'unloaded' });
    }
  }
  return entries;
}

const repositoryState = {
  cold: 'READY',
  starting: 'LOADING',
  ready: 'READY',
  unloading: 'UNLOADING',
  failed: 'UNAVAILABLE',
} as const;
