// The pages with which a release is asked for: choosing a version, the form, what it would come to, pieces of evidence.
import { type Html, html } from '../../../web/html.ts';
import type { ReleaseFormView, Subject } from '../../../web/release-views.ts';
import { evidenceAdded, evidenceProblem } from '../../../web/screens/release-evidence.ts';
import { chooseVersionScreen, releaseFormScreen, releasePreviewPart } from '../../../web/screens/release-form.ts';
import { releasePath } from '../../../web/screens/releases.ts';
import type { FormState } from '../../../web/view-types.ts';
import { AppError } from '../../error.ts';
import type { Evidence, Release, ReleaseRequest } from '../../release/types.ts';
import { parseVersion } from '../api/context.ts';
import type { Control } from '../api/control.ts';
import type { AdminContext } from './context.ts';
import { withFault } from './faults.ts';
import { nameDevice, previewOf } from './machine.ts';
import {
  fieldOfRequest,
  readEvidence,
  readPiece,
  readReleaseForm,
  refill,
  stateOfForm,
  valuesOf,
} from './release-form.ts';
import { type AdminRoute, pageOf, retry, seeOther, userOf, type Visit } from './visit.ts';

const ask = { method: 'POST', action: 'release.request' } as const;
/** A statement, evidence with its texts and the basis. */
const mostFormBytes = 1024 * 1024;
const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function releaseRequestRoutes({ control, keepOpen }: AdminContext): AdminRoute[] {
  const { release } = control;
  return [
    {
      method: 'GET',
      path: '/admin/releases/new',
      action: 'release.request',
      operation: 'getReleaseDefaults',
      answer: (visit) => newForm(control, visit),
    },
    {
      method: 'GET',
      path: '/admin/releases/preview',
      action: 'release.request',
      operation: 'getReleaseDefaults',
      answer: (visit) => preview(control, visit),
    },
    {
      ...ask,
      path: '/admin/releases',
      operation: 'createRelease',
      mostFormBytes,
      answer: (visit) => create(control, visit, false),
    },
    {
      ...ask,
      path: '/admin/releases/submit',
      operation: 'submitRelease',
      mostFormBytes,
      answer: (visit) => create(control, visit, true),
    },
    {
      ...ask,
      action: 'release.comment',
      path: '/admin/releases/evidence',
      operation: 'attachEvidence',
      answer({ form, frame }) {
        const piece = readPiece(form, frame.nowMs);
        return typeof piece === 'string'
          ? evidenceProblem(frame.t(piece))
          : evidenceAdded(frame, piece, frame.nowMs, true);
      },
    },
    {
      ...ask,
      action: 'model.try',
      path: '/admin/releases/load-test',
      operation: 'testLoad',
      async answer(visit) {
        keepOpen(visit.request);
        try {
          const { frame } = visit;
          const measured = await runLoadTest(control, visit, subjectOf(visit.form));
          return evidenceAdded(frame, measured, frame.nowMs, false);
        } catch (error) {
          if (!(error instanceof AppError) || error.code === 'internal') throw error;
          return evidenceProblem(visit.frame.t.said(`${error.message} ${error.hint ?? ''}`.trim()));
        }
      },
    },
    {
      method: 'GET',
      path: '/admin/releases/:id/edit',
      action: 'release.request',
      operation: 'getRelease',
      answer(visit) {
        const found = release.get(parseVersion(visit.params.id!));
        const values = valuesOf(found.request);
        return showForm(control, visit, { release: found, values, evidence: found.request.evidence });
      },
    },
    {
      ...ask,
      path: '/admin/releases/:id/edit',
      operation: 'changeRelease',
      mostFormBytes,
      answer: (visit) => edit(control, visit, false),
    },
    {
      ...ask,
      path: '/admin/releases/:id/edit-submit',
      operation: 'submitRelease',
      mostFormBytes,
      answer: (visit) => edit(control, visit, true),
    },
  ];
}

/** @param of the form, or the query @throws AppError invalid */
function subjectOf(of: ReadonlyMap<string, string>): { model: string; version: number } {
  return { model: of.get('model') ?? '', version: parseVersion(of.get('version') ?? '') };
}

/** Every model with the versions that are not archived, newest first. */
export function listSubjects({ registry, release }: Control): Subject[] {
  return registry.listModels().flatMap(({ name, versions }) => {
    const offered = versions.filter((version) => release.versionNote(name, version).archivedMs === undefined);
    return offered.length > 0 ? [{ model: name, versions: offered.toReversed() }] : [];
  });
}

/** @returns undefined for what is no "MODEL:VERSION" */
export function readSubject(text: string | null): { model: string; version: number } | undefined {
  const [, model, version] = /^(.{1,128}):([1-9]\d{0,8})$/.exec(text ?? '') ?? [];
  return model === undefined ? undefined : { model, version: Number(version) };
}

/** What the fields are filled with for a version at an endpoint. */
function prefilled(control: Control, wish: Parameters<Control['release']['prefill']>[0]): ReleaseRequest {
  return control.release.prefill(wish);
}

function newForm(control: Control, visit: Visit): Html {
  const { searchParams } = visit.url;
  const asked = (name: string) => searchParams.get(name)?.trim() || undefined;
  const chosen = readSubject(searchParams.get('subject'));
  const version = chosen?.version ?? (asked('version') && parseVersion(asked('version')!));
  const model = chosen?.model ?? asked('model');
  const environment = control.release.environments().find(({ name }) => name === asked('environment'))?.name;
  if (model === undefined || !version) {
    const subjects = listSubjects(control).filter((each) => model === undefined || each.model === model);
    const endpoint = asked('endpoint') ?? '';
    return chooseVersionScreen(visit.frame, { subjects, endpoint, environment: environment ?? '' });
  }
  control.registry.getVersion(model, version);
  const request = prefilled(control, { model, version, endpoint: asked('endpoint'), environment });
  const filled = valuesOf({ ...request, model, version });
  // Another endpoint was named: the browser takes the part that is filled in from this page.
  const sent = new Map(searchParams);
  const values = sent.has('basis') ? refill(sent, filled, ['endpoint', 'environment']) : filled;
  return showForm(control, visit, { model, version, values, basis: filled, evidence: request.evidence });
}

interface Shown {
  release?: Release;
  model?: string;
  version?: number;
  values?: Record<string, string>;
  basis?: Record<string, string>;
  state?: FormState;
  evidence: Evidence[];
}

function showForm(control: Control, visit: Visit, shown: Shown): Html {
  const { release } = control;
  const { model, version } = shown.release?.request ?? { model: shown.model!, version: shown.version! };
  const view: ReleaseFormView = {
    ...(shown.release && { release: shown.release }),
    model,
    version,
    endpoints: release.endpoints().map(({ name, environment }) => ({ name, environment })),
    environments: release.environments(),
    devices: control.machine().devices.map(nameDevice),
    modelLicence: findLicence(control, model, version),
    form: shown.state ?? { values: shown.values ?? {}, errors: {} },
    basis: JSON.stringify(shown.basis ?? {}),
    evidence: shown.evidence,
    timeZone,
  };
  return releaseFormScreen(visit.frame, view);
}

function findLicence({ registry }: Control, model: string, version: number): string | undefined {
  const isThere = registry.listModels().some((each) => each.name === model && each.versions.includes(version));
  return isThere ? registry.getVersion(model, version).manifest.licence : undefined;
}

/** What a person wrote and has not attached yet is meant to be attached. */
function evidenceOf({ form, frame }: Visit): Evidence[] {
  const piece = readPiece(form, frame.nowMs);
  return [...readEvidence(form), ...(typeof piece === 'string' ? [] : [piece])];
}

async function create(control: Control, visit: Visit, submits: boolean): Promise<Response> {
  const subject = subjectOf(visit.form);
  const { request, state } = readReleaseForm(visit.form, visit.frame.t);
  const evidence = evidenceOf(visit);
  const again = (state: FormState) =>
    retry(showForm(control, visit, { ...subject, state, evidence, basis: stateOfForm(visit.form).values }));
  if (Object.keys(state.errors).length > 0) return again(state);
  let made: Release;
  try {
    made = control.release.create(userOf(visit), { ...request, evidence });
  } catch (error) {
    return again(withFault(state, error, fieldOfRequest, visit.frame.t));
  }
  visit.note({ target: String(made.id), after: made.request });
  return submits ? submit(control, visit, made) : seeRelease(visit, made.id, 'release.did.created');
}

async function edit(control: Control, visit: Visit, submits: boolean): Promise<Response> {
  const { release } = control;
  const { form, frame } = visit;
  const before = release.get(parseVersion(visit.params.id!));
  const { request, state } = readReleaseForm(form, frame.t);
  const evidence = evidenceOf(visit);
  const again = (state: FormState, shown: Release) =>
    retry(showForm(control, visit, { release: shown, state, evidence }));
  if (Object.keys(state.errors).length > 0) return again(state, before);
  const revision = Number(form.get('revision')) || undefined;
  let after: Release;
  try {
    after = release.edit(userOf(visit), before.id, { ...request, evidence }, revision);
  } catch (error) {
    const isStale = error instanceof AppError && error.code === 'conflict' && revision !== before.revision;
    if (!isStale) return again(withFault(state, error, fieldOfRequest, visit.frame.t), before);
    return again({ ...state, errors: { '': frame.t('form.stale') } }, before);
  }
  visit.note({ target: String(after.id), before: before.request, after: after.request });
  return submits ? submit(control, visit, after) : seeRelease(visit, after.id, 'release.did.edited');
}

/** The draft is there in any case: what keeps it from being submitted is said on its page. */
async function submit(control: Control, visit: Visit, { id }: Release): Promise<Response> {
  try {
    const { state } = await control.release.submit(userOf(visit), id);
    return seeRelease(visit, id, state === 'submitted' ? 'release.did.submitted' : 'release.did.started');
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'internal') throw error;
    const text = visit.frame.t.said(`${error.message} ${error.hint ?? ''}`.trim());
    return seeOther(releasePath(id), { tone: 'bad', text });
  }
}

function seeRelease(
  { frame }: Visit,
  id: number,
  text: `release.did.${'created' | 'edited' | 'submitted' | 'started'}`,
) {
  return seeOther(releasePath(id), { tone: 'good', text: frame.t(text) });
}

export function runLoadTest(
  { release }: Control,
  { form, asker, request }: Visit,
  { model, version }: { model: string; version: number },
): Promise<Evidence> {
  const count = (name: string) => Number(form.get(name)) || 1;
  const wanted = { model, version, seconds: count('seconds'), connections: count('connections') };
  return release.loadTest(asker.actor, wanted, request.signal);
}

/** What the form as it stands would come to; while it cannot be read there is nothing to say. */
async function preview(control: Control, visit: Visit): Promise<Response> {
  const { frame, url } = visit;
  const form = new Map(url.searchParams);
  const { model, version } = subjectOf(form);
  const { request } = readReleaseForm(form, frame.t);
  const { minInstances, maxInstances, deviceIds, endpoint, environment } = request as unknown as ReleaseRequest;
  const settings = control.release.environments().find(({ name }) => name === environment)?.settings;
  // A release has instances of its own, beside those of the version as it is loaded for trying.
  const others = control.placement.overview().versions.find((each) => each.model === model && each.version === version);
  const have = others?.instances ?? 0;
  const count = { minInstances: have + Math.max(1, minInstances), maxInstances: have + maxInstances };
  const isCount = maxInstances >= 1 && minInstances <= maxInstances;
  const patch = { ...(isCount && count), deviceIds: deviceIds ?? settings?.deviceIds ?? null };
  const outcome = await previewOf(control, model, patch, version);
  const live = control.release.endpoints().find(({ name }) => name === endpoint)?.live?.request;
  const isThere = live && findRecord(control, live);
  const differences = live && isThere ? control.release.compare(live, { model, version }) : [];
  const part = releasePreviewPart(frame, { outcome, ...(live && { live }), differences });
  return pageOf(html`${part}`);
}

function findRecord({ registry }: Control, { model, version }: ReleaseRequest): boolean {
  return registry.listModels().some((each) => each.name === model && each.versions.includes(version));
}
