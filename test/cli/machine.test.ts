// The commands about the machine: devices and doctor against a server with a played GPU, the GPU pack on a data folder.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { buildNvmlStub, driver, gib, gpu, hasCompiler, type NvmlStub } from '../support/nvml.ts';
import { aimass, openServer, type TestServer } from './command-line.ts';

interface Doctor {
  findings: { level: string; topic: string; what: string; fix?: string }[];
}

describe.skipIf(!hasCompiler)('with a GPU (needs cc)', () => {
  let stub: NvmlStub;
  let server: TestServer;

  beforeAll(async () => {
    stub = await buildNvmlStub();
    stub.play(driver, gpu('GPU-0', { used: 20 * gib }), `process gpu=0 pid=77 used=${20 * gib} name=/usr/bin/python3`);
    server = await openServer({ nvmlPath: stub.path });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    stub.remove();
  });

  test('devices: a line for each, then whose processes are on it', async () => {
    const { code, out } = await server.aimass(['devices']);
    expect(code).toBe(0);
    expect(out).toMatch(/^DEVICE +NAME +STATE +MEMORY +LOAD +TEMP +POWER +OURS +OTHERS$/m);
    expect(out).toMatch(/^cpu +\S.* ready /m);
    expect(out).toMatch(
      /^cuda 0 +NVIDIA H100 80GB HBM3 +ready +█+░+ 20\.\d GiB of 80\.0 GiB +0 % +34 °C +71 of 700 W +– +1: 20\.0 GiB$/m,
    );
    expect(out).toContain('GPU-0: not ours: /usr/bin/python3 (77) 20.0 GiB');
    expect(out).not.toContain('No GPU');
    const { devices } = await server.json<{ devices: { id: string }[] }>('devices');
    expect(devices.map(({ id }) => id)).toEqual(['cpu', 'GPU-0']);
  });

  test('doctor asks the server: only it sees this GPU, and that the pack is missing', async () => {
    const { out, err } = await server.aimass(['doctor']);
    expect(err).toBe('');
    expect(out).toMatch(/^ok +driver +NVIDIA driver 580\.95\.05 for CUDA 13\.0 answers\.$/m);
    expect(out).toMatch(/^warning +pack +The GPU pack is not installed/m);
    expect(out).toMatch(/^ +→ Run 'aimass gpu-pack install FILE'/m);
  });

  test('doctor without a server looks by itself; it does not when a server was named', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'aimass-doctor-'));
    try {
      const person = await aimass(['doctor', '--data', folder]);
      expect(person.err).toStartWith('No server answers');
      const { code, out, err } = await aimass(['doctor', '--json', '--data', folder]);
      const { findings } = JSON.parse(out) as Doctor;
      expect(err).toBe('');
      expect(code).toBe(findings.some(({ level }) => level === 'error') ? 1 : 0);
      expect(findings.map(({ topic }) => topic)).toContainValues(['shared memory', 'disk', 'cpu', 'memory']);
      expect(findings.every(({ level, fix }) => (level === 'ok') === (fix === undefined))).toBeTrue();
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(await aimass(['doctor', '--server', 'http://127.0.0.1:1'])).toMatchObject({ code: 3, out: '' });
  });

  test('an error that the doctor finds is exit code 1', async () => {
    stub.play('driver version=580.95.05 cuda=13000', gpu('GPU-0', { lost: 15 }));
    let outcome = await server.aimass(['doctor']);
    while (!outcome.out.includes('is lost')) {
      await Bun.sleep(50);
      outcome = await server.aimass(['doctor']);
    }
    expect(outcome.code).toBe(1);
    expect(outcome.out).toMatch(/^error +gpu +NVIDIA H100 80GB HBM3 .* is lost/);
  });
});

describe.skipIf(!hasCompiler)('gpu-pack (needs cc)', () => {
  let folder: string;
  let data: string;
  let source: string;
  let cuda: string;
  const run = (...argv: string[]) => aimass(['gpu-pack', ...argv, '--data', data]);

  async function build(path: string, version: string, ...needed: string[]): Promise<void> {
    const code = `const char *version(void) { return "${version}"; }`;
    await Bun.$`cc -shared -fPIC -x c - -x none -Wl,--no-as-needed -o ${path} ${needed} < ${new Response(code)}`.quiet();
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'aimass-pack-cli-'));
    data = join(folder, 'data');
    [source, cuda] = [join(folder, 'source'), join(folder, 'cuda')];
    for (const path of [source, cuda]) mkdirSync(path);
    // A version that no machine has.
    const library = join(cuda, 'libcudart.so.99');
    await build(library, '', '-Wl,-soname,libcudart.so.99');
    await build(join(source, 'libonnxruntime_providers_shared.so'), '');
    await build(join(source, 'libonnxruntime_providers_cuda.so'), '1.29.0', library);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('from nothing to an installed pack and back, without a server', async () => {
    expect((await run('status')).out).toContain('not installed');
    const installed = await run('install', source);
    expect(installed).toMatchObject({ code: 0, err: `Reading ${source} …\n` });
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(installed.out).toStartWith(`GPU pack 1.29.0 for CUDA 99 in ${data}/gpu-pack/1.29.0 (2 files, `);
    expect(installed.out).toContain('cuda cannot be loaded; missing:\n  libcudart.so.99, needed by libonnxruntime');
    expect(installed.out).toContain('\n  cuda-cudart-99-0 or newer (NVIDIA)\n');
    expect((await run('status')).out).toBe(installed.out);

    const found = await run('status', '--cuda-path', `:${cuda}`);
    expect(found.out).toMatch(
      /cuda can be loaded; missing:\n(?: .*\n)*  libnvrtc\.so\.99, needed by .* for some models$/m,
    );
    const { pack } = JSON.parse((await run('status', '--json')).out) as { pack: { intact: boolean; version: string } };
    expect(pack).toMatchObject({ version: '1.29.0', intact: true });
    expect(JSON.parse((await aimass(['doctor', '--json', '--data', data])).out)).toMatchObject({
      findings: expect.arrayContaining([
        expect.objectContaining({ topic: 'pack', fix: expect.stringContaining('cuda-cudart-99-0') }),
      ]),
    });

    expect(await run('remove')).toMatchObject({ code: 0, out: 'GPU pack 1.29.0 is removed.\n' });
    expect(await run('remove')).toMatchObject({ code: 1, err: expect.stringContaining('no GPU pack 1.29.0') });
    expect((await run('remove', '../..')).code).toBe(1);
    expect(JSON.parse((await run('status', '--json')).out)).toEqual({
      runtimeVersion: '1.29.0',
      pack: null,
      others: [],
    });
  });

  test('a refused source says why, and wrong usage is told', async () => {
    expect(await run('install', join(folder, 'absent.tgz'))).toMatchObject({ code: 1 });
    expect((await run('install', cuda)).err).toContain('libonnxruntime_providers_cuda.so');
    for (const argv of [['install'], ['status', 'x'], ['upgrade']]) {
      expect(await run(...argv)).toMatchObject({ code: 2, err: expect.stringContaining('gpu-pack install FILE|DIR') });
    }
  });

  test.skipIf(process.getuid?.() !== 0)(
    'root does not put files into the folder of another user (needs root)',
    async () => {
      const other = join(folder, 'other');
      mkdirSync(other);
      await Bun.$`chown 65534 ${other}`.quiet();
      const { code, err } = await aimass(['gpu-pack', 'install', source, '--data', other]);
      expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('sudo -u') });
    },
  );
});
