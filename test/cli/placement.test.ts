// The commands about placement, over HTTP, on a machine that is data.
import { describe, expect, test } from 'bun:test';

import type { Decision } from '../../src/device/decisions.ts';
import { defaultPlacement, type PlacementSettings } from '../../src/device/placement-settings.ts';
import type { PlacementPreview } from '../../src/device/placement-views.ts';
import { gib, type Models, openMachine } from '../http/api/placement-control.ts';
import { aimass } from './command-line.ts';

function open(models: Models) {
  const machine = openMachine(models);
  const run = ([command, ...rest]: string[], width?: number) =>
    aimass([command!, '--server', machine.url, ...rest], { terminal: width === undefined ? {} : { width } });
  return {
    ...machine,
    run,
    async json<T>(...argv: string[]): Promise<T> {
      return JSON.parse((await run([...argv, '--json'])).out) as T;
    },
  };
}

describe('place', () => {
  test('shows the settings, changes what is named, and takes a wish back', async () => {
    await using machine = open({ faces: { bytes: gib } });
    const shown = await machine.run(['place', 'faces']);
    expect(shown).toMatchObject({ code: 0, err: '' });
    expect(shown.out).toMatch(/^instances +0 to 1; started when it is asked for$/m);
    expect(shown.out).toMatch(/^devices +any$/m);
    expect(shown.out).toMatch(/^keep alive +until its room is needed$/m);

    const options = [
      '--min',
      '1',
      '--max=3',
      '--device',
      'GPU-0,GPU-1',
      '--class',
      'NVIDIA H100',
      '--provider',
      'cuda',
    ];
    const more = ['--one-per-device', 'yes', '--strategy', 'pack', '--priority', '90', '--pin', 'yes'];
    const last = ['--min-free', '2GiB', '--keep-alive', '10m'];
    const all: PlacementSettings = {
      minInstances: 1,
      maxInstances: 3,
      deviceIds: ['GPU-0', 'GPU-1'],
      deviceClass: 'NVIDIA H100',
      provider: 'cuda',
      onePerDevice: true,
      strategy: 'pack',
      priority: 90,
      pinned: true,
      minFreeBytes: 2 * gib,
      keepAliveMs: 600_000,
    };
    expect(await machine.json<PlacementSettings>('place', 'faces', ...options, ...more, ...last)).toEqual(all);
    expect((await machine.run(['place', 'faces'])).out).toMatch(/^keep alive +10 min 0 s$/m);

    const back = ['--device', 'any', '--class', 'any', '--provider', 'auto', '--keep-alive', 'none', '--pin', 'no'];
    const { deviceIds: _, deviceClass: __, provider: ___, keepAliveMs: ____, ...rest } = all;
    expect(await machine.json<PlacementSettings>('place', 'faces', ...back)).toEqual({ ...rest, pinned: false });
  });

  test('--preview says where it would start and what would end for it, and changes nothing', async () => {
    await using machine = open({ faces: { bytes: 30 * gib }, old: { bytes: 50 * gib } });
    machine.start('1', 'old');
    const { code, out } = await machine.run(['place', 'faces:1', '--preview', '--priority', '70']);
    expect(code).toBe(0);
    expect(out).toStartWith('faces:1 can run like this, best first:\nPROVIDER  ON');
    expect(out).toMatch(/^cuda +cuda +8 +✓ 30\.0 GiB +was \d+\.\d GiB \([+-]\d+ %\)$/m);
    expect(out).toMatch(/^cpu +cpu +8 +≈ 30\.\d GiB +not measured yet$/m);
    expect(out).toContain('tensorrt on cuda is passed over: It computes none of the nodes of this model');
    expect(out).toContain('  old:1 (instance 1) ends: makes room for faces:1');
    expect(out.replace(/\s+/g, ' ')).toMatch(
      / faces:1 starts on NVIDIA H100 #0, [^:]*: cuda, batch 8, ✓ 30\.0 GiB, once instance 1 ended /,
    );
    expect(out).toEndWith('Nothing was changed.\n');
    expect(await machine.json<PlacementSettings>('place', 'faces')).toEqual(defaultPlacement);
    const preview = await machine.json<PlacementPreview>('place', 'faces', '--preview');
    expect(preview.evictions).toMatchObject([{ instanceId: '1' }]);
  });

  test('--preview says why there is no room and what to do; a narrow terminal still has it all', async () => {
    await using machine = open({ huge: { bytes: 500 * gib } });
    const { out } = await machine.run(['place', 'huge', '--preview'], 60);
    const words = out.replace(/\s+/g, ' ');
    expect(words).toContain('huge:1 finds no place for 1 instance: needs 500 GiB;');
    expect(words).toContain('Use a smaller batch or a device with more memory.');
    for (const line of out.split('\n')) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(60);
  });

  test.each([
    [['--min', 'two'], "--min: 'two' is not a whole number from 0 to 256."],
    [['--priority', '101'], '--priority: '],
    [['--pin', 'maybe'], "--pin: 'maybe' is not one of yes, no"],
    [['--provider', 'cudda'], "did you mean 'cuda'?"],
    [['--min-free', 'lots'], '--min-free: '],
    [['--keep-alive', 'soon'], '--keep-alive: '],
    [['--device'], '--device needs a value'],
  ])('wrong usage: %p', async (argv, message) => {
    await using machine = open({ faces: { bytes: gib } });
    const { code, out, err } = await machine.run(['place', 'faces', ...argv]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
    expect(await machine.json<PlacementSettings>('place', 'faces')).toEqual(defaultPlacement);
  });

  test('what only the server can know is its answer', async () => {
    await using machine = open({ faces: { bytes: gib } });
    expect(await machine.run(['place', 'absent'])).toMatchObject({ code: 1, err: expect.stringContaining("'absent'") });
    expect(await machine.run(['place', 'faces', '--min', '2'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('Raise maxInstances'),
    });
    expect(await machine.run(['place', 'faces:1'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--preview'),
    });
  });
});

test('ps: where each instance is, what it holds, and which versions have none and why', async () => {
  await using machine = open({ faces: { bytes: 3 * gib }, digits: { bytes: gib } });
  machine.start('1', 'faces');
  const { out } = await machine.run(['ps']);
  expect(out).toMatch(/^MODEL +FOR +STATE +DEVICE +PID +PROVIDER +MEMORY +RESTARTS +SINCE$/m);
  expect(out).toMatch(/^faces:1 +not released +ready +cuda 0 +100 +cuda +✓ 3\.0 GiB +0 +2026-/m);
  expect(out).toMatch(/^digits:1 +not released +cold +– +– +– +– +– +–$/m);
  expect(out).toContain('digits:1: It is started when it is asked for.');
  const { instances, versions } = await machine.json<{ instances: object[]; versions: object[] }>('ps');
  expect([instances.length, versions.length]).toEqual([1, 2]);
  await using empty = open({});
  expect((await empty.run(['ps'])).out).toBe("Nothing is served. 'aimass load NAME' starts it.\n");
});

test('devices: what is held, used by others, kept free and available', async () => {
  await using machine = open({ faces: { bytes: 3 * gib } });
  machine.start('1', 'faces');
  const { out } = await machine.run(['devices']);
  expect(out).toContain(
    'GPU-0: 3.0 GiB held by instances, 10.0 GiB used by others, 2.0 GiB kept free, 65.0 GiB available',
  );
});

test('decisions: all, or of one model, newest first; what a model is called writes nothing to the terminal', async () => {
  await using machine = open({ faces: { bytes: gib } });
  expect((await machine.run(['decisions'])).out).toBe('Nothing was decided yet.\n');
  machine.log.add({ kind: 'placed', model: 'faces', version: 1, deviceId: 'GPU-0', instance: '7', reason: 'on it' });
  machine.log.add({ kind: 'lost', deviceId: 'GPU-0', reason: 'fallen off the bus' });
  machine.log.add({ kind: 'refused', model: '\u001b[31m&model=faces', reason: 'no room' });
  const { out } = await machine.run(['decisions']);
  const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
  expect(out).toMatch(new RegExp(`^${time}  placed  faces:1  \\(instance 7 on GPU-0\\)\n  on it$`, 'm'));
  expect(out).toMatch(new RegExp(`^${time}  lost  \\(GPU-0\\)\n  fallen off the bus$`, 'm'));
  expect(out).not.toContain('\u001b');
  expect(out.indexOf('no room')).toBeLessThan(out.indexOf('fallen'));
  const { decisions } = await machine.json<{ decisions: Decision[] }>('decisions', 'faces');
  expect(decisions.map(({ kind }) => kind)).toEqual(['placed']);
  const odd = await machine.json<{ decisions: Decision[] }>('decisions', '\u001b[31m&model=faces');
  expect(odd.decisions.map(({ kind }) => kind)).toEqual(['refused']);
});
