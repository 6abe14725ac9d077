// Keeps the event loop from sleeping for a moment. Being woken costs a virtual machine up to some hundred microseconds,
// and the next message is often nearer than that.
import { yieldCore } from '../libc.ts';

const attentionNs = 100_000;
let untilNs = 0;
let isAwake = false;

/** Something is likely to arrive within the next 0.1 ms: look for it instead of sleeping. */
export function stayAwake(): void {
  untilNs = Bun.nanoseconds() + attentionNs;
  if (isAwake) return;
  isAwake = true;
  setImmediate(look);
}

function look(): void {
  if (Bun.nanoseconds() >= untilNs) {
    isAwake = false;
    return;
  }
  // On a busy machine looking would take time from whoever is to bring the news.
  yieldCore();
  setImmediate(look);
}
