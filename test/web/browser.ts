// A headless Chromium, and a server of pages with the admin web's own headers: for tests and screenshots.
import { existsSync } from 'node:fs';

import { assets } from '../../web/assets.ts';

const chromium = '/usr/bin/chromium';

/** Why browser tests cannot run here; undefined when they can. */
export const browserProblem = existsSync(chromium) ? undefined : `${chromium} is not installed`;
// Left out in silence they would seem to have passed.
if (browserProblem && process.env.CI) throw new Error(browserProblem);

export const policy =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

export interface OpenOptions {
  width: number;
  height?: number;
  dark?: boolean;
  /** Device pixels for each CSS pixel. */
  scale?: number;
}

/**
 * Opens an address. The width holds for phones too, which a window of Chromium cannot be.
 * @returns the view, to be closed by the caller
 */
export async function openPage(url: string, options: OpenOptions): Promise<Bun.WebView> {
  const { width, height = 900, dark = false, scale = 1 } = options;
  const view = new Bun.WebView({
    width,
    height,
    backend: {
      type: 'chrome',
      path: chromium,
      argv: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--force-color-profile=srgb'],
    },
  });
  // A session must exist before the emulation can be told.
  await view.navigate('about:blank');
  await view.cdp('Emulation.setEmulatedMedia', {
    features: [
      { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' },
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ],
  });
  await view.cdp('Emulation.setDeviceMetricsOverride', {
    width,
    height,
    deviceScaleFactor: scale,
    mobile: width < 600,
  });
  await view.navigate(url);
  return view;
}

/** Makes the window as high as its page. */
export async function growToPage(view: Bun.WebView, options: OpenOptions): Promise<void> {
  const { width, scale = 1 } = options;
  const height = await view.evaluate<number>('document.documentElement.scrollHeight');
  await view.cdp('Emulation.setDeviceMetricsOverride', {
    width,
    height,
    deviceScaleFactor: scale,
    mobile: width < 600,
  });
}

/** Serves the assets as the real server does, and whatever `answer` answers. */
export function servePages(answer: (request: Request, url: URL) => Response | string | undefined | Promise<Response>) {
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      const url = new URL(request.url);
      const asset = assets.get(url.pathname.replace('/assets/', ''));
      if (asset) return new Response(asset.body, { headers: { 'content-type': asset.type } });
      const answered = await answer(request, url);
      if (answered instanceof Response) return answered;
      if (answered === undefined) return new Response('', { status: 404 });
      return new Response(answered, {
        headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy },
      });
    },
  });
}
