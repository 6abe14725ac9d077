// The command for the GPU pack. Works on the data folder itself, with or without a server; the pack comes from a local file.
import { mkdir, stat } from 'node:fs/promises';

import {
  findPack,
  type GpuPackOptions,
  installPack,
  listOtherPacks,
  packOptions,
  type PackProvider,
  type PackStatus,
  removePack,
} from '../device/gpu-pack.ts';
import { AppError } from '../error.ts';
import { runtimeVersion } from '../version.ts';
import { type Invocation, UsageError } from './command.ts';
import { formatBytes, indent, plural } from './text.ts';

export async function gpuPack(invocation: Invocation): Promise<void> {
  const [verb, operand] = invocation.operands as [string, string?];
  const { config } = invocation.settings();
  const options = packOptions(config, runtimeVersion);
  if (verb === 'install' && operand !== undefined) {
    await mkdir(config.data, { recursive: true, mode: 0o700 });
    await checkOwner(config.data);
    invocation.report.note(`Reading ${operand} …`);
    await installPack(operand, options);
    await showStatus(invocation, options);
  } else if (verb === 'status' && operand === undefined) {
    await showStatus(invocation, options);
  } else if (verb === 'remove') {
    await checkOwner(config.data);
    await remove(invocation, options, operand ?? runtimeVersion);
  } else {
    throw new UsageError(
      'Usage: aimass gpu-pack install FILE|DIR, or status, or remove [VERSION].',
      "'aimass help gpu-pack' says more.",
    );
  }
}

async function showStatus({ report }: Invocation, options: GpuPackOptions): Promise<void> {
  const [pack, others] = await Promise.all([findPack(options), listOtherPacks(options)]);
  await report.answer({ runtimeVersion, pack: pack ?? null, others }, () => describeStatus(pack, others));
}

async function remove({ report }: Invocation, options: GpuPackOptions, version: string): Promise<void> {
  if (!(await removePack(options, version))) {
    throw new AppError(
      'not_found',
      `There is no GPU pack ${version.slice(0, 40)}.`,
      "'aimass gpu-pack status' shows what there is.",
    );
  }
  await report.answer({ removed: version }, () => `GPU pack ${version} is removed.`);
}

function describeStatus(pack: PackStatus | undefined, others: readonly string[]): string {
  const rest = others.map(
    (version) => `GPU pack ${version} is of another release: 'aimass gpu-pack remove ${version}'.`,
  );
  if (!pack) {
    const how = `'aimass gpu-pack install FILE' takes ONNX Runtime's GPU package for Linux, version ${runtimeVersion}.`;
    return ['The GPU pack is not installed.', how, ...rest].join('\n');
  }
  const bytes = pack.files.reduce((sum, file) => sum + file.bytes, 0);
  const size = `${plural(pack.files.length, 'file')}, ${formatBytes(bytes)}`;
  const head = `GPU pack ${pack.version}${pack.cudaMajor && ` for CUDA ${pack.cudaMajor}`} in ${pack.folder} (${size})`;
  const state = pack.intact
    ? [...pack.providers.map(describeProvider), ...describeWanted(pack.providers)]
    : ["Its files are damaged: 'aimass gpu-pack install FILE' replaces them."];
  return [head, ...state, ...rest].join('\n');
}

function describeProvider({ name, loadable, missing }: PackProvider): string {
  const state = loadable ? 'can be loaded' : 'cannot be loaded';
  if (missing.length === 0) return `${name} ${state}; it has all of its libraries.`;
  const lines = missing.map(
    (library) => `${library.name}, needed by ${library.neededBy}${library.onDemand ? ' for some models' : ''}`,
  );
  return `${name} ${state}; missing:\n${indent(lines.join('\n'))}`;
}

function describeWanted(providers: readonly PackProvider[]): string[] {
  const missing = providers.flatMap((provider) => provider.missing);
  const wanted = new Set(missing.map((library) => library.package ?? `the package that has ${library.name}`));
  return wanted.size > 0 ? ['Install, or name their folders with --cuda-path:', indent([...wanted].join('\n'))] : [];
}

/** The server must be able to read and change what is made here. */
async function checkOwner(folder: string): Promise<void> {
  const facts = await stat(folder).catch(() => undefined);
  if (!facts || facts.uid === process.getuid?.()) return;
  throw new AppError(
    'forbidden',
    `The data folder ${folder} belongs to another user.`,
    'Run this as the user that the server runs as (sudo -u aimass …).',
  );
}
