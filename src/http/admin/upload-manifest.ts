// From the form of an upload to what is said about the model. Leaves the checking to the registry, and says which field of
// the form it complained about.
import { AppError } from '../../error.ts';
import type { ImportRequest } from '../../registry/registry.ts';

type Form = ReadonlyMap<string, string>;

/** Where a complaint of the manifest's reader belongs; the first that fits. */
const fieldOfPath: [path: string, field: string][] = [
  ['task', 'task'],
  ['licence', 'licence'],
  ['description', 'description'],
  ['labels', 'labels'],
  ['preprocess.width', 'width'],
  ['preprocess.height', 'height'],
  ['preprocess.columns', 'columns'],
  ['postprocess.boxes', 'boxOutput'],
  ['postprocess.scores', 'scoreOutput'],
  ['postprocess.classes', 'classOutput'],
  ['postprocess.minScore', 'minScore'],
];

export function findFieldOf(message: string): string | undefined {
  return fieldOfPath.find(([path]) => message.startsWith(path) && /^[ .[]/.test(message.slice(path.length)))?.[1];
}

/** The ratio of the usual evaluation of ImageNet models: 256 scaled, 224 cut out. */
const cropRatio = 224 / 256;

/**
 * What was filled in, as JSON to be checked; a manifest that was written by hand goes over it field by field.
 * @throws SyntaxError for a manifest that is not JSON
 */
export function manifestOf(form: Form): NonNullable<ImportRequest['manifest']> {
  const task = form.get('task') ?? 'tensor';
  const [licence, description] = [form.get('licence')?.trim(), form.get('description')?.trim()];
  const written = form.get('manifest')?.trim();
  const hasLabels = task !== 'tensor' && task !== 'tabular-regression';
  const labels = hasLabels ? linesOf(form.get('labels')) : [];
  const built = {
    task,
    ...(licence && { licence }),
    ...(description && { description }),
    ...(labels.length > 0 && { labels }),
    ...processing(task, form),
    ...(written && (JSON.parse(written) as object)),
  };
  return built as NonNullable<ImportRequest['manifest']>;
}

function processing(task: string, form: Form): object {
  const activation = form.get('activation');
  const classes = { kind: 'classes', activation };
  switch (task) {
    case 'image-classification':
      return { preprocess: picture(form), postprocess: classes };
    case 'object-detection':
      return { preprocess: picture(form), postprocess: boxes(form) };
    case 'tabular-classification':
      return { preprocess: table(form), postprocess: classes };
    case 'tabular-regression':
      return { preprocess: table(form), postprocess: { kind: 'numbers' } };
    default:
      return {};
  }
}

function picture(form: Form): object {
  const [width, height] = [number(form, 'width'), number(form, 'height')];
  const fit = form.get('fit');
  const longer = Math.max(Number(width), Number(height));
  return {
    kind: 'image',
    width,
    height,
    fit,
    layout: form.get('layout'),
    colour: form.get('colour'),
    ...(fit === 'crop' && Number.isFinite(longer) && { resizeTo: Math.round(longer / cropRatio) }),
    ...scaling(form.get('values'), form.get('colour')),
  };
}

/** Colours of ImageNet's pictures in 0…1; the grey value is the mean of the three. */
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], grey: [0.449, 0.226] } as const;

function scaling(values: string | undefined, colour: string | undefined): object {
  const ordered = (channels: readonly number[], grey: number) =>
    colour === 'GRAY' ? [grey] : colour === 'BGR' ? channels.toReversed() : [...channels];
  switch (values) {
    case 'imagenet':
      return {
        scale: 1 / 255,
        mean: ordered(imagenet.mean, imagenet.grey[0]),
        std: ordered(imagenet.std, imagenet.grey[1]),
      };
    case 'symmetric':
      return { scale: 1 / 127.5, mean: ordered([1, 1, 1], 1) };
    case 'raw':
      return { scale: 1 };
    default:
      return { scale: 1 / 255 };
  }
}

function boxes(form: Form): object {
  const name = (field: string) => form.get(field)?.trim() || undefined;
  return {
    kind: 'boxes',
    boxes: name('boxOutput'),
    scores: name('scoreOutput'),
    classes: name('classOutput'),
    format: form.get('format'),
    units: form.get('units'),
    minScore: number(form, 'minScore'),
    activation: form.get('activation'),
  };
}

/** "name" for numbers, "name: a, b" for categories. */
function table(form: Form): object {
  const columns = linesOf(form.get('columns')).map((line) => {
    const colon = line.indexOf(':');
    if (colon < 0) return { name: line, kind: 'number' };
    const categories = line
      .slice(colon + 1)
      .split(',')
      .map((value) => value.trim())
      .filter(Boolean);
    return { name: line.slice(0, colon).trim(), kind: 'category', categories };
  });
  return { kind: 'table', columns };
}

/** A number where it is one; otherwise what was written, for the reader to complain about. */
function number(form: Form, field: string): number | string | undefined {
  const text = form.get(field)?.trim();
  if (!text) return undefined;
  return Number.isNaN(Number(text)) ? text : Number(text);
}

export function linesOf(text = ''): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

const mostFiles = 10_000;

/**
 * What the upload part wrote: `[{"uploadId","path"}]`.
 * @param words said when it is not that
 * @throws AppError invalid
 */
export function filesOf(text: string | undefined, words: string): ImportRequest['files'] {
  const refused = new AppError('invalid', words);
  let files: unknown;
  try {
    files = JSON.parse(text ?? '');
  } catch {
    throw refused;
  }
  if (!Array.isArray(files) || files.length === 0 || files.length > mostFiles) throw refused;
  return files.map((file: unknown) => {
    const { uploadId, path } = (file ?? {}) as Record<string, unknown>;
    const isSane = typeof uploadId === 'string' && typeof path === 'string' && path !== '' && path.length <= 1024;
    if (!isSane) throw refused;
    return { uploadId, path };
  });
}
