// What is about oneself: a password chosen by a one-time link, and where one is signed in.
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { form, hiddenFields } from '../parts/form.ts';
import { emptyState } from '../parts/notice.ts';
import { narrowPage, page } from '../parts/page.ts';
import { table } from '../parts/table.ts';
import { card } from '../parts/tabs.ts';
import { moment } from '../parts/text-block.ts';
import type { Frame, ResetView, SessionRow } from '../view-types.ts';
import { newPasswordFields } from './entry.ts';

/** Posts token, password and again to `/reset`. */
export function resetScreen(frame: Frame, { token, name, form: state }: ResetView): Html {
  const { t } = frame;
  if (name === undefined) {
    return narrowPage(frame, {
      title: t('reset.spent.title'),
      body: html`<p class="lead">${t('reset.spent.what')}</p>
        <div class="form">${button({ label: t('reset.toSignIn'), href: '/sign-in' })}</div>`,
    });
  }
  return narrowPage(frame, {
    title: t('reset.title'),
    lead: t('reset.lead', { name }),
    body: form(frame, {
      action: '/reset',
      state,
      submit: t('reset.do'),
      hidden: { token },
      fields: newPasswordFields(frame, state, t('password.new')),
    }),
  });
}

/** Posts `session`, or nothing for all others, to `/admin/sessions/end`. */
export function sessionsScreen(frame: Frame, sessions: SessionRow[]): Html {
  const { t } = frame;
  const action = '/admin/sessions/end';
  return page(frame, {
    title: t('sessions.title'),
    lead: t('sessions.lead'),
    actions: sessions.length > 1 ? endForm(frame, action, t('sessions.endOthers')) : undefined,
    body: sessionTable(frame, sessions, action),
  });
}

/** Somebody else's sessions: posts as `sessionsScreen` does, to `action`. */
export function sessionsCard(frame: Frame, sessions: SessionRow[], action: string): Html {
  const { t } = frame;
  return card({
    title: t('userForm.sessions'),
    actions: sessions.length > 1 ? endForm(frame, action, t('userForm.endSessions')) : undefined,
    flush: true,
    body: sessionTable(frame, sessions, action),
  });
}

function sessionTable(frame: Frame, sessions: SessionRow[], action: string): Html {
  const { t } = frame;
  return table<SessionRow>({
    caption: t('userForm.sessions'),
    rows: sessions,
    empty: emptyState({ icon: 'door', title: t('userForm.sessionsNone') }),
    columns: [
      {
        label: t('session.from'),
        role: 'main',
        cell: ({ from, isThis }) => html`${from} ${isThis && html`<span class="quiet">(${t('session.this')})</span>`}`,
      },
      { label: t('session.agent'), cell: ({ agent }) => agent },
      { label: t('session.since'), cell: ({ sinceMs }) => moment(frame, sinceMs) },
      { label: t('session.seen'), cell: ({ lastSeenMs }) => moment(frame, lastSeenMs) },
      { label: t('table.actions'), role: 'actions', cell: ({ id }) => endForm(frame, action, t('session.end'), id) },
    ],
  });
}

function endForm({ csrf }: Frame, action: string, label: string, session?: string): Html {
  return html`<form method="post" action="${action}">
    ${hiddenFields({ csrf, session })}${button({ label, submit: true })}
  </form>`;
}
