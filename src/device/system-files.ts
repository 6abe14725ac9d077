// Reads the kernel's small text files (/proc, /sys) below a root that tests may move. Absent and unreadable are the same.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Content without the white space around it. */
export function findText(root: string, path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8').trim();
  } catch {
    return undefined;
  }
}

export function findNumber(root: string, path: string): number | undefined {
  const text = findText(root, path);
  const value = text ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** Names in a folder, sorted by the numbers in them; none where it cannot be read. */
export function listNames(root: string, path: string): string[] {
  try {
    return readdirSync(join(root, path)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  } catch {
    return [];
  }
}

/** The kernel's list format: "0-3,8,10-11". */
export function parseCpuList(list: string): number[] {
  return list
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number);
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
    });
}
