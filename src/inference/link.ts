// A data plane's connection to one runner: its slots, its layouts and the batches it is computing. Knows tensors as
// bytes only; requests and queues are lane.ts's.
import { lstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { Socket } from 'bun';

import { messageOf } from '../error.ts';
import type { TensorData } from '../types.ts';
import {
  alignUp,
  decodeJson,
  encodeFrame,
  encodeJsonFrame,
  FrameReader,
  frameTypes,
  FrameWriter,
  type Layout,
  type Region,
  type RunOutput,
  type SlotFrame,
} from './frames.ts';
import { createShared } from './shared-memory.ts';

/** Batches given to a runner at once, at most: while one is computed the next are already filled. */
export const slotsPerLink = 4;
const minSlotBytes = 64 * 1024;
const maxLayouts = 512;
const doneHeaderBytes = 25;

/** The computed tensors of a batch, as views of the slot. */
export interface BatchOutput {
  tensors: Map<string, TensorData>;
  computeInputNs: number;
  computeInferNs: number;
  computeOutputNs: number;
}

/** What a batch consists of. */
export interface BatchSpec {
  /** Equal keys have equal input and output shapes. */
  key: string;
  inputs: { name: string; datatype: TensorData['datatype']; shape: number[]; parts: Uint8Array[] }[];
  /** A shape where it is known before the run. */
  outputs: { name: string; datatype: TensorData['datatype']; bytes?: number; shape?: number[] }[];
}

export interface LinkEvents {
  /** Called synchronously; the views are reused as soon as it returns. */
  onDone(batch: unknown, output: BatchOutput): void;
  onFailed(batch: unknown, message: string): void;
  /** The runner is gone. `computing` is the batch it was at, `waiting` those behind it. */
  onClosed(computing: unknown, waiting: unknown[]): void;
}

interface Slot {
  index: number;
  memory: Uint8Array;
  batch: unknown;
  layout: Layout | undefined;
}

export class Link {
  private readonly slots: Slot[] = [];
  private readonly free: Slot[] = [];
  /** In the order in which the runner computes them. */
  private readonly running: Slot[] = [];
  private readonly layouts = new Map<string, Layout>();
  private nextLayout = 0;
  private files = 0;
  /** Paths of the slots' files: a few for each slot, since slots grow by doubling. */
  private readonly announced: string[] = [];
  /** When the batch at the head started to have the runner to itself; for finding hung runners. */
  private headSince = 0;
  private closed = false;
  private readonly runFrame = encodeFrame(frameTypes.run, new Uint8Array(5));
  private readonly runView = new DataView(this.runFrame.buffer);

  private constructor(
    readonly id: string,
    private readonly folder: string,
    private readonly socket: Socket,
    private readonly writer: FrameWriter,
    private readonly events: LinkEvents,
  ) {
    for (let index = 0; index < slotsPerLink; index++) {
      const slot: Slot = { index, memory: new Uint8Array(0), batch: undefined, layout: undefined };
      this.slots.push(slot);
      this.free.push(slot);
    }
  }

  /** @param folder where slot files are made, in shared memory */
  static async open(id: string, socketPath: string, folder: string, events: LinkEvents): Promise<Link> {
    let link: Link | undefined;
    const reader = new FrameReader((type, payload) => link?.receive(type, payload));
    let writer: FrameWriter | undefined;
    const socket = await Bun.connect({
      unix: socketPath,
      socket: {
        data: (_, chunk) => {
          try {
            reader.push(chunk);
          } catch {
            link?.close();
          }
        },
        drain: () => writer?.drain(),
        close: () => link?.end(),
        error: () => link?.end(),
      },
    });
    writer = new FrameWriter(socket);
    link = new Link(id, folder, socket, writer, events);
    return link;
  }

  get freeSlots(): number {
    return this.closed ? 0 : this.free.length;
  }

  get idle(): boolean {
    return this.running.length === 0;
  }

  /** Batches that the runner has. */
  get computingCount(): number {
    return this.running.length;
  }

  /** Those of them that wait for the one it is at. */
  get waiting(): unknown[] {
    return this.running.slice(1).map(({ batch }) => batch);
  }

  /** How long the runner has been at its current batch, in milliseconds; 0 when it has none. */
  computingMs(): number {
    return this.running.length === 0 ? 0 : performance.now() - this.headSince;
  }

  /**
   * Fills a free slot and has the runner compute it.
   * @throws AppError unavailable when shared memory is exhausted; nothing was started then
   */
  start(batch: unknown, spec: BatchSpec): void {
    const slot = this.free.at(-1);
    if (!slot || this.closed) throw new Error('No free slot.');
    const layout = this.layoutFor(spec);
    this.grow(slot, layout.freeOffset);
    layout.inputs.forEach((region, i) => {
      let at = region.offset;
      for (const part of spec.inputs[i]!.parts) {
        slot.memory.set(part, at);
        at += part.length;
      }
    });
    this.free.pop();
    slot.batch = batch;
    slot.layout = layout;
    if (this.running.length === 0) this.headSince = performance.now();
    this.running.push(slot);
    this.runFrame[5] = slot.index;
    this.runView.setUint32(6, layout.id, true);
    // The writer may keep the frame when the socket is full, so it gets its own copy.
    this.writer.send(this.runFrame.slice());
  }

  close(): void {
    this.socket.end();
    this.end();
  }

  private layoutFor(spec: BatchSpec): Layout {
    const known = this.layouts.get(spec.key);
    if (known && spec.inputs.every(({ parts }, i) => totalLength(parts) <= known.inputs[i]!.bytes)) return known;
    if (this.layouts.size >= maxLayouts) {
      this.layouts.clear();
      this.writer.send(encodeFrame(frameTypes.reset, new Uint8Array(0)));
    }
    const layout = planLayout(this.nextLayout++, spec);
    this.layouts.set(spec.key, layout);
    this.writer.send(encodeJsonFrame(frameTypes.layout, layout));
    return layout;
  }

  private grow(slot: Slot, bytes: number): void {
    // The runner needs a slot even for tensors without elements.
    if (slot.memory.length >= Math.max(bytes, 1)) return;
    const size = Math.max(minSlotBytes, 2 ** Math.ceil(Math.log2(bytes)));
    const path = join(this.folder, `${this.id}-${slot.index}-${this.files++}`);
    slot.memory = createShared(path, size);
    this.announced.push(path);
    const frame: SlotFrame = { slot: slot.index, path };
    this.writer.send(encodeJsonFrame(frameTypes.slot, frame));
  }

  private receive(type: number, payload: Uint8Array): void {
    const slot = this.running.shift();
    if (!slot || slot.index !== payload[0]) {
      this.close();
      return;
    }
    this.headSince = performance.now();
    const { batch } = slot;
    // Free already, so that the lane can fill it again as soon as it has encoded the answers.
    this.free.push(slot);
    try {
      if (type === frameTypes.done) this.events.onDone(batch, this.readOutput(slot, payload));
      else this.events.onFailed(batch, new TextDecoder().decode(payload.subarray(1)));
    } catch (error) {
      this.events.onFailed(batch, messageOf(error));
    }
  }

  private readOutput(slot: Slot, payload: Uint8Array): BatchOutput {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const learned = payload.length > doneHeaderBytes ? decodeJson<RunOutput[]>(payload.subarray(doneHeaderBytes)) : [];
    const tensors = new Map<string, TensorData>();
    for (const region of slot.layout!.outputs) {
      if (region.shape) tensors.set(region.name, toTensor(region, slot.memory));
    }
    for (const output of learned) {
      const memory = output.file === undefined ? slot.memory : this.takeFile(output.file, output.bytes);
      tensors.set(output.name, toTensor(output, memory));
    }
    return {
      tensors,
      computeInputNs: view.getFloat64(1, true),
      computeInferNs: view.getFloat64(9, true),
      computeOutputNs: view.getFloat64(17, true),
    };
  }

  /** Maps a file that the runner left in the shared folder; its memory goes when the mapping is collected. */
  private takeFile(name: string, bytes: number): Uint8Array {
    // The runner computes untrusted models: it may name files of this folder alone.
    if (!/^[\w-]+$/.test(name)) throw new Error('The runner named an impossible file.');
    const path = join(this.folder, name);
    const stat = lstatSync(path);
    if (!stat.isFile() || stat.size < bytes) throw new Error('The runner named an impossible file.');
    const memory = Bun.mmap(path, { shared: true });
    rmSync(path);
    return memory;
  }

  private end(): void {
    if (this.closed) return;
    this.closed = true;
    // Those that the runner did not come to map still have their names.
    for (const path of this.announced) rmSync(path, { force: true });
    const batches = this.running.splice(0).map((slot) => slot.batch);
    this.events.onClosed(batches[0], batches.slice(1));
  }
}

function planLayout(id: number, spec: BatchSpec): Layout {
  let offset = 0;
  const place = (bytes: number): number => {
    const at = offset;
    offset = alignUp(offset + bytes);
    return at;
  };
  const inputs = spec.inputs.map(({ name, datatype, shape, parts }): Region => {
    const length = totalLength(parts);
    // Strings differ in length from batch to batch: leave room, so that the layout can be used again.
    const bytes = datatype === 'BYTES' ? 2 ** Math.ceil(Math.log2(Math.max(1024, length))) : length;
    return { name, datatype, shape, offset: place(bytes), bytes };
  });
  const outputs = spec.outputs.map(({ name, datatype, shape, bytes }) =>
    shape && bytes !== undefined ? { name, datatype, shape, offset: place(bytes), bytes } : { name },
  );
  return { id, inputs, outputs, freeOffset: offset };
}

function toTensor(region: Region, memory: Uint8Array): TensorData {
  const { name, datatype, shape, offset, bytes } = region;
  if (offset + bytes > memory.length) throw new Error('The runner named memory that it does not have.');
  return { name, datatype, shape, bytes: memory.subarray(offset, offset + bytes) };
}

function totalLength(parts: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}
