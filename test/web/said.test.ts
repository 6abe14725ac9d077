// What the server says of itself has Chinese words: every error that a page may show, every setting, the refusals and the
// reasons of placement; and how sentences are found.
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';

import { actionWords } from '../../src/access/action-words.ts';
import { configTable } from '../../src/config.ts';
import { createInterpreter, said } from '../../web/text/said.ts';
import { translate } from '../../web/text/text.ts';
import { literals } from './literals.ts';

const zh = translate('zh');
const han = /\p{Script=Han}/u;

test('both languages take the same values, English has no Chinese and the other way round', () => {
  const names = (text: string) => new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  expect(said.filter(([en, cn]) => names(en).symmetricDifference(names(cn)).size > 0)).toEqual([]);
  expect(said.filter(([en]) => han.test(en))).toEqual([]);
  const none = said.filter(([en, cn]) => !han.test(cn) && /\p{L}{2}/u.test(en.replaceAll(/\{\w+\}/g, '')));
  expect(none).toEqual([]);
  expect(new Set(said.map(([en]) => en)).size).toBe(said.length);
});

describe('nothing of it is only English', () => {
  /** Rooms whose errors pages show. What only commands, the start and the wire protocol say is left out. */
  const shown = [
    'access/{actor,key-gate,key-scope,keys,lock-out,password-resets,passwords,sessions,setup,sign-in,user-name,users,oidc}.ts',
    'registry/*.ts',
    'device/{placement-settings,placement-refusal}.ts',
    'onnx/{external,facts}.ts',
    'inference/{deployment,fleet,inspect,model-check,session,supervisor,shared-memory}.ts',
    'http/admin/*.ts',
    'http/gate.ts',
    'job/child.ts',
    'placing.ts',
    'notify/*.ts',
    'release/*.ts',
    'net/*.ts',
    'source/*.ts',
  ];
  /** Of files that are not looked into again here: parts of sentences, and what is said to programs or at the start. */
  const elsewhere = new Set([
    'registry/pbtxt.ts',
    'registry/pb-fields.ts',
    'registry/fields.ts',
    'registry/sniff.ts',
    'registry/triton-config.ts',
    'http/admin/sso.ts',
  ]);
  /** Parts of them are put in; the wholes are looked at below. */
  const composed = new Set(['X1 may not X1X1.', "The API key 'X1' X1."]);

  test('errors and their hints', async () => {
    const root = join(import.meta.dir, '../../src');
    const missing: string[] = [];
    let count = 0;
    for (const pattern of shown) {
      for await (const path of new Bun.Glob(pattern).scan(root)) {
        if (elsewhere.has(path)) continue;
        for (const text of literals(await Bun.file(join(root, path)).text())) {
          count++;
          if (!composed.has(text) && !zh.isSaid(text)) missing.push(`${path}: ${text}`);
        }
      }
    }
    expect(count).toBeGreaterThan(200);
    expect(missing).toEqual([]);
  });

  test('settings and their defaults', () => {
    const own = configTable().filter(({ client }) => !client);
    expect(own.filter(({ help }) => !zh.isSaid(help)).map(({ help }) => help)).toEqual([]);
  });

  test('what one may not do, and which roles may', () => {
    for (const words of Object.values(actionWords)) expect([words, zh.isSaid(words)]).toEqual([words, true]);
    expect(
      zh.said(
        "You may not call models on 'faces'. These roles may: administrator, owner. Ask an administrator for one.",
      ),
    ).toBe('您无权对“faces”调用模型。以下角色可以：管理员、模型负责人。请联系管理员分配。');
    for (const why of ['was revoked', 'expired on 2026-01-01', 'belongs to a user who is disabled']) {
      expect(zh.said(`The API key 'app' ${why}.`)).toStartWith('API 密钥“app”');
    }
    expect(zh.said('You may not manage users.')).toBe('您无权管理用户。');
  });

  test.each([
    ['on Intel Xeon, which has the most room', '位于 Intel Xeon，空间最多'],
    ['makes room for a:1, the least used for its size on H100 #0', '为 a:1 腾出空间：在 H100 #0 上按大小使用最少'],
    ['idle for 61 s, kept for 60 s', '已空闲 61 秒，保留时间为 60 秒'],
    [
      'needs 12 GiB; H100 #0 has 3.5 GiB, because 5 GiB are held by other programs (python, pid 7) and 512 MiB must stay free. End the other programs.',
      '需要 12 GiB；H100 #0 只有 3.5 GiB，因为其他程序占用 5 GiB（python, pid 7），且须预留 512 MiB。请结束其他程序。',
    ],
    ['there is no CUDA GPU of the class A100; there is no processor', '没有型号为 A100 的 CUDA GPU；没有处理器'],
    [
      'takes 51 MiB on cpu at batch 32; the estimate was 60 MiB (+18 %)',
      '在 cpu 上批大小为 32 时占用 51 MiB，估计值为 60 MiB（+18%）',
    ],
  ])('%s', (english, chinese) => expect(zh.said(english)).toBe(chinese));
});

describe('finding', () => {
  const find = createInterpreter([
    ['It failed: {why}', '失败：{why}'],
    ['The disk is full.', '磁盘已满。'],
    ['{name} is full.', '{name}已满。'],
    ['Try again.', '请重试。'],
  ]);

  test('the pattern that says most, values in it too', () => {
    expect(find('The disk is full.').text).toBe('磁盘已满。');
    expect(find('It failed: The disk is full.').text).toBe('失败：磁盘已满。');
    expect(find('The bag is full. Try again.').text).toBe('The bag已满。请重试。');
  });

  test('what is not there stays, also beside what is', () => {
    expect(find('Nobody knows this.')).toEqual({ text: 'Nobody knows this.', weight: 0 });
    expect(find('The disk is full. Nobody knows this.').text).toBe('磁盘已满。 Nobody knows this.');
    expect(find('{why} $& $1').text).toBe('{why} $& $1');
    expect(zh.isSaid('Address, name and port.')).toBe(false);
    expect(find(`It failed: ${'x'.repeat(5000)}`).weight).toBe(0);
  });

  test('in a moment, whatever is asked', () => {
    const startMs = performance.now();
    for (let i = 0; i < 50; i++) zh.said(`${'This is not known. '.repeat(70)}${i}`);
    expect(performance.now() - startMs).toBeLessThan(5000);
  });
});
