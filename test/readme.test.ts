// The README tells the truth: its settings table is the one that the program reads, and the files it names exist.
import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { renderSettingsMarkdown } from '../src/config.ts';

const root = join(import.meta.dir, '..');
const readme = await Bun.file(join(root, 'README.md')).text();

/** Tables are compared cell by cell: the formatter pads them. */
const cells = (table: string) =>
  table
    .trim()
    .split('\n')
    .map((row) => row.split(/\s*\|\s*/).map((cell) => cell.replace(/^-+$/, '-')));

test('the settings table is up to date (bun scripts/settings.ts writes it)', () => {
  const [, table = ''] = readme.split(/<!-- \/?settings -->/);
  expect(cells(table)).toEqual(cells(renderSettingsMarkdown()));
});

test('files and folders that the README names exist', () => {
  const named = [...readme.matchAll(/(?<![\w/])(?:src|test|scripts|docs|web|models|systemd)\/[\w./-]*\w/g)].map(
    ([path]) => path,
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('the steps of the traced request name files of their rooms', () => {
  const section = readme.split('## One request through the files')[1]!.split('\n## ')[0]!;
  const bare = [...section.matchAll(/`([\w-]+\.ts)`/g)].map(([, name]) => name!);
  expect(bare.filter((name) => !existsSync(join(root, 'src/inference', name)))).toEqual([]);
});
