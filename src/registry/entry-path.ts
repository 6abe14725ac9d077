// Decides which paths from outside (of uploads, of archive members, in Triton configurations) may become files, and
// that no two of them can clash. Never touches a disk.
import { AppError } from '../error.ts';

const maxPathBytes = 512;
const maxSegmentBytes = 200;
const maxDepth = 16;

/**
 * The path in its one form: "/" between segments, no "." and no empty segments.
 * @throws AppError invalid when it is absolute, leaves its folder, or is too long or too deep
 */
export function cleanPath(raw: string): string {
  const problem = findProblem(raw);
  if (problem) {
    throw new AppError(
      'invalid',
      `The file path ${quotePath(raw)} is not allowed: it ${problem}.`,
      "Use plain relative paths, such as 'model.onnx' or '1/model.onnx'.",
    );
  }
  return segmentsOf(raw).join('/');
}

const segmentsOf = (path: string): string[] => path.split('/').filter((segment) => segment !== '' && segment !== '.');

function findProblem(raw: string): string | undefined {
  if (!raw.isWellFormed()) return 'is not valid Unicode';
  if (Buffer.byteLength(raw) > maxPathBytes) return `is longer than ${maxPathBytes} bytes`;
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(raw)) return 'holds a control character';
  if (raw.includes('\\')) return 'holds a backslash';
  if (raw.startsWith('/')) return 'is absolute';
  const segments = segmentsOf(raw);
  if (segments.length === 0) return 'names no file';
  if (/^[a-z]:/i.test(segments[0]!)) return 'names a drive';
  if (segments.length > maxDepth) return `has more than ${maxDepth} levels`;
  if (segments.includes('..')) return 'leads out of its folder';
  if (segments.some((segment) => Buffer.byteLength(segment) > maxSegmentBytes)) {
    return `has a name longer than ${maxSegmentBytes} bytes`;
  }
  return undefined;
}

/** For messages: control characters escaped, and not longer than a person wants to read. */
export function quotePath(raw: string): string {
  return JSON.stringify(raw.length > 80 ? `${raw.slice(0, 77)}...` : raw);
}

/** The paths of one import. Two that differ only in case or Unicode form clash: they would not survive a copy elsewhere. */
export class PathSet {
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();

  /** @returns the clean path. @throws AppError invalid when it is not allowed or clashes with an earlier one */
  add(raw: string): string {
    const path = cleanPath(raw);
    const key = path.normalize('NFC').toLowerCase();
    const parents = key
      .split('/')
      .slice(0, -1)
      .map((_, index, all) => all.slice(0, index + 1).join('/'));
    if (this.#files.has(key) || this.#folders.has(key) || parents.some((parent) => this.#files.has(parent))) {
      throw new AppError(
        'invalid',
        `The file ${quotePath(path)} occurs twice, or clashes with another one.`,
        'Give every file a path of its own; upper and lower case do not count as different.',
      );
    }
    this.#files.add(key);
    for (const parent of parents) this.#folders.add(parent);
    return path;
  }
}
