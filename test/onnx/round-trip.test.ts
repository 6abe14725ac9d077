// Reading and writing against files that others wrote, and against Python's onnx package.
import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { modelFacts } from '../../src/onnx/facts.ts';
import type { Model } from '../../src/onnx/model.ts';
import { readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { askPython, hasReference, sampleModels, whyNoReference, whyNoSamples } from './samples.ts';

const read = async (path: string): Promise<Model> => readModel(await Bun.file(path).bytes());

test.skipIf(sampleModels.length === 0)(`real files come out byte for byte (${whyNoSamples})`, async () => {
  const changed: string[] = [];
  for (const path of sampleModels) {
    const bytes = await Bun.file(path).bytes();
    if (Buffer.compare(writeModel(readModel(bytes)), bytes) !== 0) changed.push(path);
  }
  expect(changed).toEqual([]);
});

interface Reference {
  inputs: string[];
  outputs: string[];
  operators: Record<string, number>;
  opsets: Record<string, number>;
  parameters: number;
  weightBytes: number;
}

// Walks with protobuf's own reflection, so that it does not share our idea of where graphs and tensors may be.
const survey = `
import json, sys, onnx
from google.protobuf.message import Message
import numpy as np
def messages(m, kind):
    if isinstance(m, kind): yield m
    for field, value in m.ListFields():
        if field.name == 'training_info': continue
        if field.message_type is None: continue
        for child in (value if field.label == field.LABEL_REPEATED else [value]):
            yield from messages(child, kind)
def size(t):
    if t.data_type == onnx.TensorProto.STRING: return sum(len(s) for s in t.string_data)
    return int(np.prod(t.dims, dtype=np.int64)) * onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[t.data_type].itemsize
def name(d): return d or 'ai.onnx'
answers = []
for path in json.load(sys.stdin):
    m = onnx.load(path, load_external_data=False)
    operators = {}
    for n in messages(m, onnx.NodeProto):
        key = n.op_type if name(n.domain) == 'ai.onnx' else n.domain + '::' + n.op_type
        operators[key] = operators.get(key, 0) + 1
    tensors = list(messages(m, onnx.TensorProto))
    answers.append({
        'inputs': [v.name for v in m.graph.input], 'outputs': [v.name for v in m.graph.output],
        'operators': operators, 'opsets': {name(o.domain): o.version for o in m.opset_import},
        'parameters': sum(int(np.prod(t.dims, dtype=np.int64)) for t in tensors),
        'weightBytes': sum(size(t) for t in tensors)})
print(json.dumps(answers))
`;

test.skipIf(!hasReference || sampleModels.length === 0)(
  `facts are those that Python counts (${whyNoReference})`,
  async () => {
    const references = await askPython<Reference[]>(survey, sampleModels);
    for (const [i, path] of sampleModels.entries()) {
      const model = await read(path);
      const { operators, opsets, parameters, weightBytes } = modelFacts(model);
      const ours: Reference = {
        inputs: model.graph!.input.map(({ name }) => name),
        outputs: model.graph!.output.map(({ name }) => name),
        operators,
        opsets,
        parameters,
        weightBytes,
      };
      expect({ path, ...ours }).toEqual({ path, ...references[i]! });
    }
  },
  60_000,
);

const everything = `
import sys, onnx
from onnx import helper as h, TensorProto as T
path = sys.stdin.read().strip('"')
v = h.make_tensor_value_info
sparse = h.make_sparse_tensor(h.make_tensor('v', T.FLOAT, [1], [3.0]), h.make_tensor('i', T.INT64, [1], [2]), [4])
node = h.make_node('Thing', ['a', ''], ['b'], name='n', domain='own', doc_string='d',
    f=1.5, i=-7, big=2**63-1, small=-2**63, s='text', t=h.make_tensor('t', T.INT8, [2], [-1, 5]), g=h.make_graph([], 'sub', [], []),
    floats=[1.0, -2.5], ints=[-1, 0, 2**40], strings=['x', 'y'], tensors=[h.make_tensor('u', T.UINT64, [1], [2**64-1])],
    graphs=[h.make_graph([], 'sub2', [], [])], sparse=sparse, sparses=[sparse],
    tp=h.make_tensor_type_proto(T.FLOAT, ['n', 2]), tps=[h.make_tensor_type_proto(T.FLOAT, None)])
g = h.make_graph([node], 'main', [v('a', T.FLOAT, ['N', 3, None])], [v('b', T.FLOAT, None)], doc_string='doc',
    initializer=[h.make_tensor('d', T.DOUBLE, [2], [1e300, -0.0]), h.make_tensor('h', T.FLOAT16, [2], [1.0, 2.0]),
      h.make_tensor('s', T.STRING, [2], [b'one', b'\\xff']), h.make_tensor('l', T.INT64, [2], [-1, 2**62]),
      h.make_tensor('raw', T.FLOAT, [1], b'\\x00\\x00\\x80\\x3f', raw=True)],
    sparse_initializer=[sparse],
    value_info=[h.make_value_info('seq', h.make_sequence_type_proto(h.make_tensor_type_proto(T.INT64, []))),
      h.make_value_info('opt', h.make_optional_type_proto(h.make_tensor_type_proto(T.INT64, [])))])
m = h.make_model(g, producer_name='p', functions=[h.make_function('own', 'Thing', ['x'], ['y'],
    [h.make_node('Identity', ['x'], ['y'])], [h.make_opsetid('', 17)], ['alpha'])])
m.graph.value_info.add(name='map').type.map_type.key_type = T.INT64
m.graph.quantization_annotation.add(tensor_name='a').quant_parameter_tensor_names.add(key='k', value='v')
m.training_info.add().update_binding.add(key='k', value='v')
m.metadata_props.add(key='k', value='é')
m.graph.initializer[0].segment.begin = 1
m.graph.input[0].type.denotation = 'IMAGE'
open(path, 'wb').write(m.SerializeToString())
print('null')
`;

test.skipIf(!hasReference)(`every message and field is read and written (${whyNoReference})`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aimass-onnx-'));
  try {
    const path = join(folder, 'everything.onnx');
    await askPython(everything, path);
    const bytes = await Bun.file(path).bytes();
    const model = readModel(bytes);
    expect(hasUnknownFields(model)).toBeFalse();
    expect(Buffer.compare(writeModel(model), bytes)).toBe(0);

    const attributes = new Map(model.graph!.node[0]!.attribute.map((attribute) => [attribute.name, attribute]));
    expect(attributes.get('big')!.i).toBe(2n ** 63n - 1n);
    expect(attributes.get('small')!.i).toBe(-(2n ** 63n));
    expect([...attributes.get('ints')!.ints!]).toEqual([-1n, 0n, 2n ** 40n]);
    expect([...attributes.get('floats')!.floats!]).toEqual([1, -2.5]);
    expect(attributes.get('tensors')!.tensors![0]!.uint64Data![0]).toBe(2n ** 64n - 1n);
    expect([...attributes.get('t')!.t!.int32Data!]).toEqual([-1, 5]);
    const [doubles] = model.graph!.initializer;
    expect([...doubles!.doubleData!]).toEqual([1e300, -0]);
    expect(model.metadataProps[0]!.value).toBe('é');
    expect(model.graph!.input[0]!.type!.tensorType!.shape!.dim.map((dim) => dim.dimParam ?? dim.dimValue)).toEqual([
      'N',
      3,
      undefined,
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function hasUnknownFields(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  return 'unknownFields' in value || Object.values(value).some(hasUnknownFields);
}
