// The OpenAPI document of one endpoint: its paths alone, with the inputs and outputs that it really has, and requests that
// can be sent as they are. Pure: what the endpoint serves comes in as data.
import { elementCount, exampleShape, exampleValue, isBinaryOnly } from '../../web/call-examples.ts';
import type { Datatype, Manifest, Preprocess, Signature, TaskName, TensorSpec } from '../types.ts';
import { version as release } from '../version.ts';
import { schemas } from './api/schemas.ts';
import { errorMeanings } from './openapi-v2.ts';
import type { ApiResponse, JsonSchema, MediaType, Operation } from './openapi.ts';

/** What callers may know of an endpoint. */
export interface ServedEndpoint {
  name: string;
  environment: string;
  /** Host names under which it is reached. */
  hosts: readonly string[];
  /** That most requests reach now. */
  version: number;
  signature: Signature;
  manifest: Pick<Manifest, 'task' | 'preprocess'>;
  /** Longest time that a request may take. */
  timeoutMs?: number;
  /** Of all callers together. */
  ratePerSecond?: number;
}

export interface EndpointDocument {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string } & Record<`x-${string}`, unknown>;
  servers: { url: string; description: string }[];
  security: Record<string, string[]>[];
  /** Operations by path and lower-case method. */
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, JsonSchema>; securitySchemes: Record<string, JsonSchema> };
}

/** Examples with more elements are not written out. */
const mostWritten = 4096;

const answerOf: Record<Exclude<TaskName, 'tensor'>, 'ClassAnswer' | 'DetectionAnswer' | 'NumberAnswer'> = {
  'image-classification': 'ClassAnswer',
  'object-detection': 'DetectionAnswer',
  'tabular-classification': 'ClassAnswer',
  'tabular-regression': 'NumberAnswer',
};

/** @param origin "http://HOST:PORT" of this server */
export function createEndpointDocument(served: ServedEndpoint, origin: string): EndpointDocument {
  const { name, version, signature, manifest } = served;
  const path = encodeURIComponent(name);
  const { task } = manifest;
  return {
    openapi: '3.1.0',
    info: {
      title: name,
      version: String(version),
      description: describeLimits(served).join(' '),
      'x-environment': served.environment,
      ...(served.timeoutMs !== undefined && { 'x-timeout-ms': served.timeoutMs }),
      ...(served.ratePerSecond !== undefined && { 'x-rate-per-second': served.ratePerSecond }),
      'x-generator': `AI Mass ${release}`,
    },
    servers: addressesOf(served, origin).map((url, i) => ({
      url,
      description: i === 0 ? 'This server' : 'Its own name',
    })),
    security: [{ key: [] }, { bearer: [] }],
    paths: {
      ...(task !== 'tensor' && { [`/v1/models/${path}/predict`]: { post: predictOperation(name, task, manifest) } }),
      [`/v2/models/${path}/infer`]: { post: inferOperation(name, signature) },
      [`/v2/models/${path}/ready`]: { get: readyOperation(name) },
    },
    components: {
      schemas: {
        ...tensorSchemas(signature),
        ...(task !== 'tensor' && { [answerOf[task]]: schemas[answerOf[task]], Error: schemas.Error }),
        ProtocolError: schemas.ProtocolError,
      },
      securitySchemes: {
        key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer', description: 'The API key.' },
      },
    },
  };
}

/** Where it is reached: this server first, then under the host names of its own. */
export function addressesOf({ hosts }: Pick<ServedEndpoint, 'hosts'>, origin: string): string[] {
  const { protocol, port } = new URL(origin);
  const own = hosts.map((host) => `${protocol}//${host}${port === '' ? '' : `:${port}`}`);
  return [...new Set([origin, ...own])];
}

/** What a caller must reckon with. */
export function describeLimits({ version, environment, timeoutMs, ratePerSecond }: ServedEndpoint): string[] {
  return [
    `Version ${version} answers now (${environment}).`,
    ...(timeoutMs === undefined
      ? []
      : [`A request takes ${timeoutMs % 1000 === 0 ? `${timeoutMs / 1000} s` : `${timeoutMs} ms`} at most.`]),
    ...(ratePerSecond === undefined ? [] : [`All callers together may send ${ratePerSecond} requests a second.`]),
  ];
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: JsonSchema, example?: unknown): Record<string, MediaType> => ({
  'application/json': { schema, ...(example !== undefined && { example }) },
});

const refusals: Record<number, string> = {
  ...errorMeanings,
  401: 'No API key, or not a valid one.',
  403: 'The key may not call it.',
  429: 'Too many requests; try again after Retry-After.',
  504: 'It took longer than allowed.',
};

function failures(schema: 'Error' | 'ProtocolError', statuses: number[]): Record<string, ApiResponse> {
  return Object.fromEntries(
    statuses.map((status) => [status, { description: refusals[status]!, content: json(ref(schema)) }]),
  );
}

function inferOperation(name: string, signature: Signature): Operation {
  const example = exampleRequest(signature);
  return {
    operationId: 'infer',
    tags: [name],
    summary: 'Send tensors, get tensors',
    description:
      'Open Inference Protocol v2. Tensors may also follow the JSON as raw bytes: then the header ' +
      '`Inference-Header-Content-Length` says how long the JSON is, and each such tensor has the parameter ' +
      '`binary_data_size`.',
    requestBody: { required: true, content: json(ref('InferRequest'), example) },
    responses: {
      200: { description: 'Success', content: json(ref('InferResponse')) },
      ...failures('ProtocolError', [400, 401, 403, 404, 413, 429, 500, 503]),
    },
  };
}

/** @returns undefined for tensors that are long, or have no form in JSON */
export function exampleRequest({ inputs }: Signature): object | undefined {
  const shapes = inputs.map((input) => exampleShape(input, inputs));
  const total = shapes.reduce((sum, shape) => sum + elementCount(shape), 0);
  if (total > mostWritten || inputs.some(isBinaryOnly)) return undefined;
  const tensors = inputs.map(({ name, datatype }, i) => {
    const shape = shapes[i]!;
    return { name, shape, datatype, data: Array.from({ length: elementCount(shape) }, () => exampleValue(datatype)) };
  });
  return { inputs: tensors };
}

function readyOperation(name: string): Operation {
  const ready = { type: 'object', properties: { name: { type: 'string' }, ready: { type: 'boolean' } } };
  return {
    operationId: 'ready',
    tags: [name],
    summary: 'Whether it would answer now',
    responses: { 200: { description: 'Success', content: json(ready) }, ...failures('ProtocolError', [400, 401, 404]) },
  };
}

const jsonTypes = (datatype: Datatype): JsonSchema => {
  if (datatype === 'BOOL') return { type: 'boolean' };
  if (datatype === 'BYTES') return { type: 'string' };
  return { type: /^(FP|BF)/.test(datatype) ? 'number' : 'integer' };
};

/** By name: requests and answers of the endpoint, and its tensors. */
function tensorSchemas({ inputs, outputs }: Signature): Record<string, JsonSchema> {
  const number = (tensors: readonly TensorSpec[], what: string) =>
    tensors.map((tensor, i) => [`${what}${i + 1}`, tensorSchema(tensor)] as const);
  const [given, answered] = [number(inputs, 'Input'), number(outputs, 'Output')];
  const text = { type: 'string' };
  const wanted = {
    type: 'object',
    required: ['name'],
    properties: { name: { enum: outputs.map(({ name }) => name) } },
  };
  return {
    InferRequest: {
      type: 'object',
      required: ['inputs'],
      properties: {
        id: text,
        inputs: { ...listOf(given.map(([name]) => name)), minItems: inputs.length, maxItems: inputs.length },
        outputs: { type: 'array', items: wanted, description: 'All outputs if absent.' },
      },
    },
    InferResponse: {
      type: 'object',
      required: ['model_name', 'model_version', 'outputs'],
      properties: { id: text, model_name: text, model_version: text, outputs: listOf(answered.map(([name]) => name)) },
    },
    ...Object.fromEntries([...given, ...answered]),
  };
}

function listOf(names: string[]): JsonSchema {
  return { type: 'array', items: names.length === 1 ? ref(names[0]!) : { oneOf: names.map(ref) } };
}

function tensorSchema({ name, datatype, shape, dimNames = [] }: TensorSpec): JsonSchema {
  const sizes = shape.map((size, axis) => {
    if (size !== -1) return { const: size };
    return { type: 'integer', minimum: 1, ...(dimNames[axis] && { description: dimNames[axis] }) };
  });
  return {
    type: 'object',
    title: name,
    required: ['name', 'shape', 'datatype', 'data'],
    properties: {
      name: { const: name },
      shape: {
        type: 'array',
        items: { type: 'integer' },
        ...(sizes.length > 0 && { prefixItems: sizes }),
        minItems: shape.length,
        maxItems: shape.length,
      },
      datatype: { const: datatype },
      data: { type: 'array', items: jsonTypes(datatype), description: 'Row-major, flat.' },
    },
  };
}

function predictOperation(name: string, task: Exclude<TaskName, 'tensor'>, { preprocess }: ServedEndpoint['manifest']) {
  return {
    operationId: 'predict',
    tags: [name],
    summary: preprocess?.kind === 'table' ? 'Send rows, get answers' : 'Send a picture, get an answer',
    requestBody: { required: true, content: preprocess?.kind === 'table' ? rowContent(preprocess) : pictureContent() },
    responses: {
      200: { description: 'Success', content: json(ref(answerOf[task])) },
      ...failures('Error', [400, 401, 403, 404, 413, 429, 500, 503, 504]),
    },
  };
}

function pictureContent(): Record<string, MediaType> {
  const binary = { schema: { type: 'string', format: 'binary' } };
  const image = { type: 'string', contentEncoding: 'base64' };
  return {
    'image/jpeg': binary,
    'image/png': binary,
    'image/webp': binary,
    ...json({ type: 'object', required: ['image'], properties: { image } }),
  };
}

type Table = Extract<Preprocess, { kind: 'table' }>;

function rowContent({ columns }: Table): Record<string, MediaType> {
  const fields = columns.map(({ name, kind, categories }): [string, JsonSchema] => [
    name,
    kind === 'number' ? { type: 'number' } : categories ? { enum: categories } : { type: 'string' },
  ]);
  const required = columns.filter(({ fallback }) => fallback === undefined).map(({ name }) => name);
  const row = { type: 'object', required, properties: Object.fromEntries(fields) };
  const example = Object.fromEntries(columns.map(({ name, categories }) => [name, categories?.[0] ?? 1]));
  const rows = { type: 'array', minItems: 1, items: row };
  return json({ type: 'object', required: ['rows'], properties: { rows } }, { rows: [example] });
}
