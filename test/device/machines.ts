// Folders of kernel files as real machines show them, for tests that look below another root.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface Machine {
  root: string;
  write(path: string, text: string): void;
  remove(): void;
}

export function newMachine(files: Record<string, string> = {}): Machine {
  const root = mkdtempSync(join(tmpdir(), 'aimass-machine-'));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  return { root, write, remove: () => rmSync(root, { recursive: true }) };
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Two sockets, each of 4 cores with 2 threads and 64 GiB; the second thread of core n is CPU n + 8. */
export function twoSockets(): Record<string, string> {
  const files: Record<string, string> = {
    'proc/cpuinfo': range(16)
      .map((cpu) =>
        [
          `processor\t: ${cpu}`,
          'vendor_id\t: GenuineIntel',
          'model name\t: Intel(R) Xeon(R) Platinum 8462Y+',
          `physical id\t: ${Math.floor((cpu % 8) / 4)}`,
          `core id\t\t: ${cpu % 4}`,
          'flags\t\t: fpu sse4_2 fma avx f16c avx2 avx512f avx512_vnni avx_vnni amx_bf16 amx_tile amx_int8 aes',
          '',
        ].join('\n'),
      )
      .join('\n'),
    'proc/meminfo': 'MemTotal:       131072000 kB\nMemFree:          500000 kB\nMemAvailable:   120000000 kB',
    'proc/stat': 'cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 10 0 10 80 0 0 0 0 0 0',
    'proc/self/status': 'Name:\tbun\nCpus_allowed:\tffff\nCpus_allowed_list:\t0-15',
    'proc/self/cgroup': '0::/system.slice/aimass.service',
    'proc/self/mountinfo': '31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate',
    'sys/devices/system/cpu/online': '0-15',
    'sys/devices/system/node/node0/cpulist': '0-3,8-11',
    'sys/devices/system/node/node0/meminfo': 'Node 0 MemTotal:       65536000 kB\nNode 0 MemFree:  1 kB',
    'sys/devices/system/node/node1/cpulist': '4-7,12-15',
    'sys/devices/system/node/node1/meminfo': 'Node 1 MemTotal:       65536000 kB\nNode 1 MemFree:  1 kB',
    'sys/devices/system/node/online': '0-1',
  };
  for (const cpu of range(16)) {
    const folder = `sys/devices/system/cpu/cpu${cpu}/topology`;
    files[`${folder}/physical_package_id`] = String(Math.floor((cpu % 8) / 4));
    files[`${folder}/core_cpus_list`] = `${cpu % 8},${(cpu % 8) + 8}`;
  }
  return files;
}
