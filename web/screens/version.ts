// What a version is: its signature, what it says of itself, what it is made of, and where it runs or would run. Used by the
// page of a version and by that of its model.
import type { Postprocess, Preprocess, TensorSpec } from '../../src/types.ts';
import { type Html, html } from '../html.ts';
import type { Outcome } from '../machine-views.ts';
import type { VersionPageView, VersionView } from '../model-views.ts';
import { button } from '../parts/button.ts';
import { confirmButton } from '../parts/dialog.ts';
import { hiddenFields } from '../parts/form.ts';
import { emptyState, notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { table } from '../parts/table.ts';
import { card } from '../parts/tabs.ts';
import { type KeyValue, keyValues, moment } from '../parts/text-block.ts';
import type { Text } from '../text/text.ts';
import type { Frame } from '../view-types.ts';
import { said } from './devices.ts';
import { modelPath, stateChip, untilSettled } from './models.ts';
import { outcomePart } from './placement.ts';
import { archivedNotice, goLiveButton, standingCard } from './version-standing.ts';

export function versionScreen(frame: Frame, view: VersionPageView): Html {
  const { t } = frame;
  const { head, version, outcome, isNew, problem, standing } = view;
  return page(frame, {
    title: t('version.title', { name: head.name, version: String(version.version) }),
    lead: version.manifest.description,
    trail: [
      { label: t('models.title'), href: '/admin/models' },
      { label: head.name, href: modelPath(head.name) },
      { label: t('model.versions'), href: modelPath(head.name, '/versions') },
    ],
    state: stateChip(frame, version.state),
    actions: html`${goLiveButton(frame, version)} ${versionActions(frame, version, head.current, true)}`,
    body: html`${untilSettled(frame, [version.state])}
      ${problem !== undefined && notice({ tone: 'bad', text: said(t, problem) })}
      ${isNew && version.state === 'unloaded' && notice({ tone: 'info', title: t('version.new'), text: t('version.newWhat') })}
      ${version.reason && notice({ tone: version.state === 'failed' ? 'bad' : 'info', text: said(t, version.reason) })}
      ${archivedNotice(frame, standing.note)} ${warningList(frame, version)}
      <div class="columns">${identityCard(frame, version)} ${contentCard(frame, version)}</div>
      ${signatureCard(frame, version)}
      <div class="columns">${manifestCard(frame, version)} ${placementCard(frame, head.name, outcome)}</div>
      ${standingCard(frame, version, standing)}`,
  });
}

/**
 * Posts to `…/versions/N/load`, `/unload` and `/remove`.
 * @param isAlone it is the one that the page is about: there is room for what is done less often
 */
export function versionActions(
  frame: Frame,
  { model, version, state }: VersionView,
  current: number | null,
  isAlone = false,
): Html {
  const { t, viewer, csrf } = frame;
  const path = modelPath(model, `/versions/${version}`);
  const isLoaded = state !== 'unloaded' && state !== 'failed';
  const number = String(version);
  const load = () => {
    const label = current !== null && current !== version ? t('version.makeCurrent') : t('version.load');
    return html`<form method="post" action="${path}/load">
      ${hiddenFields({ csrf })} ${button({ label, icon: 'play', kind: 'primary', submit: true })}
    </form>`;
  };
  const unload = () =>
    confirmButton(frame, {
      id: `unload-${version}`,
      label: t('version.unload'),
      icon: 'pause',
      what: t('version.unloadWhat', { name: model, version: number }),
      action: `${path}/unload`,
    });
  const derive = () => button({ label: t('version.derive'), icon: 'settings', href: `${path}/derive` });
  const remove = () =>
    confirmButton(frame, {
      id: `remove-${version}`,
      label: t('version.remove'),
      icon: 'trash',
      kind: 'danger',
      what: t('version.removeWhat', { name: model, version: number }),
      action: `${path}/remove`,
    });
  return html`${viewer?.may('model.load') && (isLoaded ? unload() : load())}
  ${isAlone && viewer?.may('model.write') && derive()} ${!isLoaded && viewer?.may('model.write') && remove()}`;
}

export function warningList({ t }: Frame, { warnings }: VersionView): Html | undefined {
  if (warnings.length === 0) return undefined;
  return notice({
    tone: 'warn',
    title: t('version.warnings', { count: warnings.length }),
    text: html`${warnings.map((warning, i) => html`${i > 0 && html`<br />`}${said(t, warning)}`)}`,
  });
}

function identityCard(frame: Frame, { createdAt, bytes, manifest, files }: VersionView): Html {
  const { t } = frame;
  const { kind, from } = manifest.origin;
  return card({
    title: t('version.identity'),
    body: keyValues([
      { label: t('version.created'), value: moment(frame, Date.parse(createdAt)) },
      {
        label: t('version.origin'),
        value: html`${t(`origin.${kind}`)} ${from !== undefined && html`<code>${from}</code>`}`,
      },
      { label: t('model.licence'), value: manifest.licence ?? t('model.noLicence') },
      { label: t('model.size'), value: t.bytes(bytes) },
      {
        label: t('version.files'),
        value: html`<ul class="stack tight">
          ${files.slice(0, 12).map(({ path, bytes: size }) => html`<li><code>${path}</code> ${t.bytes(size)}</li>`)}
          ${files.length > 12 && html`<li>${t('version.more', { count: files.length - 12 })}</li>`}
        </ul>`,
      },
    ]),
  });
}

function contentCard({ t }: Frame, { facts }: VersionView): Html {
  const operators = Object.entries(facts.operators).sort(([, a], [, b]) => b - a);
  return card({
    title: t('version.content'),
    body: keyValues([
      { label: t('version.format'), value: `ONNX, IR ${facts.irVersion}` },
      {
        label: t('version.opset'),
        value: Object.entries(facts.opsets)
          .map(([domain, number]) => `${domain} ${number}`)
          .join(', '),
      },
      { label: t('version.producer'), value: facts.producer || t('value.none') },
      { label: t('version.parameters'), value: `${t.number(facts.parameters)} (${t.bytes(facts.weightBytes)})` },
      {
        label: t('version.operators'),
        value: html`<ul class="chips">
          ${operators.slice(0, 40).map(([name, count]) => html`<li><code>${name}</code> ${t.number(count)}</li>`)}
          ${operators.length > 40 && html`<li>${t('version.more', { count: operators.length - 40 })}</li>`}
        </ul>`,
      },
    ]),
  });
}

export function signatureCard(frame: Frame, { signature }: VersionView): Html {
  const { t } = frame;
  const rows = [
    ...signature.inputs.map((spec) => ({ spec, way: t('signature.input') })),
    ...signature.outputs.map((spec) => ({ spec, way: t('signature.output') })),
  ];
  return card({
    title: t('signature.title'),
    flush: true,
    body: table<(typeof rows)[number]>({
      caption: t('signature.title'),
      rows,
      empty: emptyState({ icon: 'models', title: t('table.none') }),
      columns: [
        { label: t('signature.name'), role: 'main', cell: ({ spec }) => html`<code>${spec.name}</code>` },
        { label: t('signature.way'), cell: ({ way }) => way },
        { label: t('signature.type'), cell: ({ spec }) => html`<code>${spec.datatype}</code>` },
        { label: t('signature.shape'), cell: ({ spec }) => html`<code>${shapeText(spec)}</code>` },
      ],
    }),
  });
}

/** Variable dimensions by their name in the model. */
export function shapeText({ shape, dimNames = [] }: TensorSpec): string {
  return `[${shape.map((size, axis) => (size === -1 ? dimNames[axis] || '?' : size)).join(', ')}]`;
}

export function manifestCard(frame: Frame, { manifest }: VersionView): Html {
  const { t } = frame;
  const { task, labels, preprocess, postprocess, serving } = manifest;
  const { maxBatchSize, preferredBatchSizes, maxQueueDelayUs, priorityLevels, instances, threads } = serving;
  const entries: (KeyValue | undefined)[] = [
    { label: t('model.task'), value: t(`task.${task}`) },
    labels && { label: t('manifest.labels', { count: labels.length }), value: labelList(t, labels) },
    preprocess && { label: t('manifest.preprocess'), value: preprocessText(t, preprocess) },
    postprocess && { label: t('manifest.postprocess'), value: postprocessText(t, postprocess) },
    {
      label: t('manifest.batching'),
      value: maxBatchSize > 0 ? t('manifest.batches', { size: maxBatchSize }) : t('manifest.noBatches'),
    },
    preferredBatchSizes.length > 0
      ? { label: t('manifest.preferred'), value: preferredBatchSizes.join(', ') }
      : undefined,
    maxQueueDelayUs > 0 ? { label: t('manifest.delay'), value: t.duration(maxQueueDelayUs / 1000) } : undefined,
    priorityLevels > 0 ? { label: t('manifest.priorities'), value: t.number(priorityLevels) } : undefined,
    { label: t('manifest.instances'), value: t.number(instances) },
    { label: t('manifest.threads'), value: threads > 0 ? t.number(threads) : t('manifest.automatic') },
  ];
  return card({ title: t('manifest.title'), body: keyValues(entries.filter((entry) => entry !== undefined)) });
}

function labelList(t: Text, labels: string[]): Html {
  const first = labels.slice(0, 12).join(', ');
  if (labels.length <= 12) return html`${first}`;
  return html`${first}
    <details class="change">
      <summary class="quiet">${t('version.more', { count: labels.length - 12 })}</summary>
      <p>${labels.slice(12, 2000).join(', ')}</p>
    </details>`;
}

function preprocessText(t: Text, preprocess: Preprocess): Html {
  if (preprocess.kind === 'table') {
    const { columns } = preprocess;
    return html`${t('manifest.columns', { count: columns.length })}
      <code
        >${columns
          .slice(0, 30)
          .map(({ name }) => name)
          .join(', ')}${columns.length > 30 ? ', …' : ''}</code
      >`;
  }
  const { width, height, fit, layout, colour, filter, scale, mean, std } = preprocess;
  const values = [`scale ${round(scale)}`, `mean ${mean.map(round).join(' ')}`, `std ${std.map(round).join(' ')}`];
  return html`${t('manifest.picture', { width: String(width), height: String(height) })}
    <code>${[fit, filter, colour, layout, ...values].join(' · ')}</code>`;
}

function postprocessText(t: Text, postprocess: Postprocess): Html {
  switch (postprocess.kind) {
    case 'classes':
      return html`${t('manifest.classes', { count: postprocess.top })} <code>${postprocess.activation}</code>`;
    case 'numbers':
      return html`${t('manifest.numbers')} <code>${(postprocess.names ?? []).slice(0, 30).join(', ')}</code>`;
    default: {
      const { minScore, maxOverlap, maxBoxes, activation } = postprocess;
      const score = t.percent(minScore);
      return html`${t('manifest.boxes', { count: maxBoxes, score, overlap: t.percent(maxOverlap) })}
        <code>${postprocess.kind} · ${activation}</code>`;
    }
  }
}

function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}

export function placementCard(frame: Frame, name: string, outcome: Outcome): Html {
  const { t, viewer } = frame;
  return card({
    title: t('where.title'),
    actions: viewer?.may('placement.write')
      ? button({
          label: t('where.settings'),
          kind: 'quiet',
          icon: 'settings',
          href: `/admin/placement/${encodeURIComponent(name)}`,
        })
      : undefined,
    body: html`<div class="stack">
      ${outcomePart(frame, outcome)}
      ${
        'ways' in outcome &&
        html`<h3>${t('where.ways')}</h3>
          ${keyValues(
            outcome.ways.map(({ kind, provider, batch, bytes, measured }) => ({
              label: kind === provider ? provider : `${kind} · ${provider}`,
              value: html`${measured ? t.bytes(bytes) : `≈ ${t.bytes(bytes)}`}
                <span class="quiet">
                  ${t(measured ? 'footprint.measured' : 'footprint.estimated')}${batch > 0 && html`, ${t('where.batch', { size: batch })}`}
                </span>`,
            })),
          )}`
      }
    </div>`,
  });
}
