// A model to bytes, in protobuf's own field order: a file that protobuf wrote comes out byte for byte as it was read.
import type { Message, Model } from './model.ts';
import { arrayTypes, elementWire, type Field, modelSchema, type Schema } from './schema.ts';
import { wireType, WireWriter } from './wire.ts';

export function writeModel(model: Model): Uint8Array<ArrayBuffer> {
  return encode(model, modelSchema).finish();
}

function encode(message: Message, schema: Schema): WireWriter {
  const writer = new WireWriter();
  const values = message as Record<string, unknown>;
  for (const field of schema.fields) {
    const value = values[field.name];
    if (value === undefined) continue;
    if (field.presence === 'many' || field.presence === 'some') {
      for (const element of value as unknown[]) writeOne(writer, field, element);
    } else {
      writeOne(writer, field, value);
    }
  }
  for (const bytes of message.unknownFields ?? []) writer.raw(bytes);
  return writer;
}

function writeOne(writer: WireWriter, field: Field, value: unknown): void {
  if (field.kind === 'ints' || field.kind in arrayTypes) {
    return writeNumbers(writer, field, value as ArrayLike<number | bigint>);
  }
  writer.tag(field.number, elementWire[field.kind]);
  if (field.kind === 'string') writer.string(value as string);
  else if (field.kind === 'bytes') writer.lengthDelimited(value as Uint8Array);
  else if (field.kind === 'message') writer.nested(encode(value as Message, field.message!()));
  else writeNumber(writer, field, value as number | bigint);
}

function writeNumbers(writer: WireWriter, field: Field, values: ArrayLike<number | bigint>): void {
  if (field.presence !== 'packed') {
    for (let i = 0; i < values.length; i++) {
      writer.tag(field.number, elementWire[field.kind]);
      writeNumber(writer, field, values[i]!);
    }
  } else if (values.length > 0) {
    const list = new WireWriter();
    for (let i = 0; i < values.length; i++) writeNumber(list, field, values[i]!);
    writer.tag(field.number, wireType.bytes);
    writer.nested(list);
  }
}

function writeNumber(writer: WireWriter, field: Field, value: number | bigint): void {
  const wire = elementWire[field.kind];
  if (wire === wireType.fixed32) writer.float(value as number);
  else if (wire === wireType.fixed64) writer.double(value as number);
  else writer.varint(value);
}
