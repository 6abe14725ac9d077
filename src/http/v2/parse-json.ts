// JSON text of a request to values: nesting is limited before parsing. Knows nothing of tensors.
import { AppError } from '../../error.ts';

const deepest = 100;

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true });

/** @throws AppError invalid */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    throw new AppError('invalid', 'failed to parse the request JSON: it is not UTF-8');
  }
}

/** @throws AppError invalid */
export function parseJson(text: string): unknown {
  if (openers(text) > deepest && depthOf(text) > deepest) {
    throw new AppError('invalid', `failed to parse the request JSON: nested deeper than ${deepest} levels`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AppError('invalid', `failed to parse the request JSON: ${(error as Error).message}`);
  }
}

/** The same text again, with integers that a double cannot hold as bigint. @param text parsed once already */
export function parseJsonExactly(text: string): unknown {
  return JSON.parse(text, keepLong);
}

function keepLong(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** True if the text may hold an integer that a double cannot. */
export function mayHoldLong(text: string): boolean {
  return /\d{16}/.test(text);
}

/** Brackets and braces that open, counted no further than the limit: almost always this settles the question. */
function openers(text: string): number {
  let count = 0;
  for (const opener of ['[', '{']) {
    for (let at = text.indexOf(opener); at >= 0 && count <= deepest; at = text.indexOf(opener, at + 1)) count++;
  }
  return count;
}

function depthOf(text: string): number {
  let depth = 0;
  let most = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 34:
        at = endOfString(text, at + 1);
        break;
      case 91:
      case 123:
        depth++;
        if (depth > most) most = depth;
        break;
      case 93:
      case 125:
        depth--;
        break;
    }
  }
  return most;
}

function endOfString(text: string, at: number): number {
  while (at < text.length && text.charCodeAt(at) !== 34) at += text.charCodeAt(at) === 92 ? 2 : 1;
  return at;
}
