// Files and folders on the server: nothing outside of the allowed folders is read, whatever links say and whenever they
// change, and nothing is left of what was refused.
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ImportFolders, readWhole } from '../../src/source/folders.ts';
import { errorOf } from '../registry/opened.ts';
import { type OpenedSource, openSource } from './opened.ts';

let it: OpenedSource;
let base: string;
/** Allowed; beside it lies "outside". */
let inside: string;

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'aimass-folders-'));
  inside = join(base, 'inside');
  for (const folder of ['inside/repo/1', 'outside', 'inside-not']) mkdirSync(join(base, folder), { recursive: true });
  write({ 'inside/m.onnx': 'model', 'outside/secret': 'secret', 'inside-not/m.onnx': 'other' });
  write({ 'inside/repo/config.pbtxt': 'c', 'inside/repo/1/model.onnx': 'one', 'inside/repo/.git': 'hidden' });
  it = await openSource({ importFolders: `${base}/missing:${inside}` });
});

afterEach(async () => {
  expect(it.filesOnDisk()).toEqual([]);
  await it.remove();
  rmSync(base, { recursive: true });
});

function write(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) writeFileSync(join(base, path), text);
}

const errorAt = (path: string) => errorOf(it.fetch(join(base, path)));
const codeAt = async (path: string) => (await errorAt(path)).code;

test('a file comes by its name, a folder with its files', async () => {
  expect(await it.contents(join(inside, 'm.onnx'))).toEqual({ 'm.onnx': 'model' });
  const repo = { 'repo/1/model.onnx': 'one', 'repo/config.pbtxt': 'c' };
  expect(await it.contents(join(inside, 'repo'))).toEqual(repo);
  expect(await it.contents(join(inside, 'repo/'))).toEqual(repo);
  expect(Object.keys(await it.contents(inside))).toHaveLength(3);
});

test('without folders there is nothing to import from', async () => {
  const error = await errorOf(it.fetch(join(inside, 'm.onnx'), { importFolders: '' }));
  expect([error.code, error.hint]).toEqual(['conflict', expect.stringContaining('import_folders')]);
});

describe('what lies outside', () => {
  test.each([
    'outside/secret',
    'outside/missing',
    'inside/../outside/secret',
    'inside-not/m.onnx',
    '',
    '../../../etc/passwd',
    '../../../etc/missing',
  ])('at %p is refused alike, whether it is there or not', async (path) => {
    const error = await errorAt(path);
    expect([error.code, error.message]).toEqual(['forbidden', expect.stringContaining('in no folder')]);
  });

  test('is not reached by links, to a file, to a folder or to other links', async () => {
    symlinkSync('../outside/secret', join(inside, 'file'));
    symlinkSync('../outside', join(inside, 'folder'));
    symlinkSync('folder/secret', join(inside, 'far'));
    symlinkSync('../outside/missing', join(inside, 'nowhere'));
    for (const path of ['file', 'folder', 'folder/secret', 'folder/missing', 'far']) {
      expect([path, await codeAt(`inside/${path}`)]).toEqual([path, 'forbidden']);
    }
    expect(await codeAt('inside/nowhere')).toBe('not_found');
  });

  test('is not reached by links in a folder; nothing of that folder stays', async () => {
    symlinkSync('../../outside/secret', join(inside, 'repo/z.bin'));
    expect(await codeAt('inside/repo')).toBe('forbidden');
    rmSync(join(inside, 'repo/z.bin'));
    symlinkSync('../../outside', join(inside, 'repo/z'));
    expect(await codeAt('inside/repo')).toBe('forbidden');
    rmSync(join(inside, 'repo/z'));
    symlinkSync('1', join(inside, 'repo/2'));
    expect(await errorAt('inside/repo')).toMatchObject({ code: 'invalid', message: expect.stringContaining('link') });
  });

  test('is not reached by what is put into the place of what was looked at', async () => {
    const folders = new ImportFolders([inside]);
    const [file] = await folders.list(join(inside, 'm.onnx'));
    rmSync(join(inside, 'm.onnx'));
    symlinkSync('../outside/secret', join(inside, 'm.onnx'));
    expect((await errorOf(folders.open(file!))).code).toBe('invalid');
    const found = await folders.list(join(inside, 'repo'));
    rmSync(join(inside, 'repo/1'), { recursive: true });
    write({ 'outside/model.onnx': 'secret' });
    symlinkSync('../../outside', join(inside, 'repo/1'));
    expect((await errorOf(folders.open(found[0]!))).code).toBe('forbidden');
  });
});

test('links that stay inside are followed', async () => {
  symlinkSync('repo/1/model.onnx', join(inside, 'link.onnx'));
  symlinkSync('../m.onnx', join(inside, 'repo/m.onnx'));
  symlinkSync('repo', join(inside, 'current'));
  expect(await it.contents(join(inside, 'link.onnx'))).toEqual({ 'link.onnx': 'one' });
  expect((await it.contents(join(inside, 'repo')))['repo/m.onnx']).toBe('model');
  expect((await it.contents(join(inside, 'current')))['current/1/model.onnx']).toBe('one');
  const linked = join(base, 'linked');
  symlinkSync('inside', linked);
  expect(await it.contents(join(linked, 'm.onnx'), { importFolders: linked })).toEqual({ 'm.onnx': 'model' });
});

test('only what is a file is read, and a pipe is not waited for', async () => {
  expect(Bun.spawnSync(['mkfifo', join(inside, 'pipe')]).exitCode).toBe(0);
  expect(await codeAt('inside/pipe')).toBe('invalid');
  expect(await codeAt('inside')).toBe('invalid');
  expect((await errorOf(new ImportFolders([inside]).open({ diskPath: join(inside, 'pipe'), path: 'p' }))).code).toBe(
    'invalid',
  );
  expect((await errorOf(it.fetch('/dev/zero', { importFolders: '/dev' }))).code).toBe('invalid');
  expect(await codeAt('inside/missing.onnx')).toBe('not_found');
  expect(await codeAt('inside/m.onnx/x')).toBe('not_found');
  mkdirSync(join(inside, 'empty'));
  expect(await codeAt('inside/empty')).toBe('invalid');
});

test('more than is allowed is refused, of a file and of a folder together', async () => {
  expect((await errorOf(it.fetch(join(inside, 'm.onnx'), { maxUploadBytes: 4 }))).code).toBe('too_large');
  expect((await errorOf(it.fetch(join(inside, 'repo'), { maxUploadBytes: 3 }))).code).toBe('too_large');
  expect(await it.contents(join(inside, 'repo'), { maxUploadBytes: 4 })).toBeObject();
  const deep = Array.from({ length: 20 }, () => 'd').join('/');
  mkdirSync(join(inside, 'deep', deep), { recursive: true });
  expect((await errorAt('inside/deep')).message).toContain('folders deep');
});

test('a file that changes while it is read is not taken', async () => {
  const path = join(inside, 'm.onnx');
  const folders = new ImportFolders([inside]);
  for (const change of [() => appendFileSync(path, 'more'), () => truncateSync(path, 1)]) {
    writeFileSync(path, Buffer.alloc(3 * 1024 * 1024));
    const [found] = await folders.list(path);
    const file = await folders.open(found!);
    const read = async () => {
      for await (const _ of readWhole(file, new AbortController().signal)) change();
    };
    expect((await errorOf(read())).code).toBe('conflict');
    await file.handle.close();
  }
  expect((await errorOf(it.fetch(path, {}, AbortSignal.abort()))).message).toContain('broken off');
});
