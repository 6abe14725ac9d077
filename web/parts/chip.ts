// A short state: colour, a mark and a word, so that colour never stands alone.
import { attributes } from '../attributes.ts';
import { type Html, html } from '../html.ts';
import type { Tone } from '../view-types.ts';

export interface ChipProps {
  tone: Tone;
  label: string;
  /** Something is happening: the mark pulses. */
  busy?: boolean;
  title?: string;
}

export function chip({ tone, label, busy, title }: ChipProps): Html {
  return html`<span class="chip ${tone}" ${attributes({ 'data-busy': busy, title })}>${label}</span>`;
}
