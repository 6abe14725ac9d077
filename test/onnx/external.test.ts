// External data: what is listed, and what is refused.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { checkExternalFiles, listExternalData } from '../../src/onnx/external.ts';
import { dataType, type Model, type Tensor } from '../../src/onnx/model.ts';
import { externalEntries, graph, model, node, value } from '../support/graphs.ts';

function outside(name: string, entries: Record<string, string | number>, dims = [4]): Tensor {
  const externalData = Object.entries(entries).map(([key, entry]) => ({ key, value: String(entry) }));
  return { name, dims, dataType: dataType.FLOAT, dataLocation: 1, externalData, metadataProps: [] };
}

const at = (name: string) => outside(name, { location: `${name}.bin` });

function modelWith(...initializer: Tensor[]): Model {
  return model(graph({ node: [], input: [], output: [value('out', 'FP32', [])], initializer }));
}

describe('listing', () => {
  test('initializers, attributes, subgraphs, sparse tensors and functions are all looked at', () => {
    const deepest = graph({ node: [], input: [], output: [], initializer: [at('deepest')] });
    const inner = graph({
      node: [node('If', ['c'], ['x'], { then_branch: deepest })],
      input: [],
      output: [],
      initializer: [at('inner')],
    });
    const main = graph({
      node: [node('Loop', ['', 'c'], ['y'], { body: inner }), node('Constant', [], ['k'], { value: at('constant') })],
      input: [],
      output: [],
      initializer: [at('main')],
      sparseInitializer: [{ values: at('sparse'), indices: at('indices'), dims: [9] }],
    });
    const definition = {
      name: 'F',
      domain: 'own',
      input: [],
      output: [],
      attribute: [],
      node: [node('Constant', [], ['k'], { value: at('function') })],
      opsetImport: [],
      attributeProto: [],
      valueInfo: [],
      metadataProps: [],
    };
    const found = listExternalData(model(main, { functions: [definition] }));
    expect(found.map(({ location }) => location).sort()).toEqual(
      ['constant', 'deepest', 'function', 'indices', 'inner', 'main', 'sparse'].map((name) => `${name}.bin`),
    );
  });

  test('offset and length are optional', () => {
    expect(listExternalData(modelWith(outside('w', { location: 'w.bin' })))).toEqual([
      { tensor: 'w', location: 'w.bin', offset: 0, length: 16 },
    ]);
    expect(listExternalData(modelWith(outside('w', { location: 'a/w.bin', offset: 4096, length: 16 })))).toEqual([
      { tensor: 'w', location: 'a/w.bin', offset: 4096, length: 16 },
    ]);
  });

  test('locations outside the folder are refused', () => {
    for (const location of [
      '/etc/passwd',
      '../secret.bin',
      'a/../../b',
      'a\\b.bin',
      'a\0b.bin',
      '',
      'x'.repeat(5000),
    ]) {
      expect(() => listExternalData(modelWith(outside('w', { location })))).toThrow(/outside the model's folder/);
    }
  });

  test('numbers that are none are refused', () => {
    const wrong: Record<string, string | number>[] = [
      { length: 8 },
      { offset: -1 },
      { offset: '1e3' },
      { offset: '0x10' },
      { offset: '' },
      { length: '9'.repeat(20) },
    ];
    for (const numbers of wrong) {
      const tensor = outside('w', { location: 'w.bin', ...numbers });
      expect(() => listExternalData(modelWith(tensor))).toThrow(/Tensor 'w'/);
    }
  });

  test('impossible shapes and unknown types are refused', () => {
    expect(() => listExternalData(modelWith(outside('w', { location: 'w' }, [-1])))).toThrow(/impossible shape/);
    expect(() => listExternalData(modelWith(outside('w', { location: 'w' }, [2 ** 40, 2 ** 40])))).toThrow(
      /impossible/,
    );
    expect(() => listExternalData(modelWith({ ...outside('w', { location: 'w' }), dataType: 99 }))).toThrow(/type 99/);
  });
});

describe('files', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'aimass-external-'));
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub/w.bin'), new Uint8Array(32));
    symlinkSync('/etc/hostname', join(folder, 'link.bin'));
    symlinkSync('sub', join(folder, 'linked'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const check = (location: string, offset = 0) =>
    checkExternalFiles(folder, [{ tensor: 'w', location, offset, length: 16 }]);

  test('a file that is long enough is accepted', () => {
    check('sub/w.bin');
    check('./sub/w.bin', 16);
  });

  test('missing, short and linked files are refused by name', () => {
    expect(() => check('gone.bin')).toThrow("The external data file 'gone.bin' is missing.");
    expect(() => check('sub')).toThrow(/missing/);
    expect(() => check('sub/w.bin/x')).toThrow(/missing/);
    expect(() => check('x'.repeat(300))).toThrow(/missing/);
    expect(() => check('sub/w.bin', 17)).toThrow("'sub/w.bin' has 32 bytes, but tensor 'w' lies at 17…33.");
    expect(() => check('link.bin')).toThrow(/symbolic link/);
    expect(() => check('linked/w.bin')).toThrow(/symbolic link/);
  });

  test('externalEntries says what is listed', () => {
    const tensor: Tensor = { ...outside('w', {}), externalData: externalEntries('sub/w.bin', 16, 16) };
    const found = listExternalData(modelWith(tensor));
    expect(found).toEqual([{ tensor: 'w', location: 'sub/w.bin', offset: 16, length: 16 }]);
  });
});
