// What a Triton config.pbtxt means here. Settings that would change answers and cannot be kept are refused; others
// that have no counterpart become warnings. Does not see the model: triton-check compares with its signature.
import { AppError } from '../error.ts';
import type { Datatype, QueuePolicy, ServingSettings } from '../types.ts';
import { cleanPath } from './entry-path.ts';
import { suggest } from './fields.ts';
import { failField, integerOf, PbFields, textOf, wordOf } from './pb-fields.ts';
import { parsePbtxt, type PbField, type PbMessage } from './pbtxt.ts';

export interface TritonTensor {
  name: string;
  datatype: Datatype;
  dims: number[];
  /** File with one label on each line, beside config.pbtxt. */
  labelFile?: string;
}

export interface TritonConfig {
  name?: string;
  /** Absent: the configuration does not say. */
  maxBatchSize?: number;
  hasDynamicBatching: boolean;
  serving: Partial<Omit<ServingSettings, 'queuePolicy'>> & { queuePolicy?: Partial<QueuePolicy> };
  inputs: TritonTensor[];
  outputs: TritonTensor[];
  /** Which of the version folders count. */
  versions: VersionPolicy;
  /** File, or folder with a file of that name, inside each version folder. */
  modelFile: string;
  warnings: string[];
}

export type VersionPolicy =
  { kind: 'all' } | { kind: 'latest'; count: number } | { kind: 'specific'; versions: number[] };

/** Present where a model folder has no config.pbtxt: Triton then goes by the model alone, and so do we. */
export const absentConfig: TritonConfig = {
  hasDynamicBatching: true,
  serving: {},
  inputs: [],
  outputs: [],
  versions: { kind: 'all' },
  modelFile: 'model.onnx',
  warnings: [],
};

const refused: Record<string, string> = {
  sequence_batching: 'Stateful models that need the requests of one sequence on one instance cannot be served.',
  ensemble_scheduling: 'Ensembles cannot be served; upload the models they consist of one by one.',
  batch_input: 'Ragged batches cannot be made; export the model with ordinary padded inputs.',
  batch_output: 'Ragged batches cannot be made; export the model with ordinary padded inputs.',
  model_repository_agents: 'Agents that rewrite model files cannot run; upload the files as they should be served.',
};

const unused = [
  'optimization',
  'parameters',
  'model_warmup',
  'model_operations',
  'response_cache',
  'metric_tags',
  'cc_model_filenames',
  'runtime',
  'model_metrics',
];

const topFields = [
  'name',
  'platform',
  'backend',
  'version_policy',
  'max_batch_size',
  'input',
  'output',
  'dynamic_batching',
  'instance_group',
  'default_model_filename',
  'model_transaction_policy',
  'scheduling_choice',
  ...Object.keys(refused),
  ...unused,
];

/** @throws AppError invalid or unsupported, with the line and what to do */
export function readTritonConfig(text: string): TritonConfig {
  const fields = new PbFields(parsePbtxt(text), topFields);
  requireOnnx(fields);
  for (const [name, hint] of Object.entries(refused)) {
    const field = fields.last(name);
    if (field) throw new AppError('unsupported', `Line ${field.line}: '${name}' cannot be kept.`, hint);
  }
  refuseDecoupled(fields);
  const warnings = unused
    .filter((name) => fields.all(name).length > 0)
    .map((name) => `config.pbtxt: '${name}' has no effect here.`);
  const batching = fields.message('dynamic_batching');
  const groups = readGroups(fields.messages('instance_group'), warnings);
  return {
    name: fields.text('name'),
    maxBatchSize: fields.integer('max_batch_size'),
    hasDynamicBatching: batching !== undefined,
    serving: { ...(batching && readBatching(batching, warnings)), ...groups },
    inputs: fields.messages('input').map((message) => readTensor(message, warnings)),
    outputs: fields.messages('output').map((message) => readTensor(message, warnings)),
    versions: readVersionPolicy(fields.message('version_policy')),
    modelFile: cleanPath(fields.text('default_model_filename') || 'model.onnx'),
    warnings,
  };
}

function requireOnnx(fields: PbFields): void {
  for (const [name, wanted] of [
    ['backend', 'onnxruntime'],
    ['platform', 'onnxruntime_onnx'],
  ] as const) {
    const field = fields.last(name);
    if (!field) continue;
    const given = textOf(field);
    if (given === wanted || given === '') continue;
    throw new AppError(
      'unsupported',
      `Line ${field.line}: the ${name} '${given}' cannot be served, only '${wanted}'.`,
      'Export the model to ONNX, put it into the version folder as model.onnx, and correct that line.',
    );
  }
}

function refuseDecoupled(fields: PbFields): void {
  const message = fields.message('model_transaction_policy');
  if (!message || !new PbFields(message, ['decoupled']).flag('decoupled')) return;
  throw new AppError(
    'unsupported',
    `Line ${fields.last('model_transaction_policy')!.line}: a decoupled model cannot be served.`,
    'Export a model that gives one answer to each request.',
  );
}

const tensorFields = [
  'name',
  'data_type',
  'dims',
  'format',
  'reshape',
  'is_shape_tensor',
  'allow_ragged_batch',
  'optional',
  'label_filename',
  'is_non_linear_format_io',
];

function readTensor(message: PbMessage, warnings: string[]): TritonTensor {
  const fields = new PbFields(message, tensorFields);
  const name = fields.text('name') ?? '';
  const reshape = fields.last('reshape');
  if (reshape) {
    failField(reshape, `of '${name}' cannot be kept`, "Give the tensor the model's own dims and leave reshape out.");
  }
  const ragged = fields.last('allow_ragged_batch');
  if (ragged && fields.flag('allow_ragged_batch')) {
    failField(ragged, `of '${name}' cannot be kept`, 'Export the model with ordinary padded inputs.');
  }
  if (fields.flag('optional')) warnings.push(`config.pbtxt: '${name}' is optional there; requests must give it here.`);
  const type = fields.last('data_type');
  const labelFile = fields.text('label_filename');
  const dims = fields.all('dims').map((field) => {
    const size = integerOf(field);
    return size >= -1 ? size : failField(field, `of '${name}' must be −1 or more`, 'Use −1 for a variable dimension.');
  });
  if (!type || !name) {
    throw new AppError(
      'invalid',
      `config.pbtxt: the tensor '${name}' needs a name and a data_type.`,
      'Give both, such as name: "INPUT" data_type: TYPE_FP32.',
    );
  }
  return { name, datatype: readDatatype(type), dims, labelFile: labelFile ? cleanPath(labelFile) : undefined };
}

const datatypes: Record<string, Datatype> = {
  TYPE_BOOL: 'BOOL',
  TYPE_UINT8: 'UINT8',
  TYPE_UINT16: 'UINT16',
  TYPE_UINT32: 'UINT32',
  TYPE_UINT64: 'UINT64',
  TYPE_INT8: 'INT8',
  TYPE_INT16: 'INT16',
  TYPE_INT32: 'INT32',
  TYPE_INT64: 'INT64',
  TYPE_FP16: 'FP16',
  TYPE_FP32: 'FP32',
  TYPE_FP64: 'FP64',
  TYPE_BF16: 'BF16',
  TYPE_STRING: 'BYTES',
};

function readDatatype(field: PbField): Datatype {
  const word = wordOf(field);
  const found = Object.hasOwn(datatypes, word) ? datatypes[word] : undefined;
  return found ?? failField(field, `is '${word}'`, suggest(word, Object.keys(datatypes)));
}

const batchingFields = [
  'preferred_batch_size',
  'max_queue_delay_microseconds',
  'preserve_ordering',
  'priority_levels',
  'default_priority_level',
  'default_queue_policy',
  'priority_queue_policy',
];

function readBatching(message: PbMessage, warnings: string[]): TritonConfig['serving'] {
  const fields = new PbFields(message, batchingFields);
  for (const name of ['preserve_ordering', 'priority_queue_policy']) {
    if (fields.last(name)) warnings.push(`config.pbtxt: '${name}' has no effect here.`);
  }
  const policy = fields.message('default_queue_policy');
  return {
    preferredBatchSizes: fields.all('preferred_batch_size').map(integerOf),
    maxQueueDelayUs: fields.integer('max_queue_delay_microseconds'),
    priorityLevels: fields.integer('priority_levels'),
    defaultPriorityLevel: fields.integer('default_priority_level'),
    queuePolicy: policy && readPolicy(policy),
  };
}

function readPolicy(message: PbMessage): Partial<QueuePolicy> {
  const fields = new PbFields(message, [
    'timeout_action',
    'default_timeout_microseconds',
    'allow_timeout_override',
    'max_queue_size',
  ]);
  const action = fields.last('timeout_action');
  return {
    timeoutAction: action && readAction(action),
    defaultTimeoutUs: fields.integer('default_timeout_microseconds'),
    // False unless it is said, as in Triton.
    allowTimeoutOverride: fields.flag('allow_timeout_override') ?? false,
    maxQueueSize: fields.integer('max_queue_size'),
  };
}

function readAction(field: PbField): QueuePolicy['timeoutAction'] {
  const word = wordOf(field);
  if (word === 'REJECT' || word === 'DELAY') return word;
  return failField(field, `is '${word}'`, 'Write REJECT or DELAY.');
}

const groupFields = [
  'name',
  'kind',
  'count',
  'gpus',
  'rate_limiter',
  'secondary_devices',
  'profile',
  'passive',
  'host_policy',
];

function readGroups(groups: PbMessage[], warnings: string[]): { instances?: number } {
  if (groups.length === 0) return {};
  let instances = 0;
  const ignored = new Set<string>();
  for (const group of groups) {
    const fields = new PbFields(group, groupFields);
    instances += fields.integer('count') || 1;
    for (const name of groupFields.slice(3)) if (fields.last(name)) ignored.add(name);
    const kind = fields.last('kind');
    if (kind && wordOf(kind) !== 'KIND_AUTO') ignored.add('kind');
  }
  if (ignored.size > 0) {
    warnings.push(
      `config.pbtxt: instance_group ${[...ignored].join(', ')} has no effect: the appliance places instances itself.`,
    );
  }
  return { instances };
}

function readVersionPolicy(message: PbMessage | undefined): VersionPolicy {
  if (!message) return { kind: 'all' };
  const fields = new PbFields(message, ['latest', 'all', 'specific']);
  const latest = fields.message('latest');
  if (latest) return { kind: 'latest', count: new PbFields(latest, ['num_versions']).integer('num_versions') ?? 1 };
  const specific = fields.message('specific');
  if (!specific) return { kind: 'all' };
  return { kind: 'specific', versions: new PbFields(specific, ['versions']).all('versions').map(integerOf) };
}
