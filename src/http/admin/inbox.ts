// The pages about what one is told: the inbox, and one's account with the address that mail goes to.
import { accountScreen } from '../../../web/screens/account-settings.ts';
import { inboxScreen } from '../../../web/screens/inbox.ts';
import type { FormState } from '../../../web/view-types.ts';
import { checkEmail } from '../../access/email.ts';
import { AppError } from '../../error.ts';
import type { AdminContext } from './context.ts';
import { empty, stateOf, withError } from './entry.ts';
import { pageSize, readPageNumber } from './paging.ts';
import { type AdminRoute, ownPath, retry, seeOther, userOf, type Visit } from './visit.ts';

export function inboxRoutes(context: AdminContext): AdminRoute[] {
  return [...readingRoutes(context), ...accountRoutes(context)];
}

function readingRoutes({ control: { notifier } }: AdminContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/inbox',
      action: 'account.own',
      operation: 'listInbox',
      answer(visit) {
        const { frame, url } = visit;
        const { id } = userOf(visit);
        const wanted = readPageNumber(url);
        let { entries, all } = notifier.inboxPage(id, { offset: (wanted - 1) * pageSize, limit: pageSize });
        const number = Math.min(wanted, Math.max(1, Math.ceil(all / pageSize)));
        if (number !== wanted) {
          ({ entries, all } = notifier.inboxPage(id, { offset: (number - 1) * pageSize, limit: pageSize }));
        }
        return inboxScreen(frame, {
          rows: entries.map(({ title, text, ...entry }) => ({
            ...entry,
            title: title[frame.t.language],
            text: text[frame.t.language],
          })),
          unread: notifier.unreadCount(id),
          page: { number, size: pageSize, total: all },
        });
      },
    },
    {
      method: 'POST',
      path: '/admin/inbox/read',
      action: 'account.own',
      operation: 'markInboxRead',
      leavesNoTrace: true,
      answer(visit) {
        const id = visit.form.get('id');
        notifier.markRead(userOf(visit).id, id === undefined ? 'all' : [Number(id)]);
        return seeOther('/admin/inbox');
      },
    },
    {
      // To follow a link is to have read what it is about, so that this one changes something without being a form.
      method: 'GET',
      path: '/admin/inbox/:id',
      action: 'account.own',
      operation: 'listInbox',
      answer(visit) {
        const { id } = userOf(visit);
        const entry = notifier.findInInbox(id, Number(visit.params.id));
        if (!entry) throw new AppError('not_found', 'There is no such entry in your inbox.');
        if (visit.request.method === 'GET') notifier.markRead(id, [entry.id]);
        return seeOther(ownPath(entry.path, '/admin'));
      },
    },
  ];
}

function accountRoutes(context: AdminContext): AdminRoute[] {
  const { users } = context.access;
  return [
    {
      method: 'GET',
      path: '/admin/account',
      action: 'account.own',
      answer: (visit) => accountPage(context, visit, empty),
    },
    {
      method: 'POST',
      path: '/admin/account',
      action: 'account.own',
      operation: 'setPreferences',
      answer(visit) {
        const { form, frame, note } = visit;
        const { id, name } = userOf(visit);
        const state = stateOf(form, ['email', 'mailMe']);
        try {
          const chosen = { email: readEmail(form, state) ?? null, mailMe: form.get('mailMe') === 'on' };
          note({ target: name, after: chosen });
          users.setPreferences(id, chosen);
          return seeOther('/admin/account', { tone: 'good', text: frame.t('account.saved') });
        } catch (error) {
          return retry(accountPage(context, visit, withError(state, error)));
        }
      },
    },
  ];
}

function accountPage({ access, control }: AdminContext, visit: Visit, form: FormState) {
  const { name, role, email, mailMe } = access.users.get(userOf(visit).id);
  const isMailOn = control.notifier.channels.mail;
  return accountScreen(visit.frame, { name, role, mailMe, isMailOn, form, ...(email !== null && { email }) });
}

/** What is wrong with it is said at the field. @returns undefined for none. @throws AppError invalid */
export function readEmail(form: ReadonlyMap<string, string>, state: FormState): string | undefined {
  try {
    return checkEmail(form.get('email') ?? '');
  } catch (error) {
    if (error instanceof AppError) state.errors.email = `${error.message} ${error.hint ?? ''}`.trim();
    throw error;
  }
}
