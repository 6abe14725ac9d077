import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as graphs from '../support/graphs.ts';
import { errorOf, type Opened, openTemporary, python } from './opened.ts';

let it: Opened;
beforeEach(async () => (it = await openTemporary()));
afterEach(() => it.remove());

const shared = join(import.meta.dir, '../../../shared/data');
const hasPython = existsSync('/usr/bin/python3');
const hasTorch = hasPython && existsSync('/usr/lib/python3/dist-packages/torch');

describe('layouts', () => {
  test('external data lies beside the model again, and the rest is left out by name', async () => {
    const parts = graphs.bigWeights(2, true);
    const [version] = await it.push('big', {
      'export/model.onnx': parts['model.onnx']!,
      'export/weights.bin': parts['weights.bin']!,
      'export/README.md': '# About',
      'export/config.json': '{}',
      '.DS_Store': 'x',
    });
    expect(version!.files.map(({ path }) => path)).toEqual(['model.onnx', 'weights.bin']);
    expect(version!.manifest.origin).toEqual({ kind: 'upload', from: 'export' });
    for (const name of ['export/README.md', 'export/config.json', '.DS_Store']) {
      expect(version!.warnings.join()).toContain(name);
    }
    const folder = join(it.folder, 'run');
    const entry = await it.registry.layOut(version!, folder);
    expect(entry).toBe(join(folder, 'model.onnx'));
    expect(readFileSync(join(folder, 'weights.bin')).equals(parts['weights.bin']!)).toBe(true);
  });

  test('data that the model names but that did not come is asked for', async () => {
    const parts = graphs.bigWeights(1, true);
    const error = await errorOf(it.push('big', { 'model.onnx': parts['model.onnx']! }));
    expect(error.message).toContain('weights.bin');
  });

  test('a single file may have any name, several ONNX files are one too many', async () => {
    expect((await it.push('m', { 'weights.final': graphs.addSub() }))[0]!.entry).toBe('weights.final');
    const error = await errorOf(it.push('m', { 'a.onnx': graphs.addSub(), 'b/c.onnx': graphs.addSub() }));
    expect(error.message).toContain('a.onnx, b/c.onnx');
  });

  test('models of tens of megabytes go through in pieces', async () => {
    const bytes = graphs.bigWeights(24, false)['model.onnx']!;
    const steps: string[] = [];
    const files = [{ uploadId: await it.upload(bytes), path: 'model.onnx' }];
    const [version] = await it.registry.importVersions({ name: 'big', files }, (step) => steps.push(step));
    expect(version!.files[0]!.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(steps).toEqual(['Checking big', 'Storing']);
  });

  test('a name must come from somewhere', async () => {
    expect((await errorOf(it.push(undefined, { 'm.onnx': graphs.addSub() }))).message).toContain('no name');
    expect((await errorOf(it.push('m', {}))).message).toContain('no files');
    const odd = { 'my model/config.pbtxt': 'max_batch_size: 1', 'my model/1/model.onnx': graphs.addSub() };
    expect((await errorOf(it.push(undefined, odd))).message).toContain('my model');
    expect((await it.push('my-model', odd))[0]!.model).toBe('my-model');
  });

  test('an upload can stand for one file only', async () => {
    const uploadId = await it.upload(graphs.addSub());
    const files = ['a.onnx', 'b.onnx'].map((path) => ({ uploadId, path }));
    expect((await errorOf(it.registry.importVersions({ name: 'm', files }))).message).toContain('two files');
    expect(it.registry.getUpload(uploadId).received).toBeGreaterThan(0);
  });
});

const refused = async (files: Record<string, Uint8Array | string>, what: string, hint?: string) => {
  const error = await errorOf(it.push('m', files));
  expect(error.code).toBe('unsupported');
  expect(error.message).toContain(what);
  expect(error.hint).toContain(hint ?? '');
  expect(it.filesOnDisk().filter((path) => !path.startsWith('uploads/'))).toEqual([]);
};

describe('what is no ONNX file is refused by its name', () => {
  const header = '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  const safetensors = Buffer.concat([
    Buffer.from([header.length, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from(header),
    Buffer.alloc(4),
  ]);

  test.each([
    ['m.onnx', '', 'empty', 'again'],
    ['m.onnx', 'version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n', 'Git LFS', 'git lfs pull'],
    ['m.onnx', '<!DOCTYPE html><html><body>Sign in</body></html>', 'HTML', 'file itself'],
    ['m.onnx', 'hello, this is a model', 'a text file', 'ONNX'],
    ['m.safetensors', safetensors, 'safetensors', 'torch.onnx.export'],
    ['m.gguf', Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(100, 3)]), 'GGUF', 'ONNX'],
    ['m.xml', '<?xml version="1.0"?>\n<net name="m" version="11"><layers/></net>', 'OpenVINO', 'ONNX'],
    ['model.json', '{"format":"graph-model","modelTopology":{},"weightsManifest":[]}', 'TensorFlow.js', 'tf2onnx'],
    ['m.7z', Buffer.from('377abcaf271c0004', 'hex'), '7z', '.zip'],
    ['m.bin', Buffer.from('deadbeef'.repeat(20), 'hex'), 'not an ONNX file', 'ONNX'],
    ['m.mlmodel', Buffer.from('0804122a0a140a05696d6167651a0b', 'hex'), 'Core ML', 'ONNX'],
    [
      'saved_model.pb',
      Buffer.concat([Buffer.from('080112e0a7010a5312510a', 'hex'), Buffer.alloc(50)]),
      'SavedModel',
      'tf2onnx',
    ],
  ])('%s: %p', (name, content, what, hint) => refused({ [name]: content }, what, hint));

  test('in a folder too', async () => {
    await refused({ 'config.json': '{}', 'model.safetensors': safetensors, 'merges.txt': 'a b' }, 'safetensors');
    await refused({ 'a.txt': 'x', 'b.txt': 'y' }, 'no ONNX file');
    await refused(
      { 'm.mlpackage/Manifest.json': '{}', 'm.mlpackage/Data/com.apple.CoreML/model.mlmodel': Buffer.from([8, 4, 0]) },
      'Core ML',
    );
    await refused({ '1/model.onnx': 'nonsense' }, 'a text file');
  });

  test.skipIf(!existsSync(shared)).each([
    ['keras/ad01.h5', 'Keras'],
    ['keras/ad01_fp32.tflite', 'TensorFlow Lite'],
  ])('%s of ../shared/data', (path, what) => refused({ [path]: readFileSync(join(shared, path)) }, what, 'tf2onnx'));

  test.skipIf(!hasPython)('a pickle and a NumPy archive by Python', async () => {
    await refused(
      { 'm.pkl': python('import sys, pickle; sys.stdout.buffer.write(pickle.dumps({"a": [1, 2]}))') },
      'pickle',
      'skl2onnx',
    );
    const archive = python(`
import sys, io, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, 'w') as z: z.writestr('weights.npy', b'\\x93NUMPY')
sys.stdout.buffer.write(out.getvalue())`);
    await refused({ 'm.npz': archive }, 'NumPy');
  });

  test.skipIf(!hasTorch)(
    'what PyTorch saves (Debian package python3-torch)',
    async () => {
      for (const options of ['', ', _use_new_zipfile_serialization=False']) {
        const bytes = python(`
import sys, io, torch
out = io.BytesIO()
torch.save(torch.nn.Linear(2, 2).state_dict(), out${options})
sys.stdout.buffer.write(out.getvalue())`);
        await refused({ 'm.pt': bytes }, 'PyTorch', 'torch.onnx.export');
      }
    },
    60_000,
  );
});
