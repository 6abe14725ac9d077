// The last lines that a process printed, and those of the process before it, because people look after a crash.

const keptLines = 50;
const longestLine = 10_000;

export class LogTail {
  private earlier: string[] = [];
  /** Of the present process, oldest first. */
  lines: string[] = [];

  get all(): string[] {
    return [...this.earlier, ...this.lines];
  }

  add(line: string): void {
    this.lines.push(line);
    if (this.lines.length > keptLines) this.lines.shift();
  }

  /** A new process begins. */
  turn(): void {
    this.earlier = this.lines;
    this.lines = [];
  }
}

/** Lines of a stream; of a very long one the end. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    // A line without an end must not grow for ever.
    rest = lines.pop()!.slice(-longestLine);
    for (const line of lines) yield line.slice(-longestLine);
  }
  if (rest) yield rest;
}
