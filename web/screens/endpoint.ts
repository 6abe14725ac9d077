// The page of one endpoint: who serves what share, each version beside the other, what the guard says, how it came to be
// so, how to call it, and the way back.
import { taskExamples, tensorExamples } from '../call-examples.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { chart, type ChartProps } from '../parts/chart.ts';
import { chip } from '../parts/chip.ts';
import { confirmButton } from '../parts/dialog.ts';
import { choices, hiddenFields } from '../parts/form.ts';
import { type Segment, segmentMeter } from '../parts/meter.ts';
import { emptyState, notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { table } from '../parts/table.ts';
import { card, codeTabs } from '../parts/tabs.ts';
import { codeBlock, moment } from '../parts/text-block.ts';
import type { EndpointStatus, EndpointView, Release, TrafficSide } from '../release-views.ts';
import type { TextKey } from '../text/text.ts';
import { texts } from '../text/text.ts';
import type { Frame, Tone } from '../view-types.ts';
import { said } from './devices.ts';
import { eventTimeline, rolloutProgress } from './release-history.ts';
import { reasonField } from './release.ts';
import { endpointPath, releaseChip, releasePath, versionName } from './releases.ts';

/** Before the rest is folded away. */
const latestEvents = 10;

export function endpointScreen(frame: Frame, view: EndpointView): Html {
  const { t, viewer } = frame;
  const { status, seen, problem } = view;
  const { endpoint } = status;
  const live = `/admin/live?topics=endpoint&endpoint=${encodeURIComponent(endpoint.name)}&seen=${encodeURIComponent(seen)}`;
  const ask = `/admin/releases/new?endpoint=${encodeURIComponent(endpoint.name)}&environment=${endpoint.environment}`;
  return page(frame, {
    title: endpoint.name,
    lead: html`${t(`environment.${endpoint.environment}`)}${endpoint.hosts.map((host) => html` · <code>${host}</code>`)}`,
    trail: [{ label: t('endpoints.title'), href: '/admin/endpoints' }],
    state: html`<span data-live-key="endpoint.state">${endpointState(frame, status)}</span>`,
    actions: html`${rollbackButton(frame, status)}
    ${viewer?.may('release.request') && button({ label: t('release.new'), icon: 'plus', kind: 'primary', href: ask })}`,
    live,
    body: html`${problem !== undefined && notice({ tone: 'bad', text: said(t, problem) })}
      <div class="stack" data-live-key="endpoint.serving">${servingPart(frame, status)}</div>
      <div class="stack" data-live-key="endpoint.guard">${guardPart(frame, status)}</div>
      <div class="chart-row" data-live-key="endpoint.charts">${sideCharts(frame, view.histories, seen)}</div>
      ${callCard(frame, view)}
      <div class="columns">
        ${card({
          title: t('endpoint.history'),
          body: html`<div data-live-key="endpoint.events">${endpointEvents(frame, status)}</div>`,
        })}
        <div>${historyCard(frame, status)}</div>
      </div>
      ${dangerCard(frame, status)}`,
  });
}

export function endpointState(frame: Frame, { endpoint }: EndpointStatus): Html {
  const { live, rollout } = endpoint;
  const state = rollout?.state ?? live?.state;
  return state ? releaseChip(frame, state) : chip({ tone: 'idle', label: frame.t('endpoint.nothingLive') });
}

/** Made anew when versions or shares are others; what moves in between has keys of its own. */
export function servingPart(frame: Frame, status: EndpointStatus): Html {
  return html`${rolloutCard(frame, status)} ${sharesCard(frame, status)}`;
}

export function progressPart(frame: Frame, { endpoint: { rollout } }: EndpointStatus): Html {
  return rollout ? rolloutProgress(frame, rollout) : html``;
}

function rolloutCard(frame: Frame, status: EndpointStatus): Html | undefined {
  const { t, viewer, csrf } = frame;
  const { rollout } = status.endpoint;
  if (!rollout) return undefined;
  const mayStep = viewer?.may('release.rollback') ?? false;
  return card({
    title: t('endpoint.rolloutOf', { version: versionName(rollout.request) }),
    actions: html`<span class="actions">
      ${button({ label: t('release.number', { id: String(rollout.id) }), kind: 'quiet', href: releasePath(rollout.id) })}
      ${
        mayStep &&
        html`<form method="post" action="${releasePath(rollout.id, '/advance')}">
          ${hiddenFields({ csrf, since: String(rollout.stage?.startedMs ?? '') })}
          ${button({ label: t('plan.advance'), icon: 'play', submit: true })}
        </form>`
      }
    </span>`,
    body: html`<div class="stack" data-live-key="endpoint.progress">${progressPart(frame, status)}</div>`,
  });
}

function sharesCard(frame: Frame, { sides }: EndpointStatus): Html {
  const { t } = frame;
  if (sides.length === 0) {
    return emptyState({ icon: 'endpoint', title: t('endpoint.nothingLive'), text: t('endpoint.nothingLiveWhat') });
  }
  const serving = sides.filter(({ role }) => role === 'live' || role === 'candidate');
  const segments = serving.map((side): Segment => ({
    label: versionName(side),
    value: side.share,
    text: t.percent(side.share, 1),
    kind: 'held',
  }));
  const rest = Math.max(0, 1 - serving.reduce((sum, { share }) => sum + share, 0));
  return card({
    title: t('endpoint.shares'),
    flush: true,
    body: html`<div class="shares">
        ${segmentMeter({ label: t('endpoint.shares'), segments, max: 1, rest: rest > 0.0005 ? { label: t('endpoint.unserved'), text: t.percent(rest, 1) } : undefined, legend: serving.length > 1 })}
      </div>
      ${sideTable(frame, sides)}`,
  });
}

const roleTones: Record<TrafficSide['role'], Tone> = { live: 'good', candidate: 'info', shadow: 'warn', warm: 'idle' };

type SideCell = 'state' | 'instances' | 'requests' | 'errors' | 'nonFinite' | 'p50' | 'p95' | 'crashes';

/** What moves in a side's row, by the name of its column. */
export function sideCells({ t }: Frame, side: TrafficSide): Record<SideCell, Html> {
  const { role, state, instances, requests, errors, nonFinite, p50Ms, p95Ms, crashes } = side;
  const part = (count: number) =>
    html`${t.number(count)}
    ${requests > 0 && count > 0 && html`<small class="quiet">${t.percent(count / requests, 2)}</small>`}`;
  const duration = (ms: number | undefined) => html`${ms === undefined ? t('value.none') : t.duration(ms)}`;
  const tone = state === 'failed' ? 'bad' : roleTones[role];
  return {
    state: chip({ tone, label: t(`side.role.${role}`), title: t(`side.role.${role}.what`) }),
    instances: html`${t.number(instances)}`,
    requests: html`${t.number(requests)}`,
    errors: part(errors),
    nonFinite: part(nonFinite),
    p50: duration(p50Ms),
    p95: duration(p95Ms),
    crashes: html`${t.number(crashes)}`,
  };
}

function sideTable(frame: Frame, sides: TrafficSide[]): Html {
  const { t } = frame;
  const moving = (label: string, cell: SideCell, align?: 'end') => ({
    label,
    align,
    cell: (side: TrafficSide) =>
      html`<span data-live-key="side:${side.release}:${cell}">${sideCells(frame, side)[cell]}</span>`,
  });
  return table<TrafficSide>({
    caption: t('endpoint.shares'),
    rows: sides,
    empty: emptyState({ icon: 'endpoint', title: t('endpoint.nothingLive') }),
    columns: [
      {
        label: t('model.version'),
        role: 'main',
        cell: (side) =>
          html`<a href="${releasePath(side.release)}">${versionName(side)}</a>
            <small>${t('release.number', { id: String(side.release) })}</small>`,
      },
      moving(t('side.role'), 'state'),
      { label: t('side.share'), align: 'end', cell: ({ share }) => t.percent(share, 1) },
      moving(t('instances.title'), 'instances', 'end'),
      moving(t('traffic.rate'), 'requests', 'end'),
      moving(t('side.errors'), 'errors', 'end'),
      moving(t('side.nonFinite'), 'nonFinite', 'end'),
      moving(t('side.p50'), 'p50', 'end'),
      moving(t('side.p95'), 'p95', 'end'),
      moving(t('side.crashes'), 'crashes', 'end'),
    ],
  });
}

const guardTones: Record<'fine' | 'too_few' | 'breach', Tone> = { fine: 'good', too_few: 'idle', breach: 'bad' };

/** What each check of the guard says; nothing while it does not look. */
export function guardPart({ t }: Frame, { guard, agreement }: EndpointStatus): Html {
  if (!guard && !agreement) return html``;
  return card({
    title: t('guard.title'),
    body: html`<ul class="checks guard">
      ${Object.entries(guard ?? {}).map(([name, state]) => {
        const known = `guard.${name}`;
        const what = `guard.${name}.what`;
        return html`<li>
          ${chip({ tone: guardTones[state], label: t(`guard.state.${state}`) })}
          <div>
            <b>${isKey(known) ? t(known) : name}</b>
            ${isKey(what) && html`<p class="quiet">${t(what)}</p>`}
          </div>
        </li>`;
      })}
      ${
        agreement &&
        html`<li>
          ${chip({ tone: 'info', label: t('guard.shadow') })}
          <div>
            <b>${t('guard.agreement')}</b>
            <p class="quiet">
              ${t('guard.agreementOf', { compared: t.number(agreement.compared), disagreed: t.number(agreement.disagreed) })}
            </p>
          </div>
        </li>`
      }
    </ul>`,
  });
}

type PlainKey = TextKey & (`guard.${string}.what` | 'guard.latency');

/** What the guard has no words for is shown by its name. */
function isKey(key: string): key is PlainKey {
  return Object.hasOwn(texts, key);
}

/** Every version in each chart, so that they are read side by side. @param seen names the versions */
export function sideCharts({ t }: Frame, histories: EndpointView['histories'], seen: string): Html {
  if (histories.length === 0) return html``;
  const times = (histories[0]?.points ?? []).map(({ atMs }) => Math.round(atMs / 1000));
  const series = histories.map(({ label }) => ({ label }));
  const show = (props: Pick<ChartProps, 'title' | 'unit' | 'liveKey'>, values: (number | null)[][]) =>
    card({ body: chart({ ...props, keep: 180, data: { series, times, values } }) });
  return html`${show(
    { title: t('overview.trafficChart'), unit: 'number', liveKey: `endpoint.rate:${seen}` },
    histories.map(({ points }) => points.map(({ perSecond }) => perSecond)),
  )}
  ${show(
    { title: t('endpoint.p95Chart'), unit: 'ms', liveKey: `endpoint.p95:${seen}` },
    histories.map(({ points }) => points.map(({ p95Ms }) => p95Ms ?? null)),
  )}
  ${show(
    { title: t('endpoint.failureChart'), unit: 'number', liveKey: `endpoint.failures:${seen}` },
    histories.map(({ points }) => points.map(({ failuresPerSecond }) => failuresPerSecond)),
  )}`;
}

/** Newest first; what is long ago folded away. */
export function endpointEvents(frame: Frame, { events }: EndpointStatus): Html {
  const sorted = events.toSorted((a, b) => b.id - a.id);
  const older = sorted.slice(latestEvents);
  return html`${eventTimeline(frame, sorted.slice(0, latestEvents), true)}
  ${
    older.length > 0 &&
    html`<details>
      <summary>${frame.t('list.older')}</summary>
      ${eventTimeline(frame, older, true)}
    </details>`
  }`;
}

function rollbackButton(frame: Frame, { endpoint, rollbackTargets, history }: EndpointStatus): Html | undefined {
  const { t, viewer } = frame;
  const { live, rollout, name } = endpoint;
  if (!viewer?.may('release.rollback') || (!rollout && rollbackTargets.length === 0)) return undefined;
  const shared = {
    id: 'rollback',
    label: t('endpoint.rollback'),
    icon: 'rollback' as const,
    kind: 'danger' as const,
    action: endpointPath(name, '/rollback'),
  };
  if (rollout) {
    const version = versionName(rollout.request);
    const what = live
      ? t('endpoint.rollbackRollout', { version, live: versionName(live.request) })
      : t('endpoint.rollbackFirst', { version });
    // Should it have ended meanwhile, what is live must not be taken back in its stead.
    const stay = hiddenFields({ to: live?.id });
    return confirmButton(frame, {
      ...shared,
      what,
      fields: html`${stay}${reasonField(frame, 'rollback', t('release.why'))}`,
    });
  }
  const targets = rollbackTargets.flatMap((id) => history.find((release) => release.id === id) ?? []);
  return confirmButton(frame, {
    ...shared,
    what: t('endpoint.rollbackWhat', { live: live ? versionName(live.request) : t('value.none') }),
    fields: html`${choices({
      name: 'to',
      label: t('endpoint.rollbackTo'),
      type: 'radio',
      required: true,
      chosen: [String(rollbackTargets[0])],
      options: targets.map((release) => ({
        value: String(release.id),
        label: t('endpoint.rollbackServes', { version: versionName(release.request) }),
        hint: targetHint(frame, release),
      })),
    })}
    ${reasonField(frame, 'rollback', t('release.why'))}`,
  });
}

function targetHint({ t, nowMs }: Frame, { id, liveMs, warmUntilMs }: Release): string {
  const number = t('release.number', { id: String(id) });
  const since = liveMs === undefined ? number : t('endpoint.wasLive', { number, when: t.relative(liveMs, nowMs) });
  const isWarm = warmUntilMs !== undefined && warmUntilMs > nowMs;
  return `${since} ${t(isWarm ? 'endpoint.isWarm' : 'endpoint.isCold')}`;
}

/** How to call it under its own name, and what makes that name known. */
function callCard(frame: Frame, { callee, status, address }: EndpointView): Html {
  const { t } = frame;
  const { name, hosts } = status.endpoint;
  if (!callee) return html``;
  const examples = [...taskExamples(callee), ...tensorExamples(callee)];
  const shown = ['curl', 'Python', 'TypeScript'].flatMap(
    (title) => examples.find((example) => example.title === title) ?? [],
  );
  return card({
    title: t('endpoint.call'),
    actions: button({
      label: t('endpoint.docs'),
      kind: 'quiet',
      icon: 'book',
      href: `/docs/endpoints/${encodeURIComponent(name)}`,
    }),
    body: html`<div class="stack">
      ${codeTabs(t, 'call', t('endpoint.call'), shown)}
      ${
        hosts[0] !== undefined &&
        html`<div class="stack tight">
          <h3>${t('endpoint.dns')}</h3>
          <p class="quiet">${t('endpoint.dnsWhat', { host: hosts[0], address })}</p>
          ${codeBlock(t, { text: `${address} ${hosts[0]}` })}
        </div>`
      }
      <p class="quiet">${t('address.key')} <a href="/admin/keys">${t('nav.keys')}</a></p>
    </div>`,
  });
}

function historyCard(frame: Frame, { history }: EndpointStatus): Html {
  const { t } = frame;
  return card({
    title: t('releases.title'),
    flush: true,
    body: table<Release>({
      caption: t('releases.title'),
      rows: history,
      empty: emptyState({ icon: 'release', title: t('table.none') }),
      columns: [
        {
          label: t('model.version'),
          role: 'main',
          cell: ({ id, request }) =>
            html`<a href="${releasePath(id)}">${versionName(request)}</a>
              <small>${t('release.number', { id: String(id) })}</small>`,
        },
        { label: t('release.state'), cell: ({ state }) => releaseChip(frame, state) },
        { label: t('release.live'), cell: ({ liveMs }) => moment(frame, liveMs) },
      ],
    }),
  });
}

function dangerCard(frame: Frame, { endpoint: { name } }: EndpointStatus): Html | undefined {
  const { t, viewer } = frame;
  if (!viewer?.may('endpoint.write')) return undefined;
  return card({
    title: t('endpoint.remove'),
    actions: confirmButton(frame, {
      id: 'remove-endpoint',
      label: t('endpoint.remove'),
      icon: 'trash',
      kind: 'danger',
      what: t('endpoint.removeWhat', { name }),
      action: endpointPath(name, '/remove'),
      typed: name,
    }),
    body: html`<p class="quiet">${t('endpoint.removeWhat', { name })}</p>`,
  });
}
