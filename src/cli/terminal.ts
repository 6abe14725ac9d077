// The terminal or the pipes that this process was started with.
import { writeSync } from 'node:fs';

import type { Terminal } from './report.ts';

export function openTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  return {
    width: (stdout.isTTY && stdout.columns) || undefined,
    errorWidth: (stderr.isTTY && stderr.columns) || undefined,
    async out(text) {
      try {
        await Bun.write(Bun.stdout, text);
      } catch (error) {
        // Whoever read it, such as `head`, has seen enough.
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
      }
    },
    err(text) {
      try {
        writeSync(2, text);
      } catch {
        // Nobody is left to be told.
      }
    },
    ...(stdin.isTTY && stderr.isTTY && { readLine }),
  };
}

async function readLine(): Promise<string> {
  for await (const line of console) return line;
  return '';
}
