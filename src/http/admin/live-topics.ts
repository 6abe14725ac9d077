// What can be watched live: for each topic who may, and its values by key, written in the language of who watches. One
// look at the appliance serves all who watch; what nobody asks for is not looked at.
import type { Html } from '../../../web/html.ts';
import type { DecisionRow, DeviceView, InstanceRow, TrafficPoint } from '../../../web/machine-views.ts';
import type { TrafficTotals } from '../../../web/model-views.ts';
import { unreadText } from '../../../web/parts/page.ts';
import { decisionTimeline } from '../../../web/screens/decisions.ts';
import { deviceLoad, deviceMemory, deviceState } from '../../../web/screens/devices.ts';
import { instanceCells, instanceTable, logText } from '../../../web/screens/instances.ts';
import { totalTexts } from '../../../web/screens/model.ts';
import {
  attentionPart,
  latencyValues,
  memoryTexts,
  overviewState,
  trafficTexts,
} from '../../../web/screens/overview.ts';
import type { Frame } from '../../../web/view-types.ts';
import type { Action } from '../../access/roles.ts';
import { findAttention } from './attention.ts';
import { signatureOf } from './instances.ts';
import type { MachineContext } from './machine-routes.ts';
import { gpuMemoryOf, hostMemoryOf, readDecisions, readDevices, readInstances } from './machine.ts';
import { totalsOf } from './model-view.ts';
import { countModels, latestDecisions } from './overview.ts';
import { endpointsUpdates, endpointUpdates, releaseUpdates } from './release-topics.ts';
import { userOf, type Visit } from './visit.ts';

/** As web/assets/admin.js takes it. */
export type LiveValue = string | { html: string } | { point: (number | null)[] };

/** Written only when its signature is not the one that was sent last. */
interface LaterValue {
  signature: string;
  write(): LiveValue;
  /** The page has the value of the moment when it was made. */
  isNews?: boolean;
}

export type LiveUpdates = Record<string, LiveValue | LaterValue>;

export interface Look {
  context: MachineContext;
  nowMs: number;
  devices(): DeviceView[];
  instances(): InstanceRow[];
  decisions(): DecisionRow[];
  /** By model; "" for all together. */
  traffic(): ReadonlyMap<string, TrafficPoint>;
  /** By model. */
  totals(): ReadonlyMap<string, TrafficTotals>;
}

export function takeLook(context: MachineContext): Look {
  const { control } = context;
  return {
    context,
    nowMs: Date.now(),
    devices: once(() => readDevices(control)),
    instances: once(() => readInstances(control)),
    decisions: once(() => readDecisions(control, { limit: latestDecisions })),
    traffic: once(() => {
      const models = new Set(control.plane.statistics().map(({ model }) => model));
      const points = [...models].map((model): [string, TrafficPoint] => [model, control.traffic.now(model)]);
      return new Map([['', control.traffic.now()], ...points]);
    }),
    totals: once(() => {
      const models = new Set(control.plane.statistics().map(({ model }) => model));
      return new Map([...models].map((model) => [model, totalsOf(control, model)]));
    }),
  };
}

function once<T>(read: () => T): () => T {
  let known: { value: T } | undefined;
  return () => (known ??= { value: read() }).value;
}

interface Topic {
  /** Absent: for everybody who is signed in. */
  action?: Action;
  updates(frame: Frame, look: Look, visit: Visit): LiveUpdates;
}

export type TopicName =
  | 'inbox'
  | 'overview'
  | 'devices'
  | 'instances'
  | 'log'
  | 'traffic'
  | 'decisions'
  | 'endpoints'
  | 'endpoint'
  | 'release';

export const topics: Record<TopicName, Topic> = {
  inbox: { updates: inboxUpdates },
  overview: { updates: overviewUpdates },
  devices: { action: 'device.read', updates: deviceUpdates },
  instances: { action: 'instance.read', updates: instanceUpdates },
  /** Of the instance that the query names. */
  log: { action: 'instance.read', updates: logUpdates },
  traffic: { action: 'model.read', updates: trafficUpdates },
  decisions: { action: 'device.read', updates: decisionUpdates },
  endpoints: { action: 'endpoint.read', updates: endpointsUpdates },
  endpoint: { action: 'endpoint.read', updates: endpointUpdates },
  release: { action: 'release.read', updates: releaseUpdates },
};

export const isTopic = (name: string): name is TopicName => Object.hasOwn(topics, name);

const written = (content: Html): LiveValue => ({ html: content.text });

/** inbox.unread, the number at the bell */
function inboxUpdates({ t }: Frame, { context }: Look, visit: Visit): LiveUpdates {
  return { 'inbox.unread': unreadText(t, context.control.notifier.unreadCount(userOf(visit).id)) };
}

/** overview.state, .attention, .answering, .memory, .memoryNote */
function overviewUpdates(frame: Frame, { context, devices, nowMs }: Look, { asker }: Visit): LiveUpdates {
  const attention = findAttention(context, devices(), asker.actor, nowMs);
  const memory = memoryTexts(frame.t, hostMemoryOf(devices()), gpuMemoryOf(devices()));
  return {
    'overview.state': written(overviewState(frame, attention)),
    'overview.attention': written(attentionPart(frame, attention)),
    'overview.answering': frame.t.number(countModels(context.control).answering),
    'overview.memory': memory.used,
    'overview.memoryNote': memory.note,
  };
}

/** device.ID.state, .memory and .load */
function deviceUpdates(frame: Frame, { devices }: Look): LiveUpdates {
  const entries = devices().flatMap((view): [string, LiveValue][] => [
    [`device.${view.id}.state`, written(deviceState(frame, view))],
    [`device.${view.id}.memory`, written(deviceMemory(frame, view))],
    [`device.${view.id}.load`, written(deviceLoad(frame, view))],
  ]);
  return Object.fromEntries(entries);
}

/** The table when other instances are on it, as "instances"; and instance.ID.CELL */
function instanceUpdates(frame: Frame, { instances }: Look): LiveUpdates {
  const rows = instances();
  const cells = rows.flatMap((row) =>
    Object.entries(instanceCells(frame, row)).map(([key, cell]): [string, LiveValue] => [
      `instance.${row.id}.${key}`,
      written(cell),
    ]),
  );
  return {
    instances: { signature: signatureOf(rows), write: () => written(instanceTable(frame, rows)) },
    ...Object.fromEntries(cells),
  };
}

function logUpdates({ t }: Frame, { context, instances }: Look, { url }: Visit): LiveUpdates {
  const id = url.searchParams.get('instance');
  const isThere = instances().some((row) => row.id === id);
  return isThere ? { log: logText(t, context.control.instanceLog(id!)) } : {};
}

/**
 * traffic.rate, .p50, .p95, .modelP95, .pending; the chart points traffic.requests (failed, answered) and traffic.latency of
 * all models together; and of each model rate:NAME, p50:NAME, p95:NAME, modelP50:NAME, modelP95:NAME, queue:NAME, the totals
 * answered:NAME, failed:NAME, p50all:NAME and p95all:NAME, and the chart points traffic:NAME and latency:NAME.
 */
function trafficUpdates(frame: Frame, { context, traffic, totals }: Look): LiveUpdates {
  const recorded = context.control.traffic;
  const latest = recorded.latest();
  const all = trafficTexts(frame.t, traffic().get('')!);
  const updates: LiveUpdates = {
    'traffic.rate': all.rate,
    'traffic.p50': all.p50,
    'traffic.p95': all.p95,
    'traffic.modelP95': all.modelP95,
    'traffic.pending': all.pending,
  };
  if (latest) {
    const { perSecond, failuresPerSecond } = latest;
    updates['traffic.requests'] = pointOf(latest, () => [failuresPerSecond, perSecond - failuresPerSecond]);
    updates['traffic.latency'] = pointOf(latest, () => latencyOf(latest));
  }
  for (const [model, now] of traffic()) {
    if (model === '') continue;
    Object.assign(updates, modelUpdates(frame, model, now, totals().get(model)));
    if (!latest) continue;
    updates[`traffic:${model}`] = pointOf(latest, () => [recorded.latest(model)!.perSecond]);
    updates[`latency:${model}`] = pointOf(latest, () => latencyOf(recorded.latest(model)!));
  }
  return updates;
}

function modelUpdates({ t }: Frame, model: string, now: TrafficPoint, totals?: TrafficTotals): LiveUpdates {
  const { rate, p50, p95, modelP50, modelP95 } = trafficTexts(t, now);
  const texts: Record<string, string> = { rate, p50, p95, modelP50, modelP95, queue: t.number(now.pending) };
  if (totals) {
    const sums = totalTexts(t, totals);
    Object.assign(texts, { answered: sums.answered, failed: sums.failed, p50all: sums.p50, p95all: sums.p95 });
  }
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [`${key}:${model}`, text]));
}

const latencyOf = (point: TrafficPoint) => latencyValues([point]).map(([value]) => value ?? null);

function pointOf({ atMs }: TrafficPoint, values: () => (number | null)[]): LaterValue {
  const write = () => ({ point: [Math.round(atMs / 1000), ...values()] });
  return { signature: String(atMs), write, isNews: true };
}

function decisionUpdates(frame: Frame, { decisions }: Look): LiveUpdates {
  const rows = decisions();
  // Not by its text, in which times pass.
  return { decisions: { signature: String(rows[0]?.id), write: () => written(decisionTimeline(frame, rows)) } };
}
