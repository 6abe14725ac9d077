// How full something is: one bar, or a bar of segments that says who holds how much. Drawn as SVG, because sizes from data
// would otherwise need inline styles.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import type { Tone } from '../view-types.ts';

export interface MeterProps {
  label: string;
  /** 0…max. */
  value: number;
  max?: number;
  /** The value in words, shown beside the bar, e.g. "12.4 GiB of 80 GiB". */
  text: string;
  /** Absent: by how full it is, from 75 % and 90 %. */
  tone?: Tone | 'accent';
  /** `{value, text}` sent under this key moves the bar. */
  liveKey?: string;
}

export function meter({ label, value, max = 1, text, tone, liveKey }: MeterProps): Html {
  const share = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
  const look = tone ?? `by-level ${share >= 0.9 ? 'bad' : share >= 0.75 ? 'warn' : ''}`;
  return html`<div class="meter-row">
    <div
      class="meter ${look}"
      role="meter"
      aria-label="${label}"
      aria-valuemin="0"
      aria-valuemax="${max}"
      aria-valuenow="${value}"
      aria-valuetext="${text}"
      ${attributes({ 'data-live-key': liveKey })}
    >
      <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
        <rect width="${round(share * 100)}" height="1" />
      </svg>
    </div>
    <span aria-hidden="true">${text}</span>
  </div>`;
}

export interface Segment {
  label: string;
  value: number;
  /** The value in words. */
  text: string;
  /** held: one of ours, coloured by position. others: foreign programs. reserved: kept free on purpose. */
  kind: 'held' | 'others' | 'reserved';
  href?: string;
}

export interface SegmentMeterProps {
  label: string;
  segments: Segment[];
  max: number;
  /** The last entry of the legend: what is left; absent: nothing is. */
  rest?: { label: string; text: string };
  /** Names for every segment below the bar. */
  legend?: boolean;
}

/** A device's memory. To move it live put it into an element with `data-live-key` and send `{html}`. */
export function segmentMeter({ label, segments, max, rest, legend = true }: SegmentMeterProps): Html {
  const placed = place(segments, max);
  const spoken = [...segments, ...(rest ? [rest] : [])].map((each) => `${each.label} ${each.text}`).join(', ');
  return html`<div class="segments">
    <svg viewBox="0 0 100 1" preserveAspectRatio="none" role="img" aria-label="${label}: ${spoken}">
      ${placed.map(
        ({ from, width, look, label, text }) =>
          html`<rect class="${look}" x="${round(from)}" width="${round(width)}" height="1">
            <title>${label} ${text}</title>
          </rect>`,
      )}
    </svg>
    ${
      legend &&
      html`<ul class="legend">
        ${placed.map(
          ({ look, label, text, href }) =>
            html`<li>
              <i class="swatch ${look}"></i>
              ${href === undefined ? html`<span>${label}</span>` : html`<a href="${href}">${label}</a>`}
              <b>${text}</b>
            </li>`,
        )}
        ${rest && html`<li><i class="swatch free"></i><span>${rest.label}</span><b>${rest.text}</b></li>`}
      </ul>`
    }
  </div>`;
}

function place(segments: Segment[], max: number): (Segment & { from: number; width: number; look: string })[] {
  let from = 0;
  let held = 0;
  return segments.map((segment) => {
    const width = max > 0 ? Math.min(100 - from, (segment.value / max) * 100) : 0;
    const look = segment.kind === 'held' ? `hue-${(held++ % 8) + 1}` : segment.kind;
    const placed = { ...segment, from, width, look };
    from += width;
    return placed;
  });
}

/** @param done 0…1; undefined: nobody knows how long it takes */
export function progress(label: string, done: number | undefined, liveKey?: string): Html {
  return html`<progress${attributes({ 'aria-label': label, value: done, max: 1, 'data-live-key': liveKey })}></progress>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
