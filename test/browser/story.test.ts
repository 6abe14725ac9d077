// One story in a real browser: from the set-up link to the first prediction on a photograph, a model of one's own brought
// in and tried, and the way out; with every screen of models looked at by axe-core.
import { expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openSignedIn, password } from '../http/admin/session.ts';
import { startAppliance } from '../http/api/appliance.ts';
import { bigWeights, smallCnn } from '../support/graphs.ts';
import { browserProblem, type Person, sitDown } from './driving.ts';

const photo = join(import.meta.dir, '../../.cache/samples/face.jpg');
const problem = browserProblem ?? (existsSync(photo) ? undefined : `${photo} is missing: bun scripts/fetch-models.ts`);
const it = problem ? test.skip : test;
if (problem) console.warn(`the story is skipped: ${problem}`);

const clean = { findings: [], excess: 0 };

/** As a person chooses files in the browser's own dialog. */
async function choose({ view }: Person, selector: string, files: string[]): Promise<void> {
  const { root } = await view.cdp<{ root: { nodeId: number } }>('DOM.getDocument', {});
  const { nodeId } = await view.cdp<{ nodeId: number }>('DOM.querySelector', { nodeId: root.nodeId, selector });
  await view.cdp('DOM.setFileInputFiles', { nodeId, files });
}

/** Resolves when the condition holds in the page, looked at frame by frame. */
function until({ view }: Person, condition: string): Promise<unknown> {
  return view.evaluate(`new Promise((resolve) => {
    const look = () => ((${condition}) ? resolve(true) : requestAnimationFrame(look));
    look();
  })`);
}

for (const look of [{ width: 1280 }, { width: 360, height: 780, dark: true }]) {
  it(`from the set-up link to faces on a photo, at ${look.width} px`, async () => {
    await using box = await startAppliance();
    const ada = await sitDown(box.url, look);
    const { enter } = ada;
    const see = <T>(script: string) => ada.view.evaluate<T>(script);
    try {
      await ada.open(box.setupUrl!.slice(box.url.length));
      await enter({ name: 'ada', password, again: password });
      await ada.follow('main [type="submit"]');
      expect(await ada.at()).toBe('/admin');
      await ada.follow('nav a[href="/admin/models"]');
      expect(await ada.text()).toContain('No model yet');
      expect(await ada.inspect()).toEqual(clean);

      await ada.follow('main a[href="/admin/templates"]');
      expect(await ada.inspect()).toEqual(clean);
      await enter({ 'name-face-detection': 'faces' });
      await ada.follow('form[action="/admin/templates/face-detection/install"] [type="submit"]');
      expect(await ada.at()).toBe('/admin/models/faces');
      expect(await ada.text()).toContain('faces answers now.');
      await until(ada, `document.querySelector('am-chart canvas')`);
      expect(await ada.inspect()).toEqual(clean);

      await ada.follow('.tabs a[href="/admin/models/faces/try"]');
      const before = await see<string>(`document.querySelector('canvas').toDataURL()`);
      await choose(ada, 'am-picture input', [photo]);
      await until(ada, `document.querySelector('am-try .table-box')`);
      const rows = await see<string[]>(`[...document.querySelectorAll('am-try tbody tr')].map((row) => row.innerText)`);
      expect(rows.length).toBeGreaterThan(0);
      expect(rows.every((row) => /face/.test(row) && /\d+(\.\d)?%/.test(row))).toBeTrue();
      // In the colour of the first label, on an edge of the best box: it is drawn where the table says.
      const [x, y, , height] = /(\d[\d,]*), ([\d,]+), ([\d,]+), ([\d,]+)\s*$/
        .exec(rows[0]!)!
        .slice(1)
        .map((side) => Number(side.replaceAll(',', ''))) as [number, number, number, number];
      const pixel = await see<number[]>(
        `[...document.querySelector('canvas').getContext('2d').getImageData(${x}, ${y + Math.round(height / 2)}, 1, 1).data]`,
      );
      expect(pixel).toEqual([0, 121, 92, 255]);
      expect(await see<string>(`document.querySelector('canvas').toDataURL()`)).not.toBe(before);
      expect(await ada.text()).toMatch(/Queue\s+[\d.]+ ms/);
      expect(await ada.inspect()).toEqual(clean);
      for (const tab of ['versions', 'call', 'logs']) {
        await ada.follow(`.tabs a[href="/admin/models/faces/${tab}"]`);
        expect([tab, await ada.inspect()]).toEqual([tab, clean]);
      }

      await ada.follow('form[action="/admin/sign-out"] button');
      expect(await ada.at()).toBe('/sign-in');
      await ada.open('/admin/models/faces');
      expect(await ada.at()).toBe('/sign-in?next=%2Fadmin%2Fmodels%2Ffaces');
    } finally {
      ada.close();
    }
  }, 90_000);
}

it('a model whose weights are forgotten is refused, completed, looked at, served and tried', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-story-'));
  await using box = await startAppliance();
  const ada = await sitDown(box.url, { width: 1280 });
  const { enter } = ada;
  const see = <T>(script: string) => ada.view.evaluate<T>(script);
  try {
    for (const [name, bytes] of Object.entries(bigWeights(2, true))) await Bun.write(join(folder, name), bytes);
    await ada.open(box.setupUrl!.slice(box.url.length));
    await enter({ name: 'ada', password, again: password });
    await ada.follow('main [type="submit"]');
    expect(await ada.at()).toBe('/admin');
    await ada.follow('a[href="/admin/upload"]');
    expect(await ada.inspect()).toEqual(clean);
    const states = `[...document.querySelectorAll('.transfer')].map((item) => item.dataset.state).join()`;

    await choose(ada, 'am-upload input[multiple]', [join(folder, 'model.onnx')]);
    await until(ada, `${states} === 'done'`);
    expect(await see<string>(`document.querySelector('[name="name"]').value`)).toBe('model');
    await enter({ name: 'lookup' });
    // It is looked at as soon as it has come, and stays when it is refused.
    const isLooked = `!document.querySelector('.htmx-request')`;
    await until(ada, `document.querySelector('#verdict .notice') && ${isLooked}`);
    expect(await ada.text()).toContain("The external data file 'weights.bin' is missing.");
    await see(`document.querySelector('[data-by-task] [type="submit"]').click()`);
    await until(ada, `document.querySelector('#details .notice') && ${isLooked}`);
    expect(await see<string>(states)).toBe('done');
    expect(await ada.inspect()).toEqual(clean);

    await choose(ada, 'am-upload input[multiple]', [join(folder, 'weights.bin')]);
    await until(ada, `${states} === 'done,done' && ${isLooked} && !document.querySelector('#verdict .notice')`);
    expect(await see<string>(`document.querySelector('[name="name"]').value`)).toBe('lookup');
    await ada.follow('[data-by-task] [type="submit"]');
    expect(await ada.at()).toBe('/admin/models/lookup/versions/1?new=1');
    const found = await ada.text();
    for (const words of ['The model is stored', 'Gather', 'INT64', '524,288']) expect(found).toContain(words);
    expect(await ada.inspect()).toEqual(clean);
    await ada.follow('form[action$="/load"] [type="submit"]');
    expect(await ada.text()).toContain('lookup:1 answers now.');

    await ada.open('/admin/models/lookup/try');
    await see(`document.querySelector('am-try form').requestSubmit()`);
    await until(ada, `document.querySelector('am-try .code, am-try .notice')`);
    // Row 1 of the table holds ones.
    expect(await ada.text()).toMatch(/output FP32 \[1, 256\]\s+\[1, 1, 1, /);
    await see(`document.querySelector('am-try textarea').value = '{"inputs": ['`);
    await see(`document.querySelector('am-try form').requestSubmit()`);
    await until(ada, `document.querySelector('am-try .notice')`);
    expect(await ada.text()).toContain('This is not JSON');
    expect(await ada.inspect()).toEqual(clean);
  } finally {
    ada.close();
    rmSync(folder, { recursive: true, force: true });
  }
}, 90_000);

it('every screen of models in Chinese, dark, on a phone', async () => {
  await using box = await openSignedIn();
  const { administrator } = box;
  const person = await sitDown(box.url, { width: 360, height: 780, dark: true });
  try {
    await box.ask('POST', '/api/v1/templates/text-orientation/install', { name: 'lines' });
    await administrator.post('/admin/preferences', { language: 'zh-CN' });
    await person.be(administrator.cookies);
    const tabs = ['', '/versions', '/versions/1?new=1', '/try', '/call', '/logs'].map(
      (tab) => `/admin/models/lines${tab}`,
    );
    for (const path of ['/admin/models', '/admin/models?q=none', '/admin/upload', '/admin/templates', ...tabs]) {
      await person.open(path);
      expect([path, await person.inspect()]).toEqual([path, clean]);
      expect([path, /\p{Script=Han}/u.test(await person.text())]).toEqual([path, true]);
    }
  } finally {
    person.close();
  }
}, 90_000);

it('what a model is for is proposed while one types, and changed in the next version', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-story-'));
  await using box = await openSignedIn();
  const ada = await sitDown(box.url, { width: 1280 });
  try {
    await Bun.write(join(folder, 'digits.onnx'), smallCnn());
    await ada.be(box.administrator.cookies);
    await ada.open('/admin/upload');
    await choose(ada, 'am-upload input[multiple]', [join(folder, 'digits.onnx')]);
    await ada.view.evaluate(`(() => {
      const field = document.querySelector('[name="description"]');
      field.value = 'Reads digits.';
      field.dispatchEvent(new Event('input', { bubbles: true }));
    })()`);
    await until(ada, `document.querySelector('#verdict .notice') && !document.querySelector('.htmx-request')`);
    expect(await ada.text()).toContain('It looks like: Image classification');
    expect(await ada.inspect()).toEqual(clean);
    await ada.follow('[data-by-task] [type="submit"]');
    expect(await ada.at()).toBe('/admin/models/digits/versions/1?new=1');
    expect(await ada.text()).toContain('Reads digits.');
    expect(await ada.text()).toContain('Picture of 28 × 28 px');
    await ada.follow('a[href$="/derive"]');
    expect(await ada.inspect()).toEqual(clean);
    await ada.enter({ labels: Array.from({ length: 10 }, (_, i) => `digit ${i}`).join('\n') });
    await ada.follow('[data-by-task] [type="submit"]');
    expect(await ada.at()).toBe('/admin/models/digits/versions/2');
    expect(await ada.text()).toContain('digit 0, digit 1');
    expect(await ada.inspect()).toEqual(clean);
  } finally {
    ada.close();
    rmSync(folder, { recursive: true, force: true });
  }
}, 90_000);
