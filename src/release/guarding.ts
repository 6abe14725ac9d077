// Brings the guard what it judges: samples of what is live and of what is on trial, read from the data plane. Judges
// nothing itself; guard.ts does.
import type { Notes } from '../inference/notes.ts';
import { type Breach, type Check, type CheckState, type GuardMemory, lookGuard, type SideSamples } from './guard.ts';
import type { GuardLimits, Release } from './types.ts';

export interface GuardingParts {
  noted(release: Release): Notes | undefined;
  /** Processes of its deployment that ended unexpectedly, ever. */
  crashesOf(release: Release): number;
}

/** What is remembered of one comparison. */
interface Comparison {
  memory?: GuardMemory;
  /** When it began. */
  oldCrashes: number;
  newCrashes: number;
  /** Requests of the new one when its present stage began. */
  requestsBefore: number;
  checks?: Record<Check, CheckState>;
}

export class Guarding {
  private readonly comparisons = new Map<number, Comparison>();

  constructor(private readonly parts: GuardingParts) {}

  /** From now on crashes count. */
  begin(fresh: Release, old: Release | undefined): void {
    this.comparisons.set(fresh.id, {
      oldCrashes: old ? this.parts.crashesOf(old) : 0,
      newCrashes: this.parts.crashesOf(fresh),
      requestsBefore: 0,
    });
  }

  /** A stage began: its requests are counted from here. */
  mark(fresh: Release): void {
    const comparison = this.comparisons.get(fresh.id);
    if (comparison) comparison.requestsBefore = this.parts.noted(fresh)?.requests ?? 0;
  }

  end(fresh: Release): void {
    this.comparisons.delete(fresh.id);
  }

  /** Requests of the new one in its present stage. */
  requestsInStage(fresh: Release): number {
    return (this.parts.noted(fresh)?.requests ?? 0) - (this.comparisons.get(fresh.id)?.requestsBefore ?? 0);
  }

  requestsOf(release: Release): number {
    return this.parts.noted(release)?.requests ?? 0;
  }

  checks(fresh: Release): Record<Check, CheckState> | undefined {
    return this.comparisons.get(fresh.id)?.checks;
  }

  /**
   * To be called about once a second.
   * @param old the one that is live beside it, or what it did before it was replaced
   */
  look(fresh: Release, old: Release | SideSamples | undefined, limits: GuardLimits): Breach | undefined {
    const comparison = this.comparisons.get(fresh.id);
    const notes = this.parts.noted(fresh);
    if (!comparison || !notes) return undefined;
    const measured = samplesOf(notes, this.parts.crashesOf(fresh) - comparison.newCrashes);
    // Shadow requests wait for those of callers, who wait for nobody: how long they take says nothing.
    const candidate = fresh.stage?.kind === 'shadow' ? { ...measured, latenciesMs: [] } : measured;
    const isBeside = old !== undefined && 'state' in old;
    // Latencies of another time are of another load.
    const stable = isBeside ? this.samples(old, comparison.oldCrashes) : { ...(old ?? nothing), latenciesMs: [] };
    const { compared, disagreed } = notes;
    const agreement = compared > 0 ? { compared, disagreed } : undefined;
    const { memory, breach, checks } = lookGuard(comparison.memory, stable, candidate, agreement, limits);
    Object.assign(comparison, { memory, checks });
    return breach;
  }

  /** What a version did, to be compared with once another has taken its place; as JSON. */
  baseline(old: Release): string | undefined {
    const notes = this.parts.noted(old);
    if (!notes || notes.requests === 0) return undefined;
    const samples = samplesOf(notes, 0);
    return JSON.stringify({ ...samples, latenciesMs: [] });
  }

  private samples(release: Release, crashesBefore: number): SideSamples {
    const crashes = this.parts.crashesOf(release) - crashesBefore;
    const notes = this.parts.noted(release);
    return notes ? samplesOf(notes, crashes) : { ...nothing, crashes };
  }
}

const nothing: SideSamples = { requests: 0, errors: 0, inspected: 0, nonFinite: 0, latenciesMs: [], crashes: 0 };

function samplesOf({ requests, errors, inspected, nonFinite, latencies }: Notes, crashes: number): SideSamples {
  return { requests, errors, inspected, nonFinite, latenciesMs: latencies.values, crashes };
}
