// What people say of a version beside its manifest, where it is or was live, and which versions of a model endpoints serve.
// Parts of the pages of models and versions.
import { address } from '../address.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { confirmButton } from '../parts/dialog.ts';
import { checkbox, field, form, hiddenFields } from '../parts/form.ts';
import { notice } from '../parts/notice.ts';
import { card } from '../parts/tabs.ts';
import { moment } from '../parts/text-block.ts';
import type { Release, Retention, ServedBy, VersionNote, VersionStanding } from '../release-views.ts';
import type { FormState, Frame } from '../view-types.ts';
import { modelPath } from './models.ts';
import { endpointPath, releaseChip, releasePath } from './releases.ts';

type Version = { model: string; version: number };

/** Leads to the form of a release. */
export function goLiveButton({ t, viewer }: Frame, { model, version }: Version): Html | undefined {
  if (!viewer?.may('release.request')) return undefined;
  const href = address('/admin/releases/new', { model, version });
  return button({ label: t('release.request'), icon: 'release', href });
}

export function archivedNotice(frame: Frame, { archivedMs }: VersionNote): Html | undefined {
  if (archivedMs === undefined) return undefined;
  return notice({ tone: 'info', text: html`${frame.t('note.isArchived')} ${moment(frame, archivedMs)}` });
}

export function tagChips({ tags }: VersionNote): Html {
  return html`${tags.map((tag) => chip({ tone: 'idle', label: tag }))}`;
}

/** Posts tags and note to `…/versions/N/note`, and to `…/versions/N/archive` and `…/restore`. */
export function standingCard(frame: Frame, of: Version, { note, releases, form: state }: VersionStanding): Html {
  const { t, viewer, csrf } = frame;
  const path = modelPath(of.model, `/versions/${of.version}`);
  const mayWrite = viewer?.may('model.write') ?? false;
  const isArchived = note.archivedMs !== undefined;
  const archive = () =>
    isArchived
      ? html`<form method="post" action="${path}/restore">
          ${hiddenFields({ csrf })} ${button({ label: t('note.restore'), submit: true })}
        </form>`
      : confirmButton(frame, {
          id: 'archive',
          label: t('note.archive'),
          icon: 'folder',
          what: t('note.archiveWhat'),
          action: `${path}/archive`,
          harmless: true,
        });
  return card({
    title: t('note.title'),
    actions: mayWrite ? archive() : undefined,
    body: html`<div class="columns">
      <div>${mayWrite ? noteForm(frame, path, note, state) : noteText(frame, note)}</div>
      <div class="stack">
        <h3>${t('note.releases')}</h3>
        ${releaseList(frame, releases)}
      </div>
    </div>`,
  });
}

function noteForm(frame: Frame, path: string, { tags, note }: VersionNote, state: FormState): Html {
  const { t } = frame;
  return form(frame, {
    action: `${path}/note`,
    state,
    submit: t('do.save'),
    fields: [
      field(frame, {
        name: 'tags',
        label: t('note.tags'),
        hint: t('note.tagsHint'),
        state,
        value: tags.join(', '),
        attributes: { autocomplete: 'off', maxlength: 500 },
      }),
      field(frame, {
        name: 'note',
        label: t('note.text'),
        state,
        value: note,
        rows: 2,
        attributes: { maxlength: 4000 },
      }),
    ],
  });
}

function noteText({ t }: Frame, note: VersionNote): Html {
  if (note.tags.length === 0 && note.note === '') return html`<p class="quiet">${t('note.none')}</p>`;
  return html`<p class="chip-row">${tagChips(note)}</p>
    <p class="as-typed">${note.note}</p>`;
}

function releaseList(frame: Frame, releases: Release[]): Html {
  const { t } = frame;
  if (releases.length === 0) return html`<p class="quiet">${t('note.neverReleased')}</p>`;
  return html`<ul class="stack tight">
    ${releases.map(
      ({ id, state, request, changedMs }) =>
        html`<li class="chip-row">
          <a href="${releasePath(id)}">${t('release.number', { id: String(id) })}</a> ${request.endpoint}
          ${releaseChip(frame, state)} ${moment(frame, changedMs)}
        </li>`,
    )}
  </ul>`;
}

/** Which endpoints serve which of a model's versions. */
export function servedCard(frame: Frame, served: ServedBy[]): Html | undefined {
  const { t } = frame;
  if (served.length === 0) return undefined;
  return card({
    title: t('note.served'),
    body: html`<ul class="stack tight">
      ${served.map(
        ({ endpoint, environment, version, state }) =>
          html`<li class="chip-row">
            <a href="${endpointPath(endpoint)}"><b>${endpoint}</b></a>
            <span class="quiet">${t(`environment.${environment}`)}</span>
            <span>${t('version.number', { version: String(version) })}</span> ${releaseChip(frame, state)}
          </li>`,
      )}
    </ul>`,
  });
}

/** Posts keepLast and keepReleased to `/admin/models/NAME/retention`. */
export function retentionCard(
  frame: Frame,
  model: string,
  { keepLast, keepReleased }: Retention,
  state: FormState,
): Html {
  const { t, viewer } = frame;
  const now = keepLast === null ? t('retention.all') : t('retention.last', { count: keepLast });
  const body = viewer?.may('model.write')
    ? form(frame, {
        action: modelPath(model, '/retention'),
        state,
        submit: t('retention.do'),
        fields: [
          html`<p class="quiet">${t('retention.what')}</p>`,
          field(frame, {
            name: 'keepLast',
            label: t('retention.keepLast'),
            hint: t('retention.keepLastHint'),
            state,
            value: keepLast ?? '',
            attributes: { inputmode: 'numeric', autocomplete: 'off' },
          }),
          checkbox({ name: 'keepReleased', label: t('retention.keepReleased'), checked: keepReleased, state }),
        ],
      })
    : html`<p>${now}</p>`;
  return card({ title: t('retention.title'), body });
}
