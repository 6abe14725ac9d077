// What the pages of models show, made from the registry, the data plane and the books of placement. Knows no HTML.
import type { ModelHead, ModelRow, TrafficTotals, TrafficView, VersionView } from '../../../web/model-views.ts';
import type { DecisionKind } from '../../device/decisions.ts';
import { quantileMs } from '../../monitor/traffic.ts';
import type { Control } from '../api/control.ts';
import { listModels, viewModel, viewVersion } from '../api/views.ts';
import { readInstances } from './machine.ts';

const worrying: ReadonlySet<DecisionKind> = new Set<DecisionKind>(['failed', 'refused', 'lost']);

export function modelRows(control: Control): ModelRow[] {
  const devices = new Map<string, Set<string>>();
  for (const { model, device } of readInstances(control)) {
    devices.set(model, (devices.get(model) ?? new Set()).add(device.label));
  }
  return listModels(control).map(({ name, current, versions, state, task, bytes, licence }) => ({
    name,
    current,
    versions: versions.length,
    state,
    task,
    bytes,
    licence,
    requestsPerSecond: isLoaded(control, name) ? control.traffic.now(name).perSecond : undefined,
    devices: [...(devices.get(name) ?? [])],
  }));
}

function isLoaded({ plane }: Control, name: string): boolean {
  return (plane.table.get(name)?.versions.size ?? 0) > 0;
}

/** @throws AppError not_found */
export function headOf(control: Control, name: string): ModelHead {
  const { state, current, versions } = viewModel(control, name);
  // No version is current before it is ready.
  const isStarting = current === null && versions.some((each) => each.state === 'starting');
  return { name, state: isStarting ? 'starting' : state, current, versions: versions.length };
}

/** The current version, or the newest; undefined when all were deleted. @throws AppError not_found */
export function findShown(control: Control, name: string): VersionView | undefined {
  const { current, versions } = control.registry.getModel(name);
  const version = current ?? versions.at(-1);
  return version === undefined ? undefined : versionOf(control, name, version);
}

/** @throws AppError not_found */
export function versionOf(control: Control, name: string, version: number): VersionView {
  return viewVersion(control, control.registry.getVersion(name, version));
}

/** Undefined while no version is loaded. */
export function trafficOf(control: Control, name: string): TrafficView | undefined {
  if (!isLoaded(control, name)) return undefined;
  const { traffic } = control;
  return { now: traffic.now(name), history: traffic.history(name), totals: totalsOf(control, name) };
}

export function totalsOf({ plane, traffic }: Control, name: string): TrafficTotals {
  const statistics = plane.statistics(name);
  const counts = traffic.wholeCounts(name);
  return {
    p50Ms: quantileMs(counts, 0.5),
    p95Ms: quantileMs(counts, 0.95),
    answered: statistics.reduce((sum, { success }) => sum + success.count, 0),
    failed: statistics.reduce((sum, { fail }) => sum + fail.count, 0),
  };
}

/** What went wrong with the model last, unless it was loaded since. */
export function findTrouble(control: Control, name: string): { atMs: number; text: string } | undefined {
  const latest = control.placement
    .decisions({ model: name, limit: 20 })
    .find(({ kind }) => worrying.has(kind) || kind === 'loaded');
  if (!latest || latest.kind === 'loaded') return undefined;
  return { atMs: Date.parse(latest.at), text: latest.reason };
}
