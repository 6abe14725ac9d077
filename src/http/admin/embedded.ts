// Lists what is built into the executable, with the licence texts, from the packages themselves. It is run as a macro, when
// the bundler (or, from source, the loader) reads about.ts: at run time there is only the list.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface EmbeddedPart {
  name: string;
  version: string;
  /** SPDX expression. */
  licence: string;
  text?: string;
}

interface Package {
  name: string;
  version: string;
  license?: string;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

const root = join(import.meta.dir, '../../..');

/** They serve installation, other runtimes or types, or are not reached: the bundler takes nothing of them. */
const leftOut =
  /^(adm-zip|bare-.*|bytestreamjs|events-universal|global-agent|jose|openapi-types|pkijs|teex|@noble\/hashes|@tokenizer\/token)$/;

/** The runtime and every package that the executable needs, by name. */
export function listEmbedded(): EmbeddedPart[] {
  const found = new Map<string, EmbeddedPart>();
  const { dependencies = {} } = readPackage(root);
  for (const name of Object.keys(dependencies)) collect(name, root, found);
  const parts = [...found.values()].toSorted((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
  return [product(), ...listTemplates(), runtime(), ...parts];
}

function product(): EmbeddedPart {
  const { version } = readPackage(root);
  return { name: 'AI Mass', version, licence: 'Apache-2.0', text: apacheText() };
}

/** The release of a template is that of the package which its files come from. */
function listTemplates(): EmbeddedPart[] {
  const folder = join(root, 'models');
  return readdirOrNone(folder)
    .filter((name) => readdirOrNone(join(folder, name)).includes('template.json'))
    .map((name) => {
      const file = readFileSync(join(folder, name, 'template.json'), 'utf8');
      const { title, licence, source } = JSON.parse(file) as TemplateFile;
      const from = `${title}\n\nFrom the npm package ${source.package} ${source.version} (${source.licence}). Licence: ${licence}.\n`;
      const texts = licence
        .split(' AND ')
        .map((each) => (each === 'MIT' ? mit(`the authors of ${source.package}`) : apacheText()));
      return { name, version: source.version, licence, text: [from, ...texts].join(`\n${'-'.repeat(76)}\n\n`) };
    });
}

interface TemplateFile {
  title: string;
  licence: string;
  source: { package: string; version: string; licence: string };
}

const apacheText = () => readFileSync(join(root, 'LICENSE'), 'utf8');

/** @param from folder of the package that needs it: its own copies come first */
function collect(name: string, from: string, found: Map<string, EmbeddedPart>): void {
  if (leftOut.test(name)) return;
  const folder = findFolder(name, from);
  if (folder === undefined) return;
  const about = readPackage(folder);
  const key = `${name}@${about.version}`;
  if (found.has(key)) return;
  found.set(key, { name, version: about.version, licence: about.license ?? '', text: licenceText(folder) });
  const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = about;
  const peers = Object.keys(peerDependencies).filter((peer) => !peerDependenciesMeta[peer]?.optional);
  for (const next of [...Object.keys(dependencies), ...peers]) collect(next, folder, found);
}

function findFolder(name: string, from: string): string | undefined {
  for (let folder = from; folder.startsWith(root); folder = join(folder, '..')) {
    const candidate = join(folder, 'node_modules', name);
    if (readdirOrNone(candidate).includes('package.json')) return candidate;
  }
  return undefined;
}

function readPackage(folder: string): Package {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Package;
}

function licenceText(folder: string): string | undefined {
  if (/onnxruntime-\w+$/.test(folder))
    return mit('Microsoft Corporation') + runtimeNotices(readPackage(folder).version);
  const names = readdirOrNone(folder);
  const name = names.find((each) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(each));
  if (name === undefined) return undefined;
  const notices = names.filter((each) => /^(notice|copyrightnotice|third[-_]?party.*)(\.(md|txt))?$/i.test(each));
  return [name, ...notices].map((each) => readFileSync(join(folder, each), 'utf8')).join('\n');
}

/** They are 6000 lines that the npm packages leave out. */
const runtimeNotices = (version: string) => `
${'-'.repeat(76)}

ONNX Runtime contains work of others, among it Protocol Buffers, Abseil, Eigen, FlatBuffers, re2, Dawn and
cpuinfo. Their licences stand in ThirdPartyNotices.txt, which the npm packages of ONNX Runtime do not carry. It is in
every archive of the release, such as onnxruntime-linux-x64-${version}.tgz, and at
https://github.com/microsoft/onnxruntime/blob/v${version}/ThirdPartyNotices.txt
`;

/** ONNX Runtime's packages name their licence and do not carry its text. */
const mit = (holder: string) => `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`;

function readdirOrNone(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Its own licence names those of all that it links. */
function runtime(): EmbeddedPart {
  const page = readFileSync(join(root, 'node_modules/bun-types/docs/project/license.mdx'), 'utf8');
  const text = page.replace(/^---\n[^]*?\n---\n+/, '').replaceAll(/ {3,}/g, '  ');
  return { name: 'Bun', version: Bun.version, licence: 'MIT AND LGPL-2.0-only', text };
}
