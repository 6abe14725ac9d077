// The form with a key's settings: what was sent, checked field by field, and how it is filled.
import type { Text } from '../../../web/text/text.ts';
import type { FormState } from '../../../web/view-types.ts';
import { checkKeySettings, type KeySettings } from '../../access/key-scope.ts';
import { keyActions, type UserRole } from '../../access/roles.ts';
import { AppError } from '../../error.ts';
import type { Visit } from './visit.ts';

/**
 * What is wrong is put beside its field.
 * @param known the settings that the form was filled from: an end that was not touched stays to the moment, also a past one
 */
export function readKeySettings(
  { form, frame }: Visit,
  state: FormState,
  owner: UserRole,
  known?: KeySettings,
): KeySettings {
  const { t, nowMs } = frame;
  const entered = (name: string) => form.get(name)?.trim() ?? '';
  const read = (name: string, parse: (text: string) => number, words: string) => {
    if (entered(name) === '') return null;
    const value = parse(entered(name));
    if (Number.isNaN(value)) state.errors[name] = words;
    return value;
  };
  const number = (name: string) => read(name, Number, t('key.notNumber'));
  const models = entered('models')
    .split(/[,\s]+/)
    .filter(Boolean);
  const isKept = known !== undefined && entered('expires') === dayOf(known.expiresMs);
  const settings: KeySettings = {
    name: entered('name'),
    scope: {
      models: models.length > 0 ? models : '*',
      actions: keyActions.filter((action) => form.get(`actions.${action}`) === 'on'),
    },
    expiresMs: isKept ? known.expiresMs : read('expires', endOfDay, t('key.notDate')),
    ratePerSecond: number('ratePerSecond'),
    burst: number('burst'),
    dailyQuota: number('dailyQuota'),
  };
  const horizonMs = isKept ? -Infinity : nowMs;
  addFaults(t, settings, state, (part) => checkKeySettings(part, owner, horizonMs));
  return settings;
}

const harmless: KeySettings = {
  name: 'x',
  scope: { models: '*', actions: ['predict'] },
  expiresMs: null,
  ratePerSecond: null,
  burst: null,
  dailyQuota: null,
};

/** Tries each setting among others that are fine, so that it is known which one is wrong. */
function addFaults(t: Text, settings: KeySettings, state: FormState, check: (part: KeySettings) => void): void {
  const { name, scope, expiresMs, ratePerSecond, burst, dailyQuota } = settings;
  const parts: Record<string, Partial<KeySettings>> = {
    name: { name },
    models: { scope: { ...harmless.scope, models: scope.models } },
    actions: { scope: { ...harmless.scope, actions: scope.actions } },
    expires: { expiresMs },
    ratePerSecond: { ratePerSecond },
    burst: { burst, ratePerSecond: burst === null ? null : ratePerSecond && 1 },
    dailyQuota: { dailyQuota },
  };
  for (const [field, part] of Object.entries(parts)) {
    try {
      check({ ...harmless, ...part });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'invalid') throw error;
      state.errors[field] ??= t.said(`${error.message} ${error.hint ?? ''}`.trim());
    }
  }
}

/** A key works on the day that is named, in the server's time. @returns NaN for what is no date */
function endOfDay(text: string): number {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T23:59:59.999`).getTime() : NaN;
}

/** The day that a form shows for an end. */
function dayOf(ms: number | null): string {
  return ms === null ? '' : new Date(ms).toLocaleDateString('sv');
}

/** What the form has in its fields. */
export function fieldsOf({ name, scope, expiresMs, ratePerSecond, burst, dailyQuota }: KeySettings): FormState {
  const number = (value: number | null) => (value === null ? '' : String(value));
  const values = {
    name,
    models: scope.models === '*' ? '' : scope.models.join(', '),
    expires: dayOf(expiresMs),
    ratePerSecond: number(ratePerSecond),
    burst: number(burst),
    dailyQuota: number(dailyQuota),
    ...Object.fromEntries(scope.actions.map((action) => [`actions.${action}`, 'on'])),
  };
  return { values, errors: {} };
}

export const keyFields = [
  'name',
  'models',
  'expires',
  'ratePerSecond',
  'burst',
  'dailyQuota',
  ...keyActions.map((action) => `actions.${action}`),
];
