// A version that has the files of another one and a manifest of its own: versions never change, so what was said wrongly of
// one is put right in the next. Stores nothing itself.
import { AppError } from '../error.ts';
import type { Manifest, VersionRecord } from '../types.ts';
import { uncertainBatches } from './importing.ts';
import { checkManifest } from './manifest-check.ts';
import { parseManifest } from './manifest.ts';

const removable = ['labels', 'preprocess', 'postprocess', 'licence', 'description'] as const;

/**
 * @param change JSON: what it names is replaced, within `serving` field by field; null takes a field away
 * @throws AppError invalid
 */
export function deriveManifest(
  { model, version, manifest, signature, warnings }: VersionRecord,
  change: unknown,
): { manifest: Manifest; warnings: string[] } {
  if (typeof change !== 'object' || change === null || Array.isArray(change)) {
    throw new AppError('invalid', 'The manifest must be an object.', 'Name in it what is to be otherwise.');
  }
  const { given, base } = split(change as Record<string, unknown>, manifest);
  const derived = parseManifest(given, base);
  checkManifest(derived, signature);
  const isUncertain = derived.serving.maxBatchSize > 1 && manifest.serving.maxBatchSize <= 1;
  return {
    manifest: { ...derived, origin: { kind: 'version', from: `${model}:${version}` } },
    warnings: [
      ...warnings.filter((warning) => warning !== uncertainBatches || derived.serving.maxBatchSize > 1),
      ...(isUncertain ? [uncertainBatches] : []),
    ],
  };
}

function split(change: Record<string, unknown>, manifest: Manifest) {
  if ('origin' in change) {
    throw new AppError('invalid', 'origin is not to be given: it is the version that this one is made from.');
  }
  const removed = removable.filter((name) => change[name] === null);
  // What another task does with its input and output is another thing, unless it is said again.
  const isOther = change.task !== undefined && change.task !== manifest.task;
  const stale = isOther ? (['preprocess', 'postprocess'] as const) : [];
  const base = { ...manifest };
  for (const name of [...removed, ...stale]) delete base[name];
  const given = Object.fromEntries(Object.entries(change).filter(([name]) => !removed.some((each) => each === name)));
  return { given, base };
}
