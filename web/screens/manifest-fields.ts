// The fields that say what a model is for and how it is fed: of the page that brings a model in, and of the one that makes
// another version of it. Which of them are shown follows from the task that is chosen.
import type { TaskName } from '../../src/types.ts';
import { type Html, html } from '../html.ts';
import { choices, field, select } from '../parts/form.ts';
import { notice } from '../parts/notice.ts';
import type { FormState, Frame } from '../view-types.ts';

const tasks: TaskName[] = [
  'tensor',
  'image-classification',
  'object-detection',
  'tabular-classification',
  'tabular-regression',
];

/**
 * task, licence, description, labels, width, height, fit, layout, colour, values, boxOutput, scoreOutput, classOutput, format,
 * units, minScore, activation, columns and manifest. The form around them has the attribute `data-by-task`.
 */
export function manifestFields(frame: Frame, state: FormState): Html {
  return html`${aboutFields(frame, state)} ${pictureFields(frame, state)} ${boxFields(frame, state)}
  ${classFields(frame, state)} ${tableFields(frame, state)} ${expertField(frame, state)}`;
}

function aboutFields(frame: Frame, state: FormState): Html {
  const { t } = frame;
  const plain = { autocomplete: 'off', spellcheck: 'false' };
  return html`${choices({
      name: 'task',
      label: t('upload.task'),
      type: 'radio',
      state,
      chosen: ['tensor'],
      required: true,
      options: tasks.map((value) => ({ value, label: t(`task.${value}`), hint: t(`task.${value}.what`) })),
    })}
    <div class="fields">
      ${field(frame, { name: 'licence', label: t('model.licence'), hint: t('upload.licenceHint'), state, attributes: { ...plain, maxlength: 200 } })}
      ${field(frame, { name: 'description', label: t('upload.description'), state, attributes: { maxlength: 10_000 } })}
    </div>`;
}

export function faultNotice({ t }: Frame, { errors }: FormState, title: string): Html | undefined {
  const count = Object.keys(errors).length;
  if (count === 0) return undefined;
  return notice({
    tone: 'bad',
    title,
    text: errors[''] === undefined ? t('field.faults', { count }) : t.said(errors['']),
  });
}

/** A part of the form that belongs to certain tasks; it is shown while one of them is chosen. */
function forTasks(wanted: TaskName[], title: string, fields: Html | Html[]): Html {
  return html`<fieldset class="stack when" data-tasks="${wanted.join(' ')}">
    <legend class="part">${title}</legend>
    ${fields}
  </fieldset>`;
}

const words = (values: readonly string[]) => values.map((value) => ({ value, label: value }));

function pictureFields(frame: Frame, state: FormState): Html {
  const { t } = frame;
  const side = {
    type: 'number',
    required: true,
    state,
    value: 224,
    unit: 'px',
    attributes: { min: 1, max: 16_384 },
  } as const;
  return forTasks(['image-classification', 'object-detection'], t('upload.picture'), [
    html`<div class="fields">
      ${field(frame, { ...side, name: 'width', label: t('upload.width') })}
      ${field(frame, { ...side, name: 'height', label: t('upload.height') })}
      ${select(frame, {
        required: true,
        name: 'fit',
        label: t('upload.fit'),
        state,
        value: 'crop',
        options: (['crop', 'stretch', 'letterbox', 'pad-right'] as const).map((value) => ({
          value,
          label: t(`fit.${value}`),
        })),
      })}
    </div>`,
    html`<div class="fields">
      ${select(frame, {
        required: true,
        name: 'layout',
        label: t('upload.layout'),
        state,
        options: words(['NCHW', 'NHWC']),
      })}
      ${select(frame, {
        required: true,
        name: 'colour',
        label: t('upload.colour'),
        state,
        options: words(['RGB', 'BGR', 'GRAY']),
      })}
      ${select(frame, {
        required: true,
        name: 'values',
        label: t('upload.values'),
        state,
        options: scalings(state).map((value) => ({
          value,
          label: t(`values.${value}`),
        })),
      })}
    </div>`,
  ]);
}

/** What no choice says stands in the JSON, and one that says so must be there to be chosen. */
function scalings({ values }: FormState) {
  const usual = ['imagenet', 'unit', 'symmetric', 'raw'] as const;
  return values.values === 'custom' ? ([...usual, 'custom'] as const) : usual;
}

function boxFields(frame: Frame, state: FormState): Html {
  const { t } = frame;
  const output = { state, attributes: { autocomplete: 'off', spellcheck: 'false', maxlength: 1000 } } as const;
  return forTasks(['object-detection'], t('upload.boxes'), [
    html`<div class="fields">
      ${field(frame, { ...output, required: true, name: 'boxOutput', label: t('upload.boxOutput'), hint: '[1, N, 4]' })}
      ${field(frame, { ...output, required: true, name: 'scoreOutput', label: t('upload.scoreOutput'), hint: '[1, N, C]' })}
      ${field(frame, { ...output, name: 'classOutput', label: t('upload.classOutput'), hint: t('upload.classOutputHint') })}
    </div>`,
    html`<div class="fields">
      ${select(frame, {
        required: true,
        name: 'format',
        label: t('upload.format'),
        state,
        options: words(['xyxy', 'cxcywh', 'yxyx']),
      })}
      ${select(frame, {
        required: true,
        name: 'units',
        label: t('upload.units'),
        state,
        options: (['pixels', 'relative'] as const).map((value) => ({ value, label: t(`units.${value}`) })),
      })}
      ${field(frame, { name: 'minScore', label: t('upload.minScore'), type: 'number', state, value: 0.5, attributes: { min: 0, max: 1, step: 0.01 } })}
    </div>`,
  ]);
}

function classFields(frame: Frame, state: FormState): Html {
  const { t } = frame;
  return forTasks(['image-classification', 'object-detection', 'tabular-classification'], t('upload.classes'), [
    field(frame, { name: 'labels', label: t('upload.labels'), hint: t('upload.labelsHint'), rows: 5, state }),
    select(frame, {
      required: true,
      name: 'activation',
      label: t('upload.activation'),
      state,
      options: (['none', 'softmax', 'sigmoid'] as const).map((value) => ({ value, label: t(`activation.${value}`) })),
    }),
  ]);
}

function tableFields(frame: Frame, state: FormState): Html {
  const { t } = frame;
  return forTasks(['tabular-classification', 'tabular-regression'], t('upload.table'), [
    field(frame, {
      required: true,
      name: 'columns',
      label: t('upload.columns'),
      hint: t('upload.columnsHint'),
      rows: 6,
      state,
    }),
  ]);
}

function expertField(frame: Frame, state: FormState): Html {
  const { t } = frame;
  const isOpen = Boolean(state.values.manifest) || state.errors.manifest !== undefined;
  const content = field(frame, {
    name: 'manifest',
    label: t('upload.manifest'),
    hint: t('upload.manifestHint'),
    rows: 8,
    state,
    attributes: { spellcheck: 'false' },
  });
  const summary = html`<summary>${t('upload.expert')}</summary>`;
  return isOpen
    ? html`<details class="stack" open>${summary} ${content}</details>`
    : html`<details class="stack">${summary} ${content}</details>`;
}
