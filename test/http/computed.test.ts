import { expect, test } from 'bun:test';

import { findComputedModel } from '../../src/http/computed.ts';

test.each([
  ['/v1/models/faces/predict', 'faces'],
  ['/v1/models/faces/versions/3/predict', 'faces'],
  ['/v2/models/faces/infer', 'faces'],
  ['/v2/models/faces/versions/3/infer', 'faces'],
  ['/v2/models/infer', undefined],
  ['/v2/models/faces', undefined],
  ['/v2/models/faces/stats', undefined],
  ['/v1/models/faces/infer', undefined],
  ['/api/v1/models/predict', undefined],
  ['/predict', undefined],
])('%s is answered by %p', (path, model) => expect(findComputedModel(path)).toBe(model as string));
