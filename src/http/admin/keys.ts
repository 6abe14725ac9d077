// The pages about API keys: one's own, or everybody's for those who manage keys; a new one and its text, shown once.
import { taskExamples, tensorExamples } from '../../../web/call-examples.ts';
import { keyFormScreen, keyShownScreen, keysScreen } from '../../../web/screens/keys.ts';
import type { FormState, KeyFormView, KeyRow } from '../../../web/view-types.ts';
import { mayDo } from '../../access/actor.ts';
import type { KeyRecord } from '../../access/keys.ts';
import { keyActions, mayGrant, type UserRole } from '../../access/roles.ts';
import { AppError } from '../../error.ts';
import type { AdminContext } from './context.ts';
import { empty, stateOf, withError } from './entry.ts';
import { fieldsOf, keyFields, readKeySettings } from './key-form.ts';
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
      operation: 'listKeys',
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
      operation: 'createKey',
      answer: (visit) => keyFormScreen(visit.frame, { form: empty, actions: grantable(userOf(visit).role) }),
    },
    { ...change, path: '/admin/keys', operation: 'createKey', answer: (visit) => createKey(context, visit) },
    {
      method: 'GET',
      path: '/admin/keys/:id',
      action: 'key.own',
      operation: 'getKey',
      answer(visit) {
        const key = getOwn(context, visit);
        if (key.revokedMs !== null) return seeOther('/admin/keys');
        return keyFormScreen(visit.frame, viewOf(context, visit, key, fieldsOf(key)));
      },
    },
    { ...change, path: '/admin/keys/:id', operation: 'changeKey', answer: (visit) => changeKey(context, visit) },
    {
      ...change,
      path: '/admin/keys/:id/owner',
      operation: 'changeKey',
      answer: (visit) => transferKey(context, visit),
    },
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

const grantable = (role: UserRole) => keyActions.filter((action) => mayGrant(role, action));

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
  const state = stateOf(form, keyFields);
  try {
    const settings = readKeySettings(visit, state, user.role);
    if (Object.keys(state.errors).length > 0) throw new AppError('invalid', 'The key cannot be made like this.');
    const { text, key } = context.access.keys.create(settings, user.id, user.name);
    visit.note({ target: key.id, after: summarise(key) });
    return showKey(context, visit, text, key);
  } catch (error) {
    return retry(keyFormScreen(frame, { form: withError(state, error), actions: grantable(user.role) }));
  }
}

function viewOf({ access }: AdminContext, visit: Visit, key: KeyRecord, form: FormState): KeyFormView {
  const owner = access.users.get(key.owner);
  const others = access.users.list().filter(({ id, isDisabled }) => id !== owner.id && !isDisabled);
  return {
    form,
    actions: grantable(owner.role),
    key: rowOf(key, visit.frame.nowMs),
    ...(mayManage(visit) && { owners: others.map(({ id, name }) => ({ id, name })) }),
  };
}

function changeKey(context: AdminContext, visit: Visit): Response {
  const { form, frame } = visit;
  const { keys, users } = context.access;
  const before = getOwn(context, visit);
  const state = stateOf(form, keyFields);
  try {
    const settings = readKeySettings(visit, state, users.get(before.owner).role, before);
    if (Object.keys(state.errors).length > 0) throw new AppError('invalid', 'The key cannot be changed like this.');
    const { expiresMs, ...others } = settings;
    const after = keys.change(before.id, { ...others, ...(expiresMs !== before.expiresMs && { expiresMs }) });
    visit.note({ after: summarise(after) });
    return seeOther('/admin/keys', { tone: 'good', text: frame.t('key.saved', { name: after.name }) });
  } catch (error) {
    return retry(keyFormScreen(frame, viewOf(context, visit, before, withError(state, error))));
  }
}

function transferKey(context: AdminContext, visit: Visit): Response {
  const { keys, users } = context.access;
  const before = getOwn(context, visit);
  if (!mayManage(visit)) {
    throw new AppError('forbidden', 'Only who manages keys gives them to others.', 'Ask an administrator.');
  }
  const filled = fieldsOf(before);
  try {
    const owner = users.get(visit.form.get('owner') ?? '');
    const after = keys.transfer(before.id, owner.id);
    visit.note({ after: summarise(after) });
    const text = visit.frame.t('key.given', { name: after.name, owner: owner.name });
    return seeOther('/admin/keys', { tone: 'good', text });
  } catch (error) {
    // Beside the choice of the owner, not in the form above it; that the role may not have it is said there too.
    const isOfForm = error instanceof AppError && error.code === 'forbidden';
    const shown = isOfForm ? `${error.message} ${error.hint ?? ''}`.trim() : withError(filled, error).errors['']!;
    return retry(keyFormScreen(visit.frame, viewOf(context, visit, before, { ...filled, errors: { owner: shown } })));
  }
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
