import { expect, test } from 'bun:test';

import { Seal } from '../../src/access/sealed.ts';
import { minute } from './opened.ts';

test('what was sealed is opened until its time is over, and shows nothing', () => {
  let nowMs = Date.UTC(2026, 0, 1);
  const seal = new Seal<{ word: string }>(() => nowMs);
  const text = seal.close({ word: 'swordfish' }, minute);
  expect(Buffer.from(text, 'base64url').toString('latin1')).not.toContain('swordfish');
  expect(seal.close({ word: 'swordfish' }, minute)).not.toBe(text);
  expect(seal.open(text)).toEqual({ word: 'swordfish' });
  nowMs += minute;
  expect(seal.open(text)).toBeUndefined();
});

test('what was changed, cut or sealed by another is not opened', () => {
  const seal = new Seal<number>();
  const bytes = Buffer.from(seal.close(7, minute), 'base64url');
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i]! ^= 1;
    expect(seal.open(changed.toString('base64url'))).toBeUndefined();
    expect(seal.open(bytes.subarray(0, i).toString('base64url'))).toBeUndefined();
  }
  expect(seal.open(new Seal<number>().close(7, minute))).toBeUndefined();
  expect(seal.open('x'.repeat(5000))).toBeUndefined();
});
