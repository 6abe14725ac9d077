// The page of the devices: who holds how much, foreign programs by name, what a lost one shows, and the preview in words.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { userRoles } from '../../../src/access/roles.ts';
import { driver, gpu, hasCompiler } from '../../support/nvml.ts';
import { calm, evilProgram, modelName, openMachineBox, until } from './machine-box.ts';
import { attacks, expectText, expectUnharmed } from './markup.ts';

describe.skipIf(!hasCompiler)('devices (need cc)', () => {
  let box: Awaited<ReturnType<typeof openMachineBox>>;
  beforeAll(async () => {
    box = await openMachineBox();
    await box.push(modelName);
  });
  afterAll(() => box[Symbol.asyncDispose]());
  const show = (query = '') => box.administrator.get(`/admin/devices${query}`);

  /** Text of each entry of a device's legend. */
  function legendOf(text: string, device: string): string[] {
    const part = text.split(`data-live-key="device.${device}.memory"`)[1]!.split('</ul>')[0]!;
    return [...part.matchAll(/<li>([^]*?)<\/li>/g)].map(([, item]) =>
      item!
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim(),
    );
  }

  test.each([...userRoles])('%s sees who holds how much', async (role) => {
    const { status, text } = await box.as(role).get('/admin/devices');
    expect(status).toBe(200);
    expect(legendOf(text, 'GPU-0')).toEqual([
      '&lt;img/src=x/onerror=alert(1)&gt; (pid 1) 16 GiB',
      'Other programs 4 GiB',
      'Kept free 512 MiB',
      'Free 59.5 GiB',
    ]);
    expect(legendOf(text, 'GPU-1')).toEqual(['Kept free 512 MiB', 'Free 79.5 GiB']);
    expect(legendOf(text, 'cpu')[0]).toMatch(/^m:1 (≈ )?[\d.]+ MiB$/);
    for (const words of ['37%', '250 W of 700 W', '34°C', '580.95.05', 'avx', 'NUMA nodes'])
      expect(text).toContain(words);
    expect(text.includes('/admin/findings')).toBe(role !== 'viewer');
  });

  test('a program names itself in vain', async () => {
    expectText(await show(), `${evilProgram} (pid 1)`);
  });

  test('a lost one says so and why', async () => {
    box.play(driver, gpu('GPU-0', { lost: 15 }), gpu('GPU-1'));
    const { text } = await until(show, (shown) => shown.text.includes('>Lost<'));
    expect(text).toContain('fallen off the bus');
    box.play(...calm);
    await until(show, (shown) => !shown.text.includes('>Lost<'));
  });

  test('one that is slowed down says so', async () => {
    box.play(driver, gpu('GPU-0', { throttle: '0x40' }), gpu('GPU-1'));
    const { text } = await until(show, (shown) => shown.text.includes('Slowed down by'));
    expect(text).toContain('>Slowed down<');
    box.play(...calm);
  });

  describe('the preview', () => {
    test('of a model that runs says that nothing would change', async () => {
      expect((await show(`?model=${modelName}&device=`)).text).toContain(
        'Nothing would change: it has 1 instance already.',
      );
    });

    test('says where a model would go, and which better ways cannot be taken', async () => {
      await box.ask('POST', `/v2/repository/models/${modelName}/unload`, {});
      const { text } = await show(`?model=${modelName}&device=cpu`);
      const processor = /<h2>([^<]*)<\/h2>\s*<span data-live-key="device.cpu.state"/.exec(text)![1]!;
      expect(text).toContain(`m:1 would start on ${processor}`);
      expect(text).toMatch(/With cpu, batches of \d+ at most, [\d.]+ MiB of its memory \((measured|estimated)\)\./);
      expect(text).toMatch(/<option value="cpu"\s+selected>/);
    });

    test('says why there is no room', async () => {
      box.play(driver, gpu('GPU-0', { lost: 15 }), gpu('GPU-1'));
      const path = `?model=${modelName}&device=GPU-0`;
      const { text } = await until(
        () => show(path),
        (shown) => shown.text.includes('would find no room'),
      );
      expect(text).toContain('1 instance would find no room');
      box.play(...calm);
    });

    test('of what is not there says so in its place', async () => {
      for (const query of ['?model=nothing&device=', `?model=${modelName}&device=nowhere`]) {
        const shown = await show(query);
        expect(shown.status).toBe(200);
        expect(shown.text).toContain('There is no preview');
      }
    });

    test.each(attacks)('shows %s as text', async (attack) => {
      const query = new URLSearchParams({ model: attack, device: attack });
      expectUnharmed(await show(`?${query.toString()}`));
    });
  });

  test('the page is light', async () => {
    expect((await show()).text.length).toBeLessThan(40_000);
  });
});
