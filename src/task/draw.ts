// A photo with a task's answer drawn on it, for people to look at. It knows nothing of models.
import { AppError } from '../error.ts';
import type { DetectedObject } from './detection.ts';
import { drawText, glyphHeight, textWidth } from './font.ts';
import { decodePicture, encodePng, type Picture } from './picture.ts';
import type { TaskAnswer } from './predict.ts';

type Colour = readonly [red: number, green: number, blue: number];

const ink: Colour = [255, 255, 255];
const shade: Colour = [24, 28, 36];
const dot: Colour = [255, 214, 10];
/** One for each class index, in turn; all dark enough for white text. */
const palette: readonly Colour[] = [
  [0, 122, 94],
  [198, 40, 40],
  [21, 101, 192],
  [123, 31, 162],
  [191, 84, 0],
  [84, 110, 30],
];
/** Picture side that one step of line width goes with: 3 pixels at 900. */
const sidePerStroke = 300;

/**
 * Boxes, key points and labels on the photo, or a caption bar below it for a classification.
 * @returns PNG of the upright photo, at its own size (plus the caption)
 * @throws AppError as decodePicture does; invalid for an answer that is not about a picture
 */
export async function drawDetections(photo: Uint8Array, answer: TaskAnswer): Promise<Uint8Array> {
  if (answer.task !== 'object-detection' && answer.task !== 'image-classification') {
    throw new AppError('invalid', `A ${answer.task} answer cannot be drawn.`, 'Draw answers about pictures only.');
  }
  const picture = await decodePicture(photo);
  const stroke = Math.max(1, Math.round(Math.min(picture.width, picture.height) / sidePerStroke));
  if (answer.task === 'image-classification') {
    const caption = (answer.predictions[0]?.classes ?? [])
      .slice(0, 3)
      .map(({ label, score }) => captionOf(label, score));
    return encodePng(addCaption(picture, caption, stroke));
  }
  // The best one last, so that it lies on top.
  for (const object of answer.objects.toReversed()) drawObject(picture, object, stroke);
  return encodePng(picture);
}

function captionOf(label: string, score: number): string {
  return `${label} ${Math.round(score * 100)}%`;
}

function drawObject(picture: Picture, { label, index, score, box, keypoints = [] }: DetectedObject, stroke: number) {
  const colour = palette[Math.abs(index) % palette.length]!;
  const [left, top] = [Math.round(box.x), Math.round(box.y)];
  const [width, height] = [Math.round(box.width), Math.round(box.height)];
  fill(picture, left, top, width, stroke, colour);
  fill(picture, left, top + height - stroke, width, stroke, colour);
  fill(picture, left, top, stroke, height, colour);
  fill(picture, left + width - stroke, top, stroke, height, colour);
  for (const { x, y } of keypoints) drawDot(picture, Math.round(x), Math.round(y), stroke * 2);
  const text = captionOf(label, score);
  const barHeight = (glyphHeight + 4) * stroke;
  const barTop = top >= barHeight ? top - barHeight : top;
  fill(picture, left, barTop, (textWidth(text) + 4) * stroke, barHeight, colour);
  write(picture, text, left + 2 * stroke, barTop + 2 * stroke, stroke);
}

/** Lines of text under the picture, as large as fits. */
function addCaption({ width, height, pixels }: Picture, lines: string[], stroke: number): Picture {
  const longest = Math.max(1, ...lines.map(textWidth));
  const size = Math.max(1, Math.min(stroke, Math.floor(width / (longest + 8))));
  const lineHeight = (glyphHeight + 4) * size;
  const taller: Picture = { width, height: height + lineHeight * lines.length + 4 * size, pixels: new Uint8Array(0) };
  taller.pixels = new Uint8Array(taller.width * taller.height * 4);
  taller.pixels.set(pixels);
  fill(taller, 0, height, width, taller.height - height, shade);
  for (const [i, line] of lines.entries()) write(taller, line, 4 * size, height + 4 * size + i * lineHeight, size);
  return taller;
}

function write(picture: Picture, text: string, left: number, top: number, size: number): void {
  drawText(text, (column, row) => fill(picture, left + column * size, top + row * size, size, size, ink));
}

function drawDot(picture: Picture, x: number, y: number, radius: number): void {
  for (let row = -radius; row <= radius; row++) {
    const half = Math.round(Math.sqrt(radius * radius - row * row));
    fill(picture, x - half, y + row, 2 * half + 1, 1, dot);
  }
}

/** A filled rectangle; what lies outside the picture is left out. */
function fill(picture: Picture, left: number, top: number, width: number, height: number, colour: Colour): void {
  const right = Math.min(left + width, picture.width);
  const bottom = Math.min(top + height, picture.height);
  for (let y = Math.max(top, 0); y < bottom; y++) {
    for (let x = Math.max(left, 0); x < right; x++) {
      picture.pixels.set(colour, (y * picture.width + x) * 4);
      picture.pixels[(y * picture.width + x) * 4 + 3] = 255;
    }
  }
}
