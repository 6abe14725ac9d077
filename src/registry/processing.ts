// Reads the pre- and post-processing part of a manifest out of untrusted data. Does not know the model: manifest-check
// compares with its signature.
import type {
  AnchorDetectionPostprocess,
  BoxDetectionPostprocess,
  ClassificationPostprocess,
  ImagePreprocess,
  Postprocess,
  Preprocess,
  RegressionPostprocess,
  TableColumn,
  TabularPreprocess,
} from '../types.ts';
import { Field } from './fields.ts';

const maxSide = 16_384;
const maxColumns = 10_000;
const maxCategories = 100_000;
const maxTensors = 64;

const channelsOf = { RGB: 3, BGR: 3, GRAY: 1 } as const;

/** Channels that the picture has as a tensor. */
export const channelCount = (image: ImagePreprocess): number => channelsOf[image.colour];

const name = (field: Field): string => field.text();
const names = (field: Field): string[] => field.list(maxTensors, name);

/** The field `kind` decides which fields the rest of the object may have. */
function kindOf<K extends string>(field: Field, kinds: readonly K[]): K {
  const { value } = field;
  const kind = typeof value === 'object' && value !== null ? (value as { kind?: unknown }).kind : undefined;
  return new Field(kind, `${field.path}.kind`).oneOf(kinds);
}

export function readPreprocess(field: Field): Preprocess {
  return kindOf(field, ['image', 'table']) === 'image' ? readImage(field) : readTable(field);
}

function readImage(field: Field): ImagePreprocess {
  const f = field.object([
    'kind',
    'input',
    'width',
    'height',
    'fit',
    'resizeTo',
    'filter',
    'layout',
    'colour',
    'scale',
    'mean',
    'std',
    'pad',
  ]);
  const colour = f.colour.or('RGB', (x) => x.oneOf(['RGB', 'BGR', 'GRAY']));
  const channels = channelsOf[colour];
  const perChannel = (values: Field, fallback: number): number[] => {
    const list = values.or(
      Array.from({ length: channels }, () => fallback),
      (x) => x.list(4, (item) => item.number()),
    );
    if (list.length !== channels) values.fail(`has ${list.length} numbers, but ${colour} has ${channels} channels`);
    return list;
  };
  const std = perChannel(f.std, 1);
  if (std.includes(0)) f.std.fail('holds 0, and values are divided by it');
  const fit = f.fit.or('stretch', (x) => x.oneOf(['stretch', 'crop', 'letterbox', 'pad-right']));
  if (f.resizeTo.isPresent && fit !== 'crop') f.resizeTo.fail(`is only used when 'fit' is 'crop', not '${fit}'`);
  const width = f.width.integer(1, maxSide);
  const height = f.height.integer(1, maxSide);
  return {
    kind: 'image',
    input: f.input.or(undefined, name),
    width,
    height,
    fit,
    resizeTo: f.resizeTo.or(undefined, (x) => x.integer(Math.max(width, height), maxSide)),
    filter: f.filter.or('bilinear', (x) => x.oneOf(['bilinear', 'bicubic', 'nearest', 'lanczos'])),
    layout: f.layout.or('NCHW', (x) => x.oneOf(['NCHW', 'NHWC'])),
    colour,
    scale: f.scale.or(1 / 255, (x) => x.number()),
    mean: perChannel(f.mean, 0),
    std,
    pad: f.pad.or(undefined, (x) => x.number(0, 255)),
  };
}

function readTable(field: Field): TabularPreprocess {
  const f = field.object(['kind', 'input', 'columns']);
  const columns = f.columns.list(maxColumns, readColumn);
  if (columns.length === 0) f.columns.fail('is empty; it needs one entry for each column');
  const seen = new Set<string>();
  for (const [index, column] of columns.entries()) {
    if (seen.has(column.name)) f.columns.fail(`has a second column called '${column.name}' at position ${index}`);
    seen.add(column.name);
  }
  return { kind: 'table', input: f.input.or(undefined, name), columns };
}

function readColumn(field: Field): TableColumn {
  const f = field.object(['name', 'kind', 'categories', 'fallback', 'mean', 'std']);
  const kind = f.kind.or('number', (x) => x.oneOf(['number', 'category']));
  const categories = f.categories.or(undefined, (x) => x.list(maxCategories, name));
  if (kind === 'category' && !categories?.length) f.categories.fail('must list the values of a category column');
  if (kind === 'number' && categories) f.categories.fail("is only for a column whose kind is 'category'");
  const fallback = f.fallback.or(undefined, (x) => (kind === 'number' ? x.number() : x.oneOf(categories ?? [])));
  const std = f.std.or(undefined, (x) => x.number());
  if (std === 0) f.std.fail('is 0, and values are divided by it');
  return { name: f.name.text(), kind, categories, fallback, mean: f.mean.or(undefined, (x) => x.number()), std };
}

export function readPostprocess(field: Field): Postprocess {
  return postprocessReaders[kindOf(field, ['classes', 'anchors', 'boxes', 'numbers'])](field);
}

const postprocessReaders: Record<Postprocess['kind'], (field: Field) => Postprocess> = {
  classes: readClasses,
  anchors: readAnchors,
  boxes: readBoxes,
  numbers: readNumbers,
};

function readClasses(field: Field): ClassificationPostprocess {
  const f = field.object(['kind', 'output', 'activation', 'top']);
  return {
    kind: 'classes',
    output: f.output.or(undefined, name),
    activation: f.activation.or('none', (x) => x.oneOf(['none', 'softmax', 'sigmoid'])),
    top: f.top.or(5, (x) => x.integer(1, 1000)),
  };
}

const detectionKeys = ['minScore', 'maxOverlap', 'maxBoxes'] as const;

function readDetection(f: Record<(typeof detectionKeys)[number], Field>) {
  return {
    minScore: f.minScore.or(0.5, (x) => x.number(0, 1)),
    maxOverlap: f.maxOverlap.or(0.45, (x) => x.number(0, 1)),
    maxBoxes: f.maxBoxes.or(100, (x) => x.integer(1, 10_000)),
  };
}

function readAnchors(field: Field): AnchorDetectionPostprocess {
  const f = field.object(['kind', 'scores', 'boxes', 'activation', 'maps', 'boxScale', 'keypoints', ...detectionKeys]);
  const scores = names(f.scores);
  const boxes = names(f.boxes);
  if (scores.length === 0) f.scores.fail('is empty; it names one output for each feature map');
  if (boxes.length !== scores.length) {
    f.boxes.fail(`names ${boxes.length} outputs, but ${f.scores.path} names ${scores.length}; they go in pairs`);
  }
  return {
    kind: 'anchors',
    scores,
    boxes,
    activation: f.activation.or('none', (x) => x.oneOf(['none', 'sigmoid'])),
    maps: f.maps.list(maxTensors, (item) => {
      const map = item.object(['cells', 'anchors']);
      return { cells: map.cells.integer(1, 4096), anchors: map.anchors.integer(1, 256) };
    }),
    boxScale: f.boxScale.number(Number.MIN_VALUE, Number.MAX_VALUE),
    keypoints: f.keypoints.or([], (x) => x.list(1000, name)),
    ...readDetection(f),
  };
}

function readBoxes(field: Field): BoxDetectionPostprocess {
  const f = field.object([
    'kind',
    'boxes',
    'scores',
    'classes',
    'format',
    'units',
    'activation',
    'background',
    ...detectionKeys,
  ]);
  return {
    kind: 'boxes',
    boxes: f.boxes.text(),
    scores: f.scores.text(),
    classes: f.classes.or(undefined, name),
    format: f.format.oneOf(['xyxy', 'cxcywh', 'yxyx']),
    units: f.units.oneOf(['pixels', 'relative']),
    activation: f.activation.or('none', (x) => x.oneOf(['none', 'sigmoid', 'softmax'])),
    background: f.background.or(undefined, (x) => x.integer(0, 1_000_000)),
    ...readDetection(f),
  };
}

function readNumbers(field: Field): RegressionPostprocess {
  const f = field.object(['kind', 'output', 'names']);
  return {
    kind: 'numbers',
    output: f.output.or(undefined, name),
    names: f.names.or(undefined, (x) => x.list(maxColumns, name)),
  };
}
