import { afterAll, expect, test } from 'bun:test';
// Float text against numpy and the C library: reads back to the same float32, and no float has a shorter text.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { joinFloats } from '../../../src/http/v2/shortest-float.ts';

const folder = mkdtempSync(join(tmpdir(), 'aimass-floats-'));
afterAll(() => rmSync(folder, { recursive: true }));

const python = '/usr/bin/python3';
const hasNumpy = Bun.spawnSync([python, '-c', 'import numpy']).success;

/** All powers of two and their neighbours, subnormals, powers of ten and their neighbours, then random bits. */
function difficultFloats(count: number): Float32Array {
  const bits = new Uint32Array(count);
  const floats = new Float32Array(bits.buffer);
  let at = 0;
  for (let exponent = 0; exponent < 255; exponent++) {
    for (const mantissa of [0, 1, 2, 0x7ffffe, 0x7fffff]) bits[at++] = exponent * 2 ** 23 + mantissa;
  }
  for (let subnormal = 1; subnormal < 2000; subnormal++) bits[at++] = subnormal;
  for (let power = -45; power < 39; power++) {
    for (const step of [-1, 0, 1]) {
      floats[at] = Number(`1e${power}`);
      bits[at++]! += step;
    }
  }
  for (; at < count / 2; at++) floats[at] = (Math.random() - 0.5) * 10 ** Math.floor(Math.random() * 20 - 10);
  const random = crypto.getRandomValues(new Uint32Array(16_384));
  for (let i = 0; at < count; i++) {
    bits[at] = (random[i % random.length]! ^ Math.imul(i, 2654435761)) >>> 0;
    if (Number.isFinite(floats[at]!)) at++;
  }
  return floats;
}

const script = `
import sys, ctypes, numpy
folder = sys.argv[1]
floats = numpy.fromfile(folder + '/floats', dtype=numpy.float32)
texts = open(folder + '/texts').read().split(',')
assert len(texts) == len(floats), (len(texts), len(floats))
bits = floats.view(numpy.uint32)
by_double = numpy.array([float(t) for t in texts]).astype(numpy.float32).view(numpy.uint32)
strtof = ctypes.CDLL(None).strtof
strtof.restype = ctypes.c_float
direct = numpy.array([strtof(t.encode(), None) for t in texts], dtype=numpy.float32).view(numpy.uint32)
def digits(text):
    return len(text.lstrip('-').split('e')[0].replace('.', '').strip('0'))
longer = sum(digits(t) > digits(numpy.format_float_scientific(f, unique=True)) for t, f in zip(texts, floats))
print(int((by_double != bits).sum()), int((direct != bits).sum()), longer)
`;

test.skipIf(!hasNumpy)(
  'a million floats (needs python3-numpy)',
  () => {
    const floats = difficultFloats(1_000_000);
    writeFileSync(join(folder, 'floats'), floats);
    writeFileSync(join(folder, 'texts'), joinFloats(floats)!);
    const { stdout, stderr } = Bun.spawnSync([python, '-c', script, folder]);
    expect(stderr.toString()).toBe('');
    expect(stdout.toString().trim()).toBe('0 0 0');
  },
  60_000,
);

test('every text is a JSON number, at home or far away', () => {
  const floats = Float32Array.of(0, -0, 1, -1, 0.1, 16777216, 3.4028235e38, 1e-45, 1.5e-7, 123456.79, 1e15, 1e21, -0.5);
  expect(joinFloats(floats)).toBe(
    '0,-0.0,1,-1,0.1,16777216,3.4028235e+38,1e-45,1.5e-7,123456.79,1000000000000000,1e21,-0.5',
  );
  expect(JSON.parse(`[${joinFloats(floats)}]`)).toHaveLength(floats.length);
});

test('many and none', () => {
  expect(joinFloats(new Float32Array())).toBe('');
  for (const length of [4095, 4096, 4097, 8192]) {
    expect(joinFloats(new Float32Array(length).fill(0.25))!.split(',')).toHaveLength(length);
  }
});

test('NaN and infinities have no text', () => {
  for (const value of [NaN, Infinity, -Infinity]) expect(joinFloats(Float32Array.of(1, value))).toBeUndefined();
});
