// Shapes of what the API takes and answers about placement.
import { t } from 'elysia';

import { decisionKinds } from '../../device/decisions.ts';
import {
  longestName,
  mostDeviceIds,
  placementProviders,
  placementRanges,
  placementStrategies,
} from '../../device/placement-settings.ts';
import { count, deviceKind, flag, list, object, ref, text, time } from './shapes.ts';

const closed = { additionalProperties: false };
/** What its fields may be is checked, and said better, by those who read them; PlacementPatch describes them. */
const open = { additionalProperties: true };

export const patchBody = t.Object({}, open);
export const previewBody = t.Object(
  {
    model: t.String({ maxLength: 256, examples: ['faces'] }),
    version: t.Optional(t.Integer({ minimum: 1, description: 'The current one, or the newest, if absent.' })),
    settings: t.Optional(t.Object({}, { ...open, description: 'As if they were set; see PlacementPatch.' })),
  },
  closed,
);
/** As text: what numbers and kinds may be is said better by those who read them. */
export const decisionsQuery = t.Object(
  {
    model: t.Optional(t.String({ maxLength: 256, description: 'Only of this model.' })),
    kind: t.Optional(t.String({ maxLength: 40, description: `Only of one kind: ${decisionKinds.join(', ')}.` })),
    before: t.Optional(t.String({ maxLength: 20, description: 'Only with a lower `id`.' })),
    limit: t.Optional(t.String({ maxLength: 20, description: 'Most decisions, 1 to 1000; 100 if absent.' })),
  },
  closed,
);

const range = (name: keyof typeof placementRanges) => {
  const [minimum, maximum] = placementRanges[name];
  return { type: 'integer', minimum, maximum };
};
const name = { type: 'string', minLength: 1, maxLength: longestName };

const settings = {
  minInstances: { ...range('minInstances'), description: '0: started when it is asked for.' },
  maxInstances: range('maxInstances'),
  onePerDevice: flag,
  strategy: {
    enum: placementStrategies,
    description: 'spread: the device with the most free memory; pack: the one that it fills best.',
  },
  priority: { ...range('priority'), description: 'Higher goes first.' },
  pinned: { type: 'boolean', description: 'Its instances are never evicted.' },
  minFreeBytes: { ...range('minFreeBytes'), description: 'Bytes that must stay free on its device.' },
};
/** They may be absent; in a patch null takes them away. */
const limits = {
  deviceIds: {
    type: 'array',
    items: name,
    minItems: 1,
    maxItems: mostDeviceIds,
    description: 'Only on these devices.',
  },
  deviceClass: { ...name, description: 'Only on devices of this class.' },
  provider: { type: 'string', enum: placementProviders, description: "A person's choice of execution provider." },
  keepAliveMs: { ...range('keepAliveMs'), description: 'Instances above the minimum end when idle for so long.' },
};

function mapEntries(properties: Record<string, object>, change: (name: string, schema: object) => [string, object]) {
  return Object.fromEntries(Object.entries(properties).map(([each, schema]) => change(each, schema)));
}
const maybe = (properties: Record<string, object>) => mapEntries(properties, (each, schema) => [`${each}?`, schema]);
const removable = (properties: Record<string, object>) =>
  mapEntries(properties, (each, schema) => [each, { anyOf: [schema, { type: 'null' }] }]);

/** Bytes. What is left may be negative. */
export const deviceMemory = {
  capacityBytes: count,
  usedByOthersBytes: { ...count, description: 'By whatever is not among the instances.' },
  heldBytes: { ...count, description: 'By instances, or promised to them.' },
  reserveBytes: { ...count, description: 'Kept free by a setting.' },
  availableBytes: { type: 'integer', description: 'For new instances; negative when others took more than was left.' },
};

/** Of memory. */
export const servedFor = object(
  { endpoint: text, release: { ...count, description: 'Its id.' } },
  'What it answers for; absent: it was not released.',
);
export const measured = { type: 'boolean', description: 'Otherwise it is estimated.' };
const target = {
  kind: deviceKind,
  provider: text,
  batch: { ...count, description: 'Largest; 0: no batch dimension.' },
};
const ending = { instanceId: text, version: text, deviceId: text, reason: text };

export const placementSchemas = {
  PlacementSettings: object({ ...settings, ...maybe(limits) }),
  PlacementPatch: object(maybe({ ...settings, ...removable(limits) }), 'What is to change.'),
  PlacementPreview: object({
    model: text,
    version: count,
    ways: {
      ...list(
        object({
          ...target,
          bytes: count,
          measured,
          estimatedBytes: count,
          'estimateError?': { type: 'number', description: '(estimated − measured) / measured' },
        }),
      ),
      description: 'How it can run here, best first.',
    },
    passedOver: {
      ...list(object({ kind: deviceKind, provider: text, reason: text })),
      description: 'Better ways that cannot be taken.',
    },
    placements: list(
      object({
        version: { type: 'string', examples: ['faces:1'] },
        deviceId: text,
        ...target,
        bytes: count,
        measured,
        after: { ...list(text), description: 'Instances that must have ended first.' },
        reason: text,
      }),
    ),
    evictions: list(object(ending)),
    refusals: list(
      object({
        version: text,
        missing: { ...count, description: 'Instances that find no room.' },
        reason: text,
        hint: { type: 'string', description: 'What can be done about it.' },
      }),
    ),
  }),
  PlacementOverview: object({
    accounts: list(
      object({
        deviceId: text,
        ...deviceMemory,
        others: { ...list(ref('DeviceProcess')), description: 'Processes of others, as far as the device tells.' },
      }),
    ),
    holdings: list(
      object({
        instance: text,
        model: text,
        version: count,
        deviceId: text,
        provider: text,
        bytes: count,
        measured,
        leases: { ...count, description: 'Requests and loads in flight.' },
        'lastUsedAt?': time,
        pinned: flag,
      }),
    ),
    versions: list(
      object({
        model: text,
        version: count,
        'servedFor?': servedFor,
        state: { enum: ['cold', 'starting', 'ready', 'failed'] },
        instances: count,
        wanted: { ...count, description: 'Instances that it should have now.' },
        minInstances: count,
        maxInstances: count,
        'reason?': { type: 'string', description: 'Why it has none, or fewer than wanted.' },
      }),
    ),
  }),
  DecisionList: object({
    decisions: list(
      object({
        id: { type: 'integer', minimum: 1, description: 'Rises with time.' },
        at: time,
        kind: { enum: decisionKinds },
        'model?': text,
        'version?': count,
        'deviceId?': text,
        'instance?': text,
        reason: text,
      }),
    ),
  }),
} as const;
