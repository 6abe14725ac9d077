// Going live: keeps what control.ts promises.
import { AppError } from '../error.ts';
import type { ReleaseControl } from './control.ts';

export function openReleases(): ReleaseControl {
  return new Proxy({} as ReleaseControl, {
    get: () => () => {
      throw new AppError('unavailable', 'Releases are not open yet.');
    },
  });
}
