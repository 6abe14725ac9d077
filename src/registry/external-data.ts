// Finds the names of external data files in an ONNX file without parsing it: enough to tell which of the files beside
// a model belong to it. Whether they exist, are safe and long enough is for the inspection to say.
import { createReadStream } from 'node:fs';

// In the bytes of an ONNX file: StringStringEntryProto { key (field 1) = "location", value (field 2) = <length, text> }.
const pattern = Buffer.from('\x0a\x08location\x12', 'latin1');
const longestName = 4096;

/** @returns the locations, "/" separated and without a leading "./" */
export async function findExternalFiles(path: string): Promise<Set<string>> {
  const found = new Set<string>();
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    const safe = Math.max(0, bytes.length - pattern.length - longestName);
    collect(bytes, 0, safe, found);
    rest = bytes.subarray(safe);
  }
  collect(rest, 0, rest.length, found);
  return found;
}

/** Takes the matches that begin in [from, until). */
function collect(bytes: Buffer, from: number, until: number, found: Set<string>): void {
  for (let at = bytes.indexOf(pattern, from); at >= 0 && at < until; at = bytes.indexOf(pattern, at + 1)) {
    const start = at + pattern.length;
    const low = bytes[start] ?? 0;
    const isLong = low >= 128;
    const length = isLong ? (low & 127) + (bytes[start + 1] ?? 0) * 128 : low;
    if (length > longestName - 2) continue;
    const begin = start + (isLong ? 2 : 1);
    const name = bytes.toString('utf8', begin, begin + length);
    found.add(
      name
        .split('/')
        .filter((segment) => segment !== '' && segment !== '.')
        .join('/'),
    );
  }
}
