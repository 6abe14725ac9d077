// Takes pictures of the admin web into dist/shots, wide and narrow, light and dark: of the gallery, the screens with
// sample data and those of a real model, or of a running server: bun scripts/shots.ts [NAME=URL …] [--only WORD].
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { openSignedIn, type Visitor } from '../test/http/admin/session.ts';
import { browserProblem, growToPage, openPage, servePages } from '../test/web/browser.ts';
import { releasePreview } from '../test/web/release-screens.ts';
import { gallery, sampleFrame } from '../test/web/samples.ts';
import { sampleScreens } from '../test/web/screens.ts';
import { languages, languageTags } from '../web/text/text.ts';
import { goingLivePages, goingLiveScripts, goLive } from './shots-going-live.ts';

const folder = join(import.meta.dir, '../dist/shots');
const looks = [
  { name: 'wide-light', width: 1280, dark: false },
  { name: 'wide-dark', width: 1280, dark: true },
  { name: 'phone-light', width: 390, dark: false, scale: 2 },
  { name: 'phone-dark', width: 360, dark: true, scale: 2 },
];

/** Shown before anybody is signed in. */
const entry = ['setup', 'setup-link', 'setup-spent', 'sign-in', 'password'];
const samples = { gallery, ...sampleScreens('wang.fang') };

function serveSamples() {
  return servePages((_request, { pathname }) => {
    if (pathname === '/admin/live') return silentStream();
    const [, language, name = ''] = pathname.split('/');
    // The address in the page has no language.
    if (pathname === '/admin/releases/preview') return releasePreview('wang.fang')(sampleFrame('en')).text;
    const render = Object.hasOwn(samples, name) ? samples[name as keyof typeof samples] : undefined;
    const known = languages.find((each) => each === language);
    const role = entry.includes(name) ? 'nobody' : 'administrator';
    return render && known ? render(sampleFrame(known, { path: `/admin/${name}`, role })).text : undefined;
  });
}

/** One that is on, and says nothing. */
function silentStream(): Response {
  const body = new ReadableStream({ start: (controller) => controller.enqueue(':\n\n') });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

async function shoot(
  name: string,
  url: string,
  cookies: ReadonlyMap<string, string> = new Map(),
  script = '',
): Promise<void> {
  for (const look of looks) {
    const view = await openPage('about:blank', look);
    for (const [cookie, value] of cookies) await view.cdp('Network.setCookie', { url, name: cookie, value });
    await view.navigate(url);
    await growToPage(view, look);
    // Charts are drawn once their library has come and the page has its size.
    await view.evaluate(`(async () => {
      document.activeElement.blur();
      scrollTo(0, 0);
      for (const chart of document.querySelectorAll('am-chart')) {
        while (!chart.querySelector('canvas')) await new Promise(requestAnimationFrame);
      }
      ${script};
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    })()`);
    await Bun.write(join(folder, `${name}-${look.name}.png`), await view.screenshot());
    view.close();
  }
  console.log(name);
}

/** Screens that show a model that is really there. */
async function shootModels(isWanted: (name: string) => boolean): Promise<void> {
  const pages = {
    models: '/models',
    'model-overview': '/models/faces',
    'model-versions': '/models/faces/versions',
    'model-version': '/models/faces/versions/1',
    'model-derive': '/models/faces/versions/1/derive',
    'model-try': '/models/faces/try',
    'model-call': '/models/faces/call',
    'model-logs': '/models/faces/logs',
    upload: '/upload',
    templates: '/templates',
  };
  const wanted = Object.entries(pages).flatMap(([name, path]) =>
    languages.map((language) => ({ name: `${name}-${language}`, path, language })),
  );
  if (!wanted.some(({ name }) => isWanted(name))) return;
  await using box = await openSignedIn();
  const { administrator } = box;
  await administrator.post('/admin/templates/face-detection/install', { 'name-face-detection': 'faces' });
  await callFaces(administrator);
  for (const { name, path, language } of wanted) {
    if (!isWanted(name)) continue;
    await administrator.post('/admin/preferences', { language: languageTags[language], back: '/admin' });
    await shoot(name, `${box.url}/admin${path}`, administrator.cookies);
  }
}

const photo = Bun.file(join(import.meta.dir, '../.cache/samples/face.jpg'));

/** So that the tiles and charts have something to show. */
async function callFaces({ fetch, get }: Visitor): Promise<void> {
  // What the installation said is shown once.
  await get('/admin/models/faces');
  if (!(await photo.exists())) return;
  const headers = { 'content-type': 'image/jpeg' };
  for (let i = 0; i < 60; i++) {
    await fetch('/v1/models/faces/predict', { method: 'POST', body: photo, headers });
    await Bun.sleep(100);
  }
}

/** Screens that show releases that are really there. */
async function shootGoingLive(isWanted: (name: string) => boolean): Promise<void> {
  const wanted = languages.flatMap((language) =>
    Object.entries(goingLivePages)
      .map(([name, path]) => ({ name, path, language, file: `${name}-${language}` }))
      .filter(({ file }) => isWanted(file)),
  );
  if (wanted.length === 0) return;
  await using box = await openSignedIn();
  const stop = await goLive(box);
  const { administrator } = box;
  for (const { name, path, language, file } of wanted) {
    await administrator.post('/admin/preferences', { language: languageTags[language], back: '/admin' });
    await shoot(file, `${box.url}/admin${path}`, administrator.cookies, goingLiveScripts[name]);
  }
  stop();
}

async function main(): Promise<void> {
  if (browserProblem) throw new Error(browserProblem);
  await mkdir(folder, { recursive: true });
  const given = process.argv.slice(2).filter((argument) => argument.includes('='));
  const only = process.argv.indexOf('--only');
  const isWanted = (name: string) => only < 0 || name.includes(process.argv[only + 1]!);
  const server = serveSamples();
  const sampleUrls = Object.keys(samples).flatMap((name) =>
    languages.map((language): [string, string] => [`${name}-${language}`, `${server.url.href}${language}/${name}`]),
  );
  const pages = given.length > 0 ? given.map((pair) => pair.split(/=(.*)/s) as [string, string]) : sampleUrls;
  for (const [name, url] of pages) {
    if (isWanted(name)) await shoot(name, url);
  }
  if (given.length === 0) await shootModels(isWanted);
  if (given.length === 0) await shootGoingLive(isWanted);
  await server.stop(true);
}

await main();
process.exit(0);
