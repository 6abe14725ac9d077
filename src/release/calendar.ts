// Times in which nothing goes live: windows that begin at a cron line's times. Pure, but for the library that reads cron.
import { Cron } from 'croner';

import { messageOf } from '../error.ts';
import type { Freeze, ReleaseRequest } from './types.ts';

/** @returns what is wrong with it; undefined: nothing */
export function checkCron({ cron, timeZone }: Pick<Freeze, 'cron' | 'timeZone'>): string | undefined {
  try {
    if (cron.trim().split(/\s+/).length !== 5)
      return 'must have five fields: minute, hour, day, month, day of the week';
    return open({ cron, timeZone }).nextRun() ? undefined : 'never comes';
  } catch (error) {
    return `cannot be read: ${messageOf(error)}`;
  }
}

/** @returns the freeze that holds at this time and ends last, and when; undefined: none does */
export function findFreeze(freezes: readonly Freeze[], nowMs: number): { freeze: Freeze; untilMs: number } | undefined {
  let found: { freeze: Freeze; untilMs: number } | undefined;
  for (const freeze of freezes) {
    // The last beginning that may still hold: croner looks strictly after the time that it is given.
    let beginMs = nextBegin(freeze, nowMs - freeze.durationMs);
    while (beginMs !== undefined && beginMs <= nowMs) {
      const untilMs = beginMs + freeze.durationMs;
      if (untilMs > nowMs && (!found || untilMs > found.untilMs)) found = { freeze, untilMs };
      beginMs = nextBegin(freeze, Math.max(beginMs, nowMs - 60_000));
    }
  }
  return found;
}

/** @param rollout id of one that is under way at the endpoint. @returns undefined: it may start now */
export function whyWait(
  { notBeforeMs }: Pick<ReleaseRequest, 'notBeforeMs'>,
  freezes: readonly Freeze[],
  rollout: number | undefined,
  nowMs: number,
): string | undefined {
  if ((notBeforeMs ?? 0) > nowMs) return `It waits for its time, ${new Date(notBeforeMs!).toISOString()}.`;
  const found = findFreeze(freezes, nowMs);
  if (found) {
    return `It waits for the end of the freeze '${found.freeze.name}', ${new Date(found.untilMs).toISOString()}.`;
  }
  return rollout === undefined ? undefined : `It waits for the rollout of release ${rollout} to end.`;
}

/** When it begins next; undefined: never. */
export function nextBegin(freeze: Freeze, afterMs: number): number | undefined {
  return open(freeze).nextRun(new Date(afterMs))?.getTime();
}

function open({ cron, timeZone }: Pick<Freeze, 'cron' | 'timeZone'>): Cron {
  return new Cron(cron, { paused: true, ...(timeZone !== undefined && { timezone: timeZone }) });
}
