import { afterEach, beforeEach, describe, expect, setSystemTime, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { AppError, messageOf } from '../../src/error.ts';
import * as graphs from '../support/graphs.ts';
import { errorOf, inspectHere, type Opened, openTemporary } from './opened.ts';

let it: Opened;
beforeEach(async () => (it = await openTemporary()));
afterEach(async () => {
  setSystemTime();
  await it.remove();
});

const day = 86_400_000;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const blobs = () => it.filesOnDisk().filter((path) => path.startsWith('blobs/'));
const others = () => it.filesOnDisk().filter((path) => !path.startsWith('blobs/'));
const streamOf = (bytes: Uint8Array) => new Blob([bytes]).stream();

describe('versions', () => {
  test('an imported version is stored by content, read-only, and laid out as it came', async () => {
    const bytes = graphs.smallCnn();
    const [version] = await it.push('digits', { 'net.onnx': bytes }, { licence: 'Apache-2.0', description: 'Digits' });
    expect(version).toMatchObject({
      model: 'digits',
      version: 1,
      entry: 'net.onnx',
      bytes: bytes.length,
      files: [{ path: 'net.onnx', bytes: bytes.length, sha256: sha256(bytes) }],
      manifest: { licence: 'Apache-2.0', description: 'Digits', origin: { kind: 'upload', from: 'net.onnx' } },
    });
    expect(version!.manifest.serving.maxBatchSize).toBe(32);
    expect(version!.signature.inputs[0]).toMatchObject({ name: 'image', shape: [-1, 1, 28, 28] });
    expect(it.registry.getVersion('digits', 1)).toEqual(version!);
    expect(it.filesOnDisk()).toEqual([`blobs/${sha256(bytes).slice(0, 2)}/${sha256(bytes)}`]);
    expect(statSync(join(it.folder, blobs()[0]!)).mode & 0o777).toBe(0o444);

    const target = join(it.folder, 'run', 'digits');
    const path = await it.registry.layOut(version!, target);
    expect(path).toBe(join(target, 'net.onnx'));
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(await it.registry.layOut(version!, target)).toBe(path);
  });

  test('equal files are kept once, and freed with the last version that uses them', async () => {
    const bytes = graphs.smallCnn();
    await it.push('a', { 'model.onnx': bytes });
    await it.push('a', { 'other-name.onnx': bytes });
    await it.push('b', { 'model.onnx': bytes });
    await it.push('b', { 'model.onnx': graphs.addSub() });
    expect(blobs()).toHaveLength(2);
    await it.registry.removeVersion('a', 1);
    await it.registry.removeModel('b');
    expect(blobs()).toHaveLength(1);
    expect(it.registry.getModel('a').versions).toEqual([2]);
    await it.registry.removeVersion('a', 2);
    expect(blobs()).toEqual([]);
  });

  test('numbers are never given out twice, also over a restart', async () => {
    for (let i = 0; i < 3; i++) await it.push('m', { 'm.onnx': graphs.addSub() });
    await it.registry.removeVersion('m', 3);
    it = await it.reopen();
    const [version] = await it.push('m', { 'm.onnx': graphs.addSub() });
    expect(version!.version).toBe(4);
    expect(it.registry.getModel('m').versions).toEqual([1, 2, 4]);
  });

  test('imports of one model at the same time get numbers of their own', async () => {
    const models = [graphs.addSub(), graphs.smallCnn(), graphs.addScalar(1), graphs.addScalar(2)];
    const done = await Promise.all(models.map((bytes) => it.push('m', { 'm.onnx': bytes })));
    expect(done.map(([version]) => version!.version).sort((a, b) => a - b)).toEqual([1, 2, 3, 4]);
    for (const [index, [version]] of done.entries()) expect(version!.files[0]!.sha256).toBe(sha256(models[index]!));
    expect(others()).toEqual([]);
  });

  test('removing the last other user of a blob while it is imported again keeps it', async () => {
    const bytes = graphs.smallCnn();
    await it.push('old', { 'm.onnx': bytes });
    for (let round = 0; round < 5; round++) {
      const [[version]] = await Promise.all([it.push('new', { 'm.onnx': bytes }), it.registry.removeModel('old')]);
      expect(readFileSync(await it.registry.layOut(version!, join(it.folder, 'run'))).equals(bytes)).toBe(true);
      await it.push('old', { 'm.onnx': bytes });
      await it.registry.removeModel('new');
    }
  });

  test('what is loaded cannot be removed, and loaded and current outlive a restart', async () => {
    await it.push('m', { 'm.onnx': graphs.addSub() });
    await it.push('m', { 'm.onnx': graphs.smallCnn() });
    it.registry.setLoaded('m', 2, true);
    it.registry.setCurrent('m', 2);
    it = await it.reopen();
    expect(it.registry.listLoaded()).toEqual([{ name: 'm', version: 2 }]);
    expect(it.registry.listModels()).toMatchObject([{ name: 'm', versions: [1, 2], current: 2 }]);
    expect((await errorOf(it.registry.removeVersion('m', 2))).code).toBe('conflict');
    expect((await errorOf(it.registry.removeModel('m'))).code).toBe('conflict');
    await it.registry.removeVersion('m', 1);
    it.registry.setLoaded('m', 2, false);
    await it.registry.removeVersion('m', 2);
    expect(it.registry.getModel('m')).toMatchObject({ versions: [], current: null });
  });

  test('what is not there is not found', async () => {
    await it.push('m', { 'm.onnx': graphs.addSub() });
    for (const work of [
      () => it.registry.getModel('x'),
      () => it.registry.listVersions('x'),
      () => it.registry.getVersion('m', 2),
      () => it.registry.setLoaded('m', 2, true),
      () => it.registry.setCurrent('m', 2),
      () => it.registry.setCurrent('x', null),
      () => it.registry.removeVersion('m', 2),
      () => it.registry.removeModel('x'),
      () => it.registry.getUpload('x'),
    ]) {
      expect((await errorOf(work)).code).toBe('not_found');
    }
  });

  test('names that cannot stand in a URL are refused before anything is used up', async () => {
    const id = await it.upload(graphs.addSub());
    for (const name of ['', '.hidden', 'a/b', 'a b', 'stats', 'ä', '-x', 'x'.repeat(129), '../m', 'a\n']) {
      const error = await errorOf(it.registry.importVersions({ name, files: [{ uploadId: id, path: 'm.onnx' }] }));
      expect(error.code).toBe('invalid');
      expect(error.hint).toContain('128');
    }
    for (const name of ['a', '7', 'Stats', 'A.b_c-d', 'x'.repeat(128)]) {
      expect((await it.push(name, { 'm.onnx': graphs.addSub() }))[0]!.model).toBe(name);
    }
    expect(it.registry.getUpload(id).received).toBe(it.registry.getUpload(id).bytes);
  });

  test('a model that the inspection refuses leaves nothing', async () => {
    const damaged = graphs.smallCnn().subarray(0, 5000);
    expect((await errorOf(it.push('m', { 'm.onnx': damaged }))).code).toBe('invalid');
    const notes: string[] = [];
    const id = await it.upload('plain words');
    const request = { name: 'm', files: [{ uploadId: id, path: 'notes.txt' }] };
    expect((await errorOf(it.registry.importVersions(request, (step) => notes.push(step)))).code).toBe('unsupported');
    expect(it.registry.listModels()).toEqual([]);
    expect(blobs()).toEqual([]);
  });

  test('files left by an interrupted process are gone after the next start, and the rest is not', async () => {
    await it.push('m', { 'm.onnx': graphs.addSub() });
    const before = it.filesOnDisk();
    const kept = await it.upload('half of something');
    for (const path of ['blobs/stray', 'blobs/ab/unknown', 'uploads/unknown', 'tmp/import/1/model.onnx']) {
      mkdirSync(join(it.folder, path, '..'), { recursive: true });
      writeFileSync(join(it.folder, path), 'garbage');
    }
    it = await it.reopen();
    expect(it.filesOnDisk()).toEqual([...before, `uploads/${kept}`]);
    expect(await it.registry.layOut(it.registry.getVersion('m', 1), join(it.folder, 'run'))).toEndWith('m.onnx');
  });
});

describe('uploads', () => {
  const content = crypto.getRandomValues(new Uint8Array(50_000));

  test('a stream that breaks off leaves what came, to go on from there after a restart', async () => {
    const model = graphs.smallCnn();
    const { id } = await it.registry.createUpload(model.length);
    const breaking = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(model.slice(0, 4000));
      },
      pull(controller) {
        controller.error(new Error('connection reset'));
      },
    });
    const error = await errorOf(it.registry.appendUpload(id, 0, breaking));
    expect(error.message).toContain('connection reset');
    const { received } = it.registry.getUpload(id);
    expect(received).toBeLessThanOrEqual(4000);
    it = await it.reopen();
    expect(it.registry.getUpload(id)).toMatchObject({ id, received, bytes: model.length });
    await it.registry.appendUpload(id, received, streamOf(model.slice(received)));
    const [version] = await it.registry.importVersions({ name: 'm', files: [{ uploadId: id, path: 'm.onnx' }] });
    expect(version!.files[0]!.sha256).toBe(sha256(model));
  });

  test('only the right place, one writer at a time and the announced size are taken', async () => {
    const { id } = await it.registry.createUpload(content.length);
    await it.registry.appendUpload(id, 0, streamOf(content.slice(0, 100)));
    const wrong = await errorOf(it.registry.appendUpload(id, 99, streamOf(content)));
    expect(wrong.code).toBe('conflict');
    expect(wrong.hint).toContain('100');

    const finished = Promise.withResolvers<void>();
    const slow = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await finished.promise;
        controller.close();
      },
    });
    const writing = it.registry.appendUpload(id, 100, slow);
    expect((await errorOf(it.registry.appendUpload(id, 100, streamOf(content)))).code).toBe('conflict');
    expect((await errorOf(it.registry.removeUpload(id))).code).toBe('conflict');
    finished.resolve();
    await writing;

    const tooMuch = streamOf(Buffer.concat([content.slice(100), Buffer.alloc(10)]));
    expect((await errorOf(it.registry.appendUpload(id, 100, tooMuch))).code).toBe('too_large');
    const request = { name: 'm', files: [{ uploadId: id, path: 'm.onnx' }] };
    expect((await errorOf(it.registry.importVersions(request))).message).toContain('not complete');
    const { received } = it.registry.getUpload(id);
    const done = await it.registry.appendUpload(id, received, streamOf(content.slice(received)));
    expect(done.received).toBe(content.length);
    expect(readFileSync(join(it.folder, 'uploads', id)).equals(content)).toBe(true);
    await it.registry.removeUpload(id);
    expect(it.filesOnDisk()).toEqual([]);
  });

  test('sizes over the limit, over the disk, or that are none, are refused at once', async () => {
    expect((await errorOf(it.registry.createUpload(64 * 1024 * 1024 + 1))).code).toBe('too_large');
    for (const bytes of [-1, 1.5, NaN, Infinity]) {
      expect((await errorOf(it.registry.createUpload(bytes))).code).toBe('invalid');
    }
    it = await it.reopen({ maxUploadBytes: Number.MAX_SAFE_INTEGER });
    const error = await errorOf(it.registry.createUpload(2 ** 50));
    expect(error.code).toBe('too_large');
    expect(error.hint).toContain('disk');
    expect(it.filesOnDisk()).toEqual([]);
  });

  test('an upload that nobody could go on with is gone after a restart', async () => {
    const { id } = await it.registry.storeUpload(streamOf(content), { bytes: content.length });
    expect(it.filesOnDisk()).toEqual([`uploads/${id}`]);
    it = await it.reopen();
    expect(it.filesOnDisk()).toEqual([]);
  });

  test('a file that comes in one go is there as a whole or not at all', async () => {
    const store = async (body: AsyncIterable<Uint8Array>, bytes?: number) => it.registry.storeUpload(body, { bytes });
    const broken = async function* () {
      yield content.subarray(0, 5);
      throw new AppError('unavailable', 'It broke off.');
    };
    expect((await errorOf(store(broken(), 10))).message).toBe('It broke off.');
    expect((await errorOf(store(broken()))).message).toBe('It broke off.');
    expect((await errorOf(store(streamOf(content.slice(1)), content.length))).message).toContain('Only');
    expect((await errorOf(store(streamOf(content), content.length - 1))).code).toBe('too_large');
    it = await it.reopen({ maxUploadBytes: content.length - 1 });
    const error = await errorOf(store(streamOf(content)));
    expect([error.code, error.message]).toEqual(['too_large', expect.stringContaining(`${content.length - 1} bytes`)]);
    expect(it.filesOnDisk()).toEqual([]);
    it = await it.reopen({ maxUploadBytes: content.length });
    const whole = await store(streamOf(content));
    expect(whole).toMatchObject({ bytes: content.length, received: content.length });
    expect(readFileSync(join(it.folder, 'uploads', whole.id)).equals(content)).toBe(true);
  });

  test('versions say where their files were fetched from, whatever else is claimed', async () => {
    const fetch = (path: string, from = 'https://files.corp/m.onnx', text: string | Uint8Array = graphs.addSub()) =>
      it.registry
        .storeUpload(streamOf(Buffer.from(text as string)), { origin: { kind: 'url', from } })
        .then(({ id }) => ({ uploadId: id, path }));
    const manifest = { origin: { kind: 'template' as const, from: 'x' } };
    const [plain] = await it.registry.importVersions({ name: 'm', files: [await fetch('m.onnx')], manifest });
    expect(plain!.manifest.origin).toEqual({ kind: 'url', from: 'https://files.corp/m.onnx' });
    const [triton] = await it.registry.importVersions({
      files: [await fetch('sum/3/model.onnx', 'https://files.corp/r')],
      name: 'm',
    });
    expect(triton!.manifest.origin).toEqual({ kind: 'url', from: 'https://files.corp/r#sum/3' });
    const files = [await fetch('m/m.onnx'), await fetch('m/readme.md', 'https://files.corp/other', 'x')];
    const [mixed] = await it.registry.importVersions({ name: 'm', files });
    expect(mixed!.manifest.origin).toEqual({ kind: 'upload', from: 'm' });
  });

  test('uploads end when they are imported, and when they are too old', async () => {
    await it.push('m', { 'm.onnx': graphs.addSub() });
    expect(others()).toEqual([]);
    const old = await it.upload('old');
    const grown = await it.registry.createUpload(5);
    const path = join(it.folder, 'uploads', old);
    const startMs = Date.now();
    setSystemTime(startMs + day / 2);
    const young = await it.upload('young');
    await it.registry.appendUpload(grown.id, 0, streamOf(content.slice(0, 1)));
    setSystemTime(startMs + day - 1000);
    await it.registry.createUpload(1);
    expect(existsSync(path)).toBe(true);
    setSystemTime(startMs + day + 60_000);
    await it.registry.createUpload(1);
    expect(existsSync(path)).toBe(false);
    expect((await errorOf(() => it.registry.getUpload(old))).code).toBe('not_found');
    expect(it.registry.getUpload(grown.id).received).toBe(1);
    expect(it.registry.getUpload(young).received).toBe(5);
    utimesSync(join(it.folder, 'uploads', young), new Date(0), new Date(0));
    it = await it.reopen();
    expect((await errorOf(() => it.registry.getUpload(young))).code).toBe('not_found');
  });

  test('no more than the limit are open, however many are asked for at once', async () => {
    it = await it.reopen({ maxOpenUploads: 100 });
    const asked = await Promise.allSettled(Array.from({ length: 103 }, () => it.registry.createUpload(1)));
    const refused = asked.flatMap((each) => (each.status === 'rejected' ? [each.reason as AppError] : []));
    expect(refused.map(({ code }) => code)).toEqual(['overloaded', 'overloaded', 'overloaded']);
    expect(refused[0]!.hint).toContain('remove');
    expect(it.filesOnDisk()).toHaveLength(100);
    const first = asked.find((each) => each.status === 'fulfilled')!;
    await it.registry.removeUpload(first.value.id);
    expect((await it.registry.createUpload(1)).received).toBe(0);
  });

  test('while an import works with an upload nothing else can', async () => {
    const started = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    it = await it.reopen({
      inspect: async (request) => {
        started.resolve();
        await goOn.promise;
        return inspectHere(request);
      },
    });
    const id = await it.upload(graphs.addSub());
    const request = { name: 'm', files: [{ uploadId: id, path: 'm.onnx' }] };
    const importing = it.registry.importVersions(request);
    await started.promise;
    expect((await errorOf(it.registry.removeUpload(id))).code).toBe('conflict');
    expect((await errorOf(it.registry.importVersions(request))).code).toBe('conflict');
    expect(it.registry.listModels()).toEqual([]);
    goOn.resolve();
    expect(await importing).toHaveLength(1);
  });

  test('a failure that is not the fault of the files leaves the uploads for another try', async () => {
    const failures = [
      new Error('no more processes'),
      new AppError('unavailable', 'killed'),
      new AppError('internal', 'unforeseen'),
      new AppError('timeout', 'too slow'),
      new AppError('too_large', 'no memory'),
    ];
    const messages = failures.map(messageOf);
    it = await it.reopen({
      inspect: async (request) => {
        const failure = failures.shift();
        if (failure) throw failure;
        return inspectHere(request);
      },
    });
    const id = await it.upload(graphs.addSub());
    const request = { name: 'm', files: [{ uploadId: id, path: 'm.onnx' }] };
    for (const message of messages) {
      expect(await it.registry.importVersions(request).catch(messageOf)).toBe(message);
    }
    expect(await it.registry.importVersions(request)).toHaveLength(1);
    expect(others()).toEqual([]);
  });
});
