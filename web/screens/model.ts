// The pages of one model: how it is doing, its versions, how to call it, and what its instances say.
import { address } from '../address.ts';
import { taskExamples, tensorExamples } from '../call-examples.ts';
import { type Html, html } from '../html.ts';
import type {
  CallView,
  LogView,
  ModelHead,
  ModelView,
  TrafficTotals,
  TrafficView,
  VersionsView,
  VersionView,
} from '../model-views.ts';
import { button, type ButtonProps } from '../parts/button.ts';
import { chart, stat, stats } from '../parts/chart.ts';
import { chip } from '../parts/chip.ts';
import { confirmButton } from '../parts/dialog.ts';
import { emptyState, notice } from '../parts/notice.ts';
import { page, type PageProps } from '../parts/page.ts';
import { table } from '../parts/table.ts';
import { card, codeTabs } from '../parts/tabs.ts';
import { codeBlock, copyable, keyValues, moment } from '../parts/text-block.ts';
import type { VersionNote } from '../release-views.ts';
import type { Text } from '../text/text.ts';
import type { Frame } from '../view-types.ts';
import { decisionTimeline } from './decisions.ts';
import { said } from './devices.ts';
import { instanceTable, logText } from './instances.ts';
import { modelPath, type ModelTab, modelTabs, stateChip, untilSettled } from './models.ts';
import { latencySeries, latencyValues, trafficTexts } from './overview.ts';
import { releaseChip, versionName } from './releases.ts';
import { goLiveButton, retentionCard, servedCard, tagChips } from './version-standing.ts';
import { manifestCard, placementCard, signatureCard, versionActions, warningList } from './version.ts';

/** The frame of every page of a model. */
export function modelPage(
  frame: Frame,
  head: ModelHead,
  tab: ModelTab,
  props: Pick<PageProps, 'lead' | 'actions' | 'live' | 'body'>,
): Html {
  const { t } = frame;
  return page(frame, {
    ...props,
    title: head.name,
    trail: [{ label: t('models.title'), href: '/admin/models' }],
    state: stateChip(frame, head.state),
    body: html`${modelTabs(frame, head, tab)} ${props.body}`,
  });
}

/** All versions of it were deleted. */
export function emptyModelScreen(frame: Frame, head: ModelHead): Html {
  const { t, viewer } = frame;
  return modelPage(frame, head, '', {
    body: [
      emptyState({
        icon: 'models',
        title: t('model.empty'),
        text: t('model.emptyWhat'),
        action: viewer?.may('model.write') ? button(addVersion(frame, head.name)) : undefined,
      }),
      html`${dangerCard(frame, head)}`,
    ],
  });
}

function addVersion({ t }: Frame, name: string): ButtonProps {
  return { label: t('model.addVersion'), icon: 'upload', href: `/admin/upload?name=${encodeURIComponent(name)}` };
}

export function modelScreen(frame: Frame, view: ModelView): Html {
  const { t, viewer } = frame;
  const { head, shown, traffic, instances, trouble } = view;
  return modelPage(frame, head, '', {
    lead: shown.manifest.description,
    actions: html`${viewer?.may('model.write') && button(addVersion(frame, head.name))} ${goLiveButton(frame, shown)}
    ${versionActions(frame, shown, head.current)}`,
    live: traffic && '/admin/live?topics=traffic,instances',
    body: html`${untilSettled(frame, [head.state, shown.state])}
      ${shown.reason && notice({ tone: shown.state === 'failed' ? 'bad' : 'info', text: said(t, shown.reason) })}
      ${
        trouble &&
        notice({
          tone: 'bad',
          title: t('model.trouble'),
          text: html`${said(t, trouble.text)} ${moment(frame, trouble.atMs)}`,
        })
      }
      ${warningList(frame, shown)} ${traffic && trafficPart(frame, head.name, traffic)}
      ${servedCard(frame, view.served)}
      <div class="columns">${addressCard(frame, view)} ${placementCard(frame, head.name, view.outcome)}</div>
      ${
        instances.length > 0 &&
        html`<h2>${t('instances.title')}</h2>
          ${instanceTable(frame, instances)}`
      }
      <div class="columns">${signatureCard(frame, shown)} ${manifestCard(frame, shown)}</div>
      ${dangerCard(frame, head)}`,
  });
}

function trafficPart({ t }: Frame, name: string, { now, history, totals }: TrafficView): Html {
  const { rate, p50, p95, modelP50, modelP95 } = trafficTexts(t, now);
  const sums = totalTexts(t, totals);
  const live = (key: string, text: string) => html`<span data-live-key="${key}:${name}">${text}</span>`;
  const times = history.map(({ atMs }) => Math.round(atMs / 1000));
  return html`${stats([
      stat({
        label: t('traffic.rate'),
        icon: 'overview',
        value: rate,
        unit: t('overview.perSecond'),
        note: live('answered', sums.answered),
        liveKey: `rate:${name}`,
      }),
      stat({
        label: t('traffic.p50'),
        icon: 'clock',
        value: p50,
        note: html`${live('modelP50', modelP50)}<br />${live('p50all', sums.p50)}`,
        liveKey: `p50:${name}`,
      }),
      stat({
        label: t('traffic.p95'),
        icon: 'clock',
        value: p95,
        note: html`${live('modelP95', modelP95)}<br />${live('p95all', sums.p95)}`,
        liveKey: `p95:${name}`,
      }),
      stat({
        label: t('traffic.waiting'),
        icon: 'instances',
        value: t.number(now.pending),
        note: live('failed', sums.failed),
        liveKey: `queue:${name}`,
      }),
    ])}
    <div class="columns">
      ${card({
        body: chart({
          title: t('overview.trafficChart'),
          unit: 'number',
          keep: 180,
          liveKey: `traffic:${name}`,
          data: { series: [{ label: t('traffic.rate') }], times, values: [history.map(({ perSecond }) => perSecond)] },
        }),
      })}
      ${card({
        body: chart({
          title: t('overview.latencyChart'),
          unit: 'ms',
          keep: 180,
          liveKey: `latency:${name}`,
          data: { series: latencySeries(t).map((label) => ({ label })), times, values: latencyValues(history) },
        }),
      })}
    </div>`;
}

/** As the tiles write them. */
export function totalTexts(t: Text, { p50Ms, p95Ms, answered, failed }: TrafficTotals) {
  const share = answered + failed > 0 ? failed / (answered + failed) : 0;
  const overall = (ms: number | undefined) =>
    ms === undefined ? '' : t('traffic.sinceLoaded', { duration: t.duration(ms) });
  return {
    answered: t('traffic.answered', { count: answered }),
    failed: t('traffic.failed', { count: failed, share: t.percent(share, 1) }),
    p50: overall(p50Ms),
    p95: overall(p95Ms),
  };
}

function addressCard({ t, viewer }: Frame, { head, origin, shown }: ModelView): Html {
  const { name } = head;
  const isTask = shown.manifest.task !== 'tensor';
  return card({
    title: t('address.title'),
    actions: viewer?.may('model.predict')
      ? button({ label: t('model.try'), kind: 'quiet', icon: 'play', href: modelPath(name, '/try') })
      : undefined,
    body: html`<div class="stack">
      ${keyValues([
        ...(isTask ? [{ label: t('address.task'), value: copyable(t, `${origin}/v1/models/${name}/predict`) }] : []),
        { label: t('address.tensor'), value: copyable(t, `${origin}/v2/models/${name}/infer`) },
        {
          label: t('address.version'),
          value: head.current === null ? t('address.none') : t('version.number', { version: String(head.current) }),
        },
      ])}
      <p class="quiet">${t('address.key')} <a href="/admin/keys">${t('nav.keys')}</a></p>
    </div>`,
  });
}

function dangerCard(frame: Frame, { name, versions }: ModelHead): Html | undefined {
  const { t, viewer } = frame;
  if (!viewer?.may('model.write')) return undefined;
  return card({
    title: t('model.remove'),
    actions: confirmButton(frame, {
      id: 'remove-model',
      label: t('model.remove'),
      icon: 'trash',
      kind: 'danger',
      what: t('model.removeWhat', { name, count: versions }),
      action: modelPath(name, '/remove'),
      typed: name,
    }),
    body: html`<p class="quiet">${t('model.removeWhat', { name, count: versions })}</p>`,
  });
}

export function versionsScreen(frame: Frame, { head, versions, served, retention, form }: VersionsView): Html {
  const { t } = frame;
  return modelPage(frame, head, '/versions', {
    body: [
      html`${untilSettled(
        frame,
        versions.map(({ state }) => state),
      )}`,
      table<VersionsView['versions'][number]>({
        caption: t('model.versions'),
        rows: versions,
        empty: emptyState({ icon: 'models', title: t('table.none') }),
        columns: [
          {
            label: t('model.version'),
            role: 'main',
            cell: ({ version }) =>
              html`<a href="${modelPath(head.name, `/versions/${version}`)}"
                  >${t('version.number', { version: String(version) })}</a
                >
                ${version === head.current && html`<small>${t('version.isCurrent')}</small>`}
                ${served
                  .filter((each) => each.version === version)
                  .map(
                    ({ endpoint, state }) =>
                      html`<small class="chip-row">${endpoint} ${releaseChip(frame, state)}</small>`,
                  )}`,
          },
          { label: t('model.state'), cell: ({ state }) => stateChip(frame, state) },
          { label: t('version.created'), cell: ({ createdAt }) => moment(frame, Date.parse(createdAt)) },
          {
            label: t('model.size'),
            align: 'end',
            cell: ({ bytes }) => html`<span class="one-line">${t.bytes(bytes)}</span>`,
          },
          {
            label: t('version.origin'),
            cell: ({ manifest: { origin } }) =>
              html`<span>${t(`origin.${origin.kind}`)} <code>${origin.from}</code></span>`,
          },
          {
            label: t('version.notes'),
            cell: ({ warnings, note }) => noteChips(frame, warnings, note),
          },
          {
            label: t('table.actions'),
            role: 'actions',
            cell: (version) =>
              html`<div class="buttons">
                ${compareButton(frame, version, previousOf(versions, version))}
                ${versionActions(frame, version, head.current)}
              </div>`,
          },
        ],
      }),
      retentionCard(frame, head.name, retention, form),
    ],
  });
}

function noteChips({ t }: Frame, warnings: string[], note: VersionNote): Html | undefined {
  const isArchived = note.archivedMs !== undefined;
  if (warnings.length === 0 && note.tags.length === 0 && !isArchived) return undefined;
  const label = t('version.warnings', { count: warnings.length });
  return html`<span class="chip-row">
    ${warnings.length > 0 && chip({ tone: 'warn', label, title: warnings.map((warning) => t.said(warning)).join('\n') })}
    ${isArchived && chip({ tone: 'idle', label: t('note.archivedChip') })} ${tagChips(note)}
  </span>`;
}

/** Of the one before, where there is one. */
function previousOf(versions: VersionView[], { version }: VersionView): VersionView | undefined {
  return versions.find((each) => each.version < version);
}

function compareButton({ t }: Frame, version: VersionView, previous: VersionView | undefined): Html | undefined {
  if (!previous) return undefined;
  const [a, b] = [previous, version].map((each) => versionName(each));
  return button({ label: t('compare.do'), kind: 'quiet', href: address('/admin/compare', { a, b }) });
}

export function callScreen(frame: Frame, { head, origin, shown }: CallView): Html {
  const { t } = frame;
  const callee = { origin, name: head.name, manifest: shown.manifest, signature: shown.signature };
  const task = taskExamples(callee);
  return modelPage(frame, head, '/call', {
    body: [
      head.current === null ? notice({ tone: 'warn', text: t('call.unloaded') }) : html``,
      html`<p>${t('call.key')} <a href="/admin/keys">${t('nav.keys')}</a></p>`,
      task.length > 0 ? card({ title: t('call.task'), body: codeTabs(t, 'task', t('call.task'), task) }) : html``,
      card({ title: t('call.tensor'), body: codeTabs(t, 'tensor', t('call.tensor'), tensorExamples(callee)) }),
      html`<p class="quiet">${t('call.docs')} <a href="/docs">${t('nav.docs')}</a></p>`,
    ],
  });
}

export function logScreen(frame: Frame, { head, logs, decisions }: LogView): Html {
  const { t, path } = frame;
  return modelPage(frame, head, '/logs', {
    body: html`<div
      class="stack"
      id="logs"
      hx-get="${path}"
      hx-trigger="every 5s"
      hx-select="#logs"
      hx-swap="outerHTML"
    >
      ${logs.map(({ instance: { id, version, device, state }, lines }) =>
        card({
          title: t('log.of', { id, version: String(version), device: device.label }),
          actions: html`<a href="/admin/instances/${encodeURIComponent(id)}">${t(`instance.state.${state}`)}</a>`,
          body: codeBlock(t, { text: logText(t, lines) }),
        }),
      )}
      ${logs.length === 0 && emptyState({ icon: 'instances', title: t('log.none'), text: t('log.noneWhat') })}
      ${card({ title: t('log.decisions'), body: decisionTimeline(frame, decisions) })}
    </div>`,
  });
}
