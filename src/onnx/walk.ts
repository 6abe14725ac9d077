// Everything of one kind in a model, wherever it is nested: in the main graph, subgraphs and functions. What only
// training uses (training_info) is left out.
import type { Attribute, FunctionDefinition, Graph, Model, Node, Tensor } from './model.ts';

/** A list of nodes: a graph, or the body of one of the model's functions. */
type Body = Graph | FunctionDefinition;

function* bodies(model: Model): Generator<Body> {
  if (model.graph) yield* withSubgraphs(model.graph);
  for (const definition of model.functions) yield* withSubgraphs(definition);
}

function* withSubgraphs(body: Body): Generator<Body> {
  yield body;
  for (const attribute of attributes(body)) {
    if (attribute.g) yield* withSubgraphs(attribute.g);
    for (const graph of attribute.graphs ?? []) yield* withSubgraphs(graph);
  }
}

function* attributes(body: Body): Generator<Attribute> {
  if ('attributeProto' in body) yield* body.attributeProto;
  for (const node of body.node) yield* node.attribute;
}

export function* eachNode(model: Model): Generator<Node> {
  for (const body of bodies(model)) yield* body.node;
}

/** Initializers and tensors in attributes; of a sparse tensor, its values and its indices. */
export function* eachTensor(model: Model): Generator<Tensor> {
  for (const body of bodies(model)) {
    if ('initializer' in body) {
      yield* body.initializer;
      for (const { values, indices } of body.sparseInitializer) yield* present(values, indices);
    }
    for (const { t, tensors, sparseTensor, sparseTensors } of attributes(body)) {
      yield* present(t, ...(tensors ?? []));
      for (const sparse of present(sparseTensor, ...(sparseTensors ?? []))) {
        yield* present(sparse.values, sparse.indices);
      }
    }
  }
}

function present<T>(...values: (T | undefined)[]): T[] {
  return values.filter((value) => value !== undefined);
}
