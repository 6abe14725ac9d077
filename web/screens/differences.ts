// What differs between two versions or requests: grouped, what breaks clients first; and the page that compares any two.
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { chip } from '../parts/chip.ts';
import { emptyState, notice } from '../parts/notice.ts';
import { page } from '../parts/page.ts';
import { table } from '../parts/table.ts';
import type { CompareView, Difference, Subject } from '../release-views.ts';
import type { Frame, Tone } from '../view-types.ts';
import { said } from './devices.ts';
import { versionName } from './releases.ts';

const tones: Record<Difference['weight'], Tone> = { breaking: 'bad', notable: 'warn', plain: 'idle' };
const weights = Object.keys(tones) as Difference['weight'][];
const groups: Record<Difference['group'], true> = {
  signature: true,
  settings: true,
  size: true,
  footprint: true,
  speed: true,
  licence: true,
  manifest: true,
  files: true,
};

/** "2 break clients, 3 notable". */
export function differenceSummary({ t }: Frame, differences: Difference[]): Html {
  const counts = weights.map((weight) => ({
    weight,
    count: differences.filter((each) => each.weight === weight).length,
  }));
  return html`${counts
    .filter(({ count }) => count > 0)
    .map(({ weight, count }) => chip({ tone: tones[weight], label: t(`difference.${weight}`, { count }) }))}`;
}

/**
 * One table, a row of its own above each group.
 * @param before, after heads of the two columns
 */
export function differenceTable(frame: Frame, differences: Difference[], before: string, after: string): Html {
  const { t } = frame;
  const order = Object.keys(groups) as Difference['group'][];
  const sorted = differences.toSorted(
    (a, b) => order.indexOf(a.group) - order.indexOf(b.group) || weights.indexOf(a.weight) - weights.indexOf(b.weight),
  );
  // A group that breaks clients is first, wherever it stands otherwise.
  const isBroken = ({ group }: Difference) =>
    sorted.some((other) => other.group === group && other.weight === 'breaking');
  const rows = [...sorted.filter(isBroken), ...sorted.filter((each) => !isBroken(each))];
  const value = (text: string) => html`<span class="value">${text === '' ? t('value.none') : text}</span>`;
  return html`<div class="differences">
    ${table<Difference>({
      caption: t('difference.title'),
      rows,
      empty: emptyState({ icon: 'good', title: t('difference.none') }),
      rowAttributes: ({ weight }) => ({ class: weight }),
      columns: [
        {
          label: t('difference.what'),
          role: 'main',
          cell: ({ what, group, weight }) =>
            html`${said(t, what)}
              <small>
                ${t(`difference.group.${group}`)} ${weight === 'notable' && html`· ${t('difference.weight.notable')}`}
                ${weight === 'breaking' && chip({ tone: 'bad', label: t('difference.weight.breaking') })}
              </small>`,
        },
        { label: before, cell: (each) => value(each.before) },
        { label: after, cell: (each) => html`<b class="after">${value(each.after)}</b>` },
      ],
    })}
  </div>`;
}

/** Takes a and b, each "MODEL:VERSION". */
export function compareScreen(frame: Frame, view: CompareView): Html {
  const { t } = frame;
  const { subjects, a, b, differences, problem } = view;
  return page(frame, {
    title: t('compare.title'),
    lead: t('compare.lead'),
    trail: [{ label: t('models.title'), href: '/admin/models' }],
    body: html`<form class="filters compare" method="get" action="/admin/compare">
        ${subjectSelect(frame, 'a', t('compare.a'), subjects, a && versionName(a))}
        ${subjectSelect(frame, 'b', t('compare.b'), subjects, b && versionName(b))}
        <div class="actions">${button({ label: t('compare.do'), kind: 'primary', submit: true })}</div>
      </form>
      ${problem !== undefined && notice({ tone: 'bad', text: said(t, problem) })}
      ${
        a &&
        b &&
        differences &&
        html`${differences.length > 0 && html`<p class="chip-row">${differenceSummary(frame, differences)}</p>`}
        ${differenceTable(frame, differences, versionName(a), versionName(b))}`
      }
      ${!differences && problem === undefined && emptyState({ icon: 'compare', title: t('compare.choose') })}`,
  });
}

/** Versions of every model under the model's name; its value is "MODEL:VERSION". */
export function subjectSelect(
  { t }: Frame,
  name: string,
  label: string,
  subjects: Subject[],
  current: string | undefined,
): Html {
  return html`<div class="field">
    <label for="field-${name}">${label}</label>
    <select id="field-${name}" name="${name}" required>
      <option value="">${t('compare.none')}</option>
      ${subjects.map(
        ({ model, versions }) =>
          html`<optgroup label="${model}">
            ${versions.map((version) => {
              const value = versionName({ model, version });
              return value === current
                ? html`<option value="${value}" selected>${value}</option>`
                : html`<option value="${value}">${value}</option>`;
            })}
          </optgroup>`,
      )}
    </select>
  </div>`;
}
