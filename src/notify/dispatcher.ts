// Takes deliveries out of the outbox and has them delivered: a few at a time, one at a time to each receiver so that order
// is kept while it answers, and later again what failed. Knows neither HTTP nor mail.
import { messageOf } from '../error.ts';
import { log } from '../log.ts';
import type { Clock } from './clock.ts';
import type { DueDelivery, Outbox, Outcome } from './outbox.ts';
import { nextAttemptMs } from './retry.ts';

const mostAtOnce = 4;
/** Before anything more is tried of a receiver, when the database does not take what came of an attempt. */
const pauseMs = 30_000;

export type Channel = 'webhook' | 'mail';
export type AttemptResult = 'delivered' | 'failed' | 'given-up';

/** Never rejects for what a receiver does; the signal ends it. */
export type Deliver = (delivery: DueDelivery, signal: AbortSignal) => Promise<Outcome>;

export interface DispatcherParts {
  outbox: Outbox;
  deliver: Deliver;
  clock: Clock;
  /** From 0 to 1. */
  random: () => number;
}

export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #stopping = new AbortController();
  /** By receiver. */
  readonly #running = new Map<string, Promise<void>>();
  readonly #trials = new Set<Promise<Outcome>>();
  readonly #totals = new Map<`${Channel} ${AttemptResult}`, number>();
  #cancelTimer = () => {};

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** Looks at the outbox, after whatever runs now: the transaction that something was posted in is over then. */
  wake(): void {
    this.#sleep(0);
  }

  /** Tries one now and once; its receiver may get another one at the same time. @param id of one that is out of line */
  async tryOnce(id: string): Promise<Outcome> {
    const delivery = this.#parts.outbox.getDue(id);
    const work = this.#attempt(delivery).then((outcome) => {
      this.#settle(delivery, { ...outcome, isFinal: true });
      return outcome;
    });
    this.#trials.add(work);
    return await work.finally(() => this.#trials.delete(work));
  }

  /** Attempts since the start. */
  totals(): { channel: Channel; result: AttemptResult; count: number }[] {
    return [...this.#totals].map(([name, count]) => {
      const [channel, result] = name.split(' ') as [Channel, AttemptResult];
      return { channel, result, count };
    });
  }

  /** What is being delivered is broken off and stays in line. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer();
    await Promise.allSettled([...this.#running.values(), ...this.#trials]);
  }

  #sleep(ms: number): void {
    this.#cancelTimer();
    if (this.#stopping.signal.aborted) return;
    this.#cancelTimer = this.#parts.clock.after(ms, () => this.#run());
  }

  #run(): void {
    const { outbox, clock } = this.#parts;
    while (this.#running.size < mostAtOnce) {
      const delivery = outbox.findDue([...this.#running.keys()]);
      if (!delivery) break;
      this.#running.set(delivery.receiver, this.#work(delivery));
    }
    // Whatever ends looks again.
    if (this.#running.size === mostAtOnce) return;
    const dueMs = outbox.nextDueMs([...this.#running.keys()]);
    if (dueMs !== undefined) this.#sleep(dueMs - clock.now());
  }

  async #work(delivery: DueDelivery): Promise<void> {
    try {
      const outcome = await this.#attempt(delivery);
      // Not the receiver's fault: it is tried again after the next start.
      if (!outcome.isDelivered && this.#stopping.signal.aborted) return;
      this.#settle(delivery, outcome);
    } catch (error) {
      log('error', 'a delivery cannot be written down', { delivery: delivery.id, reason: messageOf(error) });
      await this.#pause();
    } finally {
      this.#running.delete(delivery.receiver);
      this.wake();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(pauseMs, resolve);
      this.#stopping.signal.addEventListener('abort', () => {
        cancel();
        resolve();
      });
    });
  }

  async #attempt(delivery: DueDelivery): Promise<Outcome> {
    try {
      return await this.#parts.deliver(delivery, this.#stopping.signal);
    } catch (error) {
      return { isDelivered: false, answer: messageOf(error) };
    }
  }

  #settle(delivery: DueDelivery, outcome: Outcome): void {
    const { outbox, clock, random } = this.#parts;
    const { seq, id, webhook, user, queuedMs, failures } = delivery;
    const isOver = outcome.isDelivered || outcome.isFinal === true;
    const dueMs = isOver ? undefined : nextAttemptMs({ failures: failures + 1, queuedMs }, clock.now(), random());
    const state = outbox.settle(seq, outcome, dueMs);
    if (state === undefined) return;
    const channel = webhook === null ? 'mail' : 'webhook';
    const result = state === 'delivered' ? 'delivered' : state === 'failed' ? 'given-up' : 'failed';
    this.#totals.set(`${channel} ${result}`, (this.#totals.get(`${channel} ${result}`) ?? 0) + 1);
    if (result === 'delivered') return;
    const what = result === 'failed' ? 'a notification was not delivered' : 'a notification is given up';
    const fields = {
      delivery: id,
      channel,
      receiver: webhook ?? user,
      status: outcome.status,
      reason: outcome.answer.slice(0, 200),
    };
    log(result === 'failed' ? 'info' : 'warn', what, fields);
  }
}
