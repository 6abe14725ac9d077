// The environments beside each other, and the form with which an administrator changes one.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { checkbox, choices, field, form } from '../parts/form.ts';
import { notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import { keyValues, moment } from '../parts/text-block.ts';
import type { Environment, EnvironmentFormView, EnvironmentsView, FreezeTimes, GuardLimits } from '../release-views.ts';
import type { Text } from '../text/text.ts';
import type { FormState, Frame, Role } from '../view-types.ts';

/** Freeze windows that the form has rows for. */
export const mostFreezes = 5;

const requesters: Record<Exclude<Role, 'viewer'>, true> = { administrator: true, reviewer: true, owner: true };

/** How each limit is written in the form. */
const limits: Record<keyof GuardLimits, 'times' | 'ms' | 'percent' | 'count'> = {
  latencyFactor: 'times',
  latencyFloorMs: 'ms',
  errorMargin: 'percent',
  nonFiniteMargin: 'percent',
  crashes: 'count',
  disagreement: 'percent',
  minRequests: 'count',
};

export function environmentsScreen(frame: Frame, { environments, devices }: EnvironmentsView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('environments.title'),
    lead: t('environments.lead'),
    body: html`<div class="columns">
      ${environments.map(({ environment, freezes, endpoints, instances }) =>
        environmentCard(frame, environment, devices, freezes, { endpoints, instances }),
      )}
    </div>`,
  });
}

function environmentCard(
  frame: Frame,
  { name, settings, changedBy, changedMs }: Environment,
  devices: EnvironmentsView['devices'],
  freezes: FreezeTimes[],
  used: { endpoints: number; instances: number },
): Html {
  const { t, viewer } = frame;
  const { deviceIds, maxInstances, maxEndpoints, policy, guard } = settings;
  const label = (id: string) => devices.find((device) => device.id === id)?.label ?? id;
  const yes = (is: boolean) => (is ? t('value.yes') : t('value.no'));
  const quota = (use: number, most: number | null) =>
    most === null ? t('environment.noQuota', { used: use }) : t('environment.quotaOf', { used: use, most });
  return card({
    title: t(`environment.${name}`),
    actions: viewer?.may('environment.write')
      ? button({ label: t('do.edit'), icon: 'settings', href: `/admin/environments/${name}` })
      : undefined,
    body: html`<div class="stack">
      <p class="quiet">${t(`environment.${name}.what`)}</p>
      ${keyValues([
        {
          label: t('placement.devices'),
          value: deviceIds?.map(label).join(t('value.comma')) ?? t('environment.allDevices'),
        },
        { label: t('environment.endpoints'), value: quota(used.endpoints, maxEndpoints) },
        { label: t('instances.title'), value: quota(used.instances, maxInstances) },
        {
          label: t('environment.requesters'),
          value: settings.requesters.map((role) => t(`role.${role}`)).join(t('value.comma')),
        },
        { label: t('environment.needsReview'), value: yes(settings.needsReview) },
        ...(settings.needsReview ? [{ label: t('environment.fourEyes'), value: yes(settings.fourEyes) }] : []),
        { label: t('environment.policy'), value: policyText(t, policy) },
        { label: t('environment.keepWarm'), value: t.duration(settings.keepWarmMs) },
        { label: t('environment.watch'), value: t.duration(settings.watchMs) },
        {
          label: t('environment.freezes'),
          value: html`${settings.freezes.length === 0 && t('environment.noFreezes')}
            <ul class="stack tight">
              ${settings.freezes.map(
                (freeze, i) =>
                  html`<li>
                    <b>${freeze.name}</b> <code>${freeze.cron}</code> ${t.duration(freeze.durationMs)}
                    <p class="hint">${freezeText(frame, freezes[i])}</p>
                  </li>`,
              )}
            </ul>`,
        },
      ])}
      <h3>${t('guard.limits')}</h3>
      <ul class="limits">
        ${(Object.keys(limits) as (keyof GuardLimits)[]).map(
          (limit) => html`<li><b>${limitText(t, limit, guard[limit])}</b> ${t(`limit.${limit}`)}</li>`,
        )}
      </ul>
      ${
        changedBy !== '' &&
        html`<p class="quiet">${t('environment.changed', { who: changedBy })} ${moment(frame, changedMs)}</p>`
      }
    </div>`,
  });
}

function policyText(t: Text, policy: Environment['settings']['policy']): string {
  const asked = (['smoke', 'licence', 'evaluation', 'loadTest'] as const)
    .filter((name) => policy[name])
    .map((name) => t(`policy.${name}`));
  const p95 = policy.maxP95Ms === null ? [] : [t('policy.p95Of', { duration: t.duration(policy.maxP95Ms) })];
  return [...asked, ...p95].join(t('value.comma')) || t('value.none');
}

function limitText(t: Text, limit: keyof GuardLimits, value: number): string {
  switch (limits[limit]) {
    case 'times':
      return t('limit.times', { value: t.number(value) });
    case 'ms':
      return t.duration(value);
    case 'percent':
      return t.percent(value, 2);
    default:
      return t.number(value);
  }
}

/** "next: in 3 days", or until when it lasts. */
function freezeText({ t, nowMs }: Frame, times: FreezeTimes | undefined): string {
  if (times?.untilMs !== undefined) return t('environment.frozenUntil', { time: t.time(times.untilMs) });
  if (times?.nextMs === undefined) return '';
  return t('environment.freezeNext', { time: t.time(times.nextMs), when: t.relative(times.nextMs, nowMs) });
}

/**
 * Posts device.ID, maxInstances, maxEndpoints, requesters.ROLE, needsReview, fourEyes, policy.NAME, maxP95Ms,
 * keepWarmMinutes, watchMinutes, a field for each limit, freeze.N.name, .cron, .hours and .zone, and revision to
 * `/admin/environments/NAME`.
 */
export function environmentFormScreen(frame: Frame, view: EnvironmentFormView): Html {
  const { t } = frame;
  const { environment, form: state, isStale } = view;
  const { name, revision, changedBy, changedMs } = environment;
  const path = `/admin/environments/${name}`;
  return page(frame, {
    title: t('environment.edit', { name: t(`environment.${name}`) }),
    lead: t(`environment.${name}.what`),
    trail: [{ label: t('environments.title'), href: '/admin/environments' }],
    body: html`${
        isStale &&
        notice({
          tone: 'warn',
          title: t('environment.stale', { who: changedBy, when: t.relative(changedMs, frame.nowMs) }),
          text: t('environment.staleWhat'),
          action: button({ label: t('environment.reload'), href: path }),
        })
      }
      <div class="sections">
        ${form(frame, {
          action: path,
          state,
          submit: t('do.save'),
          cancel: '/admin/environments',
          hidden: { revision },
          attributes: { novalidate: true, class: 'form sections' },
          fields: [
            section(t('environment.room'), roomFields(frame, view)),
            section(t('environment.review'), reviewFields(frame, state)),
            section(t('environment.policy'), policyFields(frame, state)),
            section(t('guard.limits'), guardFields(frame, state)),
            section(t('environment.freezes'), freezeFields(frame, view)),
          ],
        })}
      </div>`,
  });
}

function section(title: string, body: Html): Html {
  return html`<fieldset class="card step">
    <legend><h2>${title}</h2></legend>
    <div class="stack">${body}</div>
  </fieldset>`;
}

const numeric = { inputmode: 'decimal', autocomplete: 'off' } as const;

function roomFields(frame: Frame, { devices, form: state }: EnvironmentFormView): Html {
  const { t } = frame;
  const hint = t('environment.quotaHint');
  return html`${choices({
      name: 'device',
      label: t('placement.devices'),
      hint: t('environment.devicesHint'),
      type: 'checkbox',
      state,
      options: devices.map(({ id, label }) => ({ value: id, label })),
      chosen: [],
    })}
    <div class="fields">
      ${field(frame, { name: 'maxInstances', label: t('environment.maxInstances'), hint, state, attributes: numeric })}
      ${field(frame, { name: 'maxEndpoints', label: t('environment.maxEndpoints'), hint, state, attributes: numeric })}
    </div>
    ${field(frame, {
      name: 'keepWarmMinutes',
      label: t('environment.keepWarm'),
      hint: t('environment.keepWarmHint'),
      unit: t('placement.minutes'),
      state,
      required: true,
      attributes: numeric,
    })}`;
}

function reviewFields({ t }: Frame, state: FormState): Html {
  return html`${choices({
    name: 'requesters',
    label: t('environment.requesters'),
    type: 'checkbox',
    state,
    options: (Object.keys(requesters) as (keyof typeof requesters)[]).map((value) => ({
      value,
      label: t(`role.${value}`),
    })),
    chosen: [],
  })}
  ${checkbox({ name: 'needsReview', label: t('environment.needsReview'), hint: t('environment.needsReviewHint'), state })}
  ${checkbox({ name: 'fourEyes', label: t('environment.fourEyes'), hint: t('environment.fourEyesHint'), state })}`;
}

function policyFields(frame: Frame, state: FormState): Html {
  const { t } = frame;
  return html`${choices({
    name: 'policy',
    label: t('environment.policyLabel'),
    type: 'checkbox',
    state,
    options: (['smoke', 'licence', 'evaluation', 'loadTest'] as const).map((value) => ({
      value,
      label: t(`policy.${value}`),
      hint: t(`policy.${value}.what`),
    })),
    chosen: [],
  })}
  ${field(frame, {
    name: 'maxP95Ms',
    label: t('policy.p95'),
    hint: t('policy.p95.what'),
    unit: t('form.ms'),
    state,
    attributes: numeric,
  })}`;
}

function guardFields(frame: Frame, state: FormState): Html {
  const { t } = frame;
  const units = { times: '×', ms: t('form.ms'), percent: '%', count: undefined };
  return html`<p class="quiet">${t('guard.what')}</p>
    <div class="limit-fields">
      ${(Object.keys(limits) as (keyof GuardLimits)[]).map((name) =>
        field(frame, {
          name,
          label: t(`limit.${name}.name`),
          hint: t(`limit.${name}`),
          unit: units[limits[name]],
          state,
          required: true,
          attributes: numeric,
        }),
      )}
      ${field(frame, {
        name: 'watchMinutes',
        label: t('environment.watch'),
        hint: t('environment.watchHint'),
        unit: t('placement.minutes'),
        state,
        required: true,
        attributes: numeric,
      })}
    </div>`;
}

/** A row for each freeze and one more; further ones show as they are needed. */
function freezeFields(frame: Frame, { freezes, form: state }: EnvironmentFormView): Html {
  const { t } = frame;
  const row = (i: number) => {
    const input = (part: 'name' | 'cron' | 'hours' | 'zone', label: string, placeholder: string) => {
      const name = `freeze.${i}.${part}`;
      const shared = {
        id: `field-${name}`,
        name,
        value: state.values[name] ?? '',
        placeholder: placeholder || ' ',
        'aria-invalid': state.errors[name] !== undefined && 'true',
        autocomplete: 'off',
        spellcheck: 'false',
      };
      return html`<div class="field">
        <label for="field-${name}">${label}</label>
        <input type="text" ${attributes(shared)} />
        ${state.errors[name] !== undefined && html`<p class="fault">${state.errors[name]}</p>`}
      </div>`;
    };
    const next = freezeText(frame, freezes[i]);
    return html`<div class="freeze" role="group" aria-label="${t('environment.freezeOf', { number: i + 1 })}">
      ${input('name', t('environment.freezeName'), '')} ${input('cron', t('environment.freezeCron'), '0 18 * * 5')}
      ${input('hours', t('environment.freezeHours'), '')} ${input('zone', t('environment.freezeZone'), 'Asia/Shanghai')}
      ${next !== '' && html`<p class="hint">${next}</p>`}
    </div>`;
  };
  return html`<p class="quiet">${t('environment.freezesWhat')}</p>
    ${state.errors.freezes !== undefined && html`<p class="fault">${state.errors.freezes}</p>`}
    ${Array.from({ length: mostFreezes }, (_, i) => row(i))}`;
}
