// The first page: is everything all right, what needs somebody, how much is asked of the models, how full the memory is.
import { type Html, html } from '../html.ts';
import type { Attention, DecisionRow, MemoryUse, OverviewView, TrafficPoint } from '../machine-views.ts';
import { button } from '../parts/button.ts';
import { chart, type ChartProps, stat, stats } from '../parts/chart.ts';
import { chip } from '../parts/chip.ts';
import { emptyState, notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import type { Text } from '../text/text.ts';
import type { Frame, Tone } from '../view-types.ts';
import { decisionTimeline } from './decisions.ts';
import { said } from './devices.ts';

const tones: Record<Exclude<Attention['kind'], 'trouble'>, Tone> = {
  failed: 'bad',
  lost: 'bad',
  refused: 'warn',
  fewer: 'warn',
  full: 'warn',
  key: 'warn',
  'release-off': 'bad',
  'release-waiting': 'warn',
  'release-changes': 'warn',
  'release-rolling': 'info',
};

export function overviewScreen(frame: Frame, view: OverviewView): Html {
  const { t } = frame;
  const { attention, models, decisions } = view;
  const isFirstRun = models.known === 0;
  return page(frame, {
    title: t('overview.title'),
    state: html`<span data-live-key="overview.state">${overviewState(frame, attention)}</span>`,
    live: '/admin/live?topics=overview,traffic,decisions',
    body: [
      html`<div class="stack" data-live-key="overview.attention">${attentionPart(frame, attention)}</div>`,
      html`${isFirstRun && firstRun(frame)}`,
      tiles(t, view),
      html`${!isFirstRun && charts(t, view.traffic.history)}`,
      html`${!isFirstRun && latest(frame, decisions)}`,
    ],
  });
}

function latest(frame: Frame, decisions: DecisionRow[]): Html {
  const { t } = frame;
  return card({
    title: t('overview.decisions'),
    actions: button({ label: t('overview.allDecisions'), kind: 'quiet', icon: 'right', href: '/admin/decisions' }),
    body: html`<div data-live-key="decisions">${decisionTimeline(frame, decisions)}</div>`,
  });
}

export function overviewState({ t }: Frame, attention: Attention[]): Html {
  // What is on its way needs nobody.
  const needed = attention.filter((item) => toneOf(item) !== 'info');
  if (needed.length === 0) return chip({ tone: 'good', label: t('overview.well') });
  const tone = needed.some((item) => toneOf(item) === 'bad') ? 'bad' : 'warn';
  return chip({ tone, label: t('overview.needs', { count: needed.length }) });
}

export function attentionPart(frame: Frame, attention: Attention[]): Html {
  return html`${attention.map((item) => notice({ tone: toneOf(item), ...wordsOf(frame, item) }))}`;
}

function toneOf(item: Attention): Tone {
  if (item.kind === 'trouble') return item.level === 'error' ? 'bad' : 'warn';
  return tones[item.kind];
}

function wordsOf({ t }: Frame, item: Attention): { title?: string; text: string | Html; action?: Html } {
  const link = (label: string, href: string) => button({ label, href });
  const toDevices = link(t('attention.toDevices'), '/admin/devices');
  switch (item.kind) {
    case 'failed':
    case 'refused':
    case 'fewer': {
      const { kind, model, version, reason } = item;
      const name = encodeURIComponent(model);
      const action =
        kind === 'failed'
          ? link(t('attention.toModel'), `/admin/models/${name}`)
          : link(t('attention.toPlacement'), `/admin/placement/${name}`);
      return { title: t(`attention.${kind}`, { model, version: String(version) }), text: said(t, reason), action };
    }
    case 'trouble':
      return { text: html`${said(t, item.what)} <b>${said(t, item.fix)}</b>` };
    case 'lost':
      return { title: t('attention.lost', { device: item.label }), text: said(t, item.reason), action: toDevices };
    case 'full': {
      const text = t('attention.fullWhat', { share: t.percent(item.share) });
      return { title: t('attention.full', { device: item.label }), text, action: toDevices };
    }
    case 'release-off':
    case 'release-waiting':
    case 'release-changes':
    case 'release-rolling':
      return releaseWords(t, item);
    default: {
      const text = t('attention.keyWhat', { date: t.date(item.expiresMs) });
      return {
        title: t('attention.key', { name: item.name }),
        text,
        action: link(t('attention.toKeys'), '/admin/keys'),
      };
    }
  }
}

function releaseWords(t: Text, item: Extract<Attention, { kind: `release-${string}` }>) {
  const { kind, id, endpoint, version, who, reason, share } = item;
  const names = { version, endpoint };
  const environment = t(`environment.${item.environment}`);
  const asTyped = html`<span class="as-typed">${reason}</span>`;
  const toRelease = button({ label: t('attention.toRelease'), href: `/admin/releases/${id}` });
  const toEndpoint = button({
    label: t('attention.toEndpoint'),
    href: `/admin/endpoints/${encodeURIComponent(endpoint)}`,
  });
  switch (kind) {
    case 'release-waiting':
      return {
        title: t('attention.waiting'),
        text: t('attention.waitingWhat', { ...names, environment, who }),
        action: toRelease,
      };
    case 'release-changes':
      return { title: t('attention.changesAsked', { version }), text: asTyped, action: toRelease };
    case 'release-rolling':
      return {
        title: t('attention.rolling', names),
        text: t('attention.rollingWhat', { share: t.percent(share) }),
        action: toEndpoint,
      };
    default:
      return { title: t('attention.off', names), text: asTyped, action: toRelease };
  }
}

function firstRun({ t, viewer }: Frame): Html {
  const upload =
    viewer?.may('upload') &&
    button({ label: t('overview.upload'), icon: 'upload', kind: 'primary', href: '/admin/upload' });
  const choose =
    viewer?.may('template.install') &&
    button({ label: t('overview.templates'), icon: 'models', href: '/admin/templates' });
  const mayAdd = Boolean(upload || choose);
  return emptyState({
    icon: 'models',
    title: t('overview.first'),
    text: mayAdd ? t('overview.firstWhat') : t('overview.firstAsk'),
    action: html`${mayAdd && html`<div class="actions">${upload} ${choose}</div>`}`,
  });
}

function tiles(t: Text, { models, traffic, gpuMemory, hostMemory }: OverviewView): Html {
  const { now, history } = traffic;
  const { rate, p95, p50, modelP95, pending } = trafficTexts(t, now);
  const memory = memoryTexts(t, hostMemory, gpuMemory);
  const recent = history.slice(-40);
  return stats([
    stat({
      label: t('overview.models'),
      value: t.number(models.answering),
      unit: t('overview.modelsOf', { loaded: models.loaded }),
      note: t('overview.modelsKnown', { count: models.known }),
      icon: 'models',
      href: '/admin/models',
      liveKey: 'overview.answering',
    }),
    stat({
      label: t('overview.rate'),
      value: rate,
      unit: t('overview.perSecond'),
      note: html`<span data-live-key="traffic.pending">${pending}</span>`,
      icon: 'overview',
      liveKey: 'traffic.rate',
      trend: { label: t('overview.trafficChart'), values: recent.map(({ perSecond }) => perSecond) },
    }),
    stat({
      label: t('overview.p95'),
      value: p95,
      note: html`${t('overview.p50')} <span data-live-key="traffic.p50">${p50}</span> ·
        <span data-live-key="traffic.modelP95">${modelP95}</span>`,
      icon: 'clock',
      liveKey: 'traffic.p95',
      trend: { label: t('overview.latencyChart'), values: recent.map(({ wholeP95Ms }) => wholeP95Ms ?? null) },
    }),
    stat({
      label: t(gpuMemory ? 'overview.gpuMemory' : 'overview.hostMemory'),
      value: memory.used,
      note: html`<span data-live-key="overview.memoryNote">${memory.note}</span>`,
      icon: 'devices',
      href: '/admin/devices',
      liveKey: 'overview.memory',
    }),
  ]);
}

/** Of the GPUs, where there is one. */
export function memoryTexts(t: Text, host: MemoryUse, gpus?: MemoryUse) {
  const { usedBytes, totalBytes } = gpus ?? host;
  const [used, total] = [t.bytes(usedBytes), t.bytes(totalBytes)];
  const note = gpus
    ? t('overview.ofHost', { total, used: t.bytes(host.usedBytes), hostTotal: t.bytes(host.totalBytes) })
    : t('overview.ofFree', { total, free: t.bytes(totalBytes - usedBytes) });
  return { used, note };
}

/** As the tiles write them. */
export function trafficTexts(t: Text, { perSecond, p50Ms, p95Ms, wholeP50Ms, wholeP95Ms, pending }: TrafficPoint) {
  const duration = (ms: number | undefined) => (ms === undefined ? t('value.none') : t.duration(ms));
  const inModel = (ms: number | undefined) =>
    ms === undefined ? t('traffic.none') : t('traffic.inModel', { duration: t.duration(ms) });
  return {
    rate: t.number(perSecond, perSecond < 10 ? 1 : 0),
    /** Of whole requests. */
    p95: duration(wholeP95Ms),
    p50: duration(wholeP50Ms),
    modelP95: inModel(p95Ms),
    modelP50: inModel(p50Ms),
    pending: t('overview.pending', { count: pending }),
  };
}

function charts(t: Text, history: TrafficPoint[]): Html {
  const times = history.map(({ atMs }) => Math.round(atMs / 1000));
  const show = (props: Pick<ChartProps, 'title' | 'unit' | 'liveKey'>, series: string[], values: (number | null)[][]) =>
    card({ body: chart({ ...props, keep: 180, data: { series: series.map((label) => ({ label })), times, values } }) });
  return html`<div class="columns">
    ${show(
      { title: t('overview.trafficChart'), unit: 'number', liveKey: 'traffic.requests' },
      [t('overview.failed'), t('overview.answered')],
      [
        history.map(({ failuresPerSecond }) => failuresPerSecond),
        history.map(({ perSecond, failuresPerSecond }) => perSecond - failuresPerSecond),
      ],
    )}
    ${show(
      { title: t('overview.latencyChart'), unit: 'ms', liveKey: 'traffic.latency' },
      latencySeries(t),
      latencyValues(history),
    )}
  </div>`;
}

export const latencySeries = (t: Text): string[] => ['p50', 'p95', t('traffic.p95InModel')];

/** For each series. */
export function latencyValues(points: readonly TrafficPoint[]): (number | null)[][] {
  return [
    points.map(({ wholeP50Ms }) => wholeP50Ms ?? null),
    points.map(({ wholeP95Ms }) => wholeP95Ms ?? null),
    points.map(({ p95Ms }) => p95Ms ?? null),
  ];
}
