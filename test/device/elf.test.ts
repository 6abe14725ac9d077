// The ELF reader and the loader's search against readelf, ldconfig and ldd on real libraries, and against broken files.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readElf } from '../../src/device/elf.ts';
import { findMissing, readLoaderCache } from '../../src/device/loader-path.ts';
import { AppError } from '../../src/error.ts';

const runtime = join(import.meta.dir, '../../node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1');
const plain = { env: { ...process.env, LC_ALL: 'C' } };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aimass-elf-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function output(...command: string[]): Promise<string> {
  return Bun.spawn(command, plain).stdout.text();
}

/** name in brackets of each line of `readelf -d` with the tag */
const tagged = (text: string, tag: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.includes(`(${tag})`))
    .map((line) => /\[(.*)\]/.exec(line)![1]!);

describe.skipIf(Bun.which('readelf') === null || Bun.which('ldconfig') === null)('real libraries', () => {
  test('needed libraries, name and search paths are those that readelf shows', async () => {
    const listed = [...readLoaderCache().values()].map((path) => realpathSync(path));
    const sample = [runtime, process.execPath, ...[...new Set(listed)].sort().slice(0, 60)];
    let compared = 0;
    for (const path of sample) {
      const text = await output('readelf', '-d', path);
      const facts = await readElf(path);
      expect({ path, needed: facts.needed, soname: facts.soname }).toEqual({
        path,
        needed: tagged(text, 'NEEDED'),
        soname: tagged(text, 'SONAME')[0],
      });
      expect(facts.runpath.join(':')).toBe(tagged(text, 'RUNPATH')[0] ?? '');
      expect(facts.rpath.join(':')).toBe(tagged(text, 'RPATH')[0] ?? '');
      compared += 1;
    }
    expect(compared).toBeGreaterThan(10);
    expect((await readElf(runtime)).runpath).toEqual(['$ORIGIN']);
  });

  test("the loader's cache is read as ldconfig prints it", async () => {
    const cache = readLoaderCache();
    const printed = new Map<string, string>();
    for (const line of (await output('ldconfig', '-p')).split('\n')) {
      const match = /^\t(\S+) \(libc6,x86-64\) => (\S+)$/.exec(line);
      if (match && !printed.has(match[1]!)) printed.set(match[1]!, match[2]!);
    }
    expect(printed.size).toBeGreaterThan(10);
    for (const [name, path] of printed) expect([name, cache.get(name)]).toEqual([name, path]);
  });

  test('nothing is missing where ldd misses nothing', async () => {
    for (const path of [runtime, process.execPath]) {
      expect(await output('ldd', path)).not.toContain('not found');
      expect(await findMissing(path, [])).toEqual([]);
    }
  });
});

const build = (target: string, ...extra: string[]) =>
  Bun.$`echo 'int f(void){return 1;}' | cc -shared -fPIC -x c - -x none -Wl,--no-as-needed -o ${target} ${extra}`.quiet();

describe.skipIf(Bun.which('cc') === null)('search', () => {
  test('search path, $ORIGIN and what a library needs in turn; ldd agrees', async () => {
    const inner = join(folder, 'inner');
    mkdirSync(inner);
    await build(join(inner, 'libdeep.so.2'), '-Wl,-soname,libdeep.so.2');
    await build(join(inner, 'libmiddle.so.1'), '-Wl,-soname,libmiddle.so.1', join(inner, 'libdeep.so.2'));
    const top = join(folder, 'libtop.so');
    await build(top, join(inner, 'libmiddle.so.1'));
    expect(await findMissing(top, ['libextra.so.9'])).toEqual([
      { name: 'libmiddle.so.1', neededBy: 'libtop.so', onDemand: false },
      { name: 'libextra.so.9', neededBy: 'libtop.so', onDemand: true },
    ]);
    expect(await findMissing(top, [], { searchPath: ['/nonexistent', inner] })).toEqual([]);

    const alone = join(folder, 'alone');
    mkdirSync(alone);
    copyFileSync(join(inner, 'libmiddle.so.1'), join(alone, 'libmiddle.so.1'));
    const own = join(folder, 'libown.so');
    await build(
      own,
      join(alone, 'libmiddle.so.1'),
      `-Wl,--allow-shlib-undefined,--enable-new-dtags,-rpath,$ORIGIN/alone`,
    );
    expect((await readElf(own)).runpath).toEqual(['$ORIGIN/alone']);
    expect(await findMissing(own, [])).toEqual([{ name: 'libdeep.so.2', neededBy: 'libmiddle.so.1', onDemand: false }]);
    expect(await output('ldd', own)).toContain('libdeep.so.2 => not found');

    // A file of that name for another machine is passed over.
    const foreign = join(folder, 'foreign');
    mkdirSync(foreign);
    const bytes = readFileSync(join(inner, 'libdeep.so.2'));
    bytes.writeUInt16LE(40, 18);
    writeFileSync(join(foreign, 'libdeep.so.2'), bytes);
    expect(await findMissing(own, [], { searchPath: [foreign] })).toHaveLength(1);
    expect(await findMissing(own, [], { searchPath: [foreign, inner] })).toEqual([]);
  });
});

test('broken files are refused, never read beyond', async () => {
  const path = join(folder, 'broken.so');
  const whole = readFileSync(runtime).subarray(0, 4096);
  const attempt = async (bytes: Uint8Array) => {
    writeFileSync(path, bytes);
    return readElf(path).then(
      () => 'read',
      (error: unknown) => (error instanceof AppError ? error.code : String(error)),
    );
  };
  for (const length of [0, 3, 63, 64, 200]) expect(await attempt(whole.subarray(0, length))).toBe('invalid');
  expect(await attempt(Buffer.from('#!/bin/sh\n'.padEnd(100)))).toBe('invalid');
  for (const [offset, value] of [
    [32, 0xffff_ffff_ffff_ffffn],
    [32, 0x7fff_ffffn],
    [56, 0xffff_ffff_ffff_ffffn],
    [4, 0x0000_0000_0000_0001n],
  ] as const) {
    const bytes = Buffer.from(whole);
    bytes.writeBigUInt64LE(value, offset);
    expect(await attempt(bytes)).toBe('invalid');
  }
});

test('a file whose every header byte was changed either reads or is refused', async () => {
  const path = join(folder, 'changed.so');
  const whole = readFileSync(smallLibrary());
  let refused = 0;
  for (let at = 0; at < 64 + 56 * 9; at += 1) {
    const bytes = Buffer.from(whole);
    bytes[at] = bytes[at]! ^ 0xff;
    writeFileSync(path, bytes);
    await readElf(path).catch((error: unknown) => {
      expect(error).toBeInstanceOf(AppError);
      refused += 1;
    });
  }
  expect(refused).toBeGreaterThan(20);
});

function smallLibrary(): string {
  return realpathSync(readLoaderCache().get('libdl.so.2') ?? '/lib/x86_64-linux-gnu/libdl.so.2');
}

test('a damaged cache is an empty one, or reads what it can', () => {
  const etc = join(folder, 'root/etc');
  mkdirSync(etc, { recursive: true });
  expect(readLoaderCache(join(folder, 'root')).size).toBe(0);
  const mark = 'glibc-ld.so.cache1.1';
  for (const bytes of [Buffer.from('x'), Buffer.from(mark), Buffer.from(mark.padEnd(200, '\xff'), 'latin1')]) {
    writeFileSync(join(etc, 'ld.so.cache'), bytes);
    expect(readLoaderCache(join(folder, 'root')).size).toBe(0);
  }
});
