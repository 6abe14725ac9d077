// What waits for a quiet time: when it starts, in which order, and that a measurement gives way to everything else.
import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';

import { QuietWork } from '../../src/inference/quiet-work.ts';
import { add, adder, decided, openMachine, until } from '../support/machine.ts';
import { openServing } from '../support/serving.ts';

test('starts after so long without anything going on, one piece at a time, the later one of two alike', async () => {
  const quiet = new QuietWork(1000);
  const done: string[] = [];
  const gates = new Map<string, () => void>();
  const work = (name: string) => () =>
    new Promise<void>((resolve) => {
      done.push(name);
      gates.set(name, resolve);
    });
  quiet.add('a', work('a, replaced'));
  quiet.add('a', work('a'));
  quiet.add('b', work('b'));
  quiet.look(false, 0);
  quiet.look(true, 900);
  quiet.look(false, 1000);
  quiet.look(false, 1999);
  expect(done).toEqual([]);
  quiet.look(false, 2000);
  quiet.look(false, 3000);
  expect(done).toEqual(['a']);
  gates.get('a')!();
  await Bun.sleep(0);
  quiet.look(true, 4000);
  quiet.look(false, 4500);
  expect(done).toEqual(['a']);
  quiet.look(false, 5500);
  expect(done).toEqual(['a', 'b']);
});

test('a piece that fails does not keep the next one back', async () => {
  const quiet = new QuietWork(0);
  const done: string[] = [];
  quiet.add('a', () => Promise.reject(new Error('no')));
  quiet.add('b', async () => void done.push('b'));
  quiet.look(false, 0);
  await Bun.sleep(0);
  quiet.look(false, 1);
  expect(done).toEqual(['b']);
});

/** Niceness of the children of this process that measure. */
function measuring(): number[] {
  return readdirSync('/proc/self/task')
    .flatMap((id) => readFileSync(`/proc/self/task/${id}/children`, 'utf8').split(' ').filter(Boolean))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('footprint')) return [];
        return [Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[16])];
      } catch {
        return []; // ended meanwhile
      }
    });
}

test('a version on the processor is measured once it is quiet, with the lowest priority, and the books are put right', async () => {
  const { devices } = openMachine({ cpu: 1 });
  await using serving = await openServing({ m: [adder(1)] }, { devices, measureAfterQuietMs: 1000 });
  const { supervisor } = serving;
  await supervisor.load('m');
  const [promised] = supervisor.fleet.accounts();
  for (let i = 0; i < 3; i++) {
    supervisor.fleet.tick();
    expect(await add(serving, 'm', i)).toBe(i + 1);
  }
  expect(measuring()).toEqual([]);
  await until(() => measuring().includes(19));
  await until(() => supervisor.instances()[0]!.measured);
  expect(decided(serving, 'measured')).toEqual([
    expect.stringMatching(/^m:1: takes \d+ MiB on cpu at batch 1; the estimate was 29 MiB \([+-]?\d+ %\)$/),
  ]);
  const [held] = supervisor.fleet.accounts();
  expect(held!.heldBytes).not.toBe(promised!.heldBytes);
  expect(held!.heldBytes).toBe(supervisor.instances()[0]!.heldBytes);
  // It is measured once, however often it is started.
  await supervisor.unload('m');
  await supervisor.load('m');
  expect(supervisor.instances()).toMatchObject([{ measured: true, heldBytes: held!.heldBytes }]);
});
