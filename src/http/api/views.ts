// What the management API shows of models and versions: the registry's records joined with what is being served.
import { type Actor, mayDo } from '../../access/actor.ts';
import type { VersionState } from '../../inference/routing.ts';
import type { FoundModel } from '../../registry/registry.ts';
import { proposeTask } from '../../task/propose.ts';
import type { ModelRecord, TaskName, VersionRecord } from '../../types.ts';
import type { Control } from './control.ts';

export interface ModelSummary extends ModelRecord {
  state: VersionState | 'unloaded';
  /** Of the current version, or the newest if none is. */
  task: TaskName;
  licence?: string;
  /** Of all versions; files that versions share count once for each. */
  bytes: number;
}

export interface VersionView extends VersionRecord {
  state: VersionState | 'unloaded';
  /** Why it is not ready. */
  reason?: string;
}

/** Of uploads that were looked at, and what they seem to be for. */
export function viewFound({ model, manifest, inspection: { signature, facts }, warnings }: FoundModel) {
  const found = proposeTask(signature, facts);
  const proposal = found && { task: found.task, preprocess: found.preprocess, postprocess: found.postprocess };
  return { model, manifest, signature, warnings, ...(proposal && { proposal }) };
}

export interface ModelView extends Omit<ModelSummary, 'versions'> {
  versions: VersionView[];
}

export function viewVersion({ plane }: Control, record: VersionRecord): VersionView {
  const route = plane.table.get(record.model)?.versions.get(record.version);
  if (!route) return { ...record, state: 'unloaded' };
  return { ...record, state: route.state, ...(route.reason && { reason: route.reason }) };
}

/** @throws AppError not_found */
export function viewModel(control: Control, name: string): ModelView {
  const model = control.registry.getModel(name);
  const versions = control.registry.listVersions(name).map((record) => viewVersion(control, record));
  return { ...summarise(model, versions), versions };
}

/** Those that somebody may know of. */
export function listKnown(control: Control, actor: Actor): ModelSummary[] {
  return listModels(control).filter(({ name }) => mayDo(actor, 'model.describe', name));
}

export function listModels(control: Control): ModelSummary[] {
  return control.registry.listModels().map((model) => {
    const versions = control.registry.listVersions(model.name).map((record) => viewVersion(control, record));
    return summarise(model, versions);
  });
}

function summarise(model: ModelRecord, versions: VersionView[]): ModelSummary {
  const shown = versions.find(({ version }) => version === model.current) ?? versions.at(-1);
  return {
    ...model,
    state: model.current === null ? 'unloaded' : (shown?.state ?? 'unloaded'),
    task: shown?.manifest.task ?? 'tensor',
    ...(shown?.manifest.licence && { licence: shown.manifest.licence }),
    bytes: versions.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
