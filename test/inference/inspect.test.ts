// Inspection of model files: what is told of good ones, and why bad ones are refused.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { newestSupported } from '../../src/inference/model-check.ts';
import { openSession } from '../../src/inference/session.ts';
import { dataType, type Type, type ValueInfo } from '../../src/onnx/model.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { type Datatype, datatypeBytes } from '../../src/types.ts';
import * as graphs from '../support/graphs.ts';
import { build, floats, graph, int64s, model, node, value } from '../support/graphs.ts';
import { input, Inspecting, output, relu, through } from './inspecting.ts';

let inspecting: Inspecting;
beforeAll(async () => {
  inspecting = await Inspecting.open();
});
afterAll(() => inspecting.close());

const tensor: Type = { tensorType: { elemType: dataType.FLOAT, shape: { dim: [] } } };
const typed = (name: string, type: Type): ValueInfo => ({ name, type, metadataProps: [] });
const bare = (name: string): ValueInfo => typed(name, { tensorType: { elemType: dataType.FLOAT } });

/** A model of this IR version that uses these operator sets. */
const versioned = (irVersion: number, opsets: Record<string, number>) => {
  const opsetImport = Object.entries({ '': 17, ...opsets }).map(([domain, version]) => ({ domain, version }));
  return through([relu], {}, { irVersion, opsetImport });
};

describe('what is told', () => {
  test('facts, signature and batching of a small CNN', async () => {
    expect(await inspecting.inspect(graphs.smallCnn())).toEqual({
      signature: {
        inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 1, 28, 28], dimNames: ['N', '', '', ''] }],
        outputs: [{ name: 'scores', datatype: 'FP32', shape: [-1, 10], dimNames: ['N', ''] }],
      },
      facts: {
        format: 'onnx',
        irVersion: 8,
        opsets: { 'ai.onnx': 17 },
        producer: 'aimass-test 1',
        parameters: 20_490,
        weightBytes: 81_960,
        generatedBytes: 0,
        outputOperators: { scores: 'Gemm' },
        operators: { Conv: 2, Relu: 2, MaxPool: 2, Flatten: 1, Gemm: 1 },
      },
      batchable: true,
      warnings: [],
    });
  });

  test('operators in subgraphs are counted too', async () => {
    const { facts } = await inspecting.inspect(graphs.loop());
    expect(facts.operators).toMatchObject({ Loop: 1, MatMul: 1, Identity: 1 });
  });

  test('external data count as weights', async () => {
    const { facts, batchable } = await inspecting.inspect(graphs.bigWeights(1, true));
    expect(facts.weightBytes).toBe(1024 * 1024);
    expect(facts.parameters).toBe(256 * 1024);
    expect(batchable).toBeTrue();
  });

  test('weights that are listed among the inputs are not part of the signature', async () => {
    const weight = value('w', 'FP32', [4]);
    const initializer = [floats('w', [4], [1, 2, 3, 4])];
    const { signature } = await inspecting.inspect(
      through([node('Add', ['in', 'w'], ['out'])], { input: [input, weight], initializer }),
    );
    expect(signature.inputs.map(({ name }) => name)).toEqual(['in']);
  });

  test("a model's own functions are not custom operators", async () => {
    const definition = {
      name: 'Twice',
      domain: 'own',
      input: ['x'],
      output: ['y'],
      attribute: [],
      node: [node('Add', ['x', 'x'], ['y'])],
      opsetImport: [{ domain: '', version: 17 }],
      attributeProto: [],
      valueInfo: [],
      metadataProps: [],
    };
    const opsetImport = [
      { domain: '', version: 17 },
      { domain: 'own', version: 1 },
    ];
    const twice = [node('Twice', ['in'], ['out'], {}, 'own')];
    const { facts, batchable } = await inspecting.inspect(through(twice, {}, { functions: [definition], opsetImport }));
    expect(facts.operators).toEqual({ 'own::Twice': 1, Add: 1 });
    expect(batchable).toBeTrue();
  });

  test.each(Object.keys(datatypeBytes).filter((name) => name !== 'BF16') as Datatype[])(
    'a model of %s is tried and batches',
    async (datatype) => {
      const { signature, batchable, warnings } = await inspecting.inspect(graphs.identity(datatype, ['N', 3]));
      expect(signature.inputs[0]!.datatype).toBe(datatype);
      expect({ batchable, warnings }).toEqual({ batchable: true, warnings: [] });
    },
  );

  test('an output without a declared shape gets its rank from a run', async () => {
    const shape = value('shape', 'INT64', ['R']);
    const reshape = through([node('Reshape', ['in', 'shape'], ['out'])], {
      input: [input, shape],
      output: [bare('out')],
    });
    // The rank is that of the made-up shape, whose zeros and ones may not fit: then there is nothing to go by.
    expect(await inspecting.refusal(reshape)).toContain("Output 'out' declares no shape");

    const flat = int64s('flat', [1], [-1]);
    const choose = graph({
      node: [node('Reshape', ['in', 'flat'], ['a'])],
      input: [],
      output: [bare('a')],
    });
    const keep = graph({ node: [node('Identity', ['in'], ['b'])], input: [], output: [bare('b')] });
    const branch = through(
      [
        node('Size', ['in'], ['size']),
        node('Less', ['none', 'size'], ['any']),
        node('If', ['any'], ['out'], { then_branch: choose, else_branch: keep }),
      ],
      { initializer: [flat, int64s('none', [], [0])], output: [bare('out')] },
    );
    const { signature, batchable } = await inspecting.inspect(branch);
    expect(signature.outputs[0]!.shape).toEqual([-1]);
    expect(batchable).toBeFalse();
  });
});

describe('what is not a model', () => {
  test.each([
    ['', 'is empty'],
    ['<!DOCTYPE html><html><body>Sign in</body></html>', 'web page'],
    ['\n\n <html>', 'web page'],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n', 'git lfs pull'],
    ['PK\x03\x04rest', 'ZIP archive'],
    ['just some text, not a model at all', 'not an ONNX model'],
    ['{"json": true}', 'not an ONNX model'],
    ['\0'.repeat(5000), 'not an ONNX model'],
  ])('%j', async (content, reason) => {
    expect(await inspecting.refusal(content)).toContain(reason);
  });

  test('a compressed file', async () => {
    expect(await inspecting.refusal(Bun.gzipSync(graphs.smallCnn()))).toContain('gzip');
  });

  test('random bytes', async () => {
    const noise = crypto.getRandomValues(new Uint8Array(1000));
    expect(await inspecting.refusal(noise)).not.toBe('accepted');
  });

  test('a model that is cut short, wherever', async () => {
    const whole = graphs.smallCnn();
    for (const part of [0.1, 0.5, 0.99]) {
      expect(await inspecting.refusal(whole.subarray(0, whole.length * part))).toContain('is cut short');
    }
    expect(await inspecting.refusal(whole.subarray(0, -4))).not.toBe('accepted');
  });

  test('a model without a graph, outputs or operator sets', async () => {
    const whole = model(graph({ node: [relu], input: [input], output: [output] }));
    expect(await inspecting.refusal(writeModel({ ...whole, graph: undefined }))).toContain('no graph');
    expect(await inspecting.refusal(through([relu], { output: [] }))).toContain('no outputs');
    expect(await inspecting.refusal(through([relu], {}, { opsetImport: [] }))).toContain('does not say which versions');
  });
});

describe('external data', () => {
  const { 'model.onnx': file, 'weights.bin': weights } = graphs.bigWeights(1, true) as Record<string, Uint8Array>;

  test('a missing file is named', async () => {
    const text = await inspecting.refusal({ 'model.onnx': file! });
    expect(text).toContain("'weights.bin' is missing");
    expect(text).toContain('upload the whole folder');
  });

  test('a file that is too short is named', async () => {
    const text = await inspecting.refusal({ 'model.onnx': file!, 'weights.bin': weights!.subarray(1) });
    expect(text).toContain("'weights.bin' has 1048575 bytes");
  });

  test('a place outside the folder is refused', async () => {
    const tensor = {
      ...floats('w', [4], []),
      rawData: undefined,
      dataLocation: 1,
      externalData: graphs.externalEntries('../weights.bin', 0, 16),
    };
    const bytes = through([node('Add', ['in', 'w'], ['out'])], { initializer: [tensor] });
    expect(await inspecting.refusal(bytes)).toContain("outside the model's folder");
  });
});

describe('versions', () => {
  test('the newest supported are accepted, the next are refused with both numbers', async () => {
    const { irVersion, opsets } = newestSupported;
    const opset = opsets.get('ai.onnx')!;
    const ml = opsets.get('ai.onnx.ml')!;
    await inspecting.inspect(versioned(irVersion, { '': opset, 'ai.onnx.ml': ml }));
    expect(await inspecting.refusal(versioned(irVersion + 1, {}))).toMatch(
      new RegExp(`IR version ${irVersion + 1}; .* up to ${irVersion}`),
    );
    expect(await inspecting.refusal(versioned(8, { '': opset + 1 }))).toMatch(
      new RegExp(`operator set ${opset + 1} of 'ai.onnx'; .* up to ${opset}.*opset_version=${opset}`),
    );
    expect(await inspecting.refusal(versioned(8, { 'ai.onnx.ml': ml + 1 }))).toContain(
      `operator set ${ml + 1} of 'ai.onnx.ml'`,
    );
  });

  test('the library itself refuses what is newer', async () => {
    const { irVersion, opsets } = newestSupported;
    const newer = [versioned(irVersion + 1, {})];
    for (const [domain, version] of opsets) {
      newer.push(versioned(8, { [domain === 'ai.onnx' ? '' : domain]: version + 1 }));
    }
    for (const bytes of newer) {
      const path = await inspecting.lay({ 'model.onnx': bytes });
      expect(() => openSession(path, { threads: 1, nativeFolder: inspecting.nativeFolder })).toThrow(
        /IR version|under development/,
      );
    }
  });
});

describe('what cannot be served', () => {
  test('custom operators are named with their domain, in subgraphs too', async () => {
    const opsetImport = ['', 'my.company'].map((domain) => ({ domain, version: domain ? 1 : 17 }));
    const custom = node('Fancy', ['in'], ['out'], {}, 'my.company');
    const text = await inspecting.refusal(through([custom], {}, { opsetImport }));
    expect(text).toContain("'Fancy' of domain 'my.company'");
    const branch = graph({ node: [custom], input: [], output: [output] });
    const nested = [node('If', ['c'], ['out'], { then_branch: branch, else_branch: branch })];
    expect(await inspecting.refusal(through(nested, {}, { opsetImport }))).toContain("'Fancy' of domain 'my.company'");
  });

  test('operators that do not exist are named', async () => {
    expect(await inspecting.refusal(through([node('Nonsense', ['in'], ['out'])]))).toContain(
      "Operator 'Nonsense' does not exist in operator set 17.",
    );
    expect(await inspecting.refusal(through([node('constructor', ['in'], ['out'])]))).toContain("'constructor'");
    const opsetImport = ['', 'com.microsoft'].map((domain) => ({ domain, version: domain ? 1 : 17 }));
    const unknown = through([node('Nonsense', ['in'], ['out'], {}, 'com.microsoft')], {}, { opsetImport });
    expect(await inspecting.refusal(unknown)).toContain('com.microsoft:Nonsense');
  });

  test('an operator without a kernel for its type is named', async () => {
    const lrn = build({
      input: [value('in', 'FP64', [1, 1, 2, 2])],
      output: [value('out', 'FP64', [1, 1, 2, 2])],
      node: [node('LRN', ['in'], ['out'], { size: 3n })],
    });
    expect(await inspecting.refusal(lrn)).toContain("cannot compute 'LRN'");
  });

  test.each([
    ['sequence', { sequenceType: { elemType: tensor } }, 'zipmap'],
    ['map', { mapType: { keyType: dataType.INT64, valueType: tensor } }, 'zipmap'],
    ['optional', { optionalType: { elemType: tensor } }, 'tensors'],
  ])('an output that is a %s', async (what, type, hint) => {
    const text = await inspecting.refusal(through([relu], { output: [typed('out', type)] }));
    expect(text).toContain(what);
    expect(text).toContain(hint);
  });

  test.each(['BFLOAT16', 'COMPLEX64', 'FLOAT8E4M3FN', 'INT4', 'UINT4', 'FLOAT4E2M1'] as const)(
    'inputs and outputs of type %s',
    async (name) => {
      const type: Type = { tensorType: { elemType: dataType[name], shape: { dim: [] } } };
      expect(await inspecting.refusal(through([relu], { input: [typed('in', type)] }))).toContain(name.toLowerCase());
      expect(await inspecting.refusal(through([relu], { output: [typed('out', type)] }))).toContain(name.toLowerCase());
    },
  );

  test('an input without a shape', async () => {
    expect(await inspecting.refusal(through([relu], { input: [bare('in')] }))).toContain(
      "Input 'in' declares no shape.",
    );
  });

  test('broken graphs are refused in few words', async () => {
    const cycle = [node('Add', ['in', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'], ['out'])];
    expect(await inspecting.refusal(through(cycle))).toContain('not acyclic');
    expect(await inspecting.refusal(through([node('Relu', ['nowhere'], ['out'])]))).toContain("'nowhere'");
    const short = { ...floats('w', [4], [1]) };
    const text = await inspecting.refusal(through([node('Add', ['in', 'w'], ['out'])], { initializer: [short] }));
    expect(text).toContain('4 bytes');
    expect(text).not.toContain('onnxruntime_src');
    expect(await inspecting.refusal(through([relu], { initializer: [floats('w', [-3], [])] }))).toContain(
      'impossible shape',
    );
  });
});

const shared = join(import.meta.dir, '../../../shared/data/triton-simple');
test.skipIf(!existsSync(shared))('real models of Triton batch (needs ../shared/data)', async () => {
  for (const name of ['simple', 'simple_int8', 'simple_string']) {
    const file = await Bun.file(join(shared, name, '1/model.onnx')).bytes();
    const { batchable, facts } = await inspecting.inspect(file);
    expect({ name, batchable }).toEqual({ name, batchable: true });
    expect(facts.producer).toBe('triton');
  }
});
