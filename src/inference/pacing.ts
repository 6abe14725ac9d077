// How much is handed to an instance at once: how many requests share a batch when more wait than one slot needs, and how many
// slots are filled ahead. Pure counting; measured in docs/serving.md.
import { slotsPerLink } from './link.ts';

/** Below that a batch costs more than it saves. */
const leastShare = 4;
/** Slots that are filled while batches take long, or it is not known yet how long: what is handed over cannot be called back. */
export const fewSlots = 2;
const shortNs = 5e6;
/** Batches in a row that were short. */
const enoughShort = 16;

export class Pacing {
  isOnGpu = false;
  /** Requests that instances have. */
  private outstanding = 0;
  private shortRuns = 0;

  began(requests: number): void {
    this.outstanding += requests;
  }

  ended(requests: number): void {
    this.outstanding -= requests;
  }

  /** @param ns that the instance was at a batch */
  took(ns: number): void {
    this.shortRuns = ns < shortNs ? this.shortRuns + 1 : 0;
  }

  /** Slots of an instance that may be filled. */
  depth(): number {
    return this.shortRuns >= enoughShort ? slotsPerLink : fewSlots;
  }

  /**
   * Most requests of the next batch. All that are under way are dealt out evenly: two batches to each instance, so that one is
   * computed while the requests of the other are read and answered. A GPU takes a large batch in little more time than a
   * small one, so that it gets one. An instance that has so many already gets no crumbs ahead: small batches cost the most.
   * @param computing batches that the instance has
   * @returns 0: none yet
   */
  share(waiting: number, computing: number, instances: number): number {
    const parts = Math.max(1, instances) * (this.isOnGpu ? 1 : 2);
    const share = Math.max(leastShare, Math.ceil((waiting + this.outstanding) / parts));
    return computing < fewSlots || 2 * waiting >= share ? share : 0;
  }
}
