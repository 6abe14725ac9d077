// How often the system has killed a process for want of memory. The kernel names none of them to an ordinary user, so
// the count before and after a process's end is what there is to go by.
import { findText } from '../device/system-files.ts';

/**
 * Kills in the control group of this process and those below it; where that cannot be read, on the whole machine.
 * @param root of the file system; tests give another
 */
export function countMemoryKills(root = '/'): number {
  const memberships = (findText(root, 'proc/self/cgroup') ?? '').split('\n');
  const second = memberships.find((line) => line.startsWith('0::'))?.slice(3);
  const first = memberships.find((line) => line.split(':')[1]?.split(',').includes('memory'))?.split(':')[2];
  // In a container the path is often one of the host's; what is mounted is then the container's own.
  const files = [
    ...(second === undefined ? [] : [`sys/fs/cgroup${second}/memory.events`, 'sys/fs/cgroup/memory.events']),
    ...(first === undefined
      ? []
      : [`sys/fs/cgroup/memory${first}/memory.oom_control`, 'sys/fs/cgroup/memory/memory.oom_control']),
    'proc/vmstat',
  ];
  for (const file of files) {
    const count = /^oom_kill (\d+)$/m.exec(findText(root, file) ?? '')?.[1];
    if (count !== undefined) return Number(count);
  }
  return 0;
}
