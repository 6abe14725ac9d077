// The numbers, bit masks and memory layouts of NVIDIA's nvml.h (API version 13) that are used, on 64-bit Linux.
// Offsets are in bytes. Calls nothing.

/** nvmlReturn_t */
export const nvmlStatus = {
  success: 0,
  uninitialized: 1,
  notSupported: 3,
  noPermission: 4,
  notFound: 6,
  insufficientSize: 7,
  driverNotLoaded: 9,
  timeout: 10,
  libraryNotFound: 12,
  functionNotFound: 13,
  gpuIsLost: 15,
  resetRequired: 16,
  operatingSystem: 17,
  versionMismatch: 18,
  gpuNotFound: 28,
  unknown: 999,
} as const;

const statusWords: Record<number, string | undefined> = {
  1: 'the management library was shut down',
  2: 'invalid argument',
  3: 'not supported by this GPU',
  4: 'no permission',
  6: 'not found',
  7: 'buffer too small',
  8: 'a power cable of the GPU is not attached',
  9: 'the NVIDIA kernel driver is not loaded',
  10: 'timed out',
  11: 'the kernel found an interrupt problem with a GPU',
  12: 'a library of the driver is missing',
  13: 'the driver is too old for this',
  14: "the GPU's configuration memory is corrupt",
  15: 'the GPU has fallen off the bus',
  16: 'the GPU must be reset before it can be used again',
  17: 'the operating system blocks access to the GPU',
  18: 'the versions of the kernel driver and of its libraries differ',
  19: 'the GPU is in use',
  20: 'not enough memory',
  23: 'the driver ran out of resources',
  25: 'the driver does not know this version of a structure',
  27: 'the driver is not ready',
  28: 'the GPU was not found',
  999: 'an internal error of the driver',
};

/** What an nvmlReturn_t means, for people. */
export const describeStatus = (status: number): string => statusWords[status] ?? `NVML error ${status}`;

/** Statuses after which a GPU no longer answers until it is reset or the machine restarts. */
export const lostStatuses: ReadonlySet<number> = new Set([
  nvmlStatus.gpuIsLost,
  nvmlStatus.resetRequired,
  nvmlStatus.gpuNotFound,
  nvmlStatus.unknown,
]);

/** Reasons that hold the clocks down. An idle GPU (1) and clocks chosen by a person (2, 0x100) are not faults. */
const throttleBits: [bigint, string][] = [
  [0x4n, 'power limit reached'],
  [0x8n, 'hardware slowdown'],
  [0x10n, 'held to the clocks of a sync boost group'],
  [0x20n, 'too hot (slowed by the driver)'],
  [0x40n, 'too hot (slowed by the hardware)'],
  [0x80n, 'power brake of the server'],
];

export const describeThrottle = (mask: bigint): string[] =>
  throttleBits.filter(([bit]) => (mask & bit) !== 0n).map(([, words]) => words);

export const nameBytes = 96;
export const driverVersionBytes = 80;
export const clockSm = 1;
export const clockMemory = 2;
export const temperatureGpu = 0;
export const eccUncorrected = 1;
export const eccVolatile = 0;
export const eventXid = 8n;
/** NVML_VALUE_NOT_AVAILABLE as an unsigned long long. */
const notAvailable = 0xffff_ffff_ffff_ffffn;

/** Reads the C string at the start of `bytes`. */
export function readText(bytes: Uint8Array, offset = 0, length = bytes.length - offset): string {
  const field = bytes.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** nvmlPciInfo_t: char busIdLegacy[16]; unsigned domain, bus, device, pciDeviceId, pciSubSystemId; char busId[32]. */
export const pciInfoBytes = 68;

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');

/** @returns the address as sysfs writes it, e.g. "0000:3b:00.0" */
export function readPciAddress(info: Buffer): string {
  const [domain, bus, device] = [info.readUInt32LE(16), info.readUInt32LE(20), info.readUInt32LE(24)];
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.0`;
}

export interface NvmlMemory {
  totalBytes: number;
  usedBytes: number;
  freeBytes: number;
}

/** nvmlMemory_v2_t: unsigned version; unsigned long long total, reserved, free, used (`reserved` counts as used). */
export function newMemoryV2(): Buffer {
  const memory = Buffer.alloc(40);
  memory.writeUInt32LE(memory.length | (2 << 24), 0);
  return memory;
}

export function readMemoryV2(memory: Buffer): NvmlMemory {
  const totalBytes = Number(memory.readBigUInt64LE(8));
  const freeBytes = Number(memory.readBigUInt64LE(24));
  // What is neither free nor counted as used is not to be had either.
  return { totalBytes, freeBytes, usedBytes: totalBytes - freeBytes };
}

/** nvmlMemory_t: unsigned long long total, free, used. */
export const memoryV1Bytes = 24;

export function readMemoryV1(memory: Buffer): NvmlMemory {
  const totalBytes = Number(memory.readBigUInt64LE(0));
  const freeBytes = Number(memory.readBigUInt64LE(8));
  return { totalBytes, freeBytes, usedBytes: totalBytes - freeBytes };
}

/** nvmlDeviceAttributes_t: eight unsigned counts, then unsigned long long memorySizeMB (MiB). */
export const attributesBytes = 40;
export const readAttributesMemory = (attributes: Buffer): number => Number(attributes.readBigUInt64LE(32)) * 1024 ** 2;

/**
 * nvmlProcessInfo_v1_t is { unsigned pid; unsigned long long usedGpuMemory }: 16 bytes. The second version adds unsigned
 * gpuInstanceId and computeInstanceId: 24 bytes. Drivers from 535.43 until 535.98 wrote 32 bytes through the third
 * version of the function, whose type stayed the second one before and after.
 */
export const processInfoBytes = { v1: 16, v2: 24, v3Of535: 32 } as const;
export const largestProcessInfoBytes = processInfoBytes.v3Of535;

/** @param usedBytes 0 where the driver does not tell */
export function readProcesses(list: Buffer, count: number, stride: number): { pid: number; usedBytes: number }[] {
  return Array.from({ length: count }, (_, index) => {
    const used = list.readBigUInt64LE(index * stride + 8);
    return { pid: list.readUInt32LE(index * stride), usedBytes: used === notAvailable ? 0 : Number(used) };
  });
}

/** nvmlEventData_t: device handle; unsigned long long eventType, eventData; unsigned gpuInstanceId, computeInstanceId. */
export const eventDataBytes = 32;

export const readEvent = (event: Buffer): { device: bigint; type: bigint; data: number } => ({
  device: event.readBigUInt64LE(0),
  type: event.readBigUInt64LE(8),
  data: Number(event.readBigUInt64LE(16)),
});

/** The XID numbers that tell of hardware or driver faults; see NVIDIA's "XID Errors" page. Others come from applications. */
const xidWords: Record<number, string | undefined> = {
  13: 'an application caused an exception in a graphics engine',
  31: 'an application touched GPU memory that is not its own',
  43: 'an application was stopped by a fault of its own',
  45: 'a job was ended after an earlier error',
  48: 'double-bit ECC error in GPU memory',
  62: "the GPU's controller halted",
  63: 'a faulty memory row was replaced',
  64: 'a faulty memory row could not be replaced',
  74: 'NVLink error',
  79: 'the GPU has fallen off the bus',
  92: 'many single-bit ECC errors',
  94: 'a memory error was contained to one application',
  95: 'a memory error could not be contained',
  119: "the GPU's system processor does not answer",
  120: "the GPU's system processor reported an error",
  140: 'ECC error that was not recovered',
};

export const describeXid = (xid: number): string => xidWords[xid] ?? `XID ${xid}`;
