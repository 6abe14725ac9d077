// The frame of every screen: head, navigation by role, the bar above, messages; and the narrow page before sign-in.
import { assetUrl } from '../assets.ts';
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { icon } from '../icons.ts';
import type { Text } from '../text/text.ts';
import type { Frame } from '../view-types.ts';
import { accountMenu } from './account-menu.ts';
import { toolButton } from './button.ts';
import { jsonScript } from './json-script.ts';
import { navigation } from './navigation.ts';
import { notice } from './notice.ts';

export interface PageProps {
  title: string;
  /** A sentence below the title. */
  lead?: string | Html;
  /** The way here, outermost first, without this page. */
  trail?: { label: string; href: string }[];
  /** Beside the title: a chip that says how it is. */
  state?: Html;
  /** Buttons at the right of the title. */
  actions?: Html;
  body: Html | Html[];
  /** Address of this page's one event stream, e.g. "/admin/live?topics=devices". */
  live?: string;
}

/** A screen for somebody who is signed in. */
export function page(frame: Frame, props: PageProps): Html {
  const { t } = frame;
  const { title, lead, trail = [], state, actions, body, live } = props;
  return shell(
    frame,
    title,
    html`<div class="app" ${attributes({ 'data-live': live })}>
      ${navigation(frame)}
      <header class="bar">
        ${toolButton({ icon: 'menu', label: t('page.menu'), attributes: { popovertarget: 'navigation' }, class: 'menu-button' })}
        <nav class="trail" aria-label="${t('page.trail')}">
          <ol>
            ${trail.map(({ label, href }) => html`<li><a href="${href}">${label}</a></li>`)}
            <li><span aria-current="page">${title}</span></li>
          </ol>
        </nav>
        ${live !== undefined && liveSign(frame)} ${bell(frame)} ${accountMenu(frame)}
      </header>
      <main id="main" tabindex="-1">
        <div class="head">
          <div>
            <h1>${title} ${state}</h1>
            ${lead && html`<p>${lead}</p>`}
          </div>
          ${actions && html`<div class="actions">${actions}</div>`}
        </div>
        ${frame.flash && notice(frame.flash)} ${body}
      </main>
    </div>`,
  );
}

/** A page without navigation: set-up, sign-in, an error for somebody who is not signed in. */
export function narrowPage(frame: Frame, props: Pick<PageProps, 'title' | 'lead' | 'body'>): Html {
  const { title, lead, body } = props;
  return shell(
    frame,
    title,
    html`<main id="main" class="narrow" tabindex="-1">
      <div class="brand"><img src="${assetUrl('mark.svg')}" alt="" width="28" height="28" />${frame.t('brand')}</div>
      <section class="card">
        <h1>${title}</h1>
        ${lead && html`<p class="lead">${lead}</p>`} ${frame.flash && notice(frame.flash)} ${body}
      </section>
      <div class="narrow-foot">${accountMenu(frame)}</div>
    </main>`,
  );
}

function shell(frame: Frame, title: string, body: Html): Html {
  const { t, theme, csrf } = frame;
  return html`<!doctype html>
    <html lang="${t.tag}" ${attributes({ 'data-theme': theme === 'system' ? undefined : theme })}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="csrf" content="${csrf}" />
        <meta name="htmx-config" content="${htmxConfig}" />
        <title>${t('page.title', { title })}</title>
        <link rel="icon" href="${assetUrl('mark.svg')}" type="image/svg+xml" />
        <link rel="stylesheet" href="${assetUrl('admin.css')}" />
        <script src="${assetUrl('htmx.js')}" defer></script>
        ${scriptsFor(body).map((name) => html`<script type="module" src="${assetUrl(name)}"></script>`)}
      </head>
      <body>
        <a class="skip" href="#main">${t('page.skip')}</a>
        ${body}
        <div id="toasts" class="toasts" role="log" aria-label="${t('page.messages')}"></div>
        ${jsonScript('client-text', clientText(frame))}
      </body>
    </html>`;
}

/** Elements of a part that only few pages have come with the page, not later. */
function scriptsFor({ text }: Html): string[] {
  const rare = { 'upload.js': '<am-upload', 'picture.js': '<am-picture' } as const;
  const needed = Object.entries(rare).filter(([, element]) => text.includes(element));
  return ['admin.js', 'chart.js', ...needed.map(([name]) => name)];
}

/** Nothing that needs eval, no style of its own; a failed request leaves the page as it is and shows a toast. */
const htmxConfig = JSON.stringify({
  includeIndicatorCSS: false,
  history: 'reload',
  noSwap: [204, 304, '401', '403', '404', '5xx'],
});

/** Leads to the inbox and says how much of it is not read; moves with the page's stream, if it has one. */
function bell({ t, viewer, path }: Frame): Html | undefined {
  if (!viewer?.may('account.own')) return undefined;
  const isHere = path.split('?')[0] === '/admin/inbox';
  return html`<a
    class="tool bell"
    href="/admin/inbox"
    title="${t('inbox.title')}"
    ${attributes({ 'aria-current': isHere && 'page' })}
    >${icon('bell')}<span class="unseen">${t('inbox.title')}</span
    ><span class="badge" data-live-key="inbox.unread">${unreadText(t, viewer.unread ?? 0)}</span></a
  >`;
}

/** "" for none, so that nothing is shown. */
export function unreadText(t: Text, unread: number): string {
  if (unread === 0) return '';
  return unread > 99 ? `${t.number(99)}+` : t.number(unread);
}

function liveSign({ t }: Frame): Html {
  return html`<p class="live" id="live-sign" role="status" data-state="on">
    <span class="live-on">${t('page.live')}</span>
    <span class="live-off">${t('page.reconnecting')}</span>
  </p>`;
}

/** What scripts say; `{name}` is filled in by them. */
function clientText({ t }: Frame): Record<string, string> {
  return {
    locale: t.tag,
    copied: t('do.copied'),
    close: t('do.close'),
    noData: t('chart.none'),
    waiting: t('upload.waiting'),
    sending: t('upload.sending', { received: '{received}', total: '{total}' }),
    paused: t('upload.paused'),
    retrying: t('upload.retrying'),
    done: t('upload.done'),
    gone: t('upload.gone'),
    pause: t('upload.pause', { name: '{name}' }),
    resume: t('upload.resume', { name: '{name}' }),
    remove: t('upload.remove', { name: '{name}' }),
    unreadable: t('picture.unreadable'),
    requestFailed: t('problem.request', { status: '{status}' }),
    noNetwork: t('problem.network'),
  };
}
