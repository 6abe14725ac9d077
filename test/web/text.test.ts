// The two tables of strings: nothing missing, nothing half translated, nothing said outside them; and the formats.
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';

import { languages, pickLanguage, texts, translate } from '../../web/text/text.ts';

const entries = Object.entries(texts);
const placeholders = (text: string) => new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
const han = /\p{Script=Han}/u;

describe('the tables', () => {
  test('both languages say something for every key', () => {
    expect(entries.filter((entry) => entry[1].some((text) => text.trim() === ''))).toEqual([]);
    expect(entries.length).toBeGreaterThan(200);
  });

  test('both take the same values, in every plural form', () => {
    const unequal = entries.filter(([, [english, chinese]]) =>
      english.split('|').some((form) => {
        const [en, zh] = [placeholders(form), placeholders(chinese)];
        en.delete('count');
        zh.delete('count');
        return en.symmetricDifference(zh).size > 0;
      }),
    );
    expect(unequal).toEqual([]);
  });

  test('English is English and Chinese is Chinese', () => {
    // A language is named in itself.
    const own = new Set(['me.language.zh', 'me.language.en']);
    expect(entries.filter(([key, [english]]) => !own.has(key) && han.test(english))).toEqual([]);
    const untranslated = entries.filter(([key, [, chinese]]) => !own.has(key) && !han.test(chinese));
    const words = untranslated.filter(([, [, chinese]]) => /\p{L}/u.test(chinese.replace(/\{\w+\}|AI Mass/g, '')));
    expect(words).toEqual([]);
  });

  test('punctuation between Chinese characters is Chinese', () => {
    expect(entries.filter(([, [, chinese]]) => /\p{Script=Han}[,.:;?!]/u.test(chinese))).toEqual([]);
  });
});

describe('words', () => {
  const [en, zh] = languages.map((language) => translate(language, 'UTC')) as [
    ReturnType<typeof translate>,
    ReturnType<typeof translate>,
  ];

  test('values are put in, numbers as the language writes them', () => {
    expect(en('list.range', { from: 1, to: 20, total: 12_345 })).toBe('1–20 of 12,345');
    expect(zh('list.range', { from: 1, to: 20, total: 12_345 })).toBe('第 1–20 条，共 12,345 条');
  });

  test('one and many', () => {
    expect(en('field.faults', { count: 1 })).toStartWith('One entry');
    expect(en('field.faults', { count: 3 })).toStartWith('3 entries');
    expect(zh('field.faults', { count: 1 })).toContain('1 处');
  });

  test('a value is not read as a pattern', () => {
    expect(en('userForm.edit', { name: '{name}$&' })).toBe('Edit {name}$&');
  });

  test('sizes, shares and times', () => {
    expect([0, 1023, 1536, 80 * 1024 ** 3].map((bytes) => en.bytes(bytes))).toEqual([
      '0 B',
      '1,023 B',
      '1.5 KiB',
      '80 GiB',
    ]);
    expect(en.percent(0.4219, 1)).toBe('42.2%');
    expect(en.duration(12.345)).toBe('12.3 ms');
    expect(zh.duration(3_720_000)).toBe('1小时2分钟');
    expect(en.duration(2 * 86_400_000 + 3_600_000)).toBe('2 days, 1 hr');
    expect(zh.time(0)).toBe('1970年1月1日 00:00:00');
    expect(zh.relative(0, 3 * 60_000)).toBe('3分钟前');
    expect(en.relative(2 * 86_400_000, 0)).toBe('in 2 days');
  });
});

test.each([
  ['zh-CN,zh;q=0.9,en;q=0.8', undefined, 'zh'],
  ['en-GB,en;q=0.9', undefined, 'en'],
  ['de-DE,zh;q=0.4,en;q=0.3', undefined, 'zh'],
  ['fr', undefined, 'en'],
  ['zh;q=0,en', undefined, 'en'],
  [null, undefined, 'en'],
  ['en', 'zh-CN', 'zh'],
  ['zh', 'en', 'en'],
  ['zh', 'xx', 'zh'],
  [';;q=q,,=', undefined, 'en'],
  ['zzh, enx', undefined, 'en'],
])('browser %p and choice %p speak %p', (header, preference, language) => {
  expect(pickLanguage(header, preference)).toBe(language as 'en');
});

describe('no words outside the tables', () => {
  test('the templates of parts and screens hold none', async () => {
    const said: string[] = [];
    const root = join(import.meta.dir, '../../web');
    for await (const path of new Bun.Glob('{parts,screens}/*.ts').scan(root)) {
      const templates = templatesOf(await Bun.file(join(root, path)).text());
      said.push(...templates.flatMap(wordsIn).map((words) => `${path}: ${words}`));
    }
    expect(said).toEqual([]);
  });

  test('the search for them finds them', () => {
    const source =
      'html`<p class="x">Hello ${name && html`<b title="Wide ${1}">${t("a")}</b> there`}</p><i>${x}</i>, <code>am_${id}</code>`';
    expect(templatesOf(source).flatMap(wordsIn).sort()).toEqual(['Hello', 'Wide', 'there']);
  });
});

/** The text of every html`…`, with each `${…}` replaced by a NUL; templates inside of those are found too. */
function templatesOf(source: string): string[] {
  const found: string[] = [];
  const readTemplate = (start: number): number => {
    let text = '';
    let at = start;
    while (at < source.length && source[at] !== '`') {
      if (source.startsWith('${', at)) {
        at = readExpression(at + 2);
        text += '\0';
      } else text += source[at++];
    }
    found.push(text);
    return at + 1;
  };
  const readExpression = (start: number): number => {
    let depth = 1;
    let at = start;
    while (depth > 0 && at < source.length) {
      if (source.startsWith('html`', at)) at = readTemplate(at + 5);
      else if (source[at] === '`') at = readPlain(at + 1);
      else if (source[at] === '"' || source[at] === "'") at = source.indexOf(source[at]!, at + 1) + 1;
      else depth += { '{': 1, '}': -1 }[source[at++]!] ?? 0;
    }
    return at;
  };
  const readPlain = (start: number): number => {
    let at = start;
    while (source[at] !== '`') at = source.startsWith('${', at) ? readExpression(at + 2) : at + 1;
    return at + 1;
  };
  for (let at = source.indexOf('html`'); at >= 0; at = source.indexOf('html`', at)) at = readTemplate(at + 5);
  return found;
}

/** Letters between tags and in attributes that people meet; code stands for itself. */
function wordsIn(template: string): string[] {
  const bare = template.replace(/<code\b[^>]*>[^<]*<\/code>/g, '');
  const attributes = [...bare.matchAll(/\b(?:title|alt|placeholder|aria-label)="([^"]*)"/g)].map(([, value]) => value!);
  const text = bare.replace(/<[^>]*>/g, '\0').split('\0');
  return [...attributes, ...text].map((part) => part.replaceAll('\0', '').trim()).filter((part) => /\p{L}/u.test(part));
}
