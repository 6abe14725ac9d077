// Models for a real GPU, built in code with random weights: one of convolutions, one of large matrices, and one whose
// need of memory follows from the size of the picture. Each builder returns the bytes of a model file.
import { dataType, type Node, type Tensor } from '../../src/onnx/model.ts';
import { build, floats, node, seeded, value } from '../support/graphs.ts';

interface Layers {
  node: Node[];
  initializer: Tensor[];
}

const poolLength = 4096 * 4096;
let pool: Float32Array | undefined;

/** Numbers of variance 1/fanIn · `gain`², cut out of one pool of random numbers: making a billion takes too long. */
function weights(name: string, dims: number[], fanIn: number, gain = Math.SQRT2): Tensor {
  pool ??= seeded(2 * poolLength, 1);
  const count = dims.reduce((product, size) => product * size, 1);
  const scale = gain * Math.sqrt(3 / fanIn);
  const start = Number(Bun.hash(name) % BigInt(poolLength));
  const values = pool.slice(start, start + count);
  for (let i = 0; i < count; i++) values[i]! *= scale;
  const rawData = new Uint8Array(values.buffer);
  return { name, dims, dataType: dataType.FLOAT, rawData, externalData: [], metadataProps: [] };
}

interface Convolution {
  from: string;
  to: string;
  channels: [number, number];
  size: number;
  stride?: number;
  gain?: number;
}

function convolve(layers: Layers, { from, to, channels: [inner, outer], size, stride = 1, gain }: Convolution): string {
  const edge = size >> 1;
  layers.initializer.push(
    weights(`${to}.weight`, [outer, inner, size, size], inner * size * size, gain),
    weights(`${to}.bias`, [outer], 300),
  );
  const shape = { kernel_shape: [size, size], strides: [stride, stride], pads: [edge, edge, edge, edge] };
  layers.node.push(node('Conv', [from, `${to}.weight`, `${to}.bias`], [to], shape));
  return to;
}

function relu(layers: Layers, from: string): string {
  layers.node.push(node('Relu', [from], [`${from}.relu`]));
  return `${from}.relu`;
}

/** As in He et al., "Deep Residual Learning", table 1, with batch normalisation folded into the convolutions. */
function bottleneck(layers: Layers, name: string, from: string, channels: [number, number], stride: number): string {
  const [inner, outer] = channels;
  const narrow = outer / 4;
  const convolutionOf = (part: string, given: Omit<Convolution, 'to'>) =>
    convolve(layers, { to: `${name}.${part}`, ...given });
  const a = relu(layers, convolutionOf('a', { from, channels: [inner, narrow], size: 1 }));
  const b = relu(layers, convolutionOf('b', { from: a, channels: [narrow, narrow], size: 3, stride }));
  const c = convolutionOf('c', { from: b, channels: [narrow, outer], size: 1, gain: 0.3 });
  const straight =
    inner === outer ? from : convolutionOf('straight', { from, channels: [inner, outer], size: 1, stride, gain: 1 });
  layers.node.push(node('Add', [c, straight], [`${name}.sum`]));
  return relu(layers, `${name}.sum`);
}

/** "image" FP32 [N,3,224,224] → "scores" FP32 [N,1000]: ResNet-50, 102 MB. */
export function resnet50(): Uint8Array<ArrayBuffer> {
  const layers: Layers = { node: [], initializer: [] };
  let last = relu(layers, convolve(layers, { from: 'image', to: 'stem', channels: [3, 64], size: 7, stride: 2 }));
  layers.node.push(node('MaxPool', [last], ['pool'], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }));
  last = 'pool';
  let inner = 64;
  for (const [stage, blocks] of [3, 4, 6, 3].entries()) {
    const outer = 256 << stage;
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      last = bottleneck(layers, `s${stage}b${block}`, last, [inner, outer], stride);
      inner = outer;
    }
  }
  layers.initializer.push(weights('dense.weight', [1000, inner], inner, 1), weights('dense.bias', [1000], 300));
  layers.node.push(
    node('GlobalAveragePool', [last], ['mean']),
    node('Flatten', ['mean'], ['flat'], { axis: 1n }),
    node('Gemm', ['flat', 'dense.weight', 'dense.bias'], ['scores'], { transB: 1n }),
  );
  return build({
    ...layers,
    name: 'resnet50',
    input: [value('image', 'FP32', ['N', 3, 224, 224])],
    output: [value('scores', 'FP32', ['N', 1000])],
  });
}

const width = 4096;

/** "row" FP32 [N,4096] → "output" FP32 [N,4096]: `depth` dense layers of 67 MB each. */
export function tower(depth: number): Uint8Array<ArrayBuffer> {
  const layers: Layers = { node: [], initializer: [floats('zero', [width], new Float32Array(width))] };
  let last = 'row';
  for (let layer = 0; layer < depth; layer++) {
    const isLast = layer === depth - 1;
    const to = isLast ? 'output' : `dense${layer}`;
    layers.initializer.push(weights(`${to}.weight`, [width, width], width));
    layers.node.push(node('Gemm', [last, `${to}.weight`, 'zero'], [to], { transB: 1n }));
    last = isLast ? to : relu(layers, to);
  }
  return build({
    ...layers,
    name: 'tower',
    input: [value('row', 'FP32', ['N', width])],
    output: [value('output', 'FP32', ['N', width])],
  });
}

/** "image" FP32 [N,3,H,W] → "output" FP32 [N,1,H,W]: 512 bytes of values for each pixel of a picture at the least. */
export function pixels(): Uint8Array<ArrayBuffer> {
  const layers: Layers = { node: [], initializer: [] };
  let last = 'image';
  for (const [index, channels] of (
    [
      [3, 64],
      [64, 64],
      [64, 64],
    ] as [number, number][]
  ).entries()) {
    last = relu(layers, convolve(layers, { from: last, to: `conv${index}`, channels, size: 3 }));
  }
  convolve(layers, { from: last, to: 'output', channels: [64, 1], size: 3 });
  return build({
    ...layers,
    name: 'pixels',
    input: [value('image', 'FP32', ['N', 3, 'H', 'W'])],
    output: [value('output', 'FP32', ['N', 1, 'H', 'W'])],
  });
}
