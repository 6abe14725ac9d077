// The GPUs and the processor: who holds how much of each, how busy it is, and what would happen if a model were started.
import { type Html, html } from '../html.ts';
import type { DevicesView, DeviceView, Finding } from '../machine-views.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { select } from '../parts/form.ts';
import { meter, type Segment, segmentMeter } from '../parts/meter.ts';
import { emptyState, notice, skeleton } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import { type KeyValue, keyValues } from '../parts/text-block.ts';
import type { Text } from '../text/text.ts';
import type { Frame, Tone } from '../view-types.ts';
import { outcomePart } from './placement.ts';

const kindNames = { cuda: 'CUDA', rocm: 'ROCm', webgpu: 'WebGPU', cpu: 'CPU' } as const;
const levelTones: Record<Finding['level'], Tone> = { error: 'bad', warning: 'warn', ok: 'good' };

/** Takes model and device (an id, or empty for any) of the preview. */
export function devicesScreen(frame: Frame, { devices, problem, faults, models, preview }: DevicesView): Html {
  const { t, viewer } = frame;
  return page(frame, {
    title: t('devices.title'),
    lead: t('devices.lead'),
    live: '/admin/live?topics=devices',
    body: [
      html`${problem !== undefined && notice({ tone: 'info', title: t('devices.unseen'), text: said(t, problem) })}`,
      ...faults.map((fault) =>
        notice({ tone: 'bad', title: t('devices.fault'), text: html`${said(t, fault)} ${t('devices.restart')}` }),
      ),
      ...devices.map((device) => deviceCard(frame, device)),
      previewCard(frame, devices, models, preview),
      html`${viewer?.may('doctor.read') && findingsCard(t)}`,
    ],
  });
}

/** What the server says for itself: English where there are no other words for it. */
export function said(t: Text, text: string): Html {
  return t.isSaid(text) ? html`${t.said(text)}` : html`<span lang="en">${text}</span>`;
}

function deviceCard(frame: Frame, view: DeviceView): Html {
  const { t } = frame;
  const { id, label, device, host } = view;
  return card({
    title: label,
    actions: html`<span data-live-key="device.${id}.state">${deviceState(frame, view)}</span>`,
    body: html`<div class="stack">
      <div data-live-key="device.${id}.memory">${deviceMemory(frame, view)}</div>
      <div class="columns">
        <div data-live-key="device.${id}.load">${deviceLoad(frame, view)}</div>
        ${keyValues(host ? hostFacts(t, host) : deviceFacts(t, device))}
      </div>
    </div>`,
  });
}

export function deviceState({ t }: Frame, { device: { kind, state, reason, reading } }: DeviceView): Html {
  const isLost = state === 'lost';
  return html`${!isLost && reason !== undefined && html`<small class="quiet">${said(t, reason)}</small>`}
  ${chip({ tone: 'idle', label: kindNames[kind] })}
  ${!isLost && reading.throttle.length > 0 && chip({ tone: 'warn', label: t('device.throttled') })}
  ${chip({ tone: isLost ? 'bad' : 'good', label: t(`device.state.${state}`) })}`;
}

export function deviceMemory({ t }: Frame, { label, device, memory }: DeviceView): Html {
  if (device.state === 'lost') return notice({ tone: 'bad', text: said(t, device.reason ?? t('device.state.lost')) });
  if (!memory) return html`<p class="quiet">${t('device.memoryUnread')}</p>`;
  const { capacityBytes, held, programs, othersBytes, reserveBytes, freeBytes } = memory;
  const segment = (kind: Segment['kind'], name: string, bytes: number, href?: string): Segment => ({
    kind,
    label: name,
    value: bytes,
    href,
    text: t.bytes(bytes),
  });
  const segments = [
    ...held.map(({ model, version, instances, bytes, measured }) => {
      const name = `${model}:${version}${instances > 1 ? ` × ${t.number(instances)}` : ''}`;
      const shown = segment('held', name, bytes, `/admin/models/${encodeURIComponent(model)}`);
      return measured ? shown : { ...shown, text: `≈ ${shown.text}` };
    }),
    ...programs.map(({ pid, name, bytes }) => segment('others', t('device.pid', { name, pid: String(pid) }), bytes)),
    ...(othersBytes > 0 ? [segment('others', t('meter.others'), othersBytes)] : []),
    ...(reserveBytes > 0 ? [segment('reserved', t('meter.reserved'), reserveBytes)] : []),
  ];
  return segmentMeter({
    label: t('device.memory', { device: label }),
    segments,
    max: capacityBytes,
    rest: { label: t('meter.free'), text: t.bytes(freeBytes) },
  });
}

/** What changes from second to second. */
export function deviceLoad({ t }: Frame, { device: { state, reading } }: DeviceView): Html {
  if (state === 'lost') return html``;
  const { utilisation, temperatureC, powerW, powerLimitW, smClockMhz, memoryClockMhz, throttle, eccErrors } = reading;
  const celsius = (value: number) => value.toLocaleString(t.tag, { style: 'unit', unit: 'celsius' });
  const watts = (value: number) => t.number(value, 0);
  const power =
    powerW !== undefined &&
    (powerLimitW === undefined
      ? t('device.watts', { value: watts(powerW) })
      : t('device.wattsOf', { value: watts(powerW), limit: watts(powerLimitW) }));
  return keyValues(
    known([
      [
        t('device.utilisation'),
        utilisation !== undefined &&
          meter({ label: t('device.utilisation'), value: utilisation, text: t.percent(utilisation), tone: 'accent' }),
      ],
      [t('device.temperature'), temperatureC !== undefined && celsius(temperatureC)],
      [t('device.power'), power],
      [
        t('device.clocks'),
        smClockMhz !== undefined &&
          memoryClockMhz !== undefined &&
          t('device.clocksOf', { core: smClockMhz, memory: memoryClockMhz }),
      ],
      [t('device.throttle'), throttle.length > 0 && said(t, throttle.join(', '))],
      [
        t('device.ecc'),
        eccErrors !== undefined &&
          eccErrors > 0 &&
          chip({ tone: 'bad', label: t('device.eccOf', { count: eccErrors }) }),
      ],
    ]),
  );
}

function deviceFacts(t: Text, device: DeviceView['device']): KeyValue[] {
  const { id, driverVersion, cudaVersion, computeCapability, pciAddress, numaNode, parentId } = device;
  return known([
    [t('device.driver'), driverVersion],
    [t('device.cuda'), cudaVersion],
    [t('device.capability'), computeCapability],
    [t('device.pci'), pciAddress !== undefined && html`<code>${pciAddress}</code>`],
    [t('device.numa'), numaNode !== undefined && t.number(numaNode)],
    [t('device.parent'), parentId !== undefined && html`<code>${parentId}</code>`],
    [t('device.id'), html`<code>${id}</code>`],
  ]);
}

function hostFacts(t: Text, host: NonNullable<DeviceView['host']>): KeyValue[] {
  const { cores, threads, sockets, usableCpus, dealtThreads, nodes, features } = host;
  return known([
    [t('device.cores'), t('device.coresOf', { cores, threads, count: sockets })],
    [t('device.usable'), t('device.usableOf', { usable: usableCpus, threads })],
    [t('device.dealt'), t('device.dealtOf', { count: dealtThreads })],
    [
      t('device.nodes'),
      html`<ul>
        ${nodes.map(
          ({ id, cpus, memoryBytes }) =>
            html`<li>${t('device.nodeOf', { id, count: cpus.length, bytes: t.bytes(memoryBytes) })}</li>`,
        )}
      </ul>`,
    ],
    [t('device.features'), features.length > 0 && html`<code>${features.join(' ')}</code>`],
  ]);
}

function known(entries: [label: string, value: Html | string | undefined | false][]): KeyValue[] {
  return entries.flatMap(([label, value]) => (value === undefined || value === false ? [] : [{ label, value }]));
}

function previewCard(frame: Frame, devices: DeviceView[], models: string[], preview: DevicesView['preview']): Html {
  const { t } = frame;
  const { model, device, outcome } = preview;
  const state = { values: { model, device }, errors: {} };
  const asked = html`<form
    class="filters"
    method="get"
    action="/admin/devices"
    hx-get="/admin/devices"
    hx-select="#preview"
    hx-target="#preview"
    hx-swap="outerHTML"
  >
    ${select(frame, {
      name: 'model',
      label: t('preview.model'),
      options: models.map((value) => ({ value, label: value })),
      state,
      required: true,
    })}
    ${select(frame, {
      name: 'device',
      label: t('preview.device'),
      options: [{ value: '', label: t('preview.anywhere') }, ...devices.map(({ id, label }) => ({ value: id, label }))],
      state,
    })}
    <div class="actions">${button({ label: t('preview.do'), kind: 'primary', submit: true })}</div>
  </form>`;
  return card({
    title: t('preview.title'),
    actions: html`<span class="quiet">${t('preview.lead')}</span>`,
    body:
      models.length === 0
        ? emptyState({ icon: 'models', title: t('preview.noModels') })
        : html`<div class="stack">
            ${asked}
            <div id="preview" class="stack" role="status">${outcome && outcomePart(frame, outcome)}</div>
          </div>`,
  });
}

function findingsCard(t: Text): Html {
  return card({ title: t('findings.title'), body: skeleton(t, { lines: 3, from: '/admin/findings' }) });
}

/** A fragment: what the doctor found, the worst first. */
export function findingsPart({ t }: Frame, findings: Finding[]): Html {
  const troubles = findings.filter(({ level }) => level !== 'ok');
  const well = findings.filter(({ level }) => level === 'ok');
  return html`<div class="stack">
    ${troubles.length === 0 && notice({ tone: 'good', text: t('findings.well') })}
    ${troubles.map(({ level, what, fix = '' }) =>
      notice({ tone: levelTones[level], text: html`${said(t, what)} <b>${said(t, fix)}</b>` }),
    )}
    <details class="change">
      <summary>${t('findings.ok', { count: well.length })}</summary>
      <ul>
        ${well.map(({ what }) => html`<li class="quiet">${said(t, what)}</li>`)}
      </ul>
    </details>
  </div>`;
}
