// Routes for one's own inbox.
import { Elysia } from 'elysia';

import type { InboxEntry } from '../../notify/inbox.ts';
import { whole } from '../../setting-text.ts';
import { done, formatTime, readSmallJson, userOf } from './access-request.ts';
import { type ApiContext, describe } from './context.ts';
import { inboxQuery, readBody } from './notify-schemas.ts';

const readLimit = whole(1, 200);
const readNumber = whole(1, Number.MAX_SAFE_INTEGER);

const viewEntry = ({ atMs, ...entry }: InboxEntry) => ({ ...entry, at: formatTime(atMs) });

export function inboxRoutes({ control, limits, asker }: ApiContext) {
  const parse = ({ request }: { request: Request }) => readSmallJson(request, limits);
  return new Elysia({ normalize: false })
    .get(
      '/api/v1/inbox',
      ({ request, query: { unread, before, limit } }) => {
        const { id } = userOf(asker(request));
        const { notifier } = control;
        const entries = notifier.inbox(id, {
          isUnread: unread === 'true',
          ...(before !== undefined && { before: readNumber(before) }),
          ...(limit !== undefined && { limit: readLimit(limit) }),
        });
        return { unread: notifier.unreadCount(id), entries: entries.map(viewEntry) };
      },
      {
        query: inboxQuery,
        detail: describe({
          id: 'listInbox',
          action: 'account.own',
          tag: 'Notifications',
          summary: 'Your inbox, newest first',
          description: 'For those before them, ask again with the lowest `id` as `before`.',
          answer: { schema: 'Inbox' },
          errors: ['invalid'],
        }),
      },
    )
    .post(
      '/api/v1/inbox/read',
      ({ request, body: { ids } }) => {
        control.notifier.markRead(userOf(asker(request)).id, ids === '*' ? 'all' : ids);
        return done();
      },
      {
        parse,
        body: readBody,
        detail: describe({
          id: 'markInboxRead',
          action: 'account.own',
          tag: 'Notifications',
          summary: 'Mark entries of your inbox as read',
          errors: ['invalid'],
        }),
      },
    );
}
