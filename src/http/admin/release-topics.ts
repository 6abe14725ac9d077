// What of endpoints and releases can be watched live: who serves what share and how, the guard, the steps of a rollout.
import type { Html } from '../../../web/html.ts';
import type { TrafficPoint } from '../../../web/machine-views.ts';
import {
  endpointEvents,
  endpointState,
  guardPart,
  progressPart,
  servingPart,
  sideCells,
  sideCharts,
} from '../../../web/screens/endpoint.ts';
import { rolloutState } from '../../../web/screens/endpoints.ts';
import { trafficTexts } from '../../../web/screens/overview.ts';
import { releaseMoved, releaseProgress } from '../../../web/screens/release.ts';
import { releaseChip } from '../../../web/screens/releases.ts';
import type { Frame } from '../../../web/view-types.ts';
import { AppError } from '../../error.ts';
import type { ReleaseControl } from '../../release/control.ts';
import type { Release } from '../../release/types.ts';
import { historiesOf, servingSides, standOf } from './endpoints.ts';
import type { LiveUpdates, Look } from './live-topics.ts';
import type { Visit } from './visit.ts';

const written = (content: Html) => ({ html: content.text });

/** Of each endpoint rate:NAME, p95:NAME and endpoint:NAME, how far its rollout is. */
export function endpointsUpdates(frame: Frame, { context }: Look): LiveUpdates {
  const { release, traffic } = context.control;
  const entries = release.endpoints().flatMap((endpoint) => {
    const { name, live, rollout } = endpoint;
    const { rate, p95 } = trafficTexts(frame.t, traffic.now(name));
    const values =
      live || rollout
        ? [
            [`rate:${name}`, rate],
            [`p95:${name}`, p95],
          ]
        : [];
    return [...values, [`endpoint:${name}`, written(rolloutState(frame, endpoint))]];
  });
  return Object.fromEntries(entries) as LiveUpdates;
}

/**
 * Of the endpoint that the query names: endpoint.state, .guard, .progress, .events and side:RELEASE:CELL; where the versions
 * or their shares are others than the page has, endpoint.serving and endpoint.charts as a whole; and the points of its
 * charts.
 */
export function endpointUpdates(frame: Frame, { context }: Look, { url }: Visit): LiveUpdates {
  const { control } = context;
  const name = url.searchParams.get('endpoint');
  if (!control.release.endpoints().some((endpoint) => endpoint.name === name)) return {};
  const status = control.release.endpoint(name!);
  const stand = standOf(status);
  const cells = status.sides.flatMap((side) =>
    Object.entries(sideCells(frame, side)).map(([cell, content]) => [`side:${side.release}:${cell}`, written(content)]),
  );
  const sides = servingSides(status);
  const latest = sides.map(({ version }) => control.traffic.latest(name!, version));
  const point = (pick: (at: TrafficPoint) => number | null) => ({
    signature: String(latest[0]?.atMs),
    isNews: true,
    write: () => ({
      point: [Math.round((latest[0]?.atMs ?? 0) / 1000), ...latest.map((at) => (at ? pick(at) : null))],
    }),
  });
  return {
    'endpoint.state': written(endpointState(frame, status)),
    'endpoint.serving': { signature: stand, write: () => written(servingPart(frame, status)) },
    'endpoint.charts': {
      signature: stand,
      write: () => written(sideCharts(frame, historiesOf(control, status), stand)),
    },
    'endpoint.progress': written(progressPart(frame, status)),
    'endpoint.guard': written(guardPart(frame, status)),
    'endpoint.events': {
      signature: String(Math.max(0, ...status.events.map(({ id }) => id))),
      write: () => written(endpointEvents(frame, status)),
    },
    ...(Object.fromEntries(cells) as LiveUpdates),
    ...(latest[0] && {
      [`endpoint.rate:${stand}`]: point(({ perSecond }) => perSecond),
      [`endpoint.p95:${stand}`]: point(({ p95Ms }) => p95Ms ?? null),
      [`endpoint.failures:${stand}`]: point(({ failuresPerSecond }) => failuresPerSecond),
    }),
  };
}

/** Of the release that the query names: release.state and release.progress. */
export function releaseUpdates(frame: Frame, { context }: Look, { url }: Visit): LiveUpdates {
  const { release } = context.control;
  const found = findRelease(release, Number(url.searchParams.get('release')));
  if (!found) return {};
  const isMoving = found.state === 'rolling-out' || found.state === 'approved';
  return {
    'release.state': written(releaseChip(frame, found.state)),
    'release.progress': written(isMoving ? releaseProgress(frame, found) : releaseMoved(frame, found)),
  };
}

function findRelease(release: ReleaseControl, id: number): Release | undefined {
  try {
    return release.get(id);
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return undefined;
    throw error;
  }
}
