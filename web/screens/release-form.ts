// Asking for a release: which version goes where, how it runs, how callers come to it, and why. Everything is filled in
// before; beside the form stands what it would come to.
import { attributes, type AttributeValue } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { checkbox, choices, field, hiddenFields } from '../parts/form.ts';
import { emptyState, notice, skeleton } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import type { ChooseView, ReleaseFormView, ReleasePreviewView } from '../release-views.ts';
import type { FormState, Frame } from '../view-types.ts';
import { differenceSummary, subjectSelect } from './differences.ts';
import { outcomePart } from './placement.ts';
import { evidenceItem, loadTestFields, loadTestWords, writtenFields } from './release-evidence.ts';
import { environmentNames, releasePath, versionLink, versionName } from './releases.ts';

/** Steps that a plan may have in the form. */
export const mostSteps = 6;
const numeric = { inputmode: 'decimal', autocomplete: 'off' } as const;

/** Where no version was named. */
export function chooseVersionScreen(frame: Frame, { subjects, endpoint, environment }: ChooseView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('release.new'),
    lead: t('form.lead'),
    trail: [{ label: t('releases.title'), href: '/admin/releases' }],
    body:
      subjects.length === 0
        ? emptyState({
            icon: 'models',
            title: t('models.empty'),
            text: t('models.emptyWhat'),
            action: button({ label: t('models.title'), href: '/admin/models' }),
          })
        : card({
            title: t('form.choose'),
            body: html`<form class="form" method="get" action="/admin/releases/new">
              ${hiddenFields({ endpoint: endpoint || undefined, environment: environment || undefined })}
              ${subjectSelect(frame, 'subject', t('model.version'), subjects, undefined)}
              <div class="form-foot">
                ${button({ label: t('form.next'), kind: 'primary', submit: true })}
                ${button({ label: t('do.cancel'), kind: 'quiet', href: '/admin/releases' })}
              </div>
            </form>`,
          }),
  });
}

/**
 * Posts to `/admin/releases` (a draft) or `/admin/releases/submit`, for a release that is there already to
 * `/admin/releases/ID/edit` or `…/edit-submit`: model, version, endpoint, environment, minInstances, maxInstances, device.ID,
 * inferenceTimeoutMs, maxQueueSize, ratePerSecond, domain, plan, shadow, shadow.percent, shadow.minutes, step.N.percent,
 * step.N.minutes, stickyHeader, trialKeys, minRequests, notBefore, licence, statement, contact, evidence.N.
 */
export function releaseFormScreen(frame: Frame, view: ReleaseFormView): Html {
  const { t, csrf } = frame;
  const { release, model, version, form: state } = view;
  const path = release ? releasePath(release.id) : '/admin/releases';
  const faults = Object.keys(state.errors).filter((name) => name !== '').length;
  const general = state.errors[''] ?? (faults > 0 ? t('field.faults', { count: faults }) : undefined);
  const name = versionName({ model, version });
  return page(frame, {
    title: release ? t('form.edit', { version: name }) : t('form.new', { version: name }),
    lead: t('form.lead'),
    trail: [
      { label: t('releases.title'), href: '/admin/releases' },
      ...(release ? [{ label: t('release.number', { id: String(release.id) }), href: path }] : []),
    ],
    body: html`<form
      class="form request"
      id="request"
      method="post"
      action="${release ? `${path}/edit` : path}"
      novalidate
    >
      ${hiddenFields({ csrf, model, version, revision: release?.revision })}
      <div class="stack">
        ${general !== undefined && notice({ tone: 'bad', text: general })}
        ${stepCard(1, t('form.step.what'), whatPart(frame, view))}
        <div class="stack" id="filled">
          ${hiddenFields({ basis: view.basis })} ${stepCard(2, t('form.step.how'), howPart(frame, view))}
          ${stepCard(3, t('form.step.plan'), planPart(frame, view))}
        </div>
        ${stepCard(4, t('form.step.why'), whyPart(frame, view))}
      </div>
      <aside class="stack" aria-label="${t('form.beside')}">${besidePart(frame)}</aside>
      <div class="form-foot">
        ${button({ label: t('release.submit'), kind: 'primary', submit: true, attributes: { formaction: release ? `${path}/edit-submit` : `${path}/submit` } })}
        ${button({ label: t('form.draft'), submit: true })}
        ${button({ label: t('do.cancel'), kind: 'quiet', href: path })}
      </div>
    </form>`,
  });
}

function stepCard(number: number, title: string, body: Html): Html {
  return html`<fieldset class="card step">
    <legend>
      <h2><b class="step-number">${number}</b> ${title}</h2>
    </legend>
    <div class="stack">${body}</div>
  </fieldset>`;
}

/** Another endpoint or environment has other settings: what a person has not changed is filled in again. */
function whatPart(
  frame: Frame,
  { model, version, release, endpoints, environments, form: state }: ReleaseFormView,
): Html {
  const { t } = frame;
  const again = {
    'hx-get': release ? undefined : '/admin/releases/new',
    'hx-trigger': 'change',
    'hx-target': '#filled',
    'hx-select': '#filled',
    'hx-swap': 'outerHTML',
    'hx-include': '#what, #filled',
  };
  return html`<div class="stack" id="what" ${attributes(again)}>
    ${hiddenFields({ model, version })}
    <p>
      <b>${versionLink({ model, version })}</b>
      ${!release && html`<a class="aside-link" href="/admin/releases/new">${t('form.other')}</a>`}
    </p>
    ${field(frame, {
      name: 'endpoint',
      label: t('endpoint.name'),
      hint: t('form.endpointHint'),
      state,
      required: true,
      attributes: { list: 'endpoints', autocomplete: 'off', spellcheck: 'false', maxlength: 128 },
    })}
    <datalist id="endpoints">
      ${endpoints.map(
        ({ name, environment }) => html`<option value="${name}">${t(`environment.${environment}`)}</option>`,
      )}
    </datalist>
    ${choices({
      name: 'environment',
      label: t('environment.name'),
      type: 'radio',
      state,
      chosen: [],
      required: true,
      options: environmentNames.map((value) => {
        const needsReview = environments.find(({ name }) => name === value)?.settings.needsReview ?? true;
        const hint = t(needsReview ? 'environment.reviewed' : 'environment.unreviewed');
        return { value, label: t(`environment.${value}`), hint: `${t(`environment.${value}.what`)} ${hint}` };
      }),
    })}
  </div>`;
}

function howPart(frame: Frame, { devices, form: state }: ReleaseFormView): Html {
  const { t } = frame;
  const number = (name: string, label: string, more: { hint?: string; unit?: string; required?: boolean } = {}) =>
    field(frame, { name, label, state, required: true, attributes: numeric, ...more });
  return html`<div class="fields">
      ${number('minInstances', t('form.min'), { hint: t('placement.minHint') })}
      ${number('maxInstances', t('form.max'))}
    </div>
    ${choices({
      name: 'device',
      label: t('placement.devices'),
      hint: t('form.devicesHint'),
      type: 'checkbox',
      state,
      options: devices.map(({ id, label }) => ({ value: id, label })),
      chosen: [],
    })}
    <div class="fields">
      ${number('inferenceTimeoutMs', t('form.timeout'), { unit: t('form.ms'), hint: t('form.timeoutHint') })}
      ${number('maxQueueSize', t('form.queue'), { hint: t('form.queueHint') })}
      ${number('ratePerSecond', t('form.rate'), { hint: t('form.rateHint'), required: false })}
    </div>
    ${field(frame, {
      name: 'domain',
      label: t('form.domain'),
      hint: t('form.domainHint'),
      state,
      attributes: { autocomplete: 'off', spellcheck: 'false', maxlength: 253, placeholder: 'fraud.models.corp.lan' },
    })}`;
}

function planPart(frame: Frame, { form: state, timeZone }: ReleaseFormView): Html {
  const { t } = frame;
  return html`${choices({
      name: 'plan',
      label: t('plan.title'),
      type: 'radio',
      state,
      chosen: ['all'],
      options: [
        { value: 'all', label: t('plan.all'), hint: t('plan.allHint') },
        { value: 'canary', label: t('plan.canary'), hint: t('plan.canaryHint') },
      ],
    })}
    <fieldset class="field when-canary">
      <legend>${t('plan.steps')}</legend>
      ${Array.from({ length: mostSteps }, (_, i) => heldRow(frame, `step.${i}`, t('plan.stepOf', { number: i + 1 }), state))}
      ${fault(state, 'steps')}
    </fieldset>
    <div class="when-canary fields">
      ${field(frame, {
        name: 'minRequests',
        label: t('form.minRequests'),
        hint: t('form.minRequestsHint'),
        state,
        required: true,
        attributes: numeric,
      })}
      ${field(frame, {
        name: 'stickyHeader',
        label: t('form.sticky'),
        hint: t('form.stickyHint'),
        state,
        attributes: { autocomplete: 'off', spellcheck: 'false', maxlength: 100, placeholder: 'X-Session-Id' },
      })}
    </div>
    <div class="when-canary">
      ${field(frame, {
        name: 'trialKeys',
        label: t('form.trialKeys'),
        hint: t('form.trialKeysHint'),
        state,
        attributes: { autocomplete: 'off', spellcheck: 'false', maxlength: 2000 },
      })}
    </div>
    ${checkbox({ name: 'shadow', label: t('plan.shadow'), hint: t('plan.shadowHint'), state })}
    <fieldset class="field when-shadow">
      <legend class="unseen">${t('plan.shadow')}</legend>
      ${heldRow(frame, 'shadow', t('plan.shadowShare'), state)} ${fault(state, 'shadowing')}
    </fieldset>
    ${field(frame, {
      name: 'notBefore',
      label: t('form.notBefore'),
      hint: t('form.notBeforeHint', { zone: timeZone }),
      type: 'datetime-local',
      state,
    })}`;
}

/** A share and how long it is held; a row beyond the first empty one is not shown. */
function heldRow({ t }: Frame, name: string, label: string, state: FormState): Html {
  const input = (part: 'percent' | 'minutes', words: string, width: string) => {
    const shared: Record<string, AttributeValue> = {
      id: `field-${name}.${part}`,
      name: `${name}.${part}`,
      value: state.values[`${name}.${part}`] ?? '',
      placeholder: ' ',
      class: width,
      'aria-label': `${label}, ${words}`,
      'aria-invalid': state.errors[`${name}.${part}`] !== undefined && 'true',
      ...numeric,
    };
    return html`<input type="text" ${attributes(shared)} />`;
  };
  const wrong = state.errors[`${name}.percent`] ?? state.errors[`${name}.minutes`];
  return html`<div class="held">
    <span class="held-label">${label}</span>
    ${input('percent', t('plan.percent'), 'short')}
    <span>% ${t('plan.for')}</span> ${input('minutes', t('placement.minutes'), 'short')}
    <span>${t('plan.minutes')}</span>
    ${wrong !== undefined && html`<p class="fault">${wrong}</p>`}
  </div>`;
}

function fault(state: FormState, name: string): Html | undefined {
  const message = state.errors[name];
  return message === undefined ? undefined : html`<p class="fault">${message}</p>`;
}

function whyPart(frame: Frame, { model, version, modelLicence, evidence, form: state }: ReleaseFormView): Html {
  const { t } = frame;
  const send = { 'hx-target': '#evidence', 'hx-swap': 'beforeend', 'hx-include': '#add-evidence, #what' };
  return html`<div class="fields">
      ${field(frame, {
        name: 'licence',
        label: t('model.licence'),
        hint: modelLicence === undefined ? t('form.licenceHint') : t('form.licenceOfModel', { licence: modelLicence }),
        state,
        attributes: { maxlength: 200, autocomplete: 'off', spellcheck: 'false' },
      })}
      ${field(frame, {
        name: 'contact',
        label: t('release.contact'),
        hint: t('form.contactHint'),
        state,
        attributes: { maxlength: 200 },
      })}
    </div>
    ${field(frame, {
      name: 'statement',
      label: t('form.statement'),
      hint: t('form.statementHint'),
      state,
      rows: 4,
      attributes: { maxlength: 8000 },
    })}
    <div class="stack tight">
      <h3>${t('evidence.heading')}</h3>
      ${fault(state, 'evidence')}
      <ul class="evidence" id="evidence">
        ${evidence.map((piece, i) => evidenceItem(frame, piece, i))}
      </ul>
      <div id="evidence-problem"></div>
    </div>
    <div class="load-test" id="load-test">
      ${loadTestFields()}
      ${button({
        label: t('evidence.loadTest'),
        icon: 'play',
        attributes: {
          ...send,
          'hx-post': '/admin/releases/load-test',
          'hx-include': '#load-test, #what',
          'hx-disable': 'this',
          'hx-indicator': '#load-test',
        },
      })}
      <p class="hint">${loadTestWords(frame, versionName({ model, version }))}</p>
      <div class="while-sent">${skeleton(t, { lines: 1 })}</div>
    </div>
    <details>
      <summary>${t('evidence.add')}</summary>
      <div class="stack" id="add-evidence">
        ${writtenFields(frame)}
        <div>
          ${button({ label: t('evidence.attach'), attributes: { ...send, 'hx-post': '/admin/releases/evidence' } })}
        </div>
      </div>
    </details>`;
}

/** Filled at once, and again when the form changes. */
function besidePart(frame: Frame): Html {
  const { t } = frame;
  const again = {
    'hx-get': '/admin/releases/preview',
    'hx-trigger': 'load, change from:#request delay:300ms',
    'hx-include': '#what, #filled',
    'hx-swap': 'innerHTML',
  };
  return card({
    title: t('form.beside'),
    body: html`<div class="stack" aria-live="polite" ${attributes(again)}>${skeleton(t)}</div>`,
  });
}

export function releasePreviewPart(frame: Frame, { outcome, live, differences }: ReleasePreviewView): Html {
  const { t } = frame;
  return html`<h3>${t('where.title')}</h3>
    ${outcomePart(frame, outcome)}
    <h3>${t('review.changes')}</h3>
    ${
      live
        ? html`<p>${t('form.replaces', { version: versionName(live) })}</p>
            <p class="chip-row">${differenceSummary(frame, differences)}</p>
            ${differences.length === 0 && html`<p class="quiet">${t('difference.none')}</p>`}`
        : html`<p class="quiet">${t('review.first')}</p>`
    }
    <ul class="breaking">
      ${differences
        .filter(({ weight }) => weight === 'breaking')
        .map(({ what, before, after }) => html`<li><b lang="en">${what}</b> ${before} → ${after}</li>`)}
    </ul>`;
}
