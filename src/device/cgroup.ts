// The memory and CPU that the control groups of this process leave to it, in both versions of the kernel's interface.
import { posix } from 'node:path';

import { findNumber, findText } from './system-files.ts';

export interface CgroupLimits {
  memoryLimitBytes?: number;
  /** Bytes under the tightest memory limit that could not be reclaimed at once. */
  memoryUsedBytes?: number;
  /** CPUs' worth of time, e.g. 2.5. */
  cpuLimit?: number;
}

/** A limit from here on means none: version 1 writes the largest page-aligned number instead of "max". */
const unlimitedBytes = 2 ** 60;

export function readCgroup(root: string): CgroupLimits {
  const limits: CgroupLimits = {};
  for (const folder of foldersOf(root, 'memory')) tightenMemory(root, folder, limits);
  for (const folder of foldersOf(root, 'cpu')) tightenCpu(root, folder, limits);
  return limits;
}

/** The folders of this process's groups for one controller, from its own up to the mount. */
function foldersOf(root: string, controller: string): string[] {
  const memberships = (findText(root, 'proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  const mounts = (findText(root, 'proc/self/mountinfo') ?? '').split('\n').map(parseMount);
  return memberships.flatMap(([id, controllers = '', path = '/']) => {
    const second = id === '0' && controllers === '';
    if (!second && !controllers.split(',').includes(controller)) return [];
    const mount = mounts.find(({ type, options }) =>
      second ? type === 'cgroup2' : type === 'cgroup' && options.split(',').includes(controller),
    );
    return mount ? ancestors(mount.at, insideMount(path, mount.root)) : [];
  });
}

function parseMount(line: string): { root: string; at: string; type: string; options: string } {
  const [before = '', after = ''] = line.split(' - ');
  const fields = before.split(' ');
  const [type = '', , options = ''] = after.split(' ');
  return { root: fields[3] ?? '/', at: fields[4] ?? '/', type, options };
}

/** In a container the mount often shows only the part of the tree that the process is in. */
function insideMount(path: string, mountRoot: string): string {
  if (mountRoot === '/') return path;
  return path === mountRoot || path.startsWith(`${mountRoot}/`) ? path.slice(mountRoot.length) : '/';
}

function ancestors(mount: string, path: string): string[] {
  const folders: string[] = [];
  for (let at = posix.join('/', path); ; at = posix.dirname(at)) {
    folders.push(posix.join(mount, at));
    if (at === '/') return folders;
  }
}

function tightenMemory(root: string, folder: string, limits: CgroupLimits): void {
  const second = findNumber(root, `${folder}/memory.max`);
  const limit = second ?? findNumber(root, `${folder}/memory.limit_in_bytes`);
  if (limit === undefined || limit >= unlimitedBytes || limit >= (limits.memoryLimitBytes ?? Infinity)) return;
  const used = findNumber(root, `${folder}/memory.${second === undefined ? 'usage_in_bytes' : 'current'}`) ?? 0;
  const stat = findText(root, `${folder}/memory.stat`) ?? '';
  // File pages that are not in use are given back when memory is asked for.
  const cached = Number(/^(?:total_)?inactive_file (\d+)$/m.exec(stat)?.[1] ?? 0);
  limits.memoryLimitBytes = limit;
  limits.memoryUsedBytes = Math.max(0, used - cached);
}

function tightenCpu(root: string, folder: string, limits: CgroupLimits): void {
  const [quota, period] = findText(root, `${folder}/cpu.max`)?.split(' ').map(Number) ?? [
    findNumber(root, `${folder}/cpu.cfs_quota_us`),
    findNumber(root, `${folder}/cpu.cfs_period_us`),
  ];
  // No limit is "max" in version 2 and -1 in version 1.
  if (!quota || !period || quota < 0) return;
  limits.cpuLimit = Math.min(limits.cpuLimit ?? Infinity, quota / period);
}
