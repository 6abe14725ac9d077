// Users: the list, the form that makes and changes one, and the page that shows a one-time link.
import { address } from '../address.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { confirmButton } from '../parts/dialog.ts';
import { checkbox, choices, field, form, hiddenFields } from '../parts/form.ts';
import { emptyState, notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { pagination, searchField, table } from '../parts/table.ts';
import { card } from '../parts/tabs.ts';
import { codeBlock, moment } from '../parts/text-block.ts';
import type { Frame, Role, Tone, UserFormView, UserLinkView, UserRow, UsersView } from '../view-types.ts';
import { sessionsCard } from './account.ts';

const roles: Role[] = ['administrator', 'reviewer', 'owner', 'viewer'];
const stateTones: Record<UserRow['state'], Tone> = {
  enabled: 'good',
  disabled: 'idle',
  locked: 'warn',
  invited: 'warn',
  mustChange: 'warn',
};

export function usersScreen(frame: Frame, { users, search, page: at }: UsersView): Html {
  const { t, viewer } = frame;
  return page(frame, {
    title: t('users.title'),
    lead: t('users.lead'),
    actions: viewer?.may('user.manage')
      ? button({ label: t('users.add'), icon: 'plus', kind: 'primary', href: '/admin/users/new' })
      : undefined,
    body: [
      searchField(t, { action: '/admin/users', label: t('users.search'), value: search, target: 'users' }),
      html`<div class="stack" id="users">
        ${table<UserRow>({
          caption: t('users.title'),
          rows: users,
          empty: emptyState({ icon: 'users', title: t('users.none') }),
          columns: [
            {
              label: t('user.name'),
              role: 'main',
              cell: ({ id, name }) =>
                html`<a href="/admin/users/${encodeURIComponent(id)}">${name}</a>
                  ${name === viewer?.name && html`<span class="quiet">(${t('user.you')})</span>`}`,
            },
            { label: t('user.role'), cell: ({ role }) => t(`role.${role}`) },
            {
              label: t('user.state'),
              cell: ({ state }) => chip({ tone: stateTones[state], label: t(`user.${state}`) }),
            },
            { label: t('user.lastSeen'), cell: ({ lastSeenMs }) => moment(frame, lastSeenMs) },
            { label: t('user.created'), cell: ({ createdMs }) => t.date(createdMs) },
          ],
        })}
        ${pagination(t, at, (number) => address('/admin/users', { q: search, page: number }))}
      </div>`,
    ],
  });
}

/**
 * Posts name, role, email, and for a user who is there enabled and revision, to `/admin/users` or `/admin/users/ID`; below it
 * `/reset`, `/unlock`, `/remove` and `/sessions/end` (with `session`, or without for all).
 */
export function userFormScreen(frame: Frame, view: UserFormView): Html {
  const { t } = frame;
  const { user, stale } = view;
  const title = user ? t('userForm.edit', { name: user.name }) : t('userForm.new');
  return page(frame, {
    title,
    trail: [{ label: t('users.title'), href: '/admin/users' }],
    actions: user && dangers(frame, user),
    body: [
      ...(stale
        ? [
            notice({
              tone: 'warn',
              text: t('userForm.stale', { who: stale.who, when: t.relative(stale.atMs, frame.nowMs) }),
            }),
          ]
        : []),
      card({ body: userForm(frame, view) }),
      ...(user ? [sessionsCard(frame, view.sessions, `${pathOf(user)}/sessions/end`)] : []),
    ],
  });
}

function userForm(frame: Frame, { user, form: state }: UserFormView): Html {
  const { t } = frame;
  return form(frame, {
    action: user ? pathOf(user) : '/admin/users',
    state,
    submit: user ? t('do.save') : t('userForm.do'),
    cancel: '/admin/users',
    hidden: { revision: user?.revision },
    fields: [
      field(frame, {
        name: 'name',
        label: t('user.name'),
        state,
        value: user?.name,
        required: true,
        attributes: { autocomplete: 'off', spellcheck: 'false', maxlength: 100 },
      }),
      choices({
        name: 'role',
        label: t('user.role'),
        type: 'radio',
        state,
        chosen: [user?.role ?? 'viewer'],
        required: true,
        options: roles.map((value) => ({ value, label: t(`role.${value}`), hint: t(`userForm.role.${value}`) })),
      }),
      field(frame, {
        name: 'email',
        label: t('user.email'),
        hint: t('user.emailHint'),
        // Not "email": the server knows better which addresses there are on an intranet.
        state,
        value: user?.email,
        attributes: { autocomplete: 'off', spellcheck: 'false', maxlength: 254, inputmode: 'email' },
      }),
      user
        ? checkbox({
            name: 'enabled',
            label: t('userForm.enabled'),
            hint: t('userForm.enabledHint'),
            state,
            checked: user.state !== 'disabled',
          })
        : html`<p class="hint">${t('userForm.linkHint')}</p>`,
    ],
  });
}

function dangers(frame: Frame, user: UserRow): Html {
  const { t, csrf } = frame;
  const { name, state } = user;
  const reset = confirmButton(frame, {
    id: 'reset',
    label: t('userForm.reset'),
    icon: 'key',
    what: t('userForm.resetWhat', { name }),
    action: `${pathOf(user)}/reset`,
    harmless: true,
  });
  return html`${
    state === 'locked' &&
    html`<form method="post" action="${pathOf(user)}/unlock">
      ${hiddenFields({ csrf })}${button({ label: t('userForm.unlock'), icon: 'door', submit: true })}
    </form>`
  }
  ${state !== 'disabled' && reset}
  ${confirmButton(frame, {
    id: 'remove',
    label: t('userForm.remove'),
    icon: 'trash',
    kind: 'danger',
    what: t('userForm.removeWhat', { name }),
    action: `${pathOf(user)}/remove`,
    typed: name,
  })}`;
}

/** Never to be cached. */
export function userLinkScreen(frame: Frame, { userId, name, link, untilMs }: UserLinkView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('userLink.title'),
    trail: [
      { label: t('users.title'), href: '/admin/users' },
      { label: name, href: pathOf({ id: userId }) },
    ],
    body: html`${notice({ tone: 'warn', text: t('userLink.what', { name, until: t.time(untilMs) }) })}
      ${card({ title: name, body: codeBlock(t, { text: link }) })}
      <div class="actions">${button({ label: t('userLink.done'), kind: 'primary', href: '/admin/users' })}</div>`,
  });
}

function pathOf({ id }: Pick<UserRow, 'id'>): string {
  return `/admin/users/${encodeURIComponent(id)}`;
}
