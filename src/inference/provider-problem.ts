// Says in one sentence why an execution provider cannot compute a model here. Looks at the provider's library files, and
// loads none of them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { readElf } from '../device/elf.ts';
import { findPackage } from '../device/library-packages.ts';
import { findMissing } from '../device/loader-path.ts';
import { findFault } from './diagnosis.ts';
import { readableMessage } from './runtime-message.ts';
import type { ProviderName } from './session.ts';

export interface ProviderPlace {
  provider: ProviderName;
  nativeFolder: string;
  /** Where the dynamic loader looks first: LD_LIBRARY_PATH of this process. */
  searchPath?: readonly string[];
}

/** Why it cannot compute the model. */
export interface ProviderProblem {
  /** One sentence. */
  reason: string;
  /** It is the machine's doing, which somebody may put right, and not the model's. */
  ofMachine?: true;
}

/** What is wrong with the machine, and what its administrator can do. */
const machineProblems: [RegExp, string][] = [
  [
    /Failed to get a WebGPU adapter|[Cc]ouldn't open libvulkan|libvulkan\.so/,
    'There is no WebGPU adapter: no Vulkan driver for a GPU is installed (on Debian libvulkan1 and ' +
      "mesa-vulkan-drivers or NVIDIA's), or this user may not open /dev/dri.",
  ],
  [
    /no CUDA-capable device|cudaErrorNoDevice/,
    'CUDA sees no GPU: this user may not open /dev/nvidia*, or /dev/nvidia-uvm is not there (nvidia-modprobe -u makes it).',
  ],
  [
    /CUDA driver version is insufficient|cudaErrorInsufficientDriver/,
    'The NVIDIA driver is too old for the CUDA version of the GPU pack, or is not loaded.',
  ],
  [
    /system not yet initialized|cudaErrorSystemNotReady/,
    "The GPUs' switches are not set up yet: start NVIDIA's fabric manager (nvidia-fabricmanager, of the driver's version).",
  ],
  [
    /unsupported display driver \/ cuda driver combination|forward compatibility was attempted/,
    "The libcuda.so.1 that is found is not that of the loaded driver: remove the package cuda-compat or its folder from the search path, or restart after a driver's update.",
  ],
  [/busy or unavailable|cudaErrorDevicesUnavailable/, 'The GPU is busy: another program has it for itself alone.'],
];

const known: [RegExp, (match: RegExpExecArray) => string][] = [
  [
    /(lib[\w.+-]{1,100}\.so[\d.]{0,20}): cannot open shared object file/,
    ([, library]) => `The library ${nameWithPackage(library!, '13')} is missing.`,
  ],
  [/no kernel image is available/, () => 'The GPU pack was not made for this generation of GPU.'],
  [
    /Could not find an implementation for (\w{1,200})\((\d+)\) node/,
    ([, operator, version]) => `Operator '${operator}' of version ${version} is not supported.`,
  ],
];

export async function explainProviderError(message: string, place: ProviderPlace): Promise<ProviderProblem> {
  const text = message.slice(0, 4000);
  if (/Failed to load (?:shared )?library/.test(text)) {
    const reason = await findLibraryProblem(place);
    if (reason !== undefined) return { reason };
  }
  const reason = machineProblems.find(([pattern]) => pattern.test(text))?.[1];
  if (reason !== undefined) return { reason, ofMachine: true };
  if (findFault(text) === 'out_of_memory' || /Failed to allocate/i.test(text)) {
    return { reason: 'The model and its values do not fit into the memory that is free.' };
  }
  for (const [pattern, explain] of known) {
    const match = pattern.exec(text);
    if (match) return { reason: explain(match) };
  }
  return { reason: sentence(readableMessage(text)), ...(findFault(text) === 'device_lost' && { ofMachine: true }) };
}

/**
 * What is missing of CUDA or TensorRT, so that it need not be tried; ONNX Runtime's own message does not tell which library
 * it did not find.
 */
export async function findLibraryProblem({
  provider,
  nativeFolder,
  searchPath,
}: ProviderPlace): Promise<string | undefined> {
  if (provider !== 'cuda' && provider !== 'tensorrt') return undefined;
  const library = join(nativeFolder, `libonnxruntime_providers_${provider}.so`);
  if (!existsSync(library)) {
    return `The GPU pack is not installed, or has no part for ${provider}: install it with 'aimass gpu-pack install FILE'.`;
  }
  const missing = (await findMissing(library, [], { searchPath })).map(({ name }) => name);
  if (missing.length === 0) return undefined;
  const { needed } = await readElf(library);
  const cudaMajor = needed.map((name) => /^libcudart\.so\.(\d+)$/.exec(name)?.[1]).find(Boolean) ?? '13';
  const list = missing.map((name) => nameWithPackage(name, cudaMajor)).join(', ');
  return missing.length === 1 ? `The library ${list} is missing.` : `These libraries are missing: ${list}.`;
}

function nameWithPackage(library: string, cudaMajor: string): string {
  const name = findPackage(library, cudaMajor);
  return name === undefined ? library : `${library} (in ${name})`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
