// Where a rollback may lead. Reads; changes nothing.
import { AppError } from '../error.ts';
import type { ReleaseRows } from './release-rows.ts';
import type { Release } from './types.ts';

const farthest = 100;

/** Releases that were live at an endpoint and may be so again, the best first. */
export function rollbackTargets(
  rows: ReleaseRows,
  hasVersion: (model: string, version: number) => boolean,
  endpoint: string,
): Release[] {
  const [live] = rows.list({ endpoint, state: 'live', limit: 1 });
  const earlier = rows
    .list({ endpoint, limit: farthest })
    .filter(({ state, liveMs }) => liveMs !== undefined && (state === 'superseded' || state === 'rolled-back'))
    .filter(({ request }) => hasVersion(request.model, request.version));
  // What was taken off was so for a reason: it comes after those that were only replaced.
  const rank = (release: Release) => (release.id === live?.replaced ? 0 : release.state === 'superseded' ? 1 : 2);
  return earlier.toSorted((a, b) => rank(a) - rank(b) || (b.endedMs ?? 0) - (a.endedMs ?? 0));
}

/**
 * @param to absent: the best of those that were only replaced; what was taken off comes back to who names it
 * @throws AppError conflict
 */
export function findTarget(targets: readonly Release[], endpoint: string, to: number | undefined): Release {
  const target =
    to === undefined ? targets.find(({ state }) => state === 'superseded') : targets.find(({ id }) => id === to);
  if (target) return target;
  const known = targets.map(({ id }) => id).join(', ');
  const hint = known ? `It may be one of: ${known}.` : 'Nothing else was live there whose version is still kept.';
  const what = to === undefined ? 'There is no earlier release to go back to' : `Release ${to} cannot be gone back to`;
  throw new AppError('conflict', `${what} at '${endpoint}'.`, hint);
}
