// Shapes of the management and task APIs: request bodies, which Elysia checks, and answers, which OpenAPI describes.
import { t } from 'elysia';

import { accessSchemas } from './access-schemas.ts';
import { environmentSchemas } from './environment-schemas.ts';
import { notifySchemas } from './notify-schemas.ts';
import { deviceMemory, measured, placementSchemas, servedFor } from './placement-schemas.ts';
import { releaseSchemas } from './release-schemas.ts';
import { count, deviceKind, list, object, ref, text, time } from './shapes.ts';

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

const { files, ...importOptions } = importFields;
const from = t.String({
  minLength: 1,
  maxLength: 4096,
  description: 'In place of `files`: a URL on an allowed network, or a path on the server below an allowed folder.',
  examples: ['https://models.corp/digits.onnx', '/srv/models/digits.onnx'],
});
const modelName = t.Optional(t.String({ maxLength: 256 }));

/** What an import is made of: `files` or `from`, which the handler sees to, so that it can say what is wrong. */
export const importBody = t.Object({ files: t.Optional(files), from: t.Optional(from), ...importOptions }, closed);
export const importManyBody = t.Object({ name: modelName, ...importBody.properties }, closed);
export const fetchBody = t.Object({ from }, closed);
const { load: _, ...previewFields } = importFields;
export const previewBody = t.Object({ name: modelName, ...previewFields }, closed);
export const deriveBody = t.Object(
  {
    manifest: t.Object({}, { additionalProperties: true, description: 'What is to be otherwise; see Manifest.' }),
    load: t.Optional(t.Boolean({ default: true, description: 'Serve the version at once.' })),
  },
  closed,
);
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

const state = { enum: ['cold', 'starting', 'ready', 'unloading', 'failed', 'unloaded'] };

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

const reading = {
  totalBytes: count,
  usedBytes: { type: 'integer', minimum: 0, description: 'By all processes, also of others.' },
  freeBytes: count,
  'utilisation?': { type: 'number', minimum: 0, maximum: 1 },
  'temperatureC?': { type: 'number' },
  'powerW?': { type: 'number' },
  'powerLimitW?': { type: 'number' },
  'smClockMhz?': { type: 'number' },
  'memoryClockMhz?': { type: 'number' },
  throttle: { ...list(text), description: 'Why its clocks are held down; empty when they are not.' },
  'eccErrors?': { type: 'integer', minimum: 0, description: 'Uncorrected, since the driver was loaded.' },
  processes: list(ref('DeviceProcess')),
};

const host = {
  name: text,
  sockets: count,
  cores: count,
  threads: count,
  features: { ...list(text), examples: [['avx2', 'avx512f', 'amx_int8']] },
  nodes: list(object({ id: count, cpus: list(count), memoryBytes: count }, 'A NUMA node.')),
  allowedCpus: list(count),
  'cpuLimit?': { type: 'number', description: "CPUs' worth of time that a control group grants." },
  usableCpus: count,
  'memoryLimitBytes?': count,
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
  Info: object({ version: text, startedAt: time, listen: text, 'dataFolder?': text }),
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
      'generatedBytes?': { ...count, description: 'Of tensors that are made when the model is loaded.' },
      operators: { type: 'object', additionalProperties: count },
      'outputOperators?': { type: 'object', additionalProperties: text },
    }),
    warnings: list(text),
    files: list(object({ path: text, sha256: text, bytes: count })),
    entry: text,
    bytes: count,
    createdAt: time,
    'tags?': list(text),
    'note?': text,
    'archivedAt?': { type: ['string', 'null'], format: 'date-time', description: 'Archived versions are not offered.' },
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
      origin: object({ kind: { enum: ['upload', 'template', 'triton', 'version'] }, 'from?': text }),
    },
    'What is known of a version besides its files. In an import every field may be left out.',
  ),
  Versions: object({ versions: list(ref('Version')) }),
  ImportPreview: object({
    models: list(
      object({
        model: text,
        manifest: ref('Manifest'),
        signature: object({ inputs: list(object(tensor)), outputs: list(object(tensor)) }),
        warnings: list(text),
        'proposal?': object(
          { task: text, preprocess: { type: 'object' }, postprocess: { type: 'object' } },
          'What it seems to be for: fields for a manifest.',
        ),
      }),
    ),
  }),
  FetchedFiles: object({ files: list(object({ uploadId: text, path: text })) }, 'As an import takes them.'),
  Upload: object({ id: text, bytes: count, received: count, createdAt: time }),
  InstanceList: object({
    instances: list(
      object({
        id: text,
        model: text,
        version: count,
        'servedFor?': servedFor,
        'pid?': { type: 'integer', minimum: 1, description: 'Absent while there is no process.' },
        state,
        reason: { type: 'string', description: 'Why it is not ready; empty when it is.' },
        device: { type: 'string', description: 'Its id.' },
        provider: { type: 'string', description: 'Execution provider.' },
        heldBytes: { ...count, description: 'Memory of its device: promised to it, or measured.' },
        measured,
        threads: { ...count, description: 'For one computation; 0 until it is started.' },
        restarts: count,
        startedAt: time,
        rssBytes: count,
      }),
    ),
  }),
  InstanceLog: object({ lines: list(text) }),
  DeviceList: object({
    devices: list(ref('Device')),
    host: object(host),
    'problem?': { type: 'string', description: "Why NVIDIA's GPUs, if there are any, cannot be seen." },
    faults: { ...list(text), description: 'GPUs that the driver counts and that cannot be read.' },
  }),
  Device: object({
    id: { type: 'string', description: 'UUID of a GPU; "cpu" for the processor.' },
    kind: deviceKind,
    index: { type: 'integer', minimum: 0, description: 'Among the devices of its kind.' },
    name: text,
    'pciAddress?': text,
    'parentId?': { type: 'string', description: 'GPU of which a MIG instance is a part.' },
    'computeCapability?': text,
    'driverVersion?': text,
    'cudaVersion?': { type: 'string', description: 'Highest that the driver supports.' },
    'numaNode?': count,
    state: { enum: ['ready', 'lost'] },
    'reason?': { type: 'string', description: 'Why it is lost or restricted.' },
    reading: object(reading),
    instances: list(
      object({ id: text, model: text, version: count, usedBytes: count }, "This server's processes on the device."),
    ),
    'memory?': object(deviceMemory, 'How its memory is shared out; absent until it was read for the first time.'),
  }),
  DeviceProcess: object({
    pid: count,
    name: text,
    usedBytes: { ...count, description: '0 where the driver does not tell.' },
    own: { type: 'boolean', description: "Whether it is one of this server's." },
  }),
  Findings: object({
    findings: list(
      object({
        level: { enum: ['error', 'warning', 'ok'] },
        topic: text,
        what: text,
        'fix?': { type: 'string', description: 'What to do about it.' },
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
  ...placementSchemas,
  ...releaseSchemas,
  ...environmentSchemas,
  ...accessSchemas,
  ...notifySchemas,
} as const;

export type SchemaName = keyof typeof schemas;
