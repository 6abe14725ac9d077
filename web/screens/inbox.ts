// One's own inbox: what is not read first, each with a link to its page.
import { address } from '../address.ts';
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import type { InboxRow, InboxView, ShownKind } from '../notify-views.ts';
import { button, toolButton } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { hiddenFields } from '../parts/form.ts';
import { emptyState } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { pagination } from '../parts/table.ts';
import { card } from '../parts/tabs.ts';
import { moment } from '../parts/text-block.ts';
import type { Frame, Tone } from '../view-types.ts';

export const kindTones: Record<ShownKind, Tone> = {
  'release.submitted': 'info',
  'release.changes-asked': 'warn',
  'release.approved': 'good',
  'release.rejected': 'bad',
  'release.live': 'good',
  'release.rolled-back': 'warn',
  'release.failed': 'bad',
  'release.commented': 'idle',
  'notification.test': 'idle',
};

/** Posts `id`, or nothing for all, to `/admin/inbox/read`; `/admin/inbox/ID` leads to the page of an entry and marks it as read. */
export function inboxScreen(frame: Frame, { rows, unread, page: at }: InboxView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('inbox.title'),
    lead: t('inbox.lead'),
    actions:
      unread > 0
        ? html`<form method="post" action="/admin/inbox/read">
            ${hiddenFields({ csrf: frame.csrf })} ${button({ label: t('inbox.readAll'), icon: 'check', submit: true })}
          </form>`
        : undefined,
    live: '/admin/live?topics=inbox',
    body: [
      rows.length === 0
        ? emptyState({ icon: 'bell', title: t('inbox.none'), text: t('inbox.noneWhat') })
        : card({
            flush: true,
            body: html`<ul class="inbox" aria-label="${t('inbox.list')}">
              ${rows.map((row) => entry(frame, row))}
            </ul>`,
          }),
      html`${pagination(t, at, (number) => address('/admin/inbox', { page: number }))}`,
    ],
  });
}

function entry(frame: Frame, { id, atMs, kind, title, text, isRead }: InboxRow): Html {
  const { t, csrf } = frame;
  return html`<li${attributes({ class: isRead ? undefined : 'unread' })}>
    <div>
      <p class="inbox-title">
        ${!isRead && html`<span class="unseen">${t('inbox.unread')}: </span>`}<a href="/admin/inbox/${id}">${title}</a>
      </p>
      ${text && html`<p>${text}</p>`}
      <p class="inbox-foot">${chip({ tone: kindTones[kind], label: t(`event.${kind}`) })} ${moment(frame, atMs)}</p>
    </div>
    ${
      !isRead &&
      html`<form method="post" action="/admin/inbox/read">
        ${hiddenFields({ csrf, id })} ${toolButton({ icon: 'check', label: t('inbox.read'), submit: true })}
      </form>`
    }
  </li>`;
}
