// The wire form of BYTES tensors: every element is a uint32 length and that many bytes.

/** @returns undefined when one of the strings has a lone surrogate and so no UTF-8 form */
export function packStrings(strings: readonly string[]): Uint8Array | undefined {
  let size = 0;
  for (const text of strings) {
    if (!text.isWellFormed()) return undefined;
    size += 4 + Buffer.byteLength(text);
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const text of strings) {
    const length = bytes.write(text, at + 4);
    bytes.writeUInt32LE(length, at);
    at += 4 + length;
  }
  return bytes;
}

/** One element that is these bytes. */
export function packOne(content: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(4 + content.length);
  bytes.writeUInt32LE(content.length, 0);
  bytes.set(content, 4);
  return bytes;
}

/** The number of elements, or undefined when the last one is cut off. */
export function countElements(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  let at = 0;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined;
    at += 4 + view.getUint32(at, true);
    count++;
  }
  return at === bytes.length ? count : undefined;
}

/** @returns undefined when an element is not UTF-8 */
export function unpackStrings(bytes: Uint8Array): string[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // ignoreBOM keeps a byte order mark at the start of an element: it is part of the value.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const strings: string[] = [];
  try {
    for (let at = 0; at < bytes.length;) {
      const length = view.getUint32(at, true);
      strings.push(decoder.decode(bytes.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
  } catch {
    return undefined;
  }
  return strings;
}
