// The pages about users: the list, a new one, changes, and the one-time link with which one chooses a password.
import { userFormScreen, userLinkScreen, usersScreen } from '../../../web/screens/users.ts';
import type { FormState, Frame, UserFormView, UserRow } from '../../../web/view-types.ts';
import { isUserRole, type UserRole } from '../../access/roles.ts';
import type { SessionRecord } from '../../access/sessions.ts';
import { checkUserName, userNameKey } from '../../access/user-name.ts';
import type { UserRecord } from '../../access/user-record.ts';
import { AppError } from '../../error.ts';
import { endOne, endOthers, sessionRows } from './account.ts';
import type { AdminContext } from './context.ts';
import { empty, stateOf, withError } from './entry.ts';
import { readEmail } from './inbox.ts';
import { cutPage } from './paging.ts';
import { type AdminRoute, pageOf, retry, seeOther, userOf, type Visit } from './visit.ts';

const manage = { method: 'POST', action: 'user.manage' } as const;

export function userRoutes(context: AdminContext): AdminRoute[] {
  return [...readingRoutes(context), ...changingRoutes(context), ...endingRoutes(context)];
}

function readingRoutes(context: AdminContext): AdminRoute[] {
  const { users, sessions } = context.access;
  return [
    {
      method: 'GET',
      path: '/admin/users',
      action: 'user.read',
      operation: 'listUsers',
      answer({ frame, url }) {
        const search = url.searchParams.get('q')?.slice(0, 100) ?? '';
        const found = users.list().filter(({ name }) => userNameKey(name).includes(userNameKey(search)));
        const { rows, page } = cutPage(found, url);
        const bySession = Map.groupBy(sessions.list(), ({ user }) => user);
        return usersScreen(frame, {
          users: rows.map((user) => rowOf(context, user, bySession.get(user.id) ?? [])),
          search,
          page,
        });
      },
    },
    {
      method: 'GET',
      path: '/admin/users/new',
      action: 'user.manage',
      operation: 'createUser',
      answer: ({ frame }) => userFormScreen(frame, { form: empty, sessions: [] }),
    },
    {
      method: 'GET',
      path: '/admin/users/:id',
      action: 'user.manage',
      operation: 'getUser',
      answer: (visit) => userFormScreen(visit.frame, { ...viewOf(context, visit), form: empty }),
    },
  ];
}

function changingRoutes(context: AdminContext): AdminRoute[] {
  const { users } = context.access;
  return [
    {
      ...manage,
      path: '/admin/users',
      operation: 'createUser',
      async answer(visit) {
        const { form, frame } = visit;
        const state = stateOf(form, ['name', 'role', 'email']);
        try {
          const name = checkName(context, form, state);
          const email = readEmail(form, state);
          const user = await users.create({ name, role: roleOf(form), email }, userOf(visit).name);
          visit.note({ target: user.name, after: summarise(user) });
          return showLink(context, visit, user);
        } catch (error) {
          return retry(userFormScreen(frame, { form: withError(state, error), sessions: [] }));
        }
      },
    },
    {
      ...manage,
      path: '/admin/users/:id',
      operation: 'changeUser',
      answer(visit) {
        const { form, frame, params } = visit;
        const before = users.get(params.id!);
        const state = stateOf(form, ['name', 'role', 'email', 'enabled']);
        const revision = Number(form.get('revision'));
        visit.note({ target: before.name, before: summarise(before) });
        try {
          const name = checkName(context, form, state, before);
          const email = readEmail(form, state);
          const wanted = { name, role: roleOf(form), isDisabled: form.get('enabled') !== 'on', email: email ?? '' };
          visit.note({ after: summarise(users.change(before.id, wanted, { by: userOf(visit).name, revision })) });
          return seeOther('/admin/users', { tone: 'good', text: frame.t('userForm.saved', { name }) });
        } catch (error) {
          const form = withError(state, error);
          const view = viewOf(context, visit);
          const isStale = error instanceof AppError && error.code === 'conflict' && revision !== before.revision;
          return retry(userFormScreen(frame, isStale ? staleView(frame, view, before, state) : { ...view, form }));
        }
      },
    },
    {
      ...manage,
      path: '/admin/users/:id/reset',
      operation: 'resetPassword',
      answer(visit) {
        const user = users.get(visit.params.id!);
        visit.note({ target: user.name });
        return showLink(context, visit, user);
      },
    },
  ];
}

function endingRoutes(context: AdminContext): AdminRoute[] {
  const { users, lockOut } = context.access;
  return [
    {
      ...manage,
      path: '/admin/users/:id/unlock',
      operation: 'unlockUser',
      answer({ params, frame, note }) {
        const { id, name } = users.get(params.id!);
        note({ target: name });
        lockOut.clear({ name });
        return seeOther(pathOf(id), { tone: 'good', text: frame.t('userForm.unlocked', { name }) });
      },
    },
    {
      ...manage,
      path: '/admin/users/:id/remove',
      operation: 'removeUser',
      answer(visit) {
        const user = users.get(visit.params.id!);
        visit.note({ target: user.name, before: summarise(user) });
        users.remove(user.id, { by: userOf(visit).name });
        const text = visit.frame.t('userForm.removed', { name: user.name });
        return seeOther('/admin/users', { tone: 'good', text });
      },
    },
    {
      ...manage,
      path: '/admin/users/:id/sessions/end',
      operation: 'endSession',
      answer(visit) {
        const { params, form, frame } = visit;
        const { id, name } = users.get(params.id!);
        const session = form.get('session');
        if (session !== undefined) endOne(context, visit, session, id);
        const count = session === undefined ? endOthers(context, visit, { id, name }) : 1;
        return seeOther(pathOf(id), { tone: 'good', text: frame.t('sessions.ended', { count }) });
      },
    },
  ];
}

const pathOf = (id: string) => `/admin/users/${id}`;

const summarise = ({ name, role, isDisabled, email }: UserRecord) => ({ name, role, isDisabled, email });

/** The page itself, not a redirection: the link is in this answer only. */
function showLink({ access }: AdminContext, { frame, url }: Visit, { id, name }: UserRecord): Response {
  const { token, expiresMs } = access.resets.issue(id);
  return pageOf(
    userLinkScreen(frame, { userId: id, name, link: `${url.origin}/reset?token=${token}`, untilMs: expiresMs }),
  );
}

/** What is wrong with a name is said at its field. @throws AppError invalid, conflict */
function checkName(
  { access }: AdminContext,
  form: ReadonlyMap<string, string>,
  state: FormState,
  self?: UserRecord,
): string {
  try {
    const name = checkUserName(form.get('name') ?? '');
    const other = access.users.findByName(name);
    if (other && other.id !== self?.id) throw new AppError('conflict', `There is a user '${other.name}' already.`);
    return name;
  } catch (error) {
    if (error instanceof AppError) state.errors.name = `${error.message} ${error.hint ?? ''}`.trim();
    throw error;
  }
}

/** @throws AppError invalid: the form offers no other */
function roleOf(form: ReadonlyMap<string, string>): UserRole {
  const role = form.get('role') ?? '';
  if (isUserRole(role)) return role;
  throw new AppError('invalid', `There is no role '${role.slice(0, 40)}'.`);
}

function rowOf({ access }: AdminContext, user: UserRecord, sessions: readonly SessionRecord[]): UserRow {
  const { id, name, role, email, createdMs, signedInMs } = user;
  const seenMs = Math.max(signedInMs ?? 0, ...sessions.map((session) => session.seenMs));
  const state = stateOfUser(user, access.lockOut.waitMs(name) > 0);
  return { id, name, role, createdMs, state, ...(email && { email }), ...(seenMs > 0 && { lastSeenMs: seenMs }) };
}

function stateOfUser(
  { isDisabled, hasPassword, isLinked, mustChangePassword }: UserRecord,
  isLocked: boolean,
): UserRow['state'] {
  if (isDisabled) return 'disabled';
  if (isLocked) return 'locked';
  if (!hasPassword && !isLinked) return 'invited';
  return mustChangePassword ? 'mustChange' : 'enabled';
}

function viewOf(context: AdminContext, { params, asker }: Visit): Omit<UserFormView, 'form'> {
  const { users, sessions } = context.access;
  const user = users.get(params.id!);
  const own = sessions.list(user.id);
  const row = rowOf(context, user, own);
  return { user: { ...row, revision: user.revision }, sessions: sessionRows(own, asker) };
}

/** What was entered stays; where it is not what the other one saved, that is said at the field. */
function staleView({ t }: Frame, view: Omit<UserFormView, 'form'>, now: UserRecord, sent: FormState): UserFormView {
  const { name, role, email, enabled } = sent.values;
  const isEnabled = enabled === 'on';
  const say = (value: string) => t('userForm.now', { value });
  const errors = {
    ...(name !== now.name && { name: say(now.name) }),
    ...(role !== now.role && { role: say(t(`role.${now.role}`)) }),
    ...(email !== (now.email ?? '') && { email: say(now.email ?? t('value.none')) }),
    ...(isEnabled === now.isDisabled && { enabled: say(t(now.isDisabled ? 'value.no' : 'value.yes')) }),
  };
  return { ...view, form: { ...sent, errors }, stale: { who: now.changedBy, atMs: now.changedMs } };
}
