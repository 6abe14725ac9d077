// Reads the body of a request within limits and takes it apart into its JSON and its binary part.
import { AppError } from '../../error.ts';
import { decompress } from './compress.ts';
import { decodeUtf8 } from './parse-json.ts';

export interface V2Limits {
  /** Of a body as it is sent. */
  maxBodyBytes: number;
  /** Of the JSON part. */
  maxJsonBytes: number;
  /** Of a compressed body once it is inflated. */
  maxInflatedBytes: number;
  /** Of one tensor that is written in JSON, either way, in binary form; as much as the JSON part if absent. */
  maxJsonTensorBytes?: number;
  /** Who may call versions that no release has made live. */
  unreleased?: 'owners' | 'everyone';
}

export interface RequestBody {
  /** undefined: a raw request, all of it is binary. */
  json: Uint8Array | undefined;
  binary: Uint8Array;
}

export const jsonLengthHeader = 'inference-header-content-length';

const nothing = new Uint8Array(0);

/** All of a body, inflated if it was compressed. @throws AppError invalid, too_large, unsupported */
export function readBytes(request: Request, limits: V2Limits): Promise<Uint8Array> {
  const { headers } = request;
  const coding = headers.get('content-encoding');
  const declared = headers.get('content-length');
  if (declared !== null && Number(declared) > limits.maxBodyBytes)
    throw tooLarge('the request body', limits.maxBodyBytes);
  const sent = declared === null ? readCounted(request, limits.maxBodyBytes) : request.bytes();
  return coding === null ? sent : sent.then((bytes) => decompress(bytes, coding, limits.maxInflatedBytes));
}

/**
 * Frees a body that nothing will read any more. Left to the garbage collector, bodies take fresh memory from the system
 * again and again, which costs a small request more than to copy its body.
 */
export function discard(bytes: Uint8Array): void {
  const { buffer } = bytes;
  // A Buffer may be cut from memory that others use.
  if (bytes.length > 0 && bytes.length === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Only for tiny requests without tensors. @throws AppError invalid, too_large */
export async function readSmallBody(request: Request, maxBytes: number): Promise<string> {
  return decodeUtf8(await readCounted(request, maxBytes));
}

/** @param jsonLength value of `jsonLengthHeader` @throws AppError invalid, too_large */
export function splitBody(bytes: Uint8Array, jsonLength: string | null, maxJsonBytes: number): RequestBody {
  let length = bytes.length;
  if (jsonLength !== null) {
    length = /^\d{1,15}$/.test(jsonLength) ? Number(jsonLength) : Infinity;
    if (length > bytes.length) {
      throw new AppError(
        'invalid',
        `inference header size should be in range (0, ${bytes.length}), got: ${jsonLength.slice(0, 40)}`,
      );
    }
    if (length === 0) return { json: undefined, binary: bytes };
  }
  if (length > maxJsonBytes) throw tooLarge('the JSON of the request', maxJsonBytes);
  if (length === bytes.length) return { json: bytes, binary: nothing };
  return { json: bytes.subarray(0, length), binary: bytes.subarray(length) };
}

/** A chunked body says its size only by ending. */
async function readCounted(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (!request.body) return nothing;
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.body) {
    size += part.length;
    if (size > maxBytes) throw tooLarge('the request body', maxBytes);
    parts.push(part);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, size);
}

function tooLarge(what: string, maxBytes: number): AppError {
  return new AppError('too_large', `${what} is larger than ${maxBytes} bytes`);
}
