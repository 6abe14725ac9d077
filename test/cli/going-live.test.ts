// The commands about going live against a whole appliance with a real model, as a pipeline types them.
import { expect, test } from 'bun:test';
import { join } from 'node:path';

import type { EndpointStatusAnswer, EvidenceAnswer, ReleaseAnswer } from '../../src/cli/release-answers.ts';
import type { Difference } from '../../src/release/types.ts';
import { addScalar, identity } from '../support/graphs.ts';
import { openServer } from './command-line.ts';

test('push, release, follow, replace, compare, roll back, tidy up', async () => {
  await using server = await openServer();
  const push = async (name: string, bytes: Uint8Array<ArrayBuffer>) => {
    const path = join(server.folder, `${name}.onnx`);
    await Bun.write(path, bytes);
    await server.json('push', 'plus', path, '--no-load');
  };
  await push('one', addScalar(1));
  await push('two', addScalar(2));
  await push('text', identity('BYTES', ['N']));
  const say = async (...argv: string[]) => {
    const { code, out, err } = await server.aimass(argv);
    expect({ argv, code, err: code === 0 ? '' : err }).toEqual({ argv, code: 0, err: '' });
    return out;
  };

  // In staging nobody has to approve.
  const followed = await say(
    'release',
    'submit',
    'plus:1',
    '--endpoint',
    'adder',
    '--environment',
    'staging',
    '--follow',
  );
  expect(followed).toMatch(/created by socket\n[^]*submitted by socket[^]*approved[^]*live/);
  expect(followed).toContain('Release 1, plus:1 as adder in staging, is live.');
  expect(followed).toMatch(/^live +1 +plus:1 +100 %/m);

  await say('release', 'submit', 'plus:2', '--endpoint', 'adder', '--contact', 'Olga', '--rate', '100', '--follow');
  const { endpoint, history } = await server.json<EndpointStatusAnswer>('endpoints', 'adder');
  expect(endpoint.live?.request).toMatchObject({ version: 2, environment: 'staging', ratePerSecond: 100 });
  expect(history.map(({ id, state }) => [id, state])).toEqual([
    [2, 'live'],
    [1, 'superseded'],
  ]);
  expect(await say('release', 'rollback', 'adder', '--reason', 'too much')).toContain('plus:1 again (release 1)');

  const { differences } = await server.json<{ differences: Difference[] }>('compare', 'plus:2', 'plus:3');
  expect(differences[0]).toMatchObject({ group: 'signature', weight: 'breaking' });
  expect(await say('compare', 'plus:2', 'plus:3')).toContain('(breaks callers)');

  // What breaks callers is seen before it reaches them.
  const draft = await server.json<ReleaseAnswer>('release', 'submit', 'plus:3', '--endpoint', 'adder', '--draft');
  await say('release', 'comment', String(draft.id), 'this will not do');
  const shown = await say('release', 'show', String(draft.id));
  expect(shown).toContain('Beside plus:1, which is live');
  expect(shown).toMatch(/commented by socket: this will not do/);
  await say('release', 'change', String(draft.id), '--endpoint', 'texts', '--statement', 'of its own');
  await say('release', 'withdraw', String(draft.id), '--reason', 'later');
  const ended = await server.aimass(['release', 'status', String(draft.id), '--follow']);
  expect(ended).toMatchObject({ code: 1, out: expect.stringContaining('is withdrawn. later.') });

  await say('load', 'plus:1');
  const measured = await server.json<EvidenceAnswer>('load-test', 'plus:1', '--seconds', '1', '--connections', '2');
  expect(measured.numbers!.p95Ms).toBeGreaterThan(0);
  expect(await say('tag', 'plus:1', 'steady', '--note', 'adds 1')).toMatch(/^tags +steady\nnote +adds 1$/m);

  await say('tag', 'plus:2', '--archive');
  const listed = await say('show', 'plus');
  expect(listed).toMatch(/^1 .* steady$/m);
  expect(listed).toMatch(/^2 .* archived$/m);
  expect(await say('show', 'plus:1')).toMatch(/^tags +steady\nnoted +adds 1$/m);

  const changed = await say('environments', 'staging', '--set', 'keep-warm=0s', '--set', 'policy.max-p95=50ms');
  expect(changed).toMatch(/^keep-warm +0 ms$/m);
  expect(changed).toMatch(/^policy\.max-p95 +50 ms$/m);
  expect(await server.aimass(['environments', 'staging', '--set', 'guard.latency-factor=0'])).toMatchObject({
    code: 1,
  });

  expect(await say('endpoints', 'rm', 'adder', '--yes')).toContain('adder is removed');
  expect(await say('endpoints')).toContain('Nothing is live yet.');
  expect(await say('release', 'list', '--endpoint', 'adder')).toMatch(/plus:1/);
}, 60_000);
