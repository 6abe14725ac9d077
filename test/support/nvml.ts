// A stand-in for NVIDIA's management library, built from nvml-stub.c, and the machines that it can play. Rewriting the
// scenario changes what a process that has it loaded sees.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const gib = 1024 ** 3;

export interface NvmlStub {
  /** Path for openNvml and createProbe. */
  path: string;
  /** @param lines see nvml-stub.c */
  play(...lines: string[]): void;
  remove(): void;
}

/** @param variant `old`: a driver without the newer functions; `535`: one with the odd process list */
export async function buildNvmlStub(variant?: 'old' | '535'): Promise<NvmlStub> {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-nvml-'));
  const path = join(folder, 'libnvidia-ml.so.1');
  const defines = variant === 'old' ? ['-DOLD_DRIVER'] : variant === '535' ? ['-DDRIVER_535'] : [];
  const source = join(import.meta.dir, 'nvml-stub.c');
  const compiler = Bun.spawn(['cc', '-shared', '-fPIC', '-O1', ...defines, '-o', path, source], { stderr: 'pipe' });
  const complaints = await compiler.stderr.text();
  if ((await compiler.exited) !== 0) throw new Error(complaints);
  return {
    path,
    play(...lines) {
      // By rename: a process that reads at this moment sees the old machine or the new one.
      writeFileSync(`${path}.next`, `${lines.join('\n')}\n`);
      renameSync(`${path}.next`, `${path}.scenario`);
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

export const driver = 'driver version=580.95.05 cuda=13000';

/** One GPU line; later fields win over the usual ones. */
export function gpu(uuid: string, fields: Record<string, string | number> = {}): string {
  const all = {
    uuid,
    name: 'NVIDIA_H100_80GB_HBM3',
    total: 80 * gib,
    reserved: 0.5 * gib,
    used: 0,
    util: 0,
    temp: 34,
    power: 71_250,
    limit: 700_000,
    sm: 1980,
    mem: 2619,
    throttle: '0x1',
    ecc: 0,
    major: 9,
    minor: 0,
    ...fields,
  };
  const pairs = Object.entries(all).map(([key, value]) => `${key}=${value}`);
  return `gpu ${pairs.join(' ')}`;
}

export const hasCompiler = Bun.which('cc') !== null;
