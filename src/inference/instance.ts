// One runner process, kept alive: started, replaced with growing pauses when it ends, given up when it never gets ready
// or ends again and again. Knows how to start the runner, not why it is wanted.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { messageOf } from '../error.ts';
import { childEnvironment, gpuEnvironment, selfCommand } from '../job/child.ts';
import { log } from '../log.ts';
import { diagnoseEnd, type Diagnosis, type EndCause, type EndFacts } from './diagnosis.ts';
import { linesOf, LogTail } from './log-tail.ts';
import { countMemoryKills } from './memory-kills.ts';
import type { InstanceAddress } from './routing.ts';
import type { RunnerRequest } from './runner.ts';
import type { ProviderName } from './session.ts';

export interface InstanceOptions {
  id: string;
  model: string;
  version: number;
  modelPath: string;
  threads: number;
  /** Id of the device, for people and routing. */
  device: string;
  /** "cpu" if absent. */
  provider?: ProviderName;
  /** UUID of the only GPU, or MIG instance of one, that CUDA shows to the process. */
  visibleDevice?: string;
  /** Which GPU among those that CUDA shows; 0 if absent. */
  deviceIndex?: number;
  /** CPU cores that the process stays on; all if absent. */
  cores?: number[];
  /** The largest batch, on which it is tried before it is ready; absent: it is not tried. */
  warmUp?: { batch: number };
  nativeFolder: string;
  /** Folder in shared memory for sockets and slots. */
  runFolder: string;
  loadTimeoutMs: number;
  onChange(): void;
  onSpawn?(pid: number): void;
  /**
   * Called after every end that nobody asked for, before the process is started again.
   * @returns false when it must not be: the instance is `failed` then, and its owner goes on
   */
  onEnd?(end: InstanceEnd): boolean | void;
}

export interface InstanceEnd {
  wasReady: boolean;
  cause: EndCause;
  /** Exit code or name of the signal; for `machine` why no process could be started. */
  exit: string;
  /** A sentence for a person, and what to do. */
  diagnosis: string;
  /** What this process printed last, oldest first. */
  lastLines: string[];
  /** Starts in a row that ended before the runner was ready. */
  failedStarts: number;
  /** Ends in a row of processes that were ready for less than a minute. */
  recentEnds: number;
  /** These were too many: it is not started again, whatever its owner says. */
  givenUp: boolean;
}

export type InstanceState = 'starting' | 'ready' | 'waiting' | 'failed' | 'stopped';

type Child = Bun.Subprocess<Blob, 'pipe', 'pipe'>;

const firstPauseMs = 100;
const longestPauseMs = 10_000;
const maxFailedStarts = 3;
const maxRecentEnds = 5;
/** An end after so long a time in service has nothing to do with the ones before. */
const stableMs = 60_000;

export class Instance {
  state: InstanceState = 'starting';
  /** Why it is not ready. */
  reason = '';
  restarts = 0;
  startedAt = new Date();
  private readonly log = new LogTail();
  private child: Child | undefined;
  private readyAtMs: number | undefined;
  private failedStarts = 0;
  private recentEnds = 0;
  private pauseMs = firstPauseMs;
  private generation = 0;
  private missed: EndFacts['missed'];
  /** It once ended, or took too long, in its first run on random values: real ones may do better. */
  private skipsWarmUp = false;
  private pauseTimer: Timer | undefined;
  private ended: Promise<void> = Promise.resolve();

  constructor(readonly options: InstanceOptions) {
    this.start();
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** How long it has been ready. */
  get uptimeMs(): number {
    return this.readyAtMs === undefined ? 0 : performance.now() - this.readyAtMs;
  }

  /** The last lines of the present process and of the one before, oldest first. */
  get logLines(): readonly string[] {
    return this.log.all;
  }

  /** Where it listens; a new address for each process, so that nobody talks to the wrong one. */
  get address(): InstanceAddress {
    const { id, device, provider = 'cpu' } = this.options;
    return { id: `${id}.${this.generation}`, socketPath: this.socketPath, device, provider };
  }

  /** What log lines say it is. */
  private get label() {
    const { id, model, version } = this.options;
    return { model, version, instance: id };
  }

  /** Ends the process by force because it does not answer; it is replaced. */
  kill(reason: string): void {
    this.killFor('answer', reason);
  }

  /** Ends the process for good; resolves when it is gone. */
  async stop(): Promise<void> {
    this.state = 'stopped';
    clearTimeout(this.pauseTimer);
    this.child?.kill('SIGKILL');
    await this.ended;
  }

  private killFor(missed: NonNullable<EndFacts['missed']>, reason: string): void {
    log('warn', 'runner killed', { ...this.label, pid: this.pid, reason });
    this.missed = missed;
    this.child?.kill('SIGKILL');
  }

  private get socketPath(): string {
    return join(this.options.runFolder, `${this.options.id}.${this.generation}.sock`);
  }

  private start(): void {
    this.generation++;
    this.state = 'starting';
    this.startedAt = new Date();
    this.missed = undefined;
    this.log.turn();
    this.ended = this.run().catch((error: unknown) => {
      // No processes or files are left, or the executable is being replaced: that passes, and is not the model's fault.
      this.child?.kill('SIGKILL');
      this.noteEnd(messageOf(error), {
        cause: 'machine',
        diagnosis: `Its process could not be started: ${messageOf(error)}`,
      });
    });
  }

  private async run(): Promise<void> {
    const memoryKills = countMemoryKills();
    const child = this.spawn();
    this.child = child;
    this.options.onSpawn?.(child.pid);
    let isLoaded = false;
    const { loadTimeoutMs } = this.options;
    const timer = setTimeout(() => {
      this.killFor(isLoaded ? 'warm-up' : 'load', `not ready after ${loadTimeoutMs} ms`);
    }, loadTimeoutMs);
    const complaints = this.keepLog(child.stderr);
    for await (const line of linesOf(child.stdout)) {
      if (line === 'ready') {
        clearTimeout(timer);
        this.becomeReady();
        break;
      }
      if (line === 'loaded') isLoaded = true;
      else this.addLogLine(line);
    }
    await Promise.all([child.exited, complaints]);
    clearTimeout(timer);
    this.removeLeftovers(child.pid);
    this.skipsWarmUp ||= isLoaded && this.readyAtMs === undefined;
    const exit = child.signalCode ?? child.exitCode!;
    const diagnosis = diagnoseEnd({
      exit,
      provider: this.options.provider ?? 'cpu',
      wasReady: this.readyAtMs !== undefined,
      lines: this.log.lines,
      missed: this.missed,
      memoryKill: countMemoryKills() > memoryKills,
    });
    this.noteEnd(String(exit), diagnosis);
  }

  private spawn(): Child {
    const { modelPath, threads, nativeFolder, provider = 'cpu', deviceIndex, cores, visibleDevice } = this.options;
    const environment = childEnvironment();
    const request: RunnerRequest = {
      modelPath,
      socketPath: this.socketPath,
      threads,
      nativeFolder,
      provider,
      deviceIndex,
      searchPath: (environment.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean),
      cores,
      warmUp: this.skipsWarmUp ? undefined : this.options.warmUp,
    };
    return Bun.spawn(selfCommand('runner', String(process.pid)), {
      stdin: new Blob([JSON.stringify(request)]),
      stdout: 'pipe',
      stderr: 'pipe',
      env: { ...environment, ...(visibleDevice !== undefined && gpuEnvironment(visibleDevice)) },
    });
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
    this.readyAtMs = performance.now();
    this.failedStarts = 0;
    log('info', 'runner ready', { ...this.label, pid: this.pid });
    this.changed();
  }

  private noteEnd(exit: string, { cause, diagnosis }: Diagnosis): void {
    this.child = undefined;
    if (this.state === 'stopped') return;
    const end = { ...this.count(cause), cause, exit, diagnosis, lastLines: [...this.log.lines] };
    log('warn', 'runner ended', { ...this.label, exit, cause, reason: diagnosis });
    this.log.add(`ended (${exit}): ${diagnosis}`);
    this.readyAtMs = undefined;
    this.state = 'waiting';
    this.reason = end.givenUp ? `${diagnosis} It ended ${end.recentEnds} times in a row.` : diagnosis;
    const isWanted = this.ask(end);
    // Its owner may have stopped it meanwhile.
    if ((this.state as InstanceState) === 'stopped') return;
    if (isWanted && !end.givenUp) this.pause();
    else this.state = 'failed';
    this.changed();
  }

  /** Ends of the machine's making do not count against the model. */
  private count(cause: EndCause): Pick<InstanceEnd, 'wasReady' | 'failedStarts' | 'recentEnds' | 'givenUp'> {
    const wasReady = this.readyAtMs !== undefined;
    const isStable = this.uptimeMs > stableMs;
    if (isStable) this.pauseMs = firstPauseMs;
    if (isStable) this.recentEnds = 0;
    else if (cause !== 'machine') this.recentEnds++;
    if (!wasReady && cause !== 'machine') this.failedStarts++;
    const { failedStarts, recentEnds } = this;
    return {
      wasReady,
      failedStarts,
      recentEnds,
      givenUp: failedStarts >= maxFailedStarts || recentEnds >= maxRecentEnds,
    };
  }

  private ask(end: InstanceEnd): boolean {
    try {
      return this.options.onEnd?.(end) !== false;
    } catch (error) {
      log('error', 'the end of an instance could not be told', { ...this.label, reason: messageOf(error) });
      return true;
    }
  }

  private pause(): void {
    this.pauseTimer = setTimeout(() => {
      this.restarts++;
      this.start();
    }, this.pauseMs);
    this.pauseMs = Math.min(this.pauseMs * 2, longestPauseMs);
  }

  private async keepLog(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const line of linesOf(stream)) this.addLogLine(line);
  }

  private addLogLine(line: string): void {
    this.log.add(line);
    log('info', 'runner says', { ...this.label, line });
  }
}
