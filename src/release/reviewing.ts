// What a reviewer looks at, gathered: differences against what is live, checks, placement. Decides nothing.
import type { PlacementSettings } from '../device/placement-settings.ts';
import type { PlacementPreview } from '../device/placement-views.ts';
import { AppError } from '../error.ts';
import type { VersionRecord } from '../types.ts';
import { compareRequests, compareVersions, type Measured, sorted } from './differences.ts';
import type { Environments } from './environments.ts';
import { checkRelease } from './policy.ts';
import type { ReleaseRows } from './release-rows.ts';
import type { Difference, PolicyCheck, Release, ReleaseRequest } from './types.ts';
import type { VersionNotes } from './version-notes.ts';

export interface ReviewingParts {
  rows: ReleaseRows;
  environments: Environments;
  notes: VersionNotes;
  /** @throws AppError not_found */
  getVersion(model: string, version: number): VersionRecord;
  measured(record: VersionRecord): Measured;
  settingsOf(release: Release): PlacementSettings;
  /** Where so many instances would run beside what runs now. */
  preview(record: VersionRecord, settings: PlacementSettings): Promise<PlacementPreview>;
  /** A host name that the endpoint would have, of its own or below the wildcard, and that another endpoint has. */
  findTaken(request: ReleaseRequest): { host: string; endpoint: string } | undefined;
}

export interface Gathered {
  live?: Release;
  differences: Difference[];
  checks: PolicyCheck[];
  placement?: PlacementPreview;
  modelLicence?: string;
}

export async function gather(release: Release, parts: ReviewingParts): Promise<Gathered> {
  const { rows, environments, notes } = parts;
  const { request } = release;
  const record = findVersion(parts, request.model, request.version);
  const [live] = rows
    .list({ endpoint: request.endpoint, state: 'live', limit: 1 })
    .filter(({ id }) => id !== release.id);
  const differences = compareWithLive(release, record, live, parts);
  const isOpen = ['draft', 'submitted', 'changes-asked', 'approved'].includes(release.state);
  const placement = record && isOpen ? await parts.preview(record, parts.settingsOf(release)) : undefined;
  const others = rows
    .inState('live', 'rolling-out', 'approved')
    .filter((each) => each.request.environment === request.environment && each.id !== release.id);
  // What it takes the place of goes.
  const staying = others.filter((each) => each.request.endpoint !== request.endpoint);
  const endpoints = rows.endpoints();
  const checks = checkRelease({
    request,
    environment: environments.get(request.environment).settings,
    exists: record !== undefined,
    isArchived: record !== undefined && notes.get(request.model, request.version).archivedMs !== undefined,
    differences,
    refusals: placement?.refusals ?? [],
    instancesInUse: staying.reduce((sum, each) => sum + each.request.maxInstances, 0),
    endpointsInUse: endpoints.filter(({ environment }) => environment === request.environment).length,
    isNewEndpoint: !endpoints.some(({ name }) => name === request.endpoint),
    taken: parts.findTaken(request),
  });
  return { live, differences, checks, placement, modelLicence: record?.manifest.licence };
}

function compareWithLive(
  release: Release,
  record: VersionRecord | undefined,
  live: Release | undefined,
  parts: ReviewingParts,
): Difference[] {
  if (!live) return [];
  const before = findVersion(parts, live.request.model, live.request.version);
  const between =
    record && before ? compareVersions(before, record, { a: parts.measured(before), b: parts.measured(record) }) : [];
  return sorted([...between, ...compareRequests(live.request, release.request)]);
}

function findVersion({ getVersion }: ReviewingParts, model: string, version: number): VersionRecord | undefined {
  try {
    return getVersion(model, version);
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return undefined;
    throw error;
  }
}
