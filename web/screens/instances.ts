// The processes that serve models: the list, and one with its log.
import { type Html, html } from '../html.ts';
import type { InstanceRow, InstancesView, InstanceView } from '../machine-views.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { confirmButton } from '../parts/dialog.ts';
import { emptyState } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { table } from '../parts/table.ts';
import { card, tabs } from '../parts/tabs.ts';
import { type KeyValue, keyValues, moment } from '../parts/text-block.ts';
import type { Text } from '../text/text.ts';
import type { Frame, Tone } from '../view-types.ts';
import { said } from './devices.ts';

const stateTones: Record<InstanceRow['state'], Tone> = {
  starting: 'info',
  ready: 'good',
  waiting: 'warn',
  failed: 'bad',
  stopped: 'idle',
};
const busy: ReadonlySet<InstanceRow['state']> = new Set<InstanceRow['state']>(['starting', 'waiting', 'stopped']);

export function instancesScreen(frame: Frame, { rows, seen }: InstancesView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('instances.title'),
    lead: t('instances.lead'),
    live: `/admin/live?topics=instances&seen=${seen}`,
    body: [
      instanceTabs(t, '/admin/instances'),
      html`<div data-live-key="instances">${instanceTable(frame, rows)}</div>`,
    ],
  });
}

/** Between the instances and what was decided about them. */
export function instanceTabs(t: Text, current: string): Html {
  const entries = [
    { label: t('instances.tab'), href: '/admin/instances' },
    { label: t('decisions.title'), href: '/admin/decisions' },
  ];
  return tabs(t, t('instances.views'), entries, current);
}

export function instanceTable(frame: Frame, rows: readonly InstanceRow[]): Html {
  const { t } = frame;
  const live = (key: keyof ReturnType<typeof instanceCells>) => (row: InstanceRow) =>
    html`<span data-live-key="instance.${row.id}.${key}">${instanceCells(frame, row)[key]}</span>`;
  return table<InstanceRow>({
    caption: t('instances.title'),
    rows,
    empty: emptyState({
      icon: 'instances',
      title: t('instances.none'),
      text: t('instances.noneWhat'),
      action: button({ label: t('instances.toModels'), href: '/admin/models' }),
    }),
    columns: [
      {
        label: t('instance.model'),
        role: 'main',
        cell: (row) =>
          html`<a href="/admin/instances/${encodeURIComponent(row.id)}">${row.model}:${row.version}</a>
            <small>${purposeOf(t, row)} · ${live('pid')(row)}</small>`,
      },
      {
        label: t('instance.where'),
        cell: ({ device, provider }) =>
          html`<span>${device.label} <small class="quiet one-line">${provider}</small></span>`,
      },
      { label: t('instance.state'), cell: live('state') },
      { label: t('instance.held'), align: 'end', cell: live('held') },
      { label: t('instance.rss'), align: 'end', cell: live('rss') },
      { label: t('instance.restarts'), align: 'end', cell: live('restarts') },
      { label: t('instance.uptime'), align: 'end', cell: live('age') },
      { label: t('table.actions'), role: 'actions', cell: (row) => restartButton(frame, row) },
    ],
  });
}

/** One version may be there several times, each with instances of its own. */
function purposeOf(t: Text, { servedFor }: InstanceRow): Html {
  if (!servedFor) return html`${t('instance.notReleased')}`;
  const { endpoint, release } = servedFor;
  const label = t('instance.forRelease', { endpoint, release: String(release) });
  return html`<a href="/admin/releases/${release}">${label}</a>`;
}

/** What of a row changes from second to second. */
export function instanceCells({ t, nowMs }: Frame, row: InstanceRow) {
  const { state, reason, heldBytes, measured, rssBytes, restarts, startedMs, pid } = row;
  const bytes = t.bytes(heldBytes);
  const certainty = measured ? t('instance.heldMeasured', { bytes }) : t('instance.heldEstimated', { bytes });
  const running = pid === undefined ? undefined : t('instance.pidOf', { pid: String(pid) });
  return {
    state: html`${chip({ tone: stateTones[state], label: t(`instance.state.${state}`), busy: busy.has(state) })}
    ${reason !== '' && html`<small class="quiet">${said(t, reason)}</small>`}`,
    held: html`<span class="one-line" title="${certainty}">
      <span aria-hidden="true">${measured ? `${bytes} ✓` : `≈ ${bytes}`}</span><span class="unseen">${certainty}</span>
    </span>`,
    rss: html`<span class="one-line">${rssBytes > 0 ? t.bytes(rssBytes) : t('value.none')}</span>`,
    restarts: html`${t.number(restarts)}`,
    age: html`<span class="one-line" title="${t.time(startedMs)}"
      >${running ? t.duration(wholeUnits(nowMs - startedMs)) : t('value.none')}</span
    >`,
    pid: html`${running ?? t('value.none')}`,
  };
}

/** Seconds below a minute, so that it does not flicker. */
function wholeUnits(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000) * 1000);
}

/** Posts to `/admin/instances/ID/restart`. */
function restartButton(frame: Frame, { id, model, version }: InstanceRow): Html | undefined {
  const { t, viewer } = frame;
  if (!viewer?.may('instance.restart')) return undefined;
  return confirmButton(frame, {
    id: `restart-${id}`,
    label: t('instance.restart'),
    icon: 'restart',
    what: t('instance.restartWhat', { id, model, version: String(version) }),
    action: `/admin/instances/${encodeURIComponent(id)}/restart`,
  });
}

export function instanceScreen(frame: Frame, { row, log }: InstanceView): Html {
  const { t } = frame;
  const { id, model, version } = row;
  const cells = instanceCells(frame, row);
  return page(frame, {
    title: `${model}:${version}`,
    trail: [{ label: t('instances.title'), href: '/admin/instances' }],
    state: html`<span data-live-key="instance.${id}.state">${cells.state}</span>`,
    actions: restartButton(frame, row),
    live: `/admin/live?topics=instances,log&instance=${encodeURIComponent(id)}`,
    body: [
      html`<div class="columns">
        ${card({
          title: t('instance.facts'),
          body: keyValues([
            fact(t('instance.model'), html`<a href="/admin/models/${encodeURIComponent(model)}">${model}</a>`),
            fact(t('instance.for'), purposeOf(t, row)),
            fact(t('instance.id'), id),
            fact(t('instance.where'), html`<a href="/admin/devices">${row.device.label}</a>`),
            fact(t('instance.provider'), row.provider),
            fact(t('instance.threads'), t.number(row.threads)),
            fact(t('instance.started'), moment(frame, row.startedMs)),
          ]),
        })}
        ${card({
          title: t('instance.pid'),
          body: keyValues(
            (['pid', 'held', 'rss', 'restarts', 'age'] as const).map((key) => ({
              label: labelOf(t, key),
              value: cells[key],
              liveKey: `instance.${id}.${key}`,
            })),
          ),
        })}
      </div>`,
      card({
        title: t('instance.log'),
        body: html`<p class="hint">${t('instance.logWhat')}</p>
          <div class="code">
            <pre tabindex="0"><code data-live-key="log">${logText(t, log)}</code></pre>
          </div>`,
      }),
    ],
  });
}

const fact = (label: string, value: KeyValue['value']): KeyValue => ({ label, value });

function labelOf(t: Text, key: 'pid' | 'held' | 'rss' | 'restarts' | 'age'): string {
  const keys = {
    pid: 'instance.pid',
    held: 'instance.held',
    rss: 'instance.rss',
    restarts: 'instance.restarts',
    age: 'instance.uptime',
  } as const;
  return t(keys[key]);
}

export function logText(t: Text, lines: readonly string[]): string {
  return lines.length === 0 ? t('instance.logNone') : lines.join('\n');
}
