// AMD and Intel GPUs, as far as their kernel drivers tell in /sys. NVIDIA's are not listed here, only counted: NVML knows
// far more of them.
import { readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

import type { Device } from './device.ts';
import { findNumber, findText, listNames } from './system-files.ts';

const vendors: Record<string, { name: string; kind: Device['kind'] } | undefined> = {
  '0x1002': { name: 'AMD', kind: 'rocm' },
  // No provider of ONNX Runtime that is at hand drives an Intel GPU but WebGPU.
  '0x8086': { name: 'Intel', kind: 'webgpu' },
};
const nvidiaVendor = '0x10de';
const displayClass = '0x03';

export function readSysfsGpus(root = '/'): Device[] {
  const counts = new Map<Device['kind'], number>();
  return listNames(root, 'sys/class/drm')
    .filter((name) => /^card\d+$/.test(name))
    .flatMap((card) => {
      const folder = `sys/class/drm/${card}/device`;
      const vendor = vendors[findText(root, `${folder}/vendor`) ?? ''];
      if (!vendor) return [];
      const index = counts.get(vendor.kind) ?? 0;
      counts.set(vendor.kind, index + 1);
      return [readGpu(root, card, folder, vendor, index)];
    });
}

function readGpu(
  root: string,
  card: string,
  folder: string,
  vendor: { name: string; kind: Device['kind'] },
  index: number,
): Device {
  const pciAddress = /^PCI_SLOT_NAME=(\S+)$/m.exec(findText(root, `${folder}/uevent`) ?? '')?.[1];
  const node = findNumber(root, `${folder}/numa_node`);
  const totalBytes = findNumber(root, `${folder}/mem_info_vram_total`);
  const usedBytes = Math.min(findNumber(root, `${folder}/mem_info_vram_used`) ?? 0, totalBytes ?? 0);
  const busyPercent = findNumber(root, `${folder}/gpu_busy_percent`);
  const sensors = `${folder}/hwmon/${listNames(root, `${folder}/hwmon`)[0] ?? 'none'}`;
  const scaled = (name: string, unit: number) => {
    const value = findNumber(root, `${sensors}/${name}`);
    return value === undefined ? undefined : value / unit;
  };
  return {
    id: pciAddress ? `pci:${pciAddress}` : `drm:${card}`,
    kind: vendor.kind,
    index,
    name:
      findText(root, `${folder}/product_name`) ||
      `${vendor.name} GPU ${findText(root, `${folder}/device`) ?? ''}`.trim(),
    pciAddress,
    numaNode: node !== undefined && node >= 0 ? node : undefined,
    state: 'ready',
    reason: totalBytes === undefined ? 'its driver does not tell its memory' : undefined,
    reading: {
      totalBytes: totalBytes ?? 0,
      usedBytes,
      freeBytes: (totalBytes ?? 0) - usedBytes,
      utilisation: busyPercent === undefined ? undefined : busyPercent / 100,
      temperatureC: scaled('temp1_input', 1000),
      powerW: scaled('power1_average', 1e6) ?? scaled('power1_input', 1e6),
      powerLimitW: scaled('power1_cap', 1e6),
      smClockMhz: scaled('freq1_input', 1e6),
      memoryClockMhz: scaled('freq2_input', 1e6),
      throttle: [],
      processes: [],
    },
  };
}

/** The NUMA node of a PCI device such as "0000:3b:00.0". */
export function findPciNode(root: string, pciAddress: string): number | undefined {
  const node = findNumber(root, `sys/bus/pci/devices/${pciAddress}/numa_node`);
  return node !== undefined && node >= 0 ? node : undefined;
}

/** NVIDIA display and compute cards on the PCI bus, whether or not a driver is loaded, each with its kernel driver. */
export function listNvidiaCards(root = '/'): { pciAddress: string; driver?: string }[] {
  const folder = 'sys/bus/pci/devices';
  return listNames(root, folder)
    .filter((address) => findText(root, `${folder}/${address}/vendor`) === nvidiaVendor)
    .filter((address) => findText(root, `${folder}/${address}/class`)?.startsWith(displayClass))
    .map((pciAddress) => ({ pciAddress, driver: findLinkName(join(root, folder, pciAddress, 'driver')) }));
}

function findLinkName(path: string): string | undefined {
  try {
    return basename(readlinkSync(path));
  } catch {
    return undefined;
  }
}
