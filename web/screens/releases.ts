// The list of releases, and what the screens of going live have in common: addresses, states and names.
import { address } from '../address.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { field, select } from '../parts/form.ts';
import { emptyState } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { filterForm, logPages, table } from '../parts/table.ts';
import { card } from '../parts/tabs.ts';
import { moment } from '../parts/text-block.ts';
import type { EnvironmentName, Release, ReleaseState, ReleasesView } from '../release-views.ts';
import type { Frame, Tone } from '../view-types.ts';

const tones: Record<ReleaseState, Tone> = {
  draft: 'idle',
  submitted: 'info',
  'changes-asked': 'warn',
  rejected: 'bad',
  withdrawn: 'idle',
  approved: 'info',
  'rolling-out': 'info',
  live: 'good',
  superseded: 'idle',
  'rolled-back': 'bad',
  failed: 'bad',
};

const environments: Record<EnvironmentName, EnvironmentName> = { staging: 'staging', production: 'production' };
export const environmentNames = Object.keys(environments) as EnvironmentName[];

export function releaseChip({ t }: Frame, state: ReleaseState): Html {
  const busy = state === 'rolling-out';
  return chip({
    tone: tones[state],
    label: t(`release.state.${state}`),
    busy,
    title: t(`release.state.${state}.what`),
  });
}

/** @param more after the release's own address, e.g. "/edit" */
export function releasePath(id: number, more = ''): string {
  return `/admin/releases/${id}${more}`;
}

/** @param more after the endpoint's own address, e.g. "/rollback" */
export function endpointPath(name: string, more = ''): string {
  return `/admin/endpoints/${encodeURIComponent(name)}${more}`;
}

export function versionName({ model, version }: { model: string; version: number }): string {
  return `${model}:${version}`;
}

export function versionLink({ model, version }: { model: string; version: number }): Html {
  const href = `/admin/models/${encodeURIComponent(model)}/versions/${version}`;
  return html`<a href="${href}">${versionName({ model, version })}</a>`;
}

/** Takes state, endpoint, environment and before. */
export function releasesScreen(frame: Frame, view: ReleasesView): Html {
  const { t, viewer } = frame;
  const { rows, waiting, filter, before, isFirstPage } = view;
  const path = '/admin/releases';
  const isFiltered = Object.values(filter).some((value) => value !== '');
  const isEmpty = rows.length === 0 && !isFiltered && isFirstPage;
  const ask =
    viewer?.may('release.request') &&
    button({ label: t('release.new'), icon: 'plus', kind: 'primary', href: `${path}/new` });
  const none = isEmpty
    ? emptyState({
        icon: 'release',
        title: t('releases.empty'),
        text: t('releases.emptyWhat'),
        action: ask || undefined,
      })
    : emptyState({ icon: 'search', title: t('releases.none') });
  return page(frame, {
    title: t('releases.title'),
    lead: t('releases.lead'),
    actions: isEmpty ? undefined : html`${ask}`,
    body: html`${waiting.length > 0 && waitingCard(frame, waiting)} ${!isEmpty && releaseFilter(frame, filter)}
    ${releaseTable(frame, rows, none)}
    ${logPages(t, {
      newest: isFirstPage ? undefined : address(path, filter),
      older: before === undefined ? undefined : address(path, { ...filter, before }),
    })}`,
  });
}

function waitingCard(frame: Frame, waiting: Release[]): Html {
  const { t } = frame;
  return card({
    title: t('releases.waiting', { count: waiting.length }),
    body: html`<ul class="waiting">
      ${waiting.map(
        (release) =>
          html`<li>
            <div>
              <p><b>${titleOf(frame, release)}</b> <span class="quiet">${requestedBy(frame, release)}</span></p>
              ${release.request.statement !== '' && html`<p class="quiet clipped">${release.request.statement}</p>`}
            </div>
            ${button({ label: t('release.review'), kind: 'primary', href: releasePath(release.id) })}
          </li>`,
      )}
    </ul>`,
  });
}

/** What goes where, e.g. "faces:4 → faces-live (production)". */
export function titleOf({ t }: Frame, { request }: Release): string {
  const { endpoint, environment } = request;
  return t('release.title', { version: versionName(request), endpoint, environment: t(`environment.${environment}`) });
}

function requestedBy(frame: Frame, { requester, submittedMs, createdMs }: Release): Html {
  return html`${requester.name} · ${moment(frame, submittedMs ?? createdMs)}`;
}

function releaseFilter(frame: Frame, filter: ReleasesView['filter']): Html {
  const { t } = frame;
  const state = { values: filter, errors: {} };
  const any = { value: '', label: t('filter.any') };
  return filterForm(t, {
    action: '/admin/releases',
    fields: [
      select(frame, {
        name: 'state',
        label: t('release.state'),
        state,
        options: [
          any,
          ...(Object.keys(tones) as ReleaseState[]).map((value) => ({ value, label: t(`release.state.${value}`) })),
        ],
      }),
      select(frame, {
        name: 'environment',
        label: t('environment.name'),
        state,
        options: [any, ...environmentNames.map((value) => ({ value, label: t(`environment.${value}`) }))],
      }),
      field(frame, { name: 'endpoint', label: t('endpoint.name'), state, attributes: { autocomplete: 'off' } }),
    ],
  });
}

function releaseTable(frame: Frame, rows: Release[], empty: Html): Html {
  const { t } = frame;
  return table<Release>({
    caption: t('releases.title'),
    rows,
    empty,
    columns: [
      {
        label: t('release.name'),
        role: 'main',
        cell: ({ id, request }) =>
          html`<a href="${releasePath(id)}">${versionName(request)} → ${request.endpoint}</a>
            <small>${t('release.number', { id: String(id) })}</small>`,
      },
      {
        label: t('environment.name'),
        cell: ({ request }) => html`<span class="one-line">${t(`environment.${request.environment}`)}</span>`,
      },
      { label: t('release.state'), cell: ({ state }) => releaseChip(frame, state) },
      { label: t('release.requester'), cell: ({ requester }) => requester.name },
      {
        label: t('release.decidedBy'),
        cell: ({ decidedBy }) => decidedBy ?? html`<span class="quiet">${t('value.none')}</span>`,
      },
      { label: t('release.changed'), cell: ({ changedMs }) => moment(frame, changedMs) },
    ],
  });
}
