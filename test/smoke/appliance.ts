// Starts the compiled executable from an empty folder, with an empty environment, as a person would after copying it to a
// bare machine. Knows nothing of what it serves.
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const built = join(import.meta.dir, '../../dist/aimass');
export const sharedData = join(import.meta.dir, '../../../shared/data');

export interface StartOptions {
  /** Folder with the executable; see `unpack`. */
  home: string;
  /** Data folder; by default `data` in the home. */
  data?: string;
  args?: string[];
  env?: Record<string, string>;
  /** Command that the executable is started with, such as strace. */
  wrapper?: string[];
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A folder that holds a copy of the executable and nothing else. Remove it with `discard`. */
export async function unpack(): Promise<string> {
  if (!existsSync(built)) throw new Error('dist/aimass is not there: run `bun run build` first');
  const home = await mkdtemp(join(tmpdir(), 'aimass-smoke-'));
  await copyFile(built, join(home, 'aimass'));
  return home;
}

/** Removes the folder; what still runs from it is a leftover and is named. */
export async function discard(home: string): Promise<void> {
  const left = processesOf(home);
  for (const pid of left) process.kill(pid, 'SIGKILL');
  await rm(home, { recursive: true, force: true });
  if (left.length > 0) throw new Error(`processes were left over: ${left.join(', ')}`);
}

/** Every process on the machine that runs the executable of this folder. */
export function processesOf(home: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`).startsWith(join(home, 'aimass'));
      } catch {
        return false; // ended meanwhile
      }
    })
    .map(Number);
}

/** Resolves when the condition holds; fails after the deadline with what was waited for. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 20_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${deadlineMs / 1000} s for: ${what}`);
    await Bun.sleep(20);
  }
}

// A home that nobody, root included, can write to.
const bareEnvironment = { PATH: '/usr/bin:/bin', HOME: '/proc', TMPDIR: tmpdir() };

/** Runs one command of the executable to its end. */
export async function run(home: string, args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = Bun.spawn([join(home, 'aimass'), ...args], {
    cwd: home,
    env: { ...bareEnvironment, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

/** One running `aimass serve`. */
export class Appliance {
  /** Its log so far. */
  readonly lines: string[] = [];
  url = '';
  /** From the start of the process to its word that it is ready. */
  readyMs = 0;

  private constructor(
    readonly home: string,
    readonly data: string,
    readonly child: Bun.Subprocess<'ignore', 'ignore', 'pipe'>,
  ) {}

  /** Resolves when it says that it is ready. */
  static async start({ home, data = join(home, 'data'), args = [], env = {}, wrapper = [] }: StartOptions) {
    const startedMs = performance.now();
    const child = Bun.spawn(
      [...wrapper, join(home, 'aimass'), 'serve', '--data', data, '--listen', '127.0.0.1:0', ...args],
      { cwd: home, env: { ...bareEnvironment, ...env }, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
    );
    const appliance = new Appliance(home, data, child);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    void appliance.readLog(resolve).then(() => reject(new Error(`it did not start:\n${appliance.lines.join('\n')}`)));
    await promise;
    appliance.readyMs = performance.now() - startedMs;
    return appliance;
  }

  private async readLog(ready: () => void): Promise<void> {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of this.child.stderr) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) this.readLine(line, ready);
    }
  }

  private readLine(line: string, ready: () => void): void {
    this.lines.push(line);
    if (!line.startsWith('{') || !line.includes('"ready"')) return;
    const entry = JSON.parse(line) as { message: string; listen?: string };
    if (entry.message !== 'ready' || !entry.listen) return;
    this.url = entry.listen;
    ready();
  }

  get pid(): number {
    return this.child.pid;
  }

  /** The processes that serve a model, or all models. */
  async runners(model?: string): Promise<number[]> {
    const { instances } = await this.json<{ instances: { model: string; pid: number }[] }>('/api/v1/instances');
    return instances.filter((instance) => !model || instance.model === model).map(({ pid }) => pid);
  }

  /** As the administrator of its machine. */
  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://localhost${path}`, { ...init, unix: join(this.data, 'aimass.sock') });
  }

  /** @throws Error unless the answer is 2xx */
  async json<T>(path: string, body?: unknown): Promise<T> {
    const response = await this.fetch(path, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** Makes the first administrator, and a key with which programs on the network may call every model, released or not. */
  async openToPrograms(): Promise<string> {
    const { path } = await this.json<{ path: string }>('/api/v1/setup/link', {});
    const token = new URLSearchParams(path.split('?')[1]).get('token');
    await this.json('/api/v1/setup', { token, name: 'admin', password: 'correct horse battery staple' });
    return (
      await this.command<{ text: string }>('keys', 'add', 'programs', '--owner', 'admin', '--allow', 'predict,manage')
    ).text;
  }

  run(...args: string[]): Promise<Outcome> {
    return run(this.home, [...args, '--data', this.data]);
  }

  /** Runs a command with --json and reads its answer. @throws Error unless it succeeds */
  async command<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run(...args, '--json');
    if (code !== 0) throw new Error(`aimass ${args.join(' ')} ended with ${code}: ${stderr || stdout}`);
    return JSON.parse(stdout) as T;
  }

  /** Drains and ends it. @returns the exit code */
  stop(): Promise<number> {
    this.child.kill('SIGTERM');
    return this.child.exited;
  }

  /** Ends it as a power cut would, and waits for its children to be gone too. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.child.exited;
    await until('the children to end with their parent', () => processesOf(this.home).length === 0);
  }
}
