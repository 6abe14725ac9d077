// Makes the OpenAPI document: from the routes as Elysia knows them, and from what is written down about /v2, whose
// handler is no Elysia route.
import type { ApiRoute } from './api/routes.ts';
import { schemas } from './api/schemas.ts';
import { statusOf } from './errors.ts';
import { protocolPaths, protocolSchemas } from './openapi-v2.ts';

export type JsonSchema = Record<string, unknown>;

export interface MediaType {
  schema: JsonSchema;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description?: string;
  schema: JsonSchema;
  example?: string | number;
}

export interface ApiResponse {
  description: string;
  content?: Record<string, MediaType>;
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Record<string, MediaType> };
  responses: Record<string, ApiResponse | { $ref: string }>;
}

export interface ApiDocument {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string; license: { name: string; identifier: string } };
  tags: { name: string; description: string }[];
  /** Operations by path and lower-case method. */
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, JsonSchema>; responses: Record<string, ApiResponse> };
}

const tags = [
  { name: 'Tasks', description: 'Send a picture or a row, get classes, boxes or numbers.' },
  { name: 'Inference', description: 'Send tensors, get tensors: the Open Inference Protocol v2.' },
  { name: 'Models', description: 'Import, serve and remove models and their versions.' },
  { name: 'Uploads', description: 'Send large files in parts that may be resumed.' },
  { name: 'Releases', description: 'Going live: requests, reviews, rollouts, and the way back.' },
  { name: 'Placement', description: 'Where models run: wishes, memory, decisions and their reasons.' },
  { name: 'Access', description: 'Who may do what: users, sessions, API keys, and the trail of what was done.' },
  { name: 'Notifications', description: 'Who and what is told of events: inboxes, webhooks, mail.' },
  { name: 'Appliance', description: 'The server, its processes, its templates, its health.' },
];

const errorMeanings: Record<keyof typeof statusOf, string> = {
  invalid: 'The request is wrong; the message says where.',
  unauthenticated: 'No key, or not a valid one.',
  forbidden: 'Not allowed.',
  not_found: 'There is no such thing.',
  conflict: 'It does not fit the state things are in, such as removing what is being served.',
  too_large: 'Over a limit of the settings, or the disk is full.',
  unsupported: 'Not supported here.',
  overloaded: 'Too many requests are waiting; try again after Retry-After.',
  throttled: 'Your key sends too many requests; try again after Retry-After.',
  timeout: 'It took longer than allowed.',
  unavailable: 'Not ready or overloaded; try again after Retry-After.',
  model_failed: 'The model failed while it computed.',
  internal: "The server's fault; its log says more.",
};

const parameterMeanings: Record<string, { description: string; schema: JsonSchema; example: string | number }> = {
  name: { description: 'Model.', schema: { type: 'string', maxLength: 128 }, example: 'faces' },
  version: { description: 'Version number.', schema: { type: 'integer', minimum: 1 }, example: 1 },
  id: { description: 'Upload.', schema: { type: 'string' }, example: '5e1c2a9e-6f0b-4c3d-9d57-2a41b7f0c8aa' },
  endpoint: { description: 'Name that clients call.', schema: { type: 'string', maxLength: 128 }, example: 'faces' },
  release: { description: "Release's id.", schema: { type: 'integer', minimum: 1 }, example: 12 },
  environment: { description: 'Environment.', schema: { enum: ['staging', 'production'] }, example: 'staging' },
  user: { description: "User's id.", schema: { type: 'string' }, example: '0b8f1d34-63a1-4f0e-9a55-7f0d7a3c2e11' },
  session: { description: 'Session.', schema: { type: 'string' }, example: 'c1a7e0de-2f4b-4a7c-8d1e-5b9f6a3e4d22' },
  key: { description: "API key's id.", schema: { type: 'string' }, example: 'p3Xb9Qe7LmZk' },
  webhook: {
    description: "Webhook's id.",
    schema: { type: 'string' },
    example: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
  },
  delivery: { description: 'Delivery.', schema: { type: 'string' }, example: 'msg_5e1c2a9e6f0b4c3d9d572a41b7f0c8aa' },
  instance: { description: "Instance's id.", schema: { type: 'string' }, example: '3' },
  template: { description: 'Template.', schema: { type: 'string' }, example: 'face-detection' },
};

export function createDocument(routes: ApiRoute[], version: string): ApiDocument {
  const paths: ApiDocument['paths'] = {};
  for (const { method, path, hooks } of routes) {
    (paths[path.replace(/:(\w+)/g, '{$1}')] ??= {})[method.toLowerCase()] = toOperation(path, hooks);
  }
  for (const [path, methods] of Object.entries({ ...protocolPaths, ...plainPaths })) {
    const complete = Object.entries(methods).map(([method, operation]) => [
      method,
      withPathParameters(operation, path),
    ]);
    paths[path] = Object.fromEntries(complete) as Record<string, Operation>;
  }
  const document: ApiDocument = {
    openapi: '3.1.0',
    info: {
      title: 'AI Mass',
      version,
      description: 'Models as a service on your own hardware.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags,
    paths,
    components: { schemas: { ...schemas, ...protocolSchemas }, responses: errorResponses() },
  };
  // Leaves out what is not JSON: the validators' own marks in the schemas.
  return JSON.parse(JSON.stringify(document)) as ApiDocument;
}

function toOperation(path: string, { body, query, detail }: ApiRoute['hooks']): Operation {
  const operation = withPathParameters(detail as Operation, path.replace(/:(\w+)/g, '{$1}'));
  if (query) operation.parameters = [...(operation.parameters ?? []), ...queryParameters(query as JsonSchema)];
  if (body && !operation.requestBody) {
    operation.requestBody = { required: true, content: { 'application/json': { schema: body as JsonSchema } } };
  }
  return operation;
}

function withPathParameters(operation: Operation, path: string): Operation {
  const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]): Parameter => ({
    name: name!,
    in: 'path',
    required: true,
    ...parameterMeanings[name!]!,
  }));
  return named.length > 0
    ? { ...operation, parameters: [...named, ...(operation.parameters ?? [])] }
    : { ...operation };
}

function queryParameters(query: JsonSchema): Parameter[] {
  const required = (query.required ?? []) as string[];
  return Object.entries(query.properties as Record<string, JsonSchema>).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
    ...(typeof description === 'string' && { description }),
  }));
}

function errorResponses(): Record<string, ApiResponse> {
  return Object.fromEntries(
    Object.entries(errorMeanings).map(([code, description]) => {
      const example = { error: { code, message: description, hint: 'What to do next.' } };
      const schema = { $ref: '#/components/schemas/Error' };
      return [code, { description, content: { 'application/json': { schema, example } } }];
    }),
  );
}

function textPage(operationId: string, summary: string, type: string): Record<string, Operation> {
  const responses = { 200: { description: summary, content: { [type]: { schema: { type: 'string' } } } } };
  return { get: { operationId, tags: ['Appliance'], summary, responses } };
}

const plainPaths: ApiDocument['paths'] = {
  '/healthz': textPage('getHealth', 'Answers while the server lives', 'text/plain'),
  '/metrics': textPage('getMetrics', 'Metrics for Prometheus', 'text/plain'),
};
