// Reads request bodies within limits: whole as bytes or JSON, or refuses before reading.
import { AppError } from '../../error.ts';
import { decompress } from '../v2/compress.ts';

export interface BodyLimits {
  maxBodyBytes: number;
  maxJsonBytes: number;
  /** Of a compressed body once it is inflated. */
  maxInflatedBytes: number;
  /** Who may call versions that no release has made live. */
  unreleased?: 'owners' | 'everyone';
}

/** @returns what Content-Length announces; undefined for a chunked body */
export function findLength(request: Request): number | undefined {
  const declared = request.headers.get('content-length');
  return declared !== null && /^\d{1,15}$/.test(declared) ? Number(declared) : undefined;
}

/** @throws AppError too_large, before reading if the size is announced; unsupported for an unknown Content-Encoding */
export async function readBytes(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const { maxBodyBytes, maxInflatedBytes } = limits;
  if ((findLength(request) ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.body ?? []) {
    size += part.length;
    if (size > maxBodyBytes) throw tooLarge(maxBodyBytes);
    parts.push(part);
  }
  const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, size);
  const coding = request.headers.get('content-encoding');
  return coding === null ? bytes : decompress(bytes, coding, maxInflatedBytes);
}

/** @throws AppError invalid when it is no JSON, too_large */
export async function readJson(request: Request, limits: BodyLimits): Promise<unknown> {
  // Inflated too: a few kilobytes may stand for gigabytes.
  const maxInflatedBytes = Math.min(limits.maxInflatedBytes, limits.maxJsonBytes);
  const bytes = await readBytes(request, { ...limits, maxBodyBytes: limits.maxJsonBytes, maxInflatedBytes });
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new AppError('invalid', 'The request is not valid JSON.', 'Send a JSON object, encoded in UTF-8.');
  }
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('too_large', `The request has more than ${maxBytes} bytes.`, 'Raise the limit in the settings.');
}
