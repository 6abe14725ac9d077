// Everything that pages load besides themselves, embedded as text: name → body, type and hash. A page names each with its
// hash, so that it may be cached for ever.
import htmxScript from '../node_modules/htmx.org/dist/htmx.min.js' with { type: 'text' };
import uplotScript from '../node_modules/uplot/dist/uPlot.iife.min.js' with { type: 'text' };
import adminScript from './assets/admin.js' with { type: 'text' };
import chartScript from './assets/chart.js' with { type: 'text' };
import pictureScript from './assets/picture.js' with { type: 'text' };
import tryScript from './assets/try-it.js' with { type: 'text' };
import uploadScript from './assets/upload.js' with { type: 'text' };
import { markSvg } from './mark.ts';

import uplotStyle from '../node_modules/uplot/dist/uPlot.min.css' with { type: 'text' };
import adminStyle from './assets/admin.css' with { type: 'text' };
import docsStyle from './assets/docs.css' with { type: 'text' };
import modelStyle from './assets/models.css' with { type: 'text' };
import notifyStyle from './assets/notify.css' with { type: 'text' };
import releaseStyle from './assets/release.css' with { type: 'text' };

export interface Asset {
  body: string;
  type: string;
  /** The start of the SHA-256 of the body; fit for an ETag. */
  hash: string;
}

const script = 'text/javascript; charset=utf-8';
const style = 'text/css; charset=utf-8';

/** By the name in `/assets/NAME?v=HASH`. */
export const assets: ReadonlyMap<string, Asset> = new Map(
  Object.entries({
    'admin.css': asset(
      [uplotStyle, ...[adminStyle, modelStyle, notifyStyle, releaseStyle].map(dense)].join('\n'),
      style,
    ),
    'docs.css': asset(dense(docsStyle), style),
    'htmx.js': asset(htmxScript, script),
    'uplot.js': asset(uplotScript, script),
    'admin.js': asset(lean(adminScript), script),
    'chart.js': asset(lean(chartScript), script),
    'upload.js': asset(lean(uploadScript), script),
    'picture.js': asset(lean(pictureScript), script),
    'try-it.js': asset(lean(tryScript), script),
    'mark.svg': asset(markSvg, 'image/svg+xml'),
  }),
);

/** Without lines of comment and indentation: they are for who works on it. Templates of several lines have none that matter. */
function lean(text: string): string {
  return text.replaceAll(/^[ \t]*(?:\/\/.*|\/\*[^]*?\*\/[ \t]*)\n/gm, '').replaceAll(/^[ \t]+/gm, '');
}

/** A style without what only separates its words for the eye. */
function dense(css: string): string {
  return lean(css)
    .replaceAll(/([{};,])\s*\n/g, '$1')
    .replaceAll(/([a-z-]+): /g, '$1:')
    .replaceAll(' {', '{')
    .replaceAll(';}', '}');
}

function asset(body: string, type: string): Asset {
  return { body, type, hash: new Bun.CryptoHasher('sha256').update(body).digest('hex').slice(0, 16) };
}

/** @throws Error when there is no such asset */
export function assetUrl(name: string): string {
  const found = assets.get(name);
  if (!found) throw new Error(`no asset is named ${name}`);
  return `/assets/${name}?v=${found.hash}`;
}
