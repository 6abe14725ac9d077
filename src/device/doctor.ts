// Looks at what commonly goes wrong on a new machine and says what to do about each. `examine` is pure; `gatherFacts` reads
// the machine. Knows nothing of models.
import { accessSync, constants } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';

import type { CpuTopology } from './cpu.ts';
import type { Device } from './device.ts';
import type { PackStatus } from './gpu-pack.ts';
import type { NvmlProblem } from './nvml.ts';
import type { Probe } from './probe.ts';
import { listNvidiaCards } from './sysfs-gpu.ts';
import { findText, listNames } from './system-files.ts';

export interface Finding {
  level: 'ok' | 'warning' | 'error';
  /** What was looked at: "driver", "gpu", "permissions", "pack", "shared memory", "limits", "clock", "disk", "cpu", "memory". */
  topic: string;
  what: string;
  /** What to do; absent where all is well. */
  fix?: string;
}

export interface MachineFacts {
  nvidiaCards: { pciAddress: string; driver?: string }[];
  /** Version of the loaded kernel module. */
  kernelDriver?: string;
  /** Device files of NVIDIA that exist and that this process may not open. */
  closedDeviceFiles: string[];
  sharedMemoryBytes?: number;
  sharedMemoryFreeBytes?: number;
  openFilesLimit?: number;
  now: Date;
  dataFreeBytes?: number;
}

export interface DoctorParts extends MachineFacts {
  devices: Device[];
  topology: CpuTopology;
  nvmlProblem?: NvmlProblem;
  /** GPUs that the driver counts and that cannot be read. */
  faults: string[];
  pack?: PackStatus;
  runtimeVersion: string;
}

const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;
const leastSharedBytes = 512 * mebibyte;
const containerSharedBytes = 64 * mebibyte;
const leastOpenFiles = 4096;
const leastDiskBytes = 5 * gibibyte;
const fullDiskBytes = 512 * mebibyte;
const leastMemoryBytes = 2 * gibibyte;
/** Before this the clock was never set: certificates and schedules would be wrong. */
const earliestYear = 2025;

/** @param folder where the appliance keeps its data */
export async function gatherFacts(folder: string, root = '/'): Promise<MachineFacts> {
  const shared = await statfs(join(root, 'dev/shm')).catch(() => undefined);
  const data = await statfs(folder).catch(() => undefined);
  const openFiles = /^Max open files\s+(\d+|unlimited)/m.exec(findText(root, 'proc/self/limits') ?? '')?.[1];
  return {
    nvidiaCards: listNvidiaCards(root),
    kernelDriver: findText(root, 'sys/module/nvidia/version'),
    closedDeviceFiles: listNames(root, 'dev')
      .filter((name) => /^nvidia(?:\d+|ctl|-uvm)$/.test(name))
      .filter((name) => !canUse(join(root, 'dev', name)))
      .map((name) => `/dev/${name}`),
    sharedMemoryBytes: shared && shared.blocks * shared.bsize,
    sharedMemoryFreeBytes: shared && shared.bavail * shared.bsize,
    openFilesLimit: openFiles === 'unlimited' ? Infinity : openFiles === undefined ? undefined : Number(openFiles),
    now: new Date(),
    dataFreeBytes: data && data.bavail * data.bsize,
  };
}

function canUse(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Gathers everything there is to look at on this machine, and examines it. @param folder where the appliance keeps its data */
export async function examineMachine(
  probe: Pick<Probe, 'devices' | 'topology' | 'nvmlProblem' | 'faults'>,
  folder: string,
  { pack, runtimeVersion }: Pick<DoctorParts, 'pack' | 'runtimeVersion'>,
): Promise<Finding[]> {
  const facts = await gatherFacts(folder);
  // First, because problems and faults are those of the last reading.
  const devices = probe.devices();
  const { topology, nvmlProblem, faults } = probe;
  return examine({ ...facts, devices, topology, nvmlProblem, faults, pack, runtimeVersion });
}

/** Errors first, then warnings, then what is well. */
export function examine(parts: DoctorParts): Finding[] {
  const rank = { error: 0, warning: 1, ok: 2 };
  return [
    ...examineDriver(parts),
    ...examineGpus(parts),
    ...examinePermissions(parts),
    ...examinePack(parts),
    examineSharedMemory(parts),
    examineOpenFiles(parts),
    examineClock(parts),
    examineDisk(parts),
    examineCpu(parts),
    ...examineMemory(parts),
  ].sort((a, b) => rank[a.level] - rank[b.level]);
}

const ok = (topic: string, what: string): Finding => ({ level: 'ok', topic, what });
const warning = (topic: string, what: string, fix: string): Finding => ({ level: 'warning', topic, what, fix });
const error = (topic: string, what: string, fix: string): Finding => ({ level: 'error', topic, what, fix });

function sizeOf(bytes: number): string {
  return bytes >= gibibyte ? `${(bytes / gibibyte).toFixed(1)} GiB` : `${Math.floor(bytes / mebibyte)} MiB`;
}

function examineDriver({ nvidiaCards, kernelDriver, nvmlProblem, devices }: DoctorParts): Finding[] {
  const gpus = devices.filter(({ kind }) => kind === 'cuda');
  if (!nvmlProblem && gpus.length > 0) {
    return [
      ok('driver', `NVIDIA driver ${gpus[0]!.driverVersion ?? ''} for CUDA ${gpus[0]!.cudaVersion ?? '?'} answers.`),
    ];
  }
  if (nvidiaCards.length === 0 && kernelDriver === undefined && gpus.length === 0) {
    return [ok('driver', 'This machine has no NVIDIA GPU; models run on the processor.')];
  }
  const cards = `${nvidiaCards.length} NVIDIA ${nvidiaCards.length === 1 ? 'card' : 'cards'}`;
  if (nvmlProblem?.kind === 'mismatch') {
    const what = `The NVIDIA kernel driver (${kernelDriver ?? 'of unknown version'}) and its libraries are of different versions.`;
    return [error('driver', what, 'Restart the machine: the driver was updated while the old one was running.')];
  }
  if (nvmlProblem?.kind === 'permission') {
    return [
      error('driver', nvmlProblem.message, 'Let the service use /dev/nvidia*: see DeviceAllow in its unit file.'),
    ];
  }
  const nouveau = nvidiaCards.find(({ driver }) => driver === 'nouveau');
  if (nouveau) {
    const fix = "Install NVIDIA's driver (Debian: nvidia-driver) and restart; it puts nouveau on the block list.";
    return [error('driver', `${cards} present, but the driver nouveau holds ${nouveau.pciAddress}.`, fix)];
  }
  if (kernelDriver === undefined) {
    const fix =
      "Install NVIDIA's driver (Debian: nvidia-driver; NVIDIA's repository: cuda-drivers) and restart the machine.";
    return [error('driver', `${cards} present, but NVIDIA's kernel driver is not loaded.`, fix)];
  }
  if (nvmlProblem?.kind === 'no_library') {
    const fix = `Install libnvidia-ml1 of version ${kernelDriver}; in a container, start it with the NVIDIA runtime.`;
    return [error('driver', nvmlProblem.message, fix)];
  }
  const what = nvmlProblem?.message ?? `The NVIDIA driver ${kernelDriver} answers, but shows no GPU.`;
  return [
    error('driver', what, "Look for lines with 'NVRM' in the kernel's log (journalctl -k) and restart the machine."),
  ];
}

const nameOf = (device: Device) => `${device.name} (${device.pciAddress ?? device.id})`;

function examineGpus({ devices, faults }: DoctorParts): Finding[] {
  return [
    ...faults.map((fault) => error('gpu', fault, "Restart the machine; if it stays, look at 'NVRM' in journalctl -k.")),
    ...devices
      .filter(({ state }) => state === 'lost')
      .map((device) =>
        error(
          'gpu',
          `${nameOf(device)} is lost: ${device.reason}.`,
          'Check its seat, power and cooling, then restart.',
        ),
      ),
    ...devices
      .filter(({ state, reading }) => state === 'ready' && reading.throttle.length > 0)
      .map((device) =>
        warning(
          'gpu',
          `${nameOf(device)} is slowed down: ${device.reading.throttle.join(', ')}.`,
          'Check the cooling and the power limit (nvidia-smi -q -d PERFORMANCE).',
        ),
      ),
    ...devices
      .filter(({ reading }) => (reading.eccErrors ?? 0) > 0)
      .map((device) =>
        warning(
          'gpu',
          `${nameOf(device)} had ${device.reading.eccErrors} uncorrected memory errors since its driver was loaded.`,
          'Restart the machine; have the card replaced if they come back.',
        ),
      ),
  ];
}

function examinePermissions({ closedDeviceFiles }: DoctorParts): Finding[] {
  if (closedDeviceFiles.length === 0) return [];
  const what = `This process may not open ${closedDeviceFiles.join(', ')}.`;
  return [
    error(
      'permissions',
      what,
      "Add the service's user to the files' group (often 'video' or 'render'), then restart it.",
    ),
  ];
}

function examinePack(parts: DoctorParts): Finding[] {
  const { devices, pack, runtimeVersion } = parts;
  const hasGpu = devices.some(({ kind, state }) => kind === 'cuda' && state === 'ready');
  if (!pack) {
    if (!hasGpu) return [];
    const what = 'The GPU pack is not installed, so models cannot use CUDA.';
    return [
      warning(
        'pack',
        what,
        `Run 'aimass gpu-pack install FILE' with the GPU package of ONNX Runtime ${runtimeVersion}.`,
      ),
    ];
  }
  if (!pack.intact) {
    return [
      error('pack', `The files of the GPU pack in ${pack.folder} are damaged.`, "Run 'aimass gpu-pack install' again."),
    ];
  }
  return [...examineCudaVersion(parts, pack), ...examineProviders(pack, hasGpu)];
}

/** A driver runs programs for its own CUDA version and older ones. */
function examineCudaVersion({ devices }: DoctorParts, pack: PackStatus): Finding[] {
  const supported = devices.find(({ kind, state }) => kind === 'cuda' && state === 'ready')?.cudaVersion;
  if (!supported || Number.parseInt(supported, 10) >= Number(pack.cudaMajor)) return [];
  const what = `The GPU pack is for CUDA ${pack.cudaMajor}, but the driver supports CUDA ${supported} at most.`;
  return [
    error('pack', what, `Update the NVIDIA driver, or install the pack for CUDA ${Number.parseInt(supported, 10)}.`),
  ];
}

function examineProviders(pack: PackStatus, hasGpu: boolean): Finding[] {
  return pack.providers.flatMap(({ name, missing, loadable }) => {
    if (missing.length === 0) return [ok('pack', `GPU pack ${pack.version}: ${name} has all of its libraries.`)];
    const list = missing.map((library) => library.name).join(', ');
    const packages = [...new Set(missing.map((library) => library.package ?? `the package that has ${library.name}`))];
    const effect = loadable ? 'models that need them will fail or run on the processor' : `${name} cannot be used`;
    // TensorRT is an extra: without it CUDA is taken.
    const report = hasGpu && !loadable && name === 'cuda' ? error : warning;
    return [
      report('pack', `Libraries for ${name} are missing (${list}): ${effect}.`, `Install: ${packages.join('; ')}.`),
    ];
  });
}

function examineSharedMemory({ sharedMemoryBytes, sharedMemoryFreeBytes }: DoctorParts): Finding {
  const topic = 'shared memory';
  if (sharedMemoryBytes === undefined || sharedMemoryFreeBytes === undefined) {
    return error(topic, '/dev/shm is not there; tensors travel through it.', 'Mount a tmpfs on /dev/shm.');
  }
  const fix = 'Mount /dev/shm larger; in a container, start it with --shm-size=8g or --ipc=host.';
  if (sharedMemoryBytes <= containerSharedBytes) {
    return error(
      topic,
      `/dev/shm has ${sizeOf(sharedMemoryBytes)}, the default of containers: too little for tensors.`,
      fix,
    );
  }
  if (sharedMemoryFreeBytes < leastSharedBytes) {
    return warning(topic, `/dev/shm has only ${sizeOf(sharedMemoryFreeBytes)} free.`, fix);
  }
  return ok(topic, `/dev/shm has ${sizeOf(sharedMemoryFreeBytes)} free.`);
}

function examineOpenFiles({ openFilesLimit }: DoctorParts): Finding {
  if (openFilesLimit === undefined) return ok('limits', 'The limit of open files is not told.');
  if (openFilesLimit >= leastOpenFiles) return ok('limits', `${openFilesLimit} files may be open.`);
  const what = `Only ${openFilesLimit} files may be open at once: connections will be refused under load.`;
  return warning('limits', what, 'Set LimitNOFILE=65536 in the unit file, or ulimit -n 65536 before the start.');
}

function examineClock({ now }: DoctorParts): Finding {
  if (now.getUTCFullYear() >= earliestYear) return ok('clock', `The clock says ${now.toISOString()}.`);
  const what = `The clock says ${now.toISOString()}, which cannot be: keys and schedules depend on it.`;
  return error(
    'clock',
    what,
    'Set it: timedatectl set-time, or a time server on your network in /etc/systemd/timesyncd.conf.',
  );
}

function examineDisk({ dataFreeBytes }: DoctorParts): Finding {
  if (dataFreeBytes === undefined) {
    return warning(
      'disk',
      'The data folder cannot be looked at.',
      'Check that it exists and that the service may read it.',
    );
  }
  const what = `The data folder's disk has ${sizeOf(dataFreeBytes)} free.`;
  const fix = 'Remove versions that are no longer needed, or give the data folder a bigger disk.';
  if (dataFreeBytes < fullDiskBytes) return error('disk', what, fix);
  return dataFreeBytes < leastDiskBytes ? warning('disk', what, fix) : ok('disk', what);
}

function examineCpu({ topology }: DoctorParts): Finding {
  const { name, features, threads, usableCpus } = topology;
  if (process.arch === 'x64' && !features.includes('avx2')) {
    const fix = 'Use a processor of 2013 or later; in a virtual machine, pass the host CPU through.';
    return warning('cpu', `${name} shows no AVX2: models run several times slower.`, fix);
  }
  const limit = usableCpus < threads ? `, of which ${usableCpus} may be used (affinity or control group)` : '';
  return ok('cpu', `${name}: ${threads} threads${limit}.`);
}

function examineMemory({ topology, devices }: DoctorParts): Finding[] {
  const cpu = devices.find(({ kind }) => kind === 'cpu');
  if (!cpu) return [];
  const limited = topology.memoryLimitBytes !== undefined && topology.memoryLimitBytes <= cpu.reading.totalBytes;
  const what = `${sizeOf(cpu.reading.freeBytes)} of ${sizeOf(cpu.reading.totalBytes)} memory free${limited ? ' (limited by a control group)' : ''}.`;
  if (cpu.reading.freeBytes >= leastMemoryBytes) return [ok('memory', what)];
  const fix = limited
    ? 'Raise MemoryMax in the unit file, or the memory of the container.'
    : 'Stop other programs, or add memory.';
  return [warning('memory', what, fix)];
}
