// A model file's bytes without reading all of it: pages come from disk when they are looked at.
import { statSync } from 'node:fs';

/** Protobuf cannot hold more; bigger models keep their weights in files beside. */
export const maxModelBytes = 2 ** 31 - 1;

/**
 * Bytes of a file, to be read only; it must not be shortened while they are in use.
 * @param path of a file no larger than maxModelBytes
 */
export async function mapFile(path: string): Promise<Uint8Array> {
  if (statSync(path).size === 0) return new Uint8Array(0);
  try {
    // Shared, because a private mapping counts as this process's own memory against its limit.
    return Bun.mmap(path, { shared: true });
  } catch {
    // Bun maps only what this user may also write.
    return Bun.file(path).bytes();
  }
}
