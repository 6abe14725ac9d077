// A detector's raw outputs as boxes on the original picture. It knows anchors, box formats and the picture's geometry.
import { AppError } from '../error.ts';
import type { AnchorDetectionPostprocess, BoxDetectionPostprocess, TensorData } from '../types.ts';
import { type Activation, labelOf, sigmoid } from './classes.ts';
import type { Geometry } from './image-tensor.ts';
import { decodeNumbers, outputNamed } from './numbers.ts';
import { type Candidate, type Corners, suppress } from './suppress.ts';

export interface DetectedObject {
  label: string;
  index: number;
  score: number;
  /** In pixels of the upright original, cut off at its edges. */
  box: { x: number; y: number; width: number; height: number };
  /** In pixels of the upright original; may lie outside it. */
  keypoints?: { name: string; x: number; y: number }[];
}

export type DetectionPostprocess = AnchorDetectionPostprocess | BoxDetectionPostprocess;

/** Corners and points in pixels of the input tensor. */
interface Found extends Candidate {
  points: { x: number; y: number }[];
}

interface TensorSize {
  width: number;
  height: number;
}

export function detectionOutputs(postprocess: DetectionPostprocess): string[] {
  if (postprocess.kind === 'anchors') return [...postprocess.scores, ...postprocess.boxes];
  const { boxes, scores, classes } = postprocess;
  return classes === undefined ? [boxes, scores] : [boxes, scores, classes];
}

/**
 * @param outputs by the names of detectionOutputs
 * @param size of the input tensor in pixels
 * @returns best first
 * @throws AppError model_failed when shapes do not go together
 */
export function readDetections(
  outputs: TensorData[],
  postprocess: DetectionPostprocess,
  labels: readonly string[] | undefined,
  size: TensorSize,
  geometry: Geometry,
): DetectedObject[] {
  const read = (name: string) => outputNamed(outputs, name);
  const found =
    postprocess.kind === 'anchors' ? readAnchors(read, postprocess, size) : readBoxes(read, postprocess, size);
  const names = postprocess.kind === 'anchors' ? postprocess.keypoints : [];
  return (
    suppress(found, postprocess.maxOverlap, postprocess.maxBoxes)
      .map((object) => placeOnPicture(object, names, labels, geometry))
      // What lies in the padding alone, or is not a number, is nowhere on the picture.
      .filter(({ box }) => box.width > 0 && box.height > 0)
  );
}

function placeOnPicture(
  found: Found,
  names: string[],
  labels: readonly string[] | undefined,
  { left, top, scaleX, scaleY, width, height }: Geometry,
): DetectedObject {
  const toX = (x: number) => (x - left) / scaleX;
  const toY = (y: number) => (y - top) / scaleY;
  const x = clamp(toX(found.x1), width);
  const y = clamp(toY(found.y1), height);
  const object: DetectedObject = {
    label: labelOf(labels, found.classIndex),
    index: found.classIndex,
    score: found.score,
    box: { x, y, width: clamp(toX(found.x2), width) - x, height: clamp(toY(found.y2), height) - y },
  };
  if (names.length > 0) {
    object.keypoints = found.points.map((point, i) => ({ name: names[i]!, x: toX(point.x), y: toY(point.y) }));
  }
  return object;
}

function clamp(value: number, max: number): number {
  return Math.min(Math.max(value, 0), max);
}

/** The scores of one candidate: `count` of them from `start`, `step` apart. */
interface ScoreRow {
  scores: Float64Array;
  start: number;
  count: number;
  step: number;
}

/**
 * The class with the highest score that is not the background, and its probability. Activations keep the order, so that
 * only the winner's is computed.
 */
function bestClass({ scores, start, count, step }: ScoreRow, activation: Activation, background?: number) {
  let classIndex = background === 0 && count > 1 ? 1 : 0;
  const at = (c: number) => scores[start + c * step]!;
  for (let c = classIndex + 1; c < count; c++) if (c !== background && at(c) > at(classIndex)) classIndex = c;
  if (activation !== 'softmax') {
    return { classIndex, score: activation === 'sigmoid' ? sigmoid(at(classIndex)) : at(classIndex) };
  }
  let sum = 0;
  for (let c = 0; c < count; c++) sum += Math.exp(at(c) - at(classIndex));
  return { classIndex, score: 1 / sum };
}

function concatenate(tensors: TensorData[]): Float64Array {
  return Float64Array.from(tensors.flatMap((tensor) => Array.from(decodeNumbers(tensor))));
}

function shapeError(what: string): AppError {
  return new AppError(
    'model_failed',
    `The detector's outputs do not fit its manifest: ${what}.`,
    'Correct postprocess.',
  );
}

/**
 * Single-shot detector: each anchor sits in the middle of its cell, has the size 1 and predicts the offset of the centre,
 * the size and the offsets of the key points, all divided by boxScale (Bazarevsky et al., BlazeFace, 2019).
 */
function readAnchors(read: (name: string) => TensorData, postprocess: AnchorDetectionPostprocess, size: TensorSize) {
  const { activation, boxScale, keypoints, maps, minScore } = postprocess;
  const scores = concatenate(postprocess.scores.map(read));
  const boxes = concatenate(postprocess.boxes.map(read));
  const anchors = maps.flatMap(({ cells, anchors }) =>
    Array.from({ length: cells * cells * anchors }, (_, i) => {
      const cell = Math.floor(i / anchors);
      return { x: ((cell % cells) + 0.5) / cells, y: (Math.floor(cell / cells) + 0.5) / cells };
    }),
  );
  const boxWidth = 4 + 2 * keypoints.length;
  const classCount = scores.length / anchors.length;
  if (boxes.length !== anchors.length * boxWidth || !Number.isInteger(classCount)) {
    throw shapeError(`${anchors.length} anchors, ${scores.length} scores and ${boxes.length} box values`);
  }
  const found: Found[] = [];
  for (const [i, anchor] of anchors.entries()) {
    const row = { scores, start: i * classCount, count: classCount, step: 1 };
    const { classIndex, score } = bestClass(row, activation);
    if (!(score >= minScore)) continue;
    const values = boxes.subarray(i * boxWidth, (i + 1) * boxWidth).map((value) => value / boxScale);
    const x = (anchor.x + values[0]!) * size.width;
    const y = (anchor.y + values[1]!) * size.height;
    const halfWidth = (values[2]! * size.width) / 2;
    const halfHeight = (values[3]! * size.height) / 2;
    const points = keypoints.map((_, k) => ({
      x: (anchor.x + values[4 + 2 * k]!) * size.width,
      y: (anchor.y + values[5 + 2 * k]!) * size.height,
    }));
    found.push({
      classIndex,
      score,
      x1: x - halfWidth,
      y1: y - halfHeight,
      x2: x + halfWidth,
      y2: y + halfHeight,
      points,
    });
  }
  return found;
}

function readBoxes(read: (name: string) => TensorData, postprocess: BoxDetectionPostprocess, size: TensorSize) {
  const { activation, background, format, minScore, units } = postprocess;
  const boxes = decodeNumbers(read(postprocess.boxes));
  const scoreTensor = read(postprocess.scores);
  const scores = decodeNumbers(scoreTensor);
  const classes = postprocess.classes === undefined ? undefined : decodeNumbers(read(postprocess.classes));
  const count = boxes.length / 4;
  if (count === 0) return [];
  const classCount = scores.length / count;
  const wrongClasses = classes && (classes.length !== count || classCount !== 1);
  if (!Number.isInteger(count) || !Number.isInteger(classCount) || wrongClasses) {
    throw shapeError(`${count} boxes, ${scores.length} scores and ${classes?.length ?? 'no'} classes`);
  }
  const [scaleX, scaleY] = units === 'relative' ? [size.width, size.height] : [1, 1];
  // [N,C] unless the shape says [C,N].
  const classesFirst = classCount > 1 && scoreTensor.shape.at(-1) === count && scoreTensor.shape.at(-2) !== count;
  const [rowStep, step] = classesFirst ? [1, count] : [classCount, 1];
  const found: Found[] = [];
  for (let i = 0; i < count; i++) {
    const row = { scores, start: i * rowStep, count: classCount, step };
    const best = bestClass(row, activation, classes ? undefined : background);
    const classIndex = classes ? classes[i]! : best.classIndex;
    if (!(best.score >= minScore) || classIndex === background) continue;
    const corners = toCorners[format](boxes[i * 4]!, boxes[i * 4 + 1]!, boxes[i * 4 + 2]!, boxes[i * 4 + 3]!);
    found.push({
      classIndex,
      score: best.score,
      x1: corners.x1 * scaleX,
      y1: corners.y1 * scaleY,
      x2: corners.x2 * scaleX,
      y2: corners.y2 * scaleY,
      points: [],
    });
  }
  return found;
}

const toCorners: Record<BoxDetectionPostprocess['format'], (a: number, b: number, c: number, d: number) => Corners> = {
  xyxy: (x1, y1, x2, y2) => ({ x1, y1, x2, y2 }),
  yxyx: (y1, x1, y2, x2) => ({ x1, y1, x2, y2 }),
  cxcywh: (x, y, width, height) => ({ x1: x - width / 2, y1: y - height / 2, x2: x + width / 2, y2: y + height / 2 }),
};
