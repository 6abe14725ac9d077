// Data for a script, inside the page: never run, so that a strict Content-Security-Policy lets it be.
import { attributes } from '../attributes.ts';
import { Html, html } from '../html.ts';

/** @param data what JSON can hold */
export function jsonScript(id: string | undefined, data: unknown): Html {
  const written = new Html(JSON.stringify(data).replaceAll('<', '\\u003c'));
  return html`<script${attributes({ type: 'application/json', id })}>${written}</script>`;
}
