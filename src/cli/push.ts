// Stores a model: finds its files on this machine's disk, sends them and has them imported, or has the server fetch them.
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

import { messageOf } from '../error.ts';
import { checkModelName } from '../registry/model-name.ts';
import type { VersionsAnswer } from './answers.ts';
import type { Client } from './client.ts';
import { type Invocation, UsageError } from './command.ts';
import { describeImported, findAddress, requestImport } from './importing.ts';
import { startProgress } from './progress.ts';
import type { Report } from './report.ts';
import { type LocalFile, removeUploads, uploadFiles } from './upload.ts';

/** The server takes no more in one import. */
const maxFiles = 10_000;

export async function push({ operands, options, client: connect, report }: Invocation): Promise<void> {
  const [source, given] = [operands.at(-1)!, operands.length > 1 ? operands[0] : undefined];
  const from = findAddress(source);
  const files = from === undefined ? await findFiles(source) : undefined;
  const name = given ?? (files ? findName(source, files) : findNameIn(from!));
  if (name !== undefined) checkModelName(name);
  const manifest = options.has('manifest') ? await readManifest(options.get('manifest')!) : undefined;
  const client = connect();
  const route = name === undefined ? '/api/v1/imports' : `/api/v1/models/${encodeURIComponent(name)}/versions`;
  const wish = { manifest, load: !options.has('no-load') };
  const answer = files
    ? await send(client, route, files, wish, report)
    : await requestImport(client, route, { from, ...wish }, report);
  await report.answer(answer, () => describeImported(answer));
}

async function send(
  client: Client,
  route: string,
  files: readonly LocalFile[],
  wish: object,
  report: Report,
): Promise<VersionsAnswer> {
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const label = files.length === 1 ? files[0]!.path : `${files.length} files`;
  const progress = report.isJson ? silence : startProgress(label, totalBytes, report.terminal);
  const uploads = await uploadFiles(client, files, progress).finally(progress.stop);
  progress.finish();

  try {
    return await requestImport(client, route, { files: uploads, ...wish }, report);
  } catch (error) {
    await removeUploads(client, uploads);
    throw error;
  }
}

/** The name that an address says; undefined where only what lies there can tell. */
function findNameIn(address: string): string | undefined {
  const path = URL.canParse(address) ? new URL(address).pathname : address;
  const [, name] = /([A-Za-z][A-Za-z0-9._-]*)\.onnx$/i.exec(basename(path)) ?? [];
  return name === undefined || /^models?$/i.test(name) ? undefined : name;
}

const silence = { show() {}, finish() {}, stop() {} };

/** A file, or all files of a folder but hidden ones, under paths that begin with the folder's name. */
async function findFiles(path: string): Promise<LocalFile[]> {
  const found = await look(path);
  const name = basename(resolve(path));
  if (found.isFile()) return [{ diskPath: path, path: name, bytes: found.size }];
  const names = await readdir(path, { recursive: true });
  const files: LocalFile[] = [];
  for (const inner of names.filter((inner) => !/(^|\/)\./.test(inner)).sort()) {
    const diskPath = join(path, inner);
    const entry = await look(diskPath);
    if (entry.isFile()) files.push({ diskPath, path: `${name}/${inner}`, bytes: entry.size });
  }
  if (files.length > 0 && files.length <= maxFiles) return files;
  throw new UsageError(
    files.length === 0 ? `${path} has no files.` : `${path} has ${files.length} files; at most ${maxFiles} are taken.`,
    'Name the folder of a model, or of a Triton model repository.',
  );
}

async function look(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}`);
  }
}

/** The name that the file or folder says; undefined when folders inside, or an archive's, may say it. */
function findName(path: string, files: readonly LocalFile[]): string | undefined {
  const folder = basename(resolve(path));
  const inTop = files.filter((file) => file.path.split('/').length === 2).map((file) => basename(file.path));
  const isFile = files.length === 1 && files[0]!.path === folder;
  if (isFile ? !isOnnx(path) : !inTop.some(isOnnx) || inTop.includes('config.pbtxt')) return undefined;
  const name = isFile ? folder.replace(/\.onnx$/i, '') : folder;
  if (/^[A-Za-z][A-Za-z0-9._-]*$/.test(name) && !/^models?$/i.test(name)) return name;
  throw new UsageError(
    `'${name.slice(0, 80)}' does not say what the model is to be called.`,
    `Put a name before the file: aimass push NAME ${path}`,
  );
}

const isOnnx = (file: string) => /\.onnx$/i.test(file);

/** @throws UsageError */
export async function readManifest(path: string): Promise<object> {
  let manifest: unknown;
  try {
    manifest = await Bun.file(path).json();
  } catch (error) {
    throw new UsageError(`The manifest ${path} cannot be read: ${messageOf(error)}`);
  }
  if (typeof manifest === 'object' && manifest !== null && !Array.isArray(manifest)) return manifest;
  throw new UsageError(`The manifest ${path} is no JSON object.`, 'Write it like {"task":"image-classification"}.');
}
