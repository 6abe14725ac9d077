// A whole server beside a played GPU: what happens to the GPU stands in the log, with nobody asking.
import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { buildNvmlStub, driver, gpu, hasCompiler } from '../support/nvml.ts';

interface Line {
  level: string;
  message: string;
  id?: string;
  reason?: string;
  xid?: number;
}

async function* readLog(stream: ReadableStream<Uint8Array>): AsyncGenerator<Line> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line) as Line;
  }
}

test.skipIf(!hasCompiler)('devices that come, go and report faults are in the log (needs cc)', async () => {
  const stub = await buildNvmlStub();
  const data = mkdtempSync(join(tmpdir(), 'aimass-watch-'));
  stub.play(driver, gpu('GPU-0'));
  const main = join(import.meta.dir, '../../src/main.ts');
  const server = Bun.spawn([process.execPath, main, 'serve', '--data', data, '--listen', '127.0.0.1:0'], {
    stderr: 'pipe',
    // The dynamic loader finds NVIDIA's library by its name.
    env: { PATH: process.env.PATH, HOME: data, LD_LIBRARY_PATH: dirname(stub.path) },
  });
  try {
    const log = readLog(server.stderr);
    const seen: string[] = [];
    async function until(isWanted: (line: Line) => boolean): Promise<Line> {
      for (;;) {
        const { value } = await log.next();
        if (!value) throw new Error(`the server ended; seen: ${seen.join(', ')}`);
        seen.push(value.message);
        if (isWanted(value)) return value;
      }
    }
    await until(({ message, id }) => message === 'device ready' && id === 'GPU-0');
    // Listening comes first: a driver may take its time.
    expect(seen).toContain('ready');
    stub.play(driver, gpu('GPU-0', { lost: 15 }), 'xid gpu=0 code=79');
    expect(await until(({ message }) => message === 'GPU fault')).toMatchObject({
      level: 'error',
      id: 'GPU-0',
      xid: 79,
    });
    expect(await until(({ message }) => message === 'device lost')).toMatchObject({
      level: 'error',
      id: 'GPU-0',
      reason: expect.stringContaining('fallen off the bus'),
    });
    server.kill('SIGTERM');
    expect(await server.exited).toBe(0);
  } finally {
    server.kill('SIGKILL');
    await server.exited;
    rmSync(data, { recursive: true, force: true });
    stub.remove();
  }
});
