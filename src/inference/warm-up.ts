// Runs a model on made-up inputs before it takes traffic, so that the first request does not pay for what providers
// prepare and reserve at their first run. Knows nothing of processes.
import { messageOf } from '../error.ts';
import { findFault } from './diagnosis.ts';
import { runOnRandomInputs } from './random-inputs.ts';
import type { Session } from './session.ts';

/** For variable dimensions. Small first: it is not known what real requests will have. */
const guesses = [8, 1, 64, 224];
/** The largest batch is left out when it would take longer. */
const longestBatchMs = 10_000;

/**
 * One row, then the largest batch (0 or 1: one row only). A model that does not take made-up inputs stays cold.
 * @returns what was done, for the log
 * @throws what the session threw when it, and not the inputs, is at fault: memory ran out, or its device is gone
 */
export function warmUp(session: Session, largestBatch: number): string {
  const started = performance.now();
  let fault: unknown;
  const watched: Session = {
    ...session,
    run(feeds, fetches) {
      try {
        return session.run(feeds, fetches);
      } catch (error) {
        if (findFault(messageOf(error))) fault = error;
        throw error;
      }
    },
  };
  const done: number[] = [];
  try {
    const { assumedSize = guesses[0]! } = runOnRandomInputs(watched, 1, guesses);
    done.push(1);
    // The first run prepares; a second tells how long one takes.
    const warm = performance.now();
    runOnRandomInputs(watched, 1, [assumedSize]);
    const batchMs = (performance.now() - warm) * largestBatch;
    if (largestBatch > 1 && batchMs <= longestBatchMs) {
      runOnRandomInputs(watched, largestBatch, [assumedSize]);
      done.push(largestBatch);
    }
  } catch (error) {
    if (fault !== undefined) throw fault;
    if (done.length === 0) return `not warmed up: ${messageOf(error)}`;
  }
  return `warmed up in ${Math.round(performance.now() - started)} ms (batch ${done.join(' and ')})`;
}
