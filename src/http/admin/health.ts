// What the doctor found when it last looked, for pages that cannot wait for it: it looks again when somebody asks and its
// findings have become old.
import type { Finding } from '../../device/doctor.ts';
import { messageOf } from '../../error.ts';
import { log } from '../../log.ts';
import type { Control } from '../api/control.ts';

const freshMs = 60_000;

export interface Health {
  /** Undefined until it has looked for the first time. */
  known(): readonly Finding[] | undefined;
  /** Looks now. */
  examine(): Promise<Finding[]>;
}

export function createHealth(control: Pick<Control, 'examine'>): Health {
  let findings: Finding[] | undefined;
  let askedMs = -Infinity;

  async function examine(): Promise<Finding[]> {
    askedMs = performance.now();
    return (findings = await control.examine());
  }

  return {
    known() {
      if (performance.now() - askedMs > freshMs) {
        examine().catch((error: unknown) => log('warn', 'machine not examined', { reason: messageOf(error) }));
      }
      return findings;
    },
    examine,
  };
}
