// Why a model file cannot be served, found without running it: not ONNX, damaged, too new, files missing, or operators
// and types that ONNX Runtime or the protocol do not have.
import { basename, dirname } from 'node:path';

import { AppError } from '../error.ts';
import { checkExternalFiles, listExternalData } from '../onnx/external.ts';
import { domainName } from '../onnx/facts.ts';
import { mapFile, maxModelBytes } from '../onnx/map.ts';
import { dataType, findDataTypeName, type Graph, type Model, type ValueInfo } from '../onnx/model.ts';
import { readModel } from '../onnx/read.ts';
import { eachNode } from '../onnx/walk.ts';
import { WireError } from '../onnx/wire.ts';

/** The newest that the bundled ONNX Runtime loads; a test holds these against the library itself. */
export const newestSupported = {
  irVersion: 13,
  opsets: new Map([
    ['ai.onnx', 26],
    ['ai.onnx.ml', 5],
    ['ai.onnx.training', 1],
    ['ai.onnx.preview', 1],
    ['ai.onnx.preview.training', 1],
    ['com.microsoft', 1],
  ]),
};

const knownDomains = new Set([...newestSupported.opsets.keys(), 'com.microsoft.nchwc']);

/** A model that ONNX Runtime may be able to load: it has a graph. */
export type CheckedModel = Model & { graph: Graph };

/** @throws AppError invalid with the reason and what to do about it */
export async function readCheckedModel(path: string): Promise<CheckedModel> {
  const name = basename(path);
  const size = Bun.file(path).size;
  if (size > maxModelBytes) {
    throw new AppError(
      'invalid',
      `'${name}' is larger than 2 GiB, which no ONNX file can be.`,
      'Save the model with its weights as external data and upload the whole folder.',
    );
  }
  const bytes = await mapFile(path);
  refuseOtherFormats(name, bytes);
  const model = decode(name, bytes);
  const { graph } = model;
  if (!graph) throw new AppError('invalid', `'${name}' holds no graph, so it is not an ONNX model.`, exportHint);
  if (graph.output.length === 0) throw new AppError('invalid', 'The model has no outputs.', exportHint);
  checkVersions(model);
  checkDomains(model);
  checkValues(graph);
  checkExternalFiles(dirname(path), listExternalData(model));
  return { ...model, graph };
}

const exportHint = 'Export the model to ONNX again, for example with torch.onnx.export, and upload that file.';

const formats: { isIt: (start: string) => boolean; what: string; hint: string }[] = [
  {
    isIt: (start) => start.startsWith('version https://git-lfs'),
    what: 'is a Git LFS pointer, not the model itself',
    hint: 'Run `git lfs pull` in the repository it comes from, then upload the real file.',
  },
  {
    isIt: (start) => /^\s{0,200}<(!doctype|html|head|body|\?xml)/i.test(start),
    what: 'is a web page or XML, not a model',
    hint: 'The download probably gave an error or sign-in page: download the file itself.',
  },
  {
    isIt: (start) => start.startsWith('\x1f\x8b'),
    what: 'is compressed with gzip',
    hint: 'Unpack it first, or name it .tar.gz if it is an archive.',
  },
  {
    isIt: (start) => start.startsWith('PK\x03\x04'),
    what: 'is a ZIP archive (PyTorch and Keras files are too), not an ONNX file',
    hint: 'Upload an archive as .zip; a PyTorch or Keras model must be exported to ONNX first.',
  },
  {
    isIt: (start) => start.startsWith('ORTM', 4),
    what: "is in ONNX Runtime's own ORT format",
    hint: 'Upload the ONNX file that it was made from.',
  },
];

function refuseOtherFormats(name: string, bytes: Uint8Array): void {
  if (bytes.length === 0) {
    throw new AppError('invalid', `'${name}' is empty.`, 'Upload it again: nothing of it arrived.');
  }
  const start = Buffer.from(bytes.subarray(0, 512)).toString('latin1');
  for (const { isIt, what, hint } of formats) {
    if (isIt(start)) throw new AppError('invalid', `'${name}' ${what}.`, hint);
  }
}

function decode(name: string, bytes: Uint8Array): Model {
  try {
    return readModel(bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    // Every exporter begins with the IR version: field 1, a small number.
    const beginsWell = bytes[0] === 0x08 && (bytes[1] ?? 0) <= newestSupported.irVersion;
    if (error.truncated && beginsWell) {
      throw new AppError(
        'invalid',
        `'${name}' is cut short: it ends after ${bytes.length} bytes, within the model.`,
        'Copy or download it again and compare the sizes, then upload it again.',
      );
    }
    throw new AppError('invalid', `'${name}' is not an ONNX model, or it is damaged. ${error.message}`, exportHint);
  }
}

function checkVersions(model: Model): void {
  if (model.irVersion > newestSupported.irVersion) {
    throw new AppError(
      'invalid',
      `The model has ONNX IR version ${model.irVersion}; this release supports up to ${newestSupported.irVersion}.`,
      `Export it with an older version of onnx, or set model.ir_version = ${newestSupported.irVersion} and save it.`,
    );
  }
  if (model.irVersion < 1 || model.opsetImport.length === 0) {
    throw new AppError(
      'invalid',
      'The model does not say which versions of ONNX and its operators it uses.',
      exportHint,
    );
  }
  for (const { domain, version = 0 } of model.opsetImport) {
    const name = domainName(domain);
    const newest = newestSupported.opsets.get(name) ?? Infinity;
    if (version <= newest) continue;
    throw new AppError(
      'invalid',
      `The model uses operator set ${version} of '${name}'; this release supports up to ${newest}.`,
      `Export it with opset_version=${newest} or lower.`,
    );
  }
}

function checkDomains(model: Model): void {
  const own = new Set(model.functions.map(({ domain, name }) => `${domainName(domain)}::${name}`));
  for (const { domain, opType } of eachNode(model)) {
    const name = domainName(domain);
    if (knownDomains.has(name) || own.has(`${name}::${opType}`)) continue;
    throw new AppError(
      'invalid',
      `The model uses the custom operator '${opType}' of domain '${name}', which ONNX Runtime does not have.`,
      'Custom operators need native code that is not run here: export the model with standard ONNX operators only.',
    );
  }
}

const servableTypes = new Set<number>([
  dataType.FLOAT,
  dataType.UINT8,
  dataType.INT8,
  dataType.UINT16,
  dataType.INT16,
  dataType.INT32,
  dataType.INT64,
  dataType.STRING,
  dataType.BOOL,
  dataType.FLOAT16,
  dataType.DOUBLE,
  dataType.UINT32,
  dataType.UINT64,
]);

function checkValues(graph: Graph): void {
  const inputs = requestInputs(graph);
  for (const input of inputs) checkValue('Input', input);
  for (const output of graph.output) checkValue('Output', output);
  const unshaped = inputs.find(({ type }) => !type?.tensorType?.shape);
  if (unshaped) {
    throw new AppError(
      'invalid',
      `Input '${unshaped.name}' declares no shape.`,
      'Export the model with the shapes of its inputs; dimensions that vary may have a name instead of a number.',
    );
  }
}

/** Inputs that a request must give: until IR version 3 weights were listed among the inputs too. */
function requestInputs(graph: Graph): ValueInfo[] {
  const weights = new Set(graph.initializer.map(({ name }) => name));
  for (const { values } of graph.sparseInitializer) weights.add(values?.name);
  return graph.input.filter(({ name }) => !weights.has(name));
}

function checkValue(role: 'Input' | 'Output', { name, type }: ValueInfo): void {
  // An output may leave its type to be inferred; the session has it then.
  if (!type && role === 'Output') return;
  if (type?.tensorType) {
    const { elemType = 0 } = type.tensorType;
    if (servableTypes.has(elemType) || (elemType === 0 && role === 'Output')) return;
    const typeName = findDataTypeName(elemType)?.toLowerCase() ?? `number ${elemType}`;
    throw new AppError(
      'invalid',
      `${role} '${name}' has the type ${typeName}, which cannot be sent over the network protocol.`,
      'Add a Cast to a standard type such as float32 inside the model and export it again.',
    );
  }
  throw new AppError(
    'invalid',
    `${role} '${name}' is ${kindOf(type)}, not a tensor.`,
    role === 'Output' && (type?.sequenceType || type?.mapType)
      ? 'Export the model without its ZipMap node (in skl2onnx: options={"zipmap": False}) so that it returns tensors.'
      : 'Export the model with tensors as its inputs and outputs.',
  );
}

function kindOf(type: ValueInfo['type']): string {
  if (type?.sequenceType) return 'a sequence';
  if (type?.mapType) return 'a map';
  if (type?.optionalType) return 'an optional value';
  if (type?.sparseTensorType) return 'a sparse tensor';
  return 'of an unknown kind';
}
