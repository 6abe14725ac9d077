// The order in which waiting requests are computed, and which of them make a batch together. Pure: time goes in as
// numbers, nothing is awaited. Knows neither tensors nor processes.
import type { ServingSettings } from '../types.ts';

/** What the queue needs to know of a request. Times are microseconds of one monotonic clock. */
export interface Waiting {
  /** Size of the batch dimension; 1 for a model without one. */
  rows: number;
  /** Only requests with equal keys may share a batch. */
  key: string;
  /** Must be computed by itself: it may be what ended the instance that tried it first. */
  alone: boolean;
  /** 1 is the highest. */
  priority: number;
  enqueuedUs: number;
  /** After this it is refused, or moved behind the others, by the version's timeout action. */
  deadlineUs: number;
  /** After this it is refused whatever the timeout action is. */
  lastUs: number;
  isCancelled(): boolean;
}

/** A batch to compute now; or the time until which it pays to wait for company; or nothing. */
export type Taken<T> = { batch: T[] } | { waitUntilUs: number } | undefined;

/** How late a timer may be. */
const timerSlackUs = 2000;

export class RequestQueue<T extends Waiting> {
  /** One list for each priority level, highest first; the last one holds those delayed by their timeout. */
  private readonly levels: T[][];
  private count = 0;

  /** @param drop is told of each request that leaves the queue without being computed */
  constructor(
    private serving: ServingSettings,
    private readonly maxSize: number,
    private readonly drop: (item: T, why: 'cancelled' | 'expired') => void,
  ) {
    this.levels = Array.from({ length: Math.max(1, serving.priorityLevels) + 1 }, () => []);
  }

  get size(): number {
    return this.count;
  }

  /** @param maxBatchSize 0 only if it was 0 before */
  setMaxBatchSize(maxBatchSize: number): void {
    this.serving = { ...this.serving, maxBatchSize };
  }

  /** @returns false when the queue is full */
  push(item: T): boolean {
    if (this.count >= this.maxSize) return false;
    this.level(item).push(item);
    this.count++;
    return true;
  }

  /** Puts a request back that was being computed when its instance ended; never refused. */
  putBack(item: T): void {
    this.level(item).unshift(item);
    this.count++;
  }

  /**
   * Removes and returns what should be computed next.
   * @param share most requests of a batch that waits for no company
   */
  take(nowUs: number, share = Infinity): Taken<T> {
    this.dropGone(nowUs);
    const head = this.levels.find((level) => level.length > 0)?.[0];
    if (!head) return undefined;
    const { maxBatchSize } = this.serving;
    if (maxBatchSize === 0 || head.alone || head.rows >= maxBatchSize) return { batch: this.remove([head]) };

    const company = this.company(head, maxBatchSize);
    const delayUs = this.serving.maxQueueDelayUs;
    if (delayUs === 0) return { batch: this.remove(company.length > share ? company.slice(0, share) : company) };
    const preferred = this.preferredPrefix(company);
    if (preferred > 0) return { batch: this.remove(company.slice(0, preferred)) };
    // No company is worth the timeout.
    const waitUntilUs = Math.min(head.enqueuedUs + delayUs, head.deadlineUs - timerSlackUs);
    const full = company.reduce((rows, item) => rows + item.rows, 0) >= maxBatchSize;
    return full || nowUs >= waitUntilUs ? { batch: this.remove(company) } : { waitUntilUs };
  }

  /** The earliest time at which a waiting request's timeout passes. */
  nextDeadlineUs(): number {
    let earliest = Infinity;
    const late = this.levels.at(-1)!;
    for (const level of this.levels) {
      for (const item of level) earliest = Math.min(earliest, level === late ? item.lastUs : item.deadlineUs);
    }
    return earliest;
  }

  /** When the request that waits longest came; undefined when none waits. */
  oldestUs(): number | undefined {
    let oldest: number | undefined;
    for (const [head] of this.levels) {
      if (head) oldest = Math.min(oldest ?? Infinity, head.enqueuedUs);
    }
    return oldest;
  }

  /** Drops cancelled and timed-out requests, and moves those that are only delayed by their timeout. */
  dropGone(nowUs: number): void {
    const late = this.levels.at(-1)!;
    for (const level of this.levels) {
      let kept = 0;
      for (const item of level) {
        const cancelled = item.isCancelled();
        const expired = nowUs >= (level === late ? item.lastUs : item.deadlineUs);
        if (!cancelled && !expired) {
          level[kept++] = item;
        } else if (!cancelled && nowUs < item.lastUs && this.serving.queuePolicy.timeoutAction === 'DELAY') {
          late.push(item);
        } else {
          this.count--;
          this.drop(item, cancelled ? 'cancelled' : 'expired');
        }
      }
      level.length = kept;
    }
  }

  /** Empties the queue. */
  removeAll(): T[] {
    const all = this.levels.flat();
    for (const level of this.levels) level.length = 0;
    this.count = 0;
    return all;
  }

  private level(item: T): T[] {
    // Levels count from 1; 0 and models without levels share the first list.
    const index = Math.min(Math.max(item.priority, 1), this.levels.length - 1) - 1;
    return this.levels[index]!;
  }

  /** Requests in order that fit into one batch with `head`. */
  private company(head: T, maxRows: number): T[] {
    const batch: T[] = [];
    let rows = 0;
    for (const level of this.levels) {
      for (const item of level) {
        if (item.key !== head.key || item.alone) continue;
        // Stopping here, not skipping, keeps a large request from waiting for ever behind small ones.
        if (rows + item.rows > maxRows) return batch;
        batch.push(item);
        rows += item.rows;
      }
    }
    return batch;
  }

  /** How many of `batch`, from its start, make the largest preferred size; 0: none does. */
  private preferredPrefix(batch: readonly T[]): number {
    let rows = 0;
    let best = 0;
    batch.forEach((item, i) => {
      rows += item.rows;
      if (this.serving.preferredBatchSizes.includes(rows)) best = i + 1;
    });
    return best;
  }

  private remove(batch: T[]): T[] {
    let at = 0;
    for (let i = 0; i < this.levels.length && at < batch.length; i++) {
      const level = this.levels[i]!;
      let kept = 0;
      for (const item of level) {
        if (at < batch.length && item === batch[at]) at++;
        else level[kept++] = item;
      }
      level.length = kept;
    }
    this.count -= batch.length;
    return batch;
  }
}
