// Loads NVIDIA's management library and calls its functions by name. A function that an older driver lacks answers
// NVML_ERROR_FUNCTION_NOT_FOUND instead of failing the load. Knows the functions' arguments, not their meaning.
import { type CFunction, dlopen, linkSymbols } from 'bun:ffi';

import { nvmlStatus } from './nvml-structs.ts';

const handle = 'u64';
const out = 'ptr';

/** Arguments as nvml.h declares them (API version 13); every one of these functions returns nvmlReturn_t. */
const declarations = {
  nvmlInit_v2: [],
  nvmlShutdown: [],
  nvmlSystemGetDriverVersion: [out, 'u32'],
  nvmlSystemGetCudaDriverVersion_v2: [out],
  nvmlSystemGetProcessName: ['u32', out, 'u32'],
  nvmlDeviceGetCount_v2: [out],
  nvmlDeviceGetHandleByIndex_v2: ['u32', out],
  nvmlDeviceGetName: [handle, out, 'u32'],
  nvmlDeviceGetUUID: [handle, out, 'u32'],
  nvmlDeviceGetPciInfo_v3: [handle, out],
  nvmlDeviceGetMemoryInfo_v2: [handle, out],
  nvmlDeviceGetMemoryInfo: [handle, out],
  nvmlDeviceGetUtilizationRates: [handle, out],
  nvmlDeviceGetTemperature: [handle, 'u32', out],
  nvmlDeviceGetPowerUsage: [handle, out],
  nvmlDeviceGetEnforcedPowerLimit: [handle, out],
  nvmlDeviceGetClockInfo: [handle, 'u32', out],
  nvmlDeviceGetCurrentClocksEventReasons: [handle, out],
  nvmlDeviceGetCurrentClocksThrottleReasons: [handle, out],
  nvmlDeviceGetTotalEccErrors: [handle, 'u32', 'u32', out],
  nvmlDeviceGetCudaComputeCapability: [handle, out, out],
  nvmlDeviceGetMigMode: [handle, out, out],
  nvmlDeviceGetMaxMigDeviceCount: [handle, out],
  nvmlDeviceGetMigDeviceHandleByIndex: [handle, 'u32', out],
  nvmlDeviceGetAttributes_v2: [handle, out],
  nvmlDeviceGetComputeRunningProcesses_v3: [handle, out, out],
  nvmlDeviceGetComputeRunningProcesses_v2: [handle, out, out],
  nvmlDeviceGetComputeRunningProcesses: [handle, out, out],
  nvmlEventSetCreate: [out],
  nvmlDeviceRegisterEvents: [handle, 'u64', handle],
  nvmlEventSetWait_v2: [handle, out, 'u32'],
  nvmlEventSetFree: [handle],
} as const satisfies Record<string, readonly ('ptr' | 'u32' | 'u64')[]>;

export type NvmlFunction = keyof typeof declarations;
/** A typed array is passed as the address of its first byte. */
export type NvmlArgument = number | bigint | NodeJS.TypedArray;

export interface NvmlLibrary {
  has(name: NvmlFunction): boolean;
  /** @returns nvmlReturn_t */
  call(name: NvmlFunction, ...values: NvmlArgument[]): number;
  /** Unloads the library, so that a newer file is found by the next load. */
  close(): void;
}

const lazyBinding = 1;
const cString = (value: string) => Buffer.from(`${value}\0`);

let loader: ReturnType<typeof openLoader> | undefined;

/** Bun's own dlopen fails as a whole when one symbol is missing, and does not say why. */
function openLoader() {
  return dlopen('libdl.so.2', {
    dlopen: { args: ['ptr', 'i32'], returns: 'ptr' },
    dlsym: { args: ['ptr', 'ptr'], returns: 'ptr' },
    dlerror: { args: [], returns: 'cstring' },
    dlclose: { args: ['ptr'], returns: 'i32' },
  }).symbols;
}

/** @returns the library, or the dynamic loader's words on why it cannot be loaded */
export function loadNvml(path: string): NvmlLibrary | string {
  loader ??= openLoader();
  const { dlopen: load, dlsym, dlerror, dlclose } = loader;
  const library = load(cString(path), lazyBinding);
  if (library === null) return String(dlerror());

  const found: Record<string, Parameters<typeof CFunction>[0]> = {};
  for (const [name, args] of Object.entries(declarations)) {
    const address = dlsym(library, cString(name));
    if (address !== null) found[name] = { ptr: address, args, returns: 'i32' };
  }
  const linked = linkSymbols(found);
  const functions = linked.symbols as unknown as Record<string, undefined | ((...values: NvmlArgument[]) => number)>;
  return {
    has: (name) => functions[name] !== undefined,
    call(name, ...values) {
      return functions[name]?.(...values) ?? nvmlStatus.functionNotFound;
    },
    close() {
      linked.close();
      dlclose(library);
    },
  };
}
