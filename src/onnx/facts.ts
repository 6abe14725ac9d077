// What a person wants to know about a model, counted from its graph. Does not look at the weights themselves.
import { AppError } from '../error.ts';
import type { ModelFacts } from '../types.ts';
import { generatedBytes } from './generated.ts';
import { dataTypeBits, findDataTypeName, type Model, type Tensor } from './model.ts';
import { eachNode, eachTensor } from './walk.ts';

/** The standard domain may be written in two ways; this is the readable one. */
export function domainName(domain: string | undefined): string {
  return domain === undefined || domain === '' ? 'ai.onnx' : domain;
}

export function modelFacts(model: Model): ModelFacts {
  // A map, because a name may be any text, "constructor" too.
  const operators = new Map<string, number>();
  for (const { opType, domain } of eachNode(model)) {
    const name = domainName(domain) === 'ai.onnx' ? opType : `${domain}::${opType}`;
    operators.set(name, (operators.get(name) ?? 0) + 1);
  }
  let parameters = 0;
  let weightBytes = 0;
  for (const tensor of eachTensor(model)) {
    parameters += elementCount(tensor);
    weightBytes += dataBytes(tensor);
  }
  return {
    format: 'onnx',
    irVersion: model.irVersion,
    opsets: Object.fromEntries(model.opsetImport.map(({ domain, version }) => [domainName(domain), version ?? 0])),
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(' '),
    parameters,
    weightBytes,
    generatedBytes: generatedBytes(model),
    operators: Object.fromEntries(operators),
    outputOperators: outputOperators(model),
  };
}

/** By output of the graph: the operator that gives it. */
function outputOperators({ graph }: Model): Record<string, string> {
  if (!graph) return {};
  const wanted = new Set(graph.output.map(({ name }) => name));
  const found = graph.node.flatMap(({ opType, output }) =>
    output.filter((name) => wanted.has(name)).map((name): [string, string] => [name, opType]),
  );
  return Object.fromEntries(found);
}

function elementCount({ dims, name }: Tensor): number {
  const count = dims.reduce((product, size) => product * size, 1);
  if (dims.some((size) => size < 0) || !Number.isSafeInteger(count)) {
    throw new AppError('invalid', `Tensor '${name ?? ''}' has the impossible shape [${dims.join(', ')}].`, exportAgain);
  }
  return count;
}

/** Bytes that the elements take in memory; of strings, those of their text. */
export function dataBytes(tensor: Tensor): number {
  const type = findDataTypeName(tensor.dataType);
  if (!type) {
    throw new AppError(
      'invalid',
      `Tensor '${tensor.name ?? ''}' has the unknown type ${tensor.dataType}.`,
      exportAgain,
    );
  }
  if (type === 'STRING') return (tensor.stringData ?? []).reduce((sum, text) => sum + text.length, 0);
  return Math.ceil((elementCount(tensor) * dataTypeBits[type]) / 8);
}

const exportAgain = 'The file may be damaged: export the model again.';
