// What NVIDIA's own tool says of the first GPU: the reference for what the appliance says.
const tool = Bun.which('nvidia-smi') ?? '/usr/local/nvidia/bin/nvidia-smi';

const fields = {
  name: 'name',
  uuid: 'uuid',
  pci: 'pci.bus_id',
  driver: 'driver_version',
  computeCapability: 'compute_cap',
  totalMib: 'memory.total',
  reservedMib: 'memory.reserved',
  usedMib: 'memory.used',
  freeMib: 'memory.free',
  temperatureC: 'temperature.gpu',
  powerW: 'power.draw',
  powerLimitW: 'enforced.power.limit',
  smClockMhz: 'clocks.sm',
  memoryClockMhz: 'clocks.mem',
  ecc: 'ecc.errors.uncorrected.volatile.total',
  mig: 'mig.mode.current',
} as const;

export type SmiReading = Record<keyof typeof fields, string>;

function ask(...args: string[]): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync([tool, ...args, '--format=csv,noheader,nounits']);
  if (exitCode !== 0) throw new Error(`nvidia-smi: ${stdout.toString()}${stderr.toString()}`.trim());
  return stdout.toString().trim();
}

/** @throws Error where there is no GPU */
export function readGpu(): SmiReading {
  const values = ask(`--query-gpu=${Object.values(fields).join(',')}`)
    .split('\n')[0]!
    .split(', ');
  return Object.fromEntries(Object.keys(fields).map((key, index) => [key, values[index] ?? ''])) as SmiReading;
}

export const usedMib = (): number => Number(ask('--query-gpu=memory.used').split('\n')[0]);

/** MiB by process. */
export function readProcesses(): Map<number, number> {
  const lines = ask('--query-compute-apps=pid,used_memory').split('\n');
  return new Map(lines.filter(Boolean).map((line) => line.split(', ').map(Number) as [number, number]));
}
