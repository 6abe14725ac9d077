// The GPU pack from every kind of source, with provider libraries built here; refusals leave nothing behind.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { pack as newTar } from 'tar-stream';

import {
  findPack,
  type GpuPackOptions,
  installPack,
  joinWithRuntime,
  listOtherPacks,
  removePack,
} from '../../src/device/gpu-pack.ts';
import { AppError } from '../../src/error.ts';

const names = ['shared', 'cuda', 'tensorrt'].map((name) => `libonnxruntime_providers_${name}.so`);
const nativeFolder = join(import.meta.dir, '../../node_modules/onnxruntime-node/bin/napi-v6/linux/x64');
const tools = ['cc', 'python3'].every((tool) => Bun.which(tool) !== null);

/** A library that holds `version` as a string, needs `needed`, and says where it lies when it is loaded. */
async function build(target: string, version: string, ...needed: string[]): Promise<void> {
  const source = `
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <stdio.h>
    const char *version(void) { return "${version}"; }
    void Provider_SetHost(void *host) { (void)host; }
    const char *other(void) { return "cuDNN 9.22.0"; }
    __attribute__((constructor)) static void loaded(void) {
      Dl_info self;
      if (dladdr((void *)loaded, &self)) fprintf(stderr, "loaded %s\\n", self.dli_fname);
    }`;
  await Bun.$`cc -shared -fPIC -x c - -x none -Wl,--no-as-needed -o ${target} ${needed} < ${new Response(source)}`.quiet();
}

describe.skipIf(!tools)('GPU pack', () => {
  let built: string;
  let cuda: string;
  let work: string;
  let options: GpuPackOptions;

  beforeAll(async () => {
    built = mkdtempSync(join(tmpdir(), 'aimass-pack-built-'));
    cuda = join(built, 'cuda');
    mkdirSync(cuda);
    const fakes = ['libcudart.so.13', 'libcublas.so.13', 'libcublasLt.so.13', 'libcurand.so.10', 'libnvinfer.so.10'];
    for (const name of fakes) await build(join(cuda, name), '', `-Wl,-soname,${name}`);
    const cudaFakes = fakes.slice(0, 4).map((name) => join(cuda, name));
    await build(join(built, names[0]!), '');
    await build(join(built, names[1]!), '1.29.0', ...cudaFakes);
    await build(join(built, names[2]!), '1.29.0', ...cudaFakes, join(cuda, 'libnvinfer.so.10'));
  });
  afterAll(() => rmSync(built, { recursive: true }));
  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), 'aimass-pack-'));
    options = { folder: join(work, 'packs'), runtimeVersion: '1.29.0', searchPath: [], root: join(work, 'none') };
  });
  afterEach(() => rmSync(work, { recursive: true }));

  const library = (name: string) => readFileSync(join(built, name));

  async function tgz(entries: [string, Buffer][]): Promise<string> {
    const tar = newTar();
    for (const [name, content] of entries) tar.entry({ name }, content);
    tar.finalize();
    const path = join(work, 'pack.tgz');
    writeFileSync(path, gzipSync(Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Buffer>))));
    return path;
  }

  /** Written by Python's zipfile: a writer that we did not write. */
  async function zip(entries: [string, string][]): Promise<string> {
    const path = join(work, 'pack.whl');
    const script = `import sys, zipfile, json
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    for name, path in json.loads(sys.argv[2]):
        z.writestr(zipfile.ZipInfo(name), open(path, "rb").read(), zipfile.ZIP_DEFLATED)`;
    await Bun.$`python3 -c ${script} ${path} ${JSON.stringify(entries)}`.quiet();
    return path;
  }

  const refusal = (source: string): Promise<AppError> =>
    installPack(source, options).then(
      () => {
        throw new Error('was installed');
      },
      (error: AppError) => error,
    );

  const leftOver = () => readdirSync(options.folder);

  test('an npm package: installed whole, what is missing named with its package, removed', async () => {
    const source = await tgz([
      ['package/package.json', Buffer.from('{}')],
      ...names.map((name): [string, Buffer] => [`package/Plugins/Linux/x64/${name}`, library(name)]),
      ...names.map((name): [string, Buffer] => [`package/Plugins/Linux/x64/${name}.meta`, Buffer.from('guid: 1')]),
    ]);
    const status = await installPack(source, options);
    expect(status).toMatchObject({ version: '1.29.0', intact: true, cudaMajor: '13' });
    expect(status.files.map(({ name }) => name).sort()).toEqual([...names].sort());
    for (const { name, sha256, bytes } of status.files) {
      expect(sha256).toBe(new Bun.CryptoHasher('sha256').update(library(name)).digest('hex'));
      expect(bytes).toBe(library(name).length);
      expect(readFileSync(join(status.folder, name)).equals(library(name))).toBeTrue();
    }
    expect(leftOver()).toEqual(['1.29.0']);
    const [cudaProvider, tensorrt] = status.providers;
    expect(cudaProvider).toMatchObject({ name: 'cuda', loadable: false });
    const packages = new Map(cudaProvider!.missing.map((missing) => [missing.name, missing.package]));
    expect(packages.get('libcudart.so.13')).toStartWith('cuda-cudart-13-0');
    expect(packages.get('libcublasLt.so.13')).toStartWith('libcublas-13-0');
    expect(packages.get('libcurand.so.10')).toStartWith('libcurand-13-0');
    expect(packages.get('libcudnn.so.9')).toStartWith('libcudnn9-cuda-13');
    expect(packages.get('libcufft.so.12')).toStartWith('libcufft-13-0');
    expect(tensorrt!.missing.find(({ name }) => name === 'libnvinfer.so.10')!.package).toStartWith('libnvinfer10');
    expect(await removePack(options)).toBeTrue();
    expect(leftOver()).toEqual([]);
    expect(await findPack(options)).toBeUndefined();
    expect(await removePack(options)).toBeFalse();
  });

  test('a wheel, with the CUDA libraries on the search path: loadable, cuDNN only when a model asks for it', async () => {
    const source = await zip(names.map((name) => [`onnxruntime/capi/${name}`, join(built, name)]));
    const { providers } = await installPack(source, { ...options, root: '/', searchPath: [cuda] });
    expect(providers.map(({ name, loadable }) => [name, loadable])).toEqual([
      ['cuda', true],
      ['tensorrt', true],
    ]);
    expect(providers[1]!.missing).toEqual([]);
    expect(providers[0]!.missing.every(({ onDemand }) => onDemand)).toBeTrue();
  });

  test('a folder without TensorRT; installing again replaces, also a damaged one', async () => {
    const source = join(work, 'source/lib');
    mkdirSync(source, { recursive: true });
    for (const name of names.slice(0, 2)) cpSync(join(built, name), join(source, name));
    const first = await installPack(join(work, 'source'), options);
    expect(first.providers.map(({ name }) => name)).toEqual(['cuda']);
    appendFileSync(join(first.folder, names[1]!), 'x');
    expect(await findPack(options)).toMatchObject({ intact: false, providers: [] });
    cpSync(join(built, names[2]!), join(source, names[2]!));
    const second = await installPack(join(work, 'source'), options);
    expect(second).toMatchObject({ intact: true });
    expect(second.files).toHaveLength(3);
    expect(leftOver()).toEqual(['1.29.0']);
  });

  test('another version is refused by name, in either direction, and nothing is left', async () => {
    const source = join(work, 'source');
    mkdirSync(source);
    cpSync(join(built, names[0]!), join(source, names[0]!));
    for (const version of ['1.28.0', '11.29.0', '1.29.01', '']) {
      await build(join(source, names[1]!), version);
      const error = await refusal(source);
      expect([version, error.code]).toEqual([version, 'invalid']);
      expect(error.message).toContain('ONNX Runtime 1.29.0 is built in');
      if (version === '1.28.0') expect(error.message).toContain('is of version 1.28.0');
      expect(leftOver()).toEqual([]);
    }
  });

  test('what is no pack is refused', async () => {
    const text = join(work, 'notes.txt');
    writeFileSync(text, 'hello');
    const cut = join(work, 'cut.tgz');
    writeFileSync(cut, readFileSync(await tgz([[names[1]!, library(names[1]!)]])).subarray(0, 900));
    const foreign = library(names[1]!);
    foreign.writeUInt16LE(40, 18);
    const sources = {
      absent: join(work, 'absent.tgz'),
      text,
      cut,
      other: await tgz([['package/readme', Buffer.from('x')]]),
      noElf: join(work, 'noelf'),
      foreign: join(work, 'foreign'),
    };
    mkdirSync(sources.noElf);
    for (const name of names) writeFileSync(join(sources.noElf, name), '1.29.0\0');
    mkdirSync(sources.foreign);
    for (const name of names) writeFileSync(join(sources.foreign, name), foreign);
    for (const [kind, source] of Object.entries(sources)) {
      const error = await refusal(source);
      expect([kind, error.code]).toEqual([kind, kind === 'absent' ? 'not_found' : 'invalid']);
      expect(error.hint!.length).toBeGreaterThan(10);
      expect(leftOver()).toEqual([]);
    }
    expect((await refusal(sources.foreign)).message).toContain(process.arch);
  });

  test('a path that leads out of the archive is refused, and nothing is written there', async () => {
    const outside = join(work, names[1]!);
    for (const name of [`../../${names[1]}`, `/${outside}`, `a/../../../${names[1]}`, '../readme.txt']) {
      const packed = names.map((file): [string, Buffer] => [`lib/${file}`, library(file)]);
      const error = await refusal(await tgz([...packed, [name, library(names[1]!)]]));
      expect([name, error.code]).toEqual([name, 'invalid']);
      const zipped = names.map((file): [string, string] => [`lib/${file}`, join(built, file)]);
      expect((await refusal(await zip([...zipped, [name, join(built, names[1]!)]]))).code).toBe('invalid');
      expect(await Bun.file(outside).exists()).toBeFalse();
      expect(leftOver()).toEqual([]);
    }
  });

  test('what a killed installation left is swept up; packs of other programs are listed and kept', async () => {
    const dead = Bun.spawn(['true']);
    await dead.exited;
    mkdirSync(join(options.folder, `.new-${dead.pid}-abc`), { recursive: true });
    mkdirSync(join(options.folder, `.new-${process.pid}-running`));
    mkdirSync(join(options.folder, '1.28.0'));
    writeFileSync(join(options.folder, '1.28.0/pack.json'), '{}');
    await installPack(built, options);
    expect(leftOver().sort()).toEqual([`.new-${process.pid}-running`, '1.28.0', '1.29.0'].sort());
    expect(await listOtherPacks(options)).toEqual(['1.28.0']);
    expect(await removePack(options, '../packs/1.28.0')).toBeFalse();
    expect(await removePack(options, '1.28.0')).toBeTrue();
    expect(await listOtherPacks(options)).toEqual([]);
  });

  test('ONNX Runtime looks for the pack in the folder of links', async () => {
    const status = await installPack(built, options);
    const [folder, same] = await Promise.all([
      joinWithRuntime(status, nativeFolder),
      joinWithRuntime(status, nativeFolder),
    ]);
    expect(same).toBe(folder);
    expect(readdirSync(folder).sort()).toEqual([...readdirSync(nativeFolder), ...names].sort());
    expect(readdirSync(status.folder).filter((name) => name.startsWith('.'))).toEqual([]);
    // The bridge is complete enough for ONNX Runtime to go on to the CUDA library, which then offers no provider.
    const script = `
      const { openSession } = await import(${JSON.stringify(join(import.meta.dir, '../../src/inference/session.ts'))});
      const options = { threads: 1, nativeFolder: process.argv[1], provider: 'cuda' };
      try { openSession('/nonexistent.onnx', options); } catch {}`;
    const path = { LD_LIBRARY_PATH: cuda, ORT_DISABLE_TELEMETRY: '1' };
    const child = Bun.spawn([process.execPath, '-e', script, folder], {
      stderr: 'pipe',
      env: { ...process.env, ...path },
    });
    const said = await child.stderr.text();
    expect(said).toContain(`loaded ${join(folder, names[0]!)}`);
    expect(said).toContain(`loaded ${join(folder, names[1]!)}`);
  });
});
