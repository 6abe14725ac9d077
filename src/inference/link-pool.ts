// The links of one version to its instances: opened when an instance appears, tried again when that fails, retired when
// it is taken away. Knows batches as opaque values.
import { type BatchOutput, Link, slotsPerLink } from './link.ts';
import type { InstanceAddress } from './routing.ts';

export interface PoolEvents {
  /** Called synchronously; the views are reused as soon as it returns. */
  onDone(batch: unknown, output: BatchOutput): void;
  onFailed(batch: unknown, message: string): void;
  /** A runner is gone. `computing` is the batch it was at, `waiting` those behind it. */
  onClosed(computing: unknown, waiting: unknown[]): void;
  /** A link more takes batches. */
  onOpen(): void;
  /** The instance cannot be connected to. */
  onUnreachable(instanceId: string): void;
}

const connectPauseMs = 100;
const maxConnectTries = 10;

export class LinkPool {
  private instances: InstanceAddress[] = [];
  private readonly links = new Map<string, Link>();
  private readonly opening = new Set<string>();
  /** To instances that were taken away: they finish what they compute. */
  private readonly retired = new Set<Link>();
  private releaseWaiters: (() => void)[] = [];
  /** Failed connections by instance. */
  private readonly tries = new Map<string, number>();
  private closed = false;

  /** @param folder in shared memory, for slots */
  constructor(
    private readonly folder: string,
    private readonly events: PoolEvents,
  ) {}

  /** Links that take batches. */
  get size(): number {
    return this.links.size;
  }

  /** Connects to new instances and retires the links to others. Links to ended ones close by themselves. */
  update(instances: InstanceAddress[]): void {
    this.instances = instances;
    for (const id of this.tries.keys()) {
      if (!this.isListed(id)) this.tries.delete(id);
    }
    for (const link of this.links.values()) {
      if (!this.isListed(link.id)) this.retire(link);
    }
    for (const instance of instances) {
      if (!this.links.has(instance.id) && !this.opening.has(instance.id)) void this.connect(instance);
    }
  }

  /** @param depth slots of a link that may be in use @returns the one with the most free slots; undefined when none has any */
  leastBusy(depth: number): Link | undefined {
    let best: Link | undefined;
    for (const link of this.links.values()) {
      if (link.freeSlots > (best?.freeSlots ?? slotsPerLink - depth)) best = link;
    }
    return best;
  }

  /** Batches being computed, by instance. */
  computing(): Map<string, number> {
    return new Map([...this.links.values(), ...this.retired].map((link) => [link.id, link.computingCount]));
  }

  /** Batches that instances have, but are not at yet. */
  waiting(): unknown[] {
    return [...this.links.values()].flatMap((link) => link.waiting);
  }

  /** Instances that have been at one batch for longer than this. */
  findHung(runTimeoutMs: number): string[] {
    return [...this.links.values(), ...this.retired]
      .filter((link) => link.computingMs() > runTimeoutMs)
      .map(({ id }) => id);
  }

  /** Resolves when an instance that was taken away computes nothing any more. */
  async released(instanceId: string): Promise<void> {
    while ([...this.retired].some(({ id }) => id === instanceId)) {
      await new Promise<void>((resolve) => this.releaseWaiters.push(resolve));
    }
  }

  /** To be called when a batch is settled: closes the retired links that have finished. */
  closeFinished(): void {
    for (const link of this.retired) {
      if (link.idle) link.close();
    }
  }

  close(): void {
    this.closed = true;
    for (const link of [...this.links.values(), ...this.retired]) link.close();
  }

  private isListed(id: string): boolean {
    return this.instances.some((instance) => instance.id === id);
  }

  private retire(link: Link): void {
    this.links.delete(link.id);
    this.retired.add(link);
    if (link.idle) link.close();
  }

  private async connect(instance: InstanceAddress): Promise<void> {
    const { id } = instance;
    this.opening.add(id);
    try {
      const link: Link = await Link.open(id, instance.socketPath, this.folder, {
        onDone: (batch, output) => this.events.onDone(batch, output),
        onFailed: (batch, message) => this.events.onFailed(batch, message),
        onClosed: (computing, waiting) => {
          if (this.links.get(id) === link) this.links.delete(id);
          this.retired.delete(link);
          for (const resolve of this.releaseWaiters.splice(0)) resolve();
          this.events.onClosed(computing, waiting);
          this.connectAgain(instance);
        },
      });
      if (this.closed || !this.isListed(id)) {
        link.close();
        return;
      }
      this.links.set(id, link);
      this.events.onOpen();
    } catch {
      this.connectAgain(instance);
    } finally {
      this.opening.delete(id);
    }
  }

  /** Most often the instance has ended and is about to be taken away: then nothing happens. */
  private connectAgain(instance: InstanceAddress): void {
    const { id } = instance;
    const timer = setTimeout(() => {
      if (this.closed || !this.isListed(id) || this.links.has(id) || this.opening.has(id)) return;
      const tries = (this.tries.get(id) ?? 0) + 1;
      this.tries.set(id, tries);
      if (tries <= maxConnectTries) void this.connect(instance);
      else this.events.onUnreachable(id);
    }, connectPauseMs);
    timer.unref();
  }
}
