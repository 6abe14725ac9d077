// One version in one data plane: the requests that wait for it, the links to its instances, and the batches between
// the two. Knows neither HTTP nor where instances come from.
import { AppError } from '../error.ts';
import type { TensorData } from '../types.ts';
import { stayAwake } from './attention.ts';
import { planOutput, sliceRows } from './batch-tensors.ts';
import { checkCall, type CheckedCall } from './check.ts';
import { type BatchOutput, type BatchSpec, Link } from './link.ts';
import type { InferenceCall, StageTimes, VersionStatistics } from './plane.ts';
import { RequestQueue, type Waiting } from './queue.ts';
import type { InstanceAddress, VersionRoute } from './routing.ts';
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

const connectPauseMs = 100;
const maxConnectTries = 10;

export class Lane {
  private readonly counters: VersionStatistics;
  private readonly batchSizes = new Map<number, VersionStatistics['batches'][number]>();
  private readonly queue: RequestQueue<Pending>;
  private readonly links = new Map<string, Link>();
  private readonly opening = new Set<string>();
  private inFlight = 0;
  private holders = 0;
  private pumping = false;
  private closed = false;
  /** Failed connections by instance. */
  private readonly tries = new Map<string, number>();
  private idleWaiters: (() => void)[] = [];
  private wakeAtUs = Infinity;
  private wakeTimer: Timer | undefined;
  private readonly watchdog: Timer;

  constructor(
    public route: VersionRoute,
    private readonly options: LaneOptions,
  ) {
    this.counters = emptyStatistics(route.model, route.version);
    const { serving } = route;
    const maxSize = serving.queuePolicy.maxQueueSize || options.maxQueueSize;
    this.queue = new RequestQueue(serving, maxSize, (item, why) => this.dropped(item, why));
    this.watchdog = setInterval(() => this.findHung(), Math.min(1000, options.runTimeoutMs / 2));
    this.watchdog.unref();
    this.update(route);
  }

  /** Takes over a newly published route: connects to new instances. Links to ended ones close by themselves. */
  update(route: VersionRoute): void {
    this.route = route;
    for (const id of this.tries.keys()) {
      if (!route.instances.some((each) => each.id === id)) this.tries.delete(id);
    }
    for (const instance of route.instances) {
      if (!this.links.has(instance.id) && !this.opening.has(instance.id)) void this.connect(instance);
    }
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
    const lastUs = nowNs / 1000 + this.options.requestTimeoutMs * 1000;
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
        reject(new AppError('overloaded', 'Exceeds maximum queue size', 'Try again in a moment, or add instances.'));
        return;
      }
      this.pumpSoon();
    });
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
    for (const link of this.links.values()) link.close();
    this.failWaiting(new AppError('unavailable', notReady(this.route)));
    clearTimeout(this.wakeTimer);
  }

  private async connect(instance: InstanceAddress): Promise<void> {
    this.opening.add(instance.id);
    try {
      const link = await Link.open(instance.id, instance.socketPath, this.options.folder, {
        onDone: (batch, output) => this.finish(batch as Batch, output),
        onFailed: (batch, message) => this.fail(batch as Batch, message),
        onClosed: (computing, waiting) => {
          this.links.delete(instance.id);
          this.recover(computing as Batch | undefined, waiting as Batch[]);
          this.connectAgain(instance);
        },
      });
      if (this.closed) {
        link.close();
        return;
      }
      this.links.set(instance.id, link);
      this.pump();
    } catch {
      this.connectAgain(instance);
    } finally {
      this.opening.delete(instance.id);
    }
  }

  /** Most often the instance has ended and is about to be taken off the route: then nothing happens. */
  private connectAgain(instance: InstanceAddress): void {
    const { id } = instance;
    const timer = setTimeout(() => {
      const isListed = this.route.instances.some((each) => each.id === id);
      if (this.closed || !isListed || this.links.has(id) || this.opening.has(id)) return;
      const tries = (this.tries.get(id) ?? 0) + 1;
      this.tries.set(id, tries);
      if (tries <= maxConnectTries) void this.connect(instance);
      else this.options.onHung(id);
    }, connectPauseMs);
    timer.unref();
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
    for (let link = this.leastBusy(); link && this.queue.size > 0; link = this.leastBusy()) {
      const taken = this.queue.take(Bun.nanoseconds() / 1000);
      if (!taken) break;
      if ('waitUntilUs' in taken) {
        this.wakeAt(taken.waitUntilUs);
        return;
      }
      this.start(link, taken.batch);
    }
    if (this.queue.size > 0) this.wakeAt(this.queue.nextDeadlineUs());
  }

  private leastBusy(): Link | undefined {
    let best: Link | undefined;
    for (const link of this.links.values()) {
      if (link.freeSlots > (best?.freeSlots ?? 0)) best = link;
    }
    return best;
  }

  private start(link: Link, requests: Pending[]): void {
    const batch: Batch = { requests, rows: 0, dispatchedNs: Bun.nanoseconds() };
    for (const request of requests) batch.rows += request.rows;
    this.inFlight++;
    try {
      link.start(batch, this.plan(batch));
      stayAwake();
    } catch (error) {
      this.settle(batch, (request) => this.refuse(request, error));
    }
  }

  private plan(batch: Batch): BatchSpec {
    const first = batch.requests[0]!.call;
    const batched = this.route.serving.maxBatchSize > 0;
    const shapeOf = (shape: readonly number[]) => (batched ? [batch.rows, ...shape.slice(1)] : [...shape]);
    const inputs = first.inputs.map(({ name, datatype, shape }, i) => ({
      name,
      datatype,
      shape: shapeOf(shape),
      parts: batch.requests.map((request) => request.call.inputs[i]!.bytes),
    }));
    const key = batched
      ? `${batch.rows}/${first.key}`
      : `${first.inputs.map(({ shape }) => shape.join('x')).join(';')}/${first.key}`;
    return { key, inputs, outputs: first.outputs.map((spec) => planOutput(spec, batched, batch.rows)) };
  }

  private finish(batch: Batch, output: BatchOutput): void {
    const shared = {
      computeInputNs: output.inputNs,
      computeInferNs: output.inferNs,
      computeOutputNs: output.outputNs,
    };
    countExecution(this.counters, batch.rows, this.batchSizes, shared);
    const split = this.route.serving.maxBatchSize > 0 && batch.requests.length > 1;
    let row = 0;
    stayAwake();
    this.settle(batch, (request) => {
      const times = { queueNs: batch.dispatchedNs - request.startedNs, ...shared };
      try {
        const outputs = request.call.outputs.map(({ name }) => {
          const tensor = output.tensors.get(name)!;
          return split ? sliceRows(tensor, row, request.rows, batch.rows) : tensor;
        });
        const answer = request.encode(outputs, times);
        countSuccess(this.counters, request.rows, times, Bun.nanoseconds() - request.startedNs);
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
    this.inFlight--;
    this.pump();
    this.noteIdle();
  }

  private refuse(request: Pending, error: unknown): void {
    countFailure(this.counters, Bun.nanoseconds() - request.startedNs);
    request.reject(error);
  }

  private dropped(request: Pending, why: 'cancelled' | 'expired'): void {
    this.refuse(
      request,
      why === 'expired'
        ? new AppError('timeout', 'Request timeout expired')
        : new AppError('conflict', 'The client went away.'),
    );
  }

  private failWaiting(error: AppError): void {
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
    for (const link of this.links.values()) {
      if (link.computingMs() > this.options.runTimeoutMs) this.options.onHung(link.id);
    }
  }

  private noteIdle(): void {
    if (this.queue.size > 0 || this.inFlight > 0 || this.holders > 0) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}

/** "… is not at ready state", as the protocol's clients know it. */
export function notReady({ model, version }: { model: string; version: number | null }): string {
  return `Request for model '${model}'${version === null ? '' : ` version ${version}`} is not at ready state`;
}
