// API keys: the list, the form that makes one, and the page that shows a new one once.
import { address } from '../address.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { confirmButton } from '../parts/dialog.ts';
import { choices, field, form, select } from '../parts/form.ts';
import { emptyState, notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { pagination, searchField, table } from '../parts/table.ts';
import { card } from '../parts/tabs.ts';
import { codeBlock, moment } from '../parts/text-block.ts';
import type { FormState, Frame, KeyFormView, KeyRow, KeyShownView, KeysView, Tone } from '../view-types.ts';

const stateTones: Record<KeyRow['state'], Tone> = {
  active: 'good',
  expiring: 'warn',
  expired: 'idle',
  revoked: 'idle',
};

export function keysScreen(frame: Frame, { keys, search, page: at, overlapsHours }: KeysView): Html {
  const { t } = frame;
  const isUsed = keys.length > 0 || search !== '';
  const add = button({ label: t('keys.add'), icon: 'plus', kind: 'primary', href: '/admin/keys/new' });
  return page(frame, {
    title: t('keys.title'),
    lead: t('keys.lead'),
    actions: isUsed ? add : undefined,
    body: [
      ...(isUsed
        ? [searchField(t, { action: '/admin/keys', label: t('keys.search'), value: search, target: 'keys' })]
        : []),
      html`<div class="stack" id="keys">
        ${table<KeyRow>({
          caption: t('keys.title'),
          rows: keys,
          empty:
            search === ''
              ? emptyState({ icon: 'key', title: t('keys.none'), text: t('keys.noneWhat'), action: add })
              : emptyState({ icon: 'key', title: t('keys.noMatch') }),
          columns: [
            {
              label: t('key.name'),
              role: 'main',
              cell: ({ id, name, owner, state }) =>
                html`${state === 'revoked' ? name : html`<a href="${pathOf({ id })}">${name}</a>`}<small
                    class="one-line"
                    ><code>am_${id}_…</code> · ${owner}</small
                  >`,
            },
            {
              label: t('key.models'),
              cell: ({ models, actions }) =>
                html`<div>
                  ${models === '*' ? t('key.allModels') : models.join(', ')}
                  <p class="hint">${actions.map((action) => t(`key.action.${action}`)).join(t('value.comma'))}</p>
                </div>`,
            },
            { label: t('key.limits'), cell: (key) => limitsText(frame, key) },
            { label: t('key.lastUsed'), cell: ({ lastUsedMs }) => moment(frame, lastUsedMs) },
            {
              label: t('key.expires'),
              cell: ({ expiresMs }) => (expiresMs === undefined ? t('key.noEnd') : t.date(expiresMs)),
            },
            {
              label: t('key.state'),
              cell: ({ state, previousUntilMs }) =>
                html`<div>
                  ${chip({ tone: stateTones[state], label: t(`key.state.${state}`) })}
                  ${
                    previousUntilMs !== undefined &&
                    html`<p class="hint">${t('key.previousUntil', { until: t.time(previousUntilMs) })}</p>`
                  }
                </div>`,
            },
            { label: t('table.actions'), role: 'actions', cell: (key) => keyActions(frame, key, overlapsHours) },
          ],
        })}
        ${pagination(t, at, (number) => address('/admin/keys', { q: search, page: number }))}
      </div>`,
    ],
  });
}

function limitsText({ t }: Frame, { ratePerSecond, dailyQuota, usedToday }: KeyRow): string {
  const rate = ratePerSecond === undefined ? undefined : t('key.rateOf', { rate: ratePerSecond });
  const quota = dailyQuota === undefined ? undefined : t('key.quotaOf', { used: usedToday, count: dailyQuota });
  return [rate, quota].filter(Boolean).join(' · ') || t('key.unlimited');
}

/** Posts overlap, in hours, to `/admin/keys/ID/rotate`, and to `/admin/keys/ID/revoke`. */
function keyActions(frame: Frame, { id, name, state }: KeyRow, overlapsHours: readonly number[]): Html | undefined {
  const { t } = frame;
  if (state !== 'active' && state !== 'expiring') return undefined;
  return html`${confirmButton(frame, {
    id: `rotate-${id}`,
    label: t('key.rotate'),
    what: t('key.rotateWhat'),
    fields: choices({
      name: 'overlap',
      label: t('key.overlap'),
      type: 'radio',
      chosen: ['24'],
      required: true,
      options: overlapsHours.map((hours) => ({
        value: String(hours),
        label: hours === 0 ? t('key.overlapNone') : t.duration(hours * 3_600_000),
      })),
    }),
    action: `${pathOf({ id })}/rotate`,
    harmless: true,
  })}
  ${confirmButton(frame, {
    id: `revoke-${id}`,
    label: t('key.revoke'),
    kind: 'danger',
    what: t('key.revokeWhat', { name }),
    action: `${pathOf({ id })}/revoke`,
  })}`;
}

/**
 * Posts name, models, actions.predict, actions.read, actions.load, actions.manage, expires (YYYY-MM-DD), ratePerSecond, burst
 * and dailyQuota to `/admin/keys`, or `/admin/keys/ID`; owner, an id, to `/admin/keys/ID/owner`.
 */
export function keyFormScreen(frame: Frame, view: KeyFormView): Html {
  const { t } = frame;
  const { key, owners } = view;
  return page(frame, {
    title: key ? t('key.edit', { name: key.name }) : t('keys.add'),
    trail: [{ label: t('keys.title'), href: '/admin/keys' }],
    state: key && chip({ tone: stateTones[key.state], label: t(`key.state.${key.state}`) }),
    body: html`${card({ body: settingsForm(frame, view) })} ${key && owners && ownerCard(frame, key, owners, view.form)}`,
  });
}

function settingsForm(frame: Frame, { form: state, actions, key }: KeyFormView): Html {
  const { t } = frame;
  const limits = [
    { name: 'ratePerSecond', label: t('key.rate'), hint: t('key.limitHint'), attributes: { min: 0.001, step: 'any' } },
    { name: 'burst', label: t('key.burst'), hint: t('key.burstHint'), attributes: { min: 1 } },
    { name: 'dailyQuota', label: t('key.quota'), hint: t('key.limitHint'), attributes: { min: 1 } },
  ];
  const { owner: _, ...errors } = state.errors;
  return form(frame, {
    action: key ? pathOf(key) : '/admin/keys',
    state: { ...state, errors },
    submit: t(key ? 'do.save' : 'key.make'),
    cancel: '/admin/keys',
    fields: [
      field(frame, {
        name: 'name',
        label: t('key.name'),
        hint: t('key.nameHint'),
        state,
        required: true,
        attributes: { maxlength: 100, autocomplete: 'off' },
      }),
      field(frame, { name: 'models', label: t('key.models'), hint: t('key.modelsHint'), state }),
      choices({
        name: 'actions',
        label: t('key.actions'),
        type: 'checkbox',
        state,
        chosen: ['predict'],
        options: actions.map((value) => ({ value, label: t(`key.action.${value}`) })),
      }),
      html`<div class="fields">${limits.map((each) => field(frame, { ...each, type: 'number', state }))}</div>`,
      field(frame, { name: 'expires', label: t('key.expires'), hint: t('key.expiresHint'), type: 'date', state }),
    ],
  });
}

function ownerCard(frame: Frame, key: KeyRow, owners: { id: string; name: string }[], state: FormState): Html {
  const { t } = frame;
  const about = html`<p class="quiet">${t('key.giveWhat', { owner: key.owner })}</p>`;
  const options = owners.map(({ id, name }) => ({ value: id, label: name }));
  return card({
    title: t('key.give'),
    body:
      options.length === 0
        ? html`<p class="quiet">${t('key.noOthers')}</p>`
        : form(frame, {
            action: `${pathOf(key)}/owner`,
            submit: t('key.giveDo'),
            kind: 'plain',
            fields: [about, select(frame, { name: 'owner', label: t('key.newOwner'), required: true, state, options })],
          }),
  });
}

const pathOf = ({ id }: Pick<KeyRow, 'id'>) => `/admin/keys/${encodeURIComponent(id)}`;

/** Never to be cached. */
export function keyShownScreen(frame: Frame, { name, secret, example }: KeyShownView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('keyShown.title'),
    trail: [{ label: t('keys.title'), href: '/admin/keys' }],
    body: html`${notice({ tone: 'warn', text: t('keyShown.what') })}
      ${card({ title: name, body: codeBlock(t, { text: secret }) })}
      ${card({ title: t('keyShown.try'), body: codeBlock(t, { text: example }) })}
      <div class="actions">${button({ label: t('keyShown.done'), kind: 'primary', href: '/admin/keys' })}</div>`,
  });
}
