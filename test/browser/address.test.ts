// A model that the server fetches, in a real browser: from the address to the version, with what goes wrong said in place.
import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { password } from '../http/admin/session.ts';
import { startAppliance } from '../http/api/appliance.ts';
import { head, openRaw } from '../source/opened.ts';
import { addScalar, bigWeights } from '../support/graphs.ts';
import { browserProblem, sitDown } from './driving.ts';

const it = browserProblem ? test.skip : test;
const clean = { findings: [], excess: 0 };

it.each([{ width: 1280 }, { width: 360, height: 780, dark: true }])(
  'a model comes from its address: %p',
  async (look) => {
    const folder = mkdtempSync(join(tmpdir(), 'aimass-address-'));
    mkdirSync(join(folder, 'lookup'));
    for (const [name, bytes] of Object.entries(bigWeights(2, true)))
      await Bun.write(join(folder, 'lookup', name), bytes);
    using files = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      routes: { '/plus.onnx': () => new Response(Buffer.from(addScalar(1))) },
      fetch: () => new Response('none', { status: 404 }),
    });
    await using slow = await openRaw((socket) => socket.write(`${head('Transfer-Encoding: chunked')}3\r\nabc\r\n`));
    await using box = await startAppliance({ importNetworks: '127.0.0.1', importFolders: folder });
    const ada = await sitDown(box.url, look);
    const see = <T>(script: string) => ada.view.evaluate<T>(script);
    const items = `[...document.querySelectorAll('.transfer')]`;
    const states = `${items}.map((item) => item.dataset.state).join()`;
    // Meanwhile the form is not sent.
    const isLooked = `document.querySelector('[data-by-task] [type="submit"]:enabled')`;
    const until = (condition: string) =>
      see(`new Promise((resolve) => {
      const look = () => ((${condition}) ? resolve(true) : requestAnimationFrame(look));
      look();
    })`);
    const fetchFrom = (address: string) =>
      see(`(() => {
      document.querySelector('[data-address]').value = ${JSON.stringify(address)};
      document.querySelector('[data-fetch]').click();
    })()`);
    try {
      await ada.open(box.setupUrl!.slice(box.url.length));
      await ada.enter({ name: 'ada', password, again: password });
      await ada.follow('main [type="submit"]');
      await ada.follow('a[href="/admin/upload"]');
      expect(await ada.inspect()).toEqual(clean);

      await fetchFrom(new URL('/none.onnx', files.url).href);
      await until(`${states} === 'failed'`);
      expect(await ada.text()).toContain('there is no such file');
      expect(await ada.inspect()).toEqual(clean);
      await see(`document.querySelector('[data-do="remove"]').click()`);

      // What is given up is not fetched any further.
      await fetchFrom(slow.url);
      await until(`${items}.some((item) => item.textContent.includes('3 B'))`);
      await see(`document.querySelector('[data-do="remove"]').click()`);
      await slow.gone;
      while (readdirSync(join(box.data, 'uploads')).length > 0) await Bun.sleep(5);

      await fetchFrom(new URL('/plus.onnx?sig=s3cret', files.url).href);
      await until(`${states} === 'done' && ${isLooked}`);
      expect(await see<string>(`document.querySelector('[name="name"]').value`)).toBe('plus');
      expect(await see<string>(`document.querySelector('.transfer-name').textContent`)).toBe('plus.onnx');
      await ada.follow('[data-by-task] [type="submit"]');
      expect(await ada.at()).toBe('/admin/models/plus/versions/1?new=1');
      const found = await ada.text();
      expect(found).toContain(`Address ${files.url.href}plus.onnx`);
      expect(found).not.toContain('s3cret');

      await ada.open('/admin/upload');
      await fetchFrom(join(folder, 'lookup'));
      await until(`${states} === 'done,done' && ${isLooked}`);
      expect(await see<string>(`document.querySelector('[name="name"]').value`)).toBe('lookup');
      await ada.follow('[data-by-task] [type="submit"]');
      expect(await ada.at()).toBe('/admin/models/lookup/versions/1?new=1');
    } finally {
      ada.close();
      rmSync(folder, { recursive: true });
    }
  },
  60_000,
);
