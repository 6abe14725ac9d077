// Programs that the check starts beside the appliance: one that sends requests, one that runs ONNX Runtime without any
// server, and one that holds GPU memory. Each takes its settings as JSON and prints one line of JSON.
import { dlopen, ptr } from 'bun:ffi';

import { openSession, type ProviderName, toOrt } from '../../src/inference/session.ts';
import { seeded } from '../support/graphs.ts';

export interface LoadSettings {
  port: number;
  key: string;
  model: string;
  input: string;
  shape: number[];
  connections: number;
  seconds: number;
}

export interface Rate {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  failed: number;
  /** The first answer that was none. */
  complaint: string;
}

export function binaryRequest(input: string, shape: number[], values: Float32Array): { header: string; body: Buffer } {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const header = JSON.stringify({
    parameters: { binary_data_output: true },
    inputs: [{ name: input, datatype: 'FP32', shape, parameters: { binary_data_size: bytes.length } }],
  });
  return { header, body: Buffer.concat([Buffer.from(header), bytes]) };
}

export const countOf = (shape: number[]): number => shape.reduce((product, size) => product * size, 1);

function summarise(timesMs: number[], elapsedMs: number, failed = 0, complaint = ''): Rate {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { perSecond: (timesMs.length / elapsedMs) * 1000, p50Ms: at(0.5), p99Ms: at(0.99), failed, complaint };
}

/** Each connection sends its next request once the last one is answered. */
async function load(settings: LoadSettings): Promise<Rate> {
  const { port, key, model, input, shape, connections, seconds } = settings;
  const { header, body } = binaryRequest(input, shape, seeded(countOf(shape), 3));
  const head =
    `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\n` +
    `Inference-Header-Content-Length: ${header.length}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const request = Buffer.concat([Buffer.from(head), body]);
  const timesMs: number[] = [];
  let failed = 0;
  let complaint = '';
  const started = performance.now();
  const deadline = started + seconds * 1000;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      let sent = 0;
      let sentAtMs = 0;
      let answer: Buffer[] = [];
      let missing = -1;
      const send = (socket: Bun.Socket) => {
        while (sent < request.length) {
          const written = socket.write(request.subarray(sent));
          if (written <= 0) return;
          sent += written;
        }
      };
      const ask = (socket: Bun.Socket) => {
        [sent, sentAtMs, answer, missing] = [0, performance.now(), [], -1];
        send(socket);
      };
      await Bun.connect({
        hostname: '127.0.0.1',
        port,
        socket: {
          open: ask,
          drain: send,
          close: () => resolve(),
          error: (_socket, error) => reject(error),
          data(socket, chunk) {
            if (missing < 0) {
              answer.push(Buffer.from(chunk));
              const text = Buffer.concat(answer);
              const end = text.indexOf('\r\n\r\n');
              if (end < 0) return;
              const words = text.toString('latin1', 0, end);
              missing = Number(/^content-length: (\d+)/im.exec(words)?.[1] ?? 0) + end + 4 - text.length;
              if (!words.startsWith('HTTP/1.1 200')) {
                failed++;
                complaint ||= text.toString('latin1', 0, 600).replaceAll(/[^ -~]+/g, ' ');
              }
            } else {
              missing -= chunk.length;
            }
            if (missing > 0) return;
            const nowMs = performance.now();
            timesMs.push(nowMs - sentAtMs);
            if (nowMs < deadline) ask(socket);
            else socket.end();
          },
        },
      });
      await promise;
    }),
  );
  return summarise(timesMs, performance.now() - started, failed, complaint);
}

export interface BareSettings {
  path: string;
  nativeFolder: string;
  provider: ProviderName;
  input: string;
  shape: number[];
  seconds: number;
  /** Page-locked memory for the inputs, through this CUDA runtime library. */
  pinWith?: string;
}

/** One session, run after run. */
function bare({ path, nativeFolder, provider, input, shape, seconds, pinWith }: BareSettings): Rate {
  const session = openSession(path, { threads: 1, nativeFolder, provider });
  const values = new Float32Array(new SharedArrayBuffer(countOf(shape) * 4));
  values.set(seeded(countOf(shape), 3));
  const bytes = new Uint8Array(values.buffer);
  const feeds = { [input]: toOrt('FP32', shape, bytes) };
  const fetches = Object.fromEntries(session.signature.outputs.map(({ name }) => [name, null]));
  const first = session.run(feeds, fetches);
  const outputs = Object.fromEntries(
    Object.entries(first).map(([name, tensor]) => [
      name,
      toOrt('FP32', tensor.dims, new Uint8Array(new SharedArrayBuffer(tensor.size * 4))),
    ]),
  );
  if (pinWith) pin(pinWith, bytes);
  for (let warm = 0; warm < 5; warm++) session.run(feeds, outputs);
  const timesMs: number[] = [];
  const started = performance.now();
  for (let now = started; now < started + seconds * 1000;) {
    session.run(feeds, outputs);
    const end = performance.now();
    timesMs.push(end - now);
    now = end;
  }
  return summarise(timesMs, performance.now() - started);
}

function pin(library: string, bytes: Uint8Array): void {
  const { symbols } = dlopen(library, { cudaHostRegister: { args: ['ptr', 'u64', 'u32'], returns: 'i32' } });
  const status = symbols.cudaHostRegister(ptr(bytes), BigInt(bytes.length), 0);
  if (status !== 0) throw new Error(`cudaHostRegister: ${status}`);
}

export interface HoldSettings {
  /** Bytes of the GPU that stay free. */
  leaveBytes: number;
  library: string;
}

/** Takes GPU memory, as a program of somebody else would, until its standard input ends. */
async function hold({ leaveBytes, library }: HoldSettings): Promise<{ heldBytes: number; freeBytes: number }> {
  const { symbols: cuda } = dlopen(library, {
    cuInit: { args: ['u32'], returns: 'i32' },
    cuDeviceGet: { args: ['ptr', 'i32'], returns: 'i32' },
    cuDevicePrimaryCtxRetain: { args: ['ptr', 'i32'], returns: 'i32' },
    cuCtxSetCurrent: { args: ['u64'], returns: 'i32' },
    cuMemGetInfo_v2: { args: ['ptr', 'ptr'], returns: 'i32' },
    cuMemAlloc_v2: { args: ['ptr', 'u64'], returns: 'i32' },
  });
  const must = (status: number, what: string) => {
    if (status !== 0) throw new Error(`${what}: ${status}`);
  };
  const [device, context] = [new Int32Array(1), new BigUint64Array(1)];
  const [free, total, memory] = [new BigUint64Array(1), new BigUint64Array(1), new BigUint64Array(1)];
  must(cuda.cuInit(0), 'cuInit');
  must(cuda.cuDeviceGet(ptr(device), 0), 'cuDeviceGet');
  must(cuda.cuDevicePrimaryCtxRetain(ptr(context), device[0]!), 'cuDevicePrimaryCtxRetain');
  must(cuda.cuCtxSetCurrent(context[0]!), 'cuCtxSetCurrent');
  must(cuda.cuMemGetInfo_v2(ptr(free), ptr(total)), 'cuMemGetInfo');
  const wanted = Number(free[0]!) - leaveBytes;
  if (wanted > 0) must(cuda.cuMemAlloc_v2(ptr(memory), BigInt(wanted)), 'cuMemAlloc');
  cuda.cuMemGetInfo_v2(ptr(free), ptr(total));
  return { heldBytes: wanted, freeBytes: Number(free[0]!) };
}

/** The child's side. */
export async function bePeer(role: string, settings: unknown): Promise<void> {
  if (role === 'load') console.log(JSON.stringify(await load(settings as LoadSettings)));
  if (role === 'bare') console.log(JSON.stringify(bare(settings as BareSettings)));
  if (role === 'hold') {
    console.log(JSON.stringify(await hold(settings as HoldSettings)));
    await Bun.stdin.text();
  }
  process.exit(0);
}
