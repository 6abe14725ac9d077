// The templates that the binary carries: ready models with their manifests. The model files are not in the repository;
// scripts/fetch-models.ts brings them before this file can be imported.
import type { Manifest } from '../src/types.ts';
import nearModel from './face-detection-near/model.onnx' with { type: 'file' };
import near from './face-detection-near/template.json' with { type: 'json' };
import faceModel from './face-detection/model.onnx' with { type: 'file' };
import face from './face-detection/template.json' with { type: 'json' };
import orientationModel from './text-orientation/model.onnx' with { type: 'file' };
import orientation from './text-orientation/template.json' with { type: 'json' };

/** A file of a package, and what it must contain. */
export interface SourceFile {
  path: string;
  /** Lower-case hexadecimal. */
  sha256: string;
}

export interface TemplateDescription {
  name: string;
  title: string;
  description: string;
  /** SPDX expression. */
  licence: string;
  /** Where the files come from. */
  source: {
    package: string;
    version: string;
    /** What the package says of itself; part of the template's licence. */
    licence: string;
    /** The package's licence text; some packages only name their licence. */
    licenceFile?: SourceFile;
    files: (SourceFile & { as: string })[];
  };
  /** What a model made from the template starts with; not yet parsed. */
  manifest: Pick<Manifest, 'task' | 'labels' | 'preprocess' | 'postprocess'> & {
    serving: Partial<Manifest['serving']>;
  };
}

export interface Template extends TemplateDescription {
  /** Where each file lies: in the binary, or in this folder. */
  files: { as: string; path: string }[];
}

// JSON imports widen string literals, so the compiler cannot see that these are what the test of the catalogue checks.
const describe = (json: object): TemplateDescription => json as TemplateDescription;

export const templates: Template[] = [
  { ...describe(face), files: [{ as: 'model.onnx', path: faceModel }] },
  { ...describe(near), files: [{ as: 'model.onnx', path: nearModel }] },
  { ...describe(orientation), files: [{ as: 'model.onnx', path: orientationModel }] },
];
