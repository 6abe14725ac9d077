// A version of the same files with another manifest, by command.
import { expect, test } from 'bun:test';
import { join } from 'node:path';

import { addSub } from '../support/graphs.ts';
import { openServer } from './command-line.ts';

test('derive stores the next version with what the file says', async () => {
  await using server = await openServer();
  const model = join(server.folder, 'm.onnx');
  const manifest = join(server.folder, 'm.json');
  await Bun.write(model, addSub());
  await Bun.write(manifest, '{"licence":"MIT","description":"Sums"}');
  expect((await server.aimass(['push', 'sums', model, '--no-load'])).code).toBe(0);
  const made = await server.aimass(['derive', 'sums:1', '--manifest', manifest, '--no-load']);
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^sums:2 \(tensor, .*\) is stored/) });
  expect((await server.aimass(['show', 'sums:2'])).out).toContain('MIT');
  for (const [argv, words] of [
    [['derive', 'sums', '--manifest', manifest], 'Say which version'],
    [['derive', 'sums:1'], '--manifest is missing'],
  ] as const) {
    expect(await server.aimass([...argv])).toMatchObject({ code: 2, err: expect.stringContaining(words) });
  }
});
