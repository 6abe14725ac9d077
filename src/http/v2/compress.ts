// Content-Encoding of requests and Accept-Encoding of responses: gzip, and deflate in the zlib format.
import { promisify } from 'node:util';
import zlib from 'node:zlib';

import { AppError } from '../../error.ts';

export type Coding = 'gzip' | 'deflate';

const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Uint8Array>(zlib.gunzip);
const inflate = promisify<Uint8Array, zlib.ZlibOptions, Uint8Array>(zlib.inflate);
const gzip = promisify<zlib.InputType, zlib.ZlibOptions, Buffer<ArrayBuffer>>(zlib.gzip);
const deflate = promisify<zlib.InputType, zlib.ZlibOptions, Buffer<ArrayBuffer>>(zlib.deflate);

/** Fast rather than small: the network is local. */
const level = 1;

/**
 * @param coding value of Content-Encoding
 * @param maxBytes inflating stops here, so that a small body cannot fill the memory
 * @throws AppError unsupported, too_large, invalid
 */
export async function decompress(bytes: Uint8Array, coding: string, maxBytes: number): Promise<Uint8Array> {
  const name = coding.trim().toLowerCase();
  if (name === 'identity' || name === '') return bytes;
  if (name !== 'gzip' && name !== 'deflate') {
    throw new AppError('unsupported', `Content-Encoding '${name}' is not supported`, 'Use gzip, deflate or identity.');
  }
  try {
    return await (name === 'gzip' ? gunzip : inflate)(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new AppError('too_large', `the request body inflates to more than ${maxBytes} bytes`);
    }
    throw new AppError('invalid', `the request body is not valid ${name}: ${(error as Error).message}`);
  }
}

/** The coding that the client prefers, or undefined to send the body as it is. @param accept value of Accept-Encoding */
export function chooseCoding(accept: string): Coding | undefined {
  const weights = new Map<string, number>();
  for (const part of accept.toLowerCase().split(',')) {
    const [name, ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((text) => text.startsWith('q='))?.slice(2);
    weights.set(name!, weight === undefined ? 1 : Number(weight));
  }
  const weightOf = (name: string): number => weights.get(name) || 0;
  const best: Coding = weightOf('deflate') > weightOf('gzip') ? 'deflate' : 'gzip';
  return weightOf(best) > 0 && weightOf(best) >= weightOf('identity') ? best : undefined;
}

export function compress(content: string | Uint8Array, coding: Coding): Promise<Buffer<ArrayBuffer>> {
  return (coding === 'gzip' ? gzip : deflate)(content, { level });
}
