// Going live in Prometheus' text format: who has what share of each endpoint, what waits, and what was taken back.
import type { ReleaseControl } from '../release/control.ts';

/** @param control names of endpoints and models are letters, digits, dots, hyphens and underscores: nothing to escape */
export function renderReleaseMetrics(control: Pick<ReleaseControl, 'traffic' | 'counts'>): string {
  const { states, takenBack } = control.counts();
  const shares = control.traffic();
  const lines = [
    '# HELP aimass_releases Releases in each state.',
    '# TYPE aimass_releases gauge',
    ...states.map(({ state, count }) => `aimass_releases{state="${state}"} ${count}`),
  ];
  if (shares.length > 0) {
    lines.push(
      '# HELP aimass_endpoint_share Share of the requests of an endpoint that a release answers.',
      '# TYPE aimass_endpoint_share gauge',
      ...shares.map(
        ({ endpoint, environment, model, version, release, share }) =>
          `aimass_endpoint_share{endpoint="${endpoint}",environment="${environment}",model="${model}",version="${version}",release="${release}"} ${share}`,
      ),
    );
  }
  lines.push(
    '# HELP aimass_releases_taken_back_total Releases that were rolled back or failed, by the server itself or by somebody.',
    '# TYPE aimass_releases_taken_back_total counter',
    ...takenBack.map(
      ({ endpoint, kind, by, count }) =>
        `aimass_releases_taken_back_total{endpoint="${endpoint}",kind="${kind}",by="${by}"} ${count}`,
    ),
  );
  return `${lines.join('\n')}\n`;
}
