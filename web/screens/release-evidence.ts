// What speaks for a release: its pieces as they are shown, and the fields with which one more is added.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { field, hiddenFields } from '../parts/form.ts';
import { notice } from '../parts/notice.ts';
import { moment } from '../parts/text-block.ts';
import type { Evidence } from '../release-views.ts';
import type { Text } from '../text/text.ts';
import type { FormState, Frame } from '../view-types.ts';

export function evidenceList(frame: Frame, evidence: Evidence[]): Html {
  const { t } = frame;
  if (evidence.length === 0) return html`<p class="quiet">${t('evidence.none')}</p>`;
  return html`<ul class="evidence">
    ${evidence.map((piece) => html`<li>${evidencePiece(frame, piece)}</li>`)}
  </ul>`;
}

function evidencePiece(frame: Frame, { kind, title, text, url, numbers = {}, atMs }: Evidence): Html {
  const { t } = frame;
  const written = Object.entries(numbers);
  return html`<div>
    <p>${chip({ tone: 'idle', label: t(`evidence.${kind}`) })} <b>${titled(title, url)}</b> ${moment(frame, atMs)}</p>
    ${text !== undefined && text !== '' && html`<p class="as-typed">${text}</p>`}
    ${
      written.length > 0 &&
      html`<ul class="chips">
        ${written.map(([name, value]) => html`<li>${nameOf(t, name)} <b>${numberText(t, name, value)}</b></li>`)}
      </ul>`
    }
  </div>`;
}

/** Only what leads to a page is a link. */
function titled(title: string, url: string | undefined): Html {
  const isPage = url !== undefined && /^(?:https?:\/\/[^\s"'<>\\]+|\/(?![/\\])[^\s"'<>\\]*)$/.test(url);
  if (isPage) return html`<a href="${url}" rel="noreferrer">${title === '' ? url : title}</a>`;
  return html`${title} ${url !== undefined && url !== '' && html`<code>${url}</code>`}`;
}

/** What a load test measures; other numbers have the name that somebody gave them. "p95Ms" is p95. */
function nameOf(t: Text, name: string): string {
  switch (name) {
    case 'perSecond':
      return t('evidence.rate');
    case 'errors':
    case 'requests':
    case 'seconds':
    case 'connections':
      return t(`evidence.${name}`);
    default:
      return name.replace(/(?<=[a-z\d])Ms$/, '');
  }
}

function numberText(t: Text, name: string, value: number): string {
  if (/(?<=[a-z\d])Ms$/.test(name)) return t.duration(value);
  if (name === 'perSecond') return t('evidence.perSecond', { count: t.number(value, value < 10 ? 1 : 0) });
  return t.number(value, 4);
}

/** One piece in a form that is not sent yet: ticked, with all of it as JSON. */
export function evidenceItem(frame: Frame, piece: Evidence, number: number): Html {
  return html`<li>
    <label class="tick">
      <input type="checkbox" name="evidence.${number}" value="${JSON.stringify(piece)}" checked />
      <span class="unseen">${frame.t('evidence.keep')}</span>
    </label>
    ${evidencePiece(frame, piece)}
  </li>`;
}

/** Why a piece could not be made; takes the place of what was said there before. */
export function evidenceProblem(text?: string): Html {
  return html`<div id="evidence-problem" hx-swap-oob="true">
    ${text !== undefined && notice({ tone: 'bad', text })}
  </div>`;
}

/** A piece was taken: its fields are empty again, and what was wrong is forgotten. */
export function evidenceAdded(frame: Frame, piece: Evidence, number: number, isWritten: boolean): Html {
  return html`${evidenceItem(frame, piece, number)} ${evidenceProblem()} ${isWritten && writtenFields(frame, true)}`;
}

/** @param isAgain they take the place of those on the page */
export function writtenFields(frame: Frame, isAgain = false): Html {
  return html`<div class="stack" ${attributes({ id: 'evidence-fields', 'hx-swap-oob': isAgain && 'true' })}>
    ${evidenceFields(frame, { values: {}, errors: {} })}
  </div>`;
}

/** Of a piece that a person writes: a title, and a page or a text. */
export function evidenceFields(frame: Frame, state?: FormState): Html {
  const { t } = frame;
  return html`<div class="fields">
      ${field(frame, {
        name: 'evidenceTitle',
        label: t('evidence.title'),
        state,
        attributes: { maxlength: 200, autocomplete: 'off' },
      })}
      ${field(frame, {
        name: 'evidenceUrl',
        label: t('evidence.url'),
        state,
        attributes: { maxlength: 500, autocomplete: 'off', placeholder: 'https://' },
      })}
    </div>
    ${field(frame, { name: 'evidenceText', label: t('evidence.words'), state, rows: 2, attributes: { maxlength: 4000 } })}`;
}

const seconds = 10;
const connections = 8;

/** @returns the hidden fields of a load test */
export function loadTestFields(): Html[] {
  return hiddenFields({ seconds, connections });
}

export function loadTestWords({ t }: Frame, version: string): string {
  return t('evidence.loadTestWhat', { version, seconds, connections });
}

/** Posts to `/admin/releases/ID/evidence` and `/admin/releases/ID/load-test`. */
export function evidenceForms(frame: Frame, path: string, version: string, state: FormState): Html {
  const { t, csrf } = frame;
  const isOpen = Object.keys(state.values).some((name) => name.startsWith('evidence'));
  return html`<form class="load-test" method="post" action="${path}/load-test">
      ${hiddenFields({ csrf })} ${loadTestFields()}
      ${button({ label: t('evidence.loadTest'), icon: 'play', submit: true })}
      <p class="hint">${loadTestWords(frame, version)}</p>
    </form>
    <details ${isOpen && 'open'}>
      <summary>${t('evidence.add')}</summary>
      <form class="form" method="post" action="${path}/evidence">
        ${hiddenFields({ csrf })}
        ${state.errors.evidence !== undefined && notice({ tone: 'bad', text: state.errors.evidence })}
        ${evidenceFields(frame, state)}
        <div class="form-foot">${button({ label: t('evidence.attach'), submit: true })}</div>
      </form>
    </details>`;
}
