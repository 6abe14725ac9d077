// Reads a stream that may stand still or drip: ends it when less comes than anybody would wait for. Time that its reader
// takes for itself does not count.

export interface Pace {
  /** How long it is watched at a time. */
  windowMs: number;
  /** What must come within it. */
  leastBytes: number;
}

/** @param onSlow called when it is too slow; the stream must end with an error then */
export async function* inPace(
  body: AsyncIterable<Uint8Array>,
  { windowMs, leastBytes }: Pace,
  onSlow: () => void,
): AsyncGenerator<Uint8Array> {
  let waitedMs = 0;
  let bytes = 0;
  let sinceMs = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = () => {
    sinceMs = performance.now();
    timer = setTimeout(() => {
      if (bytes < leastBytes) return onSlow();
      waitedMs = bytes = 0;
      watch();
    }, windowMs - waitedMs);
  };
  try {
    watch();
    for await (const part of body) {
      clearTimeout(timer);
      waitedMs = Math.min(windowMs, waitedMs + performance.now() - sinceMs);
      bytes += part.length;
      yield part;
      watch();
    }
  } finally {
    clearTimeout(timer);
  }
}
