// How the executable starts and stops: how fast, from what surroundings, and who it refuses.
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { Appliance, discard, processesOf, run, unpack, until } from './appliance.ts';

let home: string;

beforeEach(async () => {
  home = await unpack();
});

afterEach(() => discard(home));

test('starts with nothing around it and is ready at once', async () => {
  const first = await Appliance.start({ home });
  expect(await first.json<{ models: unknown[] }>('/api/v1/models')).toEqual({ models: [] });
  expect((await first.fetch('/v2/health/ready')).status).toBe(200);
  expect(await first.stop()).toBe(0);
  expect(processesOf(home)).toEqual([]);

  const again = await Appliance.start({ home });
  console.log(`ready after ${first.readyMs.toFixed(0)} ms (first start), ${again.readyMs.toFixed(0)} ms (second)`);
  expect(await again.stop()).toBe(0);
});

test('removes what a start that was killed left of the libraries, and nothing of one that runs', async () => {
  const dead = Bun.spawn(['true']);
  await dead.exited;
  const native = join(home, 'data/native');
  for (const pid of [dead.pid, process.pid])
    await Bun.write(join(native, `.new-${pid}-x`, 'libonnxruntime.so.1'), 'half');
  const appliance = await Appliance.start({ home });
  await until('the libraries to be there', () => readdirSync(native).some((name) => /^[0-9a-f]{32}$/.test(name)));
  expect(await appliance.stop()).toBe(0);
  expect(readdirSync(native).toSorted()).toEqual([`.new-${process.pid}-x`, expect.stringMatching(/^[0-9a-f]{32}$/)]);
});

test('ignores settings files of other programs where it is started', async () => {
  await Bun.write(join(home, '.env'), 'AIMASS_NO_SUCH_SETTING=1\n');
  await Bun.write(join(home, 'bunfig.toml'), 'preload = ["./nothing.ts"]\n');
  const appliance = await Appliance.start({ home });
  expect(await appliance.stop()).toBe(0);
});

test('says its version, helps, and refuses what it does not know', async () => {
  const { version } = (await Bun.file(join(import.meta.dir, '../../package.json')).json()) as { version: string };
  expect(await run(home, ['version'])).toMatchObject({ code: 0, stdout: expect.stringContaining(version) });
  expect(await run(home, ['help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('push') });
  expect(await run(home, ['--help'])).toMatchObject({ code: 0 });
  const wrong = await run(home, ['serve', '--lisen', '127.0.0.1:0']);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("did you mean 'listen'") });
  const unreachable = await run(home, ['models', '--data', join(home, 'nobody')]);
  expect(unreachable.code).toBe(3);
});

test('two servers never share a data folder', async () => {
  const data = join(home, 'data');
  const appliance = await Appliance.start({ home, data });
  const second = await run(home, ['serve', '--data', data, '--listen', '127.0.0.1:0']);
  expect(second.code).not.toBe(0);
  expect(second.stderr).toContain('data folder');
  expect((await appliance.fetch('/v2/health/ready')).status).toBe(200);
  expect(await appliance.stop()).toBe(0);
});

test('of two first starts at the same moment one serves and the other is refused', async () => {
  const data = join(home, 'data');
  const starts = await Promise.allSettled([Appliance.start({ home, data }), Appliance.start({ home, data })]);
  const started = starts.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
  expect(started).toHaveLength(1);
  expect(await started[0]!.command<unknown>('install', 'face-detection', 'faces')).toBeTruthy();
  expect(await started[0]!.stop()).toBe(0);
});
