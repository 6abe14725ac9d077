// Routes for users, for those who manage them: list, add, change, remove, one-time links and the end of a wait.
import { Elysia } from 'elysia';

import type { PasswordResets } from '../../access/password-resets.ts';
import { userRoles } from '../../access/roles.ts';
import type { UserRecord } from '../../access/user-record.ts';
import type { Change, Users } from '../../access/users.ts';
import { AppError } from '../../error.ts';
import { oneOf } from '../../setting-text.ts';
import { answerOnce, done, formatTime, formatTimeOrNull, nameOf, readSmallJson } from './access-request.ts';
import { userBody, userPatch } from './access-schemas.ts';
import { type ApiContext, describe } from './context.ts';

const readRole = oneOf(userRoles);

export interface UserView extends Omit<UserRecord, 'createdMs' | 'signedInMs' | 'changedMs'> {
  createdAt: string;
  signedInAt: string | null;
  changedAt: string;
}

export function viewUser({ createdMs, signedInMs, changedMs, ...user }: UserRecord): UserView {
  return {
    ...user,
    createdAt: formatTime(createdMs),
    signedInAt: formatTimeOrNull(signedInMs),
    changedAt: formatTime(changedMs),
  };
}

export function userRoutes(context: ApiContext) {
  const { control, limits, asker, note } = context;
  const parse = ({ request }: { request: Request }) => readSmallJson(request, limits);
  const by = (request: Request) => nameOf(asker(request).actor);
  /** @throws AppError not_found */
  const target = (request: Request, id: string) => {
    const user = control.access.users.get(id);
    note(request, { target: user.name });
    return user;
  };
  return new Elysia({ normalize: false })
    .use(readingRoutes(context))
    .post(
      '/api/v1/users',
      async ({ request, body: { name, role: text, password, email } }) => {
        const { users, resets } = control.access;
        const role = readRole(text);
        const mustChangePassword = password !== undefined;
        const user = await users.create({ name, role, password, mustChangePassword, email }, by(request));
        note(request, { target: user.name, after: summarise(user) });
        const link = password === undefined ? issueLink(resets, user.id) : undefined;
        return answerOnce({ user: viewUser(user), ...(link && { link }) }, 201);
      },
      {
        parse,
        body: userBody,
        detail: describe({
          id: 'createUser',
          action: 'user.manage',
          tag: 'Access',
          summary: 'Add a user',
          answer: { status: 201, schema: 'NewUser' },
          errors: ['invalid', 'conflict'],
        }),
      },
    )
    .patch(
      '/api/v1/users/:user',
      ({ request, params, body }) => {
        const before = target(request, params.user);
        const after = change(control.access.users, before.id, body, by(request));
        note(request, { before: summarise(before), after: summarise(after) });
        return viewUser(after);
      },
      {
        parse,
        body: userPatch,
        detail: describe({
          id: 'changeUser',
          action: 'user.manage',
          tag: 'Access',
          summary: "Change a user's name, role or mail address, or disable the user",
          description:
            'Send one change at a time, and the `revision` that it was decided on: when somebody else was faster, the ' +
            'answer is 409 and says who. The last administrator can neither be demoted nor disabled.',
          answer: { schema: 'User' },
          errors: ['invalid', 'not_found', 'conflict'],
        }),
      },
    )
    .delete(
      '/api/v1/users/:user',
      ({ request, params }) => {
        const user = target(request, params.user);
        note(request, { before: summarise(user) });
        control.access.users.remove(user.id, { by: by(request) });
        return done();
      },
      {
        detail: describe({
          id: 'removeUser',
          action: 'user.manage',
          tag: 'Access',
          summary: 'Remove a user',
          errors: ['not_found', 'conflict'],
        }),
      },
    )
    .post(
      '/api/v1/users/:user/reset',
      ({ request, params }) => answerOnce(issueLink(control.access.resets, target(request, params.user).id)),
      {
        detail: describe({
          id: 'resetPassword',
          action: 'user.manage',
          tag: 'Access',
          summary: 'A one-time link with which the user chooses a password',
          description: 'The link before it ends. The password until now works until the new one is chosen.',
          answer: { schema: 'ResetLink' },
          errors: ['not_found', 'conflict'],
        }),
      },
    )
    .post(
      '/api/v1/users/:user/unlock',
      ({ request, params }) => {
        control.access.lockOut.clear({ name: target(request, params.user).name });
        return done();
      },
      {
        detail: describe({
          id: 'unlockUser',
          action: 'user.manage',
          tag: 'Access',
          summary: 'End the wait after failed sign-ins',
          errors: ['not_found'],
        }),
      },
    );
}

function readingRoutes({ control }: ApiContext) {
  return new Elysia({ normalize: false })
    .get('/api/v1/users', () => ({ users: control.access.users.list().map(viewUser) }), {
      detail: describe({
        id: 'listUsers',
        action: 'user.read',
        tag: 'Access',
        summary: 'All users',
        answer: { schema: 'UserList' },
      }),
    })
    .get('/api/v1/users/:user', ({ params }) => viewUser(control.access.users.get(params.user)), {
      detail: describe({
        id: 'getUser',
        action: 'user.read',
        tag: 'Access',
        summary: 'One user',
        answer: { schema: 'User' },
        errors: ['not_found'],
      }),
    });
}

function issueLink(resets: PasswordResets, user: string) {
  const { token, expiresMs } = resets.issue(user);
  return { path: `/reset?token=${token}`, expiresAt: formatTime(expiresMs) };
}

const summarise = ({ name, role, isDisabled, email }: UserRecord) => ({ name, role, isDisabled, email });

interface UserPatch {
  revision: number;
  name?: string;
  role?: string;
  email?: string;
  isDisabled?: boolean;
}

/** One change, so that each has its revision, and none is left half done. @throws AppError invalid, conflict */
function change(users: Users, id: string, patch: UserPatch, by: string): UserRecord {
  const { revision, name, role, email, isDisabled } = patch;
  const how: Change = { by, revision };
  const changes = [
    ...(name === undefined ? [] : [() => users.rename(id, name, how)]),
    ...(role === undefined ? [] : [() => users.setRole(id, readRole(role), how)]),
    ...(email === undefined ? [] : [() => users.setEmail(id, email, how)]),
    ...(isDisabled === undefined ? [] : [() => (isDisabled ? users.disable(id, how) : users.enable(id, how))]),
  ];
  const [only] = changes;
  if (only && changes.length === 1) return only();
  throw new AppError(
    'invalid',
    'Send `name`, `role`, `email` or `isDisabled`: one of them.',
    'Send the others after it.',
  );
}
