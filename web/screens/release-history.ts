// How a release comes about: what happened to it as a timeline, and where its rollout is. Used by the pages of releases
// and of endpoints.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { meter } from '../parts/meter.ts';
import { emptyState } from '../parts/notice.ts';
import { type Moment, timeline } from '../parts/text-block.ts';
import type { Release, ReleaseEvent, ReleaseRequest } from '../release-views.ts';
import type { Text } from '../text/text.ts';
import type { Frame, Tone } from '../view-types.ts';
import { said } from './devices.ts';
import { releasePath } from './releases.ts';

const tones: Record<ReleaseEvent['kind'], Tone> = {
  created: 'idle',
  edited: 'idle',
  submitted: 'info',
  commented: 'idle',
  'changes-asked': 'warn',
  rejected: 'bad',
  withdrawn: 'idle',
  approved: 'good',
  overridden: 'warn',
  started: 'info',
  stage: 'info',
  live: 'good',
  superseded: 'idle',
  'rolled-back': 'bad',
  failed: 'bad',
  guard: 'warn',
};

/** @param of the release's number with each event, where events of several stand together */
export function eventTimeline(frame: Frame, events: ReleaseEvent[], of = false): Html {
  const { t } = frame;
  if (events.length === 0) return emptyState({ icon: 'clock', title: t('event.none') });
  return html`<div class="events">
    ${timeline(
      frame,
      events.map((event) => momentOf(frame, event, of)),
    )}
  </div>`;
}

function momentOf({ t }: Frame, { atMs, kind, actor, text, release }: ReleaseEvent, of: boolean): Moment {
  const isServer = actor.id === 'system' || actor.id === '';
  return {
    atMs,
    tone: tones[kind],
    title: html`<b>${isServer ? t('event.server') : actor.name}</b> ${t(`event.${kind}`)}
      ${of && html`<a href="${releasePath(release)}">${t('release.number', { id: String(release) })}</a>`}`,
    // The statement stands on the page already.
    text:
      text === '' || kind === 'created' || kind === 'submitted'
        ? undefined
        : isServer
          ? said(t, text)
          : html`<span class="as-typed">${text}</span>`,
  };
}

interface Step {
  label: string;
  holdMs?: number;
  state: 'done' | 'now' | 'ahead';
}

/** Everything that a plan goes through until all callers get the new version. */
function stepsOf(t: Text, { request, stage, state }: Release): Step[] {
  const { shadow, steps } = request.rollout;
  const all = [
    { kind: 'starting', label: t('plan.starting') },
    { kind: 'smoke', label: t('plan.smoke') },
    ...(shadow
      ? [{ kind: 'shadow', label: t('plan.shadowed', { share: t.percent(shadow.percent / 100) }), ...shadow }]
      : []),
    ...steps.map((step) => ({ kind: 'step', label: t.percent(step.percent / 100), ...step })),
    { kind: 'all', label: t.percent(1) },
  ];
  const first = all.findIndex(({ kind }) => kind === stage?.kind);
  const now = state === 'rolling-out' && stage ? Math.max(0, first) + (stage.kind === 'step' ? stage.index : 0) : -1;
  const isOver = state === 'live' || state === 'superseded';
  return all.map((step, i) => ({
    label: step.label,
    ...('holdMs' in step && { holdMs: step.holdMs }),
    state: isOver || i < now ? 'done' : i === now ? 'now' : 'ahead',
  }));
}

/** The steps of the plan in a row, and how much of the present one is over. */
export function rolloutProgress(frame: Frame, release: Release): Html {
  const { t, nowMs } = frame;
  const { stage } = release;
  const steps = stepsOf(t, release);
  const now = steps.find(({ state }) => state === 'now');
  const passedMs = stage ? Math.max(0, nowMs - stage.startedMs) : 0;
  return html`<ol class="steps" aria-label="${t('plan.steps')}">
      ${steps.map(
        ({ label, holdMs, state }) =>
          html`<li class="${state}" ${attributes({ 'aria-current': state === 'now' && 'step' })}>
            <span>${label}${state !== 'now' && html`<span class="unseen">${t(`plan.step.${state}`)}</span>`}</span>
            <small>${holdMs !== undefined && holdMs > 0 && t.duration(holdMs)}</small>
          </li>`,
      )}
    </ol>
    ${
      now?.holdMs !== undefined &&
      now.holdMs > 0 &&
      meter({
        label: t('plan.stepTime'),
        value: Math.min(passedMs, now.holdMs),
        max: now.holdMs,
        text:
          passedMs > now.holdMs && release.request.rollout.minRequests > 0
            ? t('plan.waits')
            : t('plan.passed', { passed: t.duration(Math.min(passedMs, now.holdMs)), hold: t.duration(now.holdMs) }),
        tone: 'accent',
      })
    }`;
}

/** A plan in one sentence. */
export function planText(t: Text, { shadow, steps }: ReleaseRequest['rollout']): string {
  const held = ({ percent, holdMs }: { percent: number; holdMs: number }) =>
    t('plan.held', { share: t.percent(percent / 100), hold: t.duration(holdMs) });
  return [
    ...(shadow ? [t('plan.shadowFor', { what: held(shadow) })] : []),
    ...(steps.length > 0 ? [t('plan.canaryOf', { steps: steps.map(held).join(' → ') })] : [t('plan.all')]),
  ].join(t('plan.then'));
}
