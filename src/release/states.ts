// Which state of a release may follow which, and what may be done in each. Pure.
import { AppError } from '../error.ts';
import type { ReleaseState } from './types.ts';

const next: Record<ReleaseState, readonly ReleaseState[]> = {
  draft: ['submitted', 'withdrawn'],
  submitted: ['changes-asked', 'rejected', 'withdrawn', 'approved'],
  'changes-asked': ['submitted', 'withdrawn'],
  rejected: [],
  withdrawn: [],
  approved: ['rolling-out', 'withdrawn', 'failed'],
  'rolling-out': ['live', 'rolled-back', 'failed'],
  live: ['superseded', 'rolled-back'],
  // A rollback puts one back that was live before.
  superseded: ['live'],
  'rolled-back': ['live'],
  failed: [],
};

export const mayFollow = (from: ReleaseState, to: ReleaseState): boolean => next[from].includes(to);

/** What is asked for can still be changed. */
export const isEditable = (state: ReleaseState): boolean => state === 'draft' || state === 'changes-asked';

/** Nothing more comes of it by itself. */
export const isOver = (state: ReleaseState): boolean =>
  ['rejected', 'withdrawn', 'superseded', 'rolled-back', 'failed'].includes(state);

/** @throws AppError conflict */
export function requireFollow(from: ReleaseState, to: ReleaseState): void {
  if (mayFollow(from, to)) return;
  const hint = next[from].length > 0 ? `From here it can become: ${next[from].join(', ')}.` : 'Make a new request.';
  throw new AppError('conflict', `A release that is ${from} cannot become ${to}.`, hint);
}
