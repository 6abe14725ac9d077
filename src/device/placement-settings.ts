// What a person may wish of where a model runs: the settings with their ranges, how they are read from JSON, and their
// rows in SQLite. Knows no device, and not what comes of a wish.
import type { Database } from 'bun:sqlite';

import { AppError } from '../error.ts';
import { findNearest } from '../setting-text.ts';

export const placementProviders = ['tensorrt', 'cuda', 'webgpu', 'cpu'] as const;
export const placementStrategies = ['spread', 'pack'] as const;

export interface PlacementSettings {
  /** 0: started when it is asked for; an idle instance ends when its room is needed. */
  minInstances: number;
  maxInstances: number;
  /** Only on these devices. */
  deviceIds?: string[];
  /** Only on devices of this class. */
  deviceClass?: string;
  /** A person's choice; absent: the best one that computes the model rightly. */
  provider?: (typeof placementProviders)[number];
  onePerDevice: boolean;
  /** spread: the device with the most free memory; pack: the one that it fills best. */
  strategy: (typeof placementStrategies)[number];
  /** Higher goes first. */
  priority: number;
  /** Its instances are never evicted. */
  pinned: boolean;
  /** Bytes that must stay free on its device. */
  minFreeBytes: number;
  /** Instances above the minimum end when they were idle for so long; absent: only when their room is needed. */
  keepAliveMs?: number;
}

export const defaultPlacement: PlacementSettings = {
  minInstances: 0,
  maxInstances: 1,
  onePerDevice: false,
  strategy: 'spread',
  priority: 50,
  pinned: false,
  minFreeBytes: 0,
};

/** Least and most, both allowed. */
export const placementRanges = {
  minInstances: [0, 256],
  maxInstances: [1, 256],
  priority: [0, 100],
  minFreeBytes: [0, Number.MAX_SAFE_INTEGER],
  keepAliveMs: [1, 365 * 24 * 3_600_000],
} as const;

export const mostDeviceIds = 64;
/** Of a device's id and of a class. */
export const longestName = 128;

type Name = keyof PlacementSettings;
type Readers = { [K in Name]-?: (value: unknown) => NonNullable<PlacementSettings[K]> };

const readers: Readers = {
  minInstances: whole('minInstances'),
  maxInstances: whole('maxInstances'),
  deviceIds: readDeviceIds,
  deviceClass: (value) => readName('deviceClass', value),
  provider: oneOf('provider', placementProviders),
  onePerDevice: flag('onePerDevice'),
  strategy: oneOf('strategy', placementStrategies),
  priority: whole('priority'),
  pinned: flag('pinned'),
  minFreeBytes: whole('minFreeBytes'),
  keepAliveMs: whole('keepAliveMs'),
};
const names = Object.keys(readers) as Name[];
const optional: ReadonlySet<Name> = new Set<Name>(['deviceIds', 'deviceClass', 'provider', 'keepAliveMs']);

/**
 * @param value what is to change in `base`; null takes a setting away that may be absent
 * @throws AppError invalid, naming the setting and what it may be
 */
export function parsePlacement(value: unknown, base: PlacementSettings = defaultPlacement): PlacementSettings {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid', 'Settings of placement must be an object.', `It may have: ${names.join(', ')}.`);
  }
  const changed: Record<string, unknown> = { ...base };
  for (const [key, given] of Object.entries(value)) {
    const name = names.find((each) => each === key);
    if (name === undefined) throw unknownSetting(key);
    if (given === null && optional.has(name)) delete changed[name];
    else if (given !== undefined) changed[name] = readers[name](given);
  }
  const settings = changed as unknown as PlacementSettings;
  const { minInstances, maxInstances } = settings;
  if (minInstances > maxInstances) {
    throw new AppError(
      'invalid',
      `minInstances (${minInstances}) is more than maxInstances (${maxInstances}).`,
      'Raise maxInstances or lower minInstances; both may be sent together.',
    );
  }
  return settings;
}

function unknownSetting(key: string): AppError {
  const nearest = findNearest(key, names);
  const hint = nearest ? `Did you mean '${nearest}'?` : `It may have: ${names.join(', ')}.`;
  return new AppError('invalid', `Placement has no setting '${key.slice(0, 60)}'.`, hint);
}

function mismatch(name: Name, expected: string, value: unknown): AppError {
  const shown = (JSON.stringify(value) ?? String(value)).slice(0, 60);
  const hint = optional.has(name) ? 'null takes the setting away.' : undefined;
  return new AppError('invalid', `${name} must be ${expected}, not ${shown}.`, hint);
}

function whole(name: keyof typeof placementRanges): (value: unknown) => number {
  const [least, most] = placementRanges[name];
  return (value) => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw mismatch(name, `a whole number from ${least} to ${most}`, value);
  };
}

function flag(name: Name): (value: unknown) => boolean {
  return (value) => {
    if (typeof value === 'boolean') return value;
    throw mismatch(name, 'true or false', value);
  };
}

function oneOf<T extends string>(name: Name, known: readonly T[]): (value: unknown) => T {
  return (value) => {
    const found = known.find((each) => each === value);
    if (found !== undefined) return found;
    throw mismatch(name, `one of ${known.join(', ')}`, value);
  };
}

function readName(name: Name, value: unknown): string {
  if (typeof value === 'string' && value.length <= longestName && /^[^\p{Cc}]+$/u.test(value)) return value;
  throw mismatch(name, `a text of 1 to ${longestName} characters`, value);
}

function readDeviceIds(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > mostDeviceIds) {
    throw mismatch('deviceIds', `a list of 1 to ${mostDeviceIds} ids of devices`, value);
  }
  return [...new Set(value.map((each) => readName('deviceIds', each)))];
}

export interface PlacementStore {
  /** @returns undefined for a model that has the defaults */
  find(model: string): PlacementSettings | undefined;
  /** The model must exist. */
  put(model: string, settings: PlacementSettings): void;
  remove(model: string): void;
}

export function createPlacementStore(db: Database, now: () => Date = () => new Date()): PlacementStore {
  const select = db.query<{ settings: string }, [string]>('SELECT settings FROM placement_settings WHERE model = ?');
  const replace = db.query<undefined, [string, string, string]>(
    'INSERT OR REPLACE INTO placement_settings VALUES (?, ?, ?)',
  );
  const drop = db.query<undefined, [string]>('DELETE FROM placement_settings WHERE model = ?');
  return {
    find(model) {
      const row = select.get(model);
      // The defaults stand for settings that are newer than the row.
      return row ? { ...defaultPlacement, ...(JSON.parse(row.settings) as PlacementSettings) } : undefined;
    },
    put: (model, settings) => void replace.run(model, JSON.stringify(settings), now().toISOString()),
    remove: (model) => void drop.run(model),
  };
}
