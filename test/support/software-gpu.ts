// SwiftShader, the software Vulkan device of Debian's Chromium, as a GPU for children of this process.
import { existsSync } from 'node:fs';

import { readLoaderCache } from '../../src/device/loader-path.ts';

export const softwareDriver = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** False where the packages chromium and libvulkan1 are not installed: tests that need them are skipped. */
export const hasSoftwareGpu = existsSync(softwareDriver) && readLoaderCache().has('libvulkan.so.1');

/** Runs `work` with these Vulkan drivers and no others in the environment that children get. */
export async function withVulkan<T>(driver: 'software' | 'none', work: () => Promise<T>): Promise<T> {
  const before = process.env.VK_DRIVER_FILES;
  process.env.VK_DRIVER_FILES = driver === 'software' ? softwareDriver : '/nonexistent.json';
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env.VK_DRIVER_FILES;
    else process.env.VK_DRIVER_FILES = before;
  }
}
