// Bytes to a model. Byte values and raw tensor data stay views of the bytes given, so that a mapped file's weights are
// never read. Checks the encoding only, not whether the model makes sense.
import type { Message, Model, Tensor } from './model.ts';
import {
  type ArrayKind,
  arrayTypes,
  elementWire,
  type Field,
  modelSchema,
  type Schema,
  tensorSchema,
} from './schema.ts';
import { WireError, WireReader, wireType } from './wire.ts';

// As deep as protobuf itself lets messages nest.
const maxDepth = 100;

/** @throws WireError */
export function readModel(bytes: Uint8Array): Model {
  return decode(bytes, modelSchema, {}, 0) as unknown as Model;
}

/** One TensorProto, as ONNX's own test data are stored. @throws WireError */
export function readTensor(bytes: Uint8Array): Tensor {
  return decode(bytes, tensorSchema, {}, 0) as unknown as Tensor;
}

type Values = Record<string, unknown> & Message;

function decode(bytes: Uint8Array, schema: Schema, values: Values, depth: number): Values {
  if (depth > maxDepth) throw new WireError(`Messages nest deeper than ${maxDepth} levels.`, false);
  const lists = new Map<Field, NumberList>();
  const reader = new WireReader(bytes, depth === 0);
  while (reader.hasMore()) {
    const start = reader.at;
    const { field: number, wire } = reader.tag();
    const field = schema.byNumber.get(number);
    if (!field || !isExpected(field, wire)) {
      reader.skip(wire);
      (values.unknownFields ??= []).push(reader.since(start));
    } else if (field.kind in arrayTypes) {
      let list = lists.get(field);
      if (!list) lists.set(field, (list = new NumberList(field.kind as ArrayKind)));
      if (wire === wireType.bytes) list.readPacked(reader.lengthDelimited());
      else list.readOne(reader);
    } else {
      readField(reader, field, wire, values, depth);
    }
  }
  for (const [field, list] of lists) values[field.name] = list.finish();
  for (const field of schema.fields) {
    if (values[field.name] !== undefined) continue;
    if (field.presence === 'many' || field.kind === 'ints') values[field.name] = [];
    if (field.presence === 'required') values[field.name] = field.kind === 'string' ? '' : 0;
  }
  return values;
}

function isExpected(field: Field, wire: number): boolean {
  if (field.kind === 'ints' || field.kind in arrayTypes)
    return wire === elementWire[field.kind] || wire === wireType.bytes;
  return wire === elementWire[field.kind];
}

function readField(reader: WireReader, field: Field, wire: number, values: Values, depth: number): void {
  if (field.presence === 'many' || field.presence === 'some') {
    const list = (values[field.name] ??= []) as unknown[];
    list.push(readOne(reader, field, undefined, depth));
  } else if (field.kind === 'ints') {
    const list = (values[field.name] ??= []) as number[];
    if (wire === wireType.varint) list.push(reader.int());
    else
      for (const packed = new WireReader(reader.lengthDelimited(), false); packed.hasMore();) list.push(packed.int());
  } else {
    values[field.name] = readOne(reader, field, values[field.name], depth);
  }
}

/** @param earlier the field's value so far: protobuf merges a message that comes twice, and takes the last of a scalar */
function readOne(reader: WireReader, field: Field, earlier: unknown, depth: number): unknown {
  switch (field.kind) {
    case 'int':
      return reader.int();
    case 'int64':
      return reader.int64();
    case 'float':
      return reader.float();
    case 'string':
      return reader.string();
    case 'bytes':
      return reader.lengthDelimited();
    default:
      return decode(reader.lengthDelimited(), field.message!(), (earlier ?? {}) as Values, depth + 1);
  }
}

/** A growing list of numbers: they may come one by one, packed, or both. */
class NumberList {
  private array: InstanceType<(typeof arrayTypes)[ArrayKind]>;
  private used = 0;

  constructor(private readonly kind: ArrayKind) {
    this.array = new arrayTypes[kind](0);
  }

  readOne(reader: WireReader): void {
    if (this.used === this.array.length) this.grow(Math.max(4, 2 * this.used));
    const { array } = this;
    if (array instanceof Float32Array) array[this.used++] = reader.float();
    else if (array instanceof Float64Array) array[this.used++] = reader.double();
    else if (array instanceof Int32Array) array[this.used++] = reader.int32();
    else if (array instanceof BigInt64Array) array[this.used++] = reader.int64();
    else array[this.used++] = reader.uint64();
  }

  readPacked(bytes: Uint8Array): void {
    this.grow(this.used + this.countPacked(bytes));
    for (const packed = new WireReader(bytes, false); packed.hasMore();) this.readOne(packed);
  }

  finish(): ArrayBufferView {
    return this.used === this.array.length ? this.array : this.array.slice(0, this.used);
  }

  private countPacked(bytes: Uint8Array): number {
    if (elementWire[this.kind] === wireType.fixed32) return Math.ceil(bytes.length / 4);
    if (elementWire[this.kind] === wireType.fixed64) return Math.ceil(bytes.length / 8);
    let count = 0;
    for (const byte of bytes) if (byte < 0x80) count++;
    return count;
  }

  private grow(length: number): void {
    this.array = new arrayTypes[this.kind](this.array.buffer.transfer(length * this.array.BYTES_PER_ELEMENT));
  }
}
