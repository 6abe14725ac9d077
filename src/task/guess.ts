// Picture preparation for a classifier whose manifest has none, read off the model's input where that is unambiguous.
import { AppError } from '../error.ts';
import type { ImagePreprocess, TensorSpec } from '../types.ts';

/** Mean and deviation of ImageNet's colours in 0…1, which nearly all published NCHW classifiers were trained with. */
const imageNetMean = [0.485, 0.456, 0.406];
const imageNetStd = [0.229, 0.224, 0.225];
/** Shorter side over crop, as in torchvision: 256 for 224. */
const cropMargin = 256 / 224;

const isColour = (size: number): boolean => size === 1 || size === 3;

/**
 * Layout by the dimension that is 1 or 3. Whole-number inputs get the pixels as they are, NCHW colour inputs the usual
 * ImageNet preparation, the others pixels in 0…1.
 * @throws AppError invalid when the input does not tell
 */
export function guessImagePreprocess(spec: TensorSpec): ImagePreprocess {
  const [, a = -1, b = -1, c = -1] = spec.shape;
  const planar = isColour(a) && !isColour(c);
  const [channels, height, width] = planar ? [a, b, c] : [c, a, b];
  if (spec.shape.length !== 4 || isColour(a) === isColour(c) || height < 1 || width < 1) {
    throw new AppError(
      'invalid',
      `The manifest does not say how a picture becomes input '${spec.name}' [${spec.shape.join(',')}].`,
      'Add preprocess {"kind":"image","width":…,"height":…,"fit":"crop","filter":"bilinear","layout":"NCHW","colour":"RGB","scale":…,"mean":[…],"std":[…]} to the manifest.',
    );
  }
  const raw = spec.datatype === 'UINT8' || spec.datatype === 'INT32' || spec.datatype === 'INT64';
  const imageNet = planar && channels === 3 && !raw;
  return {
    kind: 'image',
    width,
    height,
    fit: channels === 3 ? 'crop' : 'stretch',
    resizeTo: Math.round(Math.max(width, height) * cropMargin),
    filter: 'bilinear',
    layout: planar ? 'NCHW' : 'NHWC',
    colour: channels === 3 ? 'RGB' : 'GRAY',
    scale: raw ? 1 : 1 / 255,
    mean: imageNet ? imageNetMean : Array.from({ length: channels }, () => 0),
    std: imageNet ? imageNetStd : Array.from({ length: channels }, () => 1),
  };
}
