// Trying a model in the browser: a picture, a row or tensors go to the same address that clients call, and what comes back
// is drawn, listed and timed. The script try-it.js does the calling.
import type { TableColumn, TensorSpec } from '../../src/types.ts';
import { assetUrl } from '../assets.ts';
import { elementCount, exampleShape, exampleValue, isBinaryOnly } from '../call-examples.ts';
import { type Html, html } from '../html.ts';
import type { TryView } from '../model-views.ts';
import { button } from '../parts/button.ts';
import { field, hiddenFields, select } from '../parts/form.ts';
import { jsonScript } from '../parts/json-script.ts';
import { notice } from '../parts/notice.ts';
import { card } from '../parts/tabs.ts';
import { pictureInput } from '../parts/upload.ts';
import type { Text } from '../text/text.ts';
import type { Frame } from '../view-types.ts';
import { modelPage } from './model.ts';
import { modelPath } from './models.ts';
import { shapeText } from './version.ts';

/** More fields than that are no form for a person. */
const mostFields = 100;
/** More numbers than that are left to the page to write out. */
const mostNumbers = 200;

export function tryScreen(frame: Frame, view: TryView): Html {
  const { t, viewer } = frame;
  const { head, task, version, state, columns } = view;
  const isPicture = task === 'image-classification' || task === 'object-detection';
  const isForm = columns !== undefined && columns.length <= mostFields;
  const load = viewer?.may('model.load')
    ? html`<form method="post" action="${modelPath(head.name, `/versions/${version}/load`)}">
        ${hiddenFields({ csrf: frame.csrf, back: frame.path })}
        ${button({ label: t('version.load'), icon: 'play', kind: 'primary', submit: true })}
      </form>`
    : undefined;
  return modelPage(frame, head, '/try', {
    body: html`${versionChoice(frame, view)}
      ${state === 'unloaded' && notice({ tone: 'warn', text: t('try.unloaded'), action: load })}
      ${state === 'cold' && notice({ tone: 'info', text: t('try.cold') })}
      <noscript>${notice({ tone: 'warn', text: t('try.noScript') })}</noscript>
      ${isPicture && tryCard(frame, view, 'picture', t('try.picture'), html`${pictureInput(t, { id: 'photo', name: 'image' })}`)}
      ${isForm && tryCard(frame, view, 'row', t('try.row'), rowFields(frame, columns))}
      ${tryCard(frame, view, 'tensor', t('try.tensor'), tensorEditor(frame, view.inputs))}
      ${jsonScript('try-text', clientText(t))}
      <script type="module" src="${assetUrl('try-it.js')}"></script>`,
  });
}

function versionChoice(frame: Frame, { head, version, versions }: TryView): Html | undefined {
  const { t } = frame;
  if (versions.length < 2) return undefined;
  return html`<form class="inline" method="get" action="${modelPath(head.name, '/try')}">
    ${select(frame, {
      name: 'version',
      label: t('model.version'),
      required: true,
      value: String(version),
      options: versions.map((each) => ({
        value: String(each),
        label: t(each === head.current ? 'try.currentVersion' : 'version.number', { version: String(each) }),
      })),
    })}
    ${button({ label: t('try.choose'), submit: true })}
  </form>`;
}

type Kind = 'picture' | 'row' | 'tensor';

/** The form is never sent by itself: the script sends what is in it. */
function tryCard(frame: Frame, { head, version }: TryView, kind: Kind, title: string, fields: Html): Html {
  const { t } = frame;
  const name = encodeURIComponent(head.name);
  const action =
    kind === 'tensor'
      ? `/v2/models/${name}/versions/${version}/infer`
      : `/v1/models/${name}/versions/${version}/predict`;
  const content = html`<am-try data-kind="${kind}">
    <div class="try-columns">
      <form class="form" action="${action}">
        ${fields}
        ${kind !== 'picture' && html`<div class="form-foot">${button({ label: t('try.send'), icon: 'play', kind: 'primary', submit: true })}</div>`}
      </form>
      <div class="try-answer stack" role="status" aria-live="polite">
        <p class="quiet">${t(`try.${kind}Hint`)}</p>
      </div>
    </div>
  </am-try>`;
  return card({ title, body: content });
}

function rowFields(frame: Frame, columns: TableColumn[]): Html {
  const { t } = frame;
  return html`${jsonScript(
      undefined,
      columns.map(({ name, kind }) => ({ name, kind })),
    )}
    <div class="fields">
      ${columns.map(({ name, kind, categories, fallback }, i) => {
        const shared = { name: `column-${i}`, label: name, required: fallback === undefined };
        if (kind === 'category') {
          const options = (categories ?? []).map((value) => ({ value, label: value }));
          const empty = fallback === undefined ? [] : [{ value: '', label: t('try.leaveOut') }];
          return select(frame, { ...shared, options: [...empty, ...options] });
        }
        return field(frame, {
          ...shared,
          type: 'number',
          value: fallback === undefined ? 0 : '',
          attributes: { step: 'any' },
        });
      })}
    </div>`;
}

function tensorEditor(frame: Frame, inputs: TensorSpec[]): Html {
  const { t } = frame;
  const isFilled = inputs.some((input) => elementCount(exampleShape(input, inputs)) > mostNumbers);
  const binary = inputs.filter(isBinaryOnly);
  if (binary.length > 0) {
    return notice({ tone: 'warn', text: t('try.binaryOnly', { names: binary.map(shapeOf).join(', ') }) });
  }
  const request = exampleRequest(inputs);
  return html`<p class="hint">${inputs.map(shapeOf).join(' · ')}</p>
    ${field(frame, {
      name: 'json',
      label: t('try.request'),
      hint: isFilled ? t('try.fill', { example: '{"fill": 0.5}' }) : undefined,
      required: true,
      rows: Math.min(24, request.split('\n').length + 1),
      value: request,
      attributes: { spellcheck: 'false', autocomplete: 'off' },
    })}`;
}

function shapeOf(spec: TensorSpec): string {
  return `${spec.name} ${spec.datatype} ${shapeText(spec)}`;
}

/** A request that fits the signature. `{"fill": x}` stands for many numbers; the script writes them out. */
function exampleRequest(inputs: TensorSpec[]): string {
  const tensors = inputs.map((input) => {
    const { name, datatype } = input;
    const shape = exampleShape(input, inputs);
    const value = exampleValue(datatype);
    const count = elementCount(shape);
    const data = count > mostNumbers ? { fill: value } : Array.from({ length: count }, () => value);
    return `    {
      "name": ${JSON.stringify(name)},
      "shape": ${JSON.stringify(shape)},
      "datatype": ${JSON.stringify(datatype)},
      "data": ${JSON.stringify(data)}
    }`;
  });
  return `{\n  "inputs": [\n${tensors.join(',\n')}\n  ]\n}`;
}

/** What try-it.js says. */
function clientText(t: Text): Record<string, string> {
  return {
    working: t('try.working'),
    label: t('try.label'),
    score: t('try.score'),
    place: t('try.place'),
    value: t('try.value'),
    nothing: t('try.nothing'),
    queue: t('try.queue'),
    compute: t('try.compute'),
    processing: t('try.processing'),
    network: t('try.network'),
    time: t('try.time'),
    answer: t('try.answer'),
    output: t('try.output'),
    badJson: t('try.badJson', { reason: '{reason}' }),
    shortened: t('try.shortened', { count: '{count}' }),
  };
}
