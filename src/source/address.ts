// Where a person says that a model is to be fetched from: a URL, or a path on the server. Touches neither.
import { posix } from 'node:path';

import { AppError } from '../error.ts';
import { parseHttpUrl } from '../net/target.ts';
import type { Origin } from '../types.ts';

export type Address = { kind: 'url'; url: URL } | { kind: 'path'; path: string };

const longestPath = 4096;
const longestNameBytes = 200;
const knownEndings = /\.(onnx|zip|tar|tgz|gz)$/i;

/** @throws AppError invalid; what it quotes has no query */
export function parseAddress(text: string): Address {
  const from = text.trim();
  if (from.startsWith('/')) {
    if (from.length <= longestPath && !from.includes('\0')) return { kind: 'path', path: posix.normalize(from) };
    throw new AppError('invalid', 'This is no path of a file.', "Write it like '/srv/models/model.onnx'.");
  }
  if (/^https?:/i.test(from)) {
    const noPassword = 'Use an address that needs none, such as one that is signed, or upload the file.';
    return { kind: 'url', url: parseHttpUrl(from, 'a model', noPassword) };
  }
  throw new AppError(
    'invalid',
    `'${from.replace(/[?#].*/s, '').slice(0, 80)}' is no address to import from.`,
    "Write 'https://host/path/model.onnx', or '/path/model.onnx' for a file on the server.",
  );
}

/** For people, logs and lineage: what follows a question mark may be a secret. */
export function plainUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

export function originOf(address: Address): Origin {
  return address.kind === 'url' ? { kind: 'url', from: plainUrl(address.url) } : { kind: 'path', from: address.path };
}

/**
 * What a downloaded file is to be called: as the server says, or as an address does.
 * @param urls the one that it came from first, then those that led there
 */
export function fileNameOf(disposition: string | undefined, urls: readonly URL[]): string {
  const names = [findDispositionName(disposition ?? ''), ...urls.map(({ pathname }) => decode(pathname))]
    .map((name) => cleanName(name ?? ''))
    .filter((name) => name !== '');
  return names.find((name) => knownEndings.test(name)) ?? names[0] ?? 'model.onnx';
}

/** Content-Disposition: filename*=UTF-8''m%C3%B6del.onnx goes before filename="model.onnx" (RFC 6266). */
function findDispositionName(disposition: string): string | undefined {
  const [, extended] = /;\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(disposition) ?? [];
  if (extended !== undefined) return decode(extended);
  const [, quoted, bare] = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition) ?? [];
  return quoted?.replace(/\\(.)/g, '$1') ?? bare;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The last part of a path, without what a file's name must not have. */
function cleanName(path: string): string {
  const name = path
    .toWellFormed()
    .split(/[/\\]/)
    .at(-1)!
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069:]/g, '')
    .replace(/^[\s.]+|\s+$/g, '');
  const ending = /(\.tar)?\.\w{1,8}$/.exec(name)?.[0] ?? '';
  const letters = Array.from(name.slice(0, name.length - ending.length)).slice(0, longestNameBytes);
  while (Buffer.byteLength(letters.join('') + ending) > longestNameBytes) letters.pop();
  return letters.join('') + ending;
}
