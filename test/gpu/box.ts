// One running appliance with a key for programs, as the check drives it: pushes, asks, waits, and starts peers beside it.
import { join } from 'node:path';

import type { Decision } from '../../src/device/decisions.ts';
import type { Account } from '../../src/device/ledger.ts';
import type { InstanceStatus } from '../../src/inference/instance-status.ts';
import { Appliance, until } from '../smoke/appliance.ts';
import { type BareSettings, binaryRequest, type HoldSettings, type LoadSettings, type Rate } from './peers.ts';

export interface Answered {
  status: number;
  values: Float32Array;
  text: string;
  ms: number;
}

/** Starts this program again in another role. `BUN_BE_BUN`: it may be run by the appliance's own executable. */
function startPeer(role: 'load' | 'bare' | 'hold', settings: object, env: Record<string, string>) {
  return Bun.spawn([process.execPath, process.argv[1]!, `--peer=${role}`], {
    env: { PATH: process.env.PATH ?? '', BUN_BE_BUN: '1', PEER: JSON.stringify(settings), ...env },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  });
}

async function lastLine<T>(child: ReturnType<typeof startPeer>): Promise<T> {
  const [text, complaints] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const line = text.trim().split('\n').at(-1);
  if (!line?.startsWith('{')) throw new Error(complaints.trim().slice(-600) || `it ended (${child.exitCode})`);
  return JSON.parse(line) as T;
}

export class Box {
  key = '';

  constructor(
    readonly appliance: Appliance,
    readonly libraryPath: string,
  ) {}

  static async start(home: string, data: string, libraryPath: string, more: string[] = []): Promise<Box> {
    const env = { LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH ?? '' };
    const args = ['--cuda-path', libraryPath, ...more];
    const box = new Box(await Appliance.start({ home, data, args, env }), libraryPath);
    box.key = await box.appliance.openToPrograms();
    return box;
  }

  get port(): number {
    return Number(new URL(this.appliance.url).port);
  }

  async ask(model: string, input: string, shape: number[], values: Float32Array): Promise<Answered> {
    const { header, body } = binaryRequest(input, shape, values);
    const startedMs = performance.now();
    const response = await this.appliance.fetch(`/v2/models/${model}/infer`, {
      method: 'POST',
      body: new Uint8Array(body),
      headers: { 'Inference-Header-Content-Length': String(header.length) },
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const ms = performance.now() - startedMs;
    const start = Number(response.headers.get('Inference-Header-Content-Length') ?? bytes.length);
    const text = new TextDecoder().decode(bytes.subarray(0, Math.min(start, 400)));
    return { status: response.status, values: new Float32Array(bytes.slice(start).buffer), text, ms };
  }

  async instances(model?: string): Promise<InstanceStatus[]> {
    const { instances } = await this.appliance.json<{ instances: InstanceStatus[] }>('/api/v1/instances');
    return instances.filter((one) => model === undefined || one.model === model);
  }

  async ready(model: string, provider?: string, deadlineMs = 30_000): Promise<InstanceStatus> {
    let found: InstanceStatus | undefined;
    await until(
      `${model} to be ready on ${provider ?? 'anything'}`,
      async () => {
        const all = await this.instances(model);
        found = all.length === 1 && all[0]!.state === 'ready' ? all[0] : undefined;
        return found !== undefined && (provider === undefined || found.provider === provider);
      },
      deadlineMs,
    );
    return found!;
  }

  async decisions(model?: string): Promise<Decision[]> {
    return (await this.appliance.command<{ decisions: Decision[] }>('decisions', ...(model ? [model] : []))).decisions;
  }

  async accounts(): Promise<Account[]> {
    return (await this.appliance.json<{ accounts: Account[] }>('/api/v1/placement')).accounts;
  }

  load(settings: Omit<LoadSettings, 'port' | 'key'>): Promise<Rate> {
    return lastLine<Rate>(startPeer('load', { ...settings, port: this.port, key: this.key }, {}));
  }

  bare(settings: BareSettings): Promise<Rate> {
    return lastLine<Rate>(startPeer('bare', settings, { LD_LIBRARY_PATH: this.libraryPath }));
  }

  /** @returns what lets go of the memory again */
  async hold(settings: HoldSettings): Promise<{ pid: number; freeBytes: number; letGo(): Promise<unknown> }> {
    const child = startPeer('hold', settings, { LD_LIBRARY_PATH: this.libraryPath });
    const { value } = await child.stdout.getReader().read();
    if (!value) throw new Error((await child.stderr.text()).slice(-600));
    const { freeBytes } = JSON.parse(new TextDecoder().decode(value)) as { freeBytes: number };
    const letGo = () => {
      void child.stdin.end();
      return child.exited;
    };
    return { pid: child.pid, freeBytes, letGo };
  }
}

/** Where the server lays the runners' libraries with the pack: the folder that bare ONNX Runtime is loaded from too. */
export async function findRuntime(data: string): Promise<string> {
  for await (const path of new Bun.Glob('gpu-pack/*/runtime-*/onnxruntime_binding.node').scan({
    cwd: data,
    followSymlinks: true,
  })) {
    return join(data, path, '..');
  }
  for await (const path of new Bun.Glob('**/onnxruntime_binding.node').scan({ cwd: data }))
    return join(data, path, '..');
  throw new Error('ONNX Runtime was not laid out');
}
