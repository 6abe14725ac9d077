// The shape of the source tree: which room may import which, how long a file may be, who may touch the environment and
// the native library. It reads the sources as text; formatting makes imports regular.
import { expect, test } from 'bun:test';
import { join, posix } from 'node:path';

const root = join(import.meta.dir, '..');

/** Rooms by layer, lowest first. A room imports from itself and from lower layers. */
const layers: string[][] = [
  ['error', 'log', 'metrics', 'config', 'settings', 'setting-text', 'types', 'version', 'files'],
  ['libc', 'native-embedded', 'fresh-folder'],
  ['native', 'systemd'],
  ['db'],
  ['registry', 'device', 'job', 'dataset', 'access', 'onnx'],
  ['net'],
  ['inference', 'task', 'notify', 'source'],
  ['monitor', 'release', 'evaluate', 'train', 'convert'],
  ['http', 'cli'],
  ['placing', 'jobs', 'tls'],
  ['releasing'],
  ['listen'],
  ['app'],
  ['serve'],
  ['main'],
];

/** Outside the layers: `web` and `models` (the template catalogue) take types alone; who may import them. */
const importers: Record<string, string[]> = { web: ['http'], models: ['app'] };

const longestLines = 400;
/** Crux loops that deserve their length. */
const longFiles: string[] = [];

const environmentReaders = ['src/config.ts', 'src/systemd.ts', 'src/job/child.ts', 'src/inference/session.ts'];
const nativeImporters = ['src/inference/session.ts'];

interface Import {
  /** Path from the root for our own files, the package's name otherwise. */
  target: string;
  typeOnly: boolean;
}

const statement = /^(?:import|export)\s+(type\s+)?(?:[^;"']*?\sfrom\s+)?["']([^"']+)["']/gm;
const dynamic = /\bimport\(\s*["']([^"']+)["']\s*\)(\.[A-Z])?/g;

function importsOf(path: string, text: string): Import[] {
  const resolve = (specifier: string) =>
    specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier;
  return [
    ...text.matchAll(statement).map(([, type, specifier]) => ({ target: resolve(specifier!), typeOnly: !!type })),
    ...text.matchAll(dynamic).map(([, specifier, member]) => ({ target: resolve(specifier!), typeOnly: !!member })),
  ];
}

/** "inference" for src/inference/queue.ts, "error" for src/error.ts, "web" for web/html.ts. */
function roomOf(path: string): string | undefined {
  const [top, second] = path.split('/');
  if (top === 'web' || top === 'models') return top;
  return top === 'src' ? second?.replace(/(\.d)?\.ts$/, '') : undefined;
}

const layerOf = (room: string) => layers.findIndex((rooms) => rooms.includes(room));

function complaint(path: string, { target, typeOnly }: Import): string | undefined {
  const from = roomOf(path)!;
  const to = roomOf(target);
  if (to === undefined || from === to) return undefined;
  if (to in importers) return importers[to]!.includes(from) ? undefined : `${path}: ${from} must not import ${target}`;
  if (from in importers) return typeOnly ? undefined : `${path}: ${from} imports types only, not ${target}`;
  if (layerOf(from) < 0 || layerOf(to) < 0) return `${path}: no layer is named for ${from} or ${to}`;
  const open = layerOf(from) === 0 && layerOf(to) === 0;
  return open || layerOf(to) < layerOf(from) ? undefined : `${path}: ${from} must not import ${target}`;
}

async function sources(pattern: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const path of new Bun.Glob(pattern).scan(root)) found.set(path, await Bun.file(join(root, path)).text());
  return found;
}

const code = await sources('{src,web,models}/**/*.ts');

test('imports point downwards only', () => {
  const complaints = code
    .entries()
    .flatMap(([path, text]) => importsOf(path, text).map((found) => complaint(path, found)))
    .filter((line) => line !== undefined)
    .toArray();
  expect(complaints).toEqual([]);
  expect(code.size).toBeGreaterThan(10);
});

test('the rule about imports sees what it should', () => {
  const text = [
    'import { a } from "../http/server.ts";',
    "import {\n  b,\n  type C,\n} from\n  '../db/open.ts';",
    'import type { D } from "../app.ts";',
    'import "../task/predict.ts";',
    'export { e } from "./queue.ts";',
    'const f = await import("../registry/store.ts");',
    'type G = import("../types.ts").Signature;',
    'import { join } from "node:path";',
  ].join('\n');
  const path = 'src/inference/gateway.ts';
  const found = importsOf(path, text);
  expect(found.map(({ target }) => target).sort()).toEqual(
    ['node:path', 'src/app.ts', 'src/db/open.ts', 'src/http/server.ts', 'src/inference/queue.ts']
      .concat(['src/registry/store.ts', 'src/task/predict.ts', 'src/types.ts'])
      .sort(),
  );
  const refused = found.filter((item) => complaint(path, item)).map(({ target }) => target);
  expect(refused.sort()).toEqual(['src/app.ts', 'src/http/server.ts', 'src/task/predict.ts']);
  expect(complaint('web/page.ts', { target: 'src/types.ts', typeOnly: false })).toContain('types only');
  expect(complaint('web/page.ts', { target: 'src/types.ts', typeOnly: true })).toBeUndefined();
  expect(complaint('src/task/a.ts', { target: 'web/html.ts', typeOnly: false })).toContain('must not import');
});

test("only the session touches ONNX Runtime's binding", () => {
  const importers = code
    .entries()
    .filter(([path, text]) => importsOf(path, text).some(({ target }) => target.startsWith('onnxruntime-')))
    .map(([path]) => path)
    .toArray();
  expect(importers).toEqual(nativeImporters);
});

test('only the configuration and what prepares children touch the environment', () => {
  const readers = code
    .entries()
    .filter(([, text]) => /\b(?:process\.env|Bun\.env|import\.meta\.env)\b/.test(text))
    .map(([path]) => path);
  expect(readers.filter((path) => !environmentReaders.includes(path)).toArray()).toEqual([]);
});

test('files are short enough to read', async () => {
  const all = await sources('{src,web,models,scripts,test}/**/*.{ts,mjs,sh}');
  const long = all
    .entries()
    .map(([path, text]) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ path, lines }) => lines > longestLines && !longFiles.includes(path))
    .map(({ path, lines }) => `${path}: ${lines} lines`);
  expect(long.toArray()).toEqual([]);
});

test('a file opens by saying what it is', () => {
  const silent = code
    .entries()
    .filter(([, text]) => {
      const lines = text.split('\n');
      const opening = lines.findIndex((line) => !line.startsWith('//'));
      return opening < 1 || opening > 4;
    })
    .map(([path]) => path);
  expect(silent.toArray()).toEqual([]);
});
