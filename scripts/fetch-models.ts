// Fetches what the repository does not hold: the templates' model files and one sample photo, from packages of the npm
// client's own registry. It checks each package's licence and every file's hash, and does nothing for files that are
// already right. Run it before the build and the tests.
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import type { SourceFile, TemplateDescription } from '../models/catalogue.ts';

const root = join(import.meta.dir, '..');

interface Wanted {
  /** What it is for, in the printed line. */
  name: string;
  licence: string;
  source: TemplateDescription['source'];
  /** Folder that the files are written to. */
  folder: string;
}

/** A photo with four faces, for the quick start and the tests. */
const samplePhoto: Wanted = {
  name: 'sample photo',
  licence: 'MIT',
  folder: join(root, '.cache/samples'),
  source: {
    package: '@vladmandic/face-api',
    version: '1.7.15',
    licence: 'MIT',
    licenceFile: { path: 'LICENSE', sha256: '9a3442b79acaf4fbc7c2e07b7e2d8f84af9bb3871bf08a69d80304ab00640e9a' },
    files: [
      {
        path: 'demo/sample6.jpg',
        sha256: '9baad80f9d5e306fb9b8c0913d44445f1e95848df317530efb03d0934c57ba87',
        as: 'face.jpg',
      },
    ],
  },
};

async function listWanted(): Promise<Wanted[]> {
  const wanted: Wanted[] = [];
  for await (const path of new Bun.Glob('models/*/template.json').scan(root)) {
    const template = (await Bun.file(join(root, path)).json()) as TemplateDescription;
    wanted.push({ ...template, folder: join(root, dirname(path)) });
  }
  wanted.sort((a, b) => a.name.localeCompare(b.name));
  return [...wanted, samplePhoto];
}

function hashOf(bytes: Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(bytes).digest('hex');
}

async function isHere({ folder, source }: Wanted): Promise<boolean> {
  for (const { as, sha256 } of source.files) {
    const file = Bun.file(join(folder, as));
    if (!(await file.exists()) || hashOf(await file.bytes()) !== sha256) return false;
  }
  return true;
}

/** The files of a package by their paths in it. */
async function download(specifier: string): Promise<Map<string, Blob>> {
  const folder = await mkdtemp(join(tmpdir(), 'aimass-fetch-'));
  try {
    const npm = Bun.spawn(['npm', 'pack', specifier, '--ignore-scripts', '--silent', '--pack-destination', folder], {
      cwd: folder,
      stdout: 'ignore',
      stderr: 'pipe',
    });
    const complaint = await npm.stderr.text();
    if ((await npm.exited) !== 0) throw new Error(`npm could not fetch ${specifier}.\n${complaint.trim()}`);
    const [archive] = await Array.fromAsync(new Bun.Glob('*.tgz').scan(folder));
    if (!archive) throw new Error(`npm fetched nothing for ${specifier}.`);
    const entries = await new Bun.Archive(await Bun.file(join(folder, archive)).bytes()).files();
    return new Map(Array.from(entries, ([path, file]) => [path.slice(path.indexOf('/') + 1), file]));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function readChecked(files: Map<string, Blob>, specifier: string, { path, sha256 }: SourceFile) {
  const bytes = await files.get(path)?.bytes();
  if (!bytes) throw new Error(`${specifier} has no file ${path}.`);
  const found = hashOf(bytes);
  if (found !== sha256) throw new Error(`${path} of ${specifier} has the SHA-256 ${found}, not ${sha256}.`);
  return bytes;
}

async function checkLicence(files: Map<string, Blob>, specifier: string, source: Wanted['source']): Promise<void> {
  const about = (await files.get('package.json')?.json()) as { license?: unknown } | undefined;
  const license = about?.license;
  if (license !== source.licence) {
    throw new Error(`${specifier} says that its licence is ${String(license)}, not ${source.licence}.`);
  }
  if (source.licenceFile) await readChecked(files, specifier, source.licenceFile);
}

async function fetchAll(): Promise<void> {
  const packages = new Map<string, Map<string, Blob>>();
  for (const wanted of await listWanted()) {
    const { source, folder, name, licence } = wanted;
    const specifier = `${source.package}@${source.version}`;
    if (!(await isHere(wanted))) {
      const files = packages.get(specifier) ?? (await download(specifier));
      packages.set(specifier, files);
      await checkLicence(files, specifier, source);
      await mkdir(folder, { recursive: true });
      for (const file of source.files) {
        const target = join(folder, file.as);
        await Bun.write(`${target}.new`, await readChecked(files, specifier, file));
        await rename(`${target}.new`, target);
      }
    }
    console.log(`${name}: ${licence}, ${specifier}`);
  }
}

try {
  await fetchAll();
} catch (error) {
  console.error(`fetch-models: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
