// The pages of the machine: overview, devices, instances, placement, and the live stream of all pages.
import type { AdminContext } from './context.ts';
import { deviceRoutes } from './devices.ts';
import { createHealth, type Health } from './health.ts';
import { instanceRoutes } from './instances.ts';
import { liveRoutes } from './live.ts';
import { overviewRoutes } from './overview.ts';
import { placementRoutes } from './placement.ts';
import type { AdminRoute } from './visit.ts';

export interface MachineContext extends AdminContext {
  health: Health;
}

export function machineRoutes(context: AdminContext): AdminRoute[] {
  const own: MachineContext = { ...context, health: createHealth(context.control) };
  return [
    ...overviewRoutes(own),
    ...deviceRoutes(own),
    ...instanceRoutes(own),
    ...placementRoutes(own),
    ...liveRoutes(own),
  ];
}
