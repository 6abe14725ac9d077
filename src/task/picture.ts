// Files to pixels and back: JPEG, PNG and WebP decoded by Bun, PNG written. It knows nothing of models.
import { promisify } from 'node:util';
import { crc32, deflate, inflate } from 'node:zlib';

import { AppError } from '../error.ts';

/** Pixels of a picture, four bytes each (red, green, blue, opacity), row by row from the top left. */
export interface Picture {
  width: number;
  height: number;
  pixels: Uint8Array;
}

export type PictureFormat = 'jpeg' | 'png' | 'webp';

/** Wide enough for any camera; one picture then takes at most about 1.2 GB while it is unpacked. */
const maxPixels = 100_000_000;
const bytesPerPixel = 4;
const pngSignature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const chunkOverhead = 12;
/** Smallest output buffer that zlib takes. */
const smallestChunk = 64;

/** What the first bytes say, whatever the file is called. */
export function findFormat(bytes: Uint8Array): PictureFormat | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (pngSignature.every((byte, i) => bytes[i] === byte)) return 'png';
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  return text.startsWith('RIFF') && text.endsWith('WEBP') ? 'webp' : undefined;
}

/**
 * Decodes at full size, upright (EXIF orientation applied). Transparent pixels lie on white, as paper does; colour
 * profiles are ignored, as PIL does; 16-bit samples keep their upper eight bits; of an animation the first frame counts.
 * A JPEG whose end is missing is grey there.
 * @throws AppError unsupported for other formats, too_large above 100 megapixels, invalid when the file is damaged
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const format = findFormat(bytes);
  if (!format) {
    throw new AppError('unsupported', 'The picture is neither JPEG, PNG nor WebP.', 'Send one of these three formats.');
  }
  const png = await new Bun.Image(bytes, { maxPixels, autoOrient: true })
    .png({ compressionLevel: 0 })
    .bytes()
    .catch((error: Error & { code?: string }) => {
      throw error.code === 'ERR_IMAGE_TOO_MANY_PIXELS'
        ? new AppError('too_large', 'The picture has more than 100 megapixels.', 'Scale it down and send it again.')
        : new AppError(
            'invalid',
            `The ${format.toUpperCase()} picture is damaged.`,
            'Export it again and send it anew.',
          );
    });
  const picture = await unpackPng(png);
  if (format !== 'jpeg') flattenOnWhite(picture.pixels);
  return picture;
}

/** Only for what Bun writes at compression level 0: eight-bit RGBA, not interlaced, rows without a filter. */
async function unpackPng(png: Uint8Array): Promise<Picture> {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  const [depth, colourType, interlaced] = [png[24], png[25], png[28]];
  if (depth !== 8 || colourType !== 6 || interlaced !== 0) throw new Error('Bun.Image wrote another kind of PNG');

  const parts: Uint8Array[] = [];
  for (let at = pngSignature.length; at < png.length;) {
    const length = view.getUint32(at);
    const type = view.getUint32(at + 4);
    if (type === 0x49_44_41_54) parts.push(png.subarray(at + 8, at + 8 + length));
    at += chunkOverhead + length;
  }
  const rowBytes = width * bytesPerPixel;
  const maxOutputLength = (rowBytes + 1) * height;
  const chunkSize = Math.max(maxOutputLength, smallestChunk);
  const pixels = await promisify(inflate)(Buffer.concat(parts), { maxOutputLength, chunkSize });
  for (let y = 0; y < height; y++) {
    const start = y * (rowBytes + 1);
    if (pixels[start] !== 0) throw new Error('Bun.Image wrote a PNG with row filters');
    pixels.copyWithin(y * rowBytes, start + 1, start + 1 + rowBytes);
  }
  return { width, height, pixels: pixels.subarray(0, rowBytes * height) };
}

function flattenOnWhite(pixels: Uint8Array): void {
  for (let i = 0; i < pixels.length; i += bytesPerPixel) {
    const opacity = pixels[i + 3]!;
    if (opacity === 255) continue;
    for (let c = 0; c < 3; c++) {
      pixels[i + c] = Math.round((pixels[i + c]! * opacity + 255 * (255 - opacity)) / 255);
    }
    pixels[i + 3] = 255;
  }
}

export async function encodePng({ width, height, pixels }: Picture): Promise<Uint8Array> {
  const rowBytes = width * bytesPerPixel;
  const rows = Buffer.alloc((rowBytes + 1) * height);
  for (let y = 0; y < height; y++) {
    rows.set(pixels.subarray(y * rowBytes, (y + 1) * rowBytes), y * (rowBytes + 1) + 1);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const data = await promisify(deflate)(rows, { level: 0 });
  const stored = Buffer.concat([
    pngSignature,
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
  // Bun chooses the row filters that make it small.
  return new Bun.Image(stored, { maxPixels }).png({ compressionLevel: 3 }).bytes();
}

function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(chunkOverhead + data.length);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}
