// The small messages between a data plane and a runner: a length, a type and a payload. Tensors do not travel here
// but through shared-memory slots. Numbers are little-endian.
import type { Datatype } from '../types.ts';

export const frameTypes = {
  /** To the runner: JSON SlotFrame. It maps the file and unlinks it. */
  slot: 1,
  /** To the runner: JSON Layout. */
  layout: 2,
  /** To the runner: slot u8, layout u32. */
  run: 3,
  /** To the runner: forget all layouts. */
  reset: 4,
  /** To the data plane: slot u8, three f64 of nanoseconds (input, infer, output), then nothing or JSON RunOutput[]. */
  done: 5,
  /** To the data plane: slot u8, then the message as text. */
  failed: 6,
} as const;

export interface SlotFrame {
  slot: number;
  path: string;
}

export interface Region {
  name: string;
  datatype: Datatype;
  shape: number[];
  /** Where it lies in the slot. */
  offset: number;
  /** Its size there; for BYTES the room that it may use. */
  bytes: number;
}

/** How a batch's tensors lie in a slot. */
export interface Layout {
  id: number;
  inputs: Region[];
  /** Outputs whose size is known before the run have a region; the others only a name. */
  outputs: (Region | { name: string; shape?: undefined })[];
  /** From here on the runner may put outputs whose size it learns. */
  freeOffset: number;
}

/** Where the runner put an output that had no region of its own: in the slot, or in a file if it did not fit. */
export interface RunOutput {
  name: string;
  datatype: Datatype;
  shape: number[];
  offset: number;
  bytes: number;
  file?: string;
}

/** Tensors start at multiples of this: what AVX-512 likes, and enough for every element type. */
export const regionAlignment = 64;

export function alignUp(offset: number): number {
  return Math.ceil(offset / regionAlignment) * regionAlignment;
}

const headerBytes = 5;
/** Frames carry no tensors; the other side may be a process that went wrong. */
const maxFrameBytes = 16 * 1024 * 1024;

export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(headerBytes + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length, true);
  frame[4] = type;
  frame.set(payload, headerBytes);
  return frame;
}

export function encodeJsonFrame(type: number, value: unknown): Uint8Array {
  return encodeFrame(type, new TextEncoder().encode(JSON.stringify(value)));
}

export function decodeJson<T>(payload: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(payload)) as T;
}

/** Cuts a byte stream into frames. */
export class FrameReader {
  private rest: Uint8Array = new Uint8Array(0);

  constructor(private readonly onFrame: (type: number, payload: Uint8Array) => void) {}

  /** @param chunk is not kept after the call */
  push(chunk: Uint8Array): void {
    let data = chunk;
    if (this.rest.length > 0) {
      data = new Uint8Array(this.rest.length + chunk.length);
      data.set(this.rest);
      data.set(chunk, this.rest.length);
    }
    let at = 0;
    while (data.length - at >= headerBytes) {
      const length = (data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)) >>> 0;
      if (length > maxFrameBytes) throw new Error(`A frame of ${length} bytes is none of ours.`);
      if (data.length - at < headerBytes + length) break;
      this.onFrame(data[at + 4]!, data.subarray(at + headerBytes, at + headerBytes + length));
      at += headerBytes + length;
    }
    this.rest = at === data.length ? new Uint8Array(0) : data.slice(at);
  }
}

export interface ByteSocket {
  write(bytes: Uint8Array): number;
}

/** Writes frames and keeps what the socket does not take at once. */
export class FrameWriter {
  private waiting: Uint8Array[] = [];

  constructor(private readonly socket: ByteSocket) {}

  send(frame: Uint8Array): void {
    if (this.waiting.length > 0) {
      this.waiting.push(frame);
      return;
    }
    const taken = Math.max(0, this.socket.write(frame));
    if (taken < frame.length) this.waiting.push(frame.subarray(taken));
  }

  /** To be called when the socket can take more. */
  drain(): void {
    const frames = this.waiting;
    this.waiting = [];
    for (const frame of frames) this.send(frame);
  }
}
