// A decoded picture as a model's input tensor, and how to find the way back from the tensor's pixels to the picture's.
import { AppError } from '../error.ts';
import type { Datatype, ImagePreprocess, TensorSpec } from '../types.ts';
import { encodeNumbers } from './numbers.ts';
import type { Picture } from './picture.ts';
import { type Raster, resample, type Window } from './resample.ts';

/** Where the picture lies in the tensor: position in picture = (position in tensor − left or top) / scale. */
export interface Geometry {
  /** Size of the picture in its own pixels. */
  width: number;
  height: number;
  scaleX: number;
  scaleY: number;
  left: number;
  top: number;
}

export interface ImageTensor {
  /** Row-major elements of one picture in the manifest's layout. */
  bytes: Uint8Array<ArrayBuffer>;
  geometry: Geometry;
}

/** Along one axis: size after scaling, first scaled pixel that is used, how many, and where they begin in the tensor. */
interface AxisFit {
  scaled: number;
  from: number;
  count: number;
  at: number;
}

/** The same as Python's round: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Middle part of a scaled axis, or the whole of it in the middle of the padding, as torchvision's CenterCrop. */
function centred(scaled: number, target: number): AxisFit {
  if (scaled < target) return { scaled, from: 0, count: scaled, at: Math.floor((target - scaled) / 2) };
  return { scaled, from: roundHalfEven((scaled - target) / 2), count: target, at: 0 };
}

/** How wide or high the picture becomes, and where that lies in the tensor. */
const fits: Record<ImagePreprocess['fit'], (preprocess: ImagePreprocess, w: number, h: number) => [AxisFit, AxisFit]> =
  {
    stretch: ({ width, height }) => [centred(width, width), centred(height, height)],
    crop: ({ width, height, resizeTo }, w, h) => {
      const shorter = resizeTo ?? Math.max(width, height);
      const scaled = (side: number, other: number) => (side <= other ? shorter : Math.trunc((shorter * side) / other));
      return [centred(scaled(w, h), width), centred(scaled(h, w), height)];
    },
    letterbox: ({ width, height }, w, h) => {
      const scale = Math.min(width / w, height / h);
      const scaled = (side: number) => Math.max(1, Math.round(side * scale));
      return [centred(scaled(w), width), centred(scaled(h), height)];
    },
    'pad-right': ({ width, height }, w, h) => {
      const scaled = Math.min(width, Math.ceil((height * w) / h));
      return [{ scaled, from: 0, count: scaled, at: 0 }, centred(height, height)];
    },
  };

/** @throws AppError invalid when mean or std does not have one value for each colour */
export function toImageTensor(picture: Picture, preprocess: ImagePreprocess, datatype: Datatype): ImageTensor {
  const { width, height } = picture;
  const [across, down] = fits[preprocess.fit](preprocess, width, height);
  const grey = preprocess.colour === 'GRAY';
  const source: Raster = grey
    ? { width, height, bytesPerPixel: 1, data: toGrey(picture.pixels) }
    : { width, height, bytesPerPixel: 4, data: picture.pixels };
  const window = { x: across.from, y: down.from, width: across.count, height: down.count };
  const pixels = resample(source, across.scaled, down.scaled, preprocess.filter, window);
  return {
    bytes: arrange(pixels, preprocess, datatype, { ...window, x: across.at, y: down.at }),
    geometry: {
      width,
      height,
      scaleX: across.scaled / width,
      scaleY: down.scaled / height,
      left: across.at - across.from,
      top: down.at - down.from,
    },
  };
}

/** ITU-R 601 luma with Pillow's integer weights. */
function toGrey(pixels: Uint8Array): Uint8Array {
  const grey = new Uint8Array(pixels.length / 4);
  for (let i = 0, from = 0; i < grey.length; i++, from += 4) {
    grey[i] = (pixels[from]! * 19_595 + pixels[from + 1]! * 38_470 + pixels[from + 2]! * 7471 + 0x80_00) >> 16;
  }
  return grey;
}

/** Normalises, pads and orders the pixels. @param place where they lie in the tensor */
function arrange(pixels: Uint8Array, preprocess: ImagePreprocess, datatype: Datatype, place: Window) {
  const { width, height, layout, colour } = preprocess;
  const channels = colour === 'GRAY' ? 1 : 3;
  const planar = layout === 'NCHW';
  const step = planar ? 1 : channels;
  const count = width * height * channels;
  const out = datatype === 'FP32' ? new Float32Array(count) : new Float64Array(count);
  for (let c = 0; c < channels; c++) {
    const toValue = normaliser(preprocess, c, channels);
    const table = Float64Array.from({ length: 256 }, (_, pixel) => toValue(pixel));
    const start = planar ? c * width * height : c;
    const padding = toValue(preprocess.pad ?? 0);
    for (let i = 0; i < width * height; i++) out[start + i * step] = padding;
    let from = colour === 'BGR' ? 2 - c : c;
    for (let y = place.y; y < place.y + place.height; y++) {
      let at = start + (y * width + place.x) * step;
      for (let x = 0; x < place.width; x++, at += step, from += channels) out[at] = table[pixels[from]!]!;
    }
  }
  return out instanceof Float32Array ? new Uint8Array(out.buffer) : encodeNumbers(out, datatype);
}

/** @param channel counted in the tensor's own order: 0 is blue for BGR */
function normaliser(preprocess: ImagePreprocess, channel: number, channels: number): (pixel: number) => number {
  const pick = (name: 'mean' | 'std') => {
    const values = preprocess[name];
    const value = values[channel];
    if (value === undefined || values.length !== channels) {
      throw new AppError(
        'invalid',
        `The manifest's preprocess.${name} has ${values.length} values for ${channels} colours.`,
        `Give ${channels}.`,
      );
    }
    return value;
  };
  const mean = pick('mean');
  const std = pick('std');
  return (pixel) => (pixel * preprocess.scale - mean) / std;
}

/**
 * Shape of the tensor that holds one picture, as the model wants it: with or without a batch dimension, flat, or without
 * the colour dimension for grey pictures.
 * @throws AppError invalid when the manifest's size or layout does not fit the model
 */
export function imageShape(preprocess: ImagePreprocess, spec: TensorSpec): number[] {
  const { width, height, layout } = preprocess;
  const channels = preprocess.colour === 'GRAY' ? 1 : 3;
  const one = layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  const flat = channels * height * width;
  const candidates = [[1, ...one], one, [1, flat], [flat]];
  if (channels === 1) candidates.push([1, height, width], [height, width]);
  const fits = (shape: number[]) =>
    shape.length === spec.shape.length && shape.every((size, i) => spec.shape[i] === -1 || spec.shape[i] === size);
  const shape = candidates.find(fits);
  if (!shape) {
    throw new AppError(
      'invalid',
      `The manifest prepares pictures as [1,${one.join(',')}], but input '${spec.name}' is [${spec.shape.join(',')}].`,
      'Correct width, height, layout or colour of preprocess in the manifest.',
    );
  }
  return shape;
}
