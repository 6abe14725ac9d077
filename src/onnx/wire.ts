// Protobuf's wire format: a bounds-checked reader over bytes, and a writer. Knows nothing of ONNX's messages.

export const wireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export class WireError extends Error {
  override name = 'WireError';

  /** @param truncated true if the bytes end where a value should go on, so that the rest may be missing */
  constructor(
    message: string,
    readonly truncated: boolean,
  ) {
    super(message);
  }
}

// Names may hold any character; a byte order mark is one of them.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** Reads values one after the other. Byte values are views of the bytes given. */
export class WireReader {
  private readonly view: DataView;
  at = 0;
  private low = 0;
  private high = 0;

  /** @param isWhole false if `bytes` are the inside of something longer, which cannot be truncated */
  constructor(
    private readonly bytes: Uint8Array,
    private readonly isWhole: boolean,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  hasMore(): boolean {
    return this.at < this.bytes.length;
  }

  tag(): { field: number; wire: number } {
    const tag = this.int();
    const field = Math.floor(tag / 8);
    if (tag < 0 || field < 1 || field > 536_870_911) throw new WireError(`Bad field number at byte ${this.at}.`, false);
    return { field, wire: tag % 8 };
  }

  /** @throws WireError when it is not a safe integer */
  int(): number {
    this.varint();
    const value = (this.high | 0) * 4_294_967_296 + this.low;
    if (!Number.isSafeInteger(value)) throw new WireError(`Number out of range at byte ${this.at}.`, false);
    return value;
  }

  /** Low 32 bits of a varint, as protobuf reads an int32. */
  int32(): number {
    this.varint();
    return this.low | 0;
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  uint64(): bigint {
    this.varint();
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  float(): number {
    this.need(4);
    this.at += 4;
    return this.view.getFloat32(this.at - 4, true);
  }

  double(): number {
    this.need(8);
    this.at += 8;
    return this.view.getFloat64(this.at - 8, true);
  }

  /** A length and that many bytes, as a view. */
  lengthDelimited(): Uint8Array {
    const length = this.int();
    if (length < 0) throw new WireError(`Negative length at byte ${this.at}.`, false);
    this.need(length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  string(): string {
    return decoder.decode(this.lengthDelimited());
  }

  skip(wire: number): void {
    if (wire === wireType.varint) this.varint();
    else if (wire === wireType.fixed64) this.double();
    else if (wire === wireType.bytes) this.lengthDelimited();
    else if (wire === wireType.fixed32) this.float();
    else throw new WireError(`Wire type ${wire} at byte ${this.at} is not used by ONNX.`, false);
  }

  /** Everything from `start` to the current position, as a view. */
  since(start: number): Uint8Array {
    return this.bytes.subarray(start, this.at);
  }

  private varint(): void {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.bytes.length)
        throw new WireError(`The data end within a number at byte ${this.at}.`, this.isWhole);
      const byte = this.bytes[this.at++]!;
      const bits = byte & 0x7f;
      const shift = 7 * i;
      if (shift < 32) low |= bits << shift;
      else high |= bits << (shift - 32);
      // The fifth byte has bits of both halves.
      if (shift === 28) high |= bits >>> 4;
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw new WireError(`Number longer than ten bytes at byte ${this.at}.`, false);
  }

  private need(length: number): void {
    const left = this.bytes.length - this.at;
    if (length > left)
      throw new WireError(`${length} bytes expected at byte ${this.at}, ${left} are left.`, this.isWhole);
  }
}

const smallBytes = 4096;

/** Collects values. Large byte values are kept by reference until `finish`, so that weights are copied once. */
export class WireWriter {
  private readonly chunks: Uint8Array[] = [];
  private chunkBytes = 0;
  private buffer = new Uint8Array(64);
  private view = new DataView(this.buffer.buffer);
  private used = 0;

  get length(): number {
    return this.chunkBytes + this.used;
  }

  tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  /** A negative number takes ten bytes, as protobuf has it for int32, int64 and enums. */
  varint(value: bigint | number): void {
    this.reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.buffer[this.used++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.buffer[this.used++] = Number(rest);
  }

  float(value: number): void {
    this.reserve(4);
    this.view.setFloat32(this.used, value, true);
    this.used += 4;
  }

  double(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.used, value, true);
    this.used += 8;
  }

  lengthDelimited(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  string(text: string): void {
    this.lengthDelimited(encoder.encode(text));
  }

  /** What another writer collected, as a length and its bytes. */
  nested(other: WireWriter): void {
    this.varint(other.length);
    for (const chunk of other.chunks) this.raw(chunk);
    this.raw(other.buffer.subarray(0, other.used));
  }

  raw(bytes: Uint8Array): void {
    if (bytes.length < smallBytes) {
      this.reserve(bytes.length);
      this.buffer.set(bytes, this.used);
      this.used += bytes.length;
      return;
    }
    this.flush();
    this.chunks.push(bytes);
    this.chunkBytes += bytes.length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    all.set(this.buffer.subarray(0, this.used), at);
    return all;
  }

  private flush(): void {
    if (this.used === 0) return;
    this.chunks.push(this.buffer.slice(0, this.used));
    this.chunkBytes += this.used;
    this.used = 0;
  }

  private reserve(bytes: number): void {
    if (this.used + bytes <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.used + bytes));
    grown.set(this.buffer.subarray(0, this.used));
    this.buffer = grown;
    this.view = new DataView(grown.buffer);
  }
}
