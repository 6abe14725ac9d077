// The wire format itself: numbers at their limits, encodings that protobuf allows, and bytes that are no protobuf.
import { describe, expect, test } from 'bun:test';

import * as fc from 'fast-check';

import { readModel, readTensor } from '../../src/onnx/read.ts';
import { WireError, WireReader, WireWriter } from '../../src/onnx/wire.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { loop, smallCnn } from '../support/graphs.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function thrownBy(work: () => unknown): WireError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}

describe('numbers', () => {
  test('every 64-bit integer survives', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const writer = new WireWriter();
        writer.varint(value);
        const written = writer.finish();
        expect(new WireReader(written, true).int64()).toBe(value);
        expect(new WireReader(written, true).uint64()).toBe(BigInt.asUintN(64, value));
        expect(new WireReader(written, true).int32()).toBe(Number(BigInt.asIntN(32, value)));
      }),
    );
  });

  test('a number that JavaScript cannot hold exactly is refused, not rounded', () => {
    const writer = new WireWriter();
    writer.varint(2n ** 53n);
    expect(() => new WireReader(writer.finish(), true).int()).toThrow(WireError);
  });

  test('a number of more than ten bytes is refused', () => {
    expect(() => new WireReader(new Uint8Array(11).fill(0xff), true).int64()).toThrow(WireError);
  });
});

describe('what protobuf allows', () => {
  test('lists of numbers may come packed, one by one, or mixed', () => {
    // dims = [2, 3], first packed and then alone; int64_data = [1, -1], first alone and then packed.
    const minusOne = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    const tensor = readTensor(bytes(0x0a, 1, 2, 0x08, 3, 0x38, 1, 0x3a, 10, ...minusOne));
    expect(tensor.dims).toEqual([2, 3]);
    expect([...tensor.int64Data!]).toEqual([1n, -1n]);
  });

  test('a message that comes twice is merged, the last of a scalar counts', () => {
    // graph { name = "a" } graph { name = "b"; input { name = "x" } }
    const model = readModel(bytes(0x3a, 3, 0x12, 1, 97, 0x3a, 8, 0x12, 1, 98, 0x5a, 3, 0x0a, 1, 120));
    expect(model.graph!.name).toBe('b');
    expect(model.graph!.input[0]!.name).toBe('x');
  });

  test('fields of a later version are kept', () => {
    // ir_version = 8; field 99 (bytes) = "hi"; field 100 (varint) = 5
    const file = bytes(0x08, 8, 0x9a, 6, 2, 104, 105, 0xa0, 6, 5);
    expect(Buffer.compare(writeModel(readModel(file)), file)).toBe(0);
  });

  test('weights are views of the file, not copies', () => {
    const file = smallCnn();
    const raw = readModel(file).graph!.initializer[0]!.rawData!;
    expect(raw.buffer).toBe(file.buffer);
  });
});

describe('damaged files', () => {
  test('a file that is cut within a field is noticed', () => {
    const model = smallCnn();
    for (let length = 20; length < model.length - 20; length += 997) {
      expect(thrownBy(() => readModel(model.subarray(0, length)))?.truncated).toBeTrue();
    }
  });

  test('a length that is wrong inside is damage, not a cut', () => {
    // graph of 3 bytes whose name claims 100
    expect(thrownBy(() => readModel(bytes(0x3a, 3, 0x12, 100, 97, 0x08, 8)))?.truncated).toBeFalse();
  });

  test('messages nested without end are refused', () => {
    let nested: Uint8Array = new Uint8Array(0);
    // graph > node > attribute > g > node > attribute > …, written from the inside
    for (let i = 0; i < 300; i++) {
      const writer = new WireWriter();
      writer.tag([6, 5, 1][i % 3]!, 2);
      writer.lengthDelimited(nested);
      nested = writer.finish();
    }
    const graph = new WireWriter();
    graph.tag(7, 2);
    graph.lengthDelimited(nested);
    expect(() => readModel(graph.finish())).toThrow(/deeper/);
  });

  test('any bytes give a model or a WireError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        thrownBy(() => readModel(noise));
      }),
      { numRuns: 2000 },
    );
    const file = loop();
    fc.assert(
      fc.property(fc.nat(800), fc.nat(255), (at, value) => {
        const damaged = Uint8Array.from(file);
        damaged[at] = value;
        thrownBy(() => readModel(damaged));
      }),
      { numRuns: 500 },
    );
  });
});
