// Sample data for every part and screen, and the gallery that shows them all: for tests and screenshots only.
import { type Html, html } from '../../web/html.ts';
import { button, toolButton } from '../../web/parts/button.ts';
import { chart, sparkline, stat, stats } from '../../web/parts/chart.ts';
import { chip } from '../../web/parts/chip.ts';
import { confirmButton, dialog, opens } from '../../web/parts/dialog.ts';
import { checkbox, choices, field, form, select } from '../../web/parts/form.ts';
import { meter, progress, segmentMeter } from '../../web/parts/meter.ts';
import { emptyState, notice, skeleton } from '../../web/parts/notice.ts';
import { page } from '../../web/parts/page.ts';
import { pagination, searchField, table } from '../../web/parts/table.ts';
import { card, codeTabs, tabs } from '../../web/parts/tabs.ts';
import { codeBlock, copyable, keyValues, moment, timeline } from '../../web/parts/text-block.ts';
import { boxes, pictureInput, upload } from '../../web/parts/upload.ts';
import { type Language, translate } from '../../web/text/text.ts';
import type { Frame, Role, Theme } from '../../web/view-types.ts';

export const nowMs = Date.UTC(2026, 0, 31, 14, 5);
const gib = 1024 ** 3;

export function sampleFrame(
  language: Language,
  options: { path?: string; theme?: Theme; role?: Role | 'nobody' } = {},
): Frame {
  const { path = '/admin', theme = 'system', role = 'administrator' } = options;
  return {
    t: translate(language, 'UTC'),
    theme,
    path,
    csrf: 'csrf-sample',
    version: '0.2.0',
    nowMs,
    waiting: role === 'administrator' ? 2 : undefined,
    viewer: role === 'nobody' ? undefined : { name: 'li.wei', role, may: () => role === 'administrator' },
  };
}

const seconds = Array.from({ length: 120 }, (_, i) => nowMs / 1000 - (120 - i) * 30);
const wave = (base: number, swing: number, pace: number) =>
  seconds.map((_, i) => Math.round((base + swing * Math.sin(i / pace) + (swing / 3) * Math.sin(i / 1.7)) * 10) / 10);

/** Every part once, with the words of the language where the parts themselves have words. */
export function gallery(frame: Frame): Html {
  return page(frame, {
    title: 'NVIDIA H100 80GB · GPU 0',
    lead: 'Every part of the design system with sample data.',
    trail: [{ label: frame.t('nav.devices'), href: '/admin/devices' }],
    state: chip({ tone: 'good', label: 'ready' }),
    actions: html`${button({ label: frame.t('do.edit'), href: '#' })}
    ${button({ label: 'Load a model', icon: 'plus', kind: 'primary', attributes: opens('load') })}`,
    live: '/live',
    body: [
      notice({ tone: 'warn', title: 'GPU 1 is nearly full', text: 'Unload digits:3 or move it to GPU 2.' }),
      notice({ tone: 'bad', text: 'The driver does not answer.' }),
      notice({ tone: 'good', text: 'Saved.' }),
      notice({ tone: 'info', text: 'A newer release is on this machine.' }),
      tiles(),
      memory(frame),
      charts(),
      list(frame),
      words(frame),
      forms(frame),
      files(frame),
      loadDialog(frame),
    ],
  });
}

function tiles(): Html {
  return stats([
    stat({
      label: 'Requests',
      value: '1,284',
      unit: '/s',
      icon: 'overview',
      liveKey: 'rate',
      trend: { label: 'Requests in the last hour', values: wave(900, 300, 9).slice(-40) },
    }),
    stat({
      label: 'Latency p99',
      value: '18.4',
      unit: 'ms',
      icon: 'clock',
      trend: { label: 'Latency in the last hour', values: wave(16, 5, 14).slice(-40) },
    }),
    stat({
      label: 'Waiting',
      value: '3',
      note: 'of 512 places in the queue',
      icon: 'instances',
      href: '/admin/instances',
    }),
    stat({ label: 'Errors', value: '0.4', unit: '%', tone: 'bad', note: '12 in the last five minutes' }),
  ]);
}

function memory({ t }: Frame): Html {
  const rest = { label: t('meter.free'), text: t.bytes(21.6 * gib) };
  return html`<div class="columns">
    ${card({
      title: 'GPU 0 · memory',
      actions: chip({ tone: 'info', label: 'loading', busy: true }),
      body: segmentMeter({
        label: 'GPU 0',
        max: 80 * gib,
        rest,
        segments: [
          { label: 'faces:4', value: 22 * gib, text: t.bytes(22 * gib), kind: 'held', href: '/admin/models/faces' },
          { label: 'credit:12', value: 9 * gib, text: t.bytes(9 * gib), kind: 'held', href: '/admin/models/credit' },
          { label: 'weld-defects:2', value: 14.4 * gib, text: t.bytes(14.4 * gib), kind: 'held' },
          { label: 'ocr:7', value: 6 * gib, text: t.bytes(6 * gib), kind: 'held' },
          { label: t('meter.others'), value: 5 * gib, text: t.bytes(5 * gib), kind: 'others' },
          { label: t('meter.reserved'), value: 2 * gib, text: t.bytes(2 * gib), kind: 'reserved' },
        ],
      }),
    })}
    ${card({
      title: 'Sensors',
      body: keyValues([
        { label: 'Utilisation', value: meter({ label: 'Utilisation', value: 0.42, text: '42 %', liveKey: 'gpu0' }) },
        { label: 'Memory', value: meter({ label: 'Memory', value: 0.81, text: '81 %' }) },
        { label: 'Power', value: meter({ label: 'Power', value: 660, max: 700, text: '660 W of 700 W' }) },
        { label: 'Temperature', value: '64 °C', liveKey: 'temperature' },
        { label: 'Driver', value: copyable(t, '580.126.09') },
      ]),
    })}
  </div>`;
}

function charts(): Html {
  const rows = ['p50', 'p90', 'p99'].map((label, i) => ({ label, values: wave(4 + i * 7, 2 + i * 2, 11 - i) }));
  return html`<div class="columns">
    ${card({
      body: chart({
        title: 'Latency',
        unit: 'ms',
        liveKey: 'latency',
        data: { series: rows, times: seconds, values: rows.map(({ values }) => values) },
      }),
    })}
    ${card({
      body: chart({
        title: 'Memory held',
        unit: 'bytes',
        data: { series: [{ label: 'GPU 0' }], times: seconds, values: [wave(50 * gib, 9 * gib, 17)] },
      }),
    })}
    ${card({ body: chart({ title: 'Queue', unit: 'number', data: { series: [{ label: 'x' }], times: [], values: [[]] } }) })}
    ${card({ title: 'Loading', body: skeleton(sampleFrame('en').t, { lines: 5 }) })}
  </div>`;
}

interface Row {
  name: string;
  state: 'good' | 'warn' | 'bad' | 'idle';
  rate: number;
}

function list(frame: Frame): Html {
  const { t } = frame;
  const rows: Row[] = [
    { name: 'faces', state: 'good', rate: 812 },
    { name: 'weld-defects', state: 'warn', rate: 64 },
    { name: 'credit', state: 'bad', rate: 0 },
    { name: 'ocr', state: 'idle', rate: 408 },
  ];
  return html`${tabs(
    t,
    'Parts of the model',
    [
      { label: 'Versions', href: '#versions', count: 12 },
      { label: 'Traffic', href: '#traffic' },
      { label: 'Logs', href: '#logs' },
    ],
    '#versions',
  )}
  ${searchField(t, { action: '/admin/models', label: 'Search by name', value: '', target: 'models' })}
  ${table<Row>({
    id: 'models',
    caption: t('nav.models'),
    rows,
    empty: emptyState({ icon: 'models', title: 'No model yet' }),
    columns: [
      {
        label: 'Model',
        role: 'main',
        cell: ({ name }) => html`<a href="#${name}">${name}</a><small>production</small>`,
      },
      { label: 'State', cell: ({ state }) => chip({ tone: state, label: state }) },
      {
        label: 'Traffic',
        cell: ({ rate, name }) => sparkline({ label: name, values: wave(rate, rate / 4, 6).slice(-40) }),
      },
      { label: 'Requests/s', align: 'end', cell: ({ rate }) => t.number(rate) },
      {
        label: 'Last call',
        align: 'end',
        cell: ({ rate }) => moment(frame, rate > 0 ? nowMs - rate * 1000 : undefined),
      },
      {
        label: t('table.actions'),
        role: 'actions',
        cell: ({ name }) =>
          confirmButton(frame, {
            id: `remove-${name}`,
            label: 'Delete',
            kind: 'danger',
            what: `${name} and its 12 versions are deleted. Callers get an error from now on.`,
            action: '/remove',
            typed: name,
          }),
      },
    ],
  })}
  ${pagination(t, { number: 2, size: 4, total: 31 }, (number) => `?page=${number}`)}`;
}

function words(frame: Frame): Html {
  const { t } = frame;
  const command = 'curl --data-binary @photo.jpg http://gpu-box:8700/v1/models/faces/predict';
  return html`<div class="columns">
    ${card({
      title: 'Call it',
      body: codeTabs(t, 'examples', 'Call examples', [
        { title: 'curl', text: command },
        { title: 'Python', text: 'import requests\nprint(requests.post(url, data=open("photo.jpg", "rb")).json())' },
        { title: 'TypeScript', text: 'const answer = await fetch(url, { method: "POST", body: photo });' },
      ]),
    })}
    ${card({ title: 'Log', body: codeBlock(t, { title: 'runner 3', text: 'loaded faces:4 in 812 ms\nready' }) })}
    ${card({
      title: 'History',
      actions: toolButton({ icon: 'restart', label: 'Again' }),
      body: timeline(frame, [
        { atMs: nowMs - 4 * 60_000, title: 'Version 4 is live', tone: 'good', text: 'approved by zhang.min' },
        { atMs: nowMs - 3_700_000, title: 'Version 4 submitted', tone: 'info' },
        { atMs: nowMs - 90_000_000, title: 'Version 3 rolled back', tone: 'bad', text: 'error rate above 2 %' },
      ]),
    })}
    ${emptyState({
      icon: 'models',
      title: 'No model yet',
      text: 'Upload an ONNX file, or start from a template.',
      action: button({ label: 'Upload a model', icon: 'upload', kind: 'primary', href: '#' }),
    })}
  </div>`;
}

function forms(frame: Frame): Html {
  const state = {
    values: { name: 'Faces!', instances: '2' },
    errors: { name: 'Small letters, digits and "-" only.' },
  };
  return card({
    title: 'Serving settings',
    body: form(frame, {
      action: '/save',
      state,
      submit: frame.t('do.save'),
      cancel: '#',
      fields: [
        field(frame, { name: 'name', label: 'Name', hint: 'Callers use it.', state, required: true }),
        html`<div class="fields">
          ${field(frame, { name: 'instances', label: 'Instances', type: 'number', state, required: true })}
          ${field(frame, { name: 'delay', label: 'Queue delay', type: 'number', value: 0, unit: 'ms' })}
        </div>`,
        select(frame, {
          name: 'device',
          label: 'Device',
          options: [
            { value: 'any', label: 'Any' },
            { value: 'gpu0', label: 'GPU 0' },
          ],
        }),
        choices({
          name: 'strategy',
          label: 'Placement',
          type: 'radio',
          chosen: ['spread'],
          options: [
            { value: 'spread', label: 'Spread', hint: 'The device with the most free memory' },
            { value: 'pack', label: 'Pack', hint: 'The device that it fills best' },
          ],
        }),
        checkbox({ name: 'pinned', label: 'Never evict it', checked: true, hint: 'It stays loaded when idle.' }),
        field(frame, { name: 'note', label: 'Note', rows: 3 }),
      ],
    }),
  });
}

function files({ t }: Frame): Html {
  return html`<div class="columns">
    ${card({
      title: 'Upload',
      body: html`<form class="form" method="post" action="/next">
        ${upload(t, { name: 'files', hint: 'ONNX, a Triton repository, or an archive of either; at most 8 GiB.' })}
        <div class="form-foot">${button({ label: 'Look at it', kind: 'primary', submit: true })}</div>
        ${progress('Importing', 0.6)} ${progress('Inspecting', undefined)}
      </form>`,
    })}
    ${card({
      title: 'Try it',
      body: html`<form hx-post="/try" hx-encoding="multipart/form-data" hx-target="#answer">
          ${pictureInput(t, { id: 'photo', name: 'image' })}
        </form>
        <div id="answer"></div>`,
    })}
  </div>`;
}

/** What a server answers to the picture form. */
export function triedFragment(): Html {
  return boxes('photo', [
    { label: 'face', score: 0.97, box: { x: 20, y: 20, width: 40, height: 50 }, keypoints: [{ x: 30, y: 35 }] },
  ]);
}

function loadDialog(frame: Frame): Html {
  return dialog(frame, {
    id: 'load',
    title: 'Load a model',
    body: html`<p>faces:4 needs 22 GiB; GPU 0 has 21.6 GiB free.</p>`,
  });
}
