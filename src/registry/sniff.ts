// Tells by content what kind of file something is, and for model formats that cannot be served what to do with them.
// Reads the first bytes only (of a zip its directory too); says nothing about whether an ONNX file is sound.
import { open } from 'node:fs/promises';

import { AppError } from '../error.ts';
import { listZip } from './zip.ts';

export type Content =
  | { kind: 'onnx' | 'tar' | 'gzip' | 'zip' | 'unknown' }
  /** Something with a name that cannot be served. */
  | { kind: 'foreign'; what: string; hint: string };

const headBytes = 4096;

const torchHint = "Export it with torch.onnx.export(model, example, 'model.onnx') and upload the ONNX file.";
const pickleHint =
  'Convert a scikit-learn model with skl2onnx, a PyTorch one with torch.onnx.export, and upload the ONNX file.';
const kerasHint =
  'Convert it with \'python -m tf2onnx.convert --keras model.h5 --output model.onnx\' (or keras: model.export(…, format="onnx")).';
const tensorflowHint = "Convert it with 'python -m tf2onnx.convert --saved-model FOLDER --output model.onnx'.";
const archiveHint = 'Pack the files as .tar, .tar.gz or .zip, or upload the folder.';
const onnxHint = 'Upload an ONNX file, a folder with one, a Triton model folder, or a .tar, .tar.gz or .zip of these.';

const foreign = (what: string, hint: string): Content => ({ kind: 'foreign', what, hint });

/** Magic numbers in hexadecimal, each at the file's beginning. */
const magics: [string, Content][] = [
  ['1f8b', { kind: 'gzip' }],
  ['504b0304', { kind: 'zip' }],
  ['504b0506', { kind: 'zip' }],
  [
    '47475546',
    foreign(
      'a GGUF language model (llama.cpp)',
      "Export the original model to ONNX, for example with 'optimum-cli export onnx'.",
    ),
  ],
  ['894844460d0a1a0a', foreign('a Keras or HDF5 file', kerasHint)],
  ['80028a0a6cfc9c46f9206aa850192e', foreign('a PyTorch file in the old pickle format', torchHint)],
  ['8002', foreign('a Python pickle', pickleHint)],
  ['8003', foreign('a Python pickle', pickleHint)],
  ['8004', foreign('a Python pickle', pickleHint)],
  ['8005', foreign('a Python pickle', pickleHint)],
  ['70747274', foreign('a TensorRT engine', 'Upload the ONNX file that it was built from.')],
  ['66747274', foreign('a TensorRT engine', 'Upload the ONNX file that it was built from.')],
  ['425a68', foreign('a bzip2 archive', archiveHint)],
  ['fd377a585a00', foreign('an xz archive', archiveHint)],
  ['28b52ffd', foreign('a zstd archive', archiveHint)],
  ['377abcaf271c', foreign('a 7z archive', archiveHint)],
  ['526172211a07', foreign('a RAR archive', archiveHint)],
];

/** @param path file on disk @param name as the client knows it; decides only where the content leaves it open */
export async function sniff(path: string, name: string): Promise<Content> {
  const { head, size } = await readHead(path);
  if (size === 0) return foreign('empty', 'Upload the file again: nothing arrived, or it was empty to begin with.');
  const hex = head.subarray(0, 16).toString('hex');
  const magic = magics.find(([prefix]) => hex.startsWith(prefix))?.[1];
  if (magic?.kind === 'zip') return sniffZip(path);
  if (magic) return magic;
  if (head.toString('latin1', 257, 262) === 'ustar') return { kind: 'tar' };
  if (head.toString('latin1', 4, 8) === 'TFL3') {
    return foreign(
      'a TensorFlow Lite model',
      "Convert it with 'python -m tf2onnx.convert --tflite model.tflite --output model.onnx'.",
    );
  }
  if (isSafetensors(head, size))
    return foreign('a safetensors file, which holds weights but no computation', torchHint);
  if (looksLikeText(head)) return sniffText(head.toString('utf8'));
  return sniffProtobuf(head, name);
}

async function readHead(path: string): Promise<{ head: Buffer; size: number }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(Math.min(headBytes, size));
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return { head: head.subarray(0, bytesRead), size };
  } finally {
    await file.close();
  }
}

async function sniffZip(path: string): Promise<Content> {
  const names = await listZip(path);
  if (names.some((name) => /(^|\/)(data\.pkl|constants\.pkl)$/.test(name))) return foreign('a PyTorch file', torchHint);
  if (names.includes('model.weights.h5') && names.includes('config.json')) return foreign('a Keras file', kerasHint);
  if (names.some((name) => /(^|\/)[^/]+\.npy$/.test(name)) && !names.some((name) => name.endsWith('.onnx'))) {
    return foreign('a NumPy archive, which holds arrays but no computation', onnxHint);
  }
  return { kind: 'zip' };
}

/** A little-endian length, then that many bytes of JSON. */
function isSafetensors(head: Buffer, size: number): boolean {
  if (head.length < 10 || head[8] !== 0x7b) return false;
  const length = head.readBigUInt64LE(0);
  return length >= 2n && length + 8n <= BigInt(size) && looksLikeText(head.subarray(8, 8 + Number(length)));
}

function looksLikeText(head: Buffer): boolean {
  // oxlint-disable-next-line no-control-regex
  return !/[\u0000-\u0008\u000b\u000e-\u001f\ufffd]/.test(head.toString('utf8', 0, Math.max(1, head.length - 3)));
}

function sniffText(text: string): Content {
  if (text.startsWith('version https://git-lfs.github.com/')) {
    return foreign(
      'a Git LFS pointer, not the file itself',
      "Run 'git lfs pull' in the repository and upload the real file.",
    );
  }
  if (/^\s*(<!doctype html|<html)/i.test(text)) {
    return foreign(
      'an HTML page',
      'The download gave a web page instead of the model: fetch the file itself and upload that.',
    );
  }
  if (/<net\s[^>]*version=/.test(text)) {
    return foreign('an OpenVINO model', 'Export the original model to ONNX; OpenVINO files cannot be converted back.');
  }
  if (/"(modelTopology|weightsManifest)"/.test(text)) {
    return foreign(
      'a TensorFlow.js model',
      "Convert it with 'python -m tf2onnx.convert --tfjs model.json --output model.onnx'.",
    );
  }
  return foreign('a text file', onnxHint);
}

/** ONNX, Core ML and TensorFlow's SavedModel all begin with a version number and then field 2. */
function sniffProtobuf(head: Buffer, name: string): Content {
  const isOnnxName = /\.onnx$/i.test(name);
  if (head[0] === 0x08 && head[2] === 0x12) {
    const second = readLength(head, 3);
    const first = second && head[second.next];
    if (first === 0x0a && !isOnnxName) {
      return second && second.length > 1000 && head[1] === 1
        ? foreign('a TensorFlow SavedModel', tensorflowHint)
        : foreign('a Core ML model', 'Export the original model to ONNX; Core ML files cannot be converted back.');
    }
    if (head[1] === 1 && second && second.length > 1000) return foreign('a TensorFlow SavedModel', tensorflowHint);
  }
  if (isOnnxName || (head[0] === 0x08 && head[1]! > 0 && head[1]! < 32)) return { kind: 'onnx' };
  if (/\.pb$/i.test(name) && head[0] === 0x0a) {
    return foreign(
      'a frozen TensorFlow graph',
      "Convert it with 'python -m tf2onnx.convert --graphdef FILE --output model.onnx'.",
    );
  }
  return { kind: 'unknown' };
}

function readLength(head: Buffer, at: number): { length: number; next: number } | undefined {
  let length = 0;
  for (let index = 0; index < 5; index++) {
    const byte = head[at + index];
    if (byte === undefined) return undefined;
    length += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return { length, next: at + index + 1 };
  }
  return undefined;
}

/** The refusal of a file that is no model that can be served. */
export function refuseContent(name: string, content: Content): never {
  if (content.kind === 'foreign') {
    throw new AppError('unsupported', `'${name}' is ${content.what}; models are served from ONNX files.`, content.hint);
  }
  throw new AppError('unsupported', `'${name}' is not an ONNX file.`, onnxHint);
}
