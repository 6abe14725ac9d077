// The form that describes a model, filled from a manifest: the other way round than upload-manifest.ts. What its fields
// cannot say stands in the field for JSON.
import { Field } from '../../registry/fields.ts';
import { readPostprocess, readPreprocess } from '../../registry/processing.ts';
import type { BoxDetectionPostprocess, ImagePreprocess, Manifest, TabularPreprocess } from '../../types.ts';
import { linesOf, manifestOf } from './upload-manifest.ts';

type Values = Record<string, string>;
type Described = Omit<Manifest, 'serving' | 'origin'>;

const scalings = ['imagenet', 'unit', 'symmetric', 'raw'];

/** @param more what stands in the field for JSON besides, such as `serving` */
export function valuesOf(manifest: Described, more: object = {}): Values {
  const { task, licence = '', description = '', labels = [], preprocess, postprocess } = manifest;
  const values: Values = {
    task,
    licence,
    description,
    labels: labels.join('\n'),
    ...(preprocess?.kind === 'image' ? pictureValues(preprocess) : {}),
    ...(preprocess?.kind === 'table' ? { columns: columnLines(preprocess) } : {}),
    ...(postprocess?.kind === 'boxes' ? boxValues(postprocess) : {}),
    ...(postprocess && 'activation' in postprocess && { activation: postprocess.activation }),
  };
  const scaling = scalings.find((each) => isSame('preprocess', manifest, { ...values, values: each }));
  if (preprocess?.kind === 'image') values.values = scaling ?? 'custom';
  const written = {
    ...(Bun.deepEquals(linesOf(values.labels), labels) ? {} : { labels }),
    ...(isSame('preprocess', manifest, values) ? {} : { preprocess }),
    ...(isSame('postprocess', manifest, values) ? {} : { postprocess }),
    ...more,
  };
  return Object.keys(written).length > 0 ? { ...values, manifest: JSON.stringify(written, undefined, 2) } : values;
}

/** Whether the fields alone say the same of this part. */
function isSame(part: 'preprocess' | 'postprocess', manifest: Described, values: Values): boolean {
  const said = (manifestOf(new Map(Object.entries(values))) as Described)[part];
  const kept = manifest[part];
  if (!said || !kept) return said === kept;
  const read = part === 'preprocess' ? readPreprocess : readPostprocess;
  try {
    return Bun.deepEquals(read(new Field(said, part)), read(new Field(kept, part)));
  } catch {
    // The fields are not for a part of this kind.
    return false;
  }
}

function pictureValues({ width, height, fit, layout, colour }: ImagePreprocess): Values {
  return { width: String(width), height: String(height), fit, layout, colour };
}

/** "name" for numbers, "name: a, b" for categories. */
function columnLines({ columns }: TabularPreprocess): string {
  return columns.map(({ name, categories }) => (categories ? `${name}: ${categories.join(', ')}` : name)).join('\n');
}

function boxValues({ boxes, scores, classes = '', format, units, minScore }: BoxDetectionPostprocess): Values {
  return { boxOutput: boxes, scoreOutput: scores, classOutput: classes, format, units, minScore: String(minScore) };
}
