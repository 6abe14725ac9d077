// Words that stand out: a notice, a list that is empty, a part that is still loading.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import { icon, type IconName } from '../icons.ts';
import type { Text } from '../text/text.ts';
import type { Tone } from '../view-types.ts';

export interface NoticeProps {
  tone: Tone;
  title?: string;
  text: string | Html;
  /** What to do about it. */
  action?: Html;
}

export function notice({ tone, title, text, action }: NoticeProps): Html {
  return html`<div class="notice ${tone}" role="${tone === 'bad' ? 'alert' : 'status'}">
    ${icon(tone === 'idle' || tone === 'info' ? 'about' : tone)}
    <div>
      ${title && html`<b>${title}</b>`}
      <p>${text}</p>
    </div>
    ${action}
  </div>`;
}

export interface EmptyProps {
  icon: IconName;
  title: string;
  /** Why it is empty, or what to do. */
  text?: string | Html;
  action?: Html;
}

export function emptyState({ icon: name, title, text, action }: EmptyProps): Html {
  return html`<div class="empty">
    ${icon(name)}
    <p class="empty-title">${title}</p>
    ${text && html`<p>${text}</p>`} ${action}
  </div>`;
}

export interface SkeletonProps {
  lines?: number;
  /** Address of the fragment that takes its place as soon as the page is shown. */
  from?: string;
}

/** A part that is slow to make: the page is shown at once, htmx gets the part. */
export function skeleton(t: Text, { lines = 3, from }: SkeletonProps = {}): Html {
  const loading = { 'hx-get': from, 'hx-trigger': from && 'load', 'hx-swap': from && 'outerHTML' };
  return html`<div class="skeleton" role="status" ${attributes(loading)}>
    <span class="unseen">${t('loading')}</span>
    ${Array.from({ length: lines }, () => html`<i></i>`)}
  </div>`;
}
