// One runner process, kept alive: started, replaced with growing pauses when it ends, given up when it never gets
// ready. Knows how to start the runner, not why it is wanted.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { messageOf } from '../error.ts';
import { childEnvironment, selfCommand } from '../job/child.ts';
import { log } from '../log.ts';
import type { InstanceAddress } from './routing.ts';
import type { RunnerRequest } from './runner.ts';

export interface InstanceOptions {
  id: string;
  model: string;
  version: number;
  modelPath: string;
  threads: number;
  device: string;
  nativeFolder: string;
  /** Folder in shared memory for sockets and slots. */
  runFolder: string;
  loadTimeoutMs: number;
  onChange(): void;
}

export type InstanceState = 'starting' | 'ready' | 'waiting' | 'failed' | 'stopped';

const firstPauseMs = 100;
const longestPauseMs = 10_000;
/** Starts in a row that may end before the runner was ready. */
const maxFailedStarts = 3;
/** A runner that lived this long starts again without a pause worth mentioning. */
const stableMs = 60_000;
const keptLogLines = 50;

export class Instance {
  state: InstanceState = 'starting';
  /** Why it is not ready. */
  reason = '';
  restarts = 0;
  startedAt = new Date();
  readonly logLines: string[] = [];
  private child: Bun.Subprocess<Blob, 'pipe', 'pipe'> | undefined;
  private failedStarts = 0;
  private pauseMs = firstPauseMs;
  private generation = 0;
  private pauseTimer: Timer | undefined;
  private ended: Promise<void> = Promise.resolve();

  constructor(readonly options: InstanceOptions) {
    this.start();
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Where it listens; a new address for each process, so that nobody talks to the wrong one. */
  get address(): InstanceAddress {
    return { id: `${this.options.id}.${this.generation}`, socketPath: this.socketPath, device: this.options.device };
  }

  /** What log lines say it is. */
  private get label() {
    const { id, model, version } = this.options;
    return { model, version, instance: id };
  }

  /** Ends the process by force; it is replaced. */
  kill(reason: string): void {
    log('warn', 'runner killed', { ...this.label, pid: this.pid, reason });
    this.reason = reason;
    this.child?.kill('SIGKILL');
  }

  /** Ends the process for good; resolves when it is gone. */
  async stop(): Promise<void> {
    this.state = 'stopped';
    clearTimeout(this.pauseTimer);
    this.child?.kill('SIGKILL');
    await this.ended;
  }

  private get socketPath(): string {
    return join(this.options.runFolder, `${this.options.id}.${this.generation}.sock`);
  }

  private start(): void {
    this.generation++;
    this.state = 'starting';
    this.startedAt = new Date();
    this.logLines.length = 0;
    this.ended = this.run().catch((error: unknown) => this.noteEnd(messageOf(error), 0));
  }

  private async run(): Promise<void> {
    const { options } = this;
    const request: RunnerRequest = {
      modelPath: options.modelPath,
      socketPath: this.socketPath,
      threads: options.threads,
      nativeFolder: options.nativeFolder,
    };
    let child: Bun.Subprocess<Blob, 'pipe', 'pipe'>;
    try {
      child = Bun.spawn(selfCommand('runner', String(process.pid)), {
        stdin: new Blob([JSON.stringify(request)]),
        stdout: 'pipe',
        stderr: 'pipe',
        env: childEnvironment(),
      });
    } catch (error) {
      // No processes or files are left, or the executable is being replaced: that passes.
      this.noteEnd(messageOf(error), 0, 'machine');
      return;
    }
    this.child = child;
    const startedMs = performance.now();
    const timer = setTimeout(() => this.kill(`not loaded after ${options.loadTimeoutMs} ms`), options.loadTimeoutMs);
    const complaints = this.keepLog(child.stderr);
    if (await readsReady(child.stdout)) {
      clearTimeout(timer);
      this.becomeReady();
    }
    await Promise.all([child.exited, complaints]);
    clearTimeout(timer);
    this.removeLeftovers(child.pid);
    this.noteEnd(String(child.signalCode ?? child.exitCode), performance.now() - startedMs);
  }

  /** Its socket, and outputs that it wrote and could not announce any more. */
  private removeLeftovers(pid: number): void {
    const { runFolder } = this.options;
    rmSync(this.socketPath, { force: true });
    for (const name of readdirSync(runFolder)) {
      if (name.startsWith(`out-${pid}-`)) rmSync(join(runFolder, name), { force: true });
    }
  }

  private changed(): void {
    try {
      this.options.onChange();
    } catch (error) {
      log('error', 'a change of an instance could not be published', { reason: messageOf(error) });
    }
  }

  private becomeReady(): void {
    if (this.state === 'stopped') return;
    this.state = 'ready';
    this.reason = '';
    this.failedStarts = 0;
    log('info', 'runner ready', { ...this.label, pid: this.pid });
    this.changed();
  }

  /** @param fault the machine's own: the start does not count against the model */
  private noteEnd(exit: string, livedMs: number, fault: 'runner' | 'machine' = 'runner'): void {
    this.child = undefined;
    if (this.state === 'stopped') return;
    const wasReady = this.state === 'ready';
    const lastWords = this.logLines.slice(-3).join(' ').slice(-500);
    this.reason = [this.reason || `The process ended (${exit}).`, lastWords].filter(Boolean).join(' ');
    log('warn', 'runner ended', { ...this.label, exit, reason: this.reason });
    if (!wasReady && fault === 'runner' && ++this.failedStarts >= maxFailedStarts) {
      this.state = 'failed';
    } else {
      this.state = 'waiting';
      if (livedMs > stableMs) this.pauseMs = firstPauseMs;
      this.pauseTimer = setTimeout(() => {
        this.restarts++;
        this.reason = '';
        this.start();
      }, this.pauseMs);
      this.pauseMs = Math.min(this.pauseMs * 2, longestPauseMs);
    }
    this.changed();
  }

  private async keepLog(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      // A line without an end must not grow for ever.
      rest = lines.pop()!.slice(-10_000);
      for (const line of lines) this.addLogLine(line);
    }
    if (rest) this.addLogLine(rest);
  }

  private addLogLine(line: string): void {
    this.logLines.push(line);
    if (this.logLines.length > keptLogLines) this.logLines.shift();
    log('info', 'runner says', { ...this.label, line });
  }
}

/** Reads a runner's standard output until it says "ready". @returns false when the stream ends first */
async function readsReady(stream: ReadableStream<Uint8Array>): Promise<boolean> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of stream) {
    text = (text + decoder.decode(chunk, { stream: true })).slice(-1000);
    if (/(^|\n)ready\n/.test(text)) return true;
  }
  return false;
}
