// Work that can wait until the appliance has been quiet for a while: one piece after another, in order. Told the time and
// whether anything goes on; starts no timer.
import { messageOf } from '../error.ts';
import { log } from '../log.ts';

export class QuietWork {
  private readonly waiting = new Map<string, () => Promise<void>>();
  private quietSinceMs: number | undefined;
  private isRunning = false;

  constructor(private readonly quietMs: number) {}

  /** @param key of two pieces with the same key only the later one is done */
  add(key: string, work: () => Promise<void>): void {
    this.waiting.set(key, work);
  }

  /** To be called at a steady pace; starts at most one piece. */
  look(isBusy: boolean, nowMs: number): void {
    this.quietSinceMs = isBusy ? undefined : (this.quietSinceMs ?? nowMs);
    if (this.quietSinceMs === undefined || nowMs - this.quietSinceMs < this.quietMs) return;
    const [next] = this.isRunning ? [] : this.waiting;
    if (next) void this.run(...next);
  }

  private async run(key: string, work: () => Promise<void>): Promise<void> {
    this.waiting.delete(key);
    this.isRunning = true;
    try {
      await work();
    } catch (error) {
      log('warn', 'postponed work failed', { reason: messageOf(error) });
    } finally {
      this.isRunning = false;
    }
  }
}
