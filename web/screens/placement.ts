// Where a model may run: its settings, and a preview of what they would do.
import { address } from '../address.ts';
import { type Html, html } from '../html.ts';
import type { Outcome, PlacementSettings, PlacementView, PreviewView } from '../machine-views.ts';
import { button } from '../parts/button.ts';
import { checkbox, choices, field, hiddenFields, select } from '../parts/form.ts';
import { notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import { keyValues } from '../parts/text-block.ts';
import type { Text } from '../text/text.ts';
import type { Frame } from '../view-types.ts';
import { decisionTimeline } from './decisions.ts';
import { said } from './devices.ts';

const mebibyte = 1024 ** 2;
const providers: [NonNullable<PlacementSettings['provider']>, string][] = [
  ['tensorrt', 'TensorRT'],
  ['cuda', 'CUDA'],
  ['webgpu', 'WebGPU'],
  ['cpu', 'CPU'],
];
/**
 * Posts minInstances, maxInstances, device.ID, deviceClass, provider, strategy, onePerDevice, priority, pinned, minFreeMib,
 * keepAlive, keepAliveUnit and basis to `/admin/placement/NAME`, and for a preview to `/admin/placement/NAME/preview`.
 */
export function placementScreen(frame: Frame, view: PlacementView): Html {
  const { t, viewer } = frame;
  const { model, isStale, outcome, decisions, settings } = view;
  const mayWrite = viewer?.may('placement.write') ?? false;
  const current = card({ title: t('placement.now'), body: settingsList(t, settings, view.devices) });
  return page(frame, {
    title: t('placement.of', { model }),
    lead: t('placement.lead'),
    trail: [
      { label: t('nav.models'), href: '/admin/models' },
      { label: model, href: `/admin/models/${encodeURIComponent(model)}` },
    ],
    body: [
      html`${isStale && notice({ tone: 'warn', title: t('placement.stale'), text: t('placement.staleWhat') })}
      ${outcome && card({ title: t('preview.result'), body: html`<div class="stack">${outcomePart(frame, outcome)}</div>` })}`,
      html`<div class="columns">
        ${mayWrite && card({ body: settingsForm(frame, view) })}
        <div>
          <div class="stack">
            ${current}
            ${card({
              title: t('placement.decisions'),
              actions: button({
                label: t('overview.allDecisions'),
                kind: 'quiet',
                icon: 'right',
                href: address('/admin/decisions', { model }),
              }),
              body: decisionTimeline(frame, decisions),
            })}
          </div>
        </div>
      </div>`,
    ],
  });
}

function settingsForm(frame: Frame, view: PlacementView): Html {
  const { t, csrf } = frame;
  const { model, form: state, basis } = view;
  const path = `/admin/placement/${encodeURIComponent(model)}`;
  const faults = Object.keys(state.errors).filter((name) => name !== '').length;
  const general = state.errors[''] ?? (faults > 0 ? t('field.faults', { count: faults }) : undefined);
  return html`<form class="form" method="post" action="${path}" novalidate>
    ${hiddenFields({ csrf, basis })} ${general !== undefined && notice({ tone: 'bad', text: general })}
    ${countFields(frame, view)} ${deviceFields(frame, view)} ${roomFields(frame, view)}
    <div class="form-foot">
      ${button({ label: t('do.save'), kind: 'primary', submit: true })}
      ${button({ label: t('preview.do'), submit: true, attributes: { formaction: `${path}/preview` } })}
    </div>
  </form>`;
}

const numeric = { inputmode: 'decimal', autocomplete: 'off' } as const;

function countFields(frame: Frame, { settings, form: state }: PlacementView): Html {
  const { t } = frame;
  const { minInstances, maxInstances } = settings;
  const shared = { required: true, state, attributes: numeric };
  return html`<div class="fields">
    ${field(frame, {
      ...shared,
      name: 'minInstances',
      label: t('placement.min'),
      hint: t('placement.minHint'),
      value: minInstances,
    })}
    ${field(frame, { ...shared, name: 'maxInstances', label: t('placement.max'), value: maxInstances })}
  </div>`;
}

function deviceFields(frame: Frame, { settings, form: state, devices, classes }: PlacementView): Html {
  const { t } = frame;
  return html`${choices({
      name: 'device',
      label: t('placement.devices'),
      hint: t('placement.devicesHint'),
      type: 'checkbox',
      state,
      options: devices.map(({ id, label }) => ({ value: id, label })),
      chosen: settings.deviceIds ?? [],
    })}
    <div class="fields">
      ${select(frame, {
        name: 'deviceClass',
        label: t('placement.class'),
        hint: t('placement.classHint'),
        state,
        options: [{ value: '', label: t('placement.any') }, ...classes.map((value) => ({ value, label: value }))],
        value: settings.deviceClass,
      })}
      ${select(frame, {
        name: 'provider',
        label: t('placement.provider'),
        hint: t('placement.providerHint'),
        state,
        options: [{ value: '', label: t('placement.best') }, ...providers.map(([value, label]) => ({ value, label }))],
        value: settings.provider,
      })}
    </div>
    ${choices({
      name: 'strategy',
      label: t('placement.strategy'),
      type: 'radio',
      state,
      chosen: [settings.strategy],
      options: [
        { value: 'spread', label: t('placement.strategy.spread'), hint: t('placement.strategy.spreadHint') },
        { value: 'pack', label: t('placement.strategy.pack'), hint: t('placement.strategy.packHint') },
      ],
    })}
    ${checkbox({ name: 'onePerDevice', label: t('placement.onePerDevice'), checked: settings.onePerDevice, state })}`;
}

function roomFields(frame: Frame, { settings, form: state }: PlacementView): Html {
  const { t } = frame;
  const { priority, pinned, minFreeBytes, keepAliveMs } = settings;
  const shared = { state, attributes: numeric };
  const unit = keepAliveMs === undefined ? 'minutes' : unitOf(keepAliveMs);
  return html`${field(frame, {
      ...shared,
      name: 'priority',
      label: t('placement.priority'),
      hint: t('placement.priorityHint'),
      value: priority,
      required: true,
    })}
    ${checkbox({
      name: 'pinned',
      label: t('placement.pinned'),
      hint: t('placement.pinnedHint'),
      checked: pinned,
      state,
    })}
    <div class="fields">
      ${field(frame, {
        ...shared,
        name: 'minFreeMib',
        label: t('placement.reserve'),
        hint: t('placement.reserveHint'),
        value: minFreeBytes / mebibyte,
        unit: 'MiB',
        required: true,
      })}
    </div>
    <div class="fields">
      ${field(frame, {
        ...shared,
        name: 'keepAlive',
        label: t('placement.keepAlive'),
        hint: t('placement.keepAliveHint'),
        value: keepAliveMs === undefined ? '' : keepAliveMs / timeUnits[unit],
      })}
      ${select(frame, {
        name: 'keepAliveUnit',
        label: t('placement.timeUnit'),
        state,
        required: true,
        value: unit,
        options: (Object.keys(timeUnits) as TimeUnit[]).map((value) => ({ value, label: t(`placement.${value}`) })),
      })}
    </div>`;
}

export const timeUnits = { seconds: 1000, minutes: 60_000, hours: 3_600_000, days: 86_400_000 } as const;
export type TimeUnit = keyof typeof timeUnits;

/** The largest in which the time is a whole number. */
function unitOf(ms: number): TimeUnit {
  const units = Object.entries(timeUnits) as [TimeUnit, number][];
  return units.findLast(([, size]) => ms % size === 0)?.[0] ?? 'seconds';
}

function settingsList(t: Text, settings: PlacementSettings, devices: PlacementView['devices']): Html {
  const { minInstances, maxInstances, deviceIds, deviceClass, provider, strategy, keepAliveMs } = settings;
  const labels = deviceIds?.map((id) => devices.find((device) => device.id === id)?.label ?? id);
  const yes = (is: boolean) => (is ? t('value.yes') : t('value.no'));
  const range = minInstances === maxInstances ? [minInstances] : [minInstances, maxInstances];
  return keyValues([
    { label: t('placement.count'), value: range.map((count) => t.number(count)).join('–') },
    { label: t('placement.devices'), value: labels?.join(', ') ?? t('placement.any') },
    { label: t('placement.class'), value: deviceClass ?? t('placement.any') },
    {
      label: t('placement.provider'),
      value: providers.find(([name]) => name === provider)?.[1] ?? t('placement.best'),
    },
    { label: t('placement.strategy'), value: t(`placement.strategy.${strategy}`) },
    { label: t('placement.onePerDevice'), value: yes(settings.onePerDevice) },
    { label: t('placement.pinned'), value: yes(settings.pinned) },
    { label: t('placement.priority'), value: t.number(settings.priority) },
    { label: t('placement.reserve'), value: t.bytes(settings.minFreeBytes) },
    {
      label: t('placement.keepAlive'),
      value: keepAliveMs === undefined ? t('placement.untilNeeded') : t.duration(keepAliveMs),
    },
  ]);
}

/** What a preview came to, in sentences. */
export function outcomePart(frame: Frame, outcome: Outcome): Html {
  const { t } = frame;
  if ('problem' in outcome) {
    return notice({ tone: 'bad', title: t('preview.problem'), text: said(t, outcome.problem) });
  }
  const { model, version, placements, evictions, refusals, passedOver, instances } = outcome;
  const isQuiet = placements.length + evictions.length + refusals.length === 0;
  return html`${placements.map((placement) => placedNotice(t, model, version, placement))}
  ${evictions.map(({ version: other, device, reason }) =>
    notice({ tone: 'warn', title: t('preview.evicted', { version: other, device }), text: said(t, reason) }),
  )}
  ${refusals.map(({ missing, reason, hint }) =>
    notice({
      tone: 'bad',
      title: t('preview.refused', { count: missing }),
      text: html`${said(t, reason)} <b>${said(t, hint)}</b>`,
    }),
  )}
  ${
    isQuiet &&
    notice({
      tone: 'info',
      text: instances > 0 ? t('preview.nothing', { count: instances }) : t('preview.nowhere'),
    })
  }
  ${
    passedOver.length > 0 &&
    html`<details class="change">
      <summary>${t('preview.passedOver')}</summary>
      <ul>
        ${passedOver.map(({ provider, reason }) => html`<li><b>${provider}</b> ${said(t, reason)}</li>`)}
      </ul>
    </details>`
  }`;
}

function placedNotice(
  t: Text,
  model: string,
  version: number,
  { device, provider, batch, bytes, measured, reason }: PreviewView['placements'][number],
): Html {
  const certainty = t(measured ? 'footprint.measured' : 'footprint.estimated');
  const values = { provider, bytes: t.bytes(bytes), certainty };
  const how = batch > 0 ? t('preview.placedHow', { ...values, batch }) : t('preview.placedSingle', values);
  return notice({
    tone: 'good',
    title: t('preview.placed', { model, version: String(version), device }),
    text: html`${how} ${said(t, reason)}`,
  });
}
