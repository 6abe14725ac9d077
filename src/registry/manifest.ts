// Reads a version's manifest out of untrusted data: of an upload, a template or a file. Defaults come from a base
// manifest, so that what was found out about a model can be overridden field by field.
import {
  defaultServing,
  type Manifest,
  type Origin,
  type Postprocess,
  type Preprocess,
  type QueuePolicy,
  type ServingSettings,
  type TaskName,
  taskNames,
} from '../types.ts';
import { Field } from './fields.ts';
import { readPostprocess, readPreprocess } from './processing.ts';

const maxLabels = 1_000_000;
const maxBatchRows = 65_536;
const minuteUs = 60_000_000;

/** A manifest that says nothing. */
export const plainManifest: Manifest = { task: 'tensor', serving: defaultServing, origin: { kind: 'upload' } };

/**
 * @param value parsed JSON; every field may be absent and then comes from `base`
 * @throws AppError invalid, naming the field's path and the nearest allowed value
 */
export function parseManifest(value: unknown, base: Manifest = plainManifest): Manifest {
  const f = new Field(value, 'manifest').object([
    'task',
    'labels',
    'preprocess',
    'postprocess',
    'serving',
    'licence',
    'description',
    'origin',
  ]);
  const manifest: Manifest = {
    task: f.task.or(base.task, (x) => x.oneOf(taskNames)),
    labels: f.labels.or(base.labels, (x) => x.list(maxLabels, (item) => item.text())),
    preprocess: f.preprocess.or(base.preprocess, readPreprocess),
    postprocess: f.postprocess.or(base.postprocess, readPostprocess),
    serving: f.serving.or(base.serving, (x) => readServing(x, base.serving)),
    licence: f.licence.or(base.licence, readLicence),
    description: f.description.or(base.description, (x) => x.text(10_000)),
    origin: f.origin.or(base.origin, readOrigin),
  };
  requireKinds(manifest, f);
  return manifest;
}

function readLicence(field: Field): string {
  const text = field.text(200);
  // The alphabet of SPDX licence expressions; which identifiers exist changes with every release of that list.
  if (!/^[A-Za-z0-9(][A-Za-z0-9.+\-: ()]*$/.test(text)) {
    field.fail('is not an SPDX licence expression', "Write it like 'Apache-2.0' or 'MIT OR BSD-3-Clause'.");
  }
  return text;
}

function readOrigin(field: Field): Origin {
  const f = field.object(['kind', 'from']);
  return { kind: f.kind.oneOf(['upload', 'template', 'triton']), from: f.from.or(undefined, (x) => x.text()) };
}

function readServing(field: Field, base: ServingSettings): ServingSettings {
  const f = field.object([
    'maxBatchSize',
    'preferredBatchSizes',
    'maxQueueDelayUs',
    'priorityLevels',
    'defaultPriorityLevel',
    'queuePolicy',
    'instances',
    'threads',
  ]);
  const maxBatchSize = f.maxBatchSize.or(base.maxBatchSize, (x) => x.integer(0, maxBatchRows));
  const preferred = f.preferredBatchSizes.isPresent
    ? f.preferredBatchSizes.list(64, (item) => item.integer(1, Math.max(1, maxBatchSize)))
    : base.preferredBatchSizes.filter((size) => size <= maxBatchSize);
  const priorityLevels = f.priorityLevels.or(base.priorityLevels, (x) => x.integer(0, 1000));
  const levels = [Math.min(1, priorityLevels), priorityLevels] as const;
  return {
    maxBatchSize,
    preferredBatchSizes: [...new Set(preferred)].sort((a, b) => a - b),
    maxQueueDelayUs: f.maxQueueDelayUs.or(base.maxQueueDelayUs, (x) => x.integer(0, minuteUs)),
    priorityLevels,
    defaultPriorityLevel: f.defaultPriorityLevel.or(
      Math.min(Math.max(base.defaultPriorityLevel, levels[0]), levels[1]),
      (x) => x.integer(...levels),
    ),
    queuePolicy: f.queuePolicy.or(base.queuePolicy, (x) => readQueuePolicy(x, base.queuePolicy)),
    instances: f.instances.or(base.instances, (x) => x.integer(1, 256)),
    threads: f.threads.or(base.threads, (x) => x.integer(0, 1024)),
  };
}

function readQueuePolicy(field: Field, base: QueuePolicy): QueuePolicy {
  const f = field.object(['timeoutAction', 'defaultTimeoutUs', 'allowTimeoutOverride', 'maxQueueSize']);
  return {
    timeoutAction: f.timeoutAction.or(base.timeoutAction, (x) => x.oneOf(['REJECT', 'DELAY'])),
    defaultTimeoutUs: f.defaultTimeoutUs.or(base.defaultTimeoutUs, (x) => x.integer(0, 60 * minuteUs)),
    allowTimeoutOverride: f.allowTimeoutOverride.or(base.allowTimeoutOverride, (x) => x.flag()),
    maxQueueSize: f.maxQueueSize.or(base.maxQueueSize, (x) => x.integer(0, 1_000_000)),
  };
}

const kindsOfTask: Record<TaskName, { pre: Preprocess['kind']; post: Postprocess['kind'][] } | undefined> = {
  tensor: undefined,
  'image-classification': { pre: 'image', post: ['classes'] },
  'object-detection': { pre: 'image', post: ['anchors', 'boxes'] },
  'tabular-classification': { pre: 'table', post: ['classes'] },
  'tabular-regression': { pre: 'table', post: ['numbers'] },
};

function requireKinds(manifest: Manifest, f: Record<'preprocess' | 'postprocess', Field>): void {
  const kinds = kindsOfTask[manifest.task];
  if (!kinds) return;
  if (manifest.preprocess?.kind !== kinds.pre) {
    f.preprocess.fail(
      `must have the kind '${kinds.pre}' for the task ${manifest.task}`,
      "Add it, or use the task 'tensor'.",
    );
  }
  if (!manifest.postprocess || !kinds.post.includes(manifest.postprocess.kind)) {
    f.postprocess.fail(
      `must have the kind ${kinds.post.map((kind) => `'${kind}'`).join(' or ')} for the task ${manifest.task}`,
      "Add it, or use the task 'tensor'.",
    );
  }
}
