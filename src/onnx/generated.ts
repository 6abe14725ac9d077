// Weights that are in no file: tensors that a model makes from a constant shape, which the runtime computes once, when it
// loads the model, and keeps.
import { dataType, dataTypeBits, findDataTypeName, type Model, type Node, type Tensor } from './model.ts';
import { eachNode, eachTensor } from './walk.ts';

/** Bytes of what ConstantOfShape and Expand make of shapes that are constants. */
export function generatedBytes(model: Model): number {
  const shapes = constantShapes(model);
  let bytes = 0;
  for (const node of eachNode(model)) {
    const shape = shapes.get(shapeInput(node) ?? '');
    if (shape === undefined) continue;
    const count = shape.reduce((product, size) => product * size, 1);
    const element = findDataTypeName(elementType(node)) ?? 'FLOAT';
    const made = element === 'STRING' ? 0 : Math.ceil((count * dataTypeBits[element]) / 8);
    // What no memory holds the runtime refuses by itself.
    if (Number.isSafeInteger(made) && made > 0) bytes += made;
  }
  return bytes;
}

function shapeInput({ opType, input, domain = '' }: Node): string | undefined {
  if (domain !== '' && domain !== 'ai.onnx') return undefined;
  if (opType === 'ConstantOfShape') return input[0];
  return opType === 'Expand' ? input[1] : undefined;
}

/** What is expanded is mostly of four bytes; its type is written nowhere near. */
function elementType({ opType, attribute }: Node): number {
  const given = opType === 'ConstantOfShape' ? attribute.find(({ name }) => name === 'value')?.t : undefined;
  return given?.dataType ?? dataType.FLOAT;
}

/** Lists of whole numbers by name: initializers, and what Constant nodes give. */
function constantShapes(model: Model): ReadonlyMap<string, number[]> {
  const found = new Map<string, number[]>();
  const keep = (name: string | undefined, sizes: number[] | undefined) => {
    if (name && sizes?.every((size) => size >= 0)) found.set(name, sizes);
  };
  for (const tensor of eachTensor(model)) keep(tensor.name, sizesOf(tensor));
  for (const { opType, output, attribute } of eachNode(model)) {
    if (opType !== 'Constant') continue;
    const [given] = attribute;
    keep(output[0], given?.t ? sizesOf(given.t) : given?.ints && Array.from(given.ints, Number));
  }
  return found;
}

const mostAxes = 16;

function sizesOf({ dataType: type, dims, rawData, int64Data }: Tensor): number[] | undefined {
  if (type !== dataType.INT64 || dims.length > 1 || (dims[0] ?? 1) > mostAxes) return undefined;
  if (int64Data && int64Data.length > 0) return Array.from(int64Data, Number);
  if (!rawData || rawData.length === 0 || rawData.length % 8 !== 0) return undefined;
  // Of any alignment.
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  return Array.from({ length: rawData.length / 8 }, (_, i) => Number(view.getBigInt64(i * 8, true)));
}
