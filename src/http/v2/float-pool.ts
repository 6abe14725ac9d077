// Memory for the float tensors of requests: whoever is done with one gives it back, and the next request of that size
// gets it. Fresh memory costs a small request more than reading its numbers does, in page faults and garbage collection.

/** Two views of one piece of memory. */
export interface PooledFloats {
  readonly floats: Float32Array;
  readonly bytes: Uint8Array;
}

/** Of memory that nobody uses, in all. */
const mostFreeBytes = 16 * 1024 * 1024;

/** By number of floats. */
const free = new Map<number, PooledFloats[]>();
let freeBytes = 0;

/** What it holds is left from others: all of it must be written. */
export function borrowFloats(count: number): PooledFloats {
  const found = free.get(count)?.pop();
  if (found) {
    freeBytes -= found.bytes.length;
    return found;
  }
  const floats = new Float32Array(count);
  return { floats, bytes: new Uint8Array(floats.buffer) };
}

/** Only when nothing will read it any more. What is never given back is collected as garbage. */
export function giveBack(pooled: PooledFloats): void {
  const { length } = pooled.bytes;
  // Sizes that are no longer asked for must not keep the others out.
  if (freeBytes + length > mostFreeBytes) {
    free.clear();
    freeBytes = 0;
  }
  if (length > mostFreeBytes) return;
  freeBytes += length;
  const same = free.get(pooled.floats.length);
  if (same) same.push(pooled);
  else free.set(pooled.floats.length, [pooled]);
}
