// The instruments: wrk, the bare loop, the plain peer, and rounds in which two things take turns.
import { join } from 'node:path';

const here = import.meta.dir;

export interface Load {
  url: string;
  connections: number;
  seconds: number;
  /** File that is posted. */
  body: string;
  /** Bytes of its JSON part, for a body with binary tensors. */
  headerLength?: number;
  /** API key. */
  key?: string;
}

export interface Rate {
  perSecond: number;
  /** Median time of one request or run. */
  p50Us: number;
}

async function lastLine(command: string[], env: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn(command, { env: { ...process.env, ...env }, stdout: 'pipe', stderr: 'inherit' });
  const [text, code] = await Promise.all([child.stdout.text(), child.exited]);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`);
  return text.trimEnd().split('\n').at(-1)!;
}

/** @throws Error when a request failed: a rate of refusals is no rate */
export async function runWrk({ url, connections, seconds, body, headerLength, key }: Load): Promise<Rate> {
  const command = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', join(here, 'post.lua'), url];
  const env = { BODY: body, ...(key && { KEY: key }), ...(headerLength && { HEADER_LENGTH: String(headerLength) }) };
  const result = JSON.parse(await lastLine(command, env)) as {
    requests: number;
    durationUs: number;
    failed: number;
    p50Us: number;
  };
  if (result.failed > 0 || result.requests === 0) {
    throw new Error(`${result.failed} of ${result.requests} requests to ${url} failed`);
  }
  return { perSecond: (result.requests / result.durationUs) * 1e6, p50Us: result.p50Us };
}

export async function runBare(model: string, seconds: number): Promise<Rate> {
  return JSON.parse(await lastLine([process.execPath, join(here, 'bare.ts'), model, String(seconds)])) as Rate;
}

export interface Peer {
  url: string;
  stop(): Promise<unknown>;
}

export async function startPlainPeer(model: string): Promise<Peer> {
  const child = Bun.spawn(['node', join(here, 'plain-peer.mjs'), model], { stdout: 'pipe', stderr: 'inherit' });
  const { value } = await child.stdout.getReader().read();
  if (!value) throw new Error('the plain peer did not start (is node installed?)');
  return {
    url: `http://127.0.0.1:${new TextDecoder().decode(value).trim()}/`,
    stop() {
      child.kill();
      return child.exited;
    },
  };
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Lets the contenders take turns, so that a change of the machine's speed meets all. @returns their median rates */
export async function takeTurns<K extends string>(
  rounds: number,
  contenders: Record<K, () => Promise<Rate>>,
): Promise<Record<K, Rate>> {
  const names = Object.keys(contenders) as K[];
  const rates = new Map(names.map((name) => [name, [] as Rate[]]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) rates.get(name)!.push(await contenders[name]());
  }
  const middle = (name: K): Rate => ({
    perSecond: median(rates.get(name)!.map(({ perSecond }) => perSecond)),
    p50Us: median(rates.get(name)!.map(({ p50Us }) => p50Us)),
  });
  return Object.fromEntries(names.map((name) => [name, middle(name)])) as Record<K, Rate>;
}

/** Resident memory of a process in megabytes. */
export async function residentMb(pid: number): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`).text();
  return (Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024) / 1e6;
}
