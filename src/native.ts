// The native libraries of ONNX Runtime. In the compiled binary they are embedded and must lie as files side by side
// before they can be loaded; run from source they are used where the package manager put them.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { freshName, makeFresh, removeLeftovers } from './fresh-folder.ts';

export const bindingName = 'onnxruntime_binding.node';

/** True in the single-file executable, false when run from source. */
export const isCompiled = import.meta.path.startsWith('/$bunfs/');

const sourceFolder = join(import.meta.dir, '../node_modules/onnxruntime-node/bin/napi-v6/linux/x64');

/**
 * Makes the libraries available below `folder` and returns where they lie. Safe to call from several processes at once:
 * each writes a folder of its own and renames it; whoever comes second uses the first one's. A folder whose content
 * does not match is replaced.
 */
export async function prepareNative(folder: string): Promise<string> {
  if (!isCompiled) return sourceFolder;
  const { embedded } = await import('./native-embedded.ts');
  const contents = await Promise.all(
    embedded.map(async ({ name, path }) => ({ name, bytes: await Bun.file(path).bytes() })),
  );
  const hash = createHash('sha256');
  for (const { bytes } of contents) hash.update(bytes);
  const target = join(folder, hash.digest('hex').slice(0, 32));
  removeLeftovers(folder);
  if (isIntact(target, contents)) return target;

  const fresh = makeFresh(folder);
  for (const { name, bytes } of contents) {
    const file = await open(join(fresh, name), 'w', 0o755);
    await file.writeFile(bytes);
    await file.sync();
    await file.close();
  }
  try {
    renameSync(fresh, target);
  } catch (error) {
    // Another process was first, or the folder there is damaged: a rename does not replace a folder that has files.
    if (isIntact(target, contents)) {
      rmSync(fresh, { recursive: true });
    } else if (existsSync(target)) {
      const damaged = freshName(folder);
      renameSync(target, damaged);
      renameSync(fresh, target);
      rmSync(damaged, { recursive: true, force: true });
    } else {
      throw error;
    }
  }
  return target;
}

function isIntact(folder: string, contents: { name: string; bytes: Uint8Array }[]): boolean {
  try {
    return contents.every(({ name, bytes }) => {
      const path = join(folder, name);
      return statSync(path).size === bytes.length && readFileSync(path).equals(bytes);
    });
  } catch {
    return false;
  }
}
