// One version in one data plane: the requests that wait for it, the links to its instances, and the batches between
// the two. Knows neither HTTP nor where instances come from.
import { AppError, messageOf } from '../error.ts';
import type { TensorData } from '../types.ts';
import type { Activity } from './activity.ts';
import { stayAwake } from './attention.ts';
import { planBatch, sliceRows } from './batch-tensors.ts';
import { checkCall, type CheckedCall } from './check.ts';
import { LinkPool } from './link-pool.ts';
import type { BatchOutput, Link } from './link.ts';
import { latenessOf, notReady } from './not-ready.ts';
import { Notes } from './notes.ts';
import { Pacing } from './pacing.ts';
import type { InferenceCall, StageTimes, VersionStatistics } from './plane.ts';
import { RequestQueue, type Waiting } from './queue.ts';
import type { VersionRoute } from './routing.ts';
import { readableMessage } from './runtime-message.ts';
import { countExecution, countFailure, countSuccess, emptyStatistics } from './statistics.ts';

export interface LaneOptions {
  /** Folder in shared memory for slots. */
  folder: string;
  requestTimeoutMs: number;
  maxQueueSize: number;
  /** A batch that computes longer is taken as hung. */
  runTimeoutMs: number;
  onHung(instanceId: string): void;
  /** Longest that a request waits for an instance when its version has none. */
  coldWaitMs: number;
  /** Has an instance of a cold version started, once however many ask. Resolves when it is ready. @throws AppError */
  onWanted(key: string): Promise<void>;
}

interface Pending extends Waiting {
  call: CheckedCall;
  encode: (outputs: TensorData[], times: StageTimes) => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  startedNs: number;
}

interface Batch {
  requests: Pending[];
  rows: number;
  dispatchedNs: number;
}

export class Lane {
  private readonly counters: VersionStatistics;
  private readonly batchSizes = new Map<number, VersionStatistics['batches'][number]>();
  private readonly queue: RequestQueue<Pending>;
  private readonly links: LinkPool;
  private waking = false;
  private uses = 0;
  private lastUsedMs = 0;
  private busyNs = 0;
  private inFlight = 0;
  private readonly pacing = new Pacing();
  private holders = 0;
  private pumping = false;
  private closed = false;
  private idleWaiters: (() => void)[] = [];
  private wakeAtUs = Infinity;
  private wakeTimer: Timer | undefined;
  /** While somebody compares this version with another. */
  private notes: Notes | undefined;
  private readonly watchdog: Timer;

  constructor(
    public route: VersionRoute,
    private readonly options: LaneOptions,
  ) {
    this.counters = emptyStatistics(route.model, route.version);
    const maxSize = route.serving.queuePolicy.maxQueueSize || options.maxQueueSize;
    this.queue = new RequestQueue(route.serving, maxSize, (item, why) => this.dropped(item, why));
    this.links = new LinkPool(options.folder, {
      onDone: (batch, output) => this.finish(batch as Batch, output),
      onFailed: (batch, message) => this.fail(batch as Batch, message),
      onClosed: (computing, waiting) => this.recover(computing as Batch | undefined, waiting as Batch[]),
      onOpen: () => this.pump(),
      onUnreachable: (id) => options.onHung(id),
    });
    this.watchdog = setInterval(() => this.findHung(), Math.min(1000, options.runTimeoutMs / 2));
    this.watchdog.unref();
    this.update(route);
  }

  /** Takes over a newly published route. */
  update(route: VersionRoute): void {
    this.route = route;
    const { watch } = route;
    if (watch?.id !== this.notes?.id) this.notes = watch && new Notes(watch.id, watch.stretch);
    if (watch) this.notes?.enter(watch.stretch);
    this.queue.setMaxBatchSize(route.serving.maxBatchSize);
    this.links.update(route.instances);
    this.pacing.isOnGpu = route.instances.some(({ provider }) => provider !== 'cpu');
    if (route.state === 'cold' && this.queue.size > 0) this.wake();
    if (route.state === 'failed') {
      this.failWaiting(new AppError('unavailable', notReady(route), route.reason || undefined));
    }
  }

  submit<T>(call: InferenceCall, encode: (outputs: TensorData[], times: StageTimes) => T): Promise<T> {
    const checked = checkCall(this.route, call);
    const { serving } = this.route;
    const policy = serving.queuePolicy;
    const nowNs = Bun.nanoseconds();
    const allowedUs = policy.allowTimeoutOverride && call.timeoutUs ? call.timeoutUs : policy.defaultTimeoutUs;
    const { coldWaitMs } = this.options;
    const requestTimeoutMs = this.route.timeoutMs ?? this.options.requestTimeoutMs;
    const isUp = this.links.size > 0 || this.route.state === 'ready';
    const patienceMs = isUp ? requestTimeoutMs : Math.min(requestTimeoutMs, coldWaitMs);
    const lastUs = nowNs / 1000 + patienceMs * 1000;
    this.uses++;
    this.lastUsedMs = Date.now();
    return new Promise<T>((resolve, reject) => {
      const pending: Pending = {
        call: checked,
        rows: checked.rows,
        key: checked.key,
        alone: false,
        priority: call.priority || serving.defaultPriorityLevel || Math.ceil(serving.priorityLevels / 2),
        enqueuedUs: nowNs / 1000,
        deadlineUs: allowedUs ? Math.min(nowNs / 1000 + allowedUs, lastUs) : lastUs,
        lastUs,
        isCancelled: () => call.signal?.aborted === true,
        encode,
        resolve: resolve as (value: unknown) => void,
        reject,
        startedNs: nowNs,
      };
      if (!this.enqueue(pending)) {
        countFailure(this.counters, 0);
        const full = new AppError(
          'overloaded',
          'Exceeds maximum queue size',
          'Try again in a moment, or add instances.',
        );
        this.notes?.failed(full);
        reject(full);
        return;
      }
      if (this.route.state === 'cold') this.wake();
      this.pumpSoon();
    });
  }

  activity(): Activity {
    // Of batches that an instance has, those behind the one it is at wait as well.
    const handedNs = this.links.waiting().map((batch) => (batch as Batch).requests[0]!.startedNs);
    const oldestUs = Math.min(this.queue.oldestUs() ?? Infinity, ...handedNs.map((ns) => ns / 1000));
    return {
      waiting: this.queue.size,
      holders: this.holders,
      uses: this.uses,
      lastUsedMs: this.lastUsedMs,
      busyNs: this.busyNs,
      oldestWaitMs: oldestUs === Infinity ? 0 : (Bun.nanoseconds() / 1000 - oldestUs) / 1000,
      computing: this.links.computing(),
    };
  }

  /** Resolves when an instance that is no longer on the route computes nothing any more. */
  released(instanceId: string): Promise<void> {
    return this.links.released(instanceId);
  }

  /** What was noted since the watch began; undefined: nobody watches. */
  noted(): Notes | undefined {
    return this.notes;
  }

  statistics(): VersionStatistics {
    return { ...this.counters, pending: this.queue.size };
  }

  /** Keeps the lane from draining until released: for callers that prepare their tensors for a while first. */
  hold(): () => void {
    this.holders++;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.holders--;
      this.noteIdle();
    };
  }

  /** Resolves when nothing waits or is being computed. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.idleWaiters.push(resolve);
      this.noteIdle();
    });
  }

  /** Ends the links; what still waits is refused. */
  close(): void {
    this.closed = true;
    clearInterval(this.watchdog);
    this.links.close();
    this.failWaiting(new AppError('unavailable', notReady(this.route)));
    clearTimeout(this.wakeTimer);
  }

  /** Asks for an instance. Whoever waits when there will be none is told why. */
  private wake(): void {
    if (this.waking) return;
    this.waking = true;
    this.options
      .onWanted(this.route.key)
      .catch((error: unknown) => {
        const why = error instanceof AppError ? `${error.message} ${error.hint ?? ''}`.trim() : messageOf(error);
        this.failWaiting(new AppError('unavailable', notReady(this.route), why, 5));
      })
      .finally(() => {
        this.waking = false;
        if (this.route.state === 'cold' && this.queue.size > 0) this.wake();
      });
  }

  private enqueue(pending: Pending): boolean {
    if (this.queue.push(pending)) return true;
    // Those that arrived with it may not have been given to free slots yet.
    this.pump();
    // Nor those of clients that went away been taken out.
    this.queue.dropGone(Bun.nanoseconds() / 1000);
    return this.queue.push(pending);
  }

  /** Behind the other requests that have arrived by now, so that they share a batch. */
  private pumpSoon(): void {
    if (this.pumping) return;
    this.pumping = true;
    setImmediate(() => {
      this.pumping = false;
      this.pump();
    });
  }

  /** Starts batches while there are both requests and free slots. */
  private pump(): void {
    if (this.closed) return;
    const { links, pacing, queue } = this;
    for (let link = links.leastBusy(pacing.depth()); link && queue.size > 0; link = links.leastBusy(pacing.depth())) {
      const share = pacing.share(queue.size, link.computingCount, links.size);
      const taken = share > 0 ? queue.take(Bun.nanoseconds() / 1000, share) : undefined;
      if (!taken) break;
      if ('waitUntilUs' in taken) {
        this.wakeAt(taken.waitUntilUs);
        return;
      }
      this.start(link, taken.batch);
    }
    if (this.queue.size > 0) this.wakeAt(this.queue.nextDeadlineUs());
  }

  private start(link: Link, requests: Pending[]): void {
    const batch: Batch = { requests, rows: 0, dispatchedNs: Bun.nanoseconds() };
    for (const request of requests) batch.rows += request.rows;
    this.inFlight++;
    this.pacing.began(requests.length);
    try {
      const calls = requests.map(({ call }) => call);
      link.start(batch, planBatch(calls, batch.rows, this.route.serving.maxBatchSize > 0));
      if (this.isAlone(batch)) stayAwake();
    } catch (error) {
      this.settle(batch, (request) => this.refuse(request, error));
    }
  }

  /** Then being woken is much of what its client waits for. In company looking for news costs more than it brings. */
  private isAlone(batch: Batch): boolean {
    return batch.requests.length === 1 && this.inFlight === 1 && this.queue.size === 0;
  }

  private finish(batch: Batch, output: BatchOutput): void {
    countExecution(this.counters, batch.rows, this.batchSizes, output);
    const tookNs = output.computeInputNs + output.computeInferNs + output.computeOutputNs;
    this.busyNs += tookNs;
    this.pacing.took(tookNs);
    this.lastUsedMs = this.counters.lastInferenceMs;
    const split = this.route.serving.maxBatchSize > 0 && batch.requests.length > 1;
    let row = 0;
    if (this.isAlone(batch)) stayAwake();
    this.settle(batch, (request) => {
      const times: StageTimes = {
        queueNs: batch.dispatchedNs - request.startedNs,
        computeInputNs: output.computeInputNs,
        computeInferNs: output.computeInferNs,
        computeOutputNs: output.computeOutputNs,
      };
      try {
        const outputs = request.call.outputs.map(({ name }) => {
          const tensor = output.tensors.get(name)!;
          return split ? sliceRows(tensor, row, request.rows, batch.rows) : tensor;
        });
        this.notes?.inspect(outputs);
        const answer = request.encode(outputs, times);
        const totalNs = Bun.nanoseconds() - request.startedNs;
        countSuccess(this.counters, request.rows, times, totalNs);
        this.notes?.answered(totalNs);
        request.resolve(answer);
      } catch (error) {
        this.refuse(request, error);
      }
      row += request.rows;
    });
  }

  private fail(batch: Batch, message: string): void {
    if (batch.requests.length > 1) {
      // One request's data may be what the model cannot compute: the others must not fail with it.
      this.retry(batch);
      return;
    }
    const error = new AppError('model_failed', readableMessage(message));
    this.settle(batch, (request) => this.refuse(request, error));
  }

  /** The instance ended: what it was computing is tried once more, by itself; what waited behind goes back unblamed. */
  private recover(computing: Batch | undefined, waiting: Batch[]): void {
    for (const batch of waiting.toReversed()) {
      batch.requests.reverse();
      this.settle(batch, (request) => this.queue.putBack(request));
    }
    if (computing) this.retry(computing);
    if (this.closed || this.route.state === 'failed') {
      this.failWaiting(new AppError('unavailable', notReady(this.route)));
    }
    this.pump();
  }

  private retry(batch: Batch): void {
    const error = new AppError(
      'unavailable',
      `The process of model '${this.route.model}' ended twice while computing this request`,
      'Look at the log of the instance; the model may not be able to compute this input.',
    );
    // Put back at the front of the queue, so the last one first.
    batch.requests.reverse();
    this.settle(batch, (request) => {
      if (request.alone) {
        this.refuse(request, error);
      } else {
        request.alone = true;
        this.queue.putBack(request);
      }
    });
  }

  private settle(batch: Batch, each: (request: Pending) => void): void {
    for (const request of batch.requests) each(request);
    this.pacing.ended(batch.requests.length);
    this.inFlight--;
    this.links.closeFinished();
    this.pump();
    this.noteIdle();
  }

  private refuse(request: Pending, error: unknown): void {
    countFailure(this.counters, Bun.nanoseconds() - request.startedNs);
    this.notes?.failed(error);
    request.reject(error);
  }

  private dropped(request: Pending, why: 'cancelled' | 'expired'): void {
    this.refuse(
      request,
      why === 'expired' ? latenessOf(this.route) : new AppError('conflict', 'The client went away.'),
    );
  }

  private failWaiting(error: unknown): void {
    for (const request of this.queue.removeAll()) this.refuse(request, error);
    this.noteIdle();
  }

  private wakeAt(timeUs: number): void {
    if (timeUs >= this.wakeAtUs || timeUs === Infinity) return;
    clearTimeout(this.wakeTimer);
    this.wakeAtUs = timeUs;
    const delayMs = Math.max(0, (timeUs - Bun.nanoseconds() / 1000) / 1000);
    this.wakeTimer = setTimeout(() => {
      this.wakeAtUs = Infinity;
      this.queue.dropGone(Bun.nanoseconds() / 1000);
      this.pump();
      this.noteIdle();
    }, delayMs);
  }

  private findHung(): void {
    for (const id of this.links.findHung(this.options.runTimeoutMs)) this.options.onHung(id);
  }

  private noteIdle(): void {
    if (this.queue.size > 0 || this.inFlight > 0 || this.holders > 0) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}
