// What OpenAPI says about the Open Inference Protocol v2. Data only; routes are in v2/.
import { datatypeBytes } from '../types.ts';
import type { JsonSchema, MediaType, Operation } from './openapi.ts';

const text = { type: 'string' };
const parameters = { type: 'object', additionalProperties: true };
const tensorFields = {
  name: text,
  shape: { type: 'array', items: { type: 'integer' } },
  datatype: {
    enum: Object.keys(datatypeBytes),
  },
};
const data = { type: 'array', items: {}, description: 'Row-major, flat or nested. Absent when sent as binary.' };
const tensorMetadata = {
  type: 'array',
  items: { type: 'object', required: ['name', 'datatype', 'shape'], properties: tensorFields },
};

export const protocolSchemas: Record<string, JsonSchema> = {
  InferRequest: {
    type: 'object',
    required: ['inputs'],
    properties: {
      id: text,
      parameters: {
        ...parameters,
        description: 'priority (1 is the highest), timeout (µs), binary_data_output.',
      },
      inputs: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name', 'shape', 'datatype'],
          properties: { ...tensorFields, parameters: { ...parameters, description: 'binary_data_size.' }, data },
        },
      },
      outputs: {
        type: 'array',
        description: 'All outputs if absent.',
        items: {
          type: 'object',
          required: ['name'],
          properties: { name: text, parameters: { ...parameters, description: 'binary_data, classification.' } },
        },
      },
    },
  },
  InferResponse: {
    type: 'object',
    required: ['model_name', 'model_version', 'outputs'],
    properties: {
      id: text,
      model_name: text,
      model_version: text,
      parameters,
      outputs: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name', 'shape', 'datatype'],
          properties: { ...tensorFields, parameters, data },
        },
      },
    },
  },
  ServerMetadata: {
    type: 'object',
    required: ['name', 'version', 'extensions'],
    properties: { name: text, version: text, extensions: { type: 'array', items: text } },
  },
  ModelMetadata: {
    type: 'object',
    required: ['name', 'versions', 'platform', 'inputs', 'outputs'],
    properties: {
      name: text,
      versions: { type: 'array', items: text },
      platform: text,
      inputs: tensorMetadata,
      outputs: tensorMetadata,
    },
  },
  ModelReady: { type: 'object', required: ['name', 'ready'], properties: { name: text, ready: { type: 'boolean' } } },
  ModelConfig: {
    type: 'object',
    additionalProperties: true,
    description: 'Batching, instances and tensors, by the names of ModelConfig.',
  },
  ModelStatistics: {
    type: 'object',
    required: ['model_stats'],
    properties: { model_stats: { type: 'array', items: { type: 'object', additionalProperties: true } } },
  },
  RepositoryIndex: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        name: text,
        version: text,
        state: { enum: ['READY', 'UNAVAILABLE', 'LOADING', 'UNLOADING'] },
        reason: text,
      },
    },
  },
};

const inferExample = {
  inputs: [{ name: 'image', shape: [1, 4], datatype: 'FP32', data: [0.1, 0.2, 0.3, 0.4] }],
};
const answerExample = {
  model_name: 'digits',
  model_version: '1',
  outputs: [{ name: 'scores', datatype: 'FP32', shape: [1, 2], data: [0.25, 0.75] }],
};

export const errorMeanings: Record<number, string> = {
  400: 'The request is wrong, or the model is not ready.',
  404: 'Unknown model or version.',
  413: 'The body is over a limit.',
  500: 'The model failed while it computed.',
  501: 'Unsupported compression.',
  503: 'Queue full, timeout expired, or not at ready state; try again after Retry-After.',
};

const json = (schema: string, example?: unknown): Record<string, MediaType> => ({
  'application/json': {
    schema: { $ref: `#/components/schemas/${schema}` },
    ...(example !== undefined && { example }),
  },
});

function failed(status: number) {
  const description = errorMeanings[status]!;
  return { description, content: json('ProtocolError', { error: description }) };
}

function operation(
  operationId: string,
  summary: string,
  answer: Record<string, MediaType> | undefined,
  errors: number[] = [],
): Operation {
  return {
    operationId,
    tags: ['Inference'],
    summary,
    responses: {
      200: { description: 'Success', ...(answer && { content: answer }) },
      ...Object.fromEntries(errors.map((status) => [status, failed(status)])),
    },
  };
}

function infer(operationId: string, summary: string): Operation {
  return {
    ...operation(operationId, summary, json('InferResponse', answerExample), [400, 404, 413, 500, 501, 503]),
    description:
      'Tensors may also follow the JSON as raw bytes: then the header `Inference-Header-Content-Length` says how long ' +
      'the JSON is, and each such tensor has the parameter `binary_data_size`.',
    requestBody: { required: true, content: json('InferRequest', inferExample) },
  };
}

/** The operations that exist with and without a version. */
function modelPaths(path: string, suffix: string, of: string): Record<string, Record<string, Operation>> {
  return {
    [path]: { get: operation(`metadata${suffix}`, `Inputs and outputs of ${of}`, json('ModelMetadata'), [404]) },
    [`${path}/infer`]: { post: infer(`infer${suffix}`, `Run ${of} on tensors`) },
    [`${path}/ready`]: { get: operation(`ready${suffix}`, `Whether ${of} is ready`, json('ModelReady'), [400, 404]) },
    [`${path}/config`]: { get: operation(`config${suffix}`, `Settings of ${of}`, json('ModelConfig'), [404]) },
    [`${path}/stats`]: { get: operation(`stats${suffix}`, `Counters of ${of}`, json('ModelStatistics'), [404]) },
  };
}

const state = (name: string) => ({
  'application/json': { schema: { type: 'object', required: [name], properties: { [name]: { type: 'boolean' } } } },
});

export const protocolPaths: Record<string, Record<string, Operation>> = {
  ...modelPaths('/v2/models/{name}', '', 'a model'),
  ...modelPaths('/v2/models/{name}/versions/{version}', 'Version', 'one version'),
  '/v2': { get: operation('serverMetadata', 'Name, version, extensions', json('ServerMetadata')) },
  '/v2/health/live': { get: operation('serverLive', 'Whether the server lives', state('live')) },
  '/v2/health/ready': { get: operation('serverReady', 'Whether the server is ready', state('ready'), [503]) },
  '/v2/models/stats': { get: operation('statsAll', 'Counters of all models', json('ModelStatistics')) },
  '/v2/repository/index': {
    post: {
      ...operation('repositoryIndex', 'All models and their states', json('RepositoryIndex'), [400]),
      requestBody: {
        content: {
          'application/json': {
            schema: { type: 'object', properties: { ready: { type: 'boolean', description: 'Only the ready ones.' } } },
            example: { ready: true },
          },
        },
      },
    },
  },
  '/v2/repository/models/{name}/load': {
    post: operation('repositoryLoad', 'Serve the newest version', undefined, [400, 404, 503]),
  },
  '/v2/repository/models/{name}/unload': {
    post: operation('repositoryUnload', 'Stop serving a model', undefined, [400, 404]),
  },
};
