// Writes tiny ONNX files byte by byte, so that these tests need no exporter: just nodes without attributes.
import type { Datatype } from '../../../src/types.ts';

const elementTypes: Record<Datatype, number> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
};

export interface Value {
  name: string;
  datatype: Datatype;
  /** A text is a variable dimension of that name. */
  shape: (number | string)[];
}

export interface Node {
  op: string;
  inputs: string[];
  outputs: string[];
}

export function onnxFile(nodes: Node[], inputs: Value[], outputs: Value[]): Uint8Array {
  const graph = [
    ...nodes.map((node) =>
      message(1, [
        ...node.inputs.map((name) => text(1, name)),
        ...node.outputs.map((name) => text(2, name)),
        text(4, node.op),
      ]),
    ),
    text(2, 'graph'),
    ...inputs.map((input) => value(11, input)),
    ...outputs.map((output) => value(12, output)),
  ];
  return Buffer.concat([number(1, 8), message(8, [text(1, ''), number(2, 16)]), message(7, graph)]);
}

function value(field: number, { name, datatype, shape }: Value): Buffer {
  const dims = shape.map((size) => message(1, [typeof size === 'number' ? number(1, size) : text(2, size)]));
  const tensor = message(1, [number(1, elementTypes[datatype]), message(2, dims)]);
  return message(field, [text(1, name), message(2, [tensor])]);
}

function message(field: number, parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

function text(field: number, content: string): Buffer {
  return message(field, [Buffer.from(content)]);
}

function number(field: number, content: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(content)]);
}

function varint(content: number): Buffer {
  const bytes: number[] = [];
  for (; content > 127; content = Math.floor(content / 128)) bytes.push((content % 128) + 128);
  return Buffer.from([...bytes, content]);
}
