// Things to read and to copy: code, a value with a copy button, a list of names and values, a timeline, a time.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { icon } from '../icons.ts';
import type { Text } from '../text/text.ts';
import type { Frame, Tone } from '../view-types.ts';

/** One line with a button that copies it. */
export function copyable(t: Text, text: string): Html {
  return html`<span class="copyable"><code>${text}</code>${copyButton(t, text)}</span>`;
}

export interface CodeProps {
  text: string;
  /** Above it, e.g. the name of the language. */
  title?: string;
}

export function codeBlock(t: Text, { text, title }: CodeProps): Html {
  return html`<div class="code">
    ${title && html`<p>${title}</p>`}
    <pre tabindex="0"><code>${text}</code></pre>
    ${copyButton(t, text)}
  </div>`;
}

function copyButton(t: Text, text: string): Html {
  return html`<button
    type="button"
    class="tool copy"
    data-copy="${text}"
    aria-label="${t('do.copy')}"
    title="${t('do.copy')}"
  >
    ${icon('copy')}${icon('check')}
  </button>`;
}

export interface KeyValue {
  label: string;
  value: Html | string | number;
  /** A text sent under this key replaces the value. */
  liveKey?: string;
}

export function keyValues(entries: KeyValue[]): Html {
  return html`<dl class="key-values">
    ${entries.map(
      ({ label, value, liveKey }) =>
        html`<div>
          <dt>${label}</dt>
          <dd${attributes({ 'data-live-key': liveKey })}>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

export interface Moment {
  atMs: number;
  title: string | Html;
  text?: string | Html;
  tone?: Tone;
}

/** Newest first, as the caller orders them. */
export function timeline(frame: Frame, moments: Moment[]): Html {
  return html`<ol class="timeline">
    ${moments.map(
      ({ atMs, title, text, tone = 'idle' }) =>
        html`<li class="${tone}">
          <p>${title} ${moment(frame, atMs)}</p>
          ${text && html`<p class="timeline-text">${text}</p>`}
        </li>`,
    )}
  </ol>`;
}

/** How long ago; the exact time on hover. */
export function moment({ t, nowMs }: Frame, atMs: number | undefined): Html {
  if (atMs === undefined) return html`<span class="quiet">${t('value.never')}</span>`;
  return html`<time datetime="${new Date(atMs).toISOString()}" title="${t.time(atMs)}"
    >${t.relative(atMs, nowMs)}</time
  >`;
}

/** The exact time. */
export function instant(t: Text, atMs: number): Html {
  return html`<time datetime="${new Date(atMs).toISOString()}">${t.time(atMs)}</time>`;
}
