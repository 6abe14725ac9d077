// What an API key may do and how often: its settings, checked. Knows neither secrets nor rows.
import { AppError } from '../error.ts';
import { type KeyAction, keyActions, mayGrant, type UserRole } from './roles.ts';

export interface KeyScope {
  /** Names of models or endpoints; '*' is all, also those to come, and what is about no model. */
  models: readonly string[] | '*';
  actions: readonly KeyAction[];
}

export interface KeySettings {
  name: string;
  scope: KeyScope;
  /** null: never. */
  expiresMs: number | null;
  /** null: as fast as it likes. */
  ratePerSecond: number | null;
  /** Requests that may come at once; null: one second's worth. */
  burst: number | null;
  /** Requests a day, in UTC; null: any number. */
  dailyQuota: number | null;
}

const mostModels = 200;
const modelForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * @param owner role of the key's owner, who can give no more than she has
 * @returns the settings, without doubles
 * @throws AppError invalid, or forbidden for an action that the owner may not do
 */
export function checkKeySettings(settings: KeySettings, owner: UserRole, nowMs: number): KeySettings {
  const { expiresMs, ratePerSecond, burst, dailyQuota } = settings;
  const name = settings.name.length > 400 ? '' : settings.name.normalize('NFC').trim();
  require(/^[^\p{C}\p{Zl}\p{Zp}]{1,80}$/u.test(
    name,
  ), "The key's name must have 1 to 80 characters.", 'Name what uses it.');
  require(expiresMs === null ||
    (Number.isSafeInteger(expiresMs) && expiresMs > nowMs), 'A key cannot expire in the past.');
  require(ratePerSecond === null ||
    (ratePerSecond >= 0.001 && ratePerSecond <= 1e6), 'The rate must be 0.001 to 1000000 a second.');
  require(burst === null || isCount(burst, 1e6), 'The burst must be a whole number from 1 to 1000000.');
  require(burst === null || ratePerSecond !== null, 'A burst without a rate has no meaning.', 'Give a rate too.');
  require(dailyQuota === null || isCount(dailyQuota, 1e12), 'The daily quota must be a whole number from 1.');
  return { name, scope: checkScope(settings.scope, owner), expiresMs, ratePerSecond, burst, dailyQuota };
}

function checkScope({ models, actions }: KeyScope, owner: UserRole): KeyScope {
  if (models !== '*') {
    require(models.length > 0 && models.length <= mostModels, `Name 1 to ${mostModels} models, or all with '*'.`);
    const wrong = models.find((model) => !modelForm.test(model));
    require(wrong === undefined, `'${wrong?.slice(0, 80)}' is no model's name.`);
  }
  require(actions.length > 0, 'A key needs at least one action.', `There are: ${keyActions.join(', ')}.`);
  for (const action of actions) {
    require(keyActions.includes(
      action,
    ), `There is no action '${action.slice(0, 40)}' for keys.`, `There are: ${keyActions.join(', ')}.`);
    if (mayGrant(owner, action)) continue;
    throw new AppError(
      'forbidden',
      `A key of this owner cannot ${action}: the role ${owner} may not.`,
      'Leave the action out, or give the key to an owner who may.',
    );
  }
  return {
    models: models === '*' ? '*' : [...new Set(models)],
    actions: keyActions.filter((each) => actions.includes(each)),
  };
}

/** What is left of a scope when its owner has got another role. */
export function narrowScope({ models, actions }: KeyScope, owner: UserRole): KeyScope {
  return { models, actions: actions.filter((action) => mayGrant(owner, action)) };
}

const isCount = (value: number, most: number) => Number.isSafeInteger(value) && value >= 1 && value <= most;

function require(isFine: boolean, message: string, hint?: string): void {
  if (!isFine) throw new AppError('invalid', message, hint);
}
