// How the text of a setting becomes a value: sizes, durations, addresses, names. Knows no setting.
import { resolve } from 'node:path';

import { AppError } from './error.ts';

export const mebibyte = 1024 ** 2;
export const gibibyte = 1024 ** 3;

/** @throws AppError invalid. An IPv6 address stands in brackets. Port 0 lets the system choose. */
export function parseListen(text: string): { hostname: string; port: number } {
  const match = /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match?.[1] || port > 65_535) {
    throw new AppError(
      'invalid',
      `'${text}' is not HOST:PORT`,
      'Write it as 127.0.0.1:8700, 0.0.0.0:8700 or [::]:8700.',
    );
  }
  return { hostname: match[1].replace(/^\[|\]$/g, ''), port };
}

/** In lower case. */
export function hostName(text: string): string {
  const name = text
    .trim()
    .toLowerCase()
    .replace(/^\*?\./, '');
  if (/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(name)) return name;
  throw new AppError('invalid', `'${text}' is not a domain`, 'Write it as models.corp.lan.');
}

export function filled(text: string): string {
  if (text === '') throw new AppError('invalid', 'must not be empty');
  return text;
}

/** Folders separated by colons, made absolute. */
export function folders(text: string): string {
  return text
    .split(':')
    .filter((folder) => folder !== '')
    .map((folder) => resolve(folder))
    .join(':');
}

export function oneOf<T extends string>(known: readonly T[]): (text: string) => T {
  return (text) => {
    const found = known.find((value) => value === text);
    if (found) return found;
    const nearest = findNearest(text, known);
    throw new AppError(
      'invalid',
      `'${text}' is not one of ${known.join(', ')}${nearest ? `: did you mean '${nearest}'?` : ''}`,
    );
  };
}

export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    throw new AppError('invalid', `'${text}' is not a whole number from ${least} to ${most}`);
  };
}

function withUnit(units: Record<string, number>, least: number, example: string): (text: string) => number {
  return (text) => {
    const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]*)$/.exec(text.trim());
    const unit = units[match?.[2]?.toLowerCase() ?? 'none'];
    const value = Math.round(Number(match?.[1]) * (unit ?? NaN));
    if (value >= least && value <= Number.MAX_SAFE_INTEGER) return value;
    throw new AppError('invalid', `'${text}' is not ${example}${least > 0 ? `, at least ${least}` : ''}`);
  };
}

export function duration(leastMs: number): (text: string) => number {
  const units = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  return withUnit(units, leastMs, 'a time such as 500 (milliseconds), 30s or 5m');
}

export function size(leastBytes: number): (text: string) => number {
  const units = {
    '': 1,
    b: 1,
    kb: 1e3,
    mb: 1e6,
    gb: 1e9,
    tb: 1e12,
    kib: 1024,
    mib: mebibyte,
    gib: gibibyte,
    tib: 1024 ** 4,
  };
  return withUnit(units, leastBytes, 'a size such as 1048576 (bytes), 64MiB or 1GB');
}

export function serverUrl(text: string): string {
  const url = URL.parse(text);
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url.origin;
  throw new AppError('invalid', `'${text}' is not a URL`, 'Write it as http://gpu-box:8700.');
}

/** The known name that is most like `name`; undefined when none is alike. */
export function findNearest(name: string, known: readonly string[]): string | undefined {
  const wanted = name.slice(0, 64).toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Optimal string alignment: insertions, deletions, replacements and swaps of neighbours each cost 1. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const [above, row] = [rows[i - 1]!, [i]];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, rows[i - 2]![j - 2]! + 1);
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
