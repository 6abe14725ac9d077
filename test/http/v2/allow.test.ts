// What a path of /v2 asks of its caller is the same however its letters are written.
import { expect, test } from 'bun:test';

import { type Action } from '../../../src/access/roles.ts';
import { AppError } from '../../../src/error.ts';
import { ownPath } from '../../../src/http/admin/visit.ts';
import { createV2 } from '../../../src/http/v2/routes.ts';
import type { DataPlane, ModelControl } from '../../../src/inference/plane.ts';

const limits = { maxBodyBytes: 1, maxJsonBytes: 1, maxInflatedBytes: 1 };
/** Version 1 of 'm' was released, and nothing else. */
const isReleased = (name: string, version = 1) => name === 'm' && version === 1;
const plane = { table: new Map(), isReleased } as unknown as DataPlane;
const handle = createV2(plane, {} as ModelControl, limits);

/** What is asked before anything is done: everything is refused. */
function needOf(path: string, method: 'GET' | 'POST'): unknown {
  let asked: [Action, string | undefined] | undefined;
  const note = (action: Action, model?: string): never => {
    asked = [action, model];
    throw new AppError('forbidden', 'No.');
  };
  void handle(new Request('http://box/', { method }), path, note, 'id');
  return asked;
}

const needs: [string, 'GET' | 'POST', Action | undefined, string?][] = [
  ['/v2/health/ready', 'GET', undefined],
  ['/v2/models/m', 'GET', 'model.describe', 'm'],
  ['/v2/models/m/infer', 'POST', 'model.predict', 'm'],
  ['/v2/models/m/versions/1/infer', 'POST', 'model.predict', 'm'],
  ['/v2/models/m/versions/2/infer', 'POST', 'model.try', 'm'],
  ['/v2/models/n/infer', 'POST', 'model.try', 'n'],
  ['/v2/models/m/versions/1', 'GET', 'model.describe', 'm'],
  ['/v2/models/m/stats', 'GET', 'model.describe', 'm'],
  ['/v2/models/stats', 'GET', 'metrics.read'],
  ['/v2/repository/index', 'POST', 'model.read'],
  ['/v2/repository/models/m/load', 'POST', 'model.load', 'm'],
  ['/v2/repository/models/m/unload', 'POST', 'model.load', 'm'],
];

for (const [path, method, action, model] of needs) {
  test(path, () => {
    const expected = action && [action, model];
    const segments = path.split('/');
    const encoded = segments.map((_, index) =>
      segments
        .with(
          index,
          segments[index]!.replace(/^./, (c) => `%${c.charCodeAt(0).toString(16)}`),
        )
        .join('/'),
    );
    for (const form of [path, ...encoded.slice(2)]) expect([form, needOf(form, method)]).toEqual([form, expected]);
  });
}

test('a link leads nowhere but to this server after a form', () => {
  expect(ownPath('/admin/models/a%20b?tab=1', '/')).toBe('/admin/models/a%20b?tab=1');
  for (const text of [
    '//evil.example',
    '/\t/evil.example',
    '/\\\\evil.example',
    'https://evil.example',
    '/a b',
    '/管',
    '/\n',
  ]) {
    expect(ownPath(text, '/admin')).toBe('/admin');
  }
});

test('where everybody may try, no path asks for more than to predict', () => {
  const open = createV2(plane, {} as ModelControl, { ...limits, unreleased: 'everyone' });
  let asked: Action | undefined;
  const note = (action: Action): never => {
    asked = action;
    throw new AppError('forbidden', 'No.');
  };
  void open(new Request('http://box/', { method: 'POST' }), '/v2/models/n/infer', note, 'id');
  expect(asked).toBe('model.predict');
});
