// Who is signed in, the theme, the language and the way out. Each choice is a form: the server keeps it in a cookie.
import { type Html, html } from '../html.ts';
import { icon, type IconName } from '../icons.ts';
import { languages, languageTags } from '../text/text.ts';
import type { Frame, Theme } from '../view-types.ts';

const themes: [Theme, IconName][] = [
  ['system', 'screen'],
  ['light', 'sun'],
  ['dark', 'moon'],
];

/**
 * Posts to `/admin/preferences` (`theme` as system, light or dark, or `language` as en or zh-CN; and `back`), and to
 * `/admin/sign-out`.
 */
export function accountMenu(frame: Frame): Html {
  const { t, viewer, theme } = frame;
  return html`<button class="account-button" type="button" popovertarget="account" title="${t('me.menu')}">
      ${icon(viewer ? 'user' : 'globe')}
      <span>${viewer ? viewer.name : t(`me.language.${t.language}`)}</span>
      <span class="unseen">: ${t('me.menu')}</span>
      ${icon('down')}
    </button>
    <div class="account" id="account" popover>
      ${
        viewer &&
        html`<p class="who">
          <b>${viewer.name}</b>
          <span>${t(`role.${viewer.role}`)}</span>
        </p>`
      }
      ${choice(
        frame,
        'theme',
        t('me.theme'),
        theme,
        themes.map(([value, name]) => ({
          value,
          label: t(`me.theme.${value}`),
          content: icon(name),
        })),
      )}
      ${choice(
        frame,
        'language',
        t('me.language'),
        t.tag,
        languages.map((language) => ({ value: languageTags[language], label: t(`me.language.${language}`) })),
      )}
      ${
        viewer &&
        html`<ul class="menu">
          <li><a href="/admin/account">${icon('user')}${t('account.title')}</a></li>
          <li><a href="/admin/sessions">${icon('screen')}${t('sessions.title')}</a></li>
          <li><a href="/admin/password">${icon('key')}${t('me.password')}</a></li>
          <li>
            <form method="post" action="/admin/sign-out">
              <input type="hidden" name="csrf" value="${frame.csrf}" />
              <button type="submit">${icon('leave')}${t('me.signOut')}</button>
            </form>
          </li>
        </ul>`
      }
    </div>`;
}

interface Option {
  value: string;
  label: string;
  content?: Html;
}

function choice({ csrf, path }: Frame, name: string, label: string, chosen: string, options: Option[]): Html {
  return html`<form class="choice" method="post" action="/admin/preferences">
    <input type="hidden" name="csrf" value="${csrf}" />
    <input type="hidden" name="back" value="${path}" />
    <fieldset>
      <legend>${label}</legend>
      <div>
        ${options.map(
          ({ value, label, content }) =>
            html`<button
              name="${name}"
              value="${value}"
              aria-pressed="${value === chosen ? 'true' : 'false'}"
              title="${label}"
            >
              ${content}<span>${label}</span>
            </button>`,
        )}
      </div>
    </fieldset>
  </form>`;
}
