// Weights that lie in files beside the model: where a model says they are, and whether that is safe and true.
import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';

import { AppError } from '../error.ts';
import { dataBytes } from './facts.ts';
import type { Model, Tensor } from './model.ts';
import { eachTensor } from './walk.ts';

export interface ExternalData {
  /** Name of the tensor; attributes' tensors may have none. */
  tensor: string;
  /** Path below the model's folder, as the model says it. */
  location: string;
  offset: number;
  /** What the model says, or what the tensor's shape needs. */
  length: number;
}

const external = 1;

/** @throws AppError invalid when a location leads outside the model's folder or an entry makes no sense */
export function listExternalData(model: Model): ExternalData[] {
  const found: ExternalData[] = [];
  for (const tensor of eachTensor(model)) if (tensor.dataLocation === external) found.push(toExternal(tensor));
  return found;
}

function toExternal(tensor: Tensor): ExternalData {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value ?? '']));
  const name = tensor.name ?? '';
  const location = entries.get('location') ?? '';
  checkLocation(name, location);
  const needed = dataBytes(tensor);
  const length = readCount(name, 'length', entries.get('length')) ?? needed;
  if (length !== needed) {
    throw new AppError(
      'invalid',
      `Tensor '${name}' needs ${needed} bytes but its external data are said to be ${length} bytes long.`,
      'The model file may be damaged: export the model again.',
    );
  }
  return { tensor: name, location, offset: readCount(name, 'offset', entries.get('offset')) ?? 0, length };
}

function readCount(tensor: string, key: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(count)) return count;
  throw new AppError(
    'invalid',
    `Tensor '${tensor}' has the external data ${key} '${text.slice(0, 40)}', which is not a number of bytes.`,
    'The model file may be damaged: export the model again.',
  );
}

function checkLocation(tensor: string, location: string): void {
  const segments = location.split('/');
  const isSafe =
    location.length > 0 &&
    location.length <= 4096 &&
    !/[\0\\]/.test(location) &&
    segments[0] !== '' &&
    !segments.includes('..');
  if (isSafe) return;
  throw new AppError(
    'invalid',
    `Tensor '${tensor}' takes its weights from ${JSON.stringify(location.slice(0, 200))}, outside the model's folder.`,
    'Save the model with its external data in a file beside it, and upload both.',
  );
}

/**
 * Checks that every file is there and long enough.
 * @param folder the model's own
 * @throws AppError invalid naming the file
 */
export function checkExternalFiles(folder: string, references: readonly ExternalData[]): void {
  const sizes = new Map<string, number>();
  for (const { tensor, location, offset, length } of references) {
    const size = sizes.get(location) ?? fileSize(folder, location);
    sizes.set(location, size);
    if (offset + length > size) {
      throw new AppError(
        'invalid',
        `The external data file '${location}' has ${size} bytes, but tensor '${tensor}' lies at ${offset}…${offset + length}.`,
        'The file may be cut short or belong to another export: upload it again together with its model.',
      );
    }
  }
}

function fileSize(folder: string, location: string): number {
  let path = folder;
  let found: Stats | undefined;
  for (const segment of location.split('/')) {
    if (found && !found.isDirectory()) throw missing(location);
    path = join(path, segment);
    found = findStats(path);
    if (!found) throw missing(location);
    if (found.isSymbolicLink()) {
      throw new AppError(
        'invalid',
        `The external data file '${location}' is a symbolic link.`,
        'Put the file itself in its place.',
      );
    }
  }
  if (!found?.isFile()) throw missing(location);
  return found.size;
}

function findStats(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    // Not there, or with a name longer than any file's.
    return undefined;
  }
}

function missing(location: string): AppError {
  return new AppError(
    'invalid',
    `The external data file '${location}' is missing.`,
    'The weights of this model lie in a file of their own: upload the whole folder, or an archive of it.',
  );
}
