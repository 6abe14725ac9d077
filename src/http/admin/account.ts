// The pages about oneself that are not the way in: a password chosen by a one-time link, and one's own sessions.
import { resetScreen, sessionsScreen } from '../../../web/screens/account.ts';
import type { SessionRow } from '../../../web/view-types.ts';
import type { SessionRecord } from '../../access/sessions.ts';
import { type Asker, endedCookieText } from '../gate.ts';
import type { AdminContext } from './context.ts';
import { empty, requireSame, startSession, stateOf, withError } from './entry.ts';
import { type AdminRoute, retry, seeOther, userOf } from './visit.ts';

export function accountRoutes(context: AdminContext): AdminRoute[] {
  return [...resetRoutes(context), ...sessionRoutes(context)];
}

function resetRoutes(context: AdminContext): AdminRoute[] {
  const { resets, audit } = context.access;
  const operation = 'completePasswordReset';
  return [
    {
      method: 'GET',
      path: '/reset',
      action: 'public',
      answer({ frame, url }) {
        const token = url.searchParams.get('token') ?? '';
        return resetScreen(frame, { token, name: resets.findUser(token)?.name, form: empty });
      },
    },
    {
      method: 'POST',
      path: '/reset',
      action: 'public',
      operation,
      async answer(visit) {
        const { form, frame, asker, requestId } = visit;
        const token = form.get('token') ?? '';
        const state = stateOf(form, []);
        try {
          requireSame(form, state, frame.t('password.differs'));
          const { id, name, role } = await resets.complete(token, form.get('password') ?? '');
          visit.note({ target: name });
          if (asker.actor.kind === 'nobody') {
            audit.record({
              actor: { kind: 'user', id, name, role },
              action: operation,
              target: name,
              result: 'ok',
              from: asker.address,
              requestId,
            });
          }
          return startSession(context, visit, { user: id, way: 'reset', path: '/admin' });
        } catch (error) {
          const name = resets.findUser(token)?.name;
          return retry(resetScreen(frame, { token, name, form: withError(state, error) }));
        }
      },
    },
  ];
}

function sessionRoutes({ access: { sessions } }: AdminContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/sessions',
      action: 'account.own',
      answer: (visit) => sessionsScreen(visit.frame, sessionRows(sessions.list(userOf(visit).id), visit.asker)),
    },
    {
      method: 'POST',
      path: '/admin/sessions/end',
      action: 'account.own',
      operation: 'endSession',
      answer(visit) {
        const { form, frame, asker } = visit;
        const { id, name } = userOf(visit);
        const own = asker.session?.session.id;
        const session = form.get('session');
        visit.note({ target: name });
        if (session !== undefined) sessions.revoke(session, id);
        if (session === own) return seeOther('/sign-in', undefined, [endedCookieText()]);
        const count = session === undefined ? sessions.revokeAll(id, own) : 1;
        return seeOther('/admin/sessions', { tone: 'good', text: frame.t('sessions.ended', { count }) });
      },
    },
  ];
}

export function sessionRows(sessions: readonly SessionRecord[], { session }: Asker): SessionRow[] {
  return sessions.map(({ id, address, agent, createdMs, seenMs }) => ({
    id,
    from: address,
    agent,
    sinceMs: createdMs,
    lastSeenMs: seenMs,
    isThis: id === session?.session.id,
  }));
}
