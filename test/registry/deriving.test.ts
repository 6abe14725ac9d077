// Versions that are made of the files of another one, uploads that outlive a refusal, and looking without storing.
import { afterEach, beforeEach, expect, test } from 'bun:test';

import * as graphs from '../support/graphs.ts';
import { errorOf, type Opened, openTemporary } from './opened.ts';

let it: Opened;
beforeEach(async () => (it = await openTemporary()));
afterEach(async () => await it.remove());

const picture = { kind: 'image', width: 28, height: 28, colour: 'GRAY' };
const classes = { kind: 'classes', activation: 'softmax' };
const task = { task: 'image-classification', preprocess: picture, postprocess: classes };

test('a derived version has the files of the other, by hash, and its own manifest', async () => {
  const [first] = await it.push('digits', { 'net.onnx': graphs.smallCnn() }, { licence: 'MIT', description: 'Digits' });
  const before = it.filesOnDisk();
  const second = await it.registry.deriveVersion('digits', 1, {
    ...task,
    description: null,
    serving: { maxBatchSize: 4 },
  });
  expect(second).toMatchObject({
    version: 2,
    files: first!.files,
    signature: first!.signature,
    facts: first!.facts,
    entry: 'net.onnx',
    manifest: {
      task: 'image-classification',
      licence: 'MIT',
      preprocess: { kind: 'image', width: 28 },
      serving: { ...first!.manifest.serving, maxBatchSize: 4 },
      origin: { kind: 'version', from: 'digits:1' },
    },
  });
  expect(second.manifest).not.toHaveProperty('description');
  expect(it.filesOnDisk()).toEqual(before);
  // The lineage leads back, and what is named alone changes.
  const third = await it.registry.deriveVersion('digits', 2, { labels: Array.from({ length: 10 }, (_, i) => `${i}`) });
  expect(third.manifest).toMatchObject({ task: task.task, preprocess: picture, origin: { from: 'digits:2' } });
  expect(third.manifest.labels).toHaveLength(10);
  // Its files stay while it has them.
  await it.registry.removeVersion('digits', 1);
  await it.registry.removeVersion('digits', 2);
  expect(it.filesOnDisk()).toEqual(before);
});

test('another task takes away what belonged to the one before', async () => {
  await it.push('digits', { 'net.onnx': graphs.smallCnn() }, task);
  const plain = await it.registry.deriveVersion('digits', 1, { task: 'tensor' });
  expect(plain.manifest).not.toHaveProperty('preprocess');
  const refused = await errorOf(it.registry.deriveVersion('digits', 1, { task: 'object-detection' }));
  expect([refused.code, refused.message]).toEqual([
    'invalid',
    expect.stringContaining("preprocess must have the kind 'image'"),
  ]);
});

test('a batch size that no trial has shown to be right is remarked on', async () => {
  await it.push('sums', { 'm.onnx': graphs.addSub() }, { serving: { maxBatchSize: 0 } });
  const large = await it.registry.deriveVersion('sums', 1, { serving: { maxBatchSize: 8 } });
  expect(large.warnings.join()).toContain('Requests are combined as the settings say');
  expect((await it.registry.deriveVersion('sums', 2, { serving: { maxBatchSize: 0 } })).warnings).toEqual([]);
});

test.each([
  [{ labels: ['one'] }, 'labels has 1 entries'],
  [{ postprocess: { kind: 'classes', output: 'absent' } }, 'no such output'],
  [{ tusk: 'tensor' }, 'no field "tusk"'],
  [{ origin: { kind: 'template' } }, 'origin is not to be given'],
  [{ task: null }, 'task must be one of'],
  [null, 'must be an object'],
  [['task'], 'must be an object'],
])('%j is refused', async (change, words) => {
  await it.push('digits', { 'net.onnx': graphs.smallCnn() }, task);
  const error = await errorOf(it.registry.deriveVersion('digits', 1, change));
  expect([error.code, error.message]).toEqual(['invalid', expect.stringContaining(words)]);
  expect(it.registry.getModel('digits').versions).toEqual([1]);
});

test('of a version that is not there', async () => {
  expect((await errorOf(it.registry.deriveVersion('absent', 1, {}))).code).toBe('not_found');
});

test('a refused import leaves its uploads, for another try with another manifest', async () => {
  const files = [{ uploadId: await it.upload(graphs.smallCnn()), path: 'm.onnx' }];
  const wrong = { labels: ['one'], ...task } as never;
  expect((await errorOf(it.registry.importVersions({ name: 'm', files, manifest: wrong }))).code).toBe('invalid');
  expect(it.registry.getUpload(files[0]!.uploadId).received).toBeGreaterThan(0);
  const [version] = await it.registry.importVersions({ name: 'm', files, manifest: task as never });
  expect(version!.manifest.task).toBe('image-classification');
  expect(() => it.registry.getUpload(files[0]!.uploadId)).toThrow('no such upload');
});

test('looking tells what an import would store, and stores nothing', async () => {
  const files = [{ uploadId: await it.upload(graphs.smallCnn()), path: 'm.onnx' }];
  const [found] = await it.registry.inspectUploads({ name: 'm', files });
  expect(found).toMatchObject({
    model: 'm',
    manifest: { task: 'tensor' },
    inspection: { facts: { outputOperators: expect.any(Object) } },
  });
  expect(it.registry.listModels()).toEqual([]);
  expect(it.filesOnDisk()).toEqual([`uploads/${files[0]!.uploadId}`]);
  expect(await it.registry.importVersions({ name: 'm', files })).toHaveLength(1);
});
