// Keeps the event loop from sleeping for a moment. Being woken costs a virtual machine up to some hundred microseconds,
// and during traffic the next message is often nearer than that.

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
  if (Bun.nanoseconds() < untilNs) setImmediate(look);
  else isAwake = false;
}
