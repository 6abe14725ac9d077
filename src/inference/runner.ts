// The child that owns one ONNX Runtime session and computes batches that data planes put into shared memory. Knows
// nothing of HTTP, queues or the registry.
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { dirname, join } from 'node:path';

import type { Socket } from 'bun';

import { AppError, messageOf } from '../error.ts';
import { bindToCores, dieFirst, dieWithParent, exitNow, receiveNow, yieldCore } from '../libc.ts';
import { type Fault, faultExitCodes, findFault } from './diagnosis.ts';
import {
  alignUp,
  decodeJson,
  encodeFrame,
  FrameReader,
  frameTypes,
  FrameWriter,
  type Layout,
  type RunOutput,
  type SlotFrame,
} from './frames.ts';
import { readableMessage } from './runtime-message.ts';
import {
  fromOrt,
  openSession,
  type OrtTensor,
  type OrtTensors,
  type ProviderName,
  type Session,
  toOrt,
} from './session.ts';
import { warmUp } from './warm-up.ts';

/** What the supervisor tells a runner on standard input. */
export interface RunnerRequest {
  modelPath: string;
  socketPath: string;
  threads: number;
  nativeFolder: string;
  provider: ProviderName;
  deviceIndex?: number;
  /** Where the dynamic loader looks first, for the explanation of a provider that cannot be loaded. */
  searchPath: string[];
  /** CPU cores to stay on; all if absent. */
  cores?: number[];
  /** Largest batch to run before it is ready; no run at all if absent. */
  warmUp?: { batch: number };
}

interface RunnerSocket {
  connection: RunnerConnection;
  writer: FrameWriter;
}

/** A layout bound to one slot's memory. */
interface Binding {
  feeds: OrtTensors;
  fetches: Record<string, OrtTensor | null>;
  layout: Layout;
}

/**
 * Loads the model, listens, and serves until its parent ends. Prints a line "loaded" when the model is, and a line "ready"
 * when it can be connected to; other lines are for its log. Ends with one of `faultExitCodes` when it cannot go on.
 */
export async function runRunner(parent: number): Promise<void> {
  dieWithParent(parent);
  dieFirst();
  const request = (await Bun.stdin.json()) as RunnerRequest;
  // These before ONNX Runtime starts its threads, which inherit them. A GPU is to be kept busy; on the cores that a model
  // computes on, the server comes first: it answers for the others too.
  if (request.provider === 'cpu') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  if (request.cores && !bindToCores(request.cores)) {
    say(`not bound to the cores ${request.cores.join()}: none is allowed`);
  }
  const session = await load(request);
  say('loaded');
  if (request.warmUp) warm(session, request.warmUp.batch);
  const folder = dirname(request.socketPath);
  Bun.listen<RunnerSocket>({
    unix: request.socketPath,
    socket: {
      open(socket) {
        const writer = new FrameWriter(socket);
        socket.data = { writer, connection: new RunnerConnection(session, writer, folder, request.provider) };
      },
      data(socket, chunk) {
        socket.data.connection.push(chunk);
        listenClosely(socket);
      },
      drain(socket) {
        socket.data.writer.drain();
      },
    },
  });
  say('ready');
}

/** Before it is ready, so that whoever waits for that has read it by then. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

/** The last line is for the person who wonders why. */
function endBy(fault: Fault, line: string): never {
  writeSync(2, `${line}\n`);
  exitNow(faultExitCodes[fault]);
}

async function load(request: RunnerRequest): Promise<Session> {
  try {
    return openSession(request.modelPath, request);
  } catch (error) {
    const message = messageOf(error);
    if (error instanceof AppError) return endBy('load_failed', [message, error.hint].join(' '));
    // It reads library files, which a runner whose model loads has no use for.
    const { explainProviderError } = await import('./provider-problem.ts');
    return endBy(findFault(message) ?? 'load_failed', (await explainProviderError(message, request)).reason);
  }
}

function warm(session: Session, batch: number): void {
  try {
    say(warmUp(session, batch));
  } catch (error) {
    const message = messageOf(error);
    endBy(findFault(message) ?? 'load_failed', readableMessage(message));
  }
}

/** How long a runner listens closely for its next batch. */
const closelyNs = 200_000;
/** After so long it lets the event loop have a turn, which collects garbage and serves other data planes. */
const turnNs = 5_000_000;
const received = new Uint8Array(64 * 1024);

/**
 * After a batch the next one is often only microseconds away, and being woken costs more than that: so the runner asks
 * a few times before it sleeps. It gives way to whoever else wants its core.
 */
function listenClosely(socket: Socket<RunnerSocket>): void {
  // bun-types does not know it.
  const { fd } = socket as unknown as { fd: number };
  const started = Bun.nanoseconds();
  let until = started + closelyNs;
  for (let now = started; now < until && now < started + turnNs; now = Bun.nanoseconds()) {
    const bytes = receiveNow(fd, received);
    if (bytes === 0) return;
    if (bytes < 0) {
      yieldCore();
      continue;
    }
    socket.data.connection.push(received.subarray(0, bytes));
    until = Bun.nanoseconds() + closelyNs;
  }
}

/** One data plane's side of a runner: its slots and layouts. */
class RunnerConnection {
  private readonly slots = new Map<number, Uint8Array>();
  private readonly layouts = new Map<number, Layout>();
  /** By slot, then layout. */
  private readonly bindings = new Map<number, Map<number, Binding>>();
  private readonly reader = new FrameReader((type, payload) => this.receive(type, payload));
  private files = 0;

  constructor(
    private readonly session: Session,
    private readonly writer: FrameWriter,
    private readonly folder: string,
    private readonly provider: ProviderName,
  ) {}

  push(chunk: Uint8Array): void {
    this.reader.push(chunk);
  }

  private receive(type: number, payload: Uint8Array): void {
    if (type === frameTypes.run) {
      const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
      this.run(payload[0]!, view.getUint32(1, true));
    } else if (type === frameTypes.layout) {
      const layout = decodeJson<Layout>(payload);
      this.layouts.set(layout.id, layout);
    } else if (type === frameTypes.slot) {
      const { slot, path } = decodeJson<SlotFrame>(payload);
      this.slots.set(slot, Bun.mmap(path, { shared: true }));
      // Mapped on both sides now: without a name the memory goes with the processes, however they end.
      rmSync(path);
      this.bindings.delete(slot);
    } else if (type === frameTypes.reset) {
      this.layouts.clear();
      this.bindings.clear();
    }
  }

  private run(slot: number, layoutId: number): void {
    try {
      const started = Bun.nanoseconds();
      const binding = this.bind(slot, layoutId);
      const bound = Bun.nanoseconds();
      const results = this.compute(binding);
      const computed = Bun.nanoseconds();
      const learned = this.placeOutputs(slot, binding, results);
      const done = new Uint8Array(25 + learned.length);
      const view = new DataView(done.buffer);
      done[0] = slot;
      view.setFloat64(1, bound - started, true);
      view.setFloat64(9, computed - bound, true);
      view.setFloat64(17, Bun.nanoseconds() - computed, true);
      done.set(learned, 25);
      this.writer.send(encodeFrame(frameTypes.done, done));
    } catch (error) {
      const message = new TextEncoder().encode(messageOf(error));
      const failed = new Uint8Array(1 + message.length);
      failed[0] = slot;
      failed.set(message, 1);
      this.writer.send(encodeFrame(frameTypes.failed, failed));
      this.endIfBroken(messageOf(error));
    }
  }

  /**
   * After such an error a GPU's memory or the work on it is no longer what it was, and only a new process has it afresh.
   * On the CPU an allocation that fails leaves nothing behind.
   */
  private endIfBroken(message: string): void {
    const fault = this.provider === 'cpu' ? undefined : findFault(message);
    if (fault) endBy(fault, readableMessage(message));
  }

  private bind(slot: number, layoutId: number): Binding {
    const ofSlot = this.bindings.get(slot) ?? new Map<number, Binding>();
    this.bindings.set(slot, ofSlot);
    const known = ofSlot.get(layoutId);
    if (known) return known;
    const layout = this.layouts.get(layoutId)!;
    const memory = this.slots.get(slot)!;
    const feeds: OrtTensors = {};
    let reusable = true;
    for (const { name, datatype, shape, offset, bytes } of layout.inputs) {
      feeds[name] = toOrt(datatype, shape, memory.subarray(offset, offset + bytes));
      // Strings were copied out of the slot: the next batch has others.
      if (datatype === 'BYTES') reusable = false;
    }
    const fetches: Record<string, OrtTensor | null> = {};
    for (const output of layout.outputs) {
      fetches[output.name] = output.shape
        ? toOrt(output.datatype, output.shape, memory.subarray(output.offset, output.offset + output.bytes))
        : null;
    }
    const binding = { feeds, fetches, layout };
    if (reusable) ofSlot.set(layoutId, binding);
    return binding;
  }

  private compute(binding: Binding): OrtTensors {
    try {
      return this.session.run(binding.feeds, binding.fetches);
    } catch (error) {
      if (!messageOf(error).includes('the computed output shape for this run is')) throw error;
      // The model declares a shape that it does not keep to: let ONNX Runtime allocate, from now on.
      const outputs = binding.layout.outputs.map(({ name }) => ({ name }));
      binding.layout = { ...binding.layout, outputs };
      binding.fetches = Object.fromEntries(outputs.map(({ name }) => [name, null]));
      return this.session.run(binding.feeds, binding.fetches);
    }
  }

  /** Copies outputs without a region behind the others, or into files when they do not fit. @returns JSON or nothing */
  private placeOutputs(slot: number, { layout }: Binding, results: OrtTensors): Uint8Array {
    const memory = this.slots.get(slot)!;
    const learned: RunOutput[] = [];
    let free = layout.freeOffset;
    for (const { name, shape: known } of layout.outputs) {
      if (known) continue;
      const { datatype, shape, bytes } = fromOrt(results[name]!);
      const output: RunOutput = { name, datatype, shape: [...shape], offset: 0, bytes: bytes.length };
      if (free + bytes.length <= memory.length) {
        memory.set(bytes, free);
        output.offset = free;
        free = alignUp(free + bytes.length);
      } else {
        output.file = this.writeFile(bytes);
      }
      learned.push(output);
    }
    return learned.length === 0 ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(learned));
  }

  private writeFile(bytes: Uint8Array): string {
    const name = `out-${process.pid}-${this.files++}`;
    const path = join(this.folder, name);
    const fd = openSync(path, 'wx', 0o600);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    } catch (error) {
      rmSync(path);
      throw error;
    } finally {
      closeSync(fd);
    }
    return name;
  }
}
