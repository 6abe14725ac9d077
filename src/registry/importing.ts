// From complete uploads to versions that are ready to be stored: stages the files in a private folder, recognises the
// models, has them inspected and builds their manifests. Stores nothing itself.
import { link, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { AppError } from '../error.ts';
import type { Inspection, Manifest, Origin } from '../types.ts';
import { type StagedFile, unpack } from './archive.ts';
import { findRoom, hashFile, syncToDisk } from './disk.ts';
import { PathSet } from './entry-path.ts';
import { checkManifest } from './manifest-check.ts';
import { parseManifest, plainManifest } from './manifest.ts';
import { checkModelName } from './model-name.ts';
import { type FoundModel, type FoundVersion, recognise } from './recognise.ts';
import type { ImportRequest, Inspect } from './registry.ts';
import { refuseContent, sniff } from './sniff.ts';
import { checkTensors, servingOf } from './triton-check.ts';
import type { ClaimedUpload } from './uploads.ts';

export interface ImportOptions {
  inspect: Inspect;
  maxUploadBytes: number;
  maxArchiveFiles: number;
}

/** A file of a version, on disk for good, under a name that goes away. */
export interface ReadyFile {
  path: string;
  bytes: number;
  sha256: string;
  diskPath: string;
}

export interface ReadyVersion {
  model: string;
  manifest: Manifest;
  inspection: Inspection;
  warnings: string[];
  entry: string;
  files: ReadyFile[];
}

export const uncertainBatches =
  'Requests are combined as the settings say, although a trial did not show that rows are independent.';

/** Rows tried at once unless something says otherwise. */
const usualBatchSize = 32;
/** An archive may unpack to this many times its size, or to this many bytes whatever its size. */
const maxRatio = 200;
const harmlessBytes = 256 * 1024 * 1024;
const maxIgnoredNamed = 10;

/** What can be told to be wrong before there are files. @throws AppError invalid */
export function checkClaims({ name, manifest }: Pick<ImportRequest, 'name' | 'manifest'>): void {
  if (name !== undefined) checkModelName(name);
  // Against the widest settings there are: those of the model are not known yet.
  const serving = { ...plainManifest.serving, maxBatchSize: 65_536, priorityLevels: 1000 };
  parseManifest(manifest ?? {}, { ...plainManifest, serving });
}

/** What can be told to be wrong before any file is looked at. @throws AppError invalid */
export function checkRequest({ files, ...claims }: ImportRequest, maxFiles: number): void {
  if (files.length === 0) throw new AppError('invalid', 'The import names no files.', 'Name at least one upload.');
  if (files.length > maxFiles) {
    throw new AppError(
      'too_large',
      `${files.length} files are too many; at most ${maxFiles} are allowed.`,
      "Upload only the model's own files.",
    );
  }
  const paths = new PathSet();
  for (const { path } of files) paths.add(path);
  if (new Set(files.map(({ uploadId }) => uploadId)).size < files.length) {
    throw new AppError('invalid', 'One upload is named for two files.', 'Upload each file by itself.');
  }
  checkClaims(claims);
}

/**
 * @param uploads where the files of the request lie, in its order; linked, not copied
 * @param staging empty folder on the same file system, the caller's to remove
 */
export async function prepareVersions(
  request: ImportRequest,
  uploads: ClaimedUpload[],
  staging: string,
  options: ImportOptions,
  onProgress: (step: string) => void,
): Promise<ReadyVersion[]> {
  const staged = await stage(request, uploads, staging, options, onProgress);
  const { models, ignored } = await recognise(staging, staged);
  const notes = ignored.length > 0 ? [describeIgnored(ignored)] : [];
  const fetched = fetchedFrom(uploads);
  const ready: ReadyVersion[] = [];
  for (const model of models) {
    const name = nameOf(request, model, models.length);
    for (const version of model.versions) {
      const label = version.number === undefined ? name : `${name}/${version.number}`;
      onProgress(`Checking ${label}`);
      try {
        ready.push(await prepare({ request, name, model, version, notes, fetched }, staging, options));
      } catch (error) {
        const isOneOfMany = models.length > 1 || model.versions.length > 1;
        if (!isOneOfMany || !(error instanceof AppError)) throw error;
        throw new AppError(error.code, `${label}: ${error.message}`, error.hint);
      }
    }
  }
  return ready;
}

async function stage(
  { files }: ImportRequest,
  uploads: ClaimedUpload[],
  staging: string,
  options: ImportOptions,
  onProgress: (step: string) => void,
): Promise<StagedFile[]> {
  const [only, ...more] = uploads;
  if (only && more.length === 0) {
    const name = files[0]!.path;
    const content = await sniff(only.path, name);
    if (content.kind === 'foreign') refuseContent(name, content);
    if (content.kind === 'tar' || content.kind === 'gzip' || content.kind === 'zip') {
      onProgress(`Unpacking ${name}`);
      const allowed = Math.min(options.maxUploadBytes, Math.max(harmlessBytes, only.bytes * maxRatio));
      const maxBytes = Math.min(allowed, await findRoom(staging));
      return await unpack(only.path, content.kind, staging, { maxFiles: options.maxArchiveFiles, maxBytes });
    }
  }
  const paths = new PathSet();
  const staged: StagedFile[] = [];
  for (const [index, { path: source, bytes }] of uploads.entries()) {
    const path = paths.add(files[index]!.path);
    const target = join(staging, path);
    await mkdir(dirname(target), { recursive: true });
    await link(source, target);
    staged.push({ path, bytes });
  }
  return staged;
}

function nameOf({ name }: ImportRequest, { folder, config }: FoundModel, count: number): string {
  if (name !== undefined && count > 1) {
    throw new AppError(
      'invalid',
      `The files hold ${count} models, so they cannot all be called '${name}'.`,
      "Leave the name out: the folders' names are used.",
    );
  }
  const found = name ?? (config && (folder ?? config.name));
  if (!found) throw new AppError('invalid', 'The model has no name.', 'Give the name that clients should call it by.');
  return checkModelName(found);
}

function describeIgnored(paths: string[]): string {
  const more = paths.length - maxIgnoredNamed;
  return `Not part of a model, so left out: ${paths.slice(0, maxIgnoredNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}.`;
}

/** A version on its way, and what is known of it. */
interface Subject {
  request: ImportRequest;
  name: string;
  model: FoundModel;
  version: FoundVersion;
  notes: string[];
  /** Where all of its files were fetched from. */
  fetched?: Origin;
}

async function prepare(subject: Subject, staging: string, { inspect }: ImportOptions): Promise<ReadyVersion> {
  const { name, version, notes } = subject;
  const folder = join(staging, version.root);
  const weightBytes = version.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const inspection = await inspect({ path: join(folder, version.entry), weightBytes });
  const { manifest, warnings } = buildManifest(subject, inspection);
  const files: ReadyFile[] = [];
  for (const { path, bytes, sha256 } of version.files) {
    const diskPath = join(folder, path);
    await syncToDisk(diskPath);
    files.push({ path, bytes, sha256: sha256 ?? (await hashFile(diskPath)), diskPath });
  }
  return { model: name, manifest, inspection, warnings: [...warnings, ...notes], entry: version.entry, files };
}

function buildManifest(subject: Subject, inspection: Inspection): { manifest: Manifest; warnings: string[] } {
  const { request, name, model } = subject;
  const warnings = [...inspection.warnings];
  const serving = { ...plainManifest.serving, maxBatchSize: inspection.batchable ? usualBatchSize : 0 };
  let base: Manifest = { ...plainManifest, serving, origin: originOf(subject) };
  if (model.config) {
    checkTensors(model.config, inspection);
    const found = servingOf(model.config, inspection);
    base = parseManifest({ serving: found.serving, labels: model.labels }, base);
    warnings.push(...found.warnings);
    if (model.config.name && model.config.name !== name) {
      warnings.push(`config.pbtxt calls the model '${model.config.name}'; here it is '${name}'.`);
    }
  }
  const manifest = parseManifest(request.manifest ?? {}, base);
  if (subject.fetched) manifest.origin = base.origin;
  checkManifest(manifest, inspection.signature);
  if (manifest.serving.maxBatchSize > 1 && !inspection.batchable) {
    warnings.push(uncertainBatches);
  }
  return { manifest, warnings };
}

function fetchedFrom(uploads: ClaimedUpload[]): Origin | undefined {
  const [origin] = uploads.map((upload) => upload.origin);
  return uploads.every((upload) => upload.origin?.from === origin?.from) ? origin : undefined;
}

function originOf({ request: { files }, name, model, version, fetched }: Subject): Origin {
  if (fetched) {
    if (version.number === undefined) return fetched;
    const inside = model.folder === undefined ? version.number : `${model.folder}/${version.number}`;
    return { kind: fetched.kind, from: `${fetched.from}#${inside}` };
  }
  if (version.number !== undefined) return { kind: 'triton', from: `${model.folder ?? name}/${version.number}` };
  return { kind: 'upload', from: files.length === 1 ? files[0]!.path : (model.folder ?? version.entry) };
}
