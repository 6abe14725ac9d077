// Numbers over time: a small line beside a figure, a chart that one can read, a tile with one figure.
import { assetUrl } from '../assets.ts';
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { icon, type IconName } from '../icons.ts';
import type { Tone } from '../view-types.ts';
import { jsonScript } from './json-script.ts';

export interface SparklineProps {
  /** What it shows, for a screen reader. */
  label: string;
  /** At equal distances, oldest first; null leaves a gap. */
  values: readonly (number | null)[];
  /** Absent: the largest value. */
  max?: number;
}

export function sparkline({ label, values, max }: SparklineProps): Html {
  const known = values.filter((value): value is number => value !== null);
  const top = max ?? Math.max(...known, 0);
  const step = 100 / Math.max(1, values.length - 1);
  const points = values.map((value, i) =>
    value === null
      ? undefined
      : `${(i * step).toFixed(1)} ${(23 - (top > 0 ? Math.min(1, value / top) : 0) * 22).toFixed(1)}`,
  );
  const path = points
    .map((point, i) => (point === undefined ? '' : `${points[i - 1] === undefined ? 'M' : 'L'}${point}`))
    .join('');
  const isWhole = known.length > 1 && known.length === values.length;
  return html`<svg class="sparkline" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label="${label}">
    ${isWhole && html`<path class="under" d="${path}L100 24L0 24Z" />`}
    <path class="line" d="${path}" />
  </svg>`;
}

export interface ChartSeries {
  label: string;
}

export interface ChartData {
  series: ChartSeries[];
  /** Unix time in seconds, rising. */
  times: number[];
  /** For each series as many as there are times; null leaves a gap. */
  values: (number | null)[][];
}

export interface ChartProps {
  title: string;
  /** How values are written: 1.2 k, 3.4 GiB, 40 %, 12 ms. */
  unit: 'number' | 'bytes' | 'percent' | 'ms';
  /** ChartData, or an address that answers it as JSON. */
  data: ChartData | string;
  /** Points kept when more are appended; oldest go first. */
  keep?: number;
  /** `{point: [time in s, value of each series]}` sent under this key is appended. */
  liveKey?: string;
  height?: 'small' | 'large';
}

export function chart({ title, unit, data, keep = 600, liveKey, height = 'small' }: ChartProps): Html {
  return html`<figure class="chart">
    <figcaption>${title}</figcaption>
    <am-chart
      class="${height}"
      role="img"
      aria-label="${title}"
      data-library="${assetUrl('uplot.js')}"
      data-unit="${unit}"
      data-keep="${keep}"
      ${attributes({ 'data-src': typeof data === 'string' && data, 'data-live-key': liveKey })}
    >
      ${typeof data !== 'string' && jsonScript(undefined, data)}
    </am-chart>
  </figure>`;
}

export interface StatProps {
  label: string;
  /** Already written for people. */
  value: string;
  /** Set smaller after the value. */
  unit?: string;
  /** A line below: what it means, what it was. */
  note?: string | Html;
  tone?: Tone;
  icon?: IconName;
  trend?: SparklineProps;
  href?: string;
  /** A text sent under this key replaces the value. */
  liveKey?: string;
}

export function stat({ label, value, unit, note, tone, icon: name, trend, href, liveKey }: StatProps): Html {
  return html`<div class="stat ${tone}">
    <p class="stat-label">${name && icon(name)}${href === undefined ? label : html`<a href="${href}">${label}</a>`}</p>
    <p class="stat-value">
      <span${attributes({ 'data-live-key': liveKey })}>${value}</span>${unit && html` <small>${unit}</small>`}
    </p>
    ${trend && sparkline(trend)} ${note && html`<p class="stat-note">${note}</p>`}
  </div>`;
}

/** Tiles beside each other, as many as there is room for. */
export function stats(tiles: Html[]): Html {
  return html`<div class="stats">${tiles}</div>`;
}
