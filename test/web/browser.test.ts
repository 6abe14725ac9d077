// The pages in a real browser, under the server's own Content-Security-Policy: accessible, no wider than a phone, and
// their scripts do what they say against real streams, real uploads and real pictures.
import { afterAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { uploadRoutes } from '../../src/http/api/uploads.ts';
import { html } from '../../web/html.ts';
import { chart, stat } from '../../web/parts/chart.ts';
import { meter } from '../../web/parts/meter.ts';
import { page } from '../../web/parts/page.ts';
import { boxes, pictureInput, upload } from '../../web/parts/upload.ts';
import { languages } from '../../web/text/text.ts';
import { openTemporary } from '../registry/opened.ts';
import { browserProblem, type OpenOptions, openPage, servePages } from './browser.ts';
import { gallery, sampleFrame } from './samples.ts';
import { sampleScreens } from './screens.ts';

const it = browserProblem ? test.skip : test;
if (browserProblem) console.warn(`browser tests are skipped: ${browserProblem}`);

const axe = await Bun.file(Bun.resolveSync('axe-core/axe.min.js', import.meta.dir)).text();
const screens = { gallery, ...sampleScreens('wang.fang') };
const server = servePages((_request, { pathname }) => {
  const [, language, name] = pathname.split('/');
  const known = languages.find((each) => each === language);
  return known && screens[name as keyof typeof screens]?.(sampleFrame(known, { path: pathname })).text;
});
afterAll(() => server.stop(true));

/** Runs an expression once it becomes true, frame by frame. */
function until(view: Bun.WebView, condition: string): Promise<unknown> {
  return view.evaluate(`new Promise((resolve) => {
    const look = () => ((${condition}) ? resolve(true) : requestAnimationFrame(look));
    look();
  })`);
}

interface Finding {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

/** What axe-core finds, and how much wider than the window the page is. */
async function inspect(path: string, options: OpenOptions) {
  const view = await openPage(server.url.href + path, options);
  try {
    await until(view, `[...document.querySelectorAll('am-chart')].every((chart) => chart.querySelector('canvas'))`);
    // A form with faults has gone to the first; what is half under the bar would count as too small.
    await view.evaluate('scrollTo(0, 0)');
    // Injected past the page's policy, as developer tools do.
    await view.cdp('Runtime.evaluate', { expression: axe });
    const { violations } = await view.evaluate<{ violations: Finding[] }>(
      `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
    );
    const excess = await view.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    const real = await view.evaluate<number>('innerWidth');
    const findings = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => node.failureSummary + node.html).join('\n')}`,
    );
    return { findings, excess: excess + real - options.width };
  } finally {
    view.close();
  }
}

describe('accessible, and no wider than the window', () => {
  const looks = [
    { width: 1280, dark: false },
    { width: 1280, dark: true },
    { width: 360, dark: false },
    { width: 360, dark: true },
  ];
  for (const look of looks) {
    for (const language of languages) {
      it(`the gallery, ${look.dark ? 'dark' : 'light'}, ${look.width} px, ${language}`, async () => {
        expect(await inspect(`${language}/gallery`, look)).toEqual({ findings: [], excess: 0 });
      });
    }
  }
  for (const [i, name] of Object.keys(sampleScreens('x')).entries()) {
    it(`the screen ${name}`, async () => {
      const [wide, phone] = i % 2 === 0 ? [looks[0]!, looks[3]!] : [looks[1]!, looks[2]!];
      expect(await inspect(`en/${name}`, wide)).toEqual({ findings: [], excess: 0 });
      expect(await inspect(`zh/${name}`, phone)).toEqual({ findings: [], excess: 0 });
    });
  }
});

it('dialogs and menus open without a mouse, "/" finds the search, nothing breaks the policy', async () => {
  const complaints: string[] = [];
  const view = await openPage(`${server.url.href}en/gallery`, { width: 1280 });
  view.addEventListener('Log.entryAdded', (event) => {
    const { entry } = (event as unknown as { data: { entry: { level: string; text: string; url?: string } } }).data;
    // The gallery names a stream that this server does not have.
    if (entry.level === 'error' && !entry.url?.endsWith('/live')) complaints.push(entry.text);
  });
  await view.cdp('Log.enable');
  await view.reload();
  await until(view, `document.querySelectorAll('am-chart canvas').length > 0`);
  await view.evaluate(`document.activeElement.blur()`);
  await view.cdp('Input.dispatchKeyEvent', { type: 'keyDown', key: '/', text: '/' });
  expect(await view.evaluate<string>('document.activeElement.name')).toBe('q');
  await view.evaluate(`document.querySelector('[commandfor="load"]').focus()`);
  await view.press('Enter');
  await until(view, `document.getElementById('load').open`);
  await view.press('Escape');
  await until(view, `!document.getElementById('load').open`);
  // What must be typed to destroy something is exactly its name.
  const isValid = (typed: string) =>
    view.evaluate<boolean>(
      `(() => { const field = document.getElementById('remove-weld-defects-typed'); field.value = ${JSON.stringify(typed)}; return field.checkValidity(); })()`,
    );
  expect([await isValid('weld'), await isValid('weld-defects'), await isValid('weld-defectsx')]).toEqual([
    false,
    true,
    false,
  ]);
  expect(complaints).toEqual([]);
  view.close();
});

it('values move with the stream, which comes back by itself', async () => {
  let streams = 0;
  let push = (_updates: object) => {};
  let cut = () => {};
  const live = servePages((_request, { pathname }) => {
    if (pathname === '/live') {
      streams++;
      const body = new ReadableStream({
        start(controller) {
          push = (updates) => controller.enqueue(`data: ${JSON.stringify(updates)}\n\n`);
          cut = () => controller.close();
          push({ streams: String(streams) });
        },
      });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    }
    const data = { series: [{ label: 'p99' }], times: [1, 2], values: [[5, 6]] };
    const body = html`${stat({ label: 'Streams', value: '0', liveKey: 'streams' })}
      ${meter({ label: 'Memory', value: 1, max: 10, text: '1', liveKey: 'memory' })}
      ${chart({ title: 'Latency', unit: 'ms', data, keep: 3, liveKey: 'latency' })}
      <div data-live-key="device"></div>`;
    return page(sampleFrame('en'), { title: 'Live', live: '/live', body }).text;
  });
  const view = await openPage(live.url.href, { width: 800 });
  const said = `document.querySelector('[data-live-key="streams"]').textContent`;
  await until(view, `${said} === '1' && document.querySelector('am-chart canvas')`);
  push({
    memory: { value: 9.5, text: '9.5 of 10' },
    latency: { point: [3, 60] },
    device: { html: html`<b>${'<GPU>'}</b>`.text },
  });
  await until(view, `document.querySelector('[role="meter"]').ariaValueNow === '9.5'`);
  expect(
    await view.evaluate(`(() => {
      const meter = document.querySelector('[role="meter"]');
      const chart = document.querySelector('am-chart');
      return [meter.ariaValueText, meter.classList.contains('bad'), meter.querySelector('rect').getAttribute('width'),
        meter.nextElementSibling.textContent, document.querySelector('[data-live-key="device"] b').textContent,
        chart.querySelector('.u-legend').textContent.includes('60 ms')];
    })()`),
  ).toEqual(['9.5 of 10', true, '95', '9.5 of 10', '<GPU>', true]);
  push({ latency: { point: [4, 1] } });
  await until(view, `document.querySelector('am-chart').plot.data[0].join() === '2,3,4'`);
  cut();
  await until(view, `document.getElementById('live-sign').dataset.state === 'off'`);
  await until(view, `${said} === '2' && document.getElementById('live-sign').dataset.state === 'on'`);
  view.close();
  await live.stop(true);
});

it('a search shows what is found as one types, without loading the page again, and a refusal leaves it', async () => {
  const asked: string[] = [];
  const origin = servePages((_request, { pathname, searchParams }) => {
    if (pathname !== '/admin/users') return undefined;
    const search = searchParams.get('q') ?? '';
    asked.push(search);
    if (search === 'refused') return new Response('no', { status: 403 });
    return sampleScreens(search || 'nobody').users!(sampleFrame('en', { path: pathname })).text;
  });
  const view = await openPage(`${origin.url.href}admin/users`, { width: 800 });
  await view.evaluate(`(window.isSamePage = true, document.querySelector('[data-search]').select())`);
  await view.type('wang');
  await until(view, `document.querySelector('#users').textContent.includes('wang')`);
  expect(await view.evaluate<unknown[]>(`[isSamePage, location.search, document.activeElement.value]`)).toEqual([
    true,
    '?q=wang',
    'wang',
  ]);
  await view.evaluate(`document.querySelector('[data-search]').select()`);
  await view.type('refused');
  await until(view, `document.querySelector('.toast.bad')`);
  expect(await view.evaluate<boolean>(`document.querySelector('#users').textContent.includes('wang')`)).toBe(true);
  expect(asked).toEqual(['', 'wang', 'refused']);
  view.close();
  await origin.stop(true);
});

/** Puts files into an input as if a person had chosen them. */
const choose = (selector: string, make: string) => `(async () => {
  const files = new DataTransfer();
  for (const file of await ${make}) files.items.add(file);
  const input = document.querySelector(${JSON.stringify(selector)});
  input.files = files.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
})()`;

it('an upload arrives whole, goes on after a failure and waits while it is paused', async () => {
  const opened = await openTemporary();
  const { registry } = opened;
  const limits = { maxBodyBytes: 1024, maxJsonBytes: 1024 };
  // Only what these routes use.
  const routes = uploadRoutes({ control: { registry }, limits } as unknown as Parameters<typeof uploadRoutes>[0]);
  let failures = 0;
  const tokens = new Set<string | null>();
  const origin = servePages((request, { pathname }) => {
    if (pathname.startsWith('/api/v1/uploads')) {
      tokens.add(request.headers.get('x-csrf-token'));
      const offset = request.headers.get('upload-offset');
      if (offset !== null && Number(offset) > 0 && failures++ < 2) return new Response('{}', { status: 503 });
      return routes.handle(request);
    }
    const form = html`<form method="post" action="/next">
      ${upload(sampleFrame('en').t, { name: 'files' })}<button type="submit">Next</button>
    </form>`;
    return page(sampleFrame('en'), { title: 'Upload', body: form }).text;
  });
  const view = await openPage(origin.url.href, { width: 800 });
  const bytes = 10 * 1024 * 1024 + 3;
  expect(await view.evaluate(`document.querySelector('am-upload ~ button').disabled`)).toBe(true);
  await view.evaluate(
    choose(
      'am-upload input[multiple]',
      `[new File([new Uint8Array(${bytes}).map((_, i) => i % 251)], '<b>model.onnx', { lastModified: 1 }), new File(['{}'], 'config.json')]`,
    ),
  );
  const state = (i: number) => `document.querySelectorAll('.transfer')[${i}]?.dataset.state`;
  const press = (i: number, what: string) =>
    view.evaluate(`document.querySelectorAll('.transfer')[${i}].querySelector('[data-do="${what}"]').click()`);
  await press(1, 'pause');
  await until(view, `${state(0)} === 'done'`);
  expect(await view.evaluate<string>(state(1))).toBe('paused');
  expect(await view.evaluate<string>(`document.querySelector('input[name="files"]').value`)).toBe('[]');
  await press(1, 'resume');
  await until(view, `${state(1)} === 'done'`);
  const files = JSON.parse(await view.evaluate<string>(`document.querySelector('input[name="files"]').value`)) as {
    uploadId: string;
    path: string;
  }[];
  expect(files.map(({ path }) => path)).toEqual(['<b>model.onnx', 'config.json']);
  expect(await view.evaluate(`document.querySelector('am-upload ~ button').disabled`)).toBe(false);
  expect(failures).toBeGreaterThan(1);
  expect([...tokens]).toEqual(['csrf-sample']);
  const [stored] = opened.filesOnDisk().filter((path) => path.includes(files[0]!.uploadId));
  const wanted = new Uint8Array(bytes).map((_, i) => i % 251);
  const hash = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');
  expect(hash(await Bun.file(join(opened.folder, stored!)).bytes())).toBe(hash(wanted));
  view.close();
  await origin.stop(true);
  await opened.remove();
});

it('a chosen picture is sent and what is found is drawn on it', async () => {
  let received = 0;
  const origin = servePages(async (request) => {
    if (request.method === 'POST') {
      const image = (await request.formData()).get('image') as File;
      received = image.size;
      const found = boxes('photo', [{ label: 'face', score: 0.9, box: { x: 20, y: 30, width: 40, height: 40 } }]);
      return new Response(
        html`<p id="seen">ok</p>
          ${found}`.text,
        { headers: { 'content-type': 'text/html' } },
      );
    }
    const form = html`<form hx-post="/try" hx-encoding="multipart/form-data" hx-target="#answer">
        ${pictureInput(sampleFrame('en').t, { id: 'photo', name: 'image' })}
      </form>
      <div id="answer"></div>`;
    const text = page(sampleFrame('en'), { title: 'Try it', body: form }).text;
    return new Response(text, { headers: { 'content-type': 'text/html; charset=utf-8' } });
  });
  const view = await openPage(origin.url.href, { width: 800 });
  const picture = `new OffscreenCanvas(100, 80)`;
  await view.evaluate(
    choose(
      'am-picture input',
      `(async () => { const c = ${picture}; const p = c.getContext('2d'); p.fillStyle = '#fff'; p.fillRect(0, 0, 100, 80);
        return [new File([await c.convertToBlob({ type: 'image/png' })], 'p.png', { type: 'image/png' })]; })()`,
    ),
  );
  await until(view, `document.getElementById('seen')`);
  const pixel = (x: number, y: number) =>
    view.evaluate<number[]>(
      `[...document.querySelector('canvas').getContext('2d').getImageData(${x}, ${y}, 1, 1).data]`,
    );
  expect(received).toBeGreaterThan(0);
  // On the left edge of the box, and in its middle.
  expect(await pixel(20, 50)).toEqual([0, 121, 92, 255]);
  expect(await pixel(40, 50)).toEqual([255, 255, 255, 255]);
  view.close();
  await origin.stop(true);
});
