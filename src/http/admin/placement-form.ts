// The form with a model's placement settings: what was sent, checked field by field in the reader's language, as the
// change that placement takes.
import { type TimeUnit, timeUnits } from '../../../web/screens/placement.ts';
import type { Text } from '../../../web/text/text.ts';
import type { FormState } from '../../../web/view-types.ts';
import { placementProviders, placementRanges, placementStrategies } from '../../device/placement-settings.ts';

const mebibyte = 1024 ** 2;
const devicePrefix = 'device.';

/** @returns no patch where a field is wrong */
export function readPlacementForm(
  form: ReadonlyMap<string, string>,
  t: Text,
): { patch?: Record<string, unknown>; state: FormState } {
  const state: FormState = { values: Object.fromEntries(form), errors: {} };
  delete state.values.csrf;
  const text = (name: string) => (form.get(name) ?? '').trim();

  function whole(name: 'minInstances' | 'maxInstances' | 'priority'): number {
    const [least, most] = placementRanges[name];
    const value = numberOf(text(name));
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    state.errors[name] = t('placement.range', { least, most });
    return least;
  }

  function scaled(name: string, unit: number, [least, most]: readonly [number, number]): number {
    const value = Math.round(numberOf(text(name)) * unit);
    if (value >= least && value <= most) return value;
    const bounds = { least: t.number(Math.ceil(least / unit)), most: t.number(Math.floor(most / unit)) };
    state.errors[name] = t('placement.number', bounds);
    return least;
  }

  const unit = (Object.keys(timeUnits) as TimeUnit[]).find((each) => each === text('keepAliveUnit')) ?? 'minutes';
  const deviceIds = [...form.keys()].filter((name) => name.startsWith(devicePrefix));
  const patch = {
    minInstances: whole('minInstances'),
    maxInstances: whole('maxInstances'),
    deviceIds: deviceIds.length > 0 ? deviceIds.map((name) => name.slice(devicePrefix.length)) : null,
    deviceClass: text('deviceClass') || null,
    provider: placementProviders.find((each) => each === text('provider')) ?? null,
    onePerDevice: form.get('onePerDevice') === 'on',
    strategy: placementStrategies.find((each) => each === text('strategy')) ?? 'spread',
    priority: whole('priority'),
    pinned: form.get('pinned') === 'on',
    minFreeBytes: scaled('minFreeMib', mebibyte, placementRanges.minFreeBytes),
    keepAliveMs: text('keepAlive') === '' ? null : scaled('keepAlive', timeUnits[unit], placementRanges.keepAliveMs),
  };
  const { errors } = state;
  if (!errors.minInstances && !errors.maxInstances && patch.minInstances > patch.maxInstances) {
    errors.minInstances = t('placement.minAboveMax');
  }
  return Object.keys(errors).length > 0 ? { state } : { patch, state };
}

/** NaN for what is no decimal number, and for nothing. */
function numberOf(text: string): number {
  return /^\d{1,16}(\.\d{1,16})?$/.test(text) ? Number(text) : Number.NaN;
}
