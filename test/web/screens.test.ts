// Every screen as HTML: whatever a person entered stays text, every form carries its token, nothing needs what the
// Content-Security-Policy forbids, the menu shows what the role may, and a page is light enough.
import { describe, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { roleMay, userRoles } from '../../src/access/roles.ts';
import { assets, assetUrl } from '../../web/assets.ts';
import { attributes } from '../../web/attributes.ts';
import { type Html, html } from '../../web/html.ts';
import { jsonScript } from '../../web/parts/json-script.ts';
import { page } from '../../web/parts/page.ts';
import { languages } from '../../web/text/text.ts';
import type { Frame } from '../../web/view-types.ts';
import { gallery, sampleFrame } from './samples.ts';
import { sampleScreens } from './screens.ts';

interface Parsed {
  tags: string[];
  attributes: [name: string, value: string][];
  text: string;
}

/** As Bun's own HTML parser sees it. */
async function parse(content: Html | string): Promise<Parsed> {
  const parsed: Parsed = { tags: [], attributes: [], text: '' };
  const rewriter = new HTMLRewriter()
    .on('*', {
      element(element) {
        parsed.tags.push(element.tagName);
        parsed.attributes.push(...(element.attributes as unknown as Iterable<[string, string]>));
      },
    })
    .onDocument({
      text(chunk) {
        parsed.text += chunk.text;
      },
    });
  await rewriter.transform(new Response(typeof content === 'string' ? content : content.text)).text();
  return parsed;
}

const attacks = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' autofocus onfocus='alert(1)",
  '</title></textarea></script><svg onload=alert(1)>',
  '<!-- ${x} {name} -->',
  'javascript:alert(1)',
];

describe('what a person entered stays text', () => {
  const plain = sampleScreens('plain');
  test.each(Object.keys(plain))('%s', async (name) => {
    const wanted = await parse(plain[name]!(sampleFrame('en')));
    for (const attack of attacks) {
      const found = await parse(sampleScreens(attack)[name]!(sampleFrame('en')));
      expect(found.tags).toEqual(wanted.tags);
      expect(found.attributes.map(([name]) => name)).toEqual(wanted.attributes.map(([name]) => name));
      const addresses = found.attributes.filter(([name]) => ['href', 'src', 'action'].includes(name));
      expect(addresses.filter(([, value]) => !/^[/#?]/.test(value))).toEqual([]);
    }
  });

  test('any text in an element and in an attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const written = html`<p title="${text}">${text}</p>`.text;
        expect(written.match(/[<>]/g)).toHaveLength(4);
        expect(written.match(/"/g)).toHaveLength(2);
        expect(attributes({ 'data-a': text }).text.match(/"/g)).toHaveLength(2);
      }),
    );
  });

  test('data for scripts comes back as it was, and cannot end its element', async () => {
    const data = { text: attacks.join(' '), list: [1, null, '\u2028'] };
    const { text } = jsonScript('x', data);
    expect((await parse(text)).tags).toEqual(['script']);
    expect(JSON.parse(text.replace(/^<[^>]*>|<\/script>$/g, ''))).toEqual(data);
  });
});

describe.each([...languages])('every screen in %s', (language) => {
  const screens: Record<string, (frame: Frame) => Html> = { gallery, ...sampleScreens('wang.fang') };
  test.each(Object.keys(screens))('%s keeps the rules of pages', async (name) => {
    const { text } = screens[name]!(sampleFrame(language));
    const parsed = await parse(text);
    const names = parsed.attributes.map(([name]) => name);
    expect(names.filter((name) => name === 'style' || name.startsWith('on') || name.startsWith('hx-on'))).toEqual([]);
    expect(text).not.toMatch(/<style|<script(?![^>]*(?:src=|application\/json))/);
    expect(text).not.toMatch(/\b(?:undefined|NaN|\[object)\b/);
    const ids = parsed.attributes.filter(([name]) => name === 'id').map(([, id]) => id);
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
    const posts = text.match(/<form[^>]*method="post"[^]*?<\/form>/g) ?? [];
    expect(posts.length).toBeGreaterThan(0);
    expect(
      posts.filter((form) => !/name="csrf" value="csrf-sample"/.test(form) && !form.includes('am-upload')),
    ).toEqual([]);
  });
});

test.each([...userRoles])('the menu of a %s leads where the role may go', async (role) => {
  const frame = sampleFrame('en');
  const viewer = { name: 'x', role, may: (action: Parameters<typeof roleMay>[1]) => roleMay(role, action) };
  const { text } = page({ ...frame, viewer }, { title: 'x', body: html`` });
  const nav = text.match(/<nav class="side"[^]*?<\/nav>/)![0];
  const shown = (path: string) => nav.includes(`href="${path}"`);
  expect(shown('/admin/models')).toBeTrue();
  expect(shown('/admin/keys')).toBeTrue();
  expect(shown('/admin/users')).toBe(role === 'administrator');
  expect(shown('/admin/audit')).toBe(role === 'administrator');
  expect(shown('/admin/settings')).toBe(role === 'administrator');
});

test('the entry of the page is marked in the menu, that of its parent too', () => {
  const marked = (path: string) =>
    page(sampleFrame('en', { path }), { title: 'x', body: html`` }).text.match(
      /href="([^"]*)"\s+aria-current="page"/,
    )?.[1];
  expect(marked('/admin')).toBe('/admin');
  expect(marked('/admin/users?q=a')).toBe('/admin/users');
  expect(marked('/admin/users/u1')).toBe('/admin/users');
  expect(marked('/admin/usersx')).toBeUndefined();
});

describe('assets', () => {
  test('a page loads only what is embedded, under the hash of its content', () => {
    const { text } = gallery(sampleFrame('en'));
    const loaded = [...text.matchAll(/(?:src|href|data-library)="(\/assets\/[^"]+)"/g)].map(([, address]) => address!);
    expect(loaded.length).toBeGreaterThanOrEqual(8);
    for (const address of loaded) expect(address).toBe(assetUrl(address.split('/')[2]!.split('?')[0]!));
    expect(text).not.toMatch(/(?:src|href|action|data-src)="(?:https?:)?\/\//);
    expect(() => assetUrl('nothing.js')).toThrow('nothing.js');
  });

  test('a style or script names nothing outside', () => {
    for (const [name, { body }] of assets) {
      if (name === 'htmx.js' || name === 'uplot.js') continue;
      expect(body).not.toMatch(/url\(|@import|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    }
  });

  test('the heaviest page weighs less than 200 kB with everything, uncompressed', () => {
    const { text } = gallery(sampleFrame('zh'));
    const own = Buffer.byteLength(text);
    const named = [...assets].filter(([name]) => text.includes(`/assets/${name}?`));
    const loaded = named.map(([, { body }]) => Buffer.byteLength(body));
    expect(loaded.length).toBeGreaterThanOrEqual(8);
    expect(own + loaded.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(200_000);
  });
});
