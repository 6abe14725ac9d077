// AMD and Intel GPUs from the files that their kernel drivers show, and NVIDIA cards on the bus.
import { afterEach, expect, test } from 'bun:test';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { findPciNode, listNvidiaCards, readSysfsGpus } from '../../src/device/sysfs-gpu.ts';
import { type Machine, newMachine } from './machines.ts';

let machine: Machine | undefined;
afterEach(() => {
  machine?.remove();
  machine = undefined;
});

test('an AMD accelerator, an Intel GPU that shares memory, and no NVIDIA card', () => {
  machine = newMachine({
    'sys/class/drm/version': 'drm 1.1.0',
    'sys/class/drm/card0/device/vendor': '0x10de',
    'sys/class/drm/card0-DP-1/status': 'connected',
    'sys/class/drm/card1/device/vendor': '0x1002',
    'sys/class/drm/card1/device/device': '0x74a1',
    'sys/class/drm/card1/device/product_name': 'AMD Instinct MI300X',
    'sys/class/drm/card1/device/uevent': 'DRIVER=amdgpu\nPCI_CLASS=120000\nPCI_SLOT_NAME=0000:63:00.0',
    'sys/class/drm/card1/device/numa_node': '1',
    'sys/class/drm/card1/device/mem_info_vram_total': '206141652992',
    'sys/class/drm/card1/device/mem_info_vram_used': '6141652992',
    'sys/class/drm/card1/device/gpu_busy_percent': '37',
    'sys/class/drm/card1/device/hwmon/hwmon4/temp1_input': '45000',
    'sys/class/drm/card1/device/hwmon/hwmon4/power1_average': '140000000',
    'sys/class/drm/card1/device/hwmon/hwmon4/power1_cap': '750000000',
    'sys/class/drm/card1/device/hwmon/hwmon4/freq1_input': '2100000000',
    'sys/class/drm/card10/device/vendor': '0x8086',
    'sys/class/drm/card10/device/device': '0x46a6',
    'sys/class/drm/card10/device/uevent': 'DRIVER=i915\nPCI_SLOT_NAME=0000:00:02.0',
    'sys/class/drm/card10/device/numa_node': '-1',
  });
  const [amd, intel, ...others] = readSysfsGpus(machine.root);
  expect(others).toEqual([]);
  expect(amd).toMatchObject({
    id: 'pci:0000:63:00.0',
    kind: 'rocm',
    index: 0,
    name: 'AMD Instinct MI300X',
    numaNode: 1,
    state: 'ready',
    reading: {
      totalBytes: 206_141_652_992,
      usedBytes: 6_141_652_992,
      freeBytes: 200_000_000_000,
      utilisation: 0.37,
      temperatureC: 45,
      powerW: 140,
      powerLimitW: 750,
      smClockMhz: 2100,
    },
  });
  expect(intel).toMatchObject({ kind: 'webgpu', name: 'Intel GPU 0x46a6', reading: { totalBytes: 0, freeBytes: 0 } });
  expect(intel!.reason).toContain('memory');
  expect(intel!.numaNode).toBeUndefined();
});

test('NVIDIA cards on the bus, with and without a driver; no audio function, no foreign card', () => {
  machine = newMachine({
    'sys/bus/pci/devices/0000:3b:00.0/vendor': '0x10de',
    'sys/bus/pci/devices/0000:3b:00.0/class': '0x030200',
    'sys/bus/pci/devices/0000:3b:00.0/numa_node': '0',
    'sys/bus/pci/devices/0000:3b:00.1/vendor': '0x10de',
    'sys/bus/pci/devices/0000:3b:00.1/class': '0x040300',
    'sys/bus/pci/devices/0000:af:00.0/vendor': '0x10de',
    'sys/bus/pci/devices/0000:af:00.0/class': '0x030000',
    'sys/bus/pci/devices/0000:00:02.0/vendor': '0x8086',
    'sys/bus/pci/devices/0000:00:02.0/class': '0x030000',
  });
  mkdirSync(join(machine.root, 'sys/bus/pci/drivers/nouveau'), { recursive: true });
  symlinkSync('../../../../bus/pci/drivers/nouveau', join(machine.root, 'sys/bus/pci/devices/0000:af:00.0/driver'));
  expect(listNvidiaCards(machine.root)).toEqual([
    { pciAddress: '0000:3b:00.0', driver: undefined },
    { pciAddress: '0000:af:00.0', driver: 'nouveau' },
  ]);
  expect(findPciNode(machine.root, '0000:3b:00.0')).toBe(0);
  expect(findPciNode(machine.root, '0000:af:00.0')).toBeUndefined();
});
