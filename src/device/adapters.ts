// What may be used of the devices for computing: WebGPU adapters that share the host's memory have its figures, and those
// that a person does not want are left out.
import type { AdapterMode } from '../types.ts';
import type { Device } from './device.ts';

/**
 * @param mode auto: WebGPU on AMD's and Intel's GPUs; on: also where no GPU is seen, on whatever adapter Vulkan has, such
 *   as one in software; off: never
 */
export function usableDevices(devices: readonly Device[], mode: AdapterMode): Device[] {
  const host = devices.find(({ kind }) => kind === 'cpu');
  const usable = devices.filter(({ kind }) => mode !== 'off' || kind === 'cpu' || kind === 'cuda');
  const shared = usable.map((device) =>
    host && device.kind === 'webgpu' && device.reading.totalBytes === 0 && device.state === 'ready'
      ? { ...device, reading: { ...device.reading, ...memoryOf(host) } }
      : device,
  );
  const hasGpu = usable.some(({ kind }) => kind !== 'cpu');
  return mode === 'on' && host && !hasGpu ? [...shared, unnamedAdapter(host)] : shared;
}

function unnamedAdapter(host: Device): Device {
  return {
    id: 'webgpu:0',
    kind: 'webgpu',
    index: 0,
    name: 'WebGPU adapter',
    state: 'ready',
    reason: 'its memory is that of the host',
    reading: { ...memoryOf(host), throttle: [], processes: [] },
  };
}

/** Half of it: models on the processor have theirs there too. */
function memoryOf({ reading }: Device) {
  const totalBytes = Math.floor(reading.totalBytes / 2);
  const freeBytes = Math.min(totalBytes, reading.freeBytes);
  return { totalBytes, usedBytes: totalBytes - freeBytes, freeBytes };
}
