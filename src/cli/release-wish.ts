// Reads what a release asks for from a command's options. Pure but for the defaults of a rollout, which are handed in.
import { AppError } from '../error.ts';
import { environmentNames, type RolloutPlan } from '../release/types.ts';
import { duration, oneOf, whole } from '../setting-text.ts';
import type { Invocation } from './command.ts';
import { readOption } from './reading.ts';
import { wishOptions } from './release-commands.ts';

const unless =
  <T>(none: string, other: T, read: (text: string) => T) =>
  (text: string) =>
    text === none ? other : read(text);
const asIs = (text: string) => text;

/** Names of all options that say what is asked for. */
export const wishNames = wishOptions.map(({ name }) => name);

const fields: Record<string, [field: string, read: (text: string) => unknown]> = {
  endpoint: ['endpoint', asIs],
  environment: ['environment', oneOf(environmentNames)],
  statement: ['statement', asIs],
  contact: ['contact', asIs],
  licence: ['licence', asIs],
  min: ['minInstances', whole(0, 256)],
  max: ['maxInstances', whole(1, 256)],
  device: ['deviceIds', unless<string[] | null>('any', null, (text) => text.split(','))],
  domain: ['domain', unless('none', '', asIs)],
  timeout: ['inferenceTimeoutMs', duration(1)],
  queue: ['maxQueueSize', whole(0, 1_000_000)],
  rate: ['ratePerSecond', unless<number | null>('none', null, readRate)],
  at: ['notBefore', unless<string | null>('now', null, asIs)],
};

const rolloutFields: Record<string, [field: keyof RolloutPlan, read: (text: string) => unknown]> = {
  canary: ['steps', unless<RolloutPlan['steps']>('none', [], readSteps)],
  shadow: ['shadow', unless<RolloutPlan['shadow']>('none', null, readHold)],
  sticky: ['stickyHeader', unless<string | null>('none', null, asIs)],
  'trial-keys': ['trialKeys', unless<string[]>('none', [], (text) => text.split(','))],
  'min-requests': ['minRequests', whole(0, 1e9)],
};

/** @param rolloutNow of what is changed; asked only when a part of it was named. @throws UsageError */
export async function readWish(invocation: Invocation, rolloutNow: () => Promise<RolloutPlan>) {
  const wish = readFields(invocation, fields);
  const rollout = readFields(invocation, rolloutFields);
  if (Object.keys(rollout).length === 0) return wish;
  return { ...wish, rollout: { ...(await rolloutNow()), ...rollout } };
}

function readFields(invocation: Invocation, table: Record<string, [string, (text: string) => unknown]>) {
  const found: Record<string, unknown> = {};
  for (const [option, [field, read]] of Object.entries(table)) {
    const value = readOption(invocation, option, read);
    if (value !== undefined) found[field] = value;
  }
  return found;
}

/** "5:10m,25:10m" */
function readSteps(text: string): RolloutPlan['steps'] {
  return text.split(',').map(readHold);
}

/** "10:30m": percent, and for how long. */
function readHold(text: string): { percent: number; holdMs: number } {
  const [, percent, time] = /^(\d{1,3}(?:\.\d{1,3})?) ?%?:(.+)$/.exec(text.trim()) ?? [];
  if (percent === undefined || Number(percent) > 100) {
    throw new AppError('invalid', `'${text.slice(0, 40)}' is not PERCENT:TIME`, 'Write it as 10:30m.');
  }
  return { percent: Number(percent), holdMs: duration(0)(time!) };
}

function readRate(text: string): number {
  if (/^\d{1,7}(\.\d{1,3})?$/.test(text)) return Number(text);
  throw new AppError('invalid', `'${text.slice(0, 40)}' is not a number of requests a second`);
}
