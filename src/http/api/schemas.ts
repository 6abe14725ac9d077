// Shapes of the management and task APIs: request bodies, which Elysia checks, and answers, which OpenAPI describes.
import { t } from 'elysia';

const closed = { additionalProperties: false };

export const importFields = {
  files: t.Array(
    t.Object(
      {
        uploadId: t.String({ maxLength: 64, description: 'A complete upload; it is used up.' }),
        path: t.String({ minLength: 1, maxLength: 1024, description: 'Name, or path in the folder, of the file.' }),
      },
      closed,
    ),
    { minItems: 1, maxItems: 10_000 },
  ),
  manifest: t.Optional(
    t.Object({}, { additionalProperties: true, description: 'What you say about the model; see Manifest.' }),
  ),
  load: t.Optional(t.Boolean({ default: true, description: 'Serve the newest version at once.' })),
};

export const importBody = t.Object(importFields, closed);
export const importManyBody = t.Object({ name: t.Optional(t.String({ maxLength: 256 })), ...importFields }, closed);
export const uploadBody = t.Object(
  { bytes: t.Integer({ minimum: 0, description: 'Size of the whole file.', examples: [4956208] }) },
  closed,
);
export const installBody = t.Object(
  { name: t.String({ maxLength: 256, description: 'Model to make or to add a version to.', examples: ['faces'] }) },
  closed,
);
export const pushQuery = t.Object(
  {
    filename: t.Optional(t.String({ minLength: 1, maxLength: 255, description: 'Name of the file in a raw body.' })),
    load: t.Optional(t.Boolean({ default: true, description: 'Serve the version at once.' })),
  },
  closed,
);

const text = { type: 'string' };
const count = { type: 'integer', minimum: 0 };
const time = { type: 'string', format: 'date-time' };
const state = { enum: ['starting', 'ready', 'unloading', 'failed', 'unloaded'] };
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const list = (items: object) => ({ type: 'array', items });

/** An object whose properties are all required but those whose names end in "?". */
function object(properties: Record<string, object>, description?: string) {
  const names = Object.keys(properties);
  return {
    type: 'object',
    ...(description && { description }),
    required: names.filter((name) => !name.endsWith('?')),
    properties: Object.fromEntries(names.map((name) => [name.replace(/\?$/, ''), properties[name]!])),
  };
}

const summary = {
  name: text,
  createdAt: time,
  current: { type: ['integer', 'null'], description: 'Version that answers when a client names none.' },
  state,
  task: text,
  'licence?': { type: 'string', description: 'SPDX expression.' },
  bytes: count,
};

const tensor = {
  name: text,
  datatype: { type: 'string', examples: ['FP32'] },
  shape: { ...list({ type: 'integer' }), examples: [[-1, 3, 224, 224]] },
  'dimNames?': { ...list(text), description: 'Names of the dimensions in the model; empty where it has none.' },
};

const scored = { label: text, index: count, score: { type: 'number' } };

const answered = {
  model: text,
  version: count,
  task: text,
  timings: object(
    {
      queueMs: { type: 'number' },
      computeMs: { type: 'number' },
      totalMs: { type: 'number', description: 'From the whole body having arrived to the answer.' },
    },
    'Milliseconds.',
  ),
};

/** JSON Schema (2020-12) by name, for components.schemas. */
export const schemas = {
  Error: object({
    error: object({
      code: { type: 'string', examples: ['not_found'] },
      message: text,
      'hint?': { type: 'string', description: 'What to do next.' },
    }),
  }),
  ProtocolError: object({ error: text }, 'The Open Inference Protocol has errors of its own form.'),
  Info: object({ version: text, startedAt: time, listen: text, dataFolder: text }),
  ModelList: object({ models: list(ref('ModelSummary')) }),
  ModelSummary: object({ ...summary, versions: list(count) }),
  Model: object({ ...summary, versions: list(ref('Version')) }),
  Version: object({
    model: text,
    version: count,
    state,
    'reason?': { type: 'string', description: 'Why it is not ready.' },
    manifest: ref('Manifest'),
    signature: object({ inputs: list(object(tensor)), outputs: list(object(tensor)) }, '−1 is a variable dimension.'),
    facts: object({
      format: text,
      irVersion: count,
      opsets: { type: 'object', additionalProperties: count },
      producer: text,
      parameters: count,
      weightBytes: count,
      operators: { type: 'object', additionalProperties: count },
    }),
    warnings: list(text),
    files: list(object({ path: text, sha256: text, bytes: count })),
    entry: text,
    bytes: count,
    createdAt: time,
  }),
  Manifest: object(
    {
      task: text,
      'labels?': list(text),
      'preprocess?': { type: 'object' },
      'postprocess?': { type: 'object' },
      serving: { type: 'object' },
      'licence?': text,
      'description?': text,
      origin: object({ kind: text, 'from?': text }),
    },
    'What is known of a version besides its files. In an import every field may be left out.',
  ),
  Versions: object({ versions: list(ref('Version')) }),
  Upload: object({ id: text, bytes: count, received: count, createdAt: time }),
  InstanceList: object({
    instances: list(
      object({
        id: text,
        model: text,
        version: count,
        pid: count,
        state,
        reason: { type: 'string', description: 'Why it is not ready; empty when it is.' },
        device: text,
        restarts: count,
        startedAt: time,
        rssBytes: count,
      }),
    ),
  }),
  TemplateList: object({
    templates: list(object({ name: text, title: text, description: text, licence: text, task: text })),
  }),
  TaskAnswer: {
    oneOf: [ref('ClassAnswer'), ref('DetectionAnswer'), ref('NumberAnswer')],
    description: "The task's own answer; which one follows from the model's task.",
  },
  ClassAnswer: object({
    ...answered,
    predictions: list(object({ classes: list(object(scored)) }, 'One for the picture, or for each row.')),
    'note?': text,
  }),
  DetectionAnswer: object({
    ...answered,
    image: object({ width: count, height: count }),
    objects: list(
      object({
        ...scored,
        box: object(
          { x: { type: 'number' }, y: { type: 'number' }, width: { type: 'number' }, height: { type: 'number' } },
          'Pixels of the picture as sent, upright.',
        ),
        'keypoints?': list(object({ name: text, x: { type: 'number' }, y: { type: 'number' } })),
      }),
    ),
  }),
  NumberAnswer: object({
    ...answered,
    predictions: list(object({ values: { type: 'object', additionalProperties: { type: 'number' } } })),
  }),
} as const;

export type SchemaName = keyof typeof schemas;
