// The icons, drawn for this product: strokes on a grid of 20 by 20 that take the colour of the text around them. They
// say nothing to a screen reader; the words stand beside them or on their button.
import { Html, html } from './html.ts';

const shapes = {
  overview: '<path d="M3.5 14.5a7 7 0 1 1 13 0"/><path d="m10 12.5 3-4.5"/><path d="M3.5 16.5h13"/>',
  models: '<path d="m10 2.8 6.5 3.6v7.2L10 17.2l-6.5-3.6V6.4z"/><path d="m3.8 6.6 6.2 3.5 6.2-3.5M10 10.1v7"/>',
  instances: '<path d="m10 3 7 3.6-7 3.6-7-3.6z"/><path d="m3.4 10.2 6.6 3.4 6.6-3.4M3.4 13.6l6.6 3.4 6.6-3.4"/>',
  devices:
    '<rect x="5.5" y="5.5" width="9" height="9" rx="1.5"/><path d="M8 2.5v3m4-3v3m-4 9v3m4-3v3M2.5 8h3m-3 4h3m9-4h3m-3 4h3"/>',
  users:
    '<circle cx="7.5" cy="7" r="2.8"/><path d="M2.5 16.5c.3-3 2.3-4.7 5-4.7s4.7 1.7 5 4.7M13 4.4a2.7 2.7 0 0 1 0 5.2m2 2.6c1.5.7 2.4 2.2 2.5 4.3"/>',
  user: '<circle cx="10" cy="7" r="3.2"/><path d="M4 17c.4-3.4 2.8-5.2 6-5.2s5.6 1.8 6 5.2"/>',
  bell: '<path d="M10 2.8a5 5 0 0 0-5 5v3.4L3.4 14h13.2L15 11.2V7.8a5 5 0 0 0-5-5z"/><path d="M8.2 16.6a2 2 0 0 0 3.6 0"/>',
  key: '<circle cx="6.8" cy="13.2" r="3.3"/><path d="m9.2 10.8 7.3-7.3M13.2 6.8l2.5 2.5M11 9l1.7 1.7"/>',
  audit: '<path d="M5 2.8h7l3.5 3.5v10.9H5z"/><path d="M11.8 3v3.6h3.5M7.5 10h5m-5 3h5"/>',
  door: '<path d="M11.5 3H16v14h-4.5"/><path d="M3 10h8.5m-3-3 3 3-3 3"/>',
  leave: '<path d="M8.5 3H4v14h4.5"/><path d="M8.5 10H17m-3-3 3 3-3 3"/>',
  settings:
    '<path d="M3 6h6.5m4 0H17M3 14h3.5m4 0H17"/><circle cx="11.5" cy="6" r="2"/><circle cx="8.5" cy="14" r="2"/>',
  about: '<circle cx="10" cy="10" r="7.2"/><path d="M10 9.2v4.5M10 6.3v.3"/>',
  endpoint:
    '<circle cx="5" cy="10" r="2.2"/><path d="M7.2 10H11m0 0c2 0 1.6-4.5 3.6-4.5H17M11 10c2 0 1.6 4.5 3.6 4.5H17"/>',
  release: '<path d="M3 16.8h14M10 13V3.2M6 7.2l4-4 4 4"/>',
  environment:
    '<rect x="2.8" y="3.5" width="6" height="13" rx="1.3"/><rect x="11.2" y="3.5" width="6" height="13" rx="1.3"/><path d="M4.8 7h2m6.4 0h2"/>',
  compare: '<path d="M10 2.8v14.4M7.5 5.5H3v9h4.5M12.5 5.5H17v9h-4.5"/>',
  rollback: '<path d="M7 4 3.2 7.8 7 11.6"/><path d="M3.6 7.8h8.2a4.4 4.4 0 0 1 0 8.8H8"/>',
  menu: '<path d="M3 5.5h14M3 10h14M3 14.5h14"/>',
  search: '<circle cx="8.8" cy="8.8" r="5.3"/><path d="m12.8 12.8 4.2 4.2"/>',
  plus: '<path d="M10 4v12M4 10h12"/>',
  cross: '<path d="m5 5 10 10M15 5 5 15"/>',
  check: '<path d="m4 10.5 4 4 8-9"/>',
  good: '<circle cx="10" cy="10" r="7.2"/><path d="m6.8 10.2 2.3 2.4 4.2-5"/>',
  warn: '<path d="M10 3.2 17.5 16.5h-15z"/><path d="M10 8.3v4M10 14.2v.2"/>',
  bad: '<path d="M7 2.8h6L17.2 7v6L13 17.2H7L2.8 13V7z"/><path d="M10 6.5v4.5M10 13.5v.2"/>',
  copy: '<rect x="7" y="7" width="10" height="10" rx="1.5"/><path d="M13 4.5V4a1 1 0 0 0-1-1H4a1 1 0 0 0-1 1v8a1 1 0 0 0 1 1h.5"/>',
  upload: '<path d="M10 13V3.5M6.5 7 10 3.5 13.5 7"/><path d="M3.5 12.5v4h13v-4"/>',
  download: '<path d="M10 3.5V13m-3.5-3.5L10 13l3.5-3.5"/><path d="M3.5 12.5v4h13v-4"/>',
  file: '<path d="M5 2.8h6.5L15 6.3v10.9H5z"/><path d="M11.3 3v3.5h3.5"/>',
  folder: '<path d="M2.8 15.8V4.5h5l1.7 2h7.7v9.3z"/>',
  trash: '<path d="M3.5 5.5h13M8 5.5V3.2h4v2.3M5.2 5.5l.8 11.7h8l.8-11.7M8.5 8.8v5m3-5v5"/>',
  pause: '<path d="M7 4.5v11M13 4.5v11"/>',
  play: '<path d="M6.5 4v12l9-6z"/>',
  restart: '<path d="M15.8 7.5A6.5 6.5 0 1 0 16.5 10"/><path d="M16.3 3.5v4h-4"/>',
  clock: '<circle cx="10" cy="10" r="7.2"/><path d="M10 5.8V10l2.8 2"/>',
  right: '<path d="m7.5 4.5 5.5 5.5-5.5 5.5"/>',
  left: '<path d="M12.5 4.5 7 10l5.5 5.5"/>',
  down: '<path d="m4.5 7.5 5.5 5.5 5.5-5.5"/>',
  sun: '<circle cx="10" cy="10" r="3.3"/><path d="M10 2v2m0 12v2M2 10h2m12 0h2M4.3 4.3l1.4 1.4m8.6 8.6 1.4 1.4m0-11.4-1.4 1.4m-8.6 8.6-1.4 1.4"/>',
  moon: '<path d="M16.5 12.3A7 7 0 0 1 7.7 3.5a7 7 0 1 0 8.8 8.8z"/>',
  screen: '<rect x="2.8" y="3.5" width="14.4" height="10" rx="1.5"/><path d="M7 17h6m-3-3.5V17"/>',
  globe:
    '<circle cx="10" cy="10" r="7.2"/><path d="M2.8 10h14.4M10 2.8c2.2 2 3.2 4.4 3.2 7.2s-1 5.2-3.2 7.2c-2.2-2-3.2-4.4-3.2-7.2s1-5.2 3.2-7.2z"/>',
  picture:
    '<rect x="2.8" y="3.8" width="14.4" height="12.4" rx="1.5"/><circle cx="7" cy="8" r="1.3"/><path d="m3 14.5 4.5-3.8 3 2.5 3-2.7 3.5 3.3"/>',
  book: '<path d="M3 4.2c2.5-.8 5-.5 7 1v11.3c-2-1.5-4.5-1.8-7-1zM17 4.2c-2.5-.8-5-.5-7 1v11.3c2-1.5 4.5-1.8 7-1z"/>',
} satisfies Record<string, string>;

export type IconName = keyof typeof shapes;

export function icon(name: IconName): Html {
  return html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true">${new Html(shapes[name])}</svg>`;
}
