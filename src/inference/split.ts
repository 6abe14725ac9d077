// Which version of an endpoint a request reaches: by pin, by stickiness, or by share. Pure but for the count that makes
// shares come out exactly; knows nothing of what the versions do.
import type { Traffic, VersionRoute } from './routing.ts';

/** Names a version for one request, while several are live. */
export const pinHeader = 'x-aimass-version';

/** The next points of a sequence that fills 0…1 evenly, so that 5 % of 100 requests are 5 and not 2 or 9. */
const goldenRatio = 0.618_033_988_749_895;

export function splitter() {
  let point = 0.5;
  /**
   * @param header of the request, by its name in lower case
   * @param key name of its API key
   * @returns undefined when nothing is live
   */
  return (
    { shares, stickyHeader, trialKeys }: Traffic,
    header: (name: string) => string | null,
    key?: string,
  ): VersionRoute | undefined => {
    if (shares.length < 2) return shares[0]?.route;
    const pin = header(pinHeader);
    const pinned = pin === null ? undefined : shares.find(({ route }) => String(route.version) === pin.trim());
    if (pinned) return pinned.route;
    if (key !== undefined && trialKeys?.includes(key)) return shares.at(-1)!.route;
    const value = stickyHeader === undefined ? null : header(stickyHeader);
    if (value === null) point = (point + goldenRatio) % 1;
    return pick(shares, value === null ? point : placeOf(value));
  };
}

/** The newest comes first in 0…1: whoever reached it goes on reaching it when its share grows. */
function pick(shares: Traffic['shares'], place: number): VersionRoute {
  let left = place;
  for (let i = shares.length - 1; i > 0; i--) {
    const { route, share } = shares[i]!;
    if (left < share) return route;
    left -= share;
  }
  return shares[0]!.route;
}

/** 0…1, the same for the same text. */
function placeOf(text: string): number {
  return Bun.hash.xxHash32(text) / 2 ** 32;
}
