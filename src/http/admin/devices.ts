// The page of the devices, with the preview of a start on one of them.
import { devicesScreen } from '../../../web/screens/devices.ts';
import type { AdminContext } from './context.ts';
import { previewOf, readDevices } from './machine.ts';
import type { AdminRoute, Visit } from './visit.ts';

export function deviceRoutes({ control }: AdminContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin/devices',
      action: 'device.read',
      operation: 'listDevices',
      async answer({ frame, url }: Visit) {
        const model = url.searchParams.get('model') ?? '';
        const device = url.searchParams.get('device') ?? '';
        const { problem, faults } = control.machine();
        const outcome =
          model === '' ? undefined : await previewOf(control, model, device === '' ? {} : { deviceIds: [device] });
        return devicesScreen(frame, {
          devices: readDevices(control),
          ...(problem !== undefined && { problem }),
          faults,
          models: control.registry.listModels().map(({ name }) => name),
          preview: { model, device, ...(outcome && { outcome }) },
        });
      },
    },
  ];
}
