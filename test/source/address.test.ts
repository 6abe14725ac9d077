// What is an address of a model, what is said of it where others may read, and what a file that came from it is called.
import { describe, expect, test } from 'bun:test';

import { AppError } from '../../src/error.ts';
import { fileNameOf, originOf, parseAddress } from '../../src/source/address.ts';

test.each([
  ['https://files.corp/a/m.onnx?sig=secret#x', { kind: 'url', from: 'https://files.corp/a/m.onnx' }],
  [' HTTP://Files.corp:8080/m ', { kind: 'url', from: 'http://files.corp:8080/m' }],
  ['/srv/models/m.onnx', { kind: 'path', from: '/srv/models/m.onnx' }],
  ['/srv/./models/../m', { kind: 'path', from: '/srv/m' }],
] as const)('%p is one', (text, origin) => {
  expect(originOf(parseAddress(text))).toEqual(origin);
});

test.each([
  '',
  'm.onnx',
  './m.onnx',
  'server:/srv/m.onnx',
  'file:///srv/m.onnx',
  'ftp://files.corp/m.onnx',
  's3://bucket/m.onnx?sig=secret',
  'http://?sig=secret',
  'https://name:secret@files.corp/m.onnx',
  'https://files.corp:0/m?sig=secret',
  `/${'x'.repeat(5000)}`,
  '/srv/\0',
])('%p is none, and no secret is repeated', (text) => {
  let error: unknown;
  try {
    parseAddress(text);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(AppError);
  expect(`${(error as AppError).message} ${(error as AppError).hint}`).not.toContain('secret');
});

describe('the name of a file', () => {
  const urls = (...texts: string[]) => texts.map((text) => new URL(text, 'http://files.corp'));

  test.each([
    ['attachment; filename="a b.onnx"', 'a b.onnx'],
    ['attachment; filename=m.zip', 'm.zip'],
    ["attachment; filename=old.onnx; filename*=UTF-8''m%C3%B6del.onnx", 'mödel.onnx'],
    ['attachment; filename="../../etc/passwd.onnx"', 'passwd.onnx'],
    ['attachment; filename="..\\\\..\\\\m.onnx"', 'm.onnx'],
    ['attachment; filename="a\\"b.onnx"', 'a"b.onnx'],
    ["attachment; filename*=UTF-8''%2e%2e%2fx%00y.onnx", 'xy.onnx'],
    ['attachment; filename=".onnx"', 'model.onnx'],
    ['attachment; filename="..."', 'model.onnx'],
    ["attachment; filename*=UTF-8''%zz.onnx", '%zz.onnx'],
    ['inline', 'model.onnx'],
  ])('is what %p says', (disposition, name) => {
    const rest = name === 'model.onnx' ? urls('/dir/model.onnx') : urls('/other.onnx');
    expect(fileNameOf(disposition, rest)).toBe(name);
  });

  test.each([
    [['/a/m%20odel.onnx?x=y.zip'], 'm odel.onnx'],
    [['/blobs/5f3a', '/dl/repo.tar.gz'], 'repo.tar.gz'],
    [['/a%2f..%2f%2e%2e/'], 'model.onnx'],
    [['/latest'], 'latest'],
    [['/'], 'model.onnx'],
    [['/%ff.onnx'], '%ff.onnx'],
  ])('or what the addresses %p say', (paths, name) => {
    expect(fileNameOf(undefined, urls(...paths))).toBe(name);
  });

  test('is short enough for a disk, and keeps its ending', () => {
    const name = fileNameOf(undefined, urls(`/${'例'.repeat(300)}.tar.gz`));
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
    expect(name).toEndWith('例.tar.gz');
  });
});
