// The pages about API keys: one's own, or everybody's for those who manage keys; a new one and its text, shown once.
import { taskExamples, tensorExamples } from '../../../web/call-examples.ts';
import { keyFormScreen, keyShownScreen, keysScreen } from '../../../web/screens/keys.ts';
import type { FormState, KeyRow } from '../../../web/view-types.ts';
import { mayDo } from '../../access/actor.ts';
import { checkKeySettings, type KeySettings } from '../../access/key-scope.ts';
import type { KeyRecord } from '../../access/keys.ts';
import { keyActions, mayGrant } from '../../access/roles.ts';
import { AppError } from '../../error.ts';
import type { AdminContext } from './context.ts';
import { empty, stateOf, withError } from './entry.ts';
import { cutPage } from './paging.ts';
import { type AdminRoute, pageOf, retry, seeOther, userOf, type Visit } from './visit.ts';

const hourMs = 3_600_000;
const overlapsHours = [0, 1, 24, 7 * 24, 30 * 24];
const soonMs = 7 * 24 * hourMs;

const change = { method: 'POST', action: 'key.own' } as const;

export function keyRoutes(context: AdminContext): AdminRoute[] {
  const { keys } = context.access;
  return [
    {
      method: 'GET',
      path: '/admin/keys',
      action: 'key.own',
      answer(visit) {
        const { frame, url } = visit;
        const search = url.searchParams.get('q')?.slice(0, 100) ?? '';
        const wanted = search.toLowerCase();
        const found = keys
          .list(mayManage(visit) ? undefined : userOf(visit).id)
          .filter(({ name, ownerName }) => `${name}\n${ownerName}`.toLowerCase().includes(wanted))
          .map((key) => rowOf(key, frame.nowMs));
        // What still works comes first.
        const { rows, page } = cutPage(
          found.toSorted((a, b) => Number(isOver(a)) - Number(isOver(b))),
          url,
        );
        return keysScreen(frame, { keys: rows, search, page, overlapsHours });
      },
    },
    {
      method: 'GET',
      path: '/admin/keys/new',
      action: 'key.own',
      answer: (visit) => keyFormScreen(visit.frame, { form: empty, actions: grantable(visit) }),
    },
    { ...change, path: '/admin/keys', operation: 'createKey', answer: (visit) => createKey(context, visit) },
    {
      ...change,
      path: '/admin/keys/:id/rotate',
      operation: 'rotateKey',
      answer(visit) {
        const { id } = getOwn(context, visit);
        const overlapHours = overlapsHours.find((hours) => String(hours) === visit.form.get('overlap'));
        if (overlapHours === undefined) throw new AppError('invalid', 'Say how long the old key goes on working.');
        const { text, key } = keys.rotate(id, overlapHours * hourMs);
        visit.note({ after: { name: key.name, overlapHours } });
        return showKey(context, visit, text, key);
      },
    },
    {
      ...change,
      path: '/admin/keys/:id/revoke',
      operation: 'revokeKey',
      answer(visit) {
        const { id, name } = getOwn(context, visit);
        keys.revoke(id, userOf(visit).name);
        return seeOther('/admin/keys', { tone: 'good', text: visit.frame.t('key.revoked', { name }) });
      },
    },
  ];
}

const mayManage = ({ asker }: Visit) => mayDo(asker.actor, 'key.manage');

const grantable = (visit: Visit) => keyActions.filter((action) => mayGrant(userOf(visit).role, action));

const isOver = ({ state }: KeyRow) => state === 'revoked' || state === 'expired';

/** @throws AppError not_found, also for a key that is somebody else's */
function getOwn({ access }: AdminContext, visit: Visit): KeyRecord {
  const key = access.keys.get(visit.params.id!);
  if (!mayManage(visit) && key.owner !== userOf(visit).id) {
    throw new AppError('not_found', 'There is no such API key.', 'List the keys to see what there is.');
  }
  visit.note({ target: key.id, before: summarise(key) });
  return key;
}

function createKey(context: AdminContext, visit: Visit): Response {
  const { frame, form } = visit;
  const user = userOf(visit);
  const names = ['name', 'models', ...keyActions.map((action) => `actions.${action}`)];
  const state = stateOf(form, [...names, 'expires', 'ratePerSecond', 'burst', 'dailyQuota']);
  try {
    const settings = readSettings(visit, state);
    if (Object.keys(state.errors).length > 0) throw new AppError('invalid', 'The key cannot be made like this.');
    const { text, key } = context.access.keys.create(settings, user.id, user.name);
    visit.note({ target: key.id, after: summarise(key) });
    return showKey(context, visit, text, key);
  } catch (error) {
    return retry(keyFormScreen(frame, { form: withError(state, error), actions: grantable(visit) }));
  }
}

/** What is wrong is put beside its field. */
function readSettings({ form, frame, asker }: Visit, state: FormState): KeySettings {
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
  const settings: KeySettings = {
    name: entered('name'),
    scope: {
      models: models.length > 0 ? models : '*',
      actions: keyActions.filter((action) => form.get(`actions.${action}`) === 'on'),
    },
    expiresMs: read('expires', endOfDay, t('key.notDate')),
    ratePerSecond: number('ratePerSecond'),
    burst: number('burst'),
    dailyQuota: number('dailyQuota'),
  };
  const { actor } = asker;
  if (actor.kind === 'user') addFaults(settings, state, (part) => checkKeySettings(part, actor.role, nowMs));
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
function addFaults(settings: KeySettings, state: FormState, check: (part: KeySettings) => void): void {
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
      state.errors[field] ??= `${error.message} ${error.hint ?? ''}`.trim();
    }
  }
}

/** A key works on the day that is named, in the server's time. @returns NaN for what is no date */
function endOfDay(text: string): number {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T23:59:59.999`).getTime() : NaN;
}

/** The page itself, not a redirection: the key is in this answer only. */
function showKey({ control }: AdminContext, { frame, url }: Visit, secret: string, key: KeyRecord): Response {
  const example = `export AIMASS_KEY='${secret}'\n${exampleCall(control, url.origin, key)}`;
  return pageOf(keyShownScreen(frame, { name: key.name, secret, example }));
}

/** A call of a model that the key may call, if there is one yet. */
function exampleCall({ registry }: AdminContext['control'], origin: string, { scope }: KeyRecord): string {
  const models = scope.actions.includes('predict') ? registry.listModels() : [];
  const model = models.find(({ name }) => scope.models === '*' || scope.models.includes(name));
  const number = model?.versions.at(-1);
  const list = `curl ${origin}/api/v1/models -H "X-API-Key: $AIMASS_KEY"`;
  if (!model || number === undefined) return list;
  const { manifest, signature } = registry.getVersion(model.name, number);
  const callee = { origin, name: model.name, manifest, signature };
  return [...taskExamples(callee), ...tensorExamples(callee)].find(({ title }) => title === 'curl')?.text ?? list;
}

function rowOf(key: KeyRecord, nowMs: number): KeyRow {
  const { id, name, ownerName, scope, expiresMs, ratePerSecond, dailyQuota, usedToday } = key;
  const { lastUsedMs, previousUntilMs } = key;
  return {
    id,
    name,
    owner: ownerName,
    usedToday,
    models: scope.models === '*' ? '*' : [...scope.models],
    actions: [...scope.actions],
    state: stateOfKey(key, nowMs),
    expiresMs: expiresMs ?? undefined,
    ratePerSecond: ratePerSecond ?? undefined,
    dailyQuota: dailyQuota ?? undefined,
    lastUsedMs: lastUsedMs ?? undefined,
    previousUntilMs: previousUntilMs ?? undefined,
  };
}

function stateOfKey({ revokedMs, expiresMs }: KeyRecord, nowMs: number): KeyRow['state'] {
  if (revokedMs !== null) return 'revoked';
  if (expiresMs === null) return 'active';
  if (expiresMs <= nowMs) return 'expired';
  return expiresMs <= nowMs + soonMs ? 'expiring' : 'active';
}

/** What the audit trail keeps. */
function summarise({ name, ownerName, scope, expiresMs, ratePerSecond, burst, dailyQuota }: KeyRecord) {
  const expiresAt = expiresMs === null ? null : new Date(expiresMs).toISOString();
  return { name, ownerName, scope, expiresAt, ratePerSecond, burst, dailyQuota };
}
