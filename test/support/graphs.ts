// Small ONNX models built in code, for tests and benchmarks. Each builder returns the bytes of a model file.
import {
  type Attribute,
  attributeType,
  dataType,
  type DataTypeName,
  type Graph,
  type Model,
  type Node,
  type Tensor,
  type ValueInfo,
} from '../../src/onnx/model.ts';
import { writeModel } from '../../src/onnx/write.ts';
import type { Datatype } from '../../src/types.ts';

/** A number, or the name of a variable dimension. */
export type Dim = number | string;

const onnxTypes: Record<Datatype, DataTypeName> = {
  BOOL: 'BOOL',
  UINT8: 'UINT8',
  UINT16: 'UINT16',
  UINT32: 'UINT32',
  UINT64: 'UINT64',
  INT8: 'INT8',
  INT16: 'INT16',
  INT32: 'INT32',
  INT64: 'INT64',
  FP16: 'FLOAT16',
  FP32: 'FLOAT',
  FP64: 'DOUBLE',
  BF16: 'BFLOAT16',
  BYTES: 'STRING',
};

export function value(name: string, datatype: Datatype, shape: readonly Dim[]): ValueInfo {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: dataType[onnxTypes[datatype]], shape: { dim } } }, metadataProps: [] };
}

export function floats(name: string, dims: number[], values: ArrayLike<number>): Tensor {
  const rawData = new Uint8Array(Float32Array.from(values).buffer);
  return { name, dims, dataType: dataType.FLOAT, rawData, externalData: [], metadataProps: [] };
}

export function int64s(name: string, dims: number[], values: number[]): Tensor {
  const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { name, dims, dataType: dataType.INT64, rawData, externalData: [], metadataProps: [] };
}

type AttributeValue = number | bigint | string | number[] | Tensor | Graph;

/** A number is a FLOAT attribute, a bigint an INT, a list INTS. */
function attribute(name: string, given: AttributeValue): Attribute {
  if (typeof given === 'number') return { name, f: given, type: attributeType.FLOAT };
  if (typeof given === 'bigint') return { name, i: given, type: attributeType.INT };
  if (typeof given === 'string') return { name, s: new TextEncoder().encode(given), type: attributeType.STRING };
  if (Array.isArray(given)) return { name, ints: BigInt64Array.from(given, BigInt), type: attributeType.INTS };
  if ('dims' in given) return { name, t: given, type: attributeType.TENSOR };
  return { name, g: given, type: attributeType.GRAPH };
}

export function node(
  opType: string,
  input: string[],
  output: string[],
  attributes: Record<string, AttributeValue> = {},
  domain?: string,
): Node {
  const list = Object.entries(attributes).map(([name, given]) => attribute(name, given));
  return { opType, input, output, domain, attribute: list, metadataProps: [] };
}

export function graph(parts: Partial<Graph> & Pick<Graph, 'node' | 'input' | 'output'>): Graph {
  return {
    name: 'graph',
    initializer: [],
    valueInfo: [],
    quantizationAnnotation: [],
    sparseInitializer: [],
    metadataProps: [],
    ...parts,
  };
}

export function model(main: Graph, parts: Partial<Model> = {}): Model {
  return {
    irVersion: 8,
    producerName: 'aimass-test',
    producerVersion: '1',
    graph: main,
    opsetImport: [{ domain: '', version: 17 }],
    metadataProps: [],
    trainingInfo: [],
    functions: [],
    ...parts,
  };
}

/** A graph as a model file. */
export function build(parts: Partial<Graph> & Pick<Graph, 'node' | 'input' | 'output'>): Uint8Array<ArrayBuffer> {
  return writeModel(model(graph(parts)));
}

/** The same numbers in −1…1 for the same seed (Marsaglia's 32-bit xorshift). */
export function seeded(count: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  let state = (seed * 2_654_435_761 + 1) | 0 || 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = state / 2_147_483_648;
  }
  return values;
}

function weights(name: string, dims: number[], seed: number, fanIn: number): Tensor {
  const count = dims.reduce((product, size) => product * size, 1);
  const scale = Math.sqrt(3 / fanIn);
  return floats(
    name,
    dims,
    seeded(count, seed).map((w) => w * scale),
  );
}

/** "image" FP32 [N,1,28,28] → "scores" FP32 [N,10]: two convolutions and one dense layer, 20,490 weights. */
export function smallCnn(): Uint8Array<ArrayBuffer> {
  const same = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const halve = { kernel_shape: [2, 2], strides: [2, 2] };
  return build({
    name: 'small_cnn',
    input: [value('image', 'FP32', ['N', 1, 28, 28])],
    output: [value('scores', 'FP32', ['N', 10])],
    initializer: [
      weights('conv1.weight', [16, 1, 3, 3], 1, 9),
      weights('conv1.bias', [16], 2, 9),
      weights('conv2.weight', [32, 16, 3, 3], 3, 144),
      weights('conv2.bias', [32], 4, 144),
      weights('dense.weight', [10, 1568], 5, 1568),
      weights('dense.bias', [10], 6, 1568),
    ],
    node: [
      node('Conv', ['image', 'conv1.weight', 'conv1.bias'], ['conv1'], same),
      node('Relu', ['conv1'], ['relu1']),
      node('MaxPool', ['relu1'], ['pool1'], halve),
      node('Conv', ['pool1', 'conv2.weight', 'conv2.bias'], ['conv2'], same),
      node('Relu', ['conv2'], ['relu2']),
      node('MaxPool', ['relu2'], ['pool2'], halve),
      node('Flatten', ['pool2'], ['flat'], { axis: 1n }),
      node('Gemm', ['flat', 'dense.weight', 'dense.bias'], ['scores'], { transB: 1n }),
    ],
  });
}

/** "input" → "output", unchanged. */
export function identity(datatype: Datatype, shape: readonly Dim[]): Uint8Array<ArrayBuffer> {
  return build({
    input: [value('input', datatype, shape)],
    output: [value('output', datatype, shape)],
    node: [node('Identity', ['input'], ['output'])],
  });
}

/** INT32 [N,16] "INPUT0", "INPUT1" → their sum "OUTPUT0" and difference "OUTPUT1", as Triton's example "simple". */
export function addSub(): Uint8Array<ArrayBuffer> {
  return build({
    input: ['INPUT0', 'INPUT1'].map((name) => value(name, 'INT32', ['N', 16])),
    output: ['OUTPUT0', 'OUTPUT1'].map((name) => value(name, 'INT32', ['N', 16])),
    node: [node('Add', ['INPUT0', 'INPUT1'], ['OUTPUT0']), node('Sub', ['INPUT0', 'INPUT1'], ['OUTPUT1'])],
  });
}

/** "input" FP32 [N,4] → "output" = input + `term`. */
export function addScalar(term: number): Uint8Array<ArrayBuffer> {
  return build({
    input: [value('input', 'FP32', ['N', 4])],
    output: [value('output', 'FP32', ['N', 4])],
    initializer: [floats('term', [], [term])],
    node: [node('Add', ['input', 'term'], ['output'])],
  });
}

/** "input" BYTES [N,M] → "output", unchanged. */
export function strings(): Uint8Array<ArrayBuffer> {
  return identity('BYTES', ['N', 'M']);
}

/** "input" FP32 [N] → "output" INT64 [1,count]: the positions that are not zero; the size depends on the data. */
export function nonZero(): Uint8Array<ArrayBuffer> {
  return build({
    input: [value('input', 'FP32', ['N'])],
    output: [value('output', 'INT64', [1, 'count'])],
    node: [node('NonZero', ['input'], ['output'])],
  });
}

/** "input" FP32 [2,3] → "output" FP32 [2,3], doubled; no dimension varies. */
export function noBatch(): Uint8Array<ArrayBuffer> {
  return build({
    input: [value('input', 'FP32', [2, 3])],
    output: [value('output', 'FP32', [2, 3])],
    node: [node('Add', ['input', 'input'], ['output'])],
  });
}

/** "left" FP32 [N,3] and "right" INT64 [N,1] → "output" FP32 [N,3] = left · right. */
export function twoInputs(): Uint8Array<ArrayBuffer> {
  return build({
    input: [value('left', 'FP32', ['N', 3]), value('right', 'INT64', ['N', 1])],
    output: [value('output', 'FP32', ['N', 3])],
    node: [
      node('Cast', ['right'], ['factor'], { to: BigInt(dataType.FLOAT) }),
      node('Mul', ['left', 'factor'], ['output']),
    ],
  });
}

const loopSize = 128;

/**
 * Nodes that multiply two 128 × 128 matrices `count` times (roughly 0.04 ms each on one core) and leave the scalar 0 in
 * "nothing", to be added to a result that must wait for them. @param count name of an INT64 scalar
 */
function delay(count: string): Pick<Graph, 'node' | 'initializer'> {
  // A permutation of the columns: however often it is applied, the numbers neither grow nor vanish.
  const permutation = new Float32Array(loopSize * loopSize);
  for (let row = 0; row < loopSize; row++) permutation[row * loopSize + ((row + 1) % loopSize)] = 1;
  const body = graph({
    name: 'body',
    input: [value('i', 'INT64', []), value('go', 'BOOL', []), value('state', 'FP32', [loopSize, loopSize])],
    output: [value('go_on', 'BOOL', []), value('next', 'FP32', [loopSize, loopSize])],
    node: [node('Identity', ['go'], ['go_on']), node('MatMul', ['state', 'permutation'], ['next'])],
  });
  return {
    initializer: [
      floats('permutation', [loopSize, loopSize], permutation),
      floats('start', [loopSize, loopSize], seeded(loopSize * loopSize, 7)),
      floats('zero', [], [0]),
    ],
    node: [
      node('Loop', [count, '', 'start'], ['end'], { body }),
      node('ReduceMax', ['end'], ['largest'], { keepdims: 0n }),
      node('Mul', ['largest', 'zero'], ['nothing']),
    ],
  };
}

/**
 * "iterations" INT64 [N,1] → "output" FP32 [N,1], the same numbers, after as many matrix products as all rows together
 * ask for: a request chooses how long it takes.
 */
export function loop(): Uint8Array<ArrayBuffer> {
  const { node: delaying, initializer } = delay('count');
  return build({
    input: [value('iterations', 'INT64', ['N', 1])],
    output: [value('output', 'FP32', ['N', 1])],
    initializer,
    node: [
      node('ReduceSum', ['iterations'], ['count'], { keepdims: 0n }),
      ...delaying,
      node('Cast', ['iterations'], ['asked'], { to: BigInt(dataType.FLOAT) }),
      node('Add', ['asked', 'nothing'], ['output']),
    ],
  });
}

/** "input" FP32 [N,4] → "output" FP32 [N,4], unchanged, after `iterations` matrix products whatever the batch. */
export function slow(iterations: number): Uint8Array<ArrayBuffer> {
  const { node: delaying, initializer } = delay('count');
  return build({
    input: [value('input', 'FP32', ['N', 4])],
    output: [value('output', 'FP32', ['N', 4])],
    initializer: [...initializer, int64s('none', [], [0]), int64s('wanted', [], [iterations])],
    node: [
      // The count depends on the input, or the loop could be computed once, when the model is loaded.
      node('Size', ['input'], ['size']),
      node('Mul', ['size', 'none'], ['no_more']),
      node('Add', ['wanted', 'no_more'], ['count']),
      ...delaying,
      node('Add', ['input', 'nothing'], ['output']),
    ],
  });
}

/** "input" FP32 [N,4], "index" INT64 [N,1] → "output" FP32 [N,1]: fails at run time for an index outside −4…3. */
export function failing(): Uint8Array<ArrayBuffer> {
  return build({
    input: [value('input', 'FP32', ['N', 4]), value('index', 'INT64', ['N', 1])],
    output: [value('output', 'FP32', ['N', 1])],
    node: [node('GatherElements', ['input', 'index'], ['output'], { axis: 1n })],
  });
}

/** "input" FP32 [N,F] → "output" FP32 [N,C]. @param weights C rows of F numbers @param bias C numbers */
export function linear(weights: number[][], bias: number[]): Uint8Array<ArrayBuffer> {
  return build(dense(weights, bias, 'output'));
}

/** As `linear`, and softmax over the C classes: "input" FP32 [N,F] → "probabilities" FP32 [N,C]. */
export function softmaxLinear(weights: number[][], bias: number[]): Uint8Array<ArrayBuffer> {
  const { node: nodes, ...parts } = dense(weights, bias, 'logits');
  return build({
    ...parts,
    output: [value('probabilities', 'FP32', ['N', bias.length])],
    node: [...nodes, node('Softmax', ['logits'], ['probabilities'], { axis: 1n })],
  });
}

function dense(weights: number[][], bias: number[], output: string) {
  const features = weights[0]!.length;
  return {
    input: [value('input', 'FP32', ['N', features])],
    output: [value(output, 'FP32', ['N', bias.length])],
    initializer: [floats('weight', [bias.length, features], weights.flat()), floats('bias', [bias.length], bias)],
    node: [node('Gemm', ['input', 'weight', 'bias'], [output], { transB: 1n })],
  };
}

/**
 * "row" INT64 [N] → "output" FP32 [N,256]: rows of a table of `megabytes` MiB, row r holding only the number r % 97.
 * @returns files by name: "model.onnx" and, if external, "weights.bin"
 */
export function bigWeights(megabytes: number, external: boolean): Record<string, Uint8Array<ArrayBuffer>> {
  const rows = megabytes * 1024;
  const table = new Float32Array(rows * 256);
  for (let row = 0; row < rows; row++) table.fill(row % 97, row * 256, (row + 1) * 256);
  const bytes = new Uint8Array(table.buffer);
  const tensor: Tensor = {
    name: 'table',
    dims: [rows, 256],
    dataType: dataType.FLOAT,
    metadataProps: [],
    ...(external
      ? { dataLocation: 1, externalData: externalEntries('weights.bin', 0, bytes.length) }
      : { rawData: bytes, externalData: [] }),
  };
  const file = build({
    input: [value('row', 'INT64', ['N'])],
    output: [value('output', 'FP32', ['N', 256])],
    initializer: [tensor],
    node: [node('Gather', ['table', 'row'], ['output'])],
  });
  return external ? { 'model.onnx': file, 'weights.bin': bytes } : { 'model.onnx': file };
}

/** What a tensor says of data in another file. */
export function externalEntries(location: string, offset: number, length: number): Tensor['externalData'] {
  return Object.entries({ location, offset, length }).map(([key, value]) => ({ key, value: String(value) }));
}
