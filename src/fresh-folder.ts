// Folders that are made under a passing name and then renamed, so that nobody sees half of one; and what is left of them
// when their process was killed meanwhile.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const mark = '.new-';

/** A name in the folder that no other process uses; `removeLeftovers` knows it. */
export function freshName(folder: string): string {
  return join(folder, `${mark}${process.pid}-${crypto.randomUUID()}`);
}

/** Makes the folder, and `freshName` in it. @returns its path */
export function makeFresh(folder: string): string {
  const fresh = freshName(folder);
  mkdirSync(fresh, { recursive: true });
  return fresh;
}

/** Removes what processes left that are no more. */
export function removeLeftovers(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const pid = name.startsWith(mark) ? Number(name.slice(mark.length).split('-')[0]) : process.pid;
    if (pid !== process.pid && !existsSync(`/proc/${pid}`))
      rmSync(join(folder, name), { recursive: true, force: true });
  }
}
