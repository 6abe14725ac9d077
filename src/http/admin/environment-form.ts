// The form with an environment's settings: filled from them, and read back as the change that environments take.
import type { Text } from '../../../web/text/text.ts';
import type { FormState } from '../../../web/view-types.ts';
import { userRoles } from '../../access/roles.ts';
import type { EnvironmentSettings, Freeze, GuardLimits } from '../../release/types.ts';
import { createNumbers } from './faults.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** Rows for freezes that the form has. */
const mostFreezes = 5;
const policies = ['smoke', 'licence', 'evaluation', 'loadTest'] as const;

/** Shares, which people write in percent. */
const shares: readonly (keyof GuardLimits)[] = ['errorMargin', 'nonFiniteMargin', 'disagreement'];
const limits: readonly (keyof GuardLimits)[] = ['latencyFactor', 'latencyFloorMs', 'crashes', 'minRequests', ...shares];

/** Without the noise of binary fractions. */
const plain = (value: number) => String(Number(value.toFixed(9)));

/** What each field is filled with. */
export function valuesOfEnvironment(settings: EnvironmentSettings): Record<string, string> {
  const { deviceIds, maxInstances, maxEndpoints, requesters, policy, guard, freezes } = settings;
  const ticks = [
    ...(deviceIds ?? []).map((id) => `device.${id}`),
    ...requesters.map((role) => `requesters.${role}`),
    ...policies.filter((name) => policy[name]).map((name) => `policy.${name}`),
    ...(settings.needsReview ? ['needsReview'] : []),
    ...(settings.fourEyes ? ['fourEyes'] : []),
  ];
  return {
    ...Object.fromEntries(ticks.map((name) => [name, 'on'])),
    maxInstances: maxInstances === null ? '' : String(maxInstances),
    maxEndpoints: maxEndpoints === null ? '' : String(maxEndpoints),
    maxP95Ms: policy.maxP95Ms === null ? '' : String(policy.maxP95Ms),
    keepWarmMinutes: plain(settings.keepWarmMs / minuteMs),
    watchMinutes: plain(settings.watchMs / minuteMs),
    ...Object.fromEntries(limits.map((name) => [name, plain(guard[name] * (shares.includes(name) ? 100 : 1))])),
    ...Object.fromEntries(freezes.flatMap(freezeValues)),
  };
}

function freezeValues({ name, cron, durationMs, timeZone = '' }: Freeze, i: number): [string, string][] {
  const row = { name, cron, hours: plain(durationMs / hourMs), zone: timeZone };
  return Object.entries(row).map(([part, value]) => [`freeze.${i}.${part}`, value]);
}

/** @returns the change, and the faults of the form; the change is of use only when there are none */
export function readEnvironmentForm(
  form: ReadonlyMap<string, string>,
  t: Text,
  before: EnvironmentSettings,
): { patch: Record<string, unknown>; state: FormState } {
  const { csrf: _csrf, revision: _revision, ...values } = Object.fromEntries(form);
  const state: FormState = { values, errors: {} };
  const read = createNumbers(form, state, t);
  const limit = (name: keyof GuardLimits) => read.number(name) / (shares.includes(name) ? 100 : 1);
  const patch = {
    deviceIds: read.ticked('device.'),
    maxInstances: read.optionalWhole('maxInstances'),
    maxEndpoints: read.optionalWhole('maxEndpoints'),
    requesters: userRoles.filter((role) => form.get(`requesters.${role}`) === 'on'),
    needsReview: form.get('needsReview') === 'on',
    fourEyes: form.get('fourEyes') === 'on',
    policy: {
      ...Object.fromEntries(policies.map((name) => [name, form.get(`policy.${name}`) === 'on'])),
      maxP95Ms: read.optional('maxP95Ms'),
    },
    keepWarmMs: read.minutes('keepWarmMinutes'),
    watchMs: read.minutes('watchMinutes'),
    guard: Object.fromEntries(limits.map((name) => [name, limit(name)])),
    freezes: [...readFreezes(read, state, t), ...before.freezes.slice(mostFreezes)],
  };
  return { patch, state };
}

function readFreezes(read: ReturnType<typeof createNumbers>, state: FormState, t: Text): Freeze[] {
  return Array.from({ length: mostFreezes }, (_, i) => `freeze.${i}`).flatMap((row): Freeze[] => {
    const [name, cron, hours, zone] = ['name', 'cron', 'hours', 'zone'].map((part) => read.text(`${row}.${part}`));
    if (!name && !cron && !hours && !zone) return [];
    if (!name || !cron || !hours) {
      state.errors[name ? (cron ? `${row}.hours` : `${row}.cron`) : `${row}.name`] = t('environment.halfFreeze');
      return [];
    }
    const durationMs = Math.round(read.number(`${row}.hours`) * hourMs);
    return [{ name, cron, durationMs, ...(zone && { timeZone: zone }) }];
  });
}

const freezeParts: Record<string, string> = { name: 'name', cron: 'cron', durationMs: 'hours', timeZone: 'zone' };

/** The form's field of a path in the settings. */
export function fieldOfEnvironment(path: string): string | undefined {
  const [, row, part = ''] = /^freezes\[(\d+)\](?:\.(\w+))?/.exec(path) ?? [];
  if (row !== undefined) return `freeze.${row}.${freezeParts[part] ?? 'name'}`;
  if (path.startsWith('guard.')) return path.slice('guard.'.length);
  if (path === 'policy.maxP95Ms') return 'maxP95Ms';
  if (path.startsWith('policy')) return 'policy';
  if (path.startsWith('deviceIds')) return 'device';
  if (path.startsWith('requesters')) return 'requesters';
  if (path === 'keepWarmMs') return 'keepWarmMinutes';
  if (path === 'watchMs') return 'watchMinutes';
  return ['maxInstances', 'maxEndpoints', 'freezes'].find((name) => name === path);
}
