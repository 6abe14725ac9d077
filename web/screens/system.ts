// What the server is and runs with: settings and the about page.
import { type Html, html } from '../html.ts';
import { chip } from '../parts/chip.ts';
import { emptyState } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { searchField, table } from '../parts/table.ts';
import { card } from '../parts/tabs.ts';
import { keyValues } from '../parts/text-block.ts';
import type { AboutView, Frame, SettingRow, SettingsView } from '../view-types.ts';

export function settingsScreen(frame: Frame, { settings, search }: SettingsView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('settings.title'),
    lead: t('settings.lead'),
    body: [
      searchField(t, { action: '/admin/settings', label: t('settings.search'), value: search, target: 'settings' }),
      table<SettingRow>({
        id: 'settings',
        caption: t('settings.title'),
        rows: settings,
        empty: emptyState({ icon: 'settings', title: t('settings.none') }),
        columns: [
          {
            label: t('settings.name'),
            role: 'main',
            cell: ({ name, help }) => html`<code>${name}</code><small>${t.said(help)}</small>`,
          },
          { label: t('settings.value'), cell: ({ value }) => html`<code>${value || t('value.none')}</code>` },
          {
            label: t('settings.default'),
            cell: ({ defaultValue }) =>
              html`<code class="quiet">${defaultValue ? t.said(defaultValue) : t('value.none')}</code>`,
          },
          {
            label: t('settings.source'),
            cell: ({ source }) =>
              chip({ tone: source === 'default' ? 'idle' : 'info', label: t(`settings.source.${source}`) }),
          },
        ],
      }),
    ],
  });
}

export function aboutScreen(frame: Frame, { facts, parts }: AboutView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('about.title'),
    lead: t('about.lead'),
    body: [
      card({ title: t('about.product'), body: keyValues(facts) }),
      card({
        title: t('about.parts'),
        flush: true,
        body: table<AboutView['parts'][number]>({
          caption: t('about.parts'),
          rows: parts,
          empty: emptyState({ icon: 'about', title: t('table.none') }),
          columns: [
            { label: t('about.part'), role: 'main', cell: ({ name }) => name },
            {
              label: t('about.version'),
              cell: ({ version }) => (version ? html`<code>${version}</code>` : t('value.none')),
            },
            {
              label: t('about.licence'),
              cell: ({ licence, href }) => (href === undefined ? licence : html`<a href="${href}">${licence}</a>`),
            },
          ],
        }),
      }),
    ],
  });
}
