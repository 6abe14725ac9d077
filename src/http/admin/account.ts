// The pages about oneself that are not the way in: a password chosen by a one-time link, and one's own sessions.
import { resetScreen, sessionsScreen } from '../../../web/screens/account.ts';
import type { SessionRow } from '../../../web/view-types.ts';
import type { SessionRecord } from '../../access/sessions.ts';
import { type Asker, endedCookieText } from '../gate.ts';
import type { AdminContext } from './context.ts';
import { empty, requireSame, startSession, stateOf, withError } from './entry.ts';
import { type AdminRoute, retry, seeOther, userOf, type Visit } from './visit.ts';

export function accountRoutes(context: AdminContext): AdminRoute[] {
  return [...resetRoutes(context), ...sessionRoutes(context)];
}

function resetRoutes(context: AdminContext): AdminRoute[] {
  const { resets } = context.access;
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
      operation: 'completePasswordReset',
      async answer(visit) {
        const { form, frame } = visit;
        const token = form.get('token') ?? '';
        const state = stateOf(form, []);
        try {
          requireSame(form, state, frame.t('password.differs'));
          const { id, name, role } = await resets.complete(token, form.get('password') ?? '');
          visit.note({ actor: { kind: 'user', id, name, role }, target: name });
          return startSession(context, visit, { user: id, way: 'reset', path: '/admin' });
        } catch (error) {
          const name = resets.findUser(token)?.name;
          return retry(resetScreen(frame, { token, name, form: withError(state, error) }));
        }
      },
    },
  ];
}

/** @param user whose it must be. @throws AppError not_found */
export function endOne({ access }: AdminContext, visit: Visit, session: string, user: string): void {
  visit.note({ target: session });
  access.sessions.revoke(session, user);
}

/** All of the user's but this one, if it is hers. @returns how many */
export function endOthers(
  { access }: AdminContext,
  { asker, note }: Visit,
  { id, name }: { id: string; name: string },
): number {
  const ended = access.sessions.revokeAll(id, asker.session?.session.id);
  note({ operation: 'endOtherSessions', target: name, after: { ended } });
  return ended;
}

function sessionRoutes(context: AdminContext): AdminRoute[] {
  const { sessions } = context.access;
  return [
    {
      method: 'GET',
      path: '/admin/sessions',
      action: 'account.own',
      operation: 'listSessions',
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
        if (session !== undefined) endOne(context, visit, session, id);
        if (session === own) return seeOther('/sign-in', undefined, [endedCookieText()]);
        const count = session === undefined ? endOthers(context, visit, { id, name }) : 1;
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
