import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as graphs from '../support/graphs.ts';
import { errorOf, inspectHere, type Opened, openTemporary } from './opened.ts';

let it: Opened;
beforeEach(async () => (it = await openTemporary()));
afterEach(() => it.remove());

const examples = join(import.meta.dir, '../../../shared/data/triton-simple');
const example = (path: string) => readFileSync(join(examples, path));

const tensors = `
  input [ { name: "INPUT0" data_type: TYPE_INT32 dims: [ 16 ] }, { name: "INPUT1" data_type: TYPE_INT32 dims: [ 16 ] } ]
  output [ { name: "OUTPUT0" data_type: TYPE_INT32 dims: [ 16 ] } ]`;
const head = `name: "sum" platform: "onnxruntime_onnx" max_batch_size: 8 ${tensors}`;

const folder = (config: string, versions = ['1']) => ({
  'sum/config.pbtxt': config,
  ...Object.fromEntries(versions.map((version) => [`sum/${version}/model.onnx`, graphs.addSub()])),
});

describe.skipIf(!existsSync(examples))("Triton's own examples (../shared/data/triton-simple)", () => {
  test.each(['simple', 'simple_int8', 'simple_string'])('%s imports', async (name) => {
    const files = {
      [`${name}/config.pbtxt`]: example(`${name}/config.pbtxt`),
      [`${name}/1/model.onnx`]: example(`${name}/1/model.onnx`),
    };
    const [version] = await it.push(undefined, files);
    expect(version).toMatchObject({ model: name, entry: 'model.onnx', files: [{ path: 'model.onnx' }] });
    expect(version!.manifest).toMatchObject({
      origin: { kind: 'triton', from: `${name}/1` },
      serving: { maxBatchSize: 8, instances: 1 },
    });
    expect(version!.warnings.join()).toContain('no dynamic_batching');
  });

  test.each([
    ['simple_sequence', 'sequence_batching'],
    ['simple_dyna_sequence', 'sequence_batching'],
    ['simple_identity', "backend 'python'"],
  ])('%s is refused', async (name, reason) => {
    const files = {
      [`${name}/config.pbtxt`]: example(`${name}/config.pbtxt`),
      [`${name}/1/model.onnx`]: example('simple/1/model.onnx'),
    };
    const error = await errorOf(it.push(undefined, files));
    expect(error.code).toBe('unsupported');
    expect(error.message).toContain(reason);
    expect(error.hint).toBeString();
  });

  test('a repository imports as a whole or not at all', async () => {
    const names = ['simple', 'simple_int8', 'simple_string'];
    const files = Object.fromEntries(
      names.flatMap((name) => [
        [`models/${name}/config.pbtxt`, example(`${name}/config.pbtxt`)],
        [`models/${name}/1/model.onnx`, example(`${name}/1/model.onnx`)],
      ]),
    );
    expect((await errorOf(it.push('one-name', files))).message).toContain('3 models');
    const bad = { ...files, 'models/simple_string/1/model.onnx': example('simple_int8/1/model.onnx') };
    const error = await errorOf(it.push(undefined, bad));
    expect(error.message).toContain('simple_string');
    expect(error.message).toContain('BYTES');
    expect(error.message).toContain('INT8');
    expect(it.registry.listModels()).toEqual([]);
    expect((await it.push(undefined, files)).map(({ model }) => model)).toEqual(names);
  });
});

test('version folders become consecutive versions, in the order of their numbers', async () => {
  const files = folder(head, ['10', '9', '2', '007', 'x']);
  const versions = await it.push('renamed', files);
  expect(versions.map(({ model, version, manifest }) => [model, version, manifest.origin.from])).toEqual([
    ['renamed', 1, 'sum/2'],
    ['renamed', 2, 'sum/9'],
    ['renamed', 3, 'sum/10'],
  ]);
  expect(versions[0]!.warnings.join('\n')).toContain('sum/007/model.onnx');
  expect(versions[0]!.warnings.join('\n')).toContain("calls the model 'sum'");
});

test.each([
  ['version_policy { latest { num_versions: 2 } }', ['sum/2', 'sum/3']],
  ['version_policy { latest { } }', ['sum/3']],
  ['version_policy: { all { } }', ['sum/1', 'sum/2', 'sum/3']],
  ['version_policy { specific { versions: [ 3, 1 ] } }', ['sum/1', 'sum/3']],
])('%s decides which versions count', async (policy, expected) => {
  const versions = await it.push(undefined, folder(`${head} ${policy}`, ['1', '2', '3']));
  expect(versions.map(({ manifest }) => manifest.origin.from!)).toEqual(expected);
});

test('settings carry over by their meaning', async () => {
  const [version] = await it.push(
    undefined,
    folder(`${head}
      dynamic_batching {
        preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100
        priority_levels: 3 default_priority_level: 2
        default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 5000 allow_timeout_override: true max_queue_size: 7 }
      }
      instance_group [ { count: 2 kind: KIND_GPU gpus: [ 0 ] }, { kind: KIND_CPU } ]
      parameters { key: "x" value { string_value: "y" } }`),
  );
  expect(version!.manifest.serving).toEqual({
    maxBatchSize: 8,
    preferredBatchSizes: [4, 8],
    maxQueueDelayUs: 100,
    priorityLevels: 3,
    defaultPriorityLevel: 2,
    queuePolicy: { timeoutAction: 'DELAY', defaultTimeoutUs: 5000, allowTimeoutOverride: true, maxQueueSize: 7 },
    instances: 3,
    threads: 0,
  });
  const warnings = version!.warnings.join('\n');
  expect(warnings).toContain("'parameters'");
  expect(warnings).toContain('gpus');
  expect(warnings).not.toContain('no dynamic_batching');
});

test("the person's own settings win over the configuration", async () => {
  const [version] = await it.push(undefined, folder(head), { serving: { maxBatchSize: 4, instances: 2 } });
  expect(version!.manifest.serving).toMatchObject({ maxBatchSize: 4, instances: 2 });
});

test('rows that depend on each other are not batched unless the configuration asks for it', async () => {
  it = await it.reopen({ inspect: async (request) => ({ ...(await inspectHere(request)), batchable: false }) });
  const [quiet] = await it.push(undefined, folder(head));
  expect(quiet!.manifest.serving.maxBatchSize).toBe(0);
  const [asked] = await it.push(undefined, folder(`${head} dynamic_batching { }`));
  expect(asked!.manifest.serving.maxBatchSize).toBe(8);
  for (const version of [quiet!, asked!]) expect(version.warnings.join()).toContain('trial');
});

test('labels come from the label file', async () => {
  const labels = Array.from({ length: 16 }, (_, index) => `label ${index}`);
  const config = head.replace('"OUTPUT0"', '"OUTPUT0" label_filename: "labels.txt"');
  const files = { ...folder(config), 'sum/labels.txt': `${labels.join('\r\n')}\n` };
  expect((await it.push(undefined, files))[0]).toMatchObject({ manifest: { labels }, warnings: [expect.any(String)] });
  expect((await errorOf(it.push(undefined, folder(config)))).message).toContain('labels.txt');
  const outside = config.replace('labels.txt', '../../etc/passwd');
  expect((await errorOf(it.push(undefined, folder(outside)))).message).toContain('not allowed');
});

test('a folder without config.pbtxt, and a model in a folder of its own, import too', async () => {
  const parts = graphs.bigWeights(1, true);
  const [plain] = await it.push('m', { '1/model.onnx': graphs.addSub() });
  expect(plain!.manifest).toMatchObject({ origin: { kind: 'triton', from: 'm/1' }, serving: { maxBatchSize: 32 } });
  const [nested] = await it.push(undefined, {
    'big/2/model.onnx/model.onnx': parts['model.onnx']!,
    'big/2/model.onnx/weights.bin': parts['weights.bin']!,
    'big/2/notes.txt': 'x',
  });
  expect(nested!.files.map(({ path }) => path)).toEqual(['model.onnx', 'weights.bin']);
  expect(nested!.warnings.join()).toContain('notes.txt');
  const [named] = await it.push('n', {
    'config.pbtxt': `${head} default_model_filename: "a.onnx"`,
    '1/a.onnx': graphs.addSub(),
  });
  expect(named!.entry).toBe('a.onnx');
});

test.each([
  [head.replace('TYPE_INT32', 'TYPE_FP32'), 'invalid', ['INPUT0', 'FP32', 'INT32']],
  [head.replace('dims: [ 16 ]', 'dims: [ 17 ]'), 'invalid', ['INPUT0', '[-1,17]', '[-1,16]']],
  [head.replace('max_batch_size: 8', 'max_batch_size: 0'), 'invalid', ['[16]', '[-1,16]']],
  [head.replace('INPUT1', 'INPUT9'), 'invalid', ['INPUT9']],
  [head.replace('TYPE_INT32', 'TYPE_INT31'), 'invalid', ['Line 2', 'TYPE_INT31']],
  [head.replace('dims: [ 16 ]', 'dims: [ 16 ] reshape { shape: [ ] }'), 'invalid', ['reshape']],
  [`${head}\nmax_batch: 3`, 'invalid', ['Line 4', 'max_batch']],
  [`${head}\ninstance_group [ { cuont: 1 } ]`, 'invalid', ['Line 4', 'cuont']],
  [`${head} dynamic_batching { preferred_batch_size: 9 }`, 'invalid', ['preferredBatchSizes', '9']],
  [`${head} version_policy { specific { versions: 5 } }`, 'invalid', ['version 5']],
  [`${head} ensemble_scheduling { }`, 'unsupported', ['ensemble_scheduling']],
  [`${head} model_transaction_policy { decoupled: true }`, 'unsupported', ['decoupled']],
  [`backend: "tensorrt"`, 'unsupported', ['tensorrt']],
  [`platform: "tensorrt_plan"`, 'unsupported', ['tensorrt_plan']],
  ['name: "x', 'invalid', ['Line 1']],
])('refused: %s', async (config, code, parts) => {
  const error = await errorOf(it.push(undefined, folder(config)));
  expect(error.code).toBe(code as typeof error.code);
  for (const part of parts) expect(error.message).toContain(part);
  expect(error.hint).toBeString();
  expect(it.filesOnDisk().filter((path) => !path.startsWith('uploads/'))).toEqual([]);
});
