// Routes for the machine: its devices with their memory and what runs on each, and what the doctor finds wrong with it.
import { Elysia } from 'elysia';

import type { Device } from '../../device/device.ts';
import type { Account } from '../../device/ledger.ts';
import type { InstanceStatus } from '../../inference/instance-status.ts';
import { type ApiContext, describe } from './context.ts';

export interface DeviceInstance {
  id: string;
  model: string;
  version: number;
  /** Of the device's memory; 0 where it does not tell. */
  usedBytes: number;
}

export interface DeviceView extends Device {
  /** Our own processes there. Those of others are among `reading.processes`. */
  instances: DeviceInstance[];
  /** Absent until its memory was read for the first time. */
  memory?: Omit<Account, 'deviceId' | 'others'>;
}

export function deviceRoutes({ control }: ApiContext) {
  return new Elysia({ normalize: false })
    .get(
      '/api/v1/devices',
      () => {
        const { devices, ...rest } = control.machine();
        const instances = control.instances();
        const accounts = new Map(control.placement.overview().accounts.map((account) => [account.deviceId, account]));
        return { devices: devices.map((device) => viewDevice(device, instances, accounts.get(device.id))), ...rest };
      },
      {
        detail: describe({
          id: 'listDevices',
          action: 'device.read',
          tag: 'Appliance',
          summary: 'GPUs and the processor: memory, load, and what runs there',
          description: 'Readings are at most a few seconds old. A device that no longer answers stays listed as lost.',
          answer: { schema: 'DeviceList' },
        }),
      },
    )
    .get('/api/v1/doctor', async () => ({ findings: await control.examine() }), {
      detail: describe({
        id: 'examineMachine',
        action: 'doctor.read',
        tag: 'Appliance',
        summary: 'What is wrong with this machine, and what to do about it',
        description: 'Looks at driver, GPUs, GPU pack, permissions, limits, clock, disk, processor and memory.',
        answer: { schema: 'Findings' },
      }),
    });
}

/** An instance is where it was put, or where the driver sees its process. */
export function viewDevice(device: Device, instances: readonly InstanceStatus[], account?: Account): DeviceView {
  const usedByPid = new Map(device.reading.processes.map(({ pid, usedBytes }) => [pid, usedBytes]));
  const here = instances.filter(
    ({ device: place, pid }) => pid !== undefined && (place === device.id || usedByPid.has(pid)),
  );
  return {
    ...device,
    instances: here.map(({ id, model, version, pid, rssBytes }) => ({
      id,
      model,
      version,
      usedBytes: usedByPid.get(pid!) ?? (device.kind === 'cpu' ? rssBytes : 0),
    })),
    ...(account && { memory: viewAccount(account) }),
  };
}

function viewAccount({ capacityBytes, usedByOthersBytes, heldBytes, reserveBytes, availableBytes }: Account) {
  return { capacityBytes, usedByOthersBytes, heldBytes, reserveBytes, availableBytes };
}
