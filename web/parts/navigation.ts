// The menu: which entries there are, who sees them and where they lead. A column at the left; on a phone a drawer, by the
// popover attribute alone.
import type { Action } from '../../src/access/roles.ts';
import { assetUrl } from '../assets.ts';
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { icon, type IconName } from '../icons.ts';
import type { TextKey } from '../text/text.ts';
import type { Frame } from '../view-types.ts';

interface Entry {
  label: TextKey & `nav.${string}`;
  href: string;
  icon: IconName;
  /** Absent: for everybody who is signed in. */
  action?: Action;
  /** Of what waits there for whoever looks. */
  count?(frame: Frame): number | undefined;
}

const groups: { label?: TextKey & `nav.${string}`; entries: Entry[] }[] = [
  {
    entries: [
      { label: 'nav.overview', href: '/admin', icon: 'overview' },
      { label: 'nav.models', href: '/admin/models', icon: 'models', action: 'model.read' },
      { label: 'nav.instances', href: '/admin/instances', icon: 'instances', action: 'instance.read' },
      { label: 'nav.devices', href: '/admin/devices', icon: 'devices', action: 'device.read' },
    ],
  },
  {
    label: 'nav.goLive',
    entries: [
      { label: 'nav.endpoints', href: '/admin/endpoints', icon: 'endpoint', action: 'endpoint.read' },
      {
        label: 'nav.releases',
        href: '/admin/releases',
        icon: 'release',
        action: 'release.read',
        count: ({ waiting }) => waiting,
      },
      { label: 'nav.environments', href: '/admin/environments', icon: 'environment', action: 'environment.read' },
    ],
  },
  {
    label: 'nav.access',
    entries: [
      { label: 'nav.users', href: '/admin/users', icon: 'users', action: 'user.read' },
      { label: 'nav.keys', href: '/admin/keys', icon: 'key', action: 'key.own' },
      { label: 'nav.audit', href: '/admin/audit', icon: 'audit', action: 'audit.read' },
      { label: 'nav.signIns', href: '/admin/sign-ins', icon: 'door', action: 'sign-on.read' },
    ],
  },
  {
    label: 'nav.system',
    entries: [
      { label: 'nav.notifications', href: '/admin/notifications', icon: 'bell', action: 'notification.manage' },
      { label: 'nav.settings', href: '/admin/settings', icon: 'settings', action: 'settings.read' },
      { label: 'nav.docs', href: '/docs', icon: 'book' },
      { label: 'nav.about', href: '/admin/about', icon: 'about' },
    ],
  },
];

export function navigation(frame: Frame): Html {
  const { t, viewer, version } = frame;
  const shown = groups
    .map((group) => ({ ...group, entries: group.entries.filter(({ action }) => !action || viewer?.may(action)) }))
    .filter(({ entries }) => entries.length > 0);
  return html`<nav class="side" id="navigation" popover aria-label="${t('page.navigation')}">
    <a class="brand" href="/admin">
      <img src="${assetUrl('mark.svg')}" alt="" width="24" height="24" />${t('brand')}
    </a>
    ${shown.map(
      ({ label, entries }) =>
        html`${label && html`<h2>${t(label)}</h2>`}
          <ul>
            ${entries.map((entry) => navigationLink(frame, entry))}
          </ul>`,
    )}
    <p class="side-foot">${t('page.version', { version })}</p>
  </nav>`;
}

function navigationLink(frame: Frame, { label, href, icon: name, count }: Entry): Html {
  const { t, path } = frame;
  const waiting = count?.(frame) ?? 0;
  const here = path.split('?')[0]!;
  const isHere = here === href || (href !== '/admin' && here.startsWith(`${href}/`));
  return html`<li>
    <a href="${href}" ${attributes({ 'aria-current': isHere && 'page' })}
      >${icon(name)}${t(label)}${
        waiting > 0 &&
        html`<span class="count" title="${t('menu.waiting', { count: waiting })}">${t.number(waiting)}</span>`
      }</a
    >
  </li>`;
}
