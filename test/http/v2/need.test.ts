// What a path of /v2 needs is the same however its letters are written.
import { expect, test } from 'bun:test';

import { ownPath } from '../../../src/http/admin/visit.ts';
import { needOf } from '../../../src/http/v2/need.ts';

const paths = [
  '/v2/models/m',
  '/v2/models/m/infer',
  '/v2/models/m/versions/1/infer',
  '/v2/models/m/versions/1',
  '/v2/models/m/stats',
  '/v2/models/stats',
  '/v2/repository/index',
  '/v2/repository/models/m/load',
];

test('a letter written as %XX opens nothing', () => {
  for (const path of paths) {
    const segments = path.split('/');
    for (const index of segments.keys()) {
      if (index < 2) continue;
      const encoded = segments.with(
        index,
        segments[index]!.replace(/^./, (c) => `%${c.charCodeAt(0).toString(16)}`),
      );
      expect([encoded.join('/'), needOf(encoded.join('/'))]).toEqual([encoded.join('/'), needOf(path)]);
    }
  }
});

test('what each needs', () => {
  expect(needOf('/v2/health/ready')).toEqual({ action: 'public' });
  expect(needOf('/v2/models/a%2Fb/infer')).toEqual({ action: 'model.predict', model: 'a/b' });
  expect(needOf('/v2/models/stats')).toEqual({ action: 'metrics.read' });
  expect(needOf('/v2/repository/index')).toEqual({ action: 'model.read' });
  expect(needOf('/v2/repository/models/m/unload')).toEqual({ action: 'model.load', model: 'm' });
});

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
