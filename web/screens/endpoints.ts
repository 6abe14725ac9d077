// The list of endpoints: what each serves, how far its rollout is and how much is asked of it.
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { meter } from '../parts/meter.ts';
import { emptyState } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { table } from '../parts/table.ts';
import type { Endpoint, EndpointsView, Release } from '../release-views.ts';
import type { Frame } from '../view-types.ts';
import { trafficTexts } from './overview.ts';
import { endpointPath, releaseChip, versionLink, versionName } from './releases.ts';

export function endpointsScreen(frame: Frame, { rows }: EndpointsView): Html {
  const { t, viewer } = frame;
  const ask =
    viewer?.may('release.request') &&
    button({ label: t('release.new'), icon: 'plus', kind: 'primary', href: '/admin/releases/new' });
  return page(frame, {
    title: t('endpoints.title'),
    lead: t('endpoints.lead'),
    actions: rows.length > 0 ? html`${ask}` : undefined,
    live: rows.length > 0 ? '/admin/live?topics=endpoints' : undefined,
    body: table<EndpointsView['rows'][number]>({
      caption: t('endpoints.title'),
      rows,
      empty: emptyState({
        icon: 'endpoint',
        title: t('endpoints.empty'),
        text: t('endpoints.emptyWhat'),
        action: ask || undefined,
      }),
      columns: [
        {
          label: t('endpoint.name'),
          role: 'main',
          cell: ({ endpoint: { name, hosts } }) =>
            html`<a href="${endpointPath(name)}">${name}</a
              >${hosts[0] !== undefined && html`<small>${hosts[0]}</small>`}`,
        },
        {
          label: t('environment.name'),
          cell: ({ endpoint }) => html`<span class="one-line">${t(`environment.${endpoint.environment}`)}</span>`,
        },
        {
          label: t('endpoint.live'),
          cell: ({ endpoint: { live } }) =>
            live ? versionLink(live.request) : html`<span class="quiet">${t('endpoint.nothingLive')}</span>`,
        },
        {
          label: t('endpoint.rollout'),
          cell: ({ endpoint }) =>
            html`<div data-live-key="endpoint:${endpoint.name}">${rolloutState(frame, endpoint)}</div>`,
        },
        {
          label: t('model.rate'),
          align: 'end',
          cell: ({ endpoint, now }) =>
            html`<span class="one-line" data-live-key="rate:${endpoint.name}"
              >${now ? trafficTexts(t, now).rate : t('value.none')}</span
            >`,
        },
        {
          label: t('side.p95'),
          align: 'end',
          cell: ({ endpoint, now }) =>
            html`<span class="one-line" data-live-key="p95:${endpoint.name}"
              >${now ? trafficTexts(t, now).p95 : t('value.none')}</span
            >`,
        },
      ],
    }),
  });
}

/** Of the callers that get its answers. */
export function shareOf({ stage }: Release): number {
  return stage?.kind === 'step' ? stage.percent / 100 : 0;
}

/** A bar of the callers that get the new version. */
export function rolloutState(frame: Frame, { live, rollout }: Endpoint): Html {
  const { t } = frame;
  if (!rollout) return live ? releaseChip(frame, live.state) : html`<span class="quiet">${t('value.none')}</span>`;
  const share = shareOf(rollout);
  const version = versionName(rollout.request);
  return html`<div class="rollout">
    ${meter({ label: t('endpoint.shareOf', { version }), value: share, text: t.percent(share), tone: 'accent' })}
    <small class="quiet">${version} · ${t(`plan.stage.${rollout.stage?.kind ?? 'starting'}`)}</small>
  </div>`;
}
