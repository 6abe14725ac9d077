// The list of models, and what the pages of one model have in common: its head, its tabs and its states.
import { address } from '../address.ts';
import { type Html, html } from '../html.ts';
import type { ModelHead, ModelRow, ModelState, ModelsView } from '../model-views.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { emptyState } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { pagination, searchField, table } from '../parts/table.ts';
import { tabs } from '../parts/tabs.ts';
import type { Frame, Tone } from '../view-types.ts';

const tones: Record<ModelState, Tone> = {
  ready: 'good',
  cold: 'info',
  starting: 'info',
  unloading: 'warn',
  failed: 'bad',
  unloaded: 'idle',
};

export function stateChip({ t }: Frame, state: ModelState): Html {
  const busy = state === 'starting' || state === 'unloading';
  return chip({ tone: tones[state], label: t(`model.state.${state}`), busy, title: t(`model.state.${state}.what`) });
}

/** @param more after the model's own address, e.g. "/versions" */
export function modelPath(name: string, more = ''): string {
  return `/admin/models/${encodeURIComponent(name)}${more}`;
}

export function modelsScreen(frame: Frame, { models, search, page: at, isEmpty }: ModelsView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('models.title'),
    lead: t('models.lead'),
    actions: isEmpty ? undefined : additions(frame),
    live: isEmpty ? undefined : '/admin/live?topics=traffic,instances',
    body: isEmpty
      ? emptyState({ icon: 'models', title: t('models.empty'), text: t('models.emptyWhat'), action: additions(frame) })
      : [
          searchField(t, { action: '/admin/models', label: t('models.search'), value: search, target: 'models' }),
          html`<div class="stack" id="models">
            ${modelTable(frame, models)}
            ${pagination(t, at, (number) => address('/admin/models', { q: search, page: number }))}
          </div>`,
        ],
  });
}

function additions({ t, viewer }: Frame): Html {
  return html`<span class="actions">
    ${viewer?.may('template.read') && button({ label: t('models.fromTemplate'), icon: 'book', href: '/admin/templates' })}
    ${
      viewer?.may('model.write') &&
      button({ label: t('models.upload'), icon: 'upload', kind: 'primary', href: '/admin/upload' })
    }
  </span>`;
}

function modelTable(frame: Frame, rows: ModelRow[]): Html {
  const { t } = frame;
  return table<ModelRow>({
    caption: t('models.title'),
    rows,
    empty: emptyState({ icon: 'search', title: t('models.none') }),
    columns: [
      {
        label: t('model.name'),
        role: 'main',
        cell: ({ name, task }) => html`<a href="${modelPath(name)}">${name}</a><small>${t(`task.${task}`)}</small>`,
      },
      { label: t('model.state'), cell: ({ state }) => stateChip(frame, state) },
      {
        label: t('model.current'),
        align: 'end',
        cell: ({ current, versions }) =>
          html`<span>${current ?? t('value.none')} <span class="quiet">/ ${t.number(versions)}</span></span>`,
      },
      {
        label: t('model.size'),
        align: 'end',
        cell: ({ bytes }) => html`<span class="one-line">${t.bytes(bytes)}</span>`,
      },
      {
        label: t('model.rate'),
        align: 'end',
        cell: ({ requestsPerSecond, name }) =>
          html`<span data-live-key="rate:${name}"
            >${requestsPerSecond === undefined ? t('value.none') : t.number(requestsPerSecond, 1)}</span
          >`,
      },
      { label: t('model.where'), cell: ({ devices }) => devices.join(', ') || t('value.none') },
      {
        label: t('model.licence'),
        cell: ({ licence }) => licence ?? html`<span class="quiet">${t('model.noLicence')}</span>`,
      },
    ],
  });
}

export type ModelTab = '' | '/versions' | '/call' | '/try' | '/logs';

/** Above the content of each page of a model. */
export function modelTabs({ t, viewer }: Frame, { name, versions }: ModelHead, current: ModelTab): Html {
  const entry = (tab: ModelTab, label: string, count?: number) => ({ label, href: modelPath(name, tab), count });
  return tabs(
    t,
    name,
    [
      entry('', t('model.overview')),
      entry('/versions', t('model.versions'), versions),
      ...(viewer?.may('model.predict') ? [entry('/try', t('model.try'))] : []),
      entry('/call', t('model.call')),
      entry('/logs', t('model.logs')),
    ],
    modelPath(name, current),
  );
}

/** While something is on its way, the page looks again by itself. */
export function untilSettled({ path }: Frame, states: ModelState[]): Html | undefined {
  if (!states.includes('starting') && !states.includes('unloading')) return undefined;
  return html`<div hx-get="${path}" hx-trigger="every 2s" hx-select="main" hx-target="main" hx-swap="outerHTML"></div>`;
}
