// Says in one sentence why an execution provider cannot compute a model here. Looks at the provider's library files, and
// loads none of them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { readElf } from '../device/elf.ts';
import { findPackage } from '../device/library-packages.ts';
import { findMissing } from '../device/loader-path.ts';
import { readableMessage } from './runtime-message.ts';
import type { ProviderName } from './session.ts';

export interface ProviderPlace {
  provider: ProviderName;
  nativeFolder: string;
  /** Where the dynamic loader looks first: LD_LIBRARY_PATH of this process. */
  searchPath?: readonly string[];
}

const known: [RegExp, (match: RegExpExecArray) => string][] = [
  [
    /(lib[\w.+-]{1,100}\.so[\d.]{0,20}): cannot open shared object file/,
    ([, library]) => `The library ${nameWithPackage(library!, '13')} is missing.`,
  ],
  [
    /Failed to get a WebGPU adapter|[Cc]ouldn't open libvulkan|libvulkan\.so/,
    () =>
      'There is no WebGPU adapter: no Vulkan driver for a GPU is installed (on Debian libvulkan1 and ' +
      "mesa-vulkan-drivers or NVIDIA's), or this user may not open /dev/dri.",
  ],
  [/no CUDA-capable device|cudaErrorNoDevice/, () => 'CUDA sees no GPU.'],
  [
    /CUDA driver version is insufficient|cudaErrorInsufficientDriver/,
    () => 'The NVIDIA driver is too old for the CUDA version of the GPU pack, or is not loaded.',
  ],
  [/no kernel image is available/, () => 'The GPU pack was not made for this generation of GPU.'],
  [
    /out of memory|OUT_OF_MEMORY|bad_alloc|Failed to allocate|OutOfMemory/i,
    () => 'The model and its values do not fit into the memory that is free.',
  ],
  [
    /Could not find an implementation for (\w{1,200})\((\d+)\) node/,
    ([, operator, version]) => `Operator '${operator}' of version ${version} is not supported.`,
  ],
];

export async function explainProviderError(message: string, place: ProviderPlace): Promise<string> {
  const text = message.slice(0, 4000);
  if (/Failed to load (?:shared )?library/.test(text)) {
    const problem = await findLibraryProblem(place);
    if (problem) return problem;
  }
  for (const [pattern, explain] of known) {
    const match = pattern.exec(text);
    if (match) return explain(match);
  }
  return sentence(readableMessage(text));
}

/** ONNX Runtime's own message does not tell which library it did not find. */
async function findLibraryProblem({ provider, nativeFolder, searchPath }: ProviderPlace): Promise<string | undefined> {
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
