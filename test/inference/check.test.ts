// Which calls may share a batch.
import { expect, test } from 'bun:test';

import { checkCall } from '../../src/inference/check.ts';
import type { VersionRoute } from '../../src/inference/routing.ts';
import { defaultServing, type TensorSpec } from '../../src/types.ts';

const spec = (name: string): TensorSpec => ({ name, datatype: 'FP32', shape: [-1, 1] });
const route: VersionRoute = {
  key: 'm:1',
  registered: 'm',
  model: 'm',
  version: 1,
  signature: { inputs: [spec('x')], outputs: ['a', 'b', 'a|b', 'b|a'].map(spec) },
  serving: { ...defaultServing, maxBatchSize: 4 },
  state: 'ready',
  reason: '',
  instances: [],
};

test('only calls that ask for the same outputs share a batch, whatever the outputs are called', () => {
  const key = (outputs?: string[]) =>
    checkCall(route, { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1], bytes: new Uint8Array(4) }], outputs })
      .key;
  const wishes = [undefined, ['a'], ['a', 'b'], ['b', 'a'], ['a|b'], ['b|a'], ['a', 'b|a'], ['a|b', 'a']];
  expect(new Set(wishes.map(key)).size).toBe(wishes.length);
  expect(key(['a', 'b'])).toBe(key(['a', 'b']));
});
