// Scaling of pictures with the arithmetic of Pillow's 8-bit resampling (Pillow 9.4, src/libImaging/Resample.c): a
// filter stretched over the source, two passes, fixed-point weights, rounding to bytes after each. Knows no models.
import type { ImagePreprocess } from '../types.ts';

export type Filter = ImagePreprocess['filter'];

/** Source pixels: 4 bytes each (three colours and one byte that is skipped) or 1 byte each (grey). */
export interface Raster {
  width: number;
  height: number;
  bytesPerPixel: 4 | 1;
  data: Uint8Array;
}

/** Part of the scaled picture that is wanted, in its pixels. */
export interface Window {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Fraction bits of the weights: 32 less 8 for the sample and 2 for filters that overshoot. */
const precisionBits = 22;
const half = 1 << (precisionBits - 1);

const kernels = {
  bilinear: { support: 1, weight: (x: number) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: cubicWeight },
  lanczos: { support: 3, weight: (x: number) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function cubicWeight(signed: number): number {
  const a = -0.5;
  const x = Math.abs(signed);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** For each wanted target position: where its source samples start and their fixed-point weights. */
interface Taps {
  starts: Int32Array;
  counts: Int32Array;
  /** `stride` for each target position. */
  weights: Int32Array;
  stride: number;
}

function computeTaps(
  sourceSize: number,
  targetSize: number,
  filter: keyof typeof kernels,
  from: number,
  count: number,
): Taps {
  const kernel = kernels[filter];
  const scale = sourceSize / targetSize;
  const stretch = Math.max(scale, 1);
  const support = kernel.support * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const taps = {
    starts: new Int32Array(count),
    counts: new Int32Array(count),
    weights: new Int32Array(count * stride),
    stride,
  };
  const weights = new Float64Array(stride);
  for (let i = 0; i < count; i++) {
    const centre = (from + i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const length = Math.min(sourceSize, Math.trunc(centre + support + 0.5)) - start;
    let sum = 0;
    for (let k = 0; k < length; k++) {
      weights[k] = kernel.weight((k + start - centre + 0.5) * (1 / stretch));
      sum += weights[k]!;
    }
    for (let k = 0; k < length; k++) {
      const weight = (weights[k]! / sum) * (1 << precisionBits);
      taps.weights[i * stride + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    taps.starts[i] = start;
    taps.counts[i] = length;
  }
  return taps;
}

/**
 * Scales `source` to targetWidth × targetHeight and returns the window of that, 3 (or 1, for grey) bytes a pixel. Equal
 * to Pillow's `resize` to the last bit.
 */
export function resample(
  source: Raster,
  targetWidth: number,
  targetHeight: number,
  filter: Filter,
  window: Window,
): Uint8Array {
  if (filter === 'nearest') return pickNearest(source, targetWidth, targetHeight, window);
  const columns = computeTaps(source.width, targetWidth, filter, window.x, window.width);
  const rows = computeTaps(source.height, targetHeight, filter, window.y, window.height);
  const last = window.height - 1;
  const firstRow = rows.starts[0]!;
  const rowCount = rows.starts[last]! + rows.counts[last]! - firstRow;
  const narrowed =
    source.bytesPerPixel === 4
      ? narrowColour(source, columns, firstRow, rowCount)
      : narrowGrey(source, columns, firstRow, rowCount);
  return shorten(narrowed, rows, firstRow, window.width * (source.bytesPerPixel === 4 ? 3 : 1));
}

/** Horizontal pass: rowCount × columns × 3. */
function narrowColour(source: Raster, columns: Taps, firstRow: number, rowCount: number): Uint8Array {
  const { starts, counts, weights, stride } = columns;
  const { data } = source;
  const out = new Uint8Array(rowCount * starts.length * 3);
  let at = 0;
  for (let y = 0; y < rowCount; y++) {
    const row = (firstRow + y) * source.width;
    for (let x = 0; x < starts.length; x++) {
      let red = half;
      let green = half;
      let blue = half;
      let from = (row + starts[x]!) * 4;
      const first = x * stride;
      const end = first + counts[x]!;
      for (let k = first; k < end; k++, from += 4) {
        const weight = weights[k]!;
        red += Math.imul(data[from]!, weight);
        green += Math.imul(data[from + 1]!, weight);
        blue += Math.imul(data[from + 2]!, weight);
      }
      out[at++] = toByte(red);
      out[at++] = toByte(green);
      out[at++] = toByte(blue);
    }
  }
  return out;
}

/** Horizontal pass: rowCount × columns. */
function narrowGrey(source: Raster, columns: Taps, firstRow: number, rowCount: number): Uint8Array {
  const { starts, counts, weights, stride } = columns;
  const out = new Uint8Array(rowCount * starts.length);
  let at = 0;
  for (let y = 0; y < rowCount; y++) {
    const row = (firstRow + y) * source.width;
    for (let x = 0; x < starts.length; x++) {
      let sum = half;
      for (let k = 0; k < counts[x]!; k++) {
        sum += Math.imul(source.data[row + starts[x]! + k]!, weights[x * stride + k]!);
      }
      out[at++] = toByte(sum);
    }
  }
  return out;
}

/** Vertical pass: rows × rowBytes. */
function shorten(data: Uint8Array, rows: Taps, firstRow: number, rowBytes: number): Uint8Array {
  const height = rows.starts.length;
  const out = new Uint8Array(height * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    for (let k = 0; k < rows.counts[y]!; k++) {
      const weight = rows.weights[y * rows.stride + k]!;
      const from = (rows.starts[y]! - firstRow + k) * rowBytes;
      for (let i = 0; i < rowBytes; i++) sums[i] = (sums[i]! + Math.imul(data[from + i]!, weight)) | 0;
    }
    for (let i = 0; i < rowBytes; i++) out[y * rowBytes + i] = toByte(sums[i]!);
  }
  return out;
}

function toByte(sum: number): number {
  const value = sum >> precisionBits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function pickNearest(source: Raster, targetWidth: number, targetHeight: number, window: Window): Uint8Array {
  const columns = nearestPositions(source.width, targetWidth, window.x, window.width);
  const rows = nearestPositions(source.height, targetHeight, window.y, window.height);
  const channels = source.bytesPerPixel === 4 ? 3 : 1;
  const out = new Uint8Array(window.width * window.height * channels);
  let at = 0;
  for (const y of rows) {
    for (const x of columns) {
      const from = (y * source.width + x) * source.bytesPerPixel;
      for (let c = 0; c < channels; c++) out[at++] = source.data[from + c]!;
    }
  }
  return out;
}

function nearestPositions(sourceSize: number, targetSize: number, from: number, count: number): Int32Array {
  const scale = sourceSize / targetSize;
  const positions = new Int32Array(count);
  // Added up step by step as Pillow does, because the rounding of the sum decides at the edges.
  let position = scale * 0.5;
  for (let i = 0; i < from + count; i++, position += scale) {
    if (i >= from) positions[i - from] = Math.min(sourceSize - 1, Math.trunc(position));
  }
  return positions;
}
