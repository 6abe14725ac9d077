// The first page, and the fragment with what the doctor finds, which takes a moment.
import type { OverviewView } from '../../../web/machine-views.ts';
import { findingsPart } from '../../../web/screens/devices.ts';
import { overviewScreen } from '../../../web/screens/overview.ts';
import type { Actor } from '../../access/actor.ts';
import type { Control } from '../api/control.ts';
import { findAttention } from './attention.ts';
import type { MachineContext } from './machine-routes.ts';
import { gpuMemoryOf, hostMemoryOf, readDecisions, readDevices } from './machine.ts';
import type { AdminRoute } from './visit.ts';

/** On the overview. */
export const latestDecisions = 8;

export function overviewRoutes(context: MachineContext): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/admin',
      action: 'signed-in',
      answer: ({ frame, asker }) => overviewScreen(frame, readOverview(context, asker.actor, frame.nowMs)),
    },
    {
      method: 'GET',
      path: '/admin/findings',
      action: 'doctor.read',
      operation: 'examineMachine',
      answer: async ({ frame }) => findingsPart(frame, await context.health.examine()),
    },
  ];
}

function readOverview(context: MachineContext, actor: Actor, nowMs: number): OverviewView {
  const { control } = context;
  const devices = readDevices(control);
  const gpuMemory = gpuMemoryOf(devices);
  return {
    attention: findAttention(context, devices, actor, nowMs),
    models: countModels(control),
    traffic: { now: control.traffic.now(), history: control.traffic.history() },
    ...(gpuMemory && { gpuMemory }),
    hostMemory: hostMemoryOf(devices),
    decisions: readDecisions(control, { limit: latestDecisions }),
  };
}

/** A model that is started when it is asked for answers too. */
export function countModels({ registry, plane }: Control): OverviewView['models'] {
  const loaded = [...plane.table.values()].filter(({ current }) => current !== null);
  return {
    answering: loaded.filter(({ name }) => plane.isReady(name)).length,
    loaded: loaded.length,
    known: registry.listModels().length,
  };
}
