// The page of one release: what is asked, what it would change, whether it may go live, who said what, and how far it is.
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { confirmButton } from '../parts/dialog.ts';
import { field, hiddenFields } from '../parts/form.ts';
import { notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import { instant, keyValues, moment } from '../parts/text-block.ts';
import type { PolicyCheck, Release, ReviewView } from '../release-views.ts';
import type { Frame, Tone } from '../view-types.ts';
import { said } from './devices.ts';
import { differenceSummary, differenceTable } from './differences.ts';
import { outcomePart } from './placement.ts';
import { evidenceForms, evidenceList } from './release-evidence.ts';
import { eventTimeline, planText, rolloutProgress } from './release-history.ts';
import { endpointPath, releaseChip, releasePath, versionLink, versionName } from './releases.ts';

/** It may still change what callers get. */
const openStates: readonly Release['state'][] = ['draft', 'submitted', 'changes-asked', 'approved', 'rolling-out'];

const checkTones: Record<PolicyCheck['state'], Tone> = { green: 'good', red: 'bad', pending: 'idle' };

export function releaseScreen(frame: Frame, view: ReviewView): Html {
  const { t } = frame;
  const { review, form } = view;
  const { release } = review;
  const { request } = release;
  const isOpen = openStates.includes(release.state);
  const isMoving = release.state === 'rolling-out' || release.state === 'approved';
  return page(frame, {
    title: `${versionName(request)} → ${request.endpoint}`,
    lead: html`${t('release.number', { id: String(release.id) })} · ${t(`environment.${request.environment}`)} ·
    ${release.requester.name} · ${moment(frame, release.submittedMs ?? release.createdMs)}`,
    trail: [{ label: t('releases.title'), href: '/admin/releases' }],
    state: html`<span data-live-key="release.state">${releaseChip(frame, release.state)}</span>`,
    actions: askerActions(frame, view),
    live: isMoving ? `/admin/live?topics=release&release=${release.id}` : undefined,
    body: html`${form.errors[''] !== undefined && notice({ tone: 'bad', text: said(t, form.errors['']) })}
      ${release.reason !== '' && notice({ tone: reasonTone(release), text: html`<span class="as-typed">${release.reason}</span>` })}
      ${isMoving && html`<div data-live-key="release.progress">${releaseProgress(frame, release)}</div>`}
      <div class="review">
        <div class="stack">
          ${isOpen && changeCard(frame, view)} ${statementCard(frame, view)} ${historyCard(frame, view)}
        </div>
        <aside class="stack" aria-label="${t('review.decide')}">
          ${decisionCard(frame, view)} ${isOpen && checksCard(frame, review.checks)} ${placedCard(frame, view)}
          ${askedCard(frame, view)}
        </aside>
      </div>`,
  });
}

function reasonTone({ state }: Release): Tone {
  if (state === 'rejected' || state === 'failed' || state === 'rolled-back') return 'bad';
  return state === 'changes-asked' ? 'warn' : 'info';
}

/** What whoever asked may do. */
function askerActions(frame: Frame, { review }: ReviewView): Html {
  const { t, csrf } = frame;
  const { release, may } = review;
  const path = releasePath(release.id);
  const isServed = release.state === 'live' || release.state === 'rolling-out' || release.state === 'superseded';
  return html`${isServed && button({ label: t('endpoint.open'), href: endpointPath(release.request.endpoint) })}
  ${
    may.withdraw &&
    confirmButton(frame, {
      id: 'withdraw',
      label: t('release.withdraw'),
      what: t('release.withdrawWhat'),
      action: `${path}/withdraw`,
      fields: reasonField(frame, 'withdraw', t('release.why')),
    })
  }
  ${may.edit && button({ label: t('do.edit'), href: `${path}/edit` })}
  ${
    may.submit &&
    html`<form method="post" action="${path}/submit">
      ${hiddenFields({ csrf })} ${button({ label: t('release.submit'), kind: 'primary', submit: true })}
    </form>`
  }`;
}

/** @param id of the form, as a page has several such fields */
export function reasonField(frame: Frame, id: string, label: string, required = false): Html {
  return html`<div class="field">
    <label for="${id}-reason">${label}${!required && html` <i>${frame.t('field.optional')}</i>`}</label>
    <textarea id="${id}-reason" name="reason" rows="2" maxlength="4000" ${required && 'required'}></textarea>
  </div>`;
}

/** The bar of a rollout on its way, or why an approved one waits. */
export function releaseProgress(frame: Frame, release: Release): Html {
  const { t } = frame;
  const { request } = release;
  if (release.state !== 'rolling-out') {
    const text =
      request.notBeforeMs !== null && request.notBeforeMs > frame.nowMs
        ? t('release.waitsUntil', { time: t.time(request.notBeforeMs) })
        : t('release.waits');
    return release.state === 'approved' ? notice({ tone: 'info', text }) : html``;
  }
  return card({
    title: t('plan.progress'),
    body: html`<div class="stack">${rolloutProgress(frame, release)}</div>`,
  });
}

/** It came to its end while somebody looked; the page is not made anew, as something may be written in it. */
export function releaseMoved({ t }: Frame, { id, state }: Release): Html {
  return notice({
    tone: state === 'live' ? 'good' : 'warn',
    text: t('release.moved', { state: t(`release.state.${state}`) }),
    action: button({ label: t('release.again'), href: releasePath(id) }),
  });
}

function changeCard(frame: Frame, { review }: ReviewView): Html {
  const { t } = frame;
  const { live, differences, release } = review;
  if (!live) {
    return card({ title: t('review.changes'), body: html`<p class="quiet">${t('review.first')}</p>` });
  }
  const before = t('review.liveNow', { version: versionName(live.request) });
  return card({
    title: t('review.changes'),
    actions: html`<span class="chip-row">${differenceSummary(frame, differences)}</span>`,
    flush: true,
    body: differenceTable(frame, differences, before, t('review.asked', { version: versionName(release.request) })),
  });
}

function statementCard(frame: Frame, { review, form }: ReviewView): Html {
  const { t, viewer } = frame;
  const { release, may } = review;
  const { statement, contact, evidence } = release.request;
  const isOpen = release.state === 'draft' || release.state === 'submitted' || release.state === 'changes-asked';
  const mayAttach = isOpen && may.comment && (viewer?.may('release.request') ?? false);
  return card({
    title: t('review.why'),
    body: html`<div class="stack">
      ${statement === '' ? html`<p class="quiet">${t('review.noStatement')}</p>` : html`<p class="as-typed">${statement}</p>`}
      ${contact !== '' && keyValues([{ label: t('release.contact'), value: contact }])}
      <h3>${t('evidence.heading')}</h3>
      ${evidenceList(frame, evidence)}
      ${mayAttach && evidenceForms(frame, releasePath(release.id), versionName(release.request), form)}
    </div>`,
  });
}

function historyCard(frame: Frame, { review, form }: ReviewView): Html {
  const { t, csrf } = frame;
  const { release, events, may } = review;
  return card({
    title: t('review.history'),
    body: html`<div class="stack">
      <div data-live-key="release.events">${eventTimeline(frame, events)}</div>
      ${
        may.comment &&
        html`<form class="form" method="post" action="${releasePath(release.id, '/comment')}">
          ${hiddenFields({ csrf })}
          ${field(frame, {
            name: 'text',
            label: t('review.comment'),
            state: form,
            rows: 3,
            required: true,
            attributes: { maxlength: 4000 },
          })}
          <div class="form-foot">${button({ label: t('review.say'), submit: true })}</div>
        </form>`
      }
    </div>`,
  });
}

/** For who may decide: one box for the reason, and what may be done with it. */
function decisionCard(frame: Frame, { review, form, isOwn }: ReviewView): Html {
  const { t, csrf, viewer } = frame;
  const { release, may, checks } = review;
  const isOpen = release.state === 'submitted' && (viewer?.may('release.review') ?? false);
  if (!isOpen && !may.approve && !may.reject && !may.ask && !may.override) return html``;
  const red = checks.filter(({ state }) => state === 'red');
  const path = releasePath(release.id);
  const to = (verb: string) => ({ formaction: `${path}/${verb}` });
  const mayDecide = may.approve || may.reject || may.ask;
  return card({
    title: t('review.decide'),
    body: html`<div class="stack">
      ${
        red.length > 0 &&
        notice({ tone: 'bad', title: t('review.red', { count: red.length }), text: t('review.redWhat') })
      }
      ${red.length > 0 && !may.override && !isOwn && html`<p class="quiet">${t('review.whoOverrides')}</p>`}
      ${isOwn && !may.approve && red.length === 0 && notice({ tone: 'info', text: t('review.fourEyes') })}
      ${
        mayDecide &&
        html`<form class="form" method="post" action="${path}/approve">
          ${hiddenFields({ csrf, revision: release.revision })}
          ${field(frame, {
            name: 'reason',
            label: t('review.reason'),
            hint: t('review.reasonHint'),
            state: form,
            rows: 3,
            attributes: { maxlength: 4000 },
          })}
          <div class="form-foot">
            ${may.approve && red.length === 0 && button({ label: t('review.approve'), icon: 'check', kind: 'primary', submit: true })}
            ${may.ask && button({ label: t('review.ask'), submit: true, attributes: to('ask-changes') })}
            ${may.reject && button({ label: t('review.reject'), kind: 'danger', submit: true, attributes: to('reject') })}
          </div>
        </form>`
      }
      ${may.override && red.length > 0 && overridePart(frame, path, red)}
    </div>`,
  });
}

/** Names what is overridden; not offered where something cannot be. */
function overridePart(frame: Frame, path: string, red: PolicyCheck[]): Html {
  const { t } = frame;
  const firm = red.filter(({ mayOverride }) => !mayOverride);
  if (firm.length > 0) {
    const names = firm.map(({ name }) => t(`check.${name}`)).join(t('value.comma'));
    return html`<p class="quiet">${t('review.firm', { names })}</p>`;
  }
  const confirm = confirmButton(frame, {
    id: 'override',
    label: t('review.override'),
    kind: 'danger',
    what: html`${t('review.overrideWhat')}
      <span class="overridden"
        >${red.map(({ name, text }) => html`<span><b>${t(`check.${name}`)}</b> ${said(t, text)}</span>`)}</span
      >`,
    action: `${path}/override`,
    fields: reasonField(frame, 'override', t('review.overrideReason'), true),
  });
  return html`<div>${confirm}</div>`;
}

function checksCard({ t }: Frame, checks: PolicyCheck[]): Html {
  return card({
    title: t('review.checks'),
    body: html`<ul class="checks">
      ${checks.map(
        ({ name, state, text }) =>
          html`<li>
            ${chip({ tone: checkTones[state], label: t(`check.state.${state}`) })}
            <div><b>${t(`check.${name}`)}</b> ${text !== '' && html`<p class="quiet">${said(t, text)}</p>`}</div>
          </li>`,
      )}
      ${checks.length === 0 && html`<li class="quiet">${t('review.noChecks')}</li>`}
    </ul>`,
  });
}

function placedCard(frame: Frame, { outcome, review }: ReviewView): Html {
  const { t } = frame;
  const isGone = review.checks.some(({ name, state }) => name === 'version' && state === 'red');
  if (!outcome && !isGone) return html``;
  return card({
    title: t('where.title'),
    body: outcome
      ? html`<div class="stack">${outcomePart(frame, outcome)}</div>`
      : notice({ tone: 'bad', text: t('review.gone') }),
  });
}

function askedCard(frame: Frame, { review, devices }: ReviewView): Html {
  const { t } = frame;
  const { request, replaced } = review.release;
  const { minInstances, maxInstances, deviceIds, maxQueueSize, ratePerSecond, domain, rollout, notBeforeMs } = request;
  const label = (id: string) => devices.find((device) => device.id === id)?.label ?? id;
  const range = minInstances === maxInstances ? [minInstances] : [minInstances, maxInstances];
  const licence = request.licence === '' ? t('model.noLicence') : request.licence;
  return card({
    title: t('review.request'),
    body: keyValues([
      { label: t('model.version'), value: versionLink(request) },
      {
        label: t('endpoint.name'),
        value: html`<a href="${endpointPath(request.endpoint)}">${request.endpoint}</a>`,
      },
      { label: t('environment.name'), value: t(`environment.${request.environment}`) },
      {
        label: t('model.licence'),
        value: html`${licence}
        ${
          review.modelLicence !== undefined &&
          review.modelLicence !== request.licence &&
          html`<small class="quiet">${t('form.licenceOfModel', { licence: review.modelLicence })}</small>`
        }`,
      },
      { label: t('placement.count'), value: range.map((count) => t.number(count)).join('–') },
      { label: t('placement.devices'), value: deviceIds?.map(label).join(t('value.comma')) ?? t('form.devicesAny') },
      { label: t('form.timeout'), value: t.duration(request.inferenceTimeoutMs) },
      { label: t('form.queue'), value: maxQueueSize === 0 ? t('form.queueOwn') : t.number(maxQueueSize) },
      {
        label: t('form.rate'),
        value: ratePerSecond === null ? t('key.unlimited') : t('key.rateOf', { rate: ratePerSecond }),
      },
      { label: t('form.domain'), value: domain === '' ? t('value.none') : domain },
      { label: t('plan.title'), value: planText(t, rollout) },
      ...(rollout.trialKeys.length === 0
        ? []
        : [{ label: t('form.trialKeys'), value: rollout.trialKeys.join(t('value.comma')) }]),
      ...(rollout.stickyHeader === null ? [] : [{ label: t('form.sticky'), value: rollout.stickyHeader }]),
      ...(notBeforeMs === null ? [] : [{ label: t('form.notBefore'), value: instant(t, notBeforeMs) }]),
      ...(replaced === undefined
        ? []
        : [
            {
              label: t('release.replaced'),
              value: html`<a href="${releasePath(replaced)}">${t('release.number', { id: String(replaced) })}</a>`,
            },
          ]),
    ]),
  });
}
