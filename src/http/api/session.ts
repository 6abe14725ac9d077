// Routes for sessions: sign in, who am I, sign out; and the list of sessions, each of which can be ended.
import { Elysia } from 'elysia';

import { mayDo } from '../../access/actor.ts';
import type { SessionRecord, SignInWay } from '../../access/sessions.ts';
import type { UserRecord } from '../../access/user-record.ts';
import { AppError } from '../../error.ts';
import { type Asker, deviceCookieText, endedCookieText, findDevice, sessionCookieText } from '../gate.ts';
import { answerOnce, done, formatTime, readSmallJson, userOf } from './access-request.ts';
import { sessionsQuery, signInBody } from './access-schemas.ts';
import { type ApiContext, describe } from './context.ts';
import { viewUser } from './users.ts';

export function sessionRoutes(context: ApiContext) {
  const { control, limits, note } = context;
  return new Elysia({ normalize: false })
    .get('/api/v1/session', ({ request }) => answerOnce(viewAsker(context, context.asker(request))), {
      detail: describe({
        id: 'getSession',
        action: 'public',
        tag: 'Access',
        summary: 'Who is asking',
        answer: { schema: 'Asker' },
      }),
    })
    .post(
      '/api/v1/session',
      async ({ request, body: { name, password } }) => {
        const { address } = context.asker(request);
        const user = await control.access.signIn.withPassword({
          name,
          password,
          address,
          device: findDevice(request),
        });
        return openSession(context, request, user, 'password');
      },
      {
        parse: ({ request }) => readSmallJson(request, limits),
        body: signInBody,
        detail: describe({
          id: 'signIn',
          action: 'public',
          tag: 'Access',
          summary: 'Sign in',
          description:
            'The answer sets the cookie of the session. Send its `csrfToken` as `X-CSRF-Token` with everything but GET. ' +
            'After failures there is a wait, which grows. Programs use an API key instead.',
          answer: { status: 201, schema: 'OpenedSession' },
          errors: ['invalid', 'unauthenticated', 'forbidden', 'throttled'],
        }),
      },
    )
    .delete(
      '/api/v1/session',
      ({ request }) => {
        const { session } = context.asker(request);
        if (session) control.access.sessions.revoke(session.session.id);
        return done(endedCookieText());
      },
      { detail: describe({ id: 'signOut', action: 'account.own', tag: 'Access', summary: 'Sign out' }) },
    )
    .get('/api/v1/sessions', ({ request, query }) => listSessions(context, context.asker(request), query.user), {
      query: sessionsQuery,
      detail: describe({
        id: 'listSessions',
        action: 'account.own',
        tag: 'Access',
        summary: 'Where one is signed in; latest use first',
        answer: { schema: 'SessionList' },
        errors: ['forbidden'],
      }),
    })
    .delete(
      '/api/v1/sessions',
      ({ request }) => {
        const asker = context.asker(request);
        const { id, name } = userOf(asker);
        const ended = control.access.sessions.revokeAll(id, asker.session?.session.id);
        note(request, { target: name, after: { ended } });
        return { ended };
      },
      {
        detail: describe({
          id: 'endOtherSessions',
          action: 'account.own',
          tag: 'Access',
          summary: 'End all of your sessions but this one',
          answer: { schema: 'EndedSessions' },
        }),
      },
    )
    .delete(
      '/api/v1/sessions/:session',
      ({ request, params }) => {
        const asker = context.asker(request);
        const owner = mayManage(asker) ? undefined : userOf(asker).id;
        control.access.sessions.revoke(params.session, owner);
        return done(asker.session?.session.id === params.session ? endedCookieText() : undefined);
      },
      {
        detail: describe({
          id: 'endSession',
          action: 'account.own',
          tag: 'Access',
          summary: 'End a session: your own, or any if you manage users',
          errors: ['not_found'],
        }),
      },
    );
}

const mayManage = ({ actor }: Asker) => mayDo(actor, 'user.manage');

/** Signs a user in. @returns 201 with the cookies of the session and of the device */
export function openSession(
  { control, asker }: ApiContext,
  request: Request,
  user: UserRecord,
  way: SignInWay,
): Response {
  const { sessions, formTokens, origins } = control.access;
  const { address, isSecure } = asker(request);
  const agent = request.headers.get('user-agent') ?? '';
  const { token, session } = sessions.create(user.id, { address, agent, way, isSecure });
  const device = origins.remember(user.id, { address, device: findDevice(request) });
  const { mustChangePassword } = user;
  const answer = { user: viewUser(user), csrfToken: formTokens.issue(session.id), mustChangePassword };
  const response = answerOnce(answer, 201, sessionCookieText(token, isSecure));
  response.headers.append('set-cookie', deviceCookieText(device, isSecure));
  return response;
}

function viewAsker({ control }: ApiContext, { actor, session }: Asker) {
  const { users, formTokens } = control.access;
  switch (actor.kind) {
    case 'nobody':
      return { kind: actor.kind, name: '' };
    case 'user': {
      const { language, theme } = users.get(actor.id);
      const csrfToken = session && formTokens.issue(session.session.id);
      return { ...actor, language, theme, csrfToken, mustChangePassword: session?.mustChangePassword };
    }
    case 'key': {
      const { kind, id, name, scope } = actor;
      return { kind, id, name, scope };
    }
    default:
      return actor;
  }
}

/** @throws AppError forbidden for the sessions of others, unless one manages users */
function listSessions({ control: { access } }: ApiContext, asker: Asker, whose?: string) {
  const { actor, session: current } = asker;
  // The terminal of the server has none of its own.
  const user = whose ?? (actor.kind === 'user' ? actor.id : 'all');
  if (!mayManage(asker) && user !== userOf(asker).id) {
    throw new AppError('forbidden', 'These are the sessions of others.', 'Leave `user` out to see your own.');
  }
  const view = ({ createdMs, seenMs, ...session }: SessionRecord) => ({
    ...session,
    userName: access.users.find(session.user)?.name ?? '',
    createdAt: formatTime(createdMs),
    seenAt: formatTime(seenMs),
    isCurrent: session.id === current?.session.id,
  });
  return { sessions: access.sessions.list(user === 'all' ? undefined : user).map(view) };
}
