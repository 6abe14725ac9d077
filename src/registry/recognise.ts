// Finds the models among staged files: a single ONNX file, one with external data, a Triton model folder, or a Triton
// repository of several. Refuses other kinds of model by name. Opens no model.
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';

import { AppError } from '../error.ts';
import type { StagedFile } from './archive.ts';
import { findExternalFiles } from './external-data.ts';
import { refuseContent, sniff } from './sniff.ts';
import { absentConfig, readTritonConfig, type TritonConfig } from './triton-config.ts';

export interface FoundModel {
  /** As its folder is called; absent when it has none. */
  folder?: string;
  /** The same folder below the staging folder. */
  root: string;
  config?: TritonConfig;
  labels?: string[];
  /** In ascending order. */
  versions: FoundVersion[];
}

export interface FoundVersion {
  /** Triton's version number. */
  number?: string;
  /** Folder below the staging folder that `files` are relative to. */
  root: string;
  entry: string;
  files: StagedFile[];
}

export interface Found {
  models: FoundModel[];
  /** Staged files that belong to no model. */
  ignored: string[];
}

const maxConfigBytes = 1024 * 1024;
const maxLabelBytes = 32 * 1024 * 1024;
const maxSniffed = 50;

/** @throws AppError unsupported when no model is there, invalid when one is not complete */
export async function recognise(staging: string, staged: readonly StagedFile[]): Promise<Found> {
  const models = await findModels(staging, staged);
  const used = new Set(models.flatMap(usedPaths));
  return { models, ignored: staged.map(({ path }) => path).filter((path) => !used.has(path)) };
}

function usedPaths({ root, config, versions }: FoundModel): string[] {
  const labelFiles = config?.outputs.flatMap(({ labelFile }) => labelFile ?? []) ?? [];
  const beside = config ? ['config.pbtxt', ...labelFiles].map((path) => posix.join(root, path)) : [];
  return [...beside, ...versions.flatMap((version) => version.files.map(({ path }) => posix.join(version.root, path)))];
}

async function findModels(staging: string, staged: readonly StagedFile[]): Promise<FoundModel[]> {
  const { prefix, files } = stripTop(staged.filter(({ path }) => !isNoise(path)));
  const tree = new Tree(staging, prefix, files);
  const top = prefix === '' ? undefined : posix.basename(prefix);
  if (isTritonFolder(tree)) return [await naming(top, () => readTritonModel(tree, top))];
  const models: FoundModel[] = [];
  for (const name of tree.folders()) {
    const folder = tree.below(name);
    if (isTritonFolder(folder)) models.push(await naming(name, () => readTritonModel(folder, name)));
  }
  return models.length > 0 ? models : [{ folder: top, root: prefix, versions: [await readSingle(tree)] }];
}

/** What systems and people leave in folders, and what can be no part of a model. */
function isNoise(path: string): boolean {
  const segments = path.split('/');
  if (segments.includes('__MACOSX')) return true;
  const name = segments.at(-1)!;
  return name.startsWith('.') || /^(readme|license|licence|notice|changelog)(\.|$)|\.md$|^thumbs\.db$/i.test(name);
}

/** Removes the folders that all files lie in. A number is no such folder but a version. */
function stripTop(files: StagedFile[]): { prefix: string; files: StagedFile[] } {
  let prefix = '';
  let rest = files;
  for (;;) {
    const top = rest[0]?.path.split('/')[0] ?? '';
    if (isVersionNumber(top) || !rest.length || !rest.every(({ path }) => path.startsWith(`${top}/`))) break;
    prefix = posix.join(prefix, top);
    rest = rest.map((file) => ({ ...file, path: file.path.slice(top.length + 1) }));
  }
  return { prefix, files: rest };
}

/** Files below one folder of the staging folder, with paths relative to it. */
class Tree {
  readonly #byPath: Map<string, StagedFile>;
  readonly #byFolder: Map<string, StagedFile[]>;

  constructor(
    private readonly staging: string,
    readonly root: string,
    readonly files: readonly StagedFile[],
  ) {
    this.#byPath = new Map(files.map((file) => [file.path, file]));
    const nested = files.filter(({ path }) => path.includes('/'));
    this.#byFolder = Map.groupBy(nested, ({ path }) => path.slice(0, path.indexOf('/')));
  }

  has(path: string): boolean {
    return this.#byPath.has(path);
  }

  folders(): string[] {
    return [...this.#byFolder.keys()].sort();
  }

  below(folder: string): Tree {
    const inside = this.#byFolder.get(folder) ?? [];
    const files = inside.map((file) => ({ ...file, path: file.path.slice(folder.length + 1) }));
    return new Tree(this.staging, posix.join(this.root, folder), files);
  }

  diskPath(path: string): string {
    return join(this.staging, this.root, path);
  }

  async text(path: string, maxBytes: number): Promise<string> {
    const file = this.#byPath.get(path);
    if (!file) throw new AppError('invalid', `The file '${path}' is missing.`, 'Upload it with the others.');
    if (file.bytes > maxBytes) throw new AppError('too_large', `'${path}' has more than ${maxBytes} bytes.`);
    return await readFile(this.diskPath(path), 'utf8');
  }
}

const isVersionNumber = (name: string): boolean => /^[1-9][0-9]{0,8}$/.test(name);

function isTritonFolder(tree: Tree): boolean {
  if (tree.has('config.pbtxt')) return true;
  return tree
    .folders()
    .some((name) => isVersionNumber(name) && findEntry(tree.below(name), 'model.onnx') !== undefined);
}

/** Names the folder or file in errors about it. */
async function naming<T>(name: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || name === undefined) throw error;
    throw new AppError(error.code, `${name}: ${error.message}`, error.hint);
  }
}

async function readTritonModel(tree: Tree, folder: string | undefined): Promise<FoundModel> {
  const config = tree.has('config.pbtxt')
    ? await naming('config.pbtxt', async () => readTritonConfig(await tree.text('config.pbtxt', maxConfigBytes)))
    : absentConfig;
  const numbers = choose(tree.folders().filter(isVersionNumber), config);
  const versions: FoundVersion[] = [];
  for (const number of numbers) {
    const inside = tree.below(number);
    const entry = findEntry(inside, config.modelFile);
    if (entry === undefined) {
      await refuseFiles(inside);
      throw new AppError(
        'invalid',
        `The version folder ${number} has no ${config.modelFile}.`,
        'Upload the whole model folder.',
      );
    }
    versions.push({ number, ...(await readVersion(inside, entry)) });
  }
  const labelFile = config.outputs.find((output) => output.labelFile !== undefined)?.labelFile;
  const labels = labelFile === undefined ? undefined : readLabels(await tree.text(labelFile, maxLabelBytes));
  return { folder, root: tree.root, config, labels, versions };
}

function choose(folders: string[], { versions: policy }: TritonConfig): string[] {
  const all = folders.sort((a, b) => Number(a) - Number(b));
  const missing = policy.kind === 'specific' && policy.versions.find((version) => !all.includes(String(version)));
  if (all.length === 0 || typeof missing === 'number') {
    throw new AppError(
      'invalid',
      typeof missing === 'number'
        ? `version_policy names version ${missing}, which is not there.`
        : 'There is no version folder.',
      'Put each version into a folder with a number for its name, such as 1/model.onnx.',
    );
  }
  if (policy.kind === 'latest') return all.slice(-Math.max(1, policy.count));
  return policy.kind === 'all' ? all : all.filter((name) => policy.versions.includes(Number(name)));
}

function findEntry(version: Tree, modelFile: string): string | undefined {
  return [modelFile, `${modelFile}/model.onnx`].find((path) => version.has(path));
}

function readLabels(text: string): string[] {
  const lines = text.split(/\r?\n/);
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

async function readSingle(tree: Tree): Promise<FoundVersion> {
  const onnx = tree.files.filter(({ path }) => /\.onnx$/i.test(path));
  if (onnx.length > 1) {
    throw new AppError(
      'invalid',
      `There are ${onnx.length} ONNX files: ${onnx
        .slice(0, 5)
        .map(({ path }) => path)
        .join(', ')}${onnx.length > 5 ? ', …' : ''}.`,
      'Upload one model at a time, or a Triton repository with a folder for each.',
    );
  }
  const entry = onnx[0] ?? (tree.files.length === 1 ? tree.files[0] : undefined);
  if (entry) return await readVersion(tree, entry.path);
  await refuseFiles(tree);
  throw new AppError(
    'unsupported',
    'There is no ONNX file among the files.',
    'Export the model to ONNX and upload that.',
  );
}

/** Throws if one of the files is a known kind of model, so that its owner learns what to do with it. */
async function refuseFiles(tree: Tree): Promise<void> {
  if (tree.files.some(({ path }) => path.includes('com.apple.CoreML/'))) {
    const hint = 'Export the original model to ONNX; Core ML files cannot be converted back.';
    refuseContent('The package', { kind: 'foreign', what: 'a Core ML model', hint });
  }
  const largestFirst = [...tree.files].sort((a, b) => b.bytes - a.bytes).slice(0, maxSniffed);
  for (const { path } of largestFirst) {
    const content = await sniff(tree.diskPath(path), path);
    if (content.kind === 'foreign' && content.what !== 'a text file') refuseContent(path, content);
  }
}

/** The version that `entry` is the model of, with those files beside it that the model names. */
async function readVersion(tree: Tree, entry: string): Promise<Omit<FoundVersion, 'number'>> {
  const content = await sniff(tree.diskPath(entry), entry);
  if (content.kind !== 'onnx') refuseContent(entry, content);
  const folder = posix.dirname(entry);
  const base = folder === '.' ? tree : folder.split('/').reduce((inside, name) => inside.below(name), tree);
  const name = posix.basename(entry);
  const others = base.files.filter(({ path }) => path !== name);
  const named = others.length > 0 ? await findExternalFiles(base.diskPath(name)) : new Set<string>();
  const files = base.files.filter(({ path }) => path === name || named.has(path));
  return { root: base.root, entry: name, files };
}
